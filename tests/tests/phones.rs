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
    let config = Config::new(loopback)
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
