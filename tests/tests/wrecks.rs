//! The program is killed, drained or cut off: no record is lost, none is doubled, no call hangs.

use serde_json::{Value, json};
use tests::config::{ADMIN, LINE};
use tests::peer::Call;
use tests::peer::call::Dial;
use tests::receiver::Receiver;
use tests::scene::{CODE, COURIER, Scene};
use tests::wait;

/// The record of the only call, which a kill has ended; the next call is as any.
fn lost(scene: &Scene) -> Value {
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("node-lost"), &json!("us")), "{record:#}");
    assert_eq!((&record["q850"], &record["restored"]), (&json!(41), &json!(1)), "{record:#}");
    let mut next = scene.arrive(COURIER);
    next.hang_up();
    let _ = scene.bauta.await_records(2);
    record
}

/// Waits until this side is told that the call is over, and why.
fn told(leg: &mut Call) {
    let bye = leg.expect_bye();
    assert_eq!(bye.header("reason"), Some("Q.850;cause=41"), "{bye:?}");
}

#[test]
fn killed_while_asking() {
    let mut scene = Scene::brief(|config| config);
    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "start");
    scene.bauta.kill_and_restart();
    told(&mut out);
    let record = lost(&scene);
    assert_eq!((&record["caller"], &record["code"]), (&json!(format!("+{COURIER}")), &json!(null)));
}

#[test]
fn killed_while_dialling() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.provisional("180 Ringing");
    scene.await_prompt(&out, "music");
    scene.bauta.kill_and_restart();
    told(&mut out);
    back.expect_cancel();
    assert_eq!(lost(&scene)["code"], json!(CODE));
}

#[test]
fn killed_while_telling_the_callee_who_calls() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.answer();
    scene.await_prompt(&back, "courier-calling");
    scene.bauta.kill_and_restart();
    told(&mut out);
    told(&mut back);
    let _ = lost(&scene);
}

#[test]
fn killed_after_the_call() {
    let mut scene = Scene::brief(|config| config);
    let mut out = scene.arrive(COURIER);
    out.hang_up();
    let before = scene.bauta.await_record();
    scene.bauta.kill_and_restart();
    assert_eq!(scene.bauta.await_record(), before);
}

#[test]
fn orders_outlive_a_kill() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    scene.bauta.kill_and_restart();
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    assert_eq!(scene.bauta.await_record()["order_found"], json!(true));
}

#[test]
fn a_drain_lets_calls_end_and_takes_no_new_ones() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    scene.bauta.signal(libc::SIGTERM);
    wait::until_true("not ready", wait::SOON, || scene.bauta.http_as(ADMIN, "GET", "/readyz", None).0 == 503);
    let mut refused = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    let response = refused.response(300);
    assert_eq!(response.status(), Some(503));
    assert!(response.header("retry-after").is_some(), "{response:?}");
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["sip_status"]), (&json!("overloaded"), &json!(503)));
    Scene::talk(&mut out, &mut back);
    back.hang_up();
    out.expect_bye();
    let status = scene.bauta.wait(wait::LATER);
    assert!(status.success(), "{status}");
    scene.bauta.assert_no_fault();
}

#[test]
fn what_ended_last_in_a_drain_is_recorded_as_it_was() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    scene.bauta.signal(libc::SIGTERM);
    wait::until_true("not ready", wait::SOON, || scene.bauta.http_as(ADMIN, "GET", "/readyz", None).0 == 503);
    back.hang_up();
    out.expect_bye();
    assert!(scene.bauta.wait(wait::LATER).success());
    scene.bauta.restart();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("callee")));
}

#[test]
fn a_second_signal_ends_all_calls_at_once() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    scene.bauta.signal(libc::SIGTERM);
    wait::until_true("not ready", wait::SOON, || scene.bauta.http_as(ADMIN, "GET", "/readyz", None).0 == 503);
    scene.bauta.signal(libc::SIGTERM);
    out.expect_bye();
    back.expect_bye();
    let status = scene.bauta.wait(wait::LATER);
    assert!(status.success(), "{status}");
}

#[test]
fn a_drain_ends_when_its_time_is_over() {
    let mut scene = Scene::brief(|config| config.set("node.drain_seconds", 1));
    let mut out = scene.arrive(COURIER);
    scene.bauta.signal(libc::SIGTERM);
    out.expect_bye();
    assert!(scene.bauta.wait(wait::LATER).success());
}

#[test]
fn what_no_receiver_took_is_delivered_after_a_kill() {
    let port = 9099;
    let secret = "a-secret-of-the-tests-0123456789";
    let mut scene = Scene::brief(|config| {
        let url = format!("http://{}:{port}/hook", config.vacant());
        let webhook = format!(
            "name = \"shop\"\nurl = \"{url}\"\nsecret = \"{secret}\"\nevents = [\"record.written\"]\nretry = [\"1s\"]\n"
        );
        config.add("webhook", &webhook)
    });
    let mut out = scene.arrive(COURIER);
    out.hang_up();
    let record = scene.bauta.await_record();
    scene.bauta.kill_and_restart();
    let receiver = Receiver::start(scene.loopback.attacker(), port);
    let posted = wait::until("the event", wait::LATER, || receiver.posted().pop());
    let event = posted.event();
    assert_eq!((&event["type"], &event["call"]), (&json!("record.written"), &record["id"]));
    assert_eq!(posted.header("bauta-event-id"), event["id"].as_str());
    assert!(signed(&posted, secret), "{posted:?}");
}

/// Whether the signature is that of the body.
fn signed(posted: &tests::receiver::Posted, secret: &str) -> bool {
    use hmac::Mac;
    let signature = posted.header("bauta-signature").unwrap_or_default();
    let field =
        |name: &str| signature.split(',').find_map(|field| field.strip_prefix(name)).unwrap_or_default();
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{}.{}", field("t="), posted.body).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    hex == field("v1=")
}
