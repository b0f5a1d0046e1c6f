//! `[store]` and `[privacy]`: where and how what is known of calls is kept.

use std::time::Duration;

use super::value;
use super::walk::{Schema, Section, Walk};

pub(super) const STORE: Schema = Schema {
    name: "store",
    keys: &["engine"],
    refused: &[
        ("url", "a store shared by several nodes is not available yet"),
        ("path", "the store is in node.data_dir"),
    ],
};

pub(super) const PRIVACY: Schema =
    Schema { name: "privacy", keys: &["numbers", "records_days", "events_days", "audit_days"], refused: &[] };

/// `privacy.numbers`: how numbers stand in records, events and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// Whole.
    Full,
    /// The last four digits.
    Last4,
    /// Hashed with a key kept in `node.data_dir`.
    Hashed,
}

/// `privacy.…_days`: how long what is known of calls is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retention {
    /// Records.
    pub(crate) records: Duration,
    /// Events, where not only their number bounds them.
    pub(crate) events: Option<Duration>,
    /// Who looked at what.
    pub(crate) audit: Duration,
}

/// There is one engine so far; anything else is a fault.
pub(super) fn store<'d>(walk: &mut Walk<'d>, root: &Section<'d>) {
    const LATER: Result<(), &str> = Err("is not available yet");
    const ENGINES: &[(&str, Result<(), &str>)] =
        &[("sled", Ok(())), ("shared", LATER), ("postgres", LATER), ("redis", LATER)];
    let section = walk.section(root, &STORE);
    walk.get(&section, "engine", |value| value::word(value, ENGINES));
}

pub(super) fn privacy<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> (Numbers, Retention) {
    const FORMS: &[(&str, Result<Numbers, &str>)] =
        &[("full", Ok(Numbers::Full)), ("last4", Ok(Numbers::Last4)), ("hashed", Ok(Numbers::Hashed))];
    let section = walk.section(root, &PRIVACY);
    let numbers = walk.get(&section, "numbers", |value| value::word(value, FORMS)).or(Numbers::Full);
    let mut days = |key| {
        let days = walk.get(&section, key, |value| value::integer(value, 1..=36_500)).ok();
        days.map(|days| Duration::from_secs(days * 86_400))
    };
    let usual = Duration::from_secs(400 * 86_400);
    let retention = Retention {
        records: days("records_days").unwrap_or(usual),
        events: days("events_days"),
        audit: days("audit_days").unwrap_or(usual),
    };
    (numbers, retention)
}
