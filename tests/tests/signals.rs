//! sipp as a carrier whose signalling is out of the ordinary: each scenario says and checks every message itself.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use serde_json::json;
use tests::config::{Config, LINE};
use tests::loopback::{Loopback, SIP_PORT};
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::sipp::{Caller, Keys, Sipp};
use tests::tone;

/// A caller goes through a scenario, and what its record must say.
fn caller(scenario: &str, change: impl FnOnce(Config) -> Config, more: &[&str], cause: Option<&str>) {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &change(Config::new(&loopback)));
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    Sipp::caller(scenario, at, loopback.sip(), COURIER, more).succeed();
    match cause {
        Some(cause) => assert_eq!(bauta.await_record()["cause"], json!(cause), "{scenario}"),
        None => assert_eq!(bauta.records(), Vec::<serde_json::Value>::new(), "{scenario}"),
    }
    bauta.assert_no_fault();
}

/// A callee goes through a scenario while the courier calls them; the record.
fn callee(scenario: &str, change: impl FnOnce(Config) -> Config) -> serde_json::Value {
    let loopback = Loopback::claim();
    let bauta = Bauta::start(&loopback, &change(Config::new(&loopback)));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let called = Sipp::callee(scenario, loopback.callee());
    let calls = Caller {
        from: COURIER,
        code: CODE,
        keys: Keys::Played,
        patience: Duration::from_secs(2),
        talk: Duration::from_secs(20),
        hertz: 440.0,
    };
    let at = SocketAddr::new(loopback.carrier(), SIP_PORT);
    let calls = Sipp::call(at, loopback.sip(), LINE, &calls);
    called.succeed();
    let ends_itself = scenario == "callee_hangs_up_twice.xml" || scenario == "callee_redirects.xml";
    if !ends_itself {
        calls.succeed();
    }
    let record = bauta.await_record();
    bauta.assert_no_fault();
    record
}

#[test]
fn a_caller_acknowledges_what_rings() {
    caller(
        "caller_requires_reliable.xml",
        |config| config.set("line.0.answer_after", "1s"),
        &[],
        Some("hung-up"),
    );
}

#[test]
fn a_caller_offers_late_and_its_offers_cross_ours() {
    caller("caller_offers_late.xml", |config| config, &[], Some("hung-up"));
}

#[test]
fn a_caller_holds_in_every_form() {
    caller("caller_holds.xml", |config| config, &[], Some("hung-up"));
}

#[test]
fn a_caller_acknowledges_late_or_never() {
    caller("caller_acknowledges_late.xml", |config| config, &[], Some("hung-up"));
}

#[test]
fn a_caller_hangs_up_before_it_acknowledges_and_then_again() {
    caller("caller_hangs_up_before_ack.xml", |config| config, &[], Some("hung-up"));
}

#[test]
fn a_caller_may_connect_us_to_nobody() {
    caller("caller_transfers.xml", |config| config, &[], Some("hung-up"));
    caller("caller_replaces.xml", |config| config, &[], None);
}

#[test]
fn a_caller_may_be_large_by_datagrams_and_by_a_stream() {
    caller("caller_is_large.xml", |config| config, &[], Some("hung-up"));
    caller("caller_is_large.xml", |config| config, &["-t", "t1"], Some("hung-up"));
}

#[test]
fn a_callee_rings_reliably_and_is_heard_ringing_where_the_line_has_it_so() {
    for early_media in ["ours", "pass"] {
        let record =
            callee("callee_rings_reliably.xml", |config| config.set("line.0.early_media", early_media));
        assert_eq!((&record["callee_reached"], &record["callee_trunk"]), (&json!(true), &json!("carrier")));
    }
}

#[test]
fn a_caller_hears_early_media_one_way_where_the_line_has_it_so() {
    let scene = Scene::brief(|config| config.set("line.0.early_media", "pass").set("line.0.whisper", false));
    scene.put_order();
    let (mut out, mut back) = scene.dialling(COURIER);
    back.accept("183 Session Progress");
    out.media.play(&tone::sine(440.0, 1.0));
    back.media.play(&tone::sine(1000.0, 1.0));
    out.media.await_tone(1000.0);
    assert_eq!(back.media.packets().len(), 0, "nothing goes there before the answer");
    back.answer();
    back.media.await_tone(440.0);
    std::thread::scope(|scope| {
        scope.spawn(|| back.expect_bye());
        out.hang_up();
    });
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_callee_forks() {
    let record = callee("callee_forks.xml", |config| config);
    assert_eq!(record["callee_reached"], json!(true), "{record:#}");
}

#[test]
fn a_hang_up_may_come_from_another_port() {
    let scene = Scene::open();
    let call = scene.arrive(COURIER);
    let mut texts =
        scene.caller.received().into_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let ok = texts.rfind(|text| text.starts_with("SIP/2.0 200")).expect("the call was answered");
    let line =
        |name: &str| ok.lines().find(|line| line.starts_with(name)).expect("it has all headers").to_owned();
    let socket = UdpSocket::bind((scene.loopback.carrier(), 0)).expect("a port is free");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a time-out");
    let (server, here) = (scene.loopback.sip(), socket.local_addr().expect("it is bound"));
    let bye = format!(
        "BYE sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKelsewhere;rport\r\nMax-Forwards: 70\r\n{}\r\n{}\r\n{}\r\n\
         CSeq: 900 BYE\r\nContent-Length: 0\r\n\r\n",
        line("From:"),
        line("To:"),
        line("Call-ID:"),
    );
    socket.send_to(bye.as_bytes(), server).expect("it can be sent");
    let mut answer = [0; 4096];
    let length = socket.recv(&mut answer).expect("it is answered where it came from");
    assert!(
        answer[..length].starts_with(b"SIP/2.0 200 "),
        "{:?}",
        String::from_utf8_lossy(&answer[..length])
    );
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["ended_by"]), (&json!("hung-up"), &json!("caller")));
    drop(call);
    scene.bauta.assert_no_fault();
}

#[test]
fn a_callee_redirects_and_nobody_else_is_called() {
    let record = callee("callee_redirects.xml", |config| config);
    assert_eq!(
        (&record["callee_reached"], &record["sip_status"]),
        (&json!(false), &json!(302)),
        "{record:#}"
    );
}

#[test]
fn a_callee_holds_transfers_and_hangs_up_twice() {
    let record = callee("callee_hangs_up_twice.xml", |config| config.set("line.0.whisper", false));
    assert_eq!(
        (&record["callee_reached"], &record["ended_by"]),
        (&json!(true), &json!("callee")),
        "{record:#}"
    );
}
