//! What is not dialled, who is not heard, and what is said before a call is recorded.

use b2bua::{Blocked, Cause, Config, CostClass, DialRules, Forbidden, Prefix, Record, RecordNotice, Side};
use number::Number;
use rtp::Command;
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

use crate::order_call::ivr_prompts::*;
use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, seconds, with_order};

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

fn world(change: impl FnOnce(&mut Config)) -> World {
    let mut config = sim::config();
    change(&mut config);
    with_order(World::new(config, Weather::FAIR, 1))
}

fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| Prefix::parse(text).expect("a prefix")).collect()
}

/// The courier calls the client and talks with them for a while, if they may.
fn run(mut world: World) -> World {
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    world
}

fn record(world: &World) -> &Record {
    assert_eq!(world.audit.records.len(), 1);
    &world.audit.records[0]
}

fn cause(world: &World) -> (Side, Cause) {
    let outcome = record(world).outcome.expect("a record has its outcome");
    (outcome.side, outcome.cause)
}

/// Whether anybody was recorded, and whether that began after this prompt was played.
fn recorded_after(world: &World, prompt: u16) -> Option<bool> {
    let recorded = world.commands.iter().position(|command| matches!(command, Command::Record { .. }))?;
    let plays = |command: &Command| matches!(command, Command::Play { prompts, .. } if prompts.contains(&rtp::Sound::Prompt(rtp::PromptId(prompt))));
    Some(world.commands.iter().position(plays).is_some_and(|played| played < recorded))
}

#[test]
fn a_number_that_must_not_be_dialled_is_not_and_the_caller_hears_so() {
    let world = run(world(|config| config.lines[0].dial.deny = prefixes(&["+79992"])));
    assert_eq!(world.played(), [vec![START], vec![NOT_PERMITTED]]);
    assert_eq!(cause(&world), (Side::Us, Cause::NumberNotAllowed));
    assert!(record(&world).order_found && !record(&world).callee_reached);
}

#[test]
fn a_call_that_was_permitted_and_is_forbidden_counts_for_none_of_its_order() {
    let refused = run(world(|config| config.lines[0].dial.deny = prefixes(&["+79992"])));
    assert_eq!((cause(&refused).1, refused.orders.uncalled.len()), (Cause::NumberNotAllowed, 1));
    let talks = run(world(|_| {}));
    assert_eq!((cause(&talks).1, talks.orders.uncalled.len()), (Cause::HungUp, 0));
}

#[test]
fn operators_are_dialled_by_the_same_rules() {
    let mut world = world(|config| {
        config.lines[0].dial = DialRules { allow: prefixes(&["+79"]), deny: Vec::new() };
    });
    world.callee(OPERATOR, CalleePlan::new(Reaction::Answer(seconds(1))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "#"));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(cause(&world), (Side::Us, Cause::NumberNotAllowed));
}

#[test]
fn a_class_takes_as_many_calls_at_once_as_it_may_and_then_takes_them_again() {
    let mut world = world(|config| {
        config.guards.classes = vec![CostClass {
            name: "dear".into(),
            prefixes: prefixes(&["+7999"]),
            max_calls: Some(1),
            max_calls_a_day: None,
        }];
    });
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    for begins in [0, 20, 100] {
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
        world.caller(seconds(begins), plan);
    }
    world.run_until_quiet();
    world.assert_clean();
    let mut causes: Vec<(clock::Instant, Option<Cause>)> = world
        .audit
        .records
        .iter()
        .map(|record| (record.started, record.outcome.map(|outcome| outcome.cause)))
        .collect();
    causes.sort_by_key(|(started, _)| *started);
    let causes: Vec<_> = causes.into_iter().filter_map(|(_, cause)| cause).collect();
    assert_eq!(causes, [Cause::HungUp, Cause::TooManyCalls, Cause::HungUp]);
    assert!(world.played().contains(&vec![TRY_LATER]));
}

#[test]
fn what_was_dialled_this_hour_counts_after_the_death_of_the_node() {
    let mut world = world(|config| config.guards.callee_calls_per_hour = Some(1));
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    let call = || CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), call());
    world.run_for(seconds(100));
    world.die(seconds(1));
    world.caller(seconds(10), call());
    // An hour after the first it is forgotten.
    world.caller(seconds(3_700), call());
    world.run_until_quiet();
    world.assert_clean();
    let causes: Vec<Cause> =
        world.audit.records.iter().map(|record| record.outcome.expect("it is over").cause).collect();
    assert_eq!(causes, [Cause::HungUp, Cause::TooManyCalls, Cause::HungUp]);
}

#[test]
fn a_blocked_caller_is_refused_before_the_answer() {
    let mut world = world(|_| {});
    world.orders.blocked.push(number(COURIER));
    let world = run(world);
    assert!(world.played().is_empty());
    assert_eq!(cause(&world), (Side::Us, Cause::Blocked));
    assert_eq!(record(&world).outcome.and_then(|outcome| outcome.status), Some(603));
    assert_eq!(record(&world).answered, None);
}

#[test]
fn a_blocked_caller_may_be_heard_out_and_then_nothing_is_looked_up() {
    let mut world = world(|config| config.lines[0].blocked = Blocked::HearOut);
    world.orders.blocked.push(number(COURIER));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345#").doing(seconds(90), Act::HangUp));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(world.played()[..2], [vec![START], vec![ORDER_UNKNOWN]]);
    let looked_up = |query: &b2bua::Query| matches!(query, b2bua::Query::Code { .. });
    assert!(!world.orders.asked.iter().any(looked_up));
    assert_eq!(cause(&world).1, Cause::Blocked);
    assert_eq!(world.bridges(), 0);
}

#[test]
fn a_pair_that_is_blocked_is_not_joined_and_what_the_caller_hears_is_the_lines_choice() {
    for (blocked, prompt) in [(Blocked::Refuse, NOT_PERMITTED), (Blocked::HearOut, CLIENT_UNAVAILABLE)] {
        let mut world = world(|config| config.lines[0].blocked = blocked);
        world.orders.forbidden.insert(number(CLIENT), Forbidden::Blocked);
        let world = run(world);
        assert_eq!(world.played(), [vec![START], vec![prompt]]);
        assert_eq!(cause(&world), (Side::Us, Cause::Blocked));
    }
}

#[test]
fn an_order_whose_calls_are_used_up_connects_nobody() {
    let mut world = world(|_| {});
    world.orders.forbidden.insert(number(CLIENT), Forbidden::UsedUp);
    let world = run(world);
    assert_eq!(world.played(), [vec![START], vec![NOT_PERMITTED]]);
    assert_eq!(cause(&world), (Side::Us, Cause::CallsUsedUp));
}

#[test]
fn a_party_is_left_in_peace_and_an_operator_may_help() {
    let quiet = |digits: &str| {
        let mut world = world(|_| {});
        world.orders.forbidden.insert(number(CLIENT), Forbidden::Quiet);
        world.callee(OPERATOR, CalleePlan::new(Reaction::Answer(seconds(1))).doing(seconds(20), Act::HangUp));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, digits));
        world.run_until_quiet();
        world.assert_clean();
        world
    };
    let alone = quiet("12345");
    assert_eq!(alone.played(), [vec![START], vec![QUIET_HOURS, OPERATOR_HINT]]);
    assert_eq!(cause(&alone), (Side::Us, Cause::QuietHours));
    let helped = quiet("12345#");
    assert_eq!(helped.played()[2], [OPERATOR_CONNECTING, MUSIC]);
    assert_eq!(cause(&helped), (Side::Callee, Cause::HungUp));
    assert!(record(&helped).operator_reached && !record(&helped).callee_reached);
}

#[test]
fn the_caller_is_told_before_anything_is_recorded() {
    let world = run(world(|config| config.lines[0].record_notice = RecordNotice::Caller));
    assert_eq!(world.played()[..2], [vec![RECORDING_NOTICE], vec![START]]);
    assert_eq!(recorded_after(&world, RECORDING_NOTICE), Some(true));
    assert!(record(&world).recording.is_some() && record(&world).recording_refused.is_none());
}

#[test]
fn both_are_told_and_recorded_once_they_are_joined() {
    let world = run(world(|config| config.lines[0].record_notice = RecordNotice::Both));
    assert_eq!(world.played()[3].last(), Some(&RECORDING_NOTICE));
    assert_eq!(recorded_after(&world, COURIER_CALLING), Some(true));
    assert_eq!(world.bridges(), 1);
}

#[test]
fn whoever_refuses_is_not_recorded_and_the_call_goes_on() {
    let config = |config: &mut Config| {
        config.lines[0].record_notice = RecordNotice::Both;
        config.lines[0].record_refuse = Some('9');
    };
    let mut by_caller = world(config);
    by_caller.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(2))));
    let plan = CallerPlan::keying(COURIER, LINE, "912345").doing(seconds(60), Act::HangUp);
    by_caller.caller(seconds(0), plan);
    by_caller.run_until_quiet();
    by_caller.assert_clean();
    assert_eq!(by_caller.played()[0], [RECORDING_NOTICE, RECORDING_CHOICE, DIGIT + 9]);
    assert_eq!(recorded_after(&by_caller, RECORDING_NOTICE), None);
    let kept = record(&by_caller);
    assert_eq!((kept.recording_refused, &kept.recording), (Some(Side::Caller), &None));
    assert!(kept.callee_reached);

    for confirm in [false, true] {
        let mut by_callee = world(|at| {
            config(at);
            at.lines[0].confirm = confirm.then(|| seconds(8));
        });
        let mut plan = CalleePlan::new(Reaction::Answer(seconds(2)));
        plan.keys = vec![(seconds(3), '9'), (seconds(4), '1')];
        by_callee.callee(CLIENT, plan);
        // What is keyed during the notice is the code.
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
        by_callee.caller(seconds(0), plan);
        by_callee.run_until_quiet();
        by_callee.assert_clean();
        let kept = record(&by_callee);
        assert_eq!((kept.recording_refused, &kept.recording), (Some(Side::Callee), &None));
        assert!(kept.callee_reached);
    }
}

#[test]
fn what_was_recorded_after_the_notice_is_known_of_when_the_node_dies() {
    let mut world = world(|config| config.lines[0].record_notice = RecordNotice::Caller);
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, ""));
    while recorded_after(&world, RECORDING_NOTICE).is_none() {
        world.run_until(world.inputs() + 1);
    }
    // The caller is being asked; nothing else has changed since.
    world.run_for(seconds(1));
    world.die(seconds(1));
    world.run_until_quiet();
    world.assert_clean();
    let kept = record(&world);
    assert_eq!(kept.outcome.map(|outcome| outcome.cause), Some(Cause::NodeLost));
    assert!(kept.recording.is_some() && kept.recording_fault.is_some());
}
