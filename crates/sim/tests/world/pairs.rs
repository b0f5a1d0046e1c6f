//! Calls to numbers of the pool: who is reached, what they see, what strangers come to.

use std::time::Duration;

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds};
use b2bua::{
    Across, Action, Advised, Approval, Cause, Manner, Matter, Pair, PairId, Party, Record, Role, Service,
    Side, Strangers,
};
use number::Number;
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

/// Places of the prompts in a language's part of the library.
const WAIT: u16 = 34;
const UNAVAILABLE: u16 = 35;
const NOT_CONNECTED: u16 = 36;
const MUSIC: u16 = 18;
const CONFIRM: u16 = 15;
const OPERATOR_CONNECTING: u16 = 5;

const OTHER_LINE: &str = "+78005553536";

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

/// Two numbers of the pool.
pub(crate) fn config(strangers: Strangers) -> b2bua::Config {
    let mut config = sim::config();
    config.lines[0].service = Service::Pairs(strangers);
    config.lines.push(b2bua::Line { number: number(OTHER_LINE), ..config.lines[0].clone() });
    config
}

fn pair(caller: Role, across: Across) -> Pair {
    Pair { id: PairId(7), caller, language: None, across, manner: Manner::default(), data: Some("{}".into()) }
}

fn party(text: &str, shown: &str) -> Across {
    Across::Party { party: Party { number: number(text), language: None }, shown: number(shown) }
}

/// The courier dials the line and reaches the client, who sees the other line and dials that one.
pub(crate) fn with_pair(config: b2bua::Config, manner: Manner, seed: u64) -> World {
    let mut world = World::new(config, Weather::FAIR, seed);
    let a = Pair { manner, ..pair(Role::A, party(CLIENT, OTHER_LINE)) };
    let b = Pair { manner, ..pair(Role::B, party(COURIER, LINE)) };
    world.orders.pair(number(LINE), Some(number(COURIER)), a);
    world.orders.pair(number(OTHER_LINE), Some(number(CLIENT)), b);
    world
}

fn run(mut world: World) -> World {
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

fn answering() -> CalleePlan {
    CalleePlan::new(Reaction::Answer(seconds(2)))
}

fn calling(from: &str, to: &str) -> CallerPlan {
    CallerPlan::keying(from, to, "").doing(seconds(60), Act::HangUp)
}

/// What stands in From of the INVITE to the callee.
fn shown(world: &World) -> String {
    let peer = "192.0.2.12:5060".parse().expect("an address");
    let invite = world.received[&peer].first().expect("the callee was called");
    let invite = String::from_utf8_lossy(invite);
    let from = invite.lines().find(|line| line.starts_with("From:")).expect("From is there");
    from.split("sip:").nth(1).and_then(|rest| rest.split('@').next()).expect("an address").to_owned()
}

#[test]
fn both_reach_each_other_and_see_what_they_would_dial() {
    for (from, dialled, callee, sees, role) in
        [(COURIER, LINE, CLIENT, OTHER_LINE, Role::A), (CLIENT, OTHER_LINE, COURIER, LINE, Role::B)]
    {
        let mut world = with_pair(config(Strangers::Tell), Manner::default(), 1);
        world.callee(callee, answering());
        world.caller(seconds(0), calling(from, dialled));
        let world = run(world);
        assert_eq!(world.played(), [vec![WAIT, MUSIC]]);
        assert_eq!(world.bridges(), 1);
        assert_eq!(shown(&world), sees);
        let record = record(&world);
        assert_eq!((record.pair, record.caller_role), (Some(PairId(7)), Some(role)));
        assert_eq!((record.callee, record.line), (Some(number(callee)), Some(number(dialled))));
        assert!(record.callee_reached && record.number_found && !record.order_found);
        assert_eq!(record.data.as_deref(), Some("{}"));
        assert_eq!(world.orders.connected, [(PairId(7), Some(number(from)))]);
    }
}

#[test]
fn strangers_are_told_refused_or_reach_the_operator() {
    let call = |strangers| {
        let mut world = with_pair(config(strangers), Manner::default(), 1);
        world.callee(OPERATOR, answering());
        world.caller(seconds(0), calling(STRANGER, LINE));
        run(world)
    };
    let told = call(Strangers::Tell);
    assert_eq!((told.played(), cause(&told)), (vec![vec![NOT_CONNECTED]], (Side::Us, Cause::NotConnected)));
    assert!(record(&told).answered.is_some() && record(&told).pair.is_none());
    let refused = call(Strangers::Refuse);
    let outcome = record(&refused).outcome.unwrap();
    assert_eq!((outcome.cause, outcome.status), (Cause::NotConnected, Some(403)));
    assert!(record(&refused).answered.is_none() && record(&refused).recording.is_none());
    let helped = call(Strangers::Operator);
    assert_eq!((helped.played(), helped.bridges()), (vec![vec![OPERATOR_CONNECTING, MUSIC]], 1));
    assert!(record(&helped).operator_reached && !record(&helped).callee_reached);
}

#[test]
fn a_caller_whose_number_is_withheld_is_a_stranger() {
    let mut world = with_pair(config(Strangers::Tell), Manner::default(), 1);
    world.caller(seconds(0), calling("anonymous", LINE));
    let world = run(world);
    assert_eq!((world.played(), record(&world).caller), (vec![vec![NOT_CONNECTED]], None));
}

#[test]
fn where_a_pair_lets_nobody_be_reached_callers_are_told() {
    let mut world = World::new(config(Strangers::Tell), Weather::FAIR, 1);
    world.orders.pair(number(LINE), Some(number(COURIER)), pair(Role::A, Across::Nobody));
    world.caller(seconds(0), calling(COURIER, LINE));
    let world = run(world);
    assert_eq!((world.played(), cause(&world).1), (vec![vec![NOT_CONNECTED]], Cause::NotConnected));
    assert_eq!((record(&world).pair, world.orders.connected.len()), (Some(PairId(7)), 0));
}

#[test]
fn after_its_end_callers_reach_the_fallback() {
    let mut world = World::new(config(Strangers::Tell), Weather::FAIR, 1);
    let office = pair(Role::A, Across::Fallback(number(STRANGER)));
    world.orders.pair(number(LINE), Some(number(COURIER)), office);
    world.callee(STRANGER, answering());
    world.caller(seconds(0), calling(COURIER, LINE));
    let world = run(world);
    assert_eq!((world.played(), world.bridges()), (vec![vec![WAIT, MUSIC]], 1));
    let record = record(&world);
    assert!(!record.callee_reached && record.bridged.is_some());
    assert!(world.orders.connected.is_empty(), "it moves no end");
}

#[test]
fn a_callee_who_is_not_to_be_had_is_said_so() {
    let mut world = with_pair(config(Strangers::Tell), Manner::default(), 1);
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    world.caller(seconds(0), calling(COURIER, LINE));
    let world = run(world);
    assert_eq!(world.played(), [vec![WAIT, MUSIC], vec![UNAVAILABLE]]);
    assert_eq!(cause(&world), (Side::Callee, Cause::Busy));
}

#[test]
fn a_callee_must_confirm_where_the_line_says_so() {
    let mut config = config(Strangers::Tell);
    config.lines[0].confirm = Some(seconds(8));
    let mut world = with_pair(config, Manner::default(), 1);
    world.callee(CLIENT, CalleePlan { keys: vec![(seconds(3), '1')], ..answering() });
    world.caller(seconds(0), calling(COURIER, LINE));
    let world = run(world);
    assert_eq!((world.played(), world.bridges()), (vec![vec![WAIT, MUSIC], vec![CONFIRM]], 1));
}

#[test]
fn a_pair_has_its_own_manner() {
    let manner = Manner { max_call: Some(seconds(20)), ring_timeout: Some(seconds(5)), record: Some(false) };
    let mut world = with_pair(config(Strangers::Tell), manner, 1);
    world.callee(CLIENT, answering());
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, ""));
    let world = run(world);
    assert_eq!(cause(&world), (Side::Us, Cause::MaxDuration));
    assert_eq!((record(&world).talked_for(), record(&world).recording.as_deref()), (seconds(20), None));

    let mut world = with_pair(config(Strangers::Tell), manner, 1);
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(30))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, ""));
    let world = run(world);
    assert_eq!(cause(&world), (Side::Callee, Cause::NoAnswer));
    assert!(record(&world).ended.unwrap().0 < seconds(25));

    let recorded = Manner { record: Some(true), ..Manner::default() };
    let mut quiet = config(Strangers::Tell);
    quiet.lines[0].record = false;
    let mut world = with_pair(quiet, recorded, 1);
    world.callee(CLIENT, answering());
    world.caller(seconds(0), calling(COURIER, LINE));
    assert!(record(&run(world)).recording.is_some());
}

#[test]
fn without_the_store_callers_are_asked_to_come_again() {
    let mut world = with_pair(config(Strangers::Tell), Manner::default(), 1);
    world.caller(seconds(0), calling(COURIER, LINE));
    // Its first checkpoint is kept by now, and the store is asked.
    while !world.orders.asked.iter().any(|query| matches!(query, b2bua::Query::Pair { .. })) {
        world.run_for(Duration::from_millis(1));
    }
    world.fail_store();
    let world = run(world);
    let outcome = record(&world).outcome.unwrap();
    assert_eq!((outcome.cause, outcome.status), (Cause::Overloaded, Some(503)));
}

#[test]
fn who_is_blocked_or_must_not_be_called_is_not_connected_though_a_pair_says_so() {
    let call = |change: fn(&mut World)| {
        let mut world = with_pair(config(Strangers::Tell), Manner::default(), 1);
        change(&mut world);
        world.callee(CLIENT, answering());
        world.caller(seconds(0), calling(COURIER, LINE));
        run(world)
    };
    let blocked = call(|world| world.orders.blocked.push(number(COURIER)));
    assert_eq!((cause(&blocked).1, blocked.bridges()), (Cause::Blocked, 0));
    let quiet = call(|world| {
        world.orders.forbidden.insert(number(CLIENT), b2bua::Forbidden::Quiet);
    });
    assert_eq!((cause(&quiet).1, quiet.bridges()), (Cause::QuietHours, 0));
    assert_eq!(record(&quiet).pair, Some(PairId(7)));
}

/// A line of the pool with this hook for those it connects with nobody, and that one for those it would connect.
fn hooked(strangers: Option<&str>, approval: Option<&str>) -> b2bua::Config {
    let mut config = config(Strangers::Refuse);
    for line in &mut config.lines {
        line.hooks.strangers = strangers.map(Into::into);
        line.hooks.approval = approval.map(|hook| Approval { hook: hook.into(), is_open: false });
    }
    config
}

#[test]
fn strangers_of_the_pool_are_handed_to_their_hook_before_they_are_answered() {
    let mut world = with_pair(hooked(Some("desk"), None), Manner::default(), 1);
    world.hooks.say(Advised::Do(vec![Action::Reject { status: 486 }]));
    world.caller(seconds(0), calling(STRANGER, LINE));
    let world = run(world);
    assert_eq!(cause(&world), (Side::Us, Cause::Refused));
    assert_eq!(&*world.hooks.asked[0].hook, "desk");
    assert!(record(&world).answered.is_none());
}

#[test]
fn a_pair_is_connected_where_its_hook_approves_and_only_there() {
    for (says, bridges, cause_then) in [
        (Advised::Approved, 1, (Side::Caller, Cause::HungUp)),
        (Advised::Vetoed(Some("night".into())), 0, (Side::Us, Cause::Refused)),
    ] {
        let mut world = with_pair(hooked(None, Some("ward")), Manner::default(), 1);
        world.hooks.say(says);
        world.callee(CLIENT, answering());
        world.caller(seconds(0), calling(COURIER, LINE));
        let world = run(world);
        assert_eq!((world.bridges(), cause(&world)), (bridges, cause_then));
        let Matter::Approval { caller, callee } = world.hooks.asked[0].matter else {
            panic!("it is asked whether")
        };
        assert_eq!((caller, callee), (Role::A, number(CLIENT)));
    }
}
