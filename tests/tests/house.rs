//! The rules of the house that a compiler does not know: who may use whom, and how things are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use tests::tool::repository;
use toml::Table;

/// Who may use whom: the whole list.
const EDGES: [(&str, &[&str]); 17] = [
    (
        "server",
        &[
            "api",
            "store",
            "relay",
            "recording",
            "b2bua",
            "phone",
            "number",
            "sip",
            "rtp",
            "ua",
            "ivr",
            "stir",
            "clock",
        ],
    ),
    ("api", &["store", "recording", "b2bua", "number", "console"]),
    ("relay", &["recording", "rtp", "clock"]),
    ("b2bua", &["ua", "sip", "sdp", "ivr", "rtp", "stir", "number", "clock"]),
    ("ua", &["sip"]),
    ("rtp", &["clock"]),
    ("store", &["number"]),
    ("phone", &["sip", "sdp", "rtp", "ua", "clock", "number"]),
    ("sim", &["b2bua", "sip", "sdp", "rtp", "stir", "number", "clock"]),
    ("stir", &["number"]),
    ("sdp", &[]),
    ("console", &[]),
    ("recording", &[]),
    ("ivr", &[]),
    ("number", &[]),
    ("clock", &[]),
    ("sip", &[]),
];

/// Without socket, clock, thread, lock or file.
const PURE: [&str; 9] = ["clock", "number", "sip", "sdp", "ua", "stir", "ivr", "rtp", "b2bua"];

/// What only the rim may use.
const WORLDLY: [&str; 12] = [
    "tokio", "socket2", "libc", "mio", "reqwest", "axum", "hyper", "sled", "tempfile", "hound", "tracing",
    "rand",
];

fn manifest(path: &Path) -> Table {
    text(path).parse().unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|fault| panic!("{}: {fault}", dir.display()));
    entries.map(|entry| entry.expect("an entry can be read").path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

fn crates() -> BTreeMap<String, Table> {
    let dirs = entries(&repository().join("crates"));
    dirs.into_iter().map(|dir| (name(&dir), manifest(&dir.join("Cargo.toml")))).collect()
}

fn uses<'a>(manifest: &'a Table, section: &str) -> BTreeSet<&'a str> {
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

/// Every file that is kept, apart from what machines wrote.
fn files() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in entries(dir) {
            if matches!(name(&entry).as_str(), "target" | ".git" | "corpus" | "node_modules") {
                continue;
            }
            if entry.is_dir() { walk(&entry, found) } else { found.push(entry) }
        }
    }
    let mut found = Vec::new();
    walk(&repository(), &mut found);
    found.sort();
    found
}

/// Rust sources with their text.
fn sources() -> Vec<(PathBuf, String)> {
    let rust = files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| (path.clone(), text(&path))).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).display().to_string()
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Lines of Rust with any of these in them. This file, which must name them, is left out.
fn lines_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        if path.ends_with("tests/tests/house.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{}: {}", shown(&path), number + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn no_crate_uses_another_but_as_listed() {
    let crates = crates();
    let mut found = Vec::new();
    for (name, manifest) in &crates {
        let Some((_, allowed)) = EDGES.iter().find(|(user, _)| user == name) else {
            found.push(format!("{name} is not in the list"));
            continue;
        };
        for used in uses(manifest, "dependencies").into_iter().filter(|used| crates.contains_key(*used)) {
            if !allowed.contains(&used) {
                found.push(format!("{name} uses {used}"));
            }
        }
        // What a test may use besides: a world for tests.
        for used in uses(manifest, "dev-dependencies").into_iter().filter(|used| crates.contains_key(*used)) {
            if !allowed.contains(&used) && used != "sim" {
                found.push(format!("{name} uses {used} in its tests"));
            }
        }
    }
    none("edges that are not in the list", &found);
}

#[test]
fn a_pure_crate_is_kept_pure_by_the_strict_lints_and_its_dependencies() {
    let strict = fs::read_to_string(repository().join("crates/clock/clippy.toml")).unwrap();
    for word in
        ["std::time::Instant", "std::sync::Mutex", "std::net::UdpSocket", "std::fs::File", "HashMap::iter"]
    {
        assert!(strict.contains(word), "the strict lints forbid {word}");
    }
    let crates = crates();
    for name in PURE {
        let path = repository().join("crates").join(name).join("clippy.toml");
        assert_eq!(fs::read_to_string(path).ok().as_deref(), Some(strict.as_str()), "the lints of {name}");
        let worldly: Vec<&str> =
            uses(&crates[name], "dependencies").into_iter().filter(|used| WORLDLY.contains(used)).collect();
        assert_eq!(worldly, Vec::<&str>::new(), "{name} is pure");
    }
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    for (name, manifest) in crates() {
        let inherits =
            manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(inherits, Some(true), "{name}");
    }
}

#[test]
fn no_file_is_longer_than_700_lines() {
    let long = sources().into_iter().filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > 700).then(|| format!("{}: {lines}", shown(&path)))
    });
    none("long files", &long.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_to_do_and_nothing_is_silenced() {
    none("unfinished", &lines_with(&["TODO", "FIXME", "XXX:", "todo!(", "unimplemented!("]));
    none("tests that do not run", &lines_with(&["#[ignore"]));
    // A file of tests may allow what not each of its tests does; elsewhere a lint that is not met must be noticed.
    let is_test = |line: &str| line.contains("/tests/") && line.contains("#![allow(");
    let silenced = lines_with(&["#[allow(", "#![allow("]).into_iter().filter(|line| !is_test(line));
    none("lints silenced for good: use expect", &silenced.collect::<Vec<_>>());
    let excused = lines_with(&["#[allow(", "#![allow(", "#[expect(", "#![expect("]);
    let bare = excused.into_iter().filter(|line| line.ends_with(")]") && !line.contains("reason"));
    none("lints silenced without a reason", &bare.collect::<Vec<_>>());
}

#[test]
fn no_test_sleeps() {
    let sleeping: Vec<String> = lines_with(&["sleep("])
        .into_iter()
        .filter(|line| line.contains("/tests/") || line.starts_with("tests/"))
        // The one place where tests wait for another program, with an end to patience.
        .filter(|line| !line.starts_with("tests/src/wait.rs:"))
        .collect();
    none("tests that sleep", &sleeping);
}

#[test]
fn a_module_is_named_for_what_it_is() {
    let vague = ["util", "utils", "common", "helper", "helpers", "manager", "misc"];
    let found = sources().into_iter().filter_map(|(path, _)| {
        let stem = path.file_stem()?.to_string_lossy().into_owned();
        let dir = path.parent()?.file_name()?.to_string_lossy().into_owned();
        (vague.contains(&stem.as_str()) || vague.contains(&dir.as_str())).then(|| shown(&path))
    });
    none("vague names", &found.collect::<Vec<_>>());
}

#[test]
fn every_dependency_has_its_reason_in_writing() {
    let workspace = manifest(&repository().join("Cargo.toml"));
    let listed = workspace["workspace"]["dependencies"].as_table().unwrap();
    let reasons = fs::read_to_string(repository().join("docs/DEPENDENCIES.md")).unwrap();
    let rows: BTreeSet<&str> = reasons
        .lines()
        .take_while(|line| !line.starts_with("Looked at"))
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .flat_map(|cell| cell.split(", "))
        .map(|crate_name| crate_name.trim_matches('`'))
        .collect();
    let foreign =
        listed.iter().filter(|(_, value)| value.get("path").is_none()).map(|(name, _)| name.as_str());
    let silent: Vec<String> = foreign.filter(|name| !rows.contains(name)).map(str::to_owned).collect();
    none("dependencies without a line in docs/DEPENDENCIES.md", &silent);
}

/// Where the tests are that docs/RFC.md names, by the first word of their names.
const TESTS: [(&str, &str); 6] = [
    ("ua", "crates/ua/tests/scenarios"),
    ("sim", "crates/sim/tests/world"),
    ("rtp", "crates/rtp/tests/worker"),
    ("sdp", "crates/sdp/tests/exchange"),
    ("sip", "crates/sip/tests"),
    ("tests", "tests/tests"),
];

#[test]
fn every_test_that_is_said_to_hold_something_is_there() {
    let rfc = text(&repository().join("docs/RFC.md"));
    let names = rfc.split('`').skip(1).step_by(2).filter(|word| word.matches("::").count() == 2);
    let mut missing = Vec::new();
    let mut count = 0;
    for name in names {
        let parts: Vec<&str> = name.split("::").collect();
        let dir = TESTS.iter().find(|(first, _)| *first == parts[0]).map(|(_, dir)| *dir);
        let file = dir.map(|dir| repository().join(dir).join(format!("{}.rs", parts[1])));
        let source = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        if !source.contains(&format!("#[test]\nfn {}() {{", parts[2])) {
            missing.push(name.to_owned());
        }
        count += 1;
    }
    none("tests that docs/RFC.md names", &missing);
    assert!(count > 90, "only {count} are named");
}

#[test]
fn no_link_in_a_document_is_dead() {
    let mut dead = Vec::new();
    for path in files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if file.contains("://") || file.starts_with("mailto:") {
                continue;
            }
            let to = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            let there = to.exists() && (anchor.is_empty() || headings(&to).contains(anchor));
            if !there {
                dead.push(format!("{}: {target}", shown(&path)));
            }
        }
    }
    none("dead links", &dead);
}

/// Anchors of a document's headings, as code hosts make them.
fn headings(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect::<String>()
        })
        .map(|title| title.replace(' ', "-"))
        .collect()
}

#[test]
fn objects_for_the_kernel_are_made_of_the_sources_beside_them() {
    use sha2::Digest as _;
    let sources =
        ["crates/relay/bpf/shortcut.bpf.c", "crates/relay/bpf/lanes.bpf.c", "crates/server/bpf/flood.bpf.c"];
    let stale = sources.into_iter().filter(|source| {
        let source = repository().join(source);
        let digest = sha2::Sha256::digest(std::fs::read(&source).unwrap());
        let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let object = std::fs::read(source.with_extension("o")).unwrap();
        !object.windows(digest.len()).any(|window| window == digest.as_bytes())
    });
    none(
        "objects older than their source: run crates/relay/bpf/build",
        &stale.map(str::to_owned).collect::<Vec<_>>(),
    );
}
