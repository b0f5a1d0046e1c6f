//! Whom the relay listens to, and what becomes of packets that belong to nobody.

use std::net::{Ipv4Addr, SocketAddr};

use recording::Settings as Recordings;
use relay::Lost;
use rtp::{Command, Law, Library, PlayId, Prompt, PromptId, Report, SessionId};

use crate::loopback::on_loopback;
use crate::phone::{LOUD, Phone, talk};
use crate::stage::Stage;

#[test]
fn a_stranger_is_neither_heard_nor_answered() {
    let mut stage = on_loopback(Library::default());
    let ([(first, to_first), (second, to_second)], law) = ([0, 1].map(|place| stage.port(0, place)), Law::Mu);
    let mut one = Phone::new("127.0.0.1", to_first, law, 440.0);
    let mut two = Phone::new("127.0.0.1", to_second, law, 1_000.0);
    let mut stranger = Phone::new("127.0.0.66", to_first, law, 1_700.0);
    stage.open(1, first, &one, law);
    stage.open(2, second, &two, law);
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    talk(&mut [&mut stranger, &mut one, &mut two], 30, |_, _| true);
    assert!(two.hears(1_700.0) < 0.005, "{}", two.hears(1_700.0));
    assert!((two.hears(440.0) - LOUD).abs() < 0.02, "{}", two.hears(440.0));
    assert!(stranger.heard.is_empty());
    assert_eq!(stage.close(1).foreign, 30);
}

#[test]
fn what_came_before_a_session_was_opened_is_not_heard_in_it() {
    let mut stage = on_loopback(Library::default());
    let (port, to) = stage.port(0, 0);
    let mut phone = Phone::new("127.0.0.1", to, Law::Mu, 440.0);
    for session in 1..=2 {
        for _ in 0..20 {
            phone.say(true);
        }
        stage.open(session, port, &phone, Law::Mu);
        talk(&mut [&mut phone], 3, |_, _| true);
        assert_eq!(stage.close(session).packets_received, 3, "session {session}");
    }
}

#[test]
fn packets_too_large_for_voice_are_counted_and_dropped() {
    let mut stage = on_loopback(Library::default());
    let (port, to) = stage.port(0, 0);
    let mut phone = Phone::new("127.0.0.1", to, Law::Mu, 440.0);
    stage.open(1, port, &phone, Law::Mu);
    phone.send(&[0x80; 5_000]);
    talk(&mut [&mut phone], 2, |_, _| true);
    assert_eq!(stage.close(1).packets_received, 2);
    assert_eq!(stage.relay.meter().lost(), Lost { oversized: 1, ..Lost::default() });
}

#[test]
fn a_phone_that_is_gone_harms_nobody() {
    let mut stage = on_loopback(Library::default());
    let ([(first, to_first), (second, to_second)], law) = ([0, 1].map(|place| stage.port(0, place)), Law::Mu);
    let mut one = Phone::new("127.0.0.1", to_first, law, 440.0);
    let mut two = Phone::new("127.0.0.1", to_second, law, 1_000.0);
    stage.open(1, first, &one, law);
    stage.open(2, second, &two, law);
    stage.give(Command::Bridge { first: SessionId(1), second: SessionId(2) });
    talk(&mut [&mut one, &mut two], 5, |_, _| true);
    drop(two);
    talk(&mut [&mut one], 10, |_, _| true);
    let statistics = stage.close(1);
    assert_eq!(statistics.packets_received, 15);
    assert!(stage.close(2).packets_sent >= 14);
}

#[test]
fn descriptions_that_name_our_own_ports_make_no_ring() {
    for address in ["127.0.0.1", "0.0.0.0"] {
        let library = Library::new(vec![Some(Prompt::new(&[8_000; 1_600]))]);
        let mut stage = Stage::new(&[address], library, Recordings::wav("/nowhere".into()));
        let ports = [0, 1].map(|place| stage.port(0, place).0);
        let [to_first, to_second] = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.number)));
        stage.open_to(1, ports[0], to_second, Law::Mu);
        stage.open_to(2, ports[1], to_first, Law::Mu);
        let (first, second, play) = (SessionId(1), SessionId(2), PlayId(7));
        stage.give(Command::Bridge { first, second });
        stage.give(Command::Play { session: first, play, prompts: vec![PromptId(0).into()], repeat: false });
        stage.until(|report| *report == Report::Finished { session: first, play });
        for session in [1, 2] {
            let passed = stage.close(session);
            assert_eq!(
                (passed.packets_sent, passed.packets_received),
                (0, 0),
                "{address}, session {session}"
            );
        }
    }
}
