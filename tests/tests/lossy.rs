//! One datagram of twenty is lost, each way and of each kind: messages, voice, keys.

use serde_json::json;
use tests::config::LINE;
use tests::link::Link;
use tests::peer::call::Dial;
use tests::scene::{CODE, COURIER, Scene};
use tests::{tone, wait};

/// A whole call over lines with this luck.
fn whole_call(seed: u64) {
    let scene = Scene::lossy(&Link::lossy(seed, 5), |config| config.set("line.0.input_timeout", "20s"));
    scene.put_order();
    let mut out = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.provisional("180 Ringing");
    back.answer();
    out.media.play(&tone::sine(440.0, 1.0));
    back.media.play(&tone::sine(1000.0, 1.0));
    for (call, hertz) in [(&back, 440.0), (&out, 1000.0)] {
        wait::until_true("a tone with holes", wait::LATER, || {
            let heard = call.media.heard();
            heard.len() > 8000 && tone::share(&heard[heard.len() - 8000..], tone::RATE, hertz) > 0.3
        });
    }
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["code"], &record["attempts"]), (&json!(CODE), &json!(1)), "seed {seed}: {record:#}");
    assert_eq!(record["cause"], json!("hung-up"), "seed {seed}: {record:#}");
    assert!(record["caller_leg"]["lost"].as_i64() > Some(0), "seed {seed}: {record:#}");
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_call_succeeds_with_five_percent_loss_first_luck() {
    whole_call(1);
}

#[test]
fn a_call_succeeds_with_five_percent_loss_second_luck() {
    whole_call(2);
}

#[test]
fn a_call_succeeds_with_five_percent_loss_third_luck() {
    whole_call(3);
}

#[test]
fn two_hundred_keys_over_a_lossy_line_are_each_counted_once() {
    // One code of twelve digits after another, each wrong, so that the record of each call tells what was heard.
    let scene = Scene::lossy(&Link::lossy(11, 5), |config| {
        config.set("line.0.code_length", 12).set("line.0.input_timeout", "30s").set("line.0.lockout", "0s")
    });
    let codes: Vec<String> =
        (0..17_u64).map(|n| format!("{:012}", n * 58_823_529_411 + 11_223_344_556)).collect();
    for code in &codes {
        let mut out = scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
        out.answered();
        out.media.press(code);
        wait::until_true("the look-up", wait::LATER, || {
            let (_, calls) = scene.bauta.http_as(tests::config::ADMIN, "GET", "/v1/calls", None);
            calls["items"][0]["code"] == json!(code)
        });
        out.hang_up();
    }
    let mut heard: Vec<String> = scene
        .bauta
        .await_records(codes.len())
        .iter()
        .map(|record| record["code"].as_str().unwrap_or_default().to_owned())
        .collect();
    heard.sort_unstable();
    let mut keyed = codes;
    keyed.sort_unstable();
    assert_eq!(heard, keyed);
}
