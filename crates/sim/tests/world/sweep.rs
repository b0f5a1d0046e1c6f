//! Scenarios broken at every step in every way. After each wreck: legs ended, ports back, tables empty, one record, every
//! request answered once.

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};
use sim::{Act, CalleePlan, CallerPlan, Early, Last, Reaction, Stage, Voice, Weather, World, sweep};

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
    config.lines[0].confirm = Some(seconds(8));
    config.lines[0].service =
        b2bua::Service::Orders(b2bua::Orders { ask_when_needed: true, ..sim::orders() });
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

const RELIABLE: &[Stage] = &[
    Stage { status: 180, reliable: true, early: Early::No, update: false },
    Stage { status: 183, reliable: true, early: Early::Elsewhere, update: true },
];

fn early_media(seed: u64) -> World {
    let mut config = sim::config();
    config.lines[0].early_media = b2bua::EarlyMedia::Pass;
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Stages(RELIABLE, Last::Answer)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn rings_reliably(seed: u64) -> World {
    let mut config = sim::config();
    config.lines[0].answer_after = seconds(3);
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp);
    world.caller(seconds(0), CallerPlan { requires_reliable: true, ..plan });
    world
}

fn cancelled_while_reliable(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Stages(RELIABLE, Last::AnswerOnCancel)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(9), Act::HangUp));
    world
}

fn early_forks(seed: u64) -> World {
    let mut config = sim::config();
    config.lines[0].early_media = b2bua::EarlyMedia::Pass;
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::ForkEarly(seconds(0))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn next_trunk(seed: u64) -> World {
    let mut config = sim::config();
    let mut trunk = b2bua::Trunk { name: "second".into(), ..config.trunks[0].clone() };
    trunk.allow = vec![b2bua::Network { address: [203, 0, 113, 2].into(), prefix: 32 }];
    let target = |target: &b2bua::Target| {
        let mut next = *target;
        next.flow.peer.set_ip([203, 0, 113, 2].into());
        next
    };
    trunk.targets = config.trunks[0].targets.iter().map(target).collect();
    config.trunks.push(trunk);
    config.lines[0].trunks = b2bua::Choice::InOrder(vec![b2bua::TrunkId(0), b2bua::TrunkId(1)]);
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.carrier("203.0.113.2:5060", CalleePlan::new(Reaction::Answer(seconds(1))));
    world.callee(CLIENT, CalleePlan::new(Reaction::Reject(503)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn over_tcp(seed: u64) -> World {
    let mut config = sim::config();
    config.ua.listeners[0].transport = sip::Transport::Tcp;
    for target in &mut config.trunks[0].targets {
        target.flow.transport = sip::Transport::Tcp;
    }
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Stages(RELIABLE, Last::Answer)));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn refreshed(seed: u64) -> World {
    let mut config = sim::config();
    config.ua.sessions = Some(b2bua::Sessions { interval: 90, least: 90 });
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(150), Act::HangUp));
    world
}

fn encrypted(seed: u64) -> World {
    let mut config = sim::config();
    config.trunks[0].srtp = b2bua::SrtpPolicy::Required;
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    let mut plan = CalleePlan::new(Reaction::Progress(seconds(2)));
    plan.voice = Voice::Encrypted;
    world.callee(CLIENT, plan);
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp);
    plan.voice = Voice::Encrypted;
    world.caller(seconds(0), plan);
    world
}

#[test]
fn a_call_over_streams() {
    assert!(sweep(over_tcp, 12) > 500);
}

#[test]
fn a_call_whose_legs_are_refreshed() {
    assert!(sweep(refreshed, 13) > 500);
}

#[test]
fn a_call_that_is_encrypted() {
    assert!(sweep(encrypted, 14) > 500);
}

#[test]
fn a_call_whose_early_media_is_heard_and_changes_reliably() {
    assert!(sweep(early_media, 7) > 500);
}

#[test]
fn a_call_that_rings_reliably_before_it_is_answered() {
    assert!(sweep(rings_reliably, 11) > 500);
}

#[test]
fn a_call_cancelled_while_what_is_reliable_waits() {
    assert!(sweep(cancelled_while_reliable, 8) > 300);
}

#[test]
fn a_call_to_two_phones_with_early_media() {
    assert!(sweep(early_forks, 9) > 500);
}

#[test]
fn a_call_that_goes_by_the_second_trunk() {
    assert!(sweep(next_trunk, 10) > 500);
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

fn told(seed: u64) -> World {
    let mut config = sim::config();
    config.lines[0].record_notice = b2bua::RecordNotice::Both;
    config.lines[0].record_refuse = Some('9');
    config.guards.callee_max_calls = Some(1);
    let mut world = with_order(World::new(config, Weather::FAIR, seed));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn quiet(seed: u64) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, seed));
    let client = number::Number::parse(CLIENT).expect("a number");
    world.orders.forbidden.insert(client, b2bua::Forbidden::Quiet);
    world.callee(OPERATOR, CalleePlan::new(Reaction::Answer(seconds(1))).doing(seconds(20), Act::HangUp));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345#"));
    world
}

#[test]
fn a_call_of_which_both_are_told_that_it_is_recorded() {
    assert!(sweep(told, 15) > 300);
}

#[test]
fn a_call_to_someone_left_in_peace_that_an_operator_takes() {
    assert!(sweep(quiet, 16) > 300);
}
