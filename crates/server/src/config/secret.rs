//! Secrets: in the file, in the environment, or in a file of their own. Never in a message.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::value;
use super::walk::{Section, Walk};

/// Characters a secret must have: sixteen random ones cannot be guessed through a network.
const SHORTEST: usize = 16;
/// Octets read of a secret's file.
const LONGEST: u64 = 4096;

/// The three keys a secret may stand under.
#[derive(Debug)]
pub(super) struct Keys {
    /// The secret itself.
    pub(super) plain: &'static str,
    /// The name of an environment variable.
    pub(super) environment: &'static str,
    /// The path of a file, of which trailing line ends do not count.
    pub(super) file: &'static str,
}

/// Reads a secret of ours that must be there, from just one of its three places. The second of the pair is the key.
pub(super) fn needed<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    keys: &'static Keys,
) -> Option<(String, &'static str)> {
    chosen(walk, section, keys, unfit)
}

/// Reads a secret that someone else has given us: it is as it is.
pub(super) fn given<'d>(walk: &mut Walk<'d>, section: &Section<'d>, keys: &'static Keys) -> Option<String> {
    let unfit = |secret: &str| {
        if secret.is_empty() {
            return Some("is empty".to_owned());
        }
        secret.chars().any(char::is_control).then(|| "has control characters".to_owned())
    };
    chosen(walk, section, keys, unfit).map(|(secret, _)| secret)
}

fn chosen<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    keys: &'static Keys,
    unfit: impl Fn(&str) -> Option<String>,
) -> Option<(String, &'static str)> {
    let all = [keys.plain, keys.environment, keys.file];
    let present: Vec<&'static str> = all.into_iter().filter(|key| section.has(key)).collect();
    let key = match present.as_slice() {
        [only] => *only,
        [] => {
            let [plain, environment, file] = all;
            let text =
                format!("is missing: write {plain}, or {environment} or {file} to have it from elsewhere");
            walk.fault(section.place(keys.plain), text);
            return None;
        }
        [first, second, ..] => {
            walk.fault(section.place(second), format!("there is {first} as well; keep one of them"));
            return None;
        }
    };
    let environment = walk.environment;
    let secret = walk.get(section, key, |value| {
        // Of a secret no message says more than its length.
        let text = value::text(value)?;
        if key == keys.environment {
            environment(&text)
                .filter(|secret| !secret.is_empty())
                .ok_or_else(|| format!("the environment has no variable {:?}", value::shortened(&text)))
        } else if key == keys.file {
            from_file(Path::new(&text))
                .map_err(|why| format!("{} cannot be read: {why}", value::shortened(&text)))
        } else {
            Ok(text)
        }
    });
    let secret = secret.ok()?;
    if let Some(why) = unfit(&secret) {
        walk.fault(section.place(key), why);
        return None;
    }
    if key == keys.file {
        warn_if_open(walk, section, key);
    }
    Some((secret, key))
}

fn from_file(path: &Path) -> Result<String, String> {
    let mut secret = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(LONGEST + 1).read_to_string(&mut secret).map_err(|error| error.to_string())?;
    if secret.len() as u64 > LONGEST {
        return Err(format!("it has more than {LONGEST} octets"));
    }
    Ok(secret.trim_end_matches(['\r', '\n']).to_owned())
}

/// What keeps a text from being a secret. It must go through an HTTP header unchanged (RFC 6750 §2.1).
fn unfit(secret: &str) -> Option<String> {
    let length = secret.chars().count();
    if length < SHORTEST {
        return Some(format!("has {length} characters; at least {SHORTEST} are needed, random ones"));
    }
    let plain = secret.bytes().all(|octet| octet.is_ascii_graphic());
    (!plain).then(|| "has blanks or characters beyond ASCII; use letters, digits and signs".to_owned())
}

#[cfg(unix)]
pub(super) fn warn_if_open<'d>(walk: &mut Walk<'d>, section: &Section<'d>, key: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = walk.get(section, key, value::text).ok();
    let mode = path.and_then(|path| std::fs::metadata(path).ok()).map(|file| file.permissions().mode());
    if mode.is_some_and(|mode| mode & 0o004 != 0) {
        walk.warn(section.place(key), "everyone on this machine can read that file; chmod 0640 it");
    }
}

#[cfg(not(unix))]
pub(super) fn warn_if_open<'d>(_: &mut Walk<'d>, _: &Section<'d>, _: &str) {}
