//! The file that ships says of itself nothing but the truth.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use super::{LEAST, good};

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/bauta.toml");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_shipped_file_has_no_fault_and_warns_only_of_its_token() {
    let Outcome { checked, warnings } = parse(&shipped(), Path::new("bauta.toml"), &|_| None);
    assert!(checked.is_ok(), "{checked:?}");
    let keys: Vec<&str> = warnings.iter().map(|warning| warning.key.as_str()).collect();
    assert_eq!(keys, ["http.token[0].token"]);
}

#[test]
fn what_the_shipped_file_shows_as_default_is_the_default() {
    let shown: String = shipped()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{rest}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    assert_ne!(shown, shipped());
    assert_eq!(good(&shown), good(&shipped()));
}

#[test]
fn the_webhook_the_shipped_file_shows_has_the_defaults() {
    let examples = shipped();
    let shown =
        examples.lines().skip_while(|line| *line != "# [[webhook]]").take_while(|line| !line.is_empty());
    let key = |line: &&str| {
        line.starts_with("# [[") || line.contains(" = ") && !line.contains("_env") && !line.contains("_file")
    };
    let uncommented: String = shown.filter(key).map(|line| format!("{}\n", &line[2..])).collect();
    let least = "[[webhook]]\nname = \"shop\"\nurl = \"https://shop.example/bauta\"\n\
                 secret = \"0123456789abcdef0123456789abcdef\"\nevents = [\"call.ended\", \"record.written\"]\n";
    assert!(uncommented.contains("give_up"));
    assert_eq!(good(&format!("{LEAST}{uncommented}")).webhooks, good(&format!("{LEAST}{least}")).webhooks);
}

#[test]
fn every_key_is_in_the_shipped_file() {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in shipped().lines() {
        let line = line.trim_start_matches('#').trim_start();
        if let Some(name) = line.strip_prefix('[').map(|rest| rest.trim_matches(['[', ']'])) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            sections.entry(section.clone()).or_default().insert(key.to_owned());
        }
    }
    for schema in SECTIONS.iter().copied().chain([&http::TOKEN, &http::USER, &policy::CLASS]) {
        for key in schema.keys {
            let nested =
                [("http", "token"), ("http", "user"), ("policy", "class")].contains(&(schema.name, *key));
            let documented = sections.get(schema.name).is_some_and(|keys| keys.contains(*key));
            assert!(documented || nested, "{}.{key}", schema.name);
        }
    }
}
