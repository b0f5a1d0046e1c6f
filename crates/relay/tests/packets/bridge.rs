//! Two sessions joined.

use std::net::UdpSocket;
use std::time::Duration;

use recording::Settings as Recordings;
use rtp::{Codec, Command, Law, Library, SessionId};

use crate::loopback::on_loopback;
use crate::phone::{LOUD, Phone, talk};
use crate::stage::Stage;

fn bridged(stage: &mut Stage, places: [(u8, &str); 2], laws: [Law; 2]) -> [Phone; 2] {
    let mut number = 0;
    let phones = [0, 1].map(|side| {
        let (address, from) = places[side];
        let (port, to) = stage.port(address, side);
        let phone = Phone::new(from, to, laws[side], [440.0, 1_000.0][side]);
        number += 1;
        stage.open(number, port, &phone, laws[side]);
        phone
    });
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    phones
}

#[test]
fn each_hears_the_other_in_the_law_it_agreed_to() {
    let mut stage = on_loopback(Library::default());
    let places = [(0, "127.0.0.1"), (0, "127.0.0.2")];
    let [mut one, mut two] = bridged(&mut stage, places, [Law::Mu, Law::A]);
    talk(&mut [&mut one, &mut two], 50, |_, _| true);
    for (phone, other, own, format) in [(&one, 1_000.0, 440.0, 0), (&two, 440.0, 1_000.0, 8)] {
        assert!((phone.hears(other) - LOUD).abs() < 0.02, "{}", phone.hears(other));
        assert!(phone.hears(own) < 0.005, "{}", phone.hears(own));
        assert!(phone.formats.iter().all(|heard| *heard == format));
        assert_eq!(phone.sources.len(), 1);
    }
    assert_ne!(one.sources, two.sources, "a source of its own for each leg");
    let statistics = stage.close(1);
    assert_eq!((statistics.packets_received, statistics.lost, statistics.foreign), (50, 0, 0));
    assert!(statistics.packets_sent >= 45, "{}", statistics.packets_sent);
    assert_eq!(stage.close(2).codec, Some(Codec::Pcma));
}

#[test]
fn a_leg_may_be_ipv6() {
    let mut stage = Stage::new(&["127.0.0.1", "::1"], Library::default(), Recordings::wav("/nowhere".into()));
    let [mut one, mut two] = bridged(&mut stage, [(0, "127.0.0.1"), (1, "::1")], [Law::A; 2]);
    talk(&mut [&mut one, &mut two], 25, |_, _| true);
    assert!((two.hears(440.0) - LOUD).abs() < 0.02, "{}", two.hears(440.0));
    assert!((one.hears(1_000.0) - LOUD).abs() < 0.02, "{}", one.hears(1_000.0));
}

#[test]
fn what_is_said_at_the_very_end_still_goes_out() {
    let mut stage = on_loopback(Library::default());
    let [(first, to_first), (second, to_second)] = [0, 1].map(|place| stage.port(0, place));
    let mut one = Phone::new("127.0.0.1", to_first, Law::A, 440.0);
    // The other takes reports, too: beside its port, where nobody else is.
    let (mut two, reports) = std::iter::repeat_with(|| {
        let phone = Phone::new("127.0.0.1", to_second, Law::A, 1_000.0);
        let beside = (phone.address().ip(), phone.address().port() ^ 1);
        Some((phone, UdpSocket::bind(beside).ok()?))
    })
    .flatten()
    .next()
    .expect("an endless search");
    reports.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes a timeout");
    stage.open(1, first, &one, Law::A);
    stage.open(2, second, &two, Law::A);
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    while !two.listen() {
        one.say(true);
    }
    stage.give(Command::Close { session: SessionId(2) });
    drop(stage);
    let mut report = [0; 1_500];
    let length = reports.recv(&mut report).expect("a farewell");
    assert!(report[..length].windows(2).any(|two| two == [0x81, 203]), "a BYE (RFC 3550 §6.6)");
}
