//! `[store]`, `[recording]` and `[privacy]`: what is kept of calls, and in what form.

use std::path::{Path, PathBuf};
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

pub(super) const RECORDING: Schema = Schema {
    name: "recording",
    keys: &["dir", "format", "retention_days"],
    refused: &[("key", NO_KEY), ("key_env", NO_KEY), ("key_file", NO_KEY), ("encryption_key", NO_KEY)],
};

const NO_KEY: &str = "encrypting recordings is not available yet; put recording.dir on an encrypted disk";

pub(super) const PRIVACY: Schema = Schema { name: "privacy", keys: &["numbers"], refused: &[] };

/// `[recording]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recording {
    /// Where recordings are written; made when the server starts.
    pub(crate) dir: PathBuf,
    /// How long they are kept; `None`: until someone deletes them.
    pub(crate) retention: Option<Duration>,
}

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

pub(super) fn recording<'d>(walk: &mut Walk<'d>, root: &Section<'d>, data_dir: &Path) -> Recording {
    const FORMATS: &[(&str, Result<(), &str>)] =
        &[("wav", Ok(())), ("mp3", Err("is not made here")), ("flac", Err("is not made here"))];
    let section = walk.section(root, &RECORDING);
    walk.get(&section, "format", |value| value::word(value, FORMATS));
    let dir = walk.get(&section, "dir", value::folder).or(data_dir.join("recordings"));
    let days = walk.get(&section, "retention_days", |value| value::integer(value, 0..=36_500)).or(30);
    let retention = (days > 0).then(|| Duration::from_secs(days * 86_400));
    Recording { dir, retention }
}

pub(super) fn privacy<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Numbers {
    const FORMS: &[(&str, Result<Numbers, &str>)] =
        &[("full", Ok(Numbers::Full)), ("last4", Ok(Numbers::Last4)), ("hashed", Ok(Numbers::Hashed))];
    let section = walk.section(root, &PRIVACY);
    walk.get(&section, "numbers", |value| value::word(value, FORMS)).or(Numbers::Full)
}
