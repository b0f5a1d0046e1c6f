//! `bauta check`, as its users run it.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn check(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bauta"))
        .arg("check")
        .args(args)
        .current_dir(dir)
        .env("OUTSIDE_TOKEN", "a-token-from-outside")
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// The file of which the tests beside the reader say what each fault is told as.
const FAULTY: &str = include_str!("faulty.toml");

#[test]
fn the_repository_s_own_configuration_is_found_and_has_no_fault() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = check(&repository, &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        text(&output.stdout),
        "config/bauta.toml: no faults; 2 listeners, 1 trunk, 1 line, 1 token, 0 webhooks\n"
    );
    assert!(text(&output.stderr).starts_with("warning: config/bauta.toml:"), "{output:?}");
}

#[test]
fn every_fault_is_told_with_file_line_and_key() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), FAULTY).unwrap();
    let output = check(dir.path(), &["--config", "bad.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "");
    let told = text(&output.stderr);
    let places: Vec<&str> =
        told.lines().filter_map(|line| line.split_once(": ")).map(|(place, _)| place).collect();
    let expected = [
        "bad.toml:2:1 node.country",
        "bad.toml:3:1 node.drain",
        "bad.toml:6:33 sip.listen[1]",
        "bad.toml:10:1 media.ports",
        "bad.toml:15:26 trunk[0].allow[1]",
        "bad.toml:17:1 trunk[0].srtp",
        "bad.toml:20:1 line[0].number",
        "bad.toml:22:1 line[0].warning",
        "bad.toml:25:1 http.token[0].role",
        "bad.toml:26:1 http.token[0].token",
        "bad.toml",
    ];
    assert_eq!(places, expected, "{told}");
    assert!(told.ends_with("bad.toml: 10 faults\n"), "{told}");
}

#[test]
fn programs_read_the_faults_as_json() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), FAULTY).unwrap();
    let output = check(dir.path(), &["--json", "--config", "bad.toml"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), String::new()));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["ok"], told["faults"].as_array().unwrap().len()), (&Value::Bool(false), 10));
    let number = &told["faults"][6];
    assert_eq!(
        (&number["file"], &number["line"], &number["column"]),
        (&"bad.toml".into(), &20.into(), &1.into())
    );
    assert_eq!(number["key"], "line[0].number");
    assert_eq!(
        number["text"],
        "+78005550102 is not among the numbers trunk \"main\" owns; add it to trunk.numbers or change the line"
    );
}

#[test]
fn a_secret_may_come_from_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/bauta.toml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let file = dir.path().join("bauta.toml");
    let from = |name: &str| {
        let token = format!("token_env = {name:?}");
        std::fs::write(&file, shipped.replace("token = \"change-me-to-a-secret-of-your-own\"", &token))
            .unwrap();
        check(dir.path(), &["--config", "bauta.toml"])
    };
    let found = from("OUTSIDE_TOKEN");
    assert_eq!((found.status.code(), text(&found.stderr)), (Some(0), String::new()));
    let missing = from("NO_SUCH_TOKEN");
    assert_eq!(missing.status.code(), Some(2));
    assert!(
        text(&missing.stderr).contains("the environment has no variable \"NO_SUCH_TOKEN\""),
        "{missing:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let missing = check(dir.path(), &[]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).starts_with("config/bauta.toml: cannot be read: "), "{missing:?}");
    std::fs::write(dir.path().join("binary.toml"), [0xff, 0xfe, 0x00]).unwrap();
    let binary = check(dir.path(), &["--config", "binary.toml"]);
    assert!(text(&binary.stderr).starts_with("binary.toml: cannot be read: it is not UTF-8"), "{binary:?}");
    std::fs::write(dir.path().join("broken.toml"), "[sip\n").unwrap();
    let broken = check(dir.path(), &["--config", "broken.toml"]);
    assert_eq!(broken.status.code(), Some(2));
    assert!(text(&broken.stderr).starts_with("broken.toml:1:5: is no TOML here: "), "{broken:?}");
}
