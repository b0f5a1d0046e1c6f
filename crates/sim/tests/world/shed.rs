//! Calls that are refused because we are full or drain: each has its one record, and nothing else stays of it.

use std::time::Duration;

use b2bua::{Behind, Cause, Control, Happening, Input, Side};
use bytes::Bytes;
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};
use sip::{Flow, Transport};

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order, world};

const CARRIER: &str = "192.0.2.11:5060";
/// Most transactions at once.
const TRANSACTIONS: usize = 500;

/// A world with no room at all, by each of the limits there are.
fn full() -> [(&'static str, World); 4] {
    let with = |change: fn(&mut b2bua::Config)| {
        let mut config = sim::config();
        config.ua.transactions = TRANSACTIONS;
        change(&mut config);
        World::new(config, Weather::FAIR, 1)
    };
    let mut draining = with(|_| ());
    draining.feed(Input::Control(Control::Drain));
    [
        ("calls", with(|config| config.limits.calls = 0)),
        ("rate", with(|config| config.limits.calls_per_second = 0)),
        ("ports", with(|config| config.media[0].ports = vec![Vec::new()])),
        ("drain", draining),
    ]
}

fn invite(n: usize) -> Bytes {
    let text = format!(
        "INVITE sip:{LINE}@198.51.100.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bK-{n}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{COURIER}@192.0.2.11>;tag=t{n}\r\nTo: <sip:{LINE}@198.51.100.1>\r\n\
         Call-ID: flood-{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:192.0.2.11:5060>\r\nContent-Length: 0\r\n\r\n"
    );
    text.into()
}

fn from(peer: &str, bytes: Bytes) -> Input {
    let peer = peer.parse().expect("an address");
    Input::Message { flow: Flow { listener: 0, transport: Transport::Udp, peer, connection: None }, bytes }
}

#[test]
fn each_has_one_record_and_no_checkpoint() {
    for (limit, mut world) in full() {
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(world.statuses(), [Some(503)], "{limit}");
        let [record] = &*world.audit.records else { panic!("{limit}: {:?}", world.audit.records) };
        let outcome = record.outcome.expect("a record has its outcome");
        let told = (outcome.side, outcome.cause, outcome.status, outcome.q850);
        assert_eq!(told, (Side::Us, Cause::Overloaded, Some(503), 42), "{limit}");
        assert_eq!(record.line.map(|line| line.to_string()).as_deref(), Some(LINE), "{limit}");
        assert_eq!(record.caller.map(|caller| caller.to_string()).as_deref(), Some(COURIER), "{limit}");
        assert_eq!((&*record.trunk, record.answered), ("carrier", None), "{limit}");
        assert!(matches!(*world.audit.happened, [Happening::Ended { .. }]), "{limit}");
        assert_eq!(world.last_call(), None, "{limit}: a checkpoint was asked for");
    }
}

#[test]
fn an_invite_that_is_sent_again_is_the_same_call() {
    for (limit, mut world) in full() {
        for _ in 0..3 {
            world.feed(from(CARRIER, invite(1)));
        }
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(world.audit.records.len(), 1, "{limit}");
    }
}

#[test]
fn in_foul_weather_too() {
    for seed in 0..20 {
        let mut config = sim::config();
        config.limits.calls = 0;
        let mut world = World::new(config, Weather::FOUL, seed);
        for call in 0..10 {
            world.caller(seconds(call), CallerPlan::keying(COURIER, LINE, "12345"));
        }
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(world.audit.records.len(), 10, "seed {seed}");
    }
}

#[test]
fn a_stranger_leaves_none() {
    for (limit, mut world) in full() {
        world.feed(from("203.0.113.9:5060", invite(1)));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!((world.audit.records.len(), world.received.len()), (0, 0), "{limit}");
    }
}

#[test]
fn a_flood_holds_transactions_and_nothing_more() {
    for (limit, mut world) in full() {
        for n in 0..2 * TRANSACTIONS {
            world.feed(from(CARRIER, invite(n)));
        }
        // What finds the table of transactions full is answered without state, and is no call.
        assert_eq!(world.audit.records.len(), TRANSACTIONS, "{limit}");
        let gauges = world.board.gauges();
        assert_eq!((gauges.calls, gauges.legs, gauges.ports), (0, 0, 0), "{limit}");
        assert_eq!(gauges.transactions, TRANSACTIONS, "{limit}");
        assert!(gauges.timers <= 2 * TRANSACTIONS, "{limit}: {} timers", gauges.timers);
        world.run_until_quiet();
        world.assert_clean();
    }
}

fn behind(messages: u64, store: u64, relay: u64) -> Input {
    let ms = Duration::from_millis;
    Input::Behind(Behind { messages: ms(messages), store: ms(store), relay: ms(relay) })
}

/// How many messages with this start the carrier was sent.
fn told(world: &World, start: &str) -> usize {
    let carrier = CARRIER.parse().expect("an address");
    let sent = world.received.get(&carrier).map(Vec::as_slice).unwrap_or_default();
    sent.iter().filter(|bytes| bytes.starts_with(start.as_bytes())).count()
}

#[test]
fn while_we_are_behind_calls_are_refused_without_a_trace_and_those_there_are_go_on() {
    for late in [behind(201, 0, 0), behind(0, 1001, 0), behind(0, 0, 201)] {
        let mut world = with_order(world());
        let call = || CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(30), Act::HangUp);
        world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
        world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
        world.caller(seconds(0), call());
        world.run_for(seconds(4));
        world.feed(late);
        let transactions = world.board.gauges().transactions;
        for n in 0..100 {
            world.feed(from(CARRIER, invite(n)));
        }
        assert_eq!(world.board.gauges().transactions, transactions);
        world.feed(behind(200, 1000, 200));
        world.caller(seconds(5), call());
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(told(&world, "SIP/2.0 503 "), 100);
        assert_eq!(world.audit.records.len(), 2, "those that were shed left none");
        assert_eq!(world.bridges(), 2);
    }
}

#[test]
fn the_status_is_the_one_that_is_configured() {
    let mut config = sim::config();
    config.limits.busy_status = 480;
    config.limits.calls = 0;
    let mut world = World::new(config, Weather::FAIR, 1);
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
    world.run_until_quiet();
    assert_eq!(world.statuses(), [Some(480)]);
    assert_eq!(world.audit.records[0].outcome.and_then(|outcome| outcome.status), Some(480));
    world.feed(behind(1000, 0, 0));
    world.feed(from(CARRIER, invite(1)));
    world.run_until_quiet();
    assert_eq!(told(&world, "SIP/2.0 480 "), 2);
}
