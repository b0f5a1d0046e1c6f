//! `[speech]`: what makes prompts of texts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use super::secret::{self, Keys};
use super::walk::{Given, Schema, Section, Walk};
use super::{value, webhook};
use crate::speech::{Settings, Voice};

pub(super) const SCHEMA: Schema = Schema {
    name: "speech",
    keys: &["command", "url", "token", "token_env", "token_file", "timeout", "cache_dir", "cache_megabytes"],
    refused: &[],
};

const TOKEN: Keys = Keys { plain: "token", environment: "token_env", file: "token_file" };

/// What speaks where nothing else is written and it is there.
const DEFAULT: [&str; 5] = ["espeak-ng", "-v", "{language}", "--stdin", "--stdout"];

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, data_dir: &Path) -> Settings {
    let section = walk.section(root, &SCHEMA);
    let range = Duration::from_millis(100)..=Duration::from_secs(20);
    let timeout =
        walk.get(&section, "timeout", |value| value::duration(value, range)).or(Duration::from_secs(5));
    let folder = walk.get(&section, "cache_dir", value::folder).or(data_dir.join("speech"));
    let megabytes = walk.get(&section, "cache_megabytes", |value| value::integer(value, 1..=100_000)).or(100);
    Settings { voice: voice(walk, &section), timeout, folder, most: megabytes << 20 }
}

fn voice<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Voice> {
    let has_token = [TOKEN.plain, TOKEN.environment, TOKEN.file].iter().any(|key| section.has(key));
    let token = if has_token { secret::given(walk, section, &TOKEN) } else { None };
    if section.has("command") && section.has("url") {
        walk.fault(section.place("url"), "there is command as well; keep one of them");
        return None;
    }
    if has_token && !section.has("url") {
        walk.fault(section.place(TOKEN.plain), "means nothing without url");
    }
    let words = walk.list(section, "command", value::text);
    if let Given::Is(words) = words {
        let Some(program) = words.first() else {
            walk.fault(section.place("command"), "is empty: write a program and its arguments");
            return None;
        };
        if find(program).is_none() {
            let text = format!("there is no program {program:?} on this machine");
            walk.fault(section.element("command", 0), text);
        }
        return Some(Voice::Program(words));
    }
    if let Given::Is(url) = walk.get(section, "url", url) {
        return Some(Voice::Service { url, token });
    }
    let program = find(DEFAULT[0]).map(|_| DEFAULT.map(str::to_owned).to_vec());
    program.map(Voice::Program)
}

/// As written: `{language}` is filled in for each text.
fn url(value: &DeValue<'_>) -> Result<String, String> {
    webhook::url(value)?;
    value::text(value)
}

/// Where a program is, by its path or by `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}
