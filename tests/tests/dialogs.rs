//! What carriers and phones do inside a call and around it: late offers, re-INVITEs at any moment, keys by INFO,
//! voice that moves, requests that come twice.

use serde_json::json;
use tests::config::LINE;
use tests::peer::call::Dial;
use tests::peer::{Call, Voice};
use tests::scene::{CODE, COURIER, Scene};
use tests::{g711::Law, tone, wait};

fn end(scene: &Scene, mut out: Call, mut back: Call) {
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["callee_reached"]), (&json!("hung-up"), &json!(true)));
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_caller_without_an_offer_is_made_one() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial { offer: false, ..Dial::new(COURIER, LINE) });
    let response = out.answered();
    assert!(response.body.contains("m=audio"), "{response:?}");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    end(&scene, out, back);
}

#[test]
fn a_caller_may_renegotiate_while_asked_and_while_the_callee_rings() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = scene.arrive(COURIER);
    assert_eq!(out.reinvite().status(), Some(200));
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.provisional("180 Ringing");
    assert_eq!(out.reinvite().status(), Some(200));
    let update = out.request("UPDATE", &[], "");
    assert_eq!(update.status(), Some(200), "{}", update.start);
    back.answer();
    Scene::talk(&mut out, &mut back);
    end(&scene, out, back);
}

#[test]
fn voice_follows_a_phone_to_other_ports() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    out.move_voice();
    Scene::talk(&mut out, &mut back);
    back.move_voice();
    Scene::talk(&mut out, &mut back);
    end(&scene, out, back);
}

#[test]
fn either_side_may_speak_its_own_law() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let voice = Voice { laws: vec![Law::Mu], ..Voice::default() };
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial { voice, ..Dial::new(COURIER, LINE) });
    out.answered();
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.set_voice(Voice { laws: vec![Law::A], ..Voice::default() });
    back.answer();
    Scene::talk(&mut out, &mut back);
    assert!(
        out.media.packets().iter().all(|packet| packet.payload_type != 8),
        "the caller speaks PCMU alone"
    );
    assert!(
        back.media.packets().iter().all(|packet| packet.payload_type != 0),
        "the callee speaks PCMA alone"
    );
    end(&scene, out, back);
}

#[test]
fn keys_may_come_by_info() {
    for (kind, body) in
        [("application/dtmf-relay", "Signal=K\r\nDuration=160\r\n"), ("application/dtmf", "K")]
    {
        let scene = Scene::brief(|config| config);
        scene.put_order();
        let voice = Voice { events: None, ..Voice::default() };
        let mut out = scene.caller.dial(scene.loopback.sip(), &Dial { voice, ..Dial::new(COURIER, LINE) });
        out.answered();
        for key in CODE.chars() {
            let body = body.replace('K', &key.to_string());
            let response = out.request("INFO", &[format!("Content-Type: {kind}")], &body);
            assert_eq!(response.status(), Some(200), "{}", response.start);
        }
        let mut back = scene.callee.incoming();
        back.answer();
        Scene::talk(&mut out, &mut back);
        end(&scene, out, back);
    }
}

#[test]
fn a_key_the_callee_presses_reaches_the_caller() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (out, back) = scene.talking(COURIER);
    back.media.press("7");
    wait::until_true("a key", wait::SOON, || out.media.digits() == "7");
    out.media.press("#2");
    wait::until_true("two keys", wait::SOON, || back.media.digits() == "#2");
    end(&scene, out, back);
}

/// A voice that has no telephone events.
fn without_events() -> Voice {
    Voice { events: None, ..Voice::default() }
}

#[test]
fn a_caller_without_telephone_events_keys_in_the_voice_while_a_prompt_plays() {
    let scene = Scene::open();
    scene.put_order();
    let voice = without_events();
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial { voice, ..Dial::new(COURIER, LINE) });
    out.answered();
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    end(&scene, out, back);
}

#[test]
fn where_it_is_turned_off_tones_in_the_voice_are_no_keys() {
    let scene = Scene::brief(|config| config.set("media.inband", "off").set("line.0.input_timeout", "1s"));
    scene.put_order();
    let voice = without_events();
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial { voice, ..Dial::new(COURIER, LINE) });
    out.answered();
    out.media.press(CODE);
    out.expect_bye();
    assert_eq!(scene.bauta.await_record()["cause"], json!("no-input"));
    assert!(!scene.callee.was_called());
}

#[test]
fn a_key_reaches_the_other_side_as_that_side_understands_it() {
    for (one, other) in [(true, false), (false, true), (false, false)] {
        let scene = Scene::brief(|config| config);
        scene.put_order();
        let voice = |events| if events { Voice::default() } else { without_events() };
        let dial = Dial { voice: voice(one), ..Dial::new(COURIER, LINE) };
        let mut out = scene.caller.dial(scene.loopback.sip(), &dial);
        out.answered();
        out.media.press(CODE);
        let mut back = scene.callee.incoming();
        back.set_voice(voice(other));
        back.answer();
        Scene::talk(&mut out, &mut back);
        for call in [&out, &back] {
            call.media.play(&[]);
        }
        out.media.press("*77");
        back.media.press("#2");
        let keys = |call: &Call, events: bool| {
            if events { call.media.digits() } else { tone::pressed(&call.media.heard()) }
        };
        wait::until_true("keys of the caller", wait::SOON, || keys(&back, other) == "*77");
        wait::until_true("keys of the callee", wait::SOON, || keys(&out, one) == "#2");
        let info = "Signal=9\r\nDuration=160\r\n";
        let response = out.request("INFO", &["Content-Type: application/dtmf-relay".to_owned()], info);
        assert_eq!(response.status(), Some(200), "{}", response.start);
        wait::until_true("a key by INFO", wait::SOON, || keys(&back, other) == "*779");
        end(&scene, out, back);
    }
}

#[test]
fn both_sides_may_hang_up_at_once() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let statuses = std::thread::scope(|scope| {
        let one = scope.spawn(|| out.request("BYE", &[], "").status());
        let other = scope.spawn(|| back.request("BYE", &[], "").status());
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert!(statuses.iter().all(|status| matches!(status, Some(200 | 481))), "{statuses:?}");
    assert!(statuses.contains(&Some(200)), "{statuses:?}");
    let record = scene.bauta.await_record();
    assert_eq!(record["cause"], json!("hung-up"));
    scene.bauta.assert_no_fault();
}

#[test]
fn a_hang_up_that_comes_again_is_answered_again() {
    let scene = Scene::brief(|config| config);
    let mut out = scene.arrive(COURIER);
    out.hang_up();
    out.hang_up();
    let _ = scene.bauta.await_record();
}

#[test]
fn a_carrier_that_asks_whether_we_live_is_told_so() {
    let scene = Scene::brief(|config| config);
    let (server, carrier) = (scene.loopback.sip(), scene.caller.address());
    let options = format!(
        "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {carrier};rport;branch=z9hG4bKping\r\n\
         From: <sip:ping@{carrier}>;tag=ping\r\nTo: <sip:{server}>\r\nCall-ID: ping\r\nCSeq: 1 OPTIONS\r\n\
         Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    scene.caller.send_raw(server, options.as_bytes());
    let answer = wait::until("an answer", wait::SOON, || scene.caller.messages().pop());
    assert_eq!(answer.status(), Some(200), "{}", answer.start);
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("INVITE")), "{answer:?}");
}

#[test]
fn a_callee_who_forks_is_joined_once() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    let invite = back.invite.clone().unwrap();
    // A second phone rings and answers, too, after the first.
    let second = invite.answered("180 Ringing", Some("second"), &["Contact: <sip:second@h>".to_owned()], "");
    scene.callee.send_raw(invite.from, &second);
    back.answer();
    let contact = format!("Contact: <sip:second@{}>", scene.callee.address());
    let sdp = Voice::default().describe("second", 1, back.media.address());
    scene.callee.send_raw(invite.from, &invite.answered("200 OK", Some("second"), &[contact], &sdp));
    // It is acknowledged and hung up (RFC 3261 §13.2.2.4).
    back.end_fork("second");
    Scene::talk(&mut out, &mut back);
    end(&scene, out, back);
}
