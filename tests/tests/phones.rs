//! Real phones on both sides.

use std::net::SocketAddr;

use serde_json::json;
use tests::baresip::{Answering, Baresip};
use tests::config::{Config, LINE};
use tests::linphone::Linphone;
use tests::loopback::{Loopback, SIP_PORT};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::{tone, wait, wav};

/// The program, whose calls go to this phone.
fn open(loopback: &Loopback, client: SocketAddr) -> Bauta {
    open_with(loopback, client, "off")
}

/// The same, with voice encrypted as `srtp` says.
fn open_with(loopback: &Loopback, client: SocketAddr, srtp: &str) -> Bauta {
    let config = Config::new(loopback)
        .set("trunk.0.srtp", srtp)
        .set("trunk.0.trust", "from")
        .set("trunk.0.uri", format!("sip:{client}"))
        .set("trunk.0.allow", vec!["127.0.0.0/8"]);
    let bauta = Bauta::start(loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    bauta
}

fn uri(server: SocketAddr) -> String {
    format!("sip:+{LINE}@{}", server.ip())
}

/// Waits until the program says the two were joined.
fn await_bridge(bauta: &Bauta) {
    wait::until_true("a bridge", wait::LATER, || {
        let (_, calls) = bauta.http_as(tests::config::ADMIN, "GET", "/v1/calls", None);
        calls["items"][0]["bridged_at"].is_string()
    });
}

/// Asserts that the recording of the only call has a tone of each side on its channel for so long.
fn assert_recorded(bauta: &Bauta, least: f64) {
    let record = bauta.await_record();
    assert_eq!((&record["code"], &record["callee_reached"]), (&json!(CODE), &json!(true)), "{record:#}");
    let id = record["id"].as_str().unwrap_or_else(|| panic!("no id in {record:#}"));
    let file = bauta.dir().join("recording.wav");
    std::fs::write(&file, bauta.recording(id)).expect("the disk has room");
    let recording = wav::read(&file);
    for (channel, hertz) in [(0, 440.0), (1, 1000.0)] {
        let seconds = tone::seconds(&recording.channels[channel], recording.rate, hertz);
        assert!(seconds > least, "{hertz} Hz for {seconds} s on channel {channel}");
    }
}

#[test]
fn a_baresip_courier_reaches_a_baresip_client() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, client.address());
    let mut courier = Baresip::start(COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    courier.hear_more(3);
    courier.command("hangup", "");
    client.await_event("CALL_CLOSED");
    for (phone, hertz) in [(&courier, 1000.0), (&client, 440.0)] {
        let heard = phone.heard();
        let seconds = tone::seconds(&heard.channels[0], heard.rate, hertz);
        assert!(seconds > 2.0, "{hertz} Hz heard for {seconds} s");
    }
    assert_recorded(&bauta, 2.0);
    let told = client.log();
    for secret in [COURIER, &COURIER[1..], &courier.address().to_string()] {
        assert!(!told.contains(secret), "the client's phone saw {secret}:\n{told}");
    }
    let told = courier.log();
    for secret in [CLIENT, &CLIENT[1..], &client.address().to_string()] {
        assert!(!told.contains(secret), "the courier's phone saw {secret}:\n{told}");
    }
    bauta.assert_no_fault();
}

#[test]
fn a_held_call_comes_back() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, client.address());
    let mut courier = Baresip::start(COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    courier.command("hold", "");
    courier.await_log("a=recvonly");
    courier.command("resume", "");
    client.hear_more(3);
    courier.command("hangup", "");
    client.await_event("CALL_CLOSED");
    assert_recorded(&bauta, 2.0);
}

#[test]
fn a_linphone_courier_reaches_a_baresip_client() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, client.address());
    let mut courier = Linphone::start(loopback.carrier(), COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_output("connected");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    client.hear_more(3);
    client.command("hangup", "");
    courier.await_output("ended");
    let heard = courier.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 1000.0);
    assert!(seconds > 2.0, "1000 Hz heard for {seconds} s");
    assert_recorded(&bauta, 2.0);
}

#[test]
fn a_baresip_courier_reaches_a_linphone_client() {
    let loopback = Loopback::claim();
    let client = Linphone::start(loopback.callee(), CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, SocketAddr::new(loopback.callee(), SIP_PORT));
    let mut courier = Baresip::start(COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_output("connected");
    await_bridge(&bauta);
    courier.hear_more(3);
    courier.command("hangup", "");
    client.await_output("ended");
    let heard = client.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 440.0);
    assert!(seconds > 2.0, "440 Hz heard for {seconds} s");
    assert_recorded(&bauta, 2.0);
}

#[test]
fn a_linphone_without_telephone_events_keys_its_code_as_tones() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open(&loopback, client.address());
    let mut courier = Linphone::keying(loopback.carrier(), COURIER, 440.0, CODE);
    courier.dial(&uri(loopback.sip()));
    courier.await_output("connected");
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    client.hear_more(3);
    client.command("hangup", "");
    courier.await_output("ended");
    let heard = courier.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 1000.0);
    assert!(seconds > 2.0, "1000 Hz heard for {seconds} s");
    assert_recorded(&bauta, 2.0);
    bauta.assert_no_fault();
}

#[test]
fn a_linphone_and_we_tell_each_other_how_voice_comes_in() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let config = Config::new(&loopback)
        .set("media.rtcp_xr", "on")
        .set("trunk.0.trust", "from")
        .set("trunk.0.uri", format!("sip:{}", client.address()))
        .set("trunk.0.allow", vec!["127.0.0.0/8"]);
    let bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut courier = Linphone::start(loopback.carrier(), COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_output("connected");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    // Linphone reports every five seconds.
    client.hear_more(12);
    client.command("hangup", "");
    courier.await_output("ended");
    let record = bauta.await_record();
    let leg = &record["caller_leg"];
    assert!(leg["remote_rating"].as_u64().is_some_and(|rating| rating > 50), "{record:#}");
    assert!(leg["remote_mos"].as_f64().is_some_and(|score| score > 2.5), "{record:#}");
    assert!(record["callee_leg"]["remote_rating"].is_null(), "baresip has none");
    let log = courier.log();
    assert!(log.contains("a=rtcp-xr:voip-metrics"), "it was asked");
    bauta.assert_no_fault();
}

/// The keys in what a phone has seen of SIP, both ways.
fn keys(log: &str) -> Vec<String> {
    let mut keys: Vec<String> = log
        .lines()
        .filter_map(|line| line.strip_prefix("a=crypto:")?.split_once("inline:"))
        .map(|(_, key)| key.trim().to_owned())
        .collect();
    keys.sort();
    keys.dedup();
    keys
}

/// A call between two phones as they encrypt, by a trunk that encrypts so; what the record says of each leg.
fn encrypted(courier: &str, client: &str, srtp: &str) -> [serde_json::Value; 2] {
    let phone = |number, hertz, answering, mediaenc: &str| match mediaenc {
        "" => Baresip::start(number, hertz, answering),
        _ => Baresip::encrypting(number, hertz, answering, mediaenc),
    };
    let loopback = Loopback::claim();
    let mut client = phone(CLIENT, 1000.0, Answering::Auto, client);
    let bauta = open_with(&loopback, client.address(), srtp);
    let mut courier = phone(COURIER, 440.0, Answering::Manual, courier);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    courier.hear_more(3);
    client.hear_more(3);
    courier.command("hangup", "");
    client.await_event("CALL_CLOSED");
    for (phone, hertz) in [(&courier, 1000.0), (&client, 440.0)] {
        let heard = phone.heard();
        let seconds = tone::seconds(&heard.channels[0], heard.rate, hertz);
        assert!(seconds > 2.0, "{hertz} Hz heard for {seconds} s");
    }
    assert_recorded(&bauta, 2.0);
    let (one, other) = (courier.log(), client.log());
    let told = bauta.log() + &bauta.await_record().to_string();
    assert!(keys(&one).len() + keys(&other).len() >= 2, "a key of each side of a leg");
    for key in keys(&one) {
        assert!(!other.contains(&key) && !told.contains(&key), "{key} of the courier's leg was told");
    }
    for key in keys(&other) {
        assert!(!told.contains(&key), "{key} of the client's leg was told");
    }
    bauta.assert_no_fault();
    let record = bauta.await_record();
    [&record["caller_leg"]["srtp"], &record["callee_leg"]["srtp"]].map(Clone::clone)
}

#[test]
fn a_baresip_that_must_encrypt_talks_with_one_that_cannot() {
    let [caller, callee] = encrypted("srtp-mand", "", "offered");
    assert!(caller.is_string() && callee.is_null(), "{caller} {callee}");
}

#[test]
fn a_baresip_that_cannot_encrypt_talks_with_one_that_may() {
    let [caller, callee] = encrypted("", "srtp", "offered");
    assert!(caller.is_null() && callee.is_string(), "{caller} {callee}");
}

#[test]
fn two_that_encrypt_talk_by_a_trunk_that_requires_it() {
    let [caller, callee] = encrypted("srtp", "srtp-mand", "required");
    assert!(caller.is_string() && callee.is_string(), "{caller} {callee}");
}

#[test]
fn whoever_does_not_encrypt_gets_no_call_where_it_is_required() {
    let loopback = Loopback::claim();
    let client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open_with(&loopback, client.address(), "required");
    let mut courier = Baresip::start(COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_CLOSED");
    let record = bauta.await_record();
    assert_eq!(
        (&record["cause"], &record["sip_status"]),
        (&json!("not-acceptable"), &json!(488)),
        "{record:#}"
    );
    assert_eq!(record["answered_at"], serde_json::Value::Null);
}

#[test]
fn a_linphone_that_must_encrypt_talks_with_a_baresip_that_cannot() {
    let loopback = Loopback::claim();
    let mut client = Baresip::start(CLIENT, 1000.0, Answering::Auto);
    let bauta = open_with(&loopback, client.address(), "offered");
    let mut courier = Linphone::encrypting(loopback.carrier(), COURIER, 440.0, Answering::Manual);
    courier.dial(&uri(loopback.sip()));
    courier.await_output("connected");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    client.hear_more(3);
    client.command("hangup", "");
    courier.await_output("ended");
    let heard = courier.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 1000.0);
    assert!(seconds > 2.0, "1000 Hz heard for {seconds} s");
    assert_recorded(&bauta, 2.0);
    let record = bauta.await_record();
    assert!(record["caller_leg"]["srtp"].is_string() && record["callee_leg"]["srtp"].is_null(), "{record:#}");
}

#[test]
fn an_encrypted_call_that_was_held_comes_back() {
    let loopback = Loopback::claim();
    let mut client = Baresip::encrypting(CLIENT, 1000.0, Answering::Auto, "srtp-mand");
    let bauta = open_with(&loopback, client.address(), "required");
    let mut courier = Baresip::encrypting(COURIER, 440.0, Answering::Manual, "srtp-mand");
    courier.dial(&uri(loopback.sip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    await_bridge(&bauta);
    courier.command("hold", "");
    courier.await_log("a=recvonly");
    courier.command("resume", "");
    client.hear_more(3);
    courier.command("hangup", "");
    client.await_event("CALL_CLOSED");
    for phone in [&courier, &client] {
        assert!(!phone.log().contains("failed to decrypt"), "a packet it could not prove");
    }
    assert_recorded(&bauta, 2.0);
    let record = bauta.await_record();
    assert!(
        record["caller_leg"]["srtp"].is_string() && record["callee_leg"]["srtp"].is_string(),
        "{record:#}"
    );
    bauta.assert_no_fault();
}
