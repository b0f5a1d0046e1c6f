//! Real phones that have no codec in common, and some that have.

use serde_json::json;
use tests::baresip::{Answering, Baresip, Speaking};
use tests::config::{ADMIN, Config, LINE};
use tests::loopback::Loopback;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::{tone, wait, wav};

/// An order call between two phones: each hears the other's tone, as does the recording, and the record names their codecs.
fn called(courier: Speaking, client: Speaking, named: [&str; 2]) {
    let loopback = Loopback::claim();
    let mut callee = Baresip::speaking(CLIENT, 1000.0, Answering::Auto, client);
    let config = Config::new(&loopback)
        .set("media.codecs", vec!["opus", "g722", "pcma", "pcmu"])
        .set("trunk.0.trust", "from")
        .set("trunk.0.uri", format!("sip:{}", callee.address()))
        .set("trunk.0.allow", vec!["127.0.0.0/8"]);
    let bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut caller = Baresip::speaking(COURIER, 440.0, Answering::Manual, courier);
    caller.dial(&format!("sip:+{LINE}@{}", loopback.sip().ip()));
    caller.await_event("CALL_ESTABLISHED");
    // It hears the greeting in its codec, and its keys are heard beside that.
    caller.hear_more(1);
    caller.press(CODE);
    callee.await_event("CALL_ESTABLISHED");
    wait::until_true("a bridge", wait::LATER, || {
        let (_, calls) = bauta.http_as(ADMIN, "GET", "/v1/calls", None);
        calls["items"][0]["bridged_at"].is_string()
    });
    caller.hear_more(3);
    callee.hear_more(1);
    caller.command("hangup", "");
    callee.await_event("CALL_CLOSED");
    for (phone, hertz) in [(&caller, 1000.0), (&callee, 440.0)] {
        let heard = phone.heard();
        let seconds = tone::seconds(&heard.channels[0], heard.rate, hertz);
        assert!(seconds > 2.0, "{hertz} Hz heard for {seconds} s");
    }
    let record = bauta.await_record();
    let codecs = [&record["caller_leg"]["codec"], &record["callee_leg"]["codec"]];
    assert_eq!(codecs, named.map(|name| json!(name)).each_ref(), "{record:#}");
    let id = record["id"].as_str().unwrap_or_else(|| panic!("no id in {record:#}"));
    let file = bauta.dir().join("recording.wav");
    std::fs::write(&file, bauta.recording(id)).expect("the disk has room");
    let recording = wav::read(&file);
    for (channel, hertz) in [(0, 440.0), (1, 1000.0)] {
        let seconds = tone::seconds(&recording.channels[channel], recording.rate, hertz);
        assert!(seconds > 2.0, "{hertz} Hz for {seconds} s on channel {channel}");
    }
    bauta.assert_no_fault();
}

#[test]
fn a_courier_with_opus_reaches_a_client_with_g711() {
    called(Speaking::Opus, Speaking::G711, ["OPUS", "PCMA"]);
}

#[test]
fn a_courier_with_g711_reaches_a_client_with_g722() {
    called(Speaking::G711, Speaking::G722, ["PCMA", "G722"]);
}

#[test]
fn a_courier_with_g722_reaches_a_client_with_opus() {
    called(Speaking::G722, Speaking::Opus, ["G722", "OPUS"]);
}

#[test]
fn two_with_opus_hear_each_other_as_they_are() {
    called(Speaking::Opus, Speaking::Opus, ["OPUS", "OPUS"]);
}
