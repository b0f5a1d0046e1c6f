//! sipp as the carrier on both sides.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tests::config::{Config, LINE};
use tests::loopback::{Loopback, SIP_PORT};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER};
use tests::sipp::{Caller, Keys, Sipp};
use tests::{tone, wav};

/// `count` calls at once from sipp to sipp. Returns the program, all calls over.
fn calls(keys: Keys, count: u16) -> (Loopback, Bauta) {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &Config::new(&loopback));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let callee = Sipp::be_called(loopback.callee(), 1000.0, Duration::from_millis(500), count.into());
    let caller = Caller {
        from: COURIER,
        code: CODE,
        keys,
        patience: Duration::from_secs(2),
        // The callee first hears who calls and about what, for eight seconds; on a busy machine for twice as long.
        talk: Duration::from_secs(24),
        hertz: 440.0,
    };
    let callers: Vec<Sipp> = (0..count)
        .map(|at| SocketAddr::new(loopback.carrier(), SIP_PORT + at))
        .map(|at| Sipp::call(at, loopback.sip(), LINE, &caller))
        .collect();
    callers.into_iter().for_each(Sipp::succeed);
    callee.succeed();
    (loopback, bauta)
}

/// Asserts that each call connected and both sides are on its recording.
fn assert_talked(bauta: &Bauta, count: usize) {
    for record in bauta.await_records(count) {
        for (key, value) in [
            ("code", json!(CODE)),
            ("attempts", json!(1)),
            ("callee_reached", json!(true)),
            ("cause", json!("hung-up")),
            ("ended_by", json!("caller")),
        ] {
            assert_eq!(record[key], value, "{key} of {record:#}");
        }
        let id = record["id"].as_str().unwrap_or_else(|| panic!("no id in {record:#}"));
        let file = bauta.dir().join(format!("{id}.wav"));
        std::fs::write(&file, bauta.recording(id)).expect("the disk has room");
        let recording = wav::read(&file);
        for (channel, hertz) in [(0, 440.0), (1, 1000.0)] {
            let seconds = tone::seconds(&recording.channels[channel], recording.rate, hertz);
            assert!(seconds > 2.0, "{hertz} Hz for {seconds} s in {record:#}");
        }
    }
    bauta.assert_no_fault();
}

#[test]
fn sipp_keys_by_play_dtmf() {
    let (_loopback, bauta) = calls(Keys::Played, 1);
    assert_talked(&bauta, 1);
}

#[test]
fn sipp_keys_from_recorded_packets() {
    let (_loopback, bauta) = calls(Keys::Recorded, 1);
    assert_talked(&bauta, 1);
}

#[test]
fn sipp_without_telephone_events_keys_in_its_voice() {
    let (_loopback, bauta) = calls(Keys::Tones, 1);
    assert_talked(&bauta, 1);
}

#[test]
fn ten_calls_at_once() {
    let (_loopback, bauta) = calls(Keys::Played, 10);
    assert_talked(&bauta, 10);
}
