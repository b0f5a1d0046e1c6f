//! The node dies in the middle of calls and comes back: once, several times, for long.

use std::time::Duration;

use b2bua::{Cause, Happening, Side};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};

/// Two that talk from about the eleventh second on, and hang up a minute after.
fn talking(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(80), Act::HangUp));
    while world.bridges() == 0 {
        world.run_for(seconds(1));
    }
    world
}

#[test]
fn two_that_talk_talk_on_under_the_same_name() {
    let mut world = talking(1);
    let call = world.last_call();
    world.die(seconds(1));
    world.run_for(seconds(2));
    assert_eq!((world.bridges(), world.last_call()), (2, call));
    world.caller_acts(Act::Hold);
    world.run_for(seconds(1));
    world.callee_acts(Act::Reinvite);
    world.run_until_quiet();
    world.assert_clean();
    let record = &world.audit.records[0];
    let outcome = record.outcome.expect("it ended");
    assert_eq!((outcome.side, outcome.cause, record.restored), (Side::Caller, Cause::HungUp, 1));
    assert!(record.talked_for() > seconds(50), "the gap is in it: {:?}", record.talked_for());
    assert!(world.audit.happened.iter().any(|what| matches!(what, Happening::Restored(_))));
}

#[test]
fn whoever_was_left_alone_for_long_is_told_that_it_is_over() {
    let mut world = talking(2);
    world.die(seconds(40));
    world.run_until_quiet();
    world.assert_clean();
    let record = &world.audit.records[0];
    assert_eq!(record.outcome.map(|outcome| outcome.cause), Some(Cause::NodeLost));
    assert_eq!((record.restored, world.bridges()), (1, 1));
}

#[test]
fn two_talk_no_longer_than_they_may_whoever_died_meanwhile() {
    let mut config = sim::config();
    (config.lines[0].max_call, config.lines[0].warning) = (seconds(30), seconds(10));
    for down in [1, 25] {
        let mut world = with_order(World::new(config.clone(), Weather::FAIR, 3));
        world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
        while world.bridges() == 0 {
            world.run_for(seconds(1));
        }
        world.run_for(seconds(10));
        world.die(seconds(down));
        world.run_until_quiet();
        world.assert_clean();
        let record = &world.audit.records[0];
        assert_eq!(record.outcome.map(|outcome| outcome.cause), Some(Cause::MaxDuration), "{down}");
        let talked = record.talked_for();
        assert!(talked >= seconds(30) && talked < seconds(40), "{talked:?} with {down} s of death");
    }
}

#[test]
fn a_call_whose_line_or_trunk_is_gone_is_ended_on_both_sides() {
    for gone in ["line", "trunk", "port"] {
        let mut world = talking(4);
        world.die(seconds(1));
        let mut config = sim::config();
        match gone {
            "line" => config.lines.clear(),
            "trunk" => config.trunks[0].name = "another".into(),
            _ => config.media[0].ports[0].clear(),
        }
        world.rise_with(config);
        world.run_until_quiet();
        world.assert_clean();
        let record = &world.audit.records[0];
        assert_eq!(record.outcome.map(|outcome| outcome.cause), Some(Cause::NodeLost), "{gone}");
    }
}

/// Random calls, random deaths: each call that was answered has one record, no port or place in a trunk is lost, and
/// nobody is left without being told.
#[test]
fn random_calls_through_random_deaths() {
    let (mut restored, mut lost) = (0, 0);
    for seed in 0..300 {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let mut below = |most: u64| chance.next_u64() % most;
        let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
        let answers =
            [Reaction::Answer(seconds(2)), Reaction::Progress(seconds(3)), Reaction::Fork(seconds(1))];
        let others =
            [Reaction::Refuse(seconds(2), 486), Reaction::Reject(503), Reaction::Hesitate(seconds(4))];
        for number in [CLIENT, OPERATOR] {
            let place = below(5) as usize;
            let reaction = answers.iter().chain(&others).nth(place).copied().expect("there are six");
            let plan = CalleePlan::new(reaction);
            let plan = if below(2) == 0 { plan.doing(seconds(5 + below(60)), Act::HangUp) } else { plan };
            world.callee(number, plan);
        }
        for _ in 0..=below(5) {
            let (who, keys) = [(COURIER, "12345"), (STRANGER, "99999#"), (COURIER, "1")][below(3) as usize];
            let mut plan = CallerPlan::keying(who, LINE, keys);
            plan.offers = below(4) > 0;
            for act in [Act::Reinvite, Act::Update, Act::Info('5'), Act::Hold] {
                if below(3) == 0 {
                    plan = plan.doing(Duration::from_millis(below(60_000)), act);
                }
            }
            world.caller(
                Duration::from_millis(below(20_000)),
                plan.doing(seconds(10 + below(80)), Act::HangUp),
            );
        }
        for _ in 0..=below(3) {
            world.run_for(Duration::from_millis(below(40_000)));
            world.die(Duration::from_millis(below(8_000)));
        }
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            world.run_until_quiet();
            world.assert_clean();
        }));
        assert!(judged.is_ok(), "seed {seed}: see above");
        let is_restored = |what: &&Happening| matches!(what, Happening::Restored(_));
        restored += world.audit.happened.iter().filter(is_restored).count();
        let cause = |record: &b2bua::Record| record.outcome.map(|outcome| outcome.cause);
        lost += world.audit.records.iter().filter(|record| cause(record) == Some(Cause::NodeLost)).count();
    }
    assert!(restored > 50 && lost > 50, "{restored} went on, {lost} were lost");
}
