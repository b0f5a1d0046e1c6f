//! `bauta demo`, `bauta phone` and `bauta bench calls`, as their users run them.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::path::Path;
use std::process::{Command, Output};

use phone::{tone, wav};
use serde_json::Value;

const LINE: &str = "+78005550101";

fn bauta(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bauta")).args(args).output().unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// How loud a tone is in a second near the end of a channel, while both talked.
#[track_caller]
fn level(samples: &[i16], hertz: f32) -> f32 {
    let end = samples.len() - 4_000;
    tone::level(&samples[end - 8_000..end], hertz)
}

#[track_caller]
fn is_the_demo_whole(language: &str, greeting: &str) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let output = bauta(&["demo", "--language", language, "--out", out.to_str().unwrap()]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", text(&output.stderr));
    assert!(!told.contains('\x1b'), "no colour where nobody looks");
    for part in [
        &format!("INVITE {LINE}"),
        &format!("INVITE from {LINE}"),
        greeting,
        "key 5",
        "order 12345: found",
        "voice",
    ] {
        assert!(told.contains(part), "{part} is missing:\n{told}");
    }
    assert_eq!(std::fs::read_to_string(out.join("ladder.txt")).unwrap(), told);
    let one = |name: &str| wav::read(&out.join(name)).unwrap().remove(0);
    let (courier, client) = (one("courier-heard.wav"), one("client-heard.wav"));
    let both = wav::read(&out.join("recording.wav")).unwrap();
    for (who, samples, present, absent) in [
        ("the courier", &courier, 1100.0, 700.0),
        ("the client", &client, 700.0, 1100.0),
        ("left", &both[0], 700.0, 1100.0),
        ("right", &both[1], 1100.0, 700.0),
    ] {
        assert!((level(samples, present) + 10.0).abs() < 2.0, "{who}: {}", level(samples, present));
        assert!(level(samples, absent) < -40.0, "{who}: {}", level(samples, absent));
    }
    is_the_record_whole(&out.join("record.json"));
}

fn is_the_record_whole(path: &Path) {
    let record: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for (key, value) in
        [("line", LINE), ("code", "12345"), ("caller_role", "courier"), ("ended_by", "caller")]
    {
        assert_eq!(record[key], value, "{key} in {record}");
    }
    assert_eq!(record["callee_reached"], true);
}

#[test]
fn the_demo_in_english_shows_a_call_in_which_both_hear_each_other_and_nothing_leaks() {
    is_the_demo_whole("en", "“Hello! Please enter your");
}

#[test]
fn the_demo_in_russian_shows_a_call_in_which_both_hear_each_other_and_nothing_leaks() {
    is_the_demo_whole("ru", "“Здравствуйте! Введите");
}

#[test]
fn the_demo_of_pairs_shows_a_call_each_way_in_which_nothing_leaks() {
    let dir = tempfile::tempdir().unwrap();
    let output = bauta(&["demo", "--pairs", "--out", dir.path().to_str().unwrap()]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", text(&output.stderr));
    assert!(!told.contains(" ✘ ") && !told.contains("key "), "{told}");
    for (way, caller, role) in [("there", "+79991111111", "a"), ("back", "+79992222222", "b")] {
        let out = dir.path().join(way);
        let ladder = std::fs::read_to_string(out.join("ladder.txt")).unwrap();
        assert!(ladder.contains(&format!("INVITE from {LINE}")), "{ladder}");
        let record: Value =
            serde_json::from_str(&std::fs::read_to_string(out.join("record.json")).unwrap()).unwrap();
        assert_eq!((&record["caller"], &record["caller_role"]), (&caller.into(), &role.into()), "{record}");
        assert!(record["pair"].is_string() && record["callee_reached"] == true, "{record}");
    }
}

#[test]
fn the_demo_of_a_callback_shows_two_who_are_called_and_learn_nothing_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let output = bauta(&["demo", "--callback", "--out", dir.path().to_str().unwrap()]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", text(&output.stderr));
    assert!(!told.contains(" ✘ ") && told.contains("calls first") && told.contains("calls second"), "{told}");
    let ladder = std::fs::read_to_string(dir.path().join("ladder.txt")).unwrap();
    assert!(ladder.contains(&format!("INVITE from {LINE}")), "{ladder}");
    assert!(ladder.contains("INVITE from +78005550102"), "{ladder}");
    let record: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("record.json")).unwrap()).unwrap();
    assert_eq!(
        (&record["callback"], record["tried"].as_array().unwrap().len()),
        (&true.into(), 2),
        "{record}"
    );
    assert_eq!((&record["caller"], &record["callee"]), (&"+79991111111".into(), &"+79992222222".into()));
    assert!(record["callee_reached"] == true && record["cause"] == "hung-up", "{record}");
}

#[test]
fn the_demo_says_what_it_cannot_do() {
    let output = bauta(&["demo", "--language", "xx"]);
    assert_eq!(output.status.code(), Some(2));
    let output = bauta(&["demo", "--out", "/dev/null/no"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/dev/null/no"), "{}", text(&output.stderr));
}

/// What the lines of `--json` say: the last one sums up.
fn summary(output: &Output) -> Value {
    let told = text(&output.stdout);
    serde_json::from_str(told.lines().last().unwrap_or_default())
        .unwrap_or_else(|fault| panic!("{fault}: {told}\n{}", text(&output.stderr)))
}

/// A phone that waits for a call, and the address it says it waits at.
fn waiting(args: &[&str]) -> (std::process::Child, String, std::io::BufReader<std::process::ChildStdout>) {
    use std::io::BufRead as _;
    let mut command = Command::new(env!("CARGO_BIN_EXE_bauta"));
    command.args(["phone", "answer", "--json"]).args(args);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    lines.read_line(&mut first).unwrap();
    let first: Value = serde_json::from_str(&first).unwrap();
    (child, first["listening"].as_str().unwrap().to_owned(), lines)
}

fn rest(mut lines: impl std::io::Read) -> Value {
    let mut told = String::new();
    lines.read_to_string(&mut told).unwrap();
    serde_json::from_str(told.lines().last().unwrap()).unwrap()
}

#[test]
fn a_phone_calls_a_phone_and_each_hears_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let (heard, said) = (dir.path().join("heard.wav"), dir.path().join("said.wav"));
    let answering =
        ["--bind", "127.0.0.32:0", "--after", "200ms", "--play", "tone:1000", "--expect-tone", "600"];
    let (mut callee, at, lines) = waiting(&[&answering[..], &["--record", said.to_str().unwrap()]].concat());
    let to = format!("sip:callee@{at}");
    let output = bauta(&[
        "phone",
        "dial",
        &to,
        "--from",
        "+79990000001",
        "--bind",
        "127.0.0.31:0",
        "--digits",
        "12#",
        "--after",
        "100ms",
        "--play",
        "tone:600",
        "--expect-tone",
        "1000",
        "--talk",
        "1s",
        "--record",
        heard.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (called, answered) = (summary(&output), rest(lines));
    assert_eq!(
        (&called["answered"], &called["ended"]),
        (&Value::Bool(true), &Value::from("ordered")),
        "{called}"
    );
    assert_eq!(
        (&answered["caller"], &answered["ended"]),
        (&Value::from("+79990000001"), &Value::from("hung-up"))
    );
    assert_eq!(callee.wait().unwrap().code(), Some(0));
    let one = |path: &Path| wav::read(path).unwrap().remove(0);
    assert!(tone::level(&one(&heard)[4_000..8_000], 1000.0) > -12.0);
    let said = one(&said);
    assert!(tone::level(&said[said.len() - 4_800..said.len() - 800], 600.0) > -12.0);
}

#[test]
fn a_phone_that_is_refused_fails_and_one_that_refuses_does_as_it_was_told() {
    let (mut callee, at, lines) = waiting(&["--bind", "127.0.0.32:0", "--refuse", "486", "--after", "0s"]);
    let to = format!("sip:callee@{at}");
    let output = bauta(&["phone", "dial", &to, "--from", "+79990000001", "--bind", "127.0.0.31:0", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let called = summary(&output);
    assert_eq!(
        (&called["ended"], &called["status"]),
        (&Value::from("refused"), &Value::from(486)),
        "{called}"
    );
    assert_eq!(rest(lines)["answered"], false);
    assert_eq!(callee.wait().unwrap().code(), Some(0));
    for wrong in
        [&["phone", "dial", "tel:+7999"][..], &["phone", "dial", "sip:a@127.0.0.1", "--play", "tone:x"]]
    {
        assert_eq!(bauta(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn the_bench_places_its_calls_and_says_what_they_cost() {
    let output =
        bauta(&["bench", "calls", "--rate", "20", "--calls", "20", "--hold", "1s", "--media", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = summary(&output);
    assert_eq!((&told["placed"], &told["completed"]), (&Value::from(20), &Value::from(20)), "{told}");
    for key in ["server_cpu_ms_per_call", "server_memory_kb_peak", "generator_cpu_ms_per_call"] {
        assert!(told[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {told}");
    }
    assert!(told["media_packets"].as_u64().unwrap() > 20 * 2 * 25, "{told}");
}

#[test]
fn the_bench_bears_loss_and_leaves_nothing_behind() {
    let output = bauta(&[
        "bench", "calls", "--rate", "40", "--for", "3s", "--hold", "200ms", "--think", "500ms", "--loss",
        "10", "--json",
    ]);
    let told = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!((&told["placed"], &told["wrong"]), (&Value::from(120), &serde_json::json!([])), "{told}");
    for key in ["retransmissions", "datagrams_thrown_away", "cleared_after_seconds"] {
        assert!(told[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {told}");
    }
    let left = told["left_over"].as_object().unwrap();
    assert!(left.len() == 7 && left.values().all(|left| *left == 0), "{told}");
    assert_eq!(told["server_memory_kb_at_fifths"].as_array().unwrap().len(), 5, "{told}");
}
