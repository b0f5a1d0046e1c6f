//! The order call as its specification tells it, in virtual time.

use std::time::Duration;

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order, world};
use b2bua::{Cause, Query, Record, Role, Side};
use ivr_prompts::*;
use sim::{Act, CalleePlan, CallerPlan, Reaction, Weather, World};

/// Places of the prompts in a language's part of the library.
pub(crate) mod ivr_prompts {
    pub(crate) const START: u16 = 0;
    pub(crate) const OPERATOR_HINT: u16 = 1;
    pub(crate) const REPEAT: u16 = 2;
    pub(crate) const GOODBYE_NO_INPUT: u16 = 3;
    pub(crate) const GOODBYE_NOTHING_CHOSEN: u16 = 4;
    pub(crate) const OPERATOR_CONNECTING: u16 = 5;
    pub(crate) const OPERATOR_UNAVAILABLE: u16 = 6;
    pub(crate) const ORDER_UNKNOWN: u16 = 7;
    pub(crate) const NUMBER_UNKNOWN: u16 = 8;
    pub(crate) const WAIT_COURIER: u16 = 9;
    pub(crate) const WAIT_CLIENT: u16 = 10;
    pub(crate) const COURIER_CALLING: u16 = 11;
    pub(crate) const CLIENT_CALLING: u16 = 12;
    pub(crate) const COURIER_UNAVAILABLE: u16 = 13;
    pub(crate) const CLIENT_UNAVAILABLE: u16 = 14;
    pub(crate) const CONFIRM: u16 = 15;
    pub(crate) const REDIAL: u16 = 16;
    pub(crate) const BEEP: u16 = 17;
    pub(crate) const MUSIC: u16 = 18;
    pub(crate) const DIGIT: u16 = 19;
    pub(crate) const RECORDING_NOTICE: u16 = 29;
    pub(crate) const RECORDING_CHOICE: u16 = 30;
    pub(crate) const QUIET_HOURS: u16 = 31;
    pub(crate) const NOT_PERMITTED: u16 = 32;
    pub(crate) const TRY_LATER: u16 = 33;
}

fn record(world: &World) -> &Record {
    assert_eq!(world.audit.records.len(), 1);
    &world.audit.records[0]
}

fn cause(world: &World) -> (Side, Cause) {
    let outcome = record(world).outcome.expect("a record has its outcome");
    (outcome.side, outcome.cause)
}

fn run(mut world: World) -> World {
    world.run_until_quiet();
    world.assert_clean();
    world
}

fn answering(seconds_after: u64) -> CalleePlan {
    CalleePlan::new(Reaction::Answer(seconds(seconds_after)))
}

#[test]
fn a_courier_reaches_the_client_who_hears_who_calls() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(5));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    let world = run(world);
    let digits = [1, 2, 3, 4, 5].map(|digit| DIGIT + digit);
    let mut whisper = vec![COURIER_CALLING];
    whisper.extend(digits);
    assert_eq!(world.played(), [vec![START], vec![WAIT_CLIENT, MUSIC], whisper]);
    assert_eq!(world.bridges(), 1);
    assert_eq!(cause(&world), (Side::Caller, Cause::HungUp));
    let record = record(&world);
    assert!(record.order_found && record.number_found && record.callee_reached);
    assert_eq!(record.caller_role, Some(Role::Courier));
    assert_eq!(record.code.unwrap().as_str(), "12345");
    assert_eq!(record.callee.unwrap().to_string(), CLIENT);
    assert!(record.caller_media.is_some() && record.callee_media.is_some());
    assert!(record.talked_for() > seconds(30) && record.answered_for() > record.talked_for());
}

#[test]
fn a_client_reaches_the_courier_and_the_callee_may_hang_up() {
    let mut world = with_order(world());
    world.callee(COURIER, answering(3).doing(seconds(40), Act::HangUp));
    world.caller(seconds(0), CallerPlan::keying(CLIENT, LINE, "12345"));
    let world = run(world);
    assert_eq!(world.played()[1], [WAIT_COURIER, MUSIC]);
    assert_eq!(world.played()[2][0], CLIENT_CALLING);
    assert_eq!(cause(&world), (Side::Callee, Cause::HungUp));
    assert_eq!(record(&world).caller_role, Some(Role::Client));
}

#[test]
fn the_same_through_foul_weather_twenty_times() {
    for seed in 0..20 {
        let mut world = with_order(World::new(sim::config(), Weather::FOUL, seed));
        world.callee(CLIENT, answering(5));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(90), Act::HangUp));
        let world = run(world);
        assert_eq!(world.bridges(), 1, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let fingerprint = |seed| {
        let mut world = with_order(World::new(sim::config(), Weather::FOUL, seed));
        world.callee(CLIENT, answering(5));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(90), Act::HangUp));
        run(world).fingerprint()
    };
    assert_eq!(fingerprint(7), fingerprint(7));
    assert_ne!(fingerprint(7), fingerprint(8));
}

#[test]
fn a_caller_who_keys_nothing_is_hinted_asked_again_and_seen_off() {
    let mut world = with_order(world());
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, ""));
    let world = run(world);
    assert_eq!(world.played(), [[START], [OPERATOR_HINT], [REPEAT], [GOODBYE_NO_INPUT]]);
    assert_eq!(cause(&world), (Side::Us, Cause::NoInput));
}

#[test]
fn an_unknown_code_may_be_keyed_again() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    let plan = CallerPlan::keying(COURIER, LINE, "9999912345").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), plan);
    let world = run(world);
    assert_eq!(world.played()[..3], [vec![START], vec![ORDER_UNKNOWN], vec![WAIT_CLIENT, MUSIC]]);
    assert_eq!(record(&world).attempts, 2);
}

#[test]
fn four_digits_are_looked_up_when_no_fifth_comes() {
    let mut world = with_order(world());
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "1234"));
    let world = run(world);
    assert_eq!(world.played(), [[START], [ORDER_UNKNOWN], [REPEAT], [GOODBYE_NOTHING_CHOSEN]]);
    assert_eq!(cause(&world), (Side::Us, Cause::NothingChosen));
}

#[test]
fn a_sixth_digit_does_no_harm() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "123456").doing(seconds(60), Act::HangUp));
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn a_stranger_learns_nothing_and_can_only_ask_for_the_operator() {
    let mut world = with_order(world());
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "1234512345"));
    let world = run(world);
    assert_eq!(world.played(), [[START], [NUMBER_UNKNOWN], [GOODBYE_NOTHING_CHOSEN]]);
    let record = record(&world);
    assert!(record.order_found && !record.number_found && record.callee.is_none());
}

#[test]
fn an_anonymous_caller_is_a_stranger() {
    let mut world = with_order(world());
    world.caller(seconds(0), CallerPlan::keying("anonymous", LINE, "12345"));
    let world = run(world);
    assert_eq!(world.played()[1], [NUMBER_UNKNOWN]);
    assert_eq!(record(&world).caller, None);
}

#[test]
fn hash_reaches_the_operator() {
    let mut world = with_order(world());
    world.callee(OPERATOR, answering(2).doing(seconds(30), Act::HangUp));
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "12#"));
    let world = run(world);
    assert_eq!(world.played(), [vec![START], vec![OPERATOR_CONNECTING, MUSIC]]);
    let record = record(&world);
    assert!(record.operator_asked && record.operator_reached && !record.callee_reached);
    assert_eq!(world.bridges(), 1);
}

#[test]
fn an_operator_who_is_busy_is_said_to_be() {
    let mut world = with_order(world());
    world.callee(OPERATOR, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "#"));
    let world = run(world);
    assert_eq!(world.played().last().unwrap(), &[OPERATOR_UNAVAILABLE]);
    assert_eq!(cause(&world), (Side::Callee, Cause::OperatorUnavailable));
}

#[test]
fn a_callee_who_cannot_be_had_is_said_to_be_unavailable_and_the_record_says_why() {
    let refused = |status| Reaction::Refuse(Duration::from_secs(1), status);
    let rows = [
        (refused(486), Cause::Busy),
        (refused(404), Cause::NoSuchNumber),
        (refused(480), Cause::NoAnswer),
        (refused(603), Cause::Declined),
        (refused(503), Cause::Unreachable),
        (refused(302), Cause::Unreachable),
        (refused(401), Cause::Unreachable),
        (Reaction::Ring, Cause::NoAnswer),
        (Reaction::Silent, Cause::Unreachable),
        (Reaction::AnswerOnCancel, Cause::NoAnswer),
    ];
    for (reaction, expected) in rows {
        let mut world = with_order(world());
        world.callee(CLIENT, CalleePlan::new(reaction));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
        let world = run(world);
        assert_eq!(world.played().last().unwrap(), &[CLIENT_UNAVAILABLE], "{reaction:?}");
        assert_eq!(cause(&world), (Side::Callee, expected), "{reaction:?}");
        assert_eq!(world.bridges(), 0, "{reaction:?}");
    }
}

#[test]
fn a_courier_who_cannot_be_had_has_words_of_their_own() {
    let mut world = with_order(world());
    world.callee(COURIER, CalleePlan::new(Reaction::Refuse(seconds(1), 486)));
    world.caller(seconds(0), CallerPlan::keying(CLIENT, LINE, "12345"));
    assert_eq!(run(world).played().last().unwrap(), &[COURIER_UNAVAILABLE]);
}

#[test]
fn early_media_then_an_answer_is_an_answer() {
    let mut world = with_order(world());
    world.callee(CLIENT, CalleePlan::new(Reaction::Progress(seconds(4))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn of_two_phones_that_both_answer_one_is_joined_and_the_other_hung_up() {
    let mut world = with_order(world());
    world.callee(CLIENT, CalleePlan::new(Reaction::Fork(Duration::from_millis(5))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn a_caller_who_hangs_up_while_it_rings_cancels_the_callee() {
    let mut world = with_order(world());
    world.callee(CLIENT, CalleePlan::new(Reaction::Ring));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(12), Act::HangUp));
    let world = run(world);
    assert_eq!(cause(&world), (Side::Caller, Cause::HungUp));
}

#[test]
fn a_caller_without_an_offer_is_served_all_the_same() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
    plan.offers = false;
    world.caller(seconds(0), plan);
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn a_caller_who_never_acknowledges_is_given_up() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345");
    plan.acknowledges = false;
    world.caller(seconds(0), plan);
    world.run_until_quiet();
    assert_eq!(record(&world).outcome.unwrap().cause, Cause::SignallingLost);
    assert_eq!(world.board.gauges().calls, 0);
}

#[test]
fn unknown_lines_and_our_own_number_as_caller_are_refused_and_recorded() {
    for (from, to, status, expected) in
        [(COURIER, "+78005550000", 404, Cause::UnknownLine), (LINE, LINE, 482, Cause::Loop)]
    {
        let mut world = world();
        world.caller(seconds(0), CallerPlan::keying(from, to, ""));
        let world = run(world);
        assert_eq!(world.statuses(), [Some(status)]);
        assert_eq!(record(&world).outcome.unwrap().cause, expected);
    }
}

#[test]
fn national_forms_of_the_caller_and_the_line_are_the_same_numbers() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    let plan = CallerPlan::keying("89991111111", "88005553535", "12345").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), plan);
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn they_are_warned_a_minute_before_they_have_talked_enough() {
    let mut config = sim::config();
    config.lines[0].max_call = seconds(300);
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    world.callee(CLIENT, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
    let world = run(world);
    assert_eq!(world.played()[3..], [[BEEP], [BEEP]]);
    assert_eq!(cause(&world), (Side::Us, Cause::MaxDuration));
    assert_eq!(record(&world).talked_for(), seconds(300));
}

#[test]
fn a_callee_who_must_confirm_presses_one_or_is_not_joined() {
    for (keys, bridges) in [("1", 1), ("2", 0), ("", 0)] {
        let mut config = sim::config();
        config.lines[0].confirm = Some(seconds(8));
        let mut world = with_order(World::new(config, Weather::FAIR, 1));
        let mut plan = answering(1);
        plan.keys = keys.chars().map(|key| (seconds(3), key)).collect();
        world.callee(CLIENT, plan);
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(90), Act::HangUp));
        let world = run(world);
        assert_eq!(world.bridges(), bridges, "{keys:?}");
        assert_eq!(world.played()[2].last(), Some(&CONFIRM));
    }
}

#[test]
fn without_a_whisper_they_are_joined_at_the_answer() {
    let mut config = sim::config();
    config.lines[0].whisper = false;
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    world.callee(CLIENT, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    let world = run(world);
    assert_eq!(world.played(), [vec![START], vec![WAIT_CLIENT, MUSIC]]);
    assert_eq!(world.bridges(), 1);
}

#[test]
fn a_caller_with_one_order_is_not_asked_where_the_line_says_so() {
    let mut config = sim::config();
    config.lines[0].service =
        b2bua::Service::Orders(b2bua::Orders { ask_when_needed: true, ..sim::orders() });
    let mut world = with_order(World::new(config.clone(), Weather::FAIR, 1));
    world.callee(CLIENT, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "").doing(seconds(60), Act::HangUp));
    let world = run(world);
    assert_eq!(world.played()[0], [WAIT_CLIENT, MUSIC]);
    assert_eq!(world.bridges(), 1);

    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, ""));
    assert_eq!(run(world).played()[0], [START]);
}

#[test]
fn someone_who_was_called_may_call_back_with_one_key() {
    let mut config = sim::config();
    config.lines[0].service =
        b2bua::Service::Orders(b2bua::Orders { redial: Some(seconds(7200)), ..sim::orders() });
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    world.callee(CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 480)));
    world.callee(COURIER, answering(1));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
    world.run_until_quiet();
    world.caller(seconds(60), CallerPlan::keying(CLIENT, LINE, "1").doing(seconds(60), Act::HangUp));
    let world = {
        world.run_until_quiet();
        world
    };
    world.assert_clean();
    assert!(world.played().contains(&vec![REDIAL]));
    assert_eq!(world.bridges(), 1);
}

#[test]
fn three_failed_calls_lock_a_number_out_without_telling_it() {
    let mut world = with_order(world());
    for call in 0..4 {
        let code = ["11111", "22222", "33333", "12345"][call];
        let plan = CallerPlan::keying(COURIER, LINE, code).doing(seconds(20), Act::HangUp);
        world.caller(seconds(call as u64 * 60), plan);
    }
    let world = run(world);
    assert_eq!(world.audit.records.len(), 4);
    let last = &world.audit.records[3];
    assert!(last.locked_out && !last.order_found);
    assert_eq!(world.orders.asked.last(), Some(&Query::Nothing));
    let tried: Vec<_> = world.played().into_iter().filter(|prompts| prompts == &[ORDER_UNKNOWN]).collect();
    assert_eq!(tried.len(), 4);
}

#[test]
fn a_key_sent_by_info_as_well_is_one_key() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(1));
    let mut plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
    for (after, key) in plan.keys.clone() {
        plan = plan.doing(after + Duration::from_millis(150), Act::Info(key));
    }
    world.caller(seconds(0), plan);
    let world = run(world);
    assert_eq!((world.bridges(), record(&world).attempts), (1, 1));
}

/// A caller whose keys are tones in the audio.
fn without_events(plan: CallerPlan) -> CallerPlan {
    CallerPlan { events: false, ..plan }
}

#[test]
fn a_caller_without_telephone_events_keys_in_the_audio() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(5));
    let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), without_events(plan));
    let world = run(world);
    assert_eq!((world.bridges(), record(&world).attempts), (1, 1));
    assert_eq!(record(&world).code.unwrap().as_str(), "12345");
}

#[test]
fn tones_clear_a_code_and_reach_the_operator() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(5));
    let plan = CallerPlan::keying(COURIER, LINE, "99*12345").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), without_events(plan));
    let world = run(world);
    assert_eq!((world.bridges(), record(&world).attempts), (1, 1));
    let mut world = with_order(self::world());
    world.callee(OPERATOR, answering(2));
    let plan = CallerPlan::keying(STRANGER, LINE, "#").doing(seconds(60), Act::HangUp);
    world.caller(seconds(0), without_events(plan));
    let world = run(world);
    assert!(record(&world).operator_reached);
}

#[test]
fn tones_sent_by_info_as_well_are_one_key_each() {
    for apart in [0, 30, 150] {
        let mut world = with_order(world());
        world.callee(CLIENT, answering(1));
        let mut plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
        for (after, key) in plan.keys.clone() {
            plan = plan.doing(after + Duration::from_millis(apart), Act::Info(key));
        }
        world.caller(seconds(0), without_events(plan));
        let world = run(world);
        assert_eq!((world.bridges(), record(&world).attempts), (1, 1), "{apart} ms");
    }
}

#[test]
fn a_callee_without_telephone_events_confirms_by_tones() {
    let mut config = sim::config();
    config.lines[0].confirm = Some(seconds(8));
    let mut world = with_order(World::new(config, Weather::FAIR, 1));
    let keys = vec![(seconds(3), '1')];
    world.callee(CLIENT, CalleePlan { events: false, keys, ..answering(5) });
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(90), Act::HangUp));
    let world = run(world);
    assert_eq!(world.bridges(), 1);
    assert!(record(&world).callee_reached);
}

#[test]
fn ten_calls_at_once_do_not_mix() {
    let mut world = with_order(world());
    world.callee(CLIENT, answering(5));
    world.callee(COURIER, answering(5));
    for call in 0..10 {
        let who = if call % 2 == 0 { COURIER } else { CLIENT };
        let plan = CallerPlan::keying(who, LINE, "12345").doing(seconds(60 + call), Act::HangUp);
        world.caller(Duration::from_millis(700 * call), plan);
    }
    let world = run(world);
    assert_eq!((world.bridges(), world.audit.records.len()), (10, 10));
}
