//! The console's files: whether they are what their sources give, and whether the sources keep to their own rules.
//!
//! What a browser does with them, `tests/console*.rs` asks.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tests::tool::{installed, repository};

/// What a browser may be given before the first page is there: its login, and the board after it.
const FIRST_PAGE: usize = 200_000;

fn web() -> PathBuf {
    repository().join("crates/console/web")
}

/// Every file below a folder, but what is installed or generated there, by its path from there.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut rest = vec![root.to_path_buf()];
    while let Some(dir) = rest.pop() {
        for entry in fs::read_dir(&dir).unwrap_or_else(|fault| panic!("{}: {fault}", dir.display())) {
            let path = entry.unwrap().path();
            if path.ends_with("node_modules") || path.ends_with("schema.d.ts") {
                continue;
            }
            if path.is_dir() {
                rest.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// The sources in a folder of their own, with the packages they need and the interface they are typed by.
struct Workshop(TempDir);

impl Workshop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("crates/console/web");
        for (name, octets) in files(&web()) {
            let path = place.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, octets).unwrap();
        }
        fs::create_dir(dir.path().join("docs")).unwrap();
        fs::copy(repository().join("docs/openapi.json"), dir.path().join("docs/openapi.json")).unwrap();
        std::os::unix::fs::symlink(installed("console/node_modules"), place.join("node_modules")).unwrap();
        Self(dir)
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let place = self.0.path().join("crates/console/web");
        let mut command = Command::new(place.join("node_modules/.bin").join(program));
        command.current_dir(&place).args(arguments).env("NO_COLOR", "1").env("CI", "1");
        let done = command.output().unwrap_or_else(|fault| panic!("{program}: {fault}"));
        let said = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{program}: {}\n{}", done.status, String::from_utf8_lossy(&said));
    }
}

#[test]
fn the_console_in_the_program_is_what_its_sources_give() {
    let workshop = Workshop::new();
    workshop.run("vite", &["build"]);
    let (made, kept) = (
        files(&workshop.0.path().join("crates/console/dist")),
        files(&repository().join("crates/console/dist")),
    );
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&made), names(&kept), "other files: npm run build in crates/console/web");
    for (name, octets) in &made {
        assert!(kept[name] == *octets, "{name} is another: npm run build in crates/console/web");
    }
}

#[test]
fn its_types_are_those_of_the_interface_and_nothing_warns() {
    let workshop = Workshop::new();
    workshop.run("openapi-typescript", &["../../../docs/openapi.json", "--output", "src/api/schema.d.ts"]);
    workshop.run("svelte-check", &["--fail-on-warnings"]);
}

#[test]
fn its_machines_do_what_their_tests_say() {
    Workshop::new().run("vitest", &["run"]);
}

/// What a script brings along with itself: not what it asks for later.
fn imports(script: &str) -> impl Iterator<Item = &str> {
    let named = script.split("from\"./").skip(1);
    let bare = script.split("import\"./").skip(1);
    named.chain(bare).filter_map(|rest| rest.split('"').next())
}

#[test]
fn the_first_page_is_light() {
    let dist = files(&repository().join("crates/console/dist"));
    let mut needed: BTreeSet<&str> = dist
        .keys()
        .map(String::as_str)
        .filter(|name| {
            let asset = name.strip_prefix("assets/").unwrap_or_default();
            // Style sheets of other views are counted as well: they are small.
            ["index-", "live-", "worker-", "favicon-"].iter().any(|begin| asset.starts_with(begin))
                || name.ends_with(".css")
        })
        .collect();
    needed.insert("index.html");
    loop {
        let mut more = BTreeSet::new();
        for name in needed.iter().filter(|name| name.ends_with(".js")) {
            let script = std::str::from_utf8(&dist[*name]).unwrap();
            for import in imports(script) {
                let (name, _) = dist.get_key_value(&format!("assets/{import}")).unwrap();
                more.insert(name.as_str());
            }
        }
        let before = needed.len();
        needed.extend(more);
        if needed.len() == before {
            break;
        }
    }
    let scripts = needed.iter().filter(|name| name.ends_with(".js")).count();
    assert!(scripts >= 3, "the frame, the board and the feed at the least: {needed:?}");
    let all: usize = needed.iter().map(|name| dist[*name].len()).sum();
    assert!(all < FIRST_PAGE, "{all} octets: {needed:?}");
}

#[test]
fn nothing_that_comes_from_a_call_can_become_markup() {
    let ways =
        ["{@html", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=\""];
    let mut found = Vec::new();
    for (name, octets) in files(&web().join("src")) {
        let text = String::from_utf8(octets).unwrap();
        for (number, line) in text.lines().enumerate() {
            if ways.iter().any(|way| line.contains(way)) {
                found.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_source_is_longer_than_700_lines_and_every_package_has_its_reason() {
    for (name, octets) in files(&web().join("src")) {
        let lines = String::from_utf8(octets).unwrap().lines().count();
        assert!(lines <= 700, "{name}: {lines}");
    }
    let read = |name: &str| fs::read_to_string(web().join(name)).unwrap();
    let package: serde_json::Value = serde_json::from_str(&read("package.json")).unwrap();
    let reasons = fs::read_to_string(repository().join("docs/DEPENDENCIES.md")).unwrap();
    let (used, _) = reasons.split_once("Looked at and left out").unwrap();
    for name in package["devDependencies"].as_object().unwrap().keys() {
        let listed = used.lines().any(|line| {
            let cells: Vec<_> = line.split(" | ").collect();
            cells.len() == 3
                && cells[1].contains("console")
                && cells[0].trim_start_matches("| ").split(", ").any(|each| each == name)
        });
        assert!(listed, "{name} has no line in docs/DEPENDENCIES.md");
    }
    let lock = read("package-lock.json");
    assert!(
        !lock.contains("\"resolved\""),
        "npm install --omit-lockfile-registry-resolved: no registry belongs here"
    );
}
