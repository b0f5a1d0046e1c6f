//! The configuration of a program under test: a plain order line over one carrier, and what the test changes.

use std::net::IpAddr;
use std::path::Path;

use toml::{Table, Value};

use crate::loopback::{HTTP_PORT, Loopback};

/// The line every test calls.
pub const LINE: &str = "74951234567";
/// The operator's number.
pub const OPERATOR: &str = "74957654321";
/// Token of role `app`.
pub const TOKEN: &str = "app-token-of-the-tests";
/// Token of role `admin`.
pub const ADMIN: &str = "admin-token-of-the-tests";

/// A configuration, as a table.
#[derive(Debug, Clone)]
pub struct Config {
    table: Table,
    attacker: IpAddr,
}

impl Config {
    /// One carrier that calls from `loopback.carrier()` and is called at `loopback.callee()`, one order line with an
    /// operator and recording.
    ///
    /// # Panics
    /// Never: the text is TOML.
    #[must_use]
    pub fn new(loopback: &Loopback) -> Self {
        let (server, carrier, callee) = (loopback.server(), loopback.carrier(), loopback.callee());
        let text = format!(
            r#"
[node]
name = "test"
country = "RU"
drain_seconds = 30

[sip]
listen = ["udp://{server}:5060", "tcp://{server}:5060"]

[media]
listen = ["{server}"]
ports = "20000-20199"
workers = 2

[[trunk]]
name = "carrier"
uri = "sip:{callee}:5060"
allow = ["{carrier}/32", "{callee}/32"]
numbers = ["{LINE}"]
trust = "asserted"

[[line]]
number = "{LINE}"
service = "orders"
trunk = "carrier"
language = "ru"
operator = "{OPERATOR}"
record = true

[http]
listen = ["{server}:{HTTP_PORT}"]

[[http.token]]
role = "app"
token = "{TOKEN}"

[[http.token]]
role = "admin"
token = "{ADMIN}"

[store]
engine = "sled"

[recording]
dir = "recordings"

[privacy]
numbers = "full"
"#
        );
        Self { table: text.parse().expect("the text is TOML"), attacker: loopback.attacker() }
    }

    /// An address of the scene's network where nobody is yet.
    #[must_use]
    pub fn vacant(&self) -> IpAddr {
        self.attacker
    }

    /// Sets a key, by path: `sip.max_calls`, `line.0.record`.
    ///
    /// # Panics
    /// If a list on the way has no such place.
    #[must_use]
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        let mut steps = path.split('.');
        let last = steps.next_back().expect("a path is not empty");
        let mut at: &mut Value =
            self.table.entry(steps.clone().next().unwrap_or(last)).or_insert(Table::new().into());
        for step in steps.skip(1) {
            at = if at.is_array() {
                &mut at[step.parse::<usize>().expect("a place in a list")]
            } else {
                let section = at.as_table_mut().unwrap_or_else(|| panic!("{path}: nothing lies in a value"));
                section.entry(step).or_insert(Table::new().into())
            };
        }
        at.as_table_mut().expect("a key lies in a section").insert(last.to_owned(), value.into());
        self
    }

    /// Adds an entry to a list of sections: `line`, `trunk`, `http.token`.
    ///
    /// # Panics
    /// If `entry` is no TOML, or the list lies in no section.
    #[must_use]
    pub fn add(mut self, list: &str, entry: &str) -> Self {
        let entry: Table = entry.parse().expect("an entry is TOML");
        let (table, list) = match list.split_once('.') {
            None => (&mut self.table, list),
            Some((section, list)) => {
                let section = self.table.entry(section).or_insert(Table::new().into());
                (section.as_table_mut().expect("a list lies in a section"), list)
            }
        };
        let list = table.entry(list).or_insert(Value::Array(Vec::new()));
        list.as_array_mut().expect("a list of sections").push(entry.into());
        self
    }

    /// Adds an entry to a list of sections within a section: `http.user`.
    ///
    /// # Panics
    /// If `entry` is no TOML.
    #[must_use]
    pub fn add_to(mut self, section: &str, list: &str, entry: &str) -> Self {
        let entry: Table = entry.parse().expect("an entry is TOML");
        let section = self.table.entry(section).or_insert(Table::new().into());
        let list = section.as_table_mut().expect("a section").entry(list).or_insert(Value::Array(Vec::new()));
        list.as_array_mut().expect("a list of sections").push(entry.into());
        self
    }

    /// The text of the file, all paths inside `dir`.
    #[must_use]
    pub fn write(&self, dir: &Path) -> String {
        let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let config = self.clone().set("node.data_dir", path("data")).set("recording.dir", path("recordings"));
        config.table.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_set_by_path_and_sections_added() {
        let config = Config::new(&Loopback::claim())
            .set("sip.max_calls", 2)
            .set("line.0.record", false)
            .add("line", "number = \"74950000000\"");
        let table: Table = config.write(Path::new("/d")).parse().unwrap();
        assert_eq!(table["sip"]["max_calls"].as_integer(), Some(2));
        assert_eq!(table["line"][0]["record"].as_bool(), Some(false));
        assert_eq!(table["line"][1]["number"].as_str(), Some("74950000000"));
        assert_eq!(table["node"]["data_dir"].as_str(), Some("/d/data"));
    }
}
