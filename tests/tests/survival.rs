//! The program is killed while two talk, and started again: they talk on.

use std::net::{SocketAddr, UdpSocket};

use serde_json::{Value, json};
use tests::baresip::{Answering, Baresip};
use tests::config::{ADMIN, Config, LINE};
use tests::link::Link;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Call, Peer, Transport};
use tests::program::Bauta;
use tests::receiver::Receiver;
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::{tone, wait};

/// The calls that are going on.
fn calls(bauta: &Bauta) -> Vec<Value> {
    let (status, answer) = bauta.http_as(ADMIN, "GET", "/v1/calls", None);
    assert_eq!(status, 200, "{answer}");
    answer["items"].as_array().cloned().unwrap_or_default()
}

/// A call but for its times, which the clocks of two processes do not tell to the millisecond.
fn who(mut call: Value) -> Value {
    for key in ["started_at", "bridged_at"] {
        assert!(call[key].is_string(), "{key} of {call:#}");
        call[key] = Value::Null;
    }
    call
}

/// Waits until each hears the other anew.
fn talk_on(out: &Call, back: &Call) {
    for (call, hertz) in [(back, 440.0), (out, 1000.0)] {
        let before = call.media.heard().len();
        let again = || {
            let heard = call.media.heard();
            heard.len() > before + tone::RATE as usize && tone::now(&heard, hertz)
        };
        wait::until_true(&format!("{hertz} Hz again"), wait::LATER, again);
    }
}

/// Kills the program under two that talk, and waits until they talk on.
fn survive(scene: &mut Scene, out: &Call, back: &Call) {
    let before: Vec<Value> = calls(&scene.bauta).into_iter().map(who).collect();
    scene.bauta.kill_and_restart();
    talk_on(out, back);
    let after =
        wait::until("the call", wait::SOON, || Some(calls(&scene.bauta)).filter(|calls| !calls.is_empty()));
    let after: Vec<Value> = after.into_iter().map(who).collect();
    assert_eq!(after, before, "it is the same call");
    eprintln!("nothing was heard for {:?} and {:?}", out.media.longest_gap(), back.media.longest_gap());
}

#[test]
fn two_talk_on_and_either_may_do_what_it_could() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    survive(&mut scene, &out, &back);
    out.media.press("12#");
    wait::until_true("the caller's keys", wait::SOON, || back.media.digits() == "12#");
    back.media.press("7");
    wait::until_true("the callee's key", wait::SOON, || out.media.digits() == "7");
    for leg in [&mut out, &mut back] {
        assert_eq!(leg.request("OPTIONS", &[], "").status(), Some(200));
        assert_eq!(leg.reinvite().status(), Some(200));
        leg.move_voice();
    }
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    for (key, value) in [
        ("cause", json!("hung-up")),
        ("ended_by", json!("caller")),
        ("restored", json!(1)),
        ("heard", json!("both")),
        ("code", json!(CODE)),
        ("data", json!({ "shop": "test" })),
        ("recording_fault", json!("broken off: the node died")),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_call_outlives_several_kills_and_is_counted() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    for _ in 0..3 {
        survive(&mut scene, &out, &back);
    }
    let (_, metrics) = scene.bauta.http_as(ADMIN, "GET", "/metrics", None);
    let metrics = metrics.as_str().unwrap_or_default().to_owned();
    assert!(metrics.contains("bauta_calls_restored_total 1"), "{metrics}");
    back.hang_up();
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["restored"], &record["ended_by"]), (&json!(3), &json!("callee")), "{record:#}");
    let talked = record["talk_seconds"].as_f64().unwrap_or_default();
    let heard = tone::seconds(&back.media.heard(), tone::RATE, 440.0);
    assert!(talked > heard, "the gaps are in {talked} s, of which {heard} s were heard");
    scene.bauta.kill_and_restart();
    assert_eq!(scene.bauta.await_record(), record, "it has its one record");
}

#[test]
fn a_bye_that_nobody_heard_is_taken_when_it_comes_again() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    scene.bauta.kill();
    let hung_up = std::thread::spawn(move || out.hang_up());
    scene.bauta.restart();
    back.expect_bye();
    hung_up.join().expect("the caller's BYE is answered");
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("caller")), "{record:#}");
}

#[test]
fn a_call_over_streams_talks_on_and_ends_over_new_ones() {
    let loopback = Loopback::claim();
    let peer =
        |name, address| Peer::new(name, SocketAddr::new(address, SIP_PORT), Transport::Tcp, &Link::perfect());
    let (caller, callee) = (peer("caller", loopback.carrier()), peer("callee", loopback.callee()));
    let uri = format!("sip:{}:{SIP_PORT};transport=tcp", loopback.callee());
    let mut bauta = Bauta::start(&loopback, &Config::new(&loopback).set("trunk.0.uri", uri));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut out = caller.dial(loopback.sip(), &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    bauta.kill_and_restart();
    talk_on(&out, &back);
    assert_eq!(out.reinvite().status(), Some(200));
    out.hang_up();
    back.expect_bye();
    let record = bauta.await_record();
    assert_eq!((&record["cause"], &record["restored"]), (&json!("hung-up"), &json!(1)), "{record:#}");
    bauta.assert_no_fault();
}

#[test]
fn whoever_wants_to_know_is_told_once_of_each_thing() {
    let port = 9098;
    let mut scene = Scene::brief(|config| {
        let url = format!("http://{}:{port}/hook", config.vacant());
        let webhook = format!(
            "name = \"shop\"\nurl = \"{url}\"\nsecret = \"a-secret-of-the-tests-0123456789\"\nretry = [\"1s\"]\n"
        );
        config.add("webhook", &webhook)
    });
    let receiver = Receiver::start(scene.loopback.attacker(), port);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    survive(&mut scene, &out, &back);
    out.hang_up();
    back.expect_bye();
    let _ = scene.bauta.await_record();
    let kinds = || -> Vec<String> {
        let mut events: Vec<Value> = receiver.posted().iter().map(tests::receiver::Posted::event).collect();
        // What the kill kept from being noted as delivered is delivered again, under the same id.
        events.sort_by_key(|event| event["id"].as_str().map(str::to_owned));
        events.dedup_by_key(|event| event["id"].as_str().map(str::to_owned));
        events.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect()
    };
    wait::until_true("the record", wait::LATER, || kinds().iter().any(|kind| kind == "record.written"));
    for kind in ["call.arrived", "call.bridged", "call.restored", "call.ended", "record.written"] {
        assert_eq!(kinds().iter().filter(|other| *other == kind).count(), 1, "{kind} in {:?}", kinds());
    }
}

#[test]
fn a_call_whose_port_another_has_is_ended_on_both_sides() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    scene.bauta.kill();
    let port = out.media.senders().pop_first().expect("the caller hears the program");
    // The system takes a moment to give it back where io_uring read from it.
    let _holder =
        wait::until("the port to be free while nobody runs", wait::SOON, || UdpSocket::bind(port).ok());
    scene.bauta.restart();
    out.expect_bye();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("node-lost"), &json!("us")), "{record:#}");
}

/// Two phones talk by a trunk that encrypts so, through a kill.
fn phones_talk_on(courier: &str, client: &str, srtp: &str) {
    let phone = |number, hertz, answering, mediaenc: &str| match mediaenc {
        "" => Baresip::start(number, hertz, answering),
        _ => Baresip::encrypting(number, hertz, answering, mediaenc),
    };
    let loopback = Loopback::claim();
    let mut client = phone(CLIENT, 1000.0, Answering::Auto, client);
    let config = Config::new(&loopback)
        .set("trunk.0.srtp", srtp)
        .set("trunk.0.trust", "from")
        .set("trunk.0.uri", format!("sip:{}", client.address()))
        .set("trunk.0.allow", vec!["127.0.0.0/8"]);
    let mut bauta = Bauta::start(&loopback, &config);
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let mut courier = phone(COURIER, 440.0, Answering::Manual, courier);
    courier.dial(&format!("sip:+{LINE}@{}", loopback.sip().ip()));
    courier.await_event("CALL_ESTABLISHED");
    courier.press(CODE);
    client.await_event("CALL_ESTABLISHED");
    wait::until_true("a bridge", wait::LATER, || {
        calls(&bauta).first().is_some_and(|call| call["bridged_at"].is_string())
    });
    courier.hear_more(2);
    client.hear_more(2);
    bauta.kill_and_restart();
    courier.hear_more(3);
    client.hear_more(3);
    courier.command("hold", "");
    courier.await_log("a=recvonly");
    courier.command("resume", "");
    client.hear_more(2);
    client.command("hangup", "");
    courier.await_event("CALL_CLOSED");
    for (phone, hertz) in [(&courier, 1000.0), (&client, 440.0)] {
        let heard = phone.heard();
        let seconds = tone::seconds(&heard.channels[0], heard.rate, hertz);
        assert!(seconds > 4.0, "{hertz} Hz heard for {seconds} s");
        assert!(!phone.log().contains("failed to decrypt"), "a packet it could not prove");
    }
    let record = bauta.await_record();
    for (key, value) in [
        ("cause", json!("hung-up")),
        ("ended_by", json!("callee")),
        ("restored", json!(1)),
        ("heard", json!("both")),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    for leg in ["caller_leg", "callee_leg"] {
        assert_eq!(record[leg]["srtp"].is_string(), srtp != "off", "{record:#}");
    }
    bauta.assert_no_fault();
}

#[test]
fn two_phones_talk_on() {
    phones_talk_on("", "", "off");
}

#[test]
fn two_phones_that_encrypt_talk_on() {
    phones_talk_on("srtp-mand", "srtp-mand", "required");
}
