//! The peers, against each other: what fails here is a fault of the tests, not of the program.

use std::net::SocketAddr;
use std::time::Duration;

use tests::baresip::{Answering, Baresip};
use tests::link::Link;
use tests::linphone::Linphone;
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::call::Dial;
use tests::peer::{Peer, Transport, Voice};
use tests::sipp::{Caller, Keys, Sipp};
use tests::{tone, wait};

const COURIER: &str = "79991111117";
const LINE: &str = "74951234567";

/// A whole call between two peers: tones both ways, keys, hang-up.
fn talk(transport: Transport, link: &Link) {
    let loopback = Loopback::claim();
    let at = |address| SocketAddr::new(address, SIP_PORT);
    let caller = Peer::new("caller", at(loopback.carrier()), transport, link);
    let callee = Peer::new("callee", at(loopback.callee()), transport, link);

    let mut out = caller.dial(callee.address(), &Dial::new(COURIER, LINE));
    let mut back = callee.incoming();
    back.provisional("180 Ringing");
    back.accept("200 OK");
    assert_eq!(out.answered().user("to"), Some("+74951234567"));
    back.await_ack();

    out.media.play(&tone::sine(440.0, 1.0));
    back.media.play(&tone::sine(1000.0, 1.0));
    if link.is_perfect() {
        back.media.await_tone(440.0);
        out.media.await_tone(1000.0);
    }
    out.media.press("12345");
    wait::until_true("five digits", wait::SOON, || back.media.digits() == "12345");

    std::thread::scope(|scope| {
        scope.spawn(|| back.expect_bye());
        out.hang_up();
    });
    assert!(
        caller
            .canaries()
            .iter()
            .any(|canary| callee.received().iter().any(|bytes| canary.found_in(bytes).is_some())),
        "without the program between them, peers learn each other's names"
    );
}

#[test]
fn two_peers_talk_over_udp() {
    talk(Transport::Udp, &Link::perfect());
}

#[test]
fn two_peers_talk_over_tcp() {
    talk(Transport::Tcp, &Link::perfect());
}

#[test]
fn two_peers_understand_each_other_over_a_lossy_line() {
    talk(Transport::Udp, &Link::lossy(3, 10));
}

#[test]
fn a_refused_call_tells_its_status() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let mut out = caller.dial(callee.address(), &Dial::new(COURIER, LINE));
    let mut back = callee.incoming();
    let status = std::thread::scope(|scope| {
        scope.spawn(|| back.refuse("486 Busy Here", &[]));
        out.refused()
    });
    assert_eq!(status, 486);
}

#[test]
fn a_cancelled_call_ends_with_487() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let mut out = caller.dial(callee.address(), &Dial::new(COURIER, LINE));
    let mut back = callee.incoming();
    back.provisional("180 Ringing");
    let ringing = out.response(180);
    assert_eq!(ringing.status(), Some(180));
    let status = std::thread::scope(|scope| {
        scope.spawn(|| back.expect_cancel());
        out.cancel()
    });
    assert_eq!(status, 487);
}

#[test]
fn a_voice_can_speak_either_law() {
    let voice = Voice { laws: vec![tests::g711::Law::Mu], events: None, extra: Vec::new() };
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let callee = Peer::at("callee", loopback.callee());
    let mut out = caller.dial(callee.address(), &Dial { voice, ..Dial::new(COURIER, LINE) });
    let mut back = callee.incoming();
    back.accept("200 OK");
    out.answered();
    back.await_ack();
    out.media.play(&tone::sine(440.0, 1.0));
    back.media.await_tone(440.0);
    assert!(
        back.media.packets().iter().any(|packet| packet.payload_type == 8),
        "the answer's best law is spoken"
    );
}

#[test]
fn sipp_speaks_and_keys_in_all_its_ways() {
    for keys in [Keys::Played, Keys::Recorded, Keys::Tones] {
        let loopback = Loopback::claim();
        let callee = Peer::at("callee", loopback.callee());
        let caller = Caller {
            from: COURIER,
            code: "12345",
            keys,
            patience: Duration::from_secs(1),
            talk: Duration::from_secs(3),
            hertz: 440.0,
        };
        let sipp = Sipp::call(SocketAddr::new(loopback.carrier(), SIP_PORT), callee.address(), LINE, &caller);
        let mut call = callee.incoming();
        call.provisional("180 Ringing");
        call.answer();
        call.media.await_tone(440.0);
        wait::until_true("five digits", wait::LATER, || match keys {
            Keys::Played | Keys::Recorded => call.media.digits() == "12345",
            Keys::Tones => tone::pressed(&call.media.heard()) == "12345",
        });
        call.expect_bye();
        sipp.succeed();
    }
}

#[test]
fn sipp_answers_and_speaks() {
    let loopback = Loopback::claim();
    let sipp = Sipp::be_called(loopback.callee(), 1000.0, Duration::from_millis(300), 1);
    let caller = Peer::at("caller", loopback.carrier());
    let mut call = caller.dial(SocketAddr::new(loopback.callee(), SIP_PORT), &Dial::new(COURIER, LINE));
    assert_eq!(call.response(180).status(), Some(180));
    call.answered();
    call.media.await_tone(1000.0);
    call.hang_up();
    sipp.succeed();
}

#[test]
fn baresip_calls_speaks_and_keys() {
    let loopback = Loopback::claim();
    let callee = Peer::at("callee", loopback.callee());
    let mut phone = Baresip::start(COURIER, 440.0, Answering::Manual);
    phone.dial(&format!("sip:+{LINE}@{}", loopback.callee()));
    let mut call = callee.incoming();
    assert_eq!(call.invite.as_ref().and_then(|invite| invite.user("from")), Some("+79991111117"));
    call.answer();
    phone.await_event("CALL_ESTABLISHED");
    call.media.play(&tone::sine(1000.0, 1.0));
    call.media.await_tone(440.0);
    phone.press("12345");
    wait::until_true("five digits", wait::SOON, || call.media.digits() == "12345");
    phone.hear_more(1);
    call.hang_up();
    phone.await_event("CALL_CLOSED");
    let heard = phone.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 1000.0);
    assert!(seconds > 1.0, "heard for {seconds} s");
}

#[test]
fn baresip_answers_and_speaks() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let mut phone = Baresip::start(COURIER, 440.0, Answering::Auto);
    let mut call = caller.dial(phone.address(), &Dial::new(LINE, COURIER));
    call.answered();
    phone.await_event("CALL_ESTABLISHED");
    call.media.await_tone(440.0);
    call.hang_up();
    phone.await_event("CALL_CLOSED");
}

#[test]
fn linphone_calls_speaks_and_keys() {
    let loopback = Loopback::claim();
    let callee = Peer::at("callee", loopback.callee());
    let mut phone = Linphone::start(loopback.carrier(), COURIER, 440.0, Answering::Manual);
    phone.dial(&format!("sip:+{LINE}@{}", loopback.callee()));
    let mut call = callee.incoming();
    assert_eq!(call.invite.as_ref().and_then(|invite| invite.user("from")), Some("+79991111117"));
    call.answer();
    phone.await_output("connected");
    call.media.play(&tone::sine(1000.0, 1.0));
    call.media.await_tone(440.0);
    phone.press("12345");
    wait::until_true("five digits", wait::SOON, || call.media.digits() == "12345");
    assert!(call.media.senders().iter().all(|sender| sender.ip() == loopback.carrier()));
    call.hang_up();
    phone.await_output("ended");
    let heard = phone.heard();
    let seconds = tone::seconds(&heard.channels[0], heard.rate, 1000.0);
    assert!(seconds > 1.0, "heard for {seconds} s");
}

#[test]
fn linphone_answers_and_speaks() {
    let loopback = Loopback::claim();
    let caller = Peer::at("caller", loopback.carrier());
    let phone = Linphone::start(loopback.callee(), COURIER, 440.0, Answering::Auto);
    let mut call = caller.dial(SocketAddr::new(loopback.callee(), SIP_PORT), &Dial::new(LINE, COURIER));
    call.answered();
    phone.await_output("connected");
    call.media.await_tone(440.0);
    call.hang_up();
    phone.await_output("ended");
}
