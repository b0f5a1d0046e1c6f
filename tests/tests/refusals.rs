//! Calls that come to nothing: the caller hears why, the record says so, nothing is left behind.

use std::time::Duration;

use serde_json::{Value, json};
use tests::config::LINE;
use tests::peer::Peer;
use tests::peer::call::Dial;
use tests::scene::{CODE, COURIER, Scene};
use tests::wait;

/// Waits until the program has no call.
fn assert_idle(scene: &Scene) {
    wait::until_true("no calls", wait::SOON, || {
        let (status, calls) = scene.bauta.http_as(tests::config::ADMIN, "GET", "/v1/calls", None);
        status == 200 && calls["items"] == json!([])
    });
    scene.bauta.assert_no_fault();
}

/// The record of a call whose callee refuses.
fn refused_with(status: &str) -> Value {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.provisional("180 Ringing");
    back.refuse(status, &[]);
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_idle(&scene);
    record
}

#[test]
fn each_refusal_of_the_callee_has_its_cause() {
    for (status, cause) in [
        ("486 Busy Here", "busy"),
        ("600 Busy Everywhere", "busy"),
        ("404 Not Found", "no-such-number"),
        ("484 Address Incomplete", "no-such-number"),
        ("603 Decline", "declined"),
        ("480 Temporarily Unavailable", "no-answer"),
        ("503 Service Unavailable", "unreachable"),
    ] {
        let record = refused_with(status);
        let number: u16 = status[..3].parse().unwrap();
        let told = (&record["cause"], &record["sip_status"], &record["ended_by"]);
        assert_eq!(told, (&json!(cause), &json!(number), &json!("callee")), "{status}");
    }
}

#[test]
fn a_callee_who_does_not_answer_is_cancelled() {
    let scene = Scene::brief(|config| config.set("line.0.ring_timeout", "2s"));
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.provisional("180 Ringing");
    back.expect_cancel();
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("no-answer"));
    assert_idle(&scene);
}

#[test]
fn a_callee_who_answers_as_we_cancel_is_hung_up() {
    let scene = Scene::brief(|config| config.set("line.0.ring_timeout", "2s"));
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.provisional("180 Ringing");
    back.expect("CANCEL");
    back.accept("200 OK");
    back.await_ack();
    back.expect_bye();
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["callee_reached"]), (&json!("no-answer"), &json!(false)));
    assert_idle(&scene);
}

#[test]
fn a_caller_who_gives_up_cancels_the_callee() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.provisional("180 Ringing");
    out.hang_up();
    back.expect_cancel();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("caller")));
    assert_idle(&scene);
}

#[test]
fn a_trunk_that_is_down_is_unreachable() {
    let scene = Scene::brief(|config| config.set("trunk.0.uri", "sip:127.0.0.1:9").set("sip.t1", "50ms"));
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("unreachable"));
    assert_idle(&scene);
}

#[test]
fn a_trunk_without_an_address_is_unreachable_at_once() {
    let scene = Scene::brief(|config| config.set("trunk.0.uri", "sip:no-such-host.invalid"));
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("unreachable"));
}

#[test]
fn a_number_that_is_no_line_is_refused_and_recorded() {
    let scene = Scene::brief(|config| config);
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, "74950000000"));
    assert_eq!(out.refused(), 404);
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["line"]), (&json!("unknown-line"), &json!(null)));
}

#[test]
fn a_stranger_to_all_trunks_gets_no_call() {
    let scene = Scene::brief(|config| config);
    let attacker = Peer::at("attacker", scene.loopback.attacker());
    let _attack = attacker.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    // The carrier is still served, and afterwards it is certain that the attacker's INVITE was seen.
    let mut out = scene.arrive(COURIER);
    out.hang_up();
    let record = scene.bauta.await_record();
    assert_eq!(record["ended_by"], json!("caller"), "the only call is the carrier's");
    let answers: Vec<_> = attacker.messages().iter().filter_map(tests::peer::Message::status).collect();
    assert!(answers.iter().all(|status| *status >= 400), "{answers:?}");
}

#[test]
fn ports_used_up_refuse_the_next_call_and_come_back() {
    let scene = Scene::brief(|config| {
        config.set("media.ports", "20000-20003").set("media.workers", 1).set("media.port_rest", "0s")
    });
    let mut first = scene.arrive(COURIER);
    let mut second = scene.arrive(COURIER);
    let mut third = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    assert_eq!(third.refused(), 503);
    first.hang_up();
    second.hang_up();
    let records = scene.bauta.await_records(3);
    assert_eq!(records.iter().filter(|record| record["cause"] == "overloaded").count(), 1, "{records:#?}");
    let mut fourth = scene.arrive(COURIER);
    fourth.hang_up();
    assert_idle(&scene);
}

#[test]
fn more_calls_than_allowed_are_refused_with_a_time_to_come_back() {
    let scene = Scene::brief(|config| config.set("sip.max_calls", 1));
    let mut first = scene.arrive(COURIER);
    let mut second = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    let response = second.response(300);
    assert_eq!(response.status(), Some(503));
    assert!(response.header("retry-after").is_some(), "{response:?}");
    let record = scene.bauta.await_record();
    let told = (&record["cause"], &record["sip_status"], &record["ended_by"], &record["line"]);
    assert_eq!(told, (&json!("overloaded"), &json!(503), &json!("us"), &json!(format!("+{LINE}"))));
    assert_eq!(record["caller"], json!(format!("+{COURIER}")));
    first.hang_up();
    let records = scene.bauta.await_records(2);
    assert_eq!(records.iter().filter(|record| record["cause"] == "hung-up").count(), 1, "{records:#?}");
    assert_idle(&scene);
}

#[test]
fn a_caller_who_falls_silent_is_let_go() {
    let scene = Scene::brief(|config| config.set("media.rtp_timeout", "2s"));
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    out.media.mute(true);
    out.expect_bye();
    back.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("media-lost"));
    assert_idle(&scene);
}

#[test]
fn a_caller_who_never_acknowledges_is_let_go() {
    let scene = Scene::brief(|config| config.set("sip.t1", "20ms").set("sip.t2", "100ms"));
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    assert_eq!(out.response(200).status(), Some(200));
    let bye = out.expect_within("BYE", Duration::from_secs(30));
    assert!(bye.to_tag().is_some());
    assert_eq!(scene.bauta.await_record()["cause"], json!("signalling-lost"));
}

#[test]
fn an_operator_of_the_node_can_hang_up() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let (_, calls) = scene.bauta.http_as(tests::config::ADMIN, "GET", "/v1/calls", None);
    let id = calls["items"][0]["id"].as_str().unwrap().to_owned();
    let (status, _) = scene.bauta.http_as(tests::config::ADMIN, "DELETE", &format!("/v1/calls/{id}"), None);
    assert!((200..300).contains(&status), "{status}");
    out.expect_bye();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["id"]), (&json!("ended"), &json!(id)));
}
