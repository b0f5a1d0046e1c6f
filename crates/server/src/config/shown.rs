//! The configuration as it is shown to people: every key, what it is, and whether somebody wrote that.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use api::{Setting, SettingsSection};
use serde_json::Value;
use toml::Table;

use super::walk::Schema;
use super::{SECTIONS, http, policy};

/// Sections that stand in others, several times.
const NESTED: [(&str, &str, &Schema); 3] =
    [("http", "token", &http::TOKEN), ("http", "user", &http::USER), ("policy", "class", &policy::CLASS)];

/// Sections that a reload takes.
const RELOADED: [&str; 9] =
    ["trunk", "line", "policy", "pool", "identity", "hook", "console", "http.token", "http.user"];

/// Keys of sections that a reload takes in part: they alone are taken, or they alone are not.
const PROXIES: (&str, &str) = ("http", "proxies");
const KEEP: (&str, &str) = ("pool", "keep");

/// Keys whose values are secrets, or may have one in them.
const SECRETS: [&str; 8] =
    ["password", "inbound_password", "secret", "token", "homer_key", "password_hash", "headers", "body"];

/// What stands in place of a secret.
const SET: &str = "set";

/// The file that ships: `#key = value` in it is a default, which a test holds it to.
const SHIPPED: &str = include_str!("../../../../config/bauta.toml");

/// A configuration as it is shown. It is no part of what the configuration means: any two are equal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown(Vec<SettingsSection>);

impl PartialEq for Shown {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Shown {
    /// Of a text that is a configuration.
    pub(super) fn of(text: &str) -> Self {
        let document: Table = text.parse().unwrap_or_default();
        let mut sections = Vec::new();
        for schema in SECTIONS {
            match document.get(schema.name) {
                Some(toml::Value::Array(list)) => {
                    let tables = list.iter().filter_map(toml::Value::as_table).enumerate();
                    sections.extend(
                        tables.map(|(n, table)| section(schema, format!("{}[{n}]", schema.name), table)),
                    );
                }
                Some(toml::Value::Table(table)) => {
                    sections.push(section(schema, schema.name.to_owned(), table));
                    for (_, key, schema) in NESTED.iter().filter(|(outer, ..)| *outer == schema.name) {
                        let list = table.get(*key).and_then(toml::Value::as_array);
                        let tables = list.into_iter().flatten().filter_map(toml::Value::as_table).enumerate();
                        sections.extend(
                            tables.map(|(n, table)| section(schema, format!("{}[{n}]", schema.name), table)),
                        );
                    }
                }
                Some(_) | None if is_repeated(schema.name) => {}
                Some(_) | None => sections.push(section(schema, schema.name.to_owned(), &Table::new())),
            }
        }
        Self(sections)
    }

    /// What of `next` a reload takes, and of this what stays.
    pub(super) fn reloaded(&self, next: &Self) -> Self {
        let kept = |section: &&SettingsSection| !is_reloaded(&section.section);
        let taken = |section: &&SettingsSection| is_reloaded(&section.section);
        let mut sections: Vec<SettingsSection> =
            self.0.iter().filter(kept).chain(next.0.iter().filter(taken)).cloned().collect();
        let place = |name: &str| {
            let name = name.split(['[', '.']).next().unwrap_or_default();
            SECTIONS.iter().position(|schema| schema.name == name)
        };
        sections.sort_by_key(|section| place(&section.section));
        for (from, (name, key)) in [(next, PROXIES), (self, KEEP)] {
            if let Some(found) = from.setting(name, key).cloned()
                && let Some(section) = sections.iter_mut().find(|section| section.section == name)
                && let Some(setting) = section.keys.iter_mut().find(|setting| setting.key == key)
            {
                *setting = found;
            }
        }
        Self(sections)
    }

    /// As it is answered.
    pub(crate) fn sections(&self) -> Vec<SettingsSection> {
        self.0.clone()
    }

    fn setting(&self, section: &str, key: &str) -> Option<&Setting> {
        let section = self.0.iter().find(|one| one.section == section)?;
        section.keys.iter().find(|setting| setting.key == key)
    }
}

fn is_reloaded(section: &str) -> bool {
    RELOADED.contains(&section.split('[').next().unwrap_or_default())
}

/// Whether a section stands several times, or not at all.
fn is_repeated(name: &str) -> bool {
    ["trunk", "line", "webhook", "hook"].contains(&name)
}

fn section(schema: &Schema, name: String, table: &Table) -> SettingsSection {
    let is_nested = |key: &str| NESTED.iter().any(|(outer, inner, _)| (*outer, *inner) == (schema.name, key));
    let keys = schema.keys.iter().filter(|key| !is_nested(key)).map(|key| {
        let given = table.get(*key).map(|value| shown(key, value));
        let default = given.is_none();
        let value = given.or_else(|| defaults().get(&(schema.name, *key)).cloned()).unwrap_or(Value::Null);
        Setting { key: (*key).to_owned(), value, default }
    });
    SettingsSection { keys: keys.collect(), section: name }
}

/// A value as it is shown: no secret, and of an address no more than where it leads.
fn shown(key: &str, value: &toml::Value) -> Value {
    if SECRETS.contains(&key) {
        return SET.into();
    }
    match value.as_str() {
        Some(url) if key == "url" => without_secrets(url).into(),
        Some(_) | None => serde_json::to_value(value).unwrap_or(Value::Null),
    }
}

/// `https://user:password@host/path?key=…` as `https://host/…`.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return SET.to_owned() };
    let (authority, more) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let more = if more.len() > 1 { "/…" } else { more };
    format!("{scheme}://{host}{more}")
}

/// What each key is where nobody says, as far as that is a value.
fn defaults() -> &'static BTreeMap<(&'static str, &'static str), Value> {
    static DEFAULTS: OnceLock<BTreeMap<(&str, &str), Value>> = OnceLock::new();
    DEFAULTS.get_or_init(|| {
        let (mut defaults, mut section) = (BTreeMap::new(), "");
        for line in SHIPPED.lines() {
            let bare = line.trim_start_matches('#').trim_start();
            if bare.starts_with('[') {
                section = bare.trim_matches(['[', ']']);
            } else if let Some(key) = line.strip_prefix('#').and_then(|line| line.split(" = ").next())
                && line.starts_with('#')
                && key.starts_with(|c: char| c.is_ascii_lowercase())
                && let Ok(table) = line[1..].parse::<Table>()
                && let Some(value) = table.get(key)
            {
                defaults.insert((section, key), serde_json::to_value(value).unwrap_or(Value::Null));
            }
        }
        defaults
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'s>(shown: &'s Shown, section: &str, key: &str) -> (&'s Value, bool) {
        let setting = shown.setting(section, key).unwrap_or_else(|| panic!("{section}.{key}"));
        (&setting.value, setting.default)
    }

    #[test]
    fn what_was_written_is_told_from_what_is_so_anyway() {
        let shown = Shown::of(
            "[trace]\ncalls = 7\n[[trunk]]\nname = \"main\"\nnumbers = [\"+7\"]\n[http]\nlisten = \"[::1]:1\"\n\
             [[http.token]]\nrole = \"app\"\n",
        );
        assert_eq!(value(&shown, "trace", "calls"), (&7.into(), false));
        assert_eq!(value(&shown, "trace", "messages"), (&100.into(), true));
        assert_eq!(value(&shown, "trace", "homer"), (&Value::Null, true));
        assert_eq!(value(&shown, "trunk[0]", "numbers"), (&serde_json::json!(["+7"]), false));
        assert_eq!(value(&shown, "http.token[0]", "role"), (&"app".into(), false));
        assert_eq!(value(&shown, "console", "title"), (&"Bauta".into(), true));
        assert!(!shown.0.iter().any(|section| section.section.starts_with("webhook")));
        assert!(shown.setting("http", "token").is_none());
    }

    #[test]
    fn no_secret_is_shown_of_any_section() {
        // Every key of every section is a text that nobody may see where it is a secret.
        let mut text = String::new();
        for schema in SECTIONS.iter().copied().chain(NESTED.map(|(_, _, schema)| schema)) {
            let nested = schema.name.contains('.') || is_repeated(schema.name);
            text += &if nested { format!("[[{}]]\n", schema.name) } else { format!("[{}]\n", schema.name) };
            for key in schema
                .keys
                .iter()
                .filter(|key| !NESTED.iter().any(|(o, i, _)| (*o, *i) == (schema.name, **key)))
            {
                let file = schema.keys.contains(&&*format!("{key}_file"))
                    || ["password_hash", "headers", "body"].contains(key);
                let what = if file { "hunter2" } else { "plain" };
                let value = if *key == "url" { "https://u:hunter2@host/hunter2?k=hunter2" } else { what };
                text += &format!("{key} = {value:?}\n");
            }
        }
        let shown = Shown::of(&text);
        let told = serde_json::to_string(&shown.0).unwrap();
        assert!(text.matches("hunter2").count() > 10 && told.contains("plain"), "{text}");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(value(&shown, "hook[0]", "url").0, "https://host/…");
    }

    #[test]
    fn after_a_reload_what_was_taken_is_shown_and_what_waits_is_not() {
        let before = Shown::of("[node]\nname = \"a\"\n[pool]\nkeep = \"1d\"\n[[line]]\nnumber = \"+71\"\n");
        let after = Shown::of(
            "[node]\nname = \"b\"\n[pool]\nkeep = \"2d\"\ncool_off = \"3h\"\n[[line]]\nnumber = \"+72\"\n\
             [http]\nlisten = \"[::1]:1\"\nproxies = [\"10.0.0.1\"]\n[[http.token]]\nrole = \"app\"\n",
        );
        let now = before.reloaded(&after);
        assert_eq!(value(&now, "node", "name").0, "a");
        assert_eq!(
            (value(&now, "pool", "keep").0, value(&now, "pool", "cool_off").0),
            (&"1d".into(), &"3h".into())
        );
        assert_eq!(value(&now, "line[0]", "number").0, "+72");
        assert_eq!(value(&now, "http", "proxies").0, &serde_json::json!(["10.0.0.1"]));
        assert_eq!(value(&now, "http", "listen"), value(&before, "http", "listen"));
        assert_eq!(value(&now, "http.token[0]", "role").0, "app");
    }
}
