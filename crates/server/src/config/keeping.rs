//! `[store]` and `[privacy]`: where and how what is known of calls is kept.

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

pub(super) const PRIVACY: Schema = Schema { name: "privacy", keys: &["numbers"], refused: &[] };

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

/// There is one engine so far; anything else is a fault.
pub(super) fn store<'d>(walk: &mut Walk<'d>, root: &Section<'d>) {
    const LATER: Result<(), &str> = Err("is not available yet");
    const ENGINES: &[(&str, Result<(), &str>)] =
        &[("sled", Ok(())), ("shared", LATER), ("postgres", LATER), ("redis", LATER)];
    let section = walk.section(root, &STORE);
    walk.get(&section, "engine", |value| value::word(value, ENGINES));
}

pub(super) fn privacy<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Numbers {
    const FORMS: &[(&str, Result<Numbers, &str>)] =
        &[("full", Ok(Numbers::Full)), ("last4", Ok(Numbers::Last4)), ("hashed", Ok(Numbers::Hashed))];
    let section = walk.section(root, &PRIVACY);
    walk.get(&section, "numbers", |value| value::word(value, FORMS)).or(Numbers::Full)
}
