//! `[[hook]]`: who is asked what to do with calls.

use std::time::Duration;

use super::secret::{self, Keys};
use super::walk::{Schema, Section, Walk};
use super::{value, webhook};
use crate::hook::Settings;

pub(super) const SCHEMA: Schema = Schema {
    name: "hook",
    keys: &["name", "url", "secret", "secret_env", "secret_file", "timeout", "keep"],
    refused: &[],
};

const SECRET: Keys = Keys { plain: "secret", environment: "secret_env", file: "secret_file" };

/// `None` only where a fault was noted.
pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Option<Vec<Settings>> {
    let mut hooks: Vec<Option<Settings>> = Vec::new();
    for section in walk.sections(root, &SCHEMA) {
        let hook = one(walk, &section);
        let name = hook.as_ref().map(|hook| &hook.name);
        if name.is_some() && hooks.iter().flatten().any(|other| Some(&other.name) == name) {
            walk.fault(section.place("name"), "another [[hook]] has this name");
        }
        hooks.push(hook);
    }
    hooks.into_iter().collect()
}

fn one<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Settings> {
    let name = walk.needed(section, "name", "what lines call it, such as \"shop\"", value::name);
    let why = "where questions are posted, such as \"https://shop.example/calls\"";
    let url = walk.needed(section, "url", why, webhook::url);
    let secret = secret::needed(walk, section, &SECRET);
    let milliseconds = |least, most| Duration::from_millis(least)..=Duration::from_millis(most);
    let time = |walk: &mut Walk<'d>, key, range, default| {
        walk.get(section, key, |value| value::duration(value, range)).or(default)
    };
    let timeout = time(walk, "timeout", milliseconds(100, 15_000), Duration::from_secs(3));
    let keep = time(walk, "keep", milliseconds(0, 86_400_000), Duration::from_secs(600));
    let url = url?;
    if url.scheme() == "http" && !webhook::is_local(&url) {
        walk.warn(section.place("url"), "telephone numbers cross the network unencrypted; use https");
    }
    Some(Settings { name: name?, url, secret: secret?.0, timeout, keep })
}
