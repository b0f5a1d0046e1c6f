//! Whom a session listens to, where it sends, and when it misses somebody.

use std::net::SocketAddr;

use rtp::{Codec, Command, Direction, Media, Remote, Report};

use crate::world::{
    CALLEE, CALLER, Phone, World, caller_address, format, library, media, milliseconds, port, settings,
};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_stranger_is_neither_heard_nor_answered_nor_keeps_the_call_alive() {
    let mut world = World::bridged(Codec::Pcma);
    let mut stranger = Phone { address: at("192.0.2.66:40000"), ..Phone::caller() };
    for _ in 0..40 {
        stranger.talk(&mut world, 50);
    }
    assert_eq!(world.wire.sent, []);
    let silent = (milliseconds(30_000), Report::Silent { session: CALLER });
    assert!(world.wire.reports.contains(&silent));
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.foreign), (0, 2000));
}

#[test]
fn a_stranger_cannot_take_a_stream_over() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.address = at("192.0.2.11:41234");
    caller.talk(&mut world, 1);
    for address in ["192.0.2.11:40000", "192.0.2.11:41235", "192.0.2.66:41234"] {
        let mut stranger = Phone { address: at(address), ..caller.clone() };
        stranger.talk(&mut world, 10);
    }
    assert_eq!(world.take_sent(CALLEE).len(), 1);
    world.play(CALLER, &[1], false);
    world.run(200);
    assert!(world.take_sent(CALLER).iter().all(|sent| sent.to == at("192.0.2.11:41234")));
    assert_eq!(world.close(CALLER).foreign, 30);
}

#[test]
fn what_is_not_valid_teaches_no_port() {
    let mut world = World::bridged(Codec::Pcma);
    for junk in
        [&b""[..], b"\0", &[0x80; 11], &[0; 172], &[0xFF; 172], &[0x80, 0xC8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    {
        world.packet(CALLER, at("192.0.2.11:5555"), junk);
    }
    let mut keepalive = Phone { address: at("192.0.2.11:6666"), ..Phone::caller() };
    keepalive.header.payload_type = 20;
    keepalive.talk(&mut world, 3);
    world.play(CALLER, &[1], false);
    world.run(200);
    assert!(world.take_sent(CALLER).iter().all(|sent| sent.to == caller_address()));
}

#[test]
fn reports_come_from_the_signalled_address_only_and_go_where_they_come_from() {
    let mut world = World::with_call(Codec::Pcma);
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    world.control(CALLER, at("192.0.2.66:40001"), &receiver_report);
    world.control(CALLER, at("192.0.2.11:45001"), &receiver_report[..4]);
    world.control(CALLER, at("192.0.2.11:49999"), &receiver_report);
    world.control(CALLER, at("192.0.2.11:40001"), &receiver_report);
    world.run(20_000);
    assert!(!world.wire.controls.is_empty());
    for sent in world.wire.controls.iter().filter(|sent| sent.port == port(CALLER)) {
        assert_eq!(sent.to, at("192.0.2.11:49999"));
    }
    assert_eq!(world.close(CALLER).foreign, 2);
}

#[test]
fn a_stream_that_moves_is_followed_at_once() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 5);
    let moved = at("192.0.2.13:7000");
    world.command(Command::Update { session: CALLER, media: media(moved, Codec::Pcma) });
    // Before anything came from there; what still comes from where it was is foreign now.
    caller.speak(&mut world, 160, 5000);
    Phone::callee(Codec::Pcma).talk(&mut world, 1);
    assert_eq!(world.take_sent(CALLER)[0].to, moved);
    world.take_sent(CALLEE);
    let mut there = Phone { address: moved, ..Phone::caller() };
    there.header.ssrc = 7;
    there.talk(&mut world, 5);
    assert_eq!(world.take_sent(CALLEE).len(), 5);
    assert_eq!(world.close(CALLER).foreign, 1);
}

#[test]
fn nothing_goes_where_nothing_should() {
    let hosts = ["224.0.0.5:4000", "255.255.255.255:4000", "0.0.0.0:4000", "192.0.2.11:22", "192.0.2.11:0"];
    for host in hosts {
        let mut world = World::with_call(Codec::Pcma);
        let address = at(host);
        let remote = Some(Remote { rtp: address, rtcp: address });
        let agreed = Media {
            remote,
            format: format(Codec::Pcma),
            direction: Direction::SendReceive,
            srtp: None,
            xr: false,
        };
        world.command(Command::Update { session: CALLER, media: agreed });
        world.play(CALLER, &[9], true);
        world.run(20_000);
        assert_eq!(world.take_sent(CALLER), [], "{host}");
        assert!(world.wire.controls.iter().all(|sent| sent.port == port(CALLEE)), "{host}");
    }
}

#[test]
fn no_port_of_ours_is_ever_theirs() {
    let ports = settings().ports;
    let addresses = ["198.51.100.1", "203.0.113.1", "[::ffff:198.51.100.1]"];
    for host in addresses
        .map(|ip| {
            [*ports.start(), port(CALLER).number, port(CALLEE).number, *ports.end()]
                .map(|port| at(&format!("{ip}:{port}")))
        })
        .concat()
    {
        for remote in [
            Remote { rtp: host, rtcp: at("192.0.2.11:5") },
            Remote { rtp: at("192.0.2.11:4000"), rtcp: host },
        ] {
            let mut world = World::with_call(Codec::Pcma);
            let agreed = Media { remote: Some(remote), ..media(host, Codec::Pcma) };
            world.command(Command::Update { session: CALLER, media: agreed });
            world.play(CALLER, &[9], true);
            world.run(20_000);
            assert_eq!(world.take_sent(CALLER), [], "{remote:?}");
            assert!(world.wire.controls.iter().all(|sent| sent.port == port(CALLEE)), "{remote:?}");
            let mut loops = Phone { address: host, ..Phone::caller() };
            loops.talk(&mut world, 5);
            assert_eq!(world.close(CALLER).packets_received, 0, "{remote:?}");
        }
    }
}

#[test]
fn who_has_our_address_and_another_port_is_one_like_any_other() {
    let mut world = World::bridged(Codec::Pcma);
    // A phone on this machine: it is heard, but its port is never learnt to be one of ours.
    let beside = at("198.51.100.1:40000");
    world.command(Command::Update { session: CALLER, media: media(beside, Codec::Pcma) });
    for port in [*settings().ports.start(), *settings().ports.end()] {
        let mut ours = Phone { address: SocketAddr::new(beside.ip(), port), ..Phone::caller() };
        ours.talk(&mut world, 5);
        world.control(CALLER, ours.address, &[0x80, 201, 0, 1, 0, 0, 0, 1]);
    }
    assert_eq!(world.take_sent(CALLEE), []);
    Phone { address: beside, ..Phone::caller() }.talk(&mut world, 5);
    assert_eq!(world.take_sent(CALLEE).len(), 5);
    Phone::callee(Codec::Pcma).talk(&mut world, 1);
    assert_eq!(world.take_sent(CALLER)[0].to, beside);
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.foreign), (5, 12));
}

#[test]
fn silence_is_told_once_and_again_after_speech() {
    let mut world = World::with_call(Codec::Pcma);
    let mut callee = Phone::callee(Codec::Pcma);
    let mut caller = Phone::caller();
    for _ in 0..100 {
        callee.talk(&mut world, 50);
    }
    let silent = |time| (milliseconds(time), Report::Silent { session: CALLER });
    assert_eq!(world.wire.reports, [silent(30_000)]);
    caller.speak(&mut world, 160, 5000);
    for _ in 0..31 {
        callee.talk(&mut world, 50);
    }
    assert_eq!(world.wire.reports, [silent(30_000), silent(130_000)]);
}

#[test]
fn reports_and_comfort_noise_are_signs_of_life_and_strays_are_none() {
    let mut world = World::with_call(Codec::Pcma);
    let mut caller = Phone::caller();
    for round in 0..4u64 {
        world.run_until(milliseconds(20_000 * (2 * round + 1)));
        world.control(CALLER, at("192.0.2.11:40001"), &[0x80, 201, 0, 1, 0, 0, 0, 1]);
        world.run_until(milliseconds(20_000 * (2 * round + 2)));
        caller.header.payload_type = 13;
        caller.send(&mut world, &[60]);
    }
    let of_the_caller = |world: &World| {
        world.wire.reports.iter().filter(|(_, report)| *report == Report::Silent { session: CALLER }).count()
    };
    assert_eq!(of_the_caller(&world), 0);
    caller.header.payload_type = 8;
    for n in 0..4u16 {
        world.run(20_000);
        caller.header.sequence = caller.header.sequence.wrapping_add(10_000 + 500 * n);
        caller.speak(&mut world, 160, 5000);
    }
    assert_eq!(of_the_caller(&world), 1);
}

#[test]
fn on_hold_nobody_is_missed() {
    let held = [
        Media { direction: Direction::SendOnly, ..media(caller_address(), Codec::Pcma) },
        Media { direction: Direction::Inactive, ..media(caller_address(), Codec::Pcma) },
        Media { remote: None, ..media(caller_address(), Codec::Pcma) },
        media(at("0.0.0.0:40000"), Codec::Pcma),
    ];
    for on_hold in held {
        let mut world = World::new();
        world.open(CALLER, media(caller_address(), Codec::Pcma));
        world.run(20_000);
        world.command(Command::Update { session: CALLER, media: on_hold });
        world.run(100_000);
        assert_eq!(world.wire.reports, [], "{on_hold:?}");
        world.command(Command::Update { session: CALLER, media: media(caller_address(), Codec::Pcma) });
        world.run(29_999);
        assert_eq!(world.wire.reports, []);
        world.run(1);
        assert_eq!(world.wire.reports.len(), 1);
    }
}

#[test]
fn the_address_of_the_host_may_be_written_either_way() {
    let worker = rtp::Worker::new(settings(), std::sync::Arc::new(library()), [1; 32]);
    let mut world = World { worker, ..World::new() };
    world.open(CALLER, media(caller_address(), Codec::Pcma));
    let mut caller = Phone { address: at("[::ffff:192.0.2.11]:40000"), ..Phone::caller() };
    caller.talk(&mut world, 1);
    assert_eq!(world.close(CALLER).packets_received, 1);
}

#[test]
fn who_speaks_before_their_description_is_known_is_no_stranger() {
    let mut world = World::new();
    let media = Media { remote: None, ..media(caller_address(), Codec::Pcma) };
    world.open(CALLER, media);
    Phone::caller().talk(&mut world, 3);
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.foreign), (0, 0));
}
