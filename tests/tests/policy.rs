//! What is not dialled and what is said before a call is recorded, through the real program.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::{tone, wait, wav};
use toml::value::Array;

fn list(texts: &[&str]) -> Array {
    texts.iter().map(|text| toml::Value::from(*text)).collect()
}

fn put(scene: &Scene, body: &Value) {
    let (status, answer) = scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(body));
    assert!(status < 300, "{answer}");
}

fn order() -> Value {
    json!({"courier": {"number": COURIER}, "client": {"number": CLIENT}})
}

/// The courier calls and hears this instead of the client; the record.
fn hears(scene: &Scene, prompt: &str) -> Value {
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, prompt);
    out.expect_bye();
    scene.bauta.await_record()
}

#[test]
fn a_number_that_must_not_be_dialled_never_rings() {
    let scene = Scene::brief(|config| {
        config.set("policy.dial_allow", list(&["+7"])).set("line.0.dial_deny", list(&["+79992"]))
    });
    scene.put_order();
    let record = hears(&scene, "not-permitted");
    let told = (&record["cause"], &record["ended_by"], &record["callee_reached"]);
    assert_eq!(told, (&json!("number-not-allowed"), &json!("us"), &json!(false)));
    // The other way is allowed.
    let (mut out, mut back) = scene.talking(CLIENT);
    out.hang_up();
    back.expect_bye();
    let causes = scene.bauta.await_records(2).into_iter().map(|record| record["cause"].clone());
    let mut causes: Vec<Value> = causes.collect();
    causes.sort_by_key(Value::to_string);
    assert_eq!(causes, [json!("hung-up"), json!("number-not-allowed")]);
    assert_eq!(scene.bauta.metric("bauta_calls_ended_total{cause=\"number-not-allowed\"}").unwrap_or(1), 1);
    scene.bauta.assert_no_fault();
}

#[test]
fn one_party_has_one_call_at_a_time_where_the_policy_says_so() {
    let scene = Scene::brief(|config| config.set("policy.callee_max_calls", 1));
    scene.put_order();
    let other = json!({"courier": {"number": STRANGER}, "client": {"number": CLIENT}});
    assert!(scene.bauta.http("PUT", "/v1/orders/54321", Some(&other)).0 < 300);
    let (mut out, mut back) = scene.talking(COURIER);
    let mut second = scene.arrive(STRANGER);
    second.media.press("54321");
    scene.await_prompt(&second, "try-later");
    second.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("too-many-calls"));
    out.hang_up();
    back.expect_bye();
    let _ = scene.bauta.await_records(2);
    let mut third = scene.arrive(STRANGER);
    third.media.press("54321");
    let mut back = scene.callee.incoming();
    back.answer();
    third.hang_up();
    back.expect_bye();
    scene.bauta.assert_no_fault();
}

#[test]
fn an_order_has_as_many_calls_as_it_says() {
    let scene = Scene::brief(|config| config);
    let mut body = order();
    body["max_calls"] = json!(1);
    put(&scene, &body);
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    let _ = scene.bauta.await_record();
    let mut second = scene.arrive(CLIENT);
    second.media.press(CODE);
    scene.await_prompt(&second, "not-permitted");
    second.expect_bye();
    let records = scene.bauta.await_records(2);
    assert!(records.iter().any(|record| record["cause"] == json!("calls-used-up")), "{records:#?}");
}

#[test]
fn what_was_dialled_this_hour_counts_after_a_kill() {
    let mut scene = Scene::brief(|config| config.set("policy.callee_calls_per_hour", 1));
    put(&scene, &order());
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    let _ = scene.bauta.await_record();
    scene.bauta.kill_and_restart();
    let mut second = scene.arrive(COURIER);
    scene.await_prompt(&second, "start");
    second.media.press(CODE);
    scene.await_prompt(&second, "try-later");
    second.expect_bye();
    let records = scene.bauta.await_records(2);
    assert!(records.iter().any(|record| record["cause"] == json!("too-many-calls")), "{records:#?}");
    assert!(!scene.callee.was_called());
}

#[test]
fn of_two_calls_at_the_same_time_one_is_an_orders_last() {
    let scene = Scene::brief(|config| config);
    let mut body = order();
    body["max_calls"] = json!(1);
    put(&scene, &body);
    let mut callers = [scene.arrive(COURIER), scene.arrive(COURIER), scene.arrive(COURIER)];
    for caller in &callers {
        caller.media.press(CODE);
    }
    let mut back = scene.callee.incoming();
    back.provisional("180 Ringing");
    // The two others are told, and hung up.
    let records = scene.bauta.await_records(2);
    assert!(records.iter().all(|record| record["cause"] == json!("calls-used-up")), "{records:#?}");
    assert!(!scene.callee.was_called(), "one alone was dialled");
    back.answer();
    wait::until_true("that one talks", wait::LATER, || {
        scene.bauta.http("GET", "/v1/calls", None).1["items"][0]["state"] == json!("talking")
    });
    back.hang_up();
    for caller in &mut callers {
        caller.expect_bye();
    }
    scene.bauta.assert_no_fault();
}

/// An hour before now to an hour after, by UTC.
fn now_is_quiet() -> String {
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 60 + 24 * 60;
    let text = |minutes: u64| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
    format!("{}-{}", text(minutes - 60), text(minutes + 60))
}

#[test]
fn a_party_is_left_in_peace_by_the_clock_of_where_they_are() {
    let scene =
        Scene::brief(|config| config.set("line.0.quiet", now_is_quiet()).set("line.0.time_zone", "UTC"));
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "quiet-hours");
    // The operator may help.
    out.media.press("#");
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let told = (&record["cause"], &record["operator_reached"], &record["callee_reached"]);
    assert_eq!(told, (&json!("hung-up"), &json!(true), &json!(false)));

    // The order's own hours come before the line's: never so far from now.
    let mut body = order();
    let far = now_is_quiet().split('-').next().unwrap().to_owned();
    let hour: u32 = far[..2].parse().unwrap();
    body["client"]["quiet"] = json!(format!("{:02}:00-{:02}:30", (hour + 12) % 24, (hour + 12) % 24));
    body["client"]["time_zone"] = json!("UTC");
    put(&scene, &body);
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    let _ = scene.bauta.await_records(2);
    scene.bauta.assert_no_fault();
}

#[test]
fn what_is_said_before_the_notice_is_over_is_not_recorded() {
    // With the notice at its whole length.
    let scene = Scene::with(|config| config.set("line.0.record_notice", "caller"));
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "start");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let call = record["id"].as_str().unwrap();
    assert_eq!(record["recording"], json!(format!("{call}.wav")));
    let file = scene.bauta.dir().join("plain.wav");
    std::fs::write(&file, scene.bauta.recording(call)).unwrap();
    let recording = wav::read(&file);
    let seconds = |channel: usize, hertz| tone::seconds(&recording.channels[channel], recording.rate, hertz);
    assert!(seconds(0, 440.0) > 0.2 && seconds(1, 1000.0) > 0.2, "both are on it");
    // The notice takes more than two seconds, which are before it.
    let whole = recording.channels[0].len() as f64 / f64::from(recording.rate);
    let lasted = record["duration_seconds"].as_f64().unwrap();
    assert!(lasted - whole > 2.0, "{whole} s of a call of {lasted} s");
    assert!(record["recording_refused_by"].is_null());
}

#[test]
fn whoever_refuses_is_not_recorded_and_the_record_says_who() {
    let scene =
        Scene::brief(|config| config.set("line.0.record_notice", "both").set("line.0.record_refuse", "9"));
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "recording-choice");
    out.media.press("9");
    scene.await_prompt(&out, "start");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let told = (&record["recording"], &record["recording_refused_by"], &record["callee_reached"]);
    assert_eq!(told, (&Value::Null, &json!("caller"), &json!(true)));

    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "start");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.answer();
    scene.await_prompt(&back, "recording-notice");
    scene.await_prompt(&back, "recording-choice");
    back.media.press("9");
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let records = scene.bauta.await_records(2);
    assert!(records.iter().any(|record| record["recording_refused_by"] == json!("callee")), "{records:#?}");
    let folder = scene.bauta.dir().join("recordings");
    wait::until_true("no recording", wait::SOON, || std::fs::read_dir(&folder).unwrap().next().is_none());
    scene.assert_masked();
}
