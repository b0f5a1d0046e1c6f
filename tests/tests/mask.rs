//! Nothing of one side reaches the other, whichever way a call goes: every octet each side received is searched.

use tests::canary::{Canary, assert_absent};
use tests::config::{LINE, OPERATOR};
use tests::peer::Voice;
use tests::peer::call::Dial;
use tests::scene::{CODE, COURIER, Scene};
use tests::wait;

/// Lines a phone might add to its description, each with its name in it.
fn telling(name: &str) -> Voice {
    let extra = [
        "a=ssrc:1 cname:canary-{}@home",
        "a=candidate:1 1 udp 1 192.0.2.1 5000 typ host raddr canary-{} rport 1",
        "a=rtcp:9 IN IP4 192.0.2.77",
        "a=label:canary-{}",
        "a=ice-ufrag:canary-{}",
        "a=x-device:canary-{}",
    ];
    Voice { extra: extra.map(|line| line.replace("{}", name)).to_vec(), ..Voice::default() }
}

/// Headers that tell who calls, in every way known.
fn headers(name: &str, number: &str) -> Vec<String> {
    [
        "Remote-Party-ID: <sip:+{n}@canary-{}>;party=calling",
        "P-Preferred-Identity: <sip:+{n}@canary-{}>",
        "Diversion: <sip:+{n}@canary-{}>;reason=unconditional",
        "History-Info: <sip:+{n}@canary-{}>;index=1",
        "Referred-By: <sip:+{n}@canary-{}>",
        "Reply-To: <sip:+{n}@canary-{}>",
        "P-Access-Network-Info: canary-{}",
        "Geolocation: <cid:canary-{}>",
        "X-Canary-{n}: canary-{}",
        "Alert-Info: <http://canary-{}/ring>",
    ]
    .map(|line| line.replace("{}", name).replace("{n}", number))
    .to_vec()
}

fn open_call(scene: &Scene) -> tests::peer::Call {
    let dial =
        Dial { voice: telling("caller"), headers: headers("caller", COURIER), ..Dial::new(COURIER, LINE) };
    let mut out = scene.caller.dial(scene.loopback.sip(), &dial);
    out.answered();
    out.media.press(CODE);
    out
}

#[test]
fn neither_side_learns_anything_in_a_whole_call() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = open_call(&scene);
    let mut back = scene.callee.incoming();
    back.set_voice(telling("callee"));
    back.provisional("180 Ringing");
    back.answer();
    Scene::talk(&mut out, &mut back);
    assert_eq!(out.reinvite().status(), Some(200));
    assert_eq!(back.reinvite().status(), Some(200));
    for (side, method) in [(0, "INFO"), (1, "OPTIONS"), (0, "MESSAGE"), (1, "REFER")] {
        let call = if side == 0 { &mut out } else { &mut back };
        let response = call.request(method, &["Refer-To: <sip:canary-callee@h>".to_owned()], "canary text");
        assert!(response.status().is_some(), "{method} is answered");
    }
    Scene::talk(&mut out, &mut back);
    // RTCP of both sides has come and gone by now: each sends a report within the first second.
    back.hang_up();
    out.expect_bye();
    let _ = scene.bauta.await_record();
    scene.assert_masked();
    let text = [Canary::text("text of the other side", "canary text")];
    scene.callee.assert_learnt_nothing_of(&text);
    scene.caller.assert_learnt_nothing_of(&text);
}

#[test]
fn neither_side_learns_anything_from_a_refusal() {
    for status in [
        "486 canary-callee",
        "603 canary-callee",
        "404 canary-callee",
        "302 canary-callee",
        "500 canary-callee",
    ] {
        let scene = Scene::brief(|config| config);
        scene.put_order();
        let mut out = open_call(&scene);
        let mut back = scene.callee.incoming();
        let contact = "Contact: <sip:+79992222228@canary-callee>".to_owned();
        back.refuse(status, &[contact, "Reason: Q.850;cause=17;text=\"canary-callee\"".to_owned()]);
        scene.await_prompt(&out, "client-unavailable");
        out.expect_bye();
        let _ = scene.bauta.await_record();
        scene.assert_masked();
    }
}

#[test]
fn neither_side_learns_anything_from_early_media_and_a_cancelled_call() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let mut out = open_call(&scene);
    let mut back = scene.callee.incoming();
    back.accept("183 canary-callee");
    scene.await_prompt(&out, "music");
    out.hang_up();
    back.expect_cancel();
    let _ = scene.bauta.await_record();
    scene.assert_masked();
}

#[test]
fn the_operator_learns_nothing_of_the_caller() {
    let scene = Scene::brief(|config| config);
    let mut out = scene.arrive(COURIER);
    out.media.press("#");
    let mut back = scene.callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    scene.callee.assert_learnt_nothing_of(&scene.secrets_of_caller());
    scene.caller.assert_learnt_nothing_of(&[Canary::number("the operator's number", OPERATOR)]);
}

#[test]
fn identifiers_of_the_two_legs_have_nothing_in_common() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    out.hang_up();
    back.expect_bye();
    let ssrcs = |call: &tests::peer::Call| {
        call.media.packets().iter().map(|packet| packet.ssrc).collect::<std::collections::BTreeSet<_>>()
    };
    let (ours, theirs) = (ssrcs(&out), ssrcs(&back));
    assert_eq!((ours.len(), theirs.len()), (1, 1), "each side hears one stream from first to last");
    assert_ne!(ours, theirs);
    let origin = |messages: Vec<tests::peer::Message>| {
        let body = messages.into_iter().map(|message| message.body).find(|body| body.contains("o="));
        body.and_then(|body| body.lines().find(|line| line.starts_with("o=")).map(str::to_owned)).unwrap()
    };
    assert_ne!(origin(scene.caller.messages()), origin(scene.callee.messages()));
    let call_ids = |messages: Vec<tests::peer::Message>| {
        messages.iter().map(|message| message.call_id().to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    assert!(call_ids(scene.caller.messages()).is_disjoint(&call_ids(scene.callee.messages())));
}

#[test]
fn logs_and_records_hide_numbers_as_told() {
    for (form, shows) in [("last4", "1117"), ("hashed", "")] {
        let scene = Scene::brief(|config| config.set("privacy.numbers", form));
        scene.put_order();
        let (mut out, mut back) = scene.dialling(COURIER);
        back.refuse("486 Busy Here", &[]);
        out.expect_bye();
        let record = scene.bauta.await_record();
        let caller = record["caller"].as_str().unwrap();
        assert!(caller.ends_with(shows), "{form}: {record:#}");
        let text = record.to_string();
        let number = Canary::number("the courier's number", COURIER);
        assert_absent("a reader of records", [text.as_bytes()], std::slice::from_ref(&number));
        let log = scene.bauta.log();
        wait::until_true("a log", wait::SOON, || !scene.bauta.log().is_empty());
        assert_absent("a reader of logs", [log.as_bytes()], &[number]);
    }
}
