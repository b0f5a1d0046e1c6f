//! Sessions that open, close, and were never there.

use std::sync::Arc;
use std::time::Duration;

use rtp::{Codec, Command, Port, Report, SessionId, Settings, Statistics, Worker};

use crate::world::{
    CALLEE, CALLER, Phone, World, callee_address, caller_address, library, media, milliseconds, port,
    settings,
};

#[test]
fn what_is_not_open_is_closed_all_the_same() {
    let mut world = World::new();
    assert_eq!(world.close(CALLER), Statistics::default());
    for command in [
        Command::Stop { session: CALLER },
        Command::Bridge { first: CALLER, second: CALLEE },
        Command::Update { session: CALLER, media: media(caller_address(), Codec::Pcma) },
    ] {
        world.command(command);
    }
    world.play(CALLER, &[1], false);
    assert_eq!(world.wire.reports.len(), 1);
    assert_eq!(world.worker.next_wake(), None);
}

#[test]
fn after_its_end_a_session_does_nothing() {
    let mut world = World::with_call(Codec::Pcma);
    assert_eq!(world.worker.sessions(), 2);
    world.play(CALLER, &[9], true);
    world.run(100);
    world.close(CALLER);
    world.close(CALLEE);
    assert_eq!((world.worker.sessions(), world.worker.next_wake()), (0, None));
    let count = (world.wire.sent.len(), world.wire.controls.len(), world.wire.reports.len());
    Phone::caller().talk(&mut world, 5);
    world.run(100_000);
    assert_eq!((world.wire.sent.len(), world.wire.controls.len(), world.wire.reports.len()), count);
}

#[test]
fn a_port_or_id_opened_again_closes_what_was_forgotten_there() {
    let mut world = World::with_call(Codec::Pcma);
    let open = |session, port| Command::Open { session, port, media: media(callee_address(), Codec::Pcma) };
    world.command(open(SessionId(9), port(CALLER)));
    world.command(open(CALLEE, Port { number: 20_000, ..port(CALLEE) }));
    let closed = |session, report: &Report| matches!(report, Report::Closed { session: closed, .. } if *closed == session);
    assert!(closed(CALLER, &world.wire.reports[0].1) && closed(CALLEE, &world.wire.reports[1].1));
    assert_eq!(world.wire.reports.len(), 2);
    assert_eq!(world.worker.sessions(), 2);
}

#[test]
fn a_port_on_an_address_we_do_not_have_opens_nothing() {
    let mut world = World::new();
    let elsewhere = Port { address: 5, ..port(CALLER) };
    world.command(Command::Open {
        session: CALLER,
        port: elsewhere,
        media: media(caller_address(), Codec::Pcma),
    });
    assert_eq!(world.worker.sessions(), 0);
    world.worker.packet(milliseconds(0), elsewhere, caller_address(), &mut [0x80; 172], &mut world.wire);
    assert_eq!(world.close(CALLER), Statistics::default());
}

#[test]
fn times_nobody_can_keep_are_brought_within_bounds() {
    for time in [Duration::ZERO, Duration::MAX] {
        let settings = Settings { silence: time, rtcp_interval: time, ..settings() };
        let worker = Worker::new(settings, Arc::new(library()), [1; 32]);
        let mut world = World { worker, ..World::new() };
        world.open(CALLER, media(caller_address(), Codec::Pcma));
        world.run(10_000);
        assert!(world.wire.controls.len() < 25 && world.wire.reports.len() < 2, "{time:?}");
    }
}

#[test]
fn the_same_seed_says_the_same_and_another_another() {
    let sent = |seed| {
        let mut world = World::new();
        world.worker = Worker::new(settings(), Arc::new(library()), seed);
        world.open(CALLER, media(caller_address(), Codec::Pcma));
        world.play(CALLER, &[9], true);
        world.run(60_000);
        (world.wire.sent, world.wire.controls)
    };
    assert_eq!(sent([1; 32]), sent([1; 32]));
    assert_ne!(sent([1; 32]).0[0].bytes, sent([2; 32]).0[0].bytes);
}
