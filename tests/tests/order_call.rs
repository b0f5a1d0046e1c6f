//! The order call from end to end: who hears what, who is called, what the record says.

use serde_json::json;
use tests::config::{LINE, OPERATOR};
use tests::peer::call::Dial;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::{tone, wav};

#[test]
fn a_courier_keys_the_code_and_talks_to_the_client() {
    let scene = Scene::open();
    scene.put_order();

    let mut out = scene.arrive(COURIER);
    scene.await_prompt(&out, "start");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    let invite = back.invite.clone().unwrap();
    assert!(invite.uri().starts_with(&format!("sip:+{CLIENT}@")), "{}", invite.start);
    assert_eq!(invite.user("from"), Some(format!("+{LINE}").as_str()));
    back.provisional("180 Ringing");
    scene.await_prompt(&out, "wait-client");
    scene.await_prompt(&out, "music");
    back.answer();
    scene.await_prompt(&back, "courier-calling");
    for digit in ["1", "2", "3", "4", "5"] {
        scene.await_prompt(&back, digit);
    }
    assert_eq!(scene.prompts.find("courier-calling", &out.media.heard()), None, "only the callee hears it");
    Scene::talk(&mut out, &mut back);
    assert_eq!(
        scene.prompts.find("start", &back.media.heard()),
        None,
        "the callee hears nothing of the asking"
    );
    out.hang_up();
    back.expect_bye();

    let record = scene.bauta.await_record();
    for (key, value) in [
        ("line", json!(format!("+{LINE}"))),
        ("caller", json!(format!("+{COURIER}"))),
        ("callee", json!(format!("+{CLIENT}"))),
        ("code", json!(CODE)),
        ("order_found", json!(true)),
        ("number_found", json!(true)),
        ("caller_role", json!("courier")),
        ("callee_reached", json!(true)),
        ("operator_asked", json!(false)),
        ("ended_by", json!("caller")),
        ("cause", json!("hung-up")),
        ("q850", json!(16)),
        ("attempts", json!(1)),
        ("node", json!("test")),
        ("trunk", json!("carrier")),
        ("data", json!({ "shop": "test" })),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
    assert!(record["talk_seconds"].as_f64() < record["duration_seconds"].as_f64(), "{record:#}");
    assert_eq!(record["heard"], "both", "{record:#}");
    for leg in ["caller_leg", "callee_leg"] {
        assert!(record[leg]["packets_received"].as_u64() > Some(50), "{record:#}");
        assert_eq!(record[leg]["lost"], json!(0), "{record:#}");
        assert_eq!(record[leg]["codec"], json!("PCMA"), "{record:#}");
    }
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_client_reaches_the_courier_and_the_callee_hangs_up() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(CLIENT);
    assert!(back.invite.as_ref().unwrap().uri().starts_with(&format!("sip:+{COURIER}@")));
    scene.await_prompt(&out, "wait-courier");
    back.answer();
    scene.await_prompt(&back, "client-calling");
    Scene::talk(&mut out, &mut back);
    back.hang_up();
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["caller_role"], &record["ended_by"]), (&json!("client"), &json!("callee")));
}

#[test]
fn a_recording_has_the_caller_on_one_channel_and_the_callee_on_the_other() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    Scene::talk_long(&mut out, &mut back, 2.0);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let id = record["id"].as_str().unwrap();
    let file = scene.bauta.dir().join("downloaded.wav");
    std::fs::write(&file, scene.bauta.recording(id)).unwrap();
    let recording = wav::read(&file);
    assert_eq!(recording.channels.len(), 2);
    let seconds = |channel: usize, hertz| tone::seconds(&recording.channels[channel], recording.rate, hertz);
    let found = [seconds(0, 440.0), seconds(1, 1000.0), seconds(0, 1000.0), seconds(1, 440.0)];
    assert!(found[0] > 1.8 && found[1] > 1.8, "both are recorded: {found:?}");
    assert!(found[2] < 0.1 && found[3] < 0.1, "each on its own channel: {found:?}");
    let whole = recording.channels[0].len() as f64 / f64::from(recording.rate);
    let lasted = record["duration_seconds"].as_f64().unwrap();
    assert!((whole - lasted).abs() < 1.0, "{whole} s of a call of {lasted} s");
}

#[test]
fn the_first_key_ends_the_prompt() {
    let scene = Scene::open();
    let out = scene.arrive(COURIER);
    scene.await_prompt(&out, "start");
    out.media.press("9");
    tests::wait::until_true("silence", tests::wait::SOON, || {
        let heard = out.media.heard();
        heard.len() > 4000 && tone::level(&heard[heard.len() - 4000..]) < -50.0
    });
    let start = scene.prompts.samples("start").len();
    assert!(out.media.heard().len() < start + 4000 * 8, "well before the prompt would have ended");
}

#[test]
fn a_wrong_code_may_be_followed_by_the_right_one() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let out = scene.arrive(COURIER);
    out.media.press("54321");
    scene.await_prompt(&out, "order-unknown");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.refuse("486 Busy Here", &[]);
    let mut out = out;
    scene.await_prompt(&out, "client-unavailable");
    out.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(
        (&record["attempts"], &record["code"], &record["cause"]),
        (&json!(2), &json!(CODE), &json!("busy"))
    );
}

#[test]
fn codes_may_have_four_or_six_digits() {
    for (length, code) in [(4, "4321"), (6, "654321")] {
        let scene = Scene::brief(|config| config.set("line.0.code_length", length));
        scene.bauta.put_order(code, COURIER, CLIENT, 3600);
        let mut out = scene.arrive(COURIER);
        out.media.press(code);
        let mut back = scene.callee.incoming();
        back.answer();
        Scene::talk(&mut out, &mut back);
        out.hang_up();
        back.expect_bye();
        assert_eq!(scene.bauta.await_record()["code"], json!(code));
    }
}

#[test]
fn an_expired_order_is_unknown() {
    let scene = Scene::brief(|config| config);
    scene.bauta.put_order(CODE, COURIER, CLIENT, 1);
    tests::wait::until_true("the order to expire", tests::wait::SOON, || {
        scene.bauta.http("GET", &format!("/v1/orders/{CODE}"), None).0 == 404
    });
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "order-unknown");
    out.hang_up();
    let record = scene.bauta.await_record();
    assert_eq!((&record["order_found"], &record["code"]), (&json!(false), &json!(CODE)));
    assert!(!scene.callee.was_called());
}

#[test]
fn a_stranger_with_the_right_code_reaches_the_operator_only() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = scene.arrive(STRANGER);
    out.media.press(CODE);
    scene.await_prompt(&out, "number-unknown");
    out.media.press("1#");
    let mut back = scene.callee.incoming();
    let invite = back.invite.clone().unwrap();
    assert!(invite.uri().starts_with(&format!("sip:+{OPERATOR}@")), "{}", invite.start);
    assert_eq!(invite.user("from"), Some(format!("+{LINE}").as_str()));
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    for (key, value) in [
        ("order_found", json!(true)),
        ("number_found", json!(false)),
        ("operator_asked", json!(true)),
        ("operator_reached", json!(true)),
        ("callee_reached", json!(false)),
    ] {
        assert_eq!(record[key], value, "{key} of {record:#}");
    }
}

#[test]
fn an_anonymous_caller_is_a_stranger() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial::anonymous(LINE));
    out.answered();
    out.media.press(CODE);
    scene.await_prompt(&out, "number-unknown");
    out.hang_up();
    let record = scene.bauta.await_record();
    assert_eq!((&record["caller"], &record["number_found"]), (&json!(null), &json!(false)));
    assert!(!scene.callee.was_called());
}

#[test]
fn an_order_between_a_phone_and_itself_is_refused_by_the_api_or_never_dialled() {
    let scene = Scene::brief(|config| config);
    let order =
        json!({ "courier": { "number": COURIER }, "client": { "number": COURIER }, "ttl_seconds": 60 });
    let (status, answer) = scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(&order));
    assert!((400..500).contains(&status), "{status} {answer}");
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "order-unknown");
    out.hang_up();
    assert!(!scene.callee.was_called());
}

#[test]
fn a_silent_caller_is_asked_again_and_let_go() {
    let scene =
        Scene::brief(|config| config.set("line.0.input_timeout", "1s").set("line.0.hint_after", "0.3s"));
    let mut out = scene.arrive(COURIER);
    for key in ["start", "operator-hint", "repeat", "goodbye-no-input"] {
        scene.await_prompt(&out, key);
    }
    out.expect_bye();
    let heard = out.media.heard();
    let places: Vec<_> = ["start", "operator-hint", "repeat", "goodbye-no-input"]
        .map(|key| scene.prompts.find(key, &heard))
        .into_iter()
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("no-input"), &json!("us")));
}

#[test]
fn a_call_ends_when_it_has_lasted_as_long_as_it_may() {
    let scene = Scene::brief(|config| config.set("line.0.max_call", "4s").set("line.0.warning", "2s"));
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.answer();
    scene.await_prompt(&out, "beep");
    scene.await_prompt(&back, "beep");
    out.expect_bye();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(record["cause"], json!("max-duration"));
    let talked = record["talk_seconds"].as_f64().unwrap();
    assert!((4.0..5.0).contains(&talked), "{talked} s");
}

#[test]
fn a_voice_that_never_comes_has_a_name_in_the_record() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.media.mute(true);
    back.answer();
    out.media.play(&tone::sine(440.0, 1.0));
    back.media.await_tone(440.0);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["heard"], &record["callee_leg"]["packets_received"]), (&json!("caller"), &json!(0)));
}
