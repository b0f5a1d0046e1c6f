//! Calls that we begin ourselves: who is called when, who takes the call, what remains of it, and all of it broken at every step.

use b2bua::{
    CallId, Callback, Calling, Candidate, Cause, Control, Happening, Input, Output, Record, Side, Stage,
    Strategy, When,
};
use number::Number;
use sim::{Act, CalleePlan, Reaction, Weather, World, sweep};

use crate::worlds::{LINE, seconds};

pub(crate) const AGENT: &str = "+79991111111";
pub(crate) const CLIENT: &str = "+79992222222";
pub(crate) const SPARE: &str = "+79994444444";
pub(crate) const THIRD: &str = "+79995555555";
const ID: CallId = CallId(1 << 90);

pub(crate) fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

pub(crate) fn calling(numbers: &[&str], strategy: Strategy) -> Calling {
    let candidate = |text: &&str| Candidate { number: number(text), ring_timeout: Some(seconds(20)) };
    Calling {
        candidates: numbers.iter().map(candidate).collect(),
        strategy,
        shown: number(LINE),
        prompt: None,
        confirm: false,
    }
}

pub(crate) fn callback(first: Calling, second: Calling) -> Callback {
    Callback { call: ID, line: number(LINE), first, second, max_call: None, record: None, data: None }
}

pub(crate) fn one(text: &str) -> Calling {
    calling(&[text], Strategy::InOrder)
}

pub(crate) fn prompt() -> Option<b2bua::Speech> {
    Some(b2bua::Speech::Prompt(b2bua::Prompt::ClientCalling, None))
}

pub(crate) fn answers(after: u64) -> CalleePlan {
    CalleePlan::new(Reaction::Answer(seconds(after)))
}

pub(crate) fn world(seed: u64, plans: &[(&str, CalleePlan)], callback: Callback) -> World {
    world_of(sim::config(), seed, plans, callback)
}

fn world_of(config: b2bua::Config, seed: u64, plans: &[(&str, CalleePlan)], callback: Callback) -> World {
    let mut world = World::new(config, Weather::FAIR, seed);
    for (number, plan) in plans {
        world.callee(number, plan.clone());
    }
    world.callback(seconds(0), callback);
    world
}

pub(crate) fn run(mut world: World) -> World {
    world.run_until_quiet();
    world.assert_clean();
    world
}

pub(crate) fn record(world: &World) -> &Record {
    assert_eq!(world.audit.records.len(), 1);
    &world.audit.records[0]
}

pub(crate) fn end(world: &World) -> (Side, Cause) {
    let outcome = record(world).outcome.expect("a record has its outcome");
    (outcome.side, outcome.cause)
}

/// Who was called, in which order, and what it came to.
pub(crate) fn tried(world: &World) -> Vec<(String, Cause)> {
    let of = |tried: &b2bua::Tried| {
        let number = tried.number.expect("it has a number").to_string();
        (number, tried.outcome.expect("it is over").cause)
    };
    record(world).tried.iter().map(of).collect()
}

#[test]
fn one_side_is_called_then_the_other_and_both_talk() {
    let talk = answers(2).doing(seconds(60), Act::HangUp);
    let world = run(world(1, &[(AGENT, talk), (CLIENT, answers(3))], callback(one(AGENT), one(CLIENT))));
    assert_eq!((world.bridges(), end(&world)), (1, (Side::Caller, Cause::HungUp)));
    let record = record(&world);
    assert!(record.callback && record.callee_reached && record.call == ID);
    assert_eq!((record.caller, record.callee), (Some(number(AGENT)), Some(number(CLIENT))));
    assert_eq!((&*record.trunk, record.callee_trunk.as_deref()), ("carrier", Some("carrier")));
    let [first, second] = &record.tried[..] else { panic!("{:?}", record.tried) };
    assert_eq!((first.side, second.side), (Side::Caller, Side::Callee));
    assert!(first.waited_for() >= seconds(2) && second.waited_for() >= seconds(3));
    assert!(first.answered_for() >= seconds(60) && record.talked_for() >= seconds(50));
    assert!(first.rang < first.answered && first.answered <= Some(second.dialled));
    let music = vec![18];
    assert_eq!(world.played(), [music], "nobody has a prompt: the first hears music alone");
    let names: Vec<_> = world.audit.happened.iter().map(Happening::name).collect();
    let expected = [
        "originated",
        "dialling",
        "ringing",
        "first-answered",
        "dialling",
        "ringing",
        "second-answered",
        "bridged",
        "ended",
    ];
    assert_eq!(names, expected);
    assert!(record.recording.is_some() && record.caller_media.is_some() && record.callee_media.is_some());
}

#[test]
fn each_side_sees_the_line_it_is_to_see() {
    let mut config = sim::config();
    config.lines.push(b2bua::Line { number: number("+78006666666"), ..config.lines[0].clone() });
    let second = Calling { shown: number("+78006666666"), ..one(CLIENT) };
    let world =
        run(world_of(config, 2, &[(AGENT, answers(1)), (CLIENT, answers(1))], callback(one(AGENT), second)));
    let invites = world.received.values().flatten().filter_map(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        // The first of a dialog.
        let is_first = text.starts_with("INVITE") && !text.contains(";tag=tag-canary");
        is_first.then_some(text)
    });
    let mut seen = 0;
    for invite in invites {
        let (shown, hidden) = if invite.starts_with(&format!("INVITE sip:{AGENT}")) {
            (LINE, ["78006666666", "79992222222"])
        } else {
            ("+78006666666", ["78005553535", "79991111111"])
        };
        assert!(invite.contains(&format!("From: <sip:{shown}@")), "{invite}");
        assert!(hidden.iter().all(|hidden| !invite.contains(hidden)), "{invite}");
        seen += 1;
    }
    assert!(seen >= 2);
}

#[test]
fn each_side_hears_its_prompt_and_voicemail_does_not_take_the_call() {
    let made = Some(b2bua::Speech::Made(std::sync::Arc::new(rtp::Prompt::new(&[1; 80]))));
    let first = Calling { prompt: prompt(), ..one(AGENT) };
    let second = Calling { prompt: made, confirm: true, ..calling(&[CLIENT, SPARE], Strategy::InOrder) };
    let mut human = answers(1).doing(seconds(60), Act::HangUp);
    human.keys = vec![(seconds(2), '1')];
    let plans = [(AGENT, answers(1)), (CLIENT, answers(1)), (SPARE, human)];
    let world = run(world(3, &plans, callback(first, second)));
    assert_eq!(end(&world), (Side::Callee, Cause::HungUp));
    assert_eq!(record(&world).callee, Some(number(SPARE)));
    let of = |number: &str, cause| (number.to_owned(), cause);
    let expected = [of(AGENT, Cause::HungUp), of(CLIENT, Cause::NoAnswer), of(SPARE, Cause::HungUp)];
    assert_eq!(tried(&world), expected);
    assert_eq!(world.played(), [vec![12], vec![18], vec![sim::MADE, 15], vec![sim::MADE, 15]]);
}

#[test]
fn a_first_side_that_does_not_confirm_is_left_for_the_next() {
    let first = Calling { confirm: true, ..calling(&[AGENT, SPARE], Strategy::InOrder) };
    let mut human = answers(1).doing(seconds(60), Act::HangUp);
    human.keys = vec![(seconds(1), '1')];
    let world = run(world(
        4,
        &[(AGENT, answers(1)), (SPARE, human), (CLIENT, answers(1))],
        callback(first, one(CLIENT)),
    ));
    assert_eq!(end(&world), (Side::Caller, Cause::HungUp));
    assert_eq!((record(&world).caller, world.bridges()), (Some(number(SPARE)), 1));
}

#[test]
fn a_list_is_called_one_after_the_other_until_somebody_answers() {
    let refuses = |status| CalleePlan::new(Reaction::Refuse(seconds(1), status));
    let second = calling(&[CLIENT, THIRD, SPARE], Strategy::InOrder);
    let plans = [
        (AGENT, answers(1)),
        (CLIENT, refuses(486)),
        (THIRD, CalleePlan::new(Reaction::Ring)),
        (SPARE, answers(2).doing(seconds(30), Act::HangUp)),
    ];
    let world = run(world(5, &plans, callback(one(AGENT), second)));
    let of = |number: &str, cause| (number.to_owned(), cause);
    let expected = [
        of(AGENT, Cause::HungUp),
        of(CLIENT, Cause::Busy),
        of(THIRD, Cause::NoAnswer),
        of(SPARE, Cause::HungUp),
    ];
    assert_eq!((tried(&world), world.bridges()), (expected.to_vec(), 1));
    let rang = &record(&world).tried[2];
    assert_eq!(rang.waited_for(), seconds(20), "each has its own patience");
}

#[test]
fn who_is_called_at_random_is_drawn_for_each_call() {
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let first = calling(&[AGENT, SPARE, THIRD], Strategy::Random);
        let plans = [AGENT, SPARE, THIRD].map(|number| (number, CalleePlan::new(Reaction::Reject(486))));
        let world = run(world(seed, &plans, callback(first, one(CLIENT))));
        let tried = tried(&world);
        assert_eq!((tried.len(), end(&world)), (3, (Side::Caller, Cause::Busy)));
        firsts.insert(tried[0].0.clone());
    }
    assert_eq!(firsts.len(), 3);
}

#[test]
fn of_those_called_at_once_one_takes_the_call_and_the_others_are_rung_no_more() {
    let second = calling(&[CLIENT, THIRD, SPARE], Strategy::AtOnce);
    let plans = [
        (AGENT, answers(1)),
        (CLIENT, CalleePlan::new(Reaction::Ring)),
        // Its 200 crosses our CANCEL.
        (THIRD, CalleePlan::new(Reaction::AnswerOnCancel)),
        (SPARE, answers(2).doing(seconds(30), Act::HangUp)),
    ];
    let world = run(world(6, &plans, callback(one(AGENT), second)));
    assert_eq!((world.bridges(), record(&world).callee), (1, Some(number(SPARE))));
    let causes: Vec<Cause> = tried(&world).into_iter().map(|(_, cause)| cause).collect();
    let elsewhere = Cause::AnsweredElsewhere;
    assert_eq!(causes, [Cause::HungUp, elsewhere, elsewhere, Cause::HungUp]);
}

#[test]
fn answers_that_cross_are_ended_and_nobody_is_left_behind() {
    for seed in 0..40 {
        let second = calling(&[CLIENT, THIRD, SPARE], Strategy::AtOnce);
        let first = calling(&[AGENT, "+79996666666"], Strategy::AtOnce);
        let leaves = answers(2).doing(seconds(30), Act::HangUp);
        let plans = [
            (AGENT, answers(1)),
            ("+79996666666", answers(1)),
            (CLIENT, leaves.clone()),
            (THIRD, leaves.clone()),
            (SPARE, leaves),
        ];
        let mut world = World::new(sim::config(), Weather::FOUL, seed);
        for (number, plan) in plans {
            world.callee(number, plan);
        }
        world.callback(seconds(0), callback(first, second));
        let world = run(world);
        assert_eq!(world.bridges(), 1, "seed {seed}");
    }
}

#[test]
fn whoever_is_not_to_be_had_ends_the_call_and_the_other_is_told() {
    let busy = CalleePlan::new(Reaction::Reject(486));
    let nobody = run(world(7, &[(AGENT, busy.clone())], callback(one(AGENT), one(CLIENT))));
    assert_eq!((end(&nobody), nobody.played()), ((Side::Caller, Cause::Busy), vec![]));
    assert_eq!(record(&nobody).stage(), Stage::Ended);
    let plans = [(AGENT, answers(1)), (CLIENT, busy.clone()), (SPARE, busy)];
    let list = calling(&[CLIENT, SPARE], Strategy::InOrder);
    let alone = run(world(8, &plans, callback(one(AGENT), list)));
    assert_eq!((end(&alone), alone.bridges()), ((Side::Callee, Cause::Busy), 0));
    assert_eq!(alone.played().last(), Some(&vec![14]));
}

#[test]
fn a_first_side_that_hangs_up_stops_the_ringing_of_all_others() {
    let second = calling(&[CLIENT, SPARE], Strategy::AtOnce);
    let plans = [
        (AGENT, answers(1).doing(seconds(5), Act::HangUp)),
        (CLIENT, CalleePlan::new(Reaction::Ring)),
        (SPARE, CalleePlan::new(Reaction::AnswerOnCancel)),
    ];
    let world = run(world(9, &plans, callback(one(AGENT), second)));
    assert_eq!((end(&world), world.bridges()), ((Side::Caller, Cause::HungUp), 0));
}

#[test]
fn they_talk_no_longer_than_the_callback_says_and_are_recorded_as_it_says() {
    let plans = [(AGENT, answers(1)), (CLIENT, answers(1))];
    let asked =
        Callback { max_call: Some(seconds(20)), record: Some(false), ..callback(one(AGENT), one(CLIENT)) };
    let world = run(world(10, &plans, asked));
    assert_eq!(end(&world), (Side::Us, Cause::MaxDuration));
    assert_eq!((record(&world).talked_for(), record(&world).recording.as_deref()), (seconds(20), None));
}

#[test]
fn limits_apply_and_whoever_is_refused_has_a_record() {
    let asked = || callback(one(AGENT), one(CLIENT));
    let mut full = sim::config();
    full.limits.calls = 0;
    let mut no_line = sim::config();
    no_line.lines[0].number = number("+78006666666");
    let mut no_room = sim::config();
    no_room.trunks[0].max_calls = Some(0);
    let overloaded = (Side::Us, Cause::Overloaded);
    for (config, expected) in
        [(full, overloaded), (no_line, (Side::Us, Cause::UnknownLine)), (no_room, overloaded)]
    {
        let world = run(world_of(config, 11, &[], asked()));
        assert_eq!(end(&world), expected);
        assert!(world.received.is_empty(), "nobody was called");
    }
    let mut drained = world(12, &[], asked());
    drained.feed(Input::Control(Control::Drain));
    assert_eq!(end(&run(drained)), overloaded);
    let none = Calling { candidates: Vec::new(), ..one(AGENT) };
    assert_eq!(end(&run(world(13, &[], callback(none, one(CLIENT))))), (Side::Us, Cause::UnknownLine));
}

#[test]
fn of_one_trunk_with_two_places_three_called_at_once_take_two() {
    let mut config = sim::config();
    config.trunks[0].max_calls = Some(3);
    let second = calling(&[CLIENT, THIRD, SPARE], Strategy::AtOnce);
    let plans = [(AGENT, answers(1)), (CLIENT, CalleePlan::new(Reaction::Reject(486)))];
    let mut world = world_of(config, 14, &plans, callback(one(AGENT), second));
    world.callee(THIRD, answers(1).doing(seconds(10), Act::HangUp));
    let world = run(world);
    let causes: Vec<Cause> = tried(&world).into_iter().map(|(_, cause)| cause).collect();
    assert_eq!(causes, [Cause::HungUp, Cause::Busy, Cause::HungUp, Cause::Overloaded]);
}

#[test]
fn nobody_is_called_before_the_call_is_kept() {
    let mut world = world(15, &[(AGENT, answers(1))], callback(one(AGENT), one(CLIENT)));
    world.run_until(1);
    world.silence_store();
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(end(&world), (Side::Us, Cause::Overloaded));
    assert!(world.received.is_empty());
}

#[test]
fn the_same_callback_twice_is_one_call() {
    let mut world =
        world(16, &[(AGENT, answers(1)), (CLIENT, answers(1))], callback(one(AGENT), one(CLIENT)));
    world.callback(seconds(1), callback(one(AGENT), one(CLIENT)));
    assert_eq!(run(world).bridges(), 1);
}

#[test]
fn a_callback_is_cancelled_only_while_it_has_not_come_too_far() {
    let plans = [(AGENT, answers(2)), (CLIENT, answers(2))];
    for (after, stage, when) in [
        (0, Stage::Waiting, When::NotRinging),
        (1, Stage::Ringing, When::NotAnswered),
        (4, Stage::FirstAnswered, When::Any),
        (10, Stage::Talking, When::Any),
    ] {
        for asked in When::ALL {
            let mut world = world(17, &plans, callback(one(AGENT), one(CLIENT)));
            world.run_until(1);
            world.run_for(seconds(after));
            assert_eq!(world.board.stage(ID), Some(stage), "{after}");
            world.feed(Input::Control(Control::Cancel { call: ID, when: asked }));
            let is_over = world.audit.happened.iter().any(|what| matches!(what, Happening::Ended { .. }));
            assert_eq!(is_over, asked.allows(stage), "{stage:?} {asked:?}");
            if asked == when {
                assert!(is_over, "{stage:?} {asked:?}");
                world.run_until_quiet();
                world.assert_clean();
                assert_eq!(end(&world), (Side::Us, Cause::Ended));
            }
        }
    }
}

#[test]
fn two_that_talk_talk_on_after_the_node_has_died() {
    let plans = [(AGENT, answers(1).doing(seconds(60), Act::HangUp)), (CLIENT, answers(1))];
    let mut world = world(18, &plans, callback(one(AGENT), one(CLIENT)));
    world.run_for(seconds(10));
    assert_eq!(world.bridges(), 1);
    world.die(seconds(1));
    let world = run(world);
    assert_eq!((world.bridges(), end(&world)), (2, (Side::Caller, Cause::HungUp)));
    assert_eq!((record(&world).restored, record(&world).tried.len()), (1, 2));
}

#[test]
fn where_nobody_talks_yet_the_death_of_the_node_ends_it_on_both_sides() {
    let second = calling(&[CLIENT, SPARE], Strategy::AtOnce);
    let rings = CalleePlan::new(Reaction::Ring);
    let plans = [(AGENT, answers(1)), (CLIENT, rings.clone()), (SPARE, rings)];
    let mut world = world(19, &plans, callback(one(AGENT), second));
    world.run_for(seconds(5));
    world.die(seconds(1));
    let world = run(world);
    assert_eq!((end(&world), world.bridges()), ((Side::Us, Cause::NodeLost), 0));
    assert!(tried(&world).iter().all(|(_, cause)| *cause == Cause::NodeLost));
}

/// Nothing of one side in any message of the other, whoever it is.
fn assert_masked(world: &World, first: &[&str], second: &[&str]) {
    let mut sides = std::collections::BTreeMap::new();
    let messages: Vec<_> = world.received.values().flatten().cloned().collect();
    for bytes in &messages {
        if let Ok(sip::Message::Request(invite)) = sip::parse(bytes.clone()) {
            let user = invite.headers().to().uri().user().unwrap_or_default().to_owned();
            let is_first = first.contains(&&*user);
            sides.entry(invite.headers().call_id().to_owned()).or_insert(is_first);
        }
    }
    let mut searched = 0;
    for bytes in &messages {
        let Ok(message) = sip::parse(bytes.clone()) else { panic!("it cannot be read") };
        let is_first = sides[message.headers().call_id()];
        let (mark, others) = if is_first { ("canary-callee", second) } else { ("canary-caller", first) };
        let text = String::from_utf8_lossy(bytes);
        for canary in std::iter::once(mark).chain(others.iter().map(|number| &number[2..])) {
            assert!(!text.contains(canary), "{canary} crossed:\n{text}");
        }
        searched += 1;
    }
    assert!(searched > 2, "{searched}");
}

#[test]
fn nothing_crosses_from_one_side_to_the_other() {
    let reactions = [
        Reaction::Answer(seconds(2)),
        Reaction::Progress(seconds(2)),
        Reaction::Fork(seconds(0)),
        Reaction::Refuse(seconds(1), 486),
        Reaction::Refuse(seconds(1), 302),
        Reaction::Reject(503),
        Reaction::AnswerOnCancel,
        Reaction::Ring,
    ];
    let acts = [Act::Reinvite, Act::Hold, Act::ReinviteLate, Act::Update, Act::Info('5'), Act::Refer];
    for reaction in reactions {
        for act in acts {
            let second = calling(&[CLIENT, SPARE], Strategy::AtOnce);
            let first = answers(1).doing(seconds(4), act).doing(seconds(50), Act::HangUp);
            let plan = CalleePlan::new(reaction).doing(seconds(5), act);
            let plans = [(AGENT, first), (CLIENT, plan.clone()), (SPARE, plan)];
            let world = run(world(20, &plans, callback(one(AGENT), second)));
            assert_masked(&world, &[AGENT], &[CLIENT, SPARE]);
        }
    }
}

fn talks(seed: u64) -> World {
    let plans = [(AGENT, answers(1).doing(seconds(30), Act::HangUp)), (CLIENT, answers(1))];
    world(seed, &plans, callback(one(AGENT), one(CLIENT)))
}

fn is_busy(seed: u64) -> World {
    let first = calling(&[AGENT, SPARE], Strategy::InOrder);
    let busy = CalleePlan::new(Reaction::Refuse(seconds(1), 486));
    world(seed, &[(AGENT, busy.clone()), (SPARE, busy)], callback(first, one(CLIENT)))
}

fn hangs_up_meanwhile(seed: u64) -> World {
    let plans = [
        (AGENT, answers(1).doing(seconds(5), Act::HangUp)),
        (CLIENT, CalleePlan::new(Reaction::AnswerOnCancel)),
    ];
    world(seed, &plans, callback(one(AGENT), one(CLIENT)))
}

fn list_exhausted(seed: u64) -> World {
    let second = calling(&[CLIENT, SPARE, THIRD], Strategy::InOrder);
    let plans = [
        (AGENT, answers(1)),
        (CLIENT, CalleePlan::new(Reaction::Refuse(seconds(1), 486))),
        (SPARE, CalleePlan::new(Reaction::Ring)),
        (THIRD, CalleePlan::new(Reaction::Reject(503))),
    ];
    world(seed, &plans, callback(one(AGENT), second))
}

fn crossing_answers(seed: u64) -> World {
    let second = calling(&[CLIENT, SPARE, THIRD], Strategy::AtOnce);
    let plans = [
        (AGENT, answers(1).doing(seconds(30), Act::HangUp)),
        (CLIENT, answers(1)),
        (SPARE, answers(1)),
        (THIRD, CalleePlan::new(Reaction::AnswerOnCancel)),
    ];
    world(seed, &plans, callback(one(AGENT), second))
}

fn confirmed(seed: u64) -> World {
    let first = Calling { prompt: prompt(), confirm: true, ..calling(&[AGENT, THIRD], Strategy::InOrder) };
    let second = Calling { prompt: prompt(), confirm: true, ..calling(&[CLIENT, SPARE], Strategy::InOrder) };
    let mut human = answers(1);
    human.keys = vec![(seconds(2), '1')];
    let plans = [
        (AGENT, human.clone().doing(seconds(60), Act::HangUp)),
        (CLIENT, answers(1)),
        (SPARE, human),
        (THIRD, CalleePlan::new(Reaction::Reject(486))),
    ];
    world(seed, &plans, callback(first, second))
}

#[test]
fn a_callback_that_succeeds() {
    assert!(sweep(talks, 31) > 500);
}

#[test]
fn a_callback_whose_first_side_is_busy() {
    assert!(sweep(is_busy, 32) > 300);
}

#[test]
fn a_callback_whose_first_side_hangs_up_while_the_second_rings() {
    assert!(sweep(hangs_up_meanwhile, 33) > 300);
}

#[test]
fn a_callback_of_whose_list_nobody_answers() {
    assert!(sweep(list_exhausted, 34) > 500);
}

#[test]
fn a_callback_to_several_at_once_who_answer_at_once() {
    assert!(sweep(crossing_answers, 35) > 500);
}

#[test]
fn a_callback_that_is_confirmed_on_both_sides() {
    assert!(sweep(confirmed, 36) > 500);
}

#[test]
fn a_callback_cancelled_at_each_moment() {
    let mut whole = talks(37);
    whole.run_until_quiet();
    for step in 1..=whole.inputs() {
        let mut world = talks(37);
        world.run_until(step);
        let stage = world.board.stage(ID);
        world.feed(Input::Control(Control::Cancel { call: ID, when: When::NotAnswered }));
        let may = stage.is_some_and(|stage| When::NotAnswered.allows(stage));
        world.run_until_quiet();
        world.assert_clean();
        assert_eq!(end(&world).1 == Cause::Ended, may, "step {step}, {stage:?}");
    }
}

#[test]
fn what_is_said_of_a_leg_says_of_which_side_it_is() {
    let mut board = b2bua::Switchboard::new(sim::config(), [3; 32]);
    let mut out = Vec::new();
    let asked = Control::Originate(Box::new(callback(one(AGENT), one(CLIENT))));
    board.handle(clock::Instant::ZERO, Input::Control(asked), &mut out);
    assert!(out.iter().all(|output| !matches!(output, Output::Send { .. })), "it is not kept yet");
    board.handle(clock::Instant::ZERO, Input::Begun { call: ID, kept: true }, &mut out);
    let leg = out.iter().find_map(|output| {
        if let Output::Leg { call, callee, .. } = output { Some((*call, *callee)) } else { None }
    });
    assert_eq!(leg, Some((ID, Some(b2bua::Callee::First))));
}

#[test]
fn whoever_calls_a_reserve_line_is_put_through_to_its_operator() {
    let mut config = sim::config();
    config.lines[0].service = b2bua::Service::Reserve;
    let mut world = World::new(config, Weather::FAIR, 40);
    world.callee("+78120000001", answers(2).doing(seconds(20), Act::HangUp));
    world.caller(seconds(0), sim::CallerPlan::keying(CLIENT, LINE, ""));
    let world = run(world);
    assert_eq!((end(&world), world.bridges()), ((Side::Callee, Cause::HungUp), 1));
    assert!(record(&world).operator_reached && !record(&world).callback);
    assert_eq!(world.played(), [[5, 18]], "nothing is asked");
    let invite = world.received.values().flatten().find(|bytes| bytes.starts_with(b"INVITE"));
    let invite = String::from_utf8_lossy(invite.expect("the operator was called"));
    assert!(invite.contains(&format!("From: <sip:{LINE}@")) && !invite.contains(&CLIENT[2..]), "{invite}");
}
