//! `bauta bench relay`, as its users run it.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::process::{Command, Output};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bauta")).args(["bench", "relay"]).args(args).output().unwrap()
}

#[test]
fn every_packet_of_five_calls_comes_through_and_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("made");
    let fixed =
        ["--calls", "5", "--seconds", "1", "--backend", "epoll", "--json", "--rtpengine", "off", "--out"];
    let output = bench(&[&fixed[..], &[out.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["wire"], &told["workers"]), (&Value::from("loopback"), &Value::from(1)), "{told}");
    let [relay] = told["relays"].as_array().unwrap().as_slice() else { panic!("one relay: {told}") };
    assert_eq!(relay["name"], "epoll");
    let [step] = relay["steps"].as_array().unwrap().as_slice() else { panic!("one step: {told}") };
    let count = |key: &str| step[key].as_u64().unwrap_or_else(|| panic!("{key} in {step}"));
    assert_eq!(count("sent") + count("generator_unsent"), 5 * 2 * 50, "{step}");
    assert!(count("sent") > 0, "{step}");
    assert_eq!(count("received"), count("sent"), "{step}");
    for key in ["disordered", "spoilt", "misled", "generator_dropped", "relay_lost", "relay_foreign"] {
        assert_eq!(count(key), 0, "{key} in {step}");
    }
    assert_eq!((&step["calls"], &step["loss_percent"]), (&Value::from(5), &Value::from(0.0)), "{step}");
    for key in ["packets_per_second", "cpu_us_per_packet", "cpu_percent_of_a_core", "memory_kb_idle"] {
        assert!(step[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {step}");
    }
    for key in ["added_latency_ms", "bare_latency_ms"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|part| step[key][part].as_f64().unwrap());
        assert!(0.0 <= p50 && p50 <= p99 && p99 <= max, "{key} in {step}");
    }
    let kept = |name| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept("relay.json")).unwrap(), told);
    // A star where other work disturbed it: a busy machine may, whatever the relay does.
    assert!(kept("relay.md").replace("5* |", "5 |").contains("| epoll | 5 |"), "{}", kept("relay.md"));
    assert!(kept("relay.svg").starts_with("<svg "), "{}", kept("relay.svg"));
}

#[test]
fn two_workers_share_the_calls() {
    let fixed =
        ["--calls", "4,6", "--seconds", "1", "--workers", "2", "--generators", "2", "--rtpengine", "off"];
    let output = bench(&[&fixed[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let relays = told["relays"].as_array().unwrap();
    assert!(relays.iter().any(|relay| relay["name"] == "epoll"), "each way the kernel has: {told}");
    for steps in relays.iter().map(|relay| relay["steps"].as_array().unwrap()) {
        assert_eq!(steps.iter().map(|step| step["calls"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 6]);
        for step in steps {
            assert_eq!(step["received"], step["sent"], "{step}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for wrong in [
        &["--rtpengine", "/nonexistent"][..],
        &["--calls", "0"],
        &["--calls", "5", "--until-saturated"],
        &["--backend", "magic"],
    ] {
        assert_eq!(bench(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let output = bench(&["--calls", "1", "--seconds", "1", "--rtpengine", "/dev/null"]);
    assert_eq!(output.status.code(), Some(2), "no file of a program: {output:?}");
}
