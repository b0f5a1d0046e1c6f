//! Scenarios broken at every step in every way. After each wreck: legs ended, ports back, tables empty, one record, every
//! request answered once.

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World, sweep};

fn talk(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn unreachable(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(2), 486)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
    world
}

fn operator(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(OPERATOR, CalleePlan::new(Reaction::Progress(seconds(2))).doing(seconds(20), Act::HangUp));
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "99999#"));
    world
}

fn confirm_and_consult(seed: u64) -> World {
    let mut config = sim::config();
    config.lines[0].confirm = true;
    config.lines[0].ask_when_needed = true;
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    let mut plan = CalleePlan::new(Reaction::Answer(seconds(1)));
    plan.keys = vec![(seconds(2), '1')];
    world.callee(CLIENT, plan);
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "").doing(seconds(60), Act::HangUp));
    world
}

fn cancelled(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::AnswerOnCancel));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(9), Act::HangUp));
    world
}

fn late_offer(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Fork(seconds(0))));
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp);
    plan.offers = false;
    world.caller(seconds(0), plan);
    world
}

fn verified(seed: u64) -> World {
    let mut config = sim::config();
    config.trunks[0].verify = b2bua::Verify { verstat: true, identity: true };
    config.lines[0].policy.unverified = b2bua::Treatment::Stranger;
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world.verify(b2bua::Verification::Passed(None));
    let caller =
        CallerPlan::keying(COURIER, LINE, "12345").saying("Identity: a.b.c;info=<https://c.example/a>");
    world.caller(seconds(0), caller.doing(seconds(40), Act::HangUp));
    world
}

#[test]
fn a_call_that_succeeds() {
    assert!(sweep(talk, 1) > 500);
}

#[test]
fn a_call_whose_caller_is_verified_first() {
    assert!(sweep(verified, 7) > 500);
}

#[test]
fn a_call_to_someone_who_is_busy() {
    assert!(sweep(unreachable, 2) > 300);
}

#[test]
fn a_call_to_the_operator() {
    assert!(sweep(operator, 3) > 500);
}

#[test]
fn a_call_that_asks_the_store_and_the_callee_first() {
    assert!(sweep(confirm_and_consult, 4) > 300);
}

#[test]
fn a_call_cancelled_as_it_is_answered() {
    assert!(sweep(cancelled, 5) > 300);
}

#[test]
fn a_call_with_its_offer_in_the_200_and_a_fork_at_the_other_end() {
    assert!(sweep(late_offer, 6) > 500);
}
