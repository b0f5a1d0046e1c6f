//! Callers who are answered only when the callee has answered: who hears what when, what they are refused with, and all of it broken
//! at every step.

use b2bua::{Across, Answer, Blocked, Cause, Config, Forbidden, Manner, Record, Service, Side, Strangers};
use number::Number;
use rtp::Command;
use sim::{Act, CalleePlan, CallerPlan, Reaction, Voice, Weather, World, sweep};

use crate::pairs;
use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds};

fn config(strangers: Strangers) -> Config {
    let mut config = pairs::config(strangers);
    config.lines[0].answer = Answer::WhenAnswered;
    config
}

fn calling() -> CallerPlan {
    CallerPlan::keying(COURIER, LINE, "").doing(seconds(60), Act::HangUp)
}

fn world(config: Config, callee: CalleePlan, caller: CallerPlan, seed: u64) -> World {
    let mut world = pairs::with_pair(config, Manner::default(), seed);
    world.callee(CLIENT, callee);
    world.caller(seconds(0), caller);
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

/// The statuses the caller was sent for their INVITE, in order.
fn told(world: &World) -> Vec<u16> {
    let peer = "192.0.2.11:5060".parse().expect("an address");
    let mut told = Vec::new();
    for bytes in &world.received[&peer] {
        if let Ok(sip::Message::Response(response)) = sip::parse(bytes.clone())
            && response.headers().cseq().method == sip::Method::Invite
        {
            told.push(response.status().code());
        }
    }
    told.dedup();
    told
}

fn answers() -> CalleePlan {
    CalleePlan::new(Reaction::Answer(seconds(5)))
}

#[test]
fn the_caller_hears_it_ring_where_it_rings_and_is_answered_when_the_callee_is_there() {
    let world = run(world(config(Strangers::Refuse), answers(), calling(), 1));
    assert_eq!((told(&world), world.bridges()), (vec![100, 180, 200], 1));
    assert_eq!(world.played(), Vec::<Vec<u16>>::new(), "nobody hears anything of ours");
    let record = record(&world);
    let tried = &record.tried[0];
    assert!(tried.answered.is_some() && record.answered >= tried.answered, "{record:?}");
    assert!(record.answered_for() < record.ended.expect("it is over").since(record.started));
    assert_eq!((cause(&world), record.bridged), ((Side::Caller, Cause::HungUp), record.answered));
    let opened = world.commands.iter().position(|command| matches!(command, Command::Bridge { .. }));
    assert!(opened.is_some() && record.recording.is_some());
}

#[test]
fn whoever_is_not_reached_costs_nobody_an_answer() {
    let reacts = |reaction| run(world(config(Strangers::Refuse), CalleePlan::new(reaction), calling(), 2));
    for (reaction, status, expected) in [
        (Reaction::Reject(486), 486, Cause::Busy),
        (Reaction::Reject(603), 603, Cause::Declined),
        (Reaction::Reject(404), 480, Cause::NoSuchNumber),
        (Reaction::Reject(503), 480, Cause::Unreachable),
        (Reaction::Ring, 480, Cause::NoAnswer),
    ] {
        let world = reacts(reaction);
        assert_eq!((cause(&world).1, told(&world).pop()), (expected, Some(status)), "{reaction:?}");
        assert_eq!((record(&world).answered, world.played().len()), (None, 0));
    }
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let gives_up = CallerPlan { acts: Vec::new(), ..calling() };
    let mut world = world(config(Strangers::Refuse), CalleePlan::new(Reaction::AnswerOnCancel), gives_up, 3);
    world.run_for(seconds(4));
    world.caller_acts(Act::HangUp);
    let world = run(world);
    assert_eq!((cause(&world), world.bridges()), ((Side::Caller, Cause::Cancelled), 0));
    assert_eq!(told(&world), [100, 180, 487]);
}

#[test]
fn a_callee_who_must_confirm_does_so_while_the_caller_hears_it_ring() {
    let mut config = config(Strangers::Refuse);
    config.lines[0].confirm = Some(seconds(8));
    let mut human = answers();
    human.keys = vec![(seconds(3), '1')];
    let talks = run(world(config.clone(), human, calling(), 4));
    assert_eq!((told(&talks), talks.bridges()), (vec![100, 180, 200], 1));
    let voicemail = run(world(config, answers(), calling(), 5));
    assert_eq!((voicemail.statuses(), voicemail.bridges()), (vec![Some(480)], 0));
    assert_eq!(cause(&voicemail), (Side::Callee, Cause::NoAnswer));
}

#[test]
fn a_caller_who_offers_nothing_is_joined_once_they_have_said_where_they_are() {
    let late = CallerPlan { offers: false, ..calling() };
    let talks = run(world(config(Strangers::Refuse), answers(), late.clone(), 6));
    assert_eq!((told(&talks), talks.bridges()), (vec![100, 180, 200], 1));
    // The callee is gone before the ACK comes: the caller never sends one.
    let silent = CallerPlan { acknowledges: false, acts: Vec::new(), ..late };
    let leaves = answers().doing(seconds(1), Act::HangUp);
    let gone = run(world(config(Strangers::Refuse), leaves, silent, 7));
    assert_eq!((cause(&gone), gone.bridges()), ((Side::Callee, Cause::HungUp), 0));
}

#[test]
fn strangers_are_told_or_refused_and_rules_forbid_by_a_status() {
    let from = |config: Config, number: &str| {
        let caller = CallerPlan::keying(number, LINE, "").doing(seconds(60), Act::HangUp);
        run(world(config, answers(), caller, 8))
    };
    let told = from(config(Strangers::Tell), STRANGER);
    assert_eq!((cause(&told).1, told.statuses()), (Cause::NotConnected, vec![Some(200)]));
    assert_eq!(told.played().len(), 1, "who is to be told is answered");
    let refused = from(config(Strangers::Refuse), STRANGER);
    assert_eq!(refused.statuses(), [Some(403)]);
    let mut denied = config(Strangers::Refuse);
    denied.lines[0].dial.deny = vec![b2bua::Prefix::parse("+79992").expect("a prefix")];
    assert_eq!(from(denied, COURIER).statuses(), [Some(480)]);
    for (why, status) in [(Forbidden::Quiet, 480), (Forbidden::Blocked, 603)] {
        let mut world = world(config(Strangers::Refuse), answers(), calling(), 9);
        world.orders.forbidden.insert(Number::parse(CLIENT).expect("a number"), why);
        let world = run(world);
        assert_eq!((world.statuses(), world.played().len()), (vec![Some(status)], 0), "{why:?}");
    }
    let mut heard_out = config(Strangers::Refuse);
    heard_out.lines[0].blocked = Blocked::HearOut;
    let mut world = world(heard_out, answers(), calling(), 10);
    world.orders.blocked.push(Number::parse(COURIER).expect("a number"));
    let world = run(world);
    assert_eq!((cause(&world).1, record(&world).answered), (Cause::Blocked, None));
}

#[test]
fn whoever_calls_a_reserve_line_pays_once_the_operator_is_there() {
    let reserve = |reaction| {
        let mut config = sim::config();
        (config.lines[0].service, config.lines[0].answer) = (Service::Reserve, Answer::WhenAnswered);
        let mut world = World::new(config, Weather::FAIR, 11);
        world.callee(OPERATOR, CalleePlan::new(reaction));
        world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "").doing(seconds(30), Act::HangUp));
        run(world)
    };
    let talks = reserve(Reaction::Answer(seconds(3)));
    assert_eq!((told(&talks), talks.bridges()), (vec![100, 180, 200], 1));
    let busy = reserve(Reaction::Reject(486));
    assert_eq!((busy.statuses(), cause(&busy).1), (vec![Some(480)], Cause::OperatorUnavailable));
}

#[test]
fn a_callers_network_never_hears_what_comes_early_from_the_callees() {
    let mut config = config(Strangers::Refuse);
    config.lines[0].early_media = b2bua::EarlyMedia::Pass;
    let world = run(world(config, CalleePlan::new(Reaction::Progress(seconds(3))), calling(), 12));
    assert_eq!((told(&world), world.bridges()), (vec![100, 180, 200], 1));
}

#[test]
fn a_fallback_is_reached_as_a_party_is() {
    let mut world = World::new(config(Strangers::Refuse), Weather::FAIR, 13);
    let across = Across::Fallback(Number::parse(CLIENT).expect("a number"));
    let pair = b2bua::Pair {
        id: b2bua::PairId(7),
        caller: b2bua::Role::A,
        language: None,
        across,
        manner: Manner::default(),
        data: None,
    };
    let number = |text| Number::parse(text).expect("a number");
    world.orders.pair(number(LINE), Some(number(COURIER)), pair);
    world.callee(CLIENT, answers());
    world.caller(seconds(0), calling());
    let world = run(world);
    assert_eq!((told(&world), world.bridges()), (vec![100, 180, 200], 1));
}

fn talks(seed: u64) -> World {
    let mut config = config(Strangers::Refuse);
    config.lines[0].confirm = Some(seconds(8));
    let mut human = CalleePlan::new(Reaction::Answer(seconds(2)));
    human.keys = vec![(seconds(2), '1')];
    world(config, human, calling(), seed)
}

fn busy(seed: u64) -> World {
    world(config(Strangers::Refuse), CalleePlan::new(Reaction::Refuse(seconds(1), 486)), calling(), seed)
}

fn offers_late(seed: u64) -> World {
    let mut config = config(Strangers::Refuse);
    config.trunks[0].srtp = b2bua::SrtpPolicy::Offered;
    let mut caller = CallerPlan { offers: false, ..calling() };
    caller.voice = Voice::Plain;
    world(config, CalleePlan::new(Reaction::Answer(seconds(2))), caller, seed)
}

#[test]
fn a_call_answered_late() {
    assert!(sweep(talks, 51) > 500);
}

#[test]
fn a_call_refused_for_a_callee_who_is_busy() {
    assert!(sweep(busy, 52) > 300);
}

#[test]
fn a_call_answered_late_whose_caller_offers_nothing() {
    assert!(sweep(offers_late, 53) > 500);
}
