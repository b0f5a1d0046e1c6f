//! `[recording]`: where calls are recorded, as what, with which keys, and how long that is kept.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use recording::{Format, Key, Keyring, Settings};
use toml::de::DeValue;

use super::walk::{Schema, Section, Walk};
use super::{secret, value};

pub(super) const SCHEMA: Schema = Schema {
    name: "recording",
    keys: &["dir", "format", "retention_days", "key_file", "key_env", "old_key_files"],
    refused: &[("key", ELSEWHERE), ("encryption_key", ELSEWHERE)],
};

const ELSEWHERE: &str =
    "a key does not stand in this file: write key_file or key_env to have it from elsewhere";

/// Octets read of a key's file: a key and many line ends.
const LONGEST: u64 = 256;

/// `[recording]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recording {
    /// Where recordings are written, as what and with which key; the folder is made when the server starts.
    pub(crate) files: Settings,
    /// How long they are kept; `None`: until someone deletes them.
    pub(crate) retention: Option<Duration>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, data_dir: &Path) -> Recording {
    const FORMATS: &[(&str, Result<Format, &str>)] = &[
        ("wav", Ok(Format::Wav)),
        ("opus", Ok(Format::Opus)),
        ("mp3", Err("is not made here; opus is as small")),
        ("flac", Err("is not made here")),
    ];
    let section = walk.section(root, &SCHEMA);
    let format = walk.get(&section, "format", |value| value::word(value, FORMATS)).or(Format::Wav);
    let folder = walk.get(&section, "dir", value::folder).or(data_dir.join("recordings"));
    let days = walk.get(&section, "retention_days", |value| value::integer(value, 0..=36_500)).or(30);
    let retention = (days > 0).then(|| Duration::from_secs(days * 86_400));
    let files = Settings { folder, format, keys: keys(walk, &section) };
    Recording { files, retention }
}

/// The key that seals, and those that still open.
fn keys<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Keyring {
    let environment = walk.environment;
    let from_file = |value: &DeValue<'_>| key_from_file(Path::new(&value::text(value)?));
    let from_environment = walk.get(section, "key_env", |value| {
        let name = value::text(value)?;
        let text = environment(&name)
            .ok_or_else(|| format!("the environment has no variable {:?}", value::shortened(&name)))?;
        Key::read(text.as_bytes()).map_err(|fault| fault.to_string())
    });
    let filed = walk.get(section, "key_file", from_file);
    let old = walk.list(section, "old_key_files", from_file).or(Vec::new());
    if section.has("key_file") && section.has("key_env") {
        walk.fault(section.place("key_file"), "there is key_env as well; keep one of them");
    }
    if section.has("key_file") {
        secret::warn_if_open(walk, section, "key_file");
    }
    Keyring::new(filed.ok().or(from_environment.ok()).into_iter().chain(old).collect())
}

/// A key from a file. Of a key no message says more than that it is none.
pub(crate) fn key_from_file(path: &Path) -> Result<Key, String> {
    let read = || {
        let mut octets = Vec::new();
        File::open(path)?.take(LONGEST).read_to_end(&mut octets)?;
        Ok::<_, std::io::Error>(octets)
    };
    let name = value::shortened(&path.display().to_string());
    let octets = read().map_err(|error| format!("{name} cannot be read: {error}"))?;
    Key::read(&octets).map_err(|fault| format!("what is in {name} {fault}"))
}
