//! Callbacks that somebody answers who does not take the call: voicemail, or people who hang up while they hear what it is about.

use b2bua::{Calling, Cause, Happening, Side, Strategy};
use sim::{Act, CalleePlan, Reaction, World, sweep};

use crate::callbacks::{
    AGENT, CLIENT, SPARE, THIRD, answers, callback, calling, end, number, one, prompt, record, run, tried,
    world,
};
use crate::worlds::seconds;

#[test]
fn a_first_side_that_hangs_up_within_its_prompt_is_left_for_the_next() {
    let first = Calling { prompt: prompt(), ..calling(&[AGENT, SPARE], Strategy::InOrder) };
    let voicemail = answers(1).doing(seconds(1), Act::HangUp);
    let plans =
        [(AGENT, voicemail), (SPARE, answers(1).doing(seconds(60), Act::HangUp)), (CLIENT, answers(1))];
    let world = run(world(41, &plans, callback(first, one(CLIENT))));
    assert_eq!((end(&world), world.bridges()), ((Side::Caller, Cause::HungUp), 1));
    let of = |number: &str, cause| (number.to_owned(), cause);
    let expected = [of(AGENT, Cause::HungUp), of(SPARE, Cause::HungUp), of(CLIENT, Cause::HungUp)];
    assert_eq!((tried(&world), record(&world).caller), (expected.to_vec(), Some(number(SPARE))));
    let [left, took, _] = &record(&world).tried[..] else { panic!("{:?}", record(&world).tried) };
    assert!(left.answered_for() < seconds(3) && took.answered_for() > seconds(50), "{left:?} {took:?}");
    assert!(left.ended <= Some(took.dialled));
}

/// Somebody who presses the key so long after they have begun to hear.
fn human(answers_after: u64, presses_after: u64) -> CalleePlan {
    let mut human = answers(answers_after);
    human.keys = vec![(seconds(presses_after), '1')];
    human
}

#[test]
fn while_nobody_has_pressed_the_key_the_others_go_on_ringing_and_may_answer() {
    let fourth = "+79996666666";
    let at_once = |numbers| Calling { confirm: true, prompt: prompt(), ..calling(numbers, Strategy::AtOnce) };
    let plans = [
        // Two voicemails: one hangs up in the prompt, the other hears it out; and one who never answers.
        (AGENT, answers(1).doing(seconds(2), Act::HangUp)),
        (THIRD, answers(1)),
        (fourth, CalleePlan::new(Reaction::Ring)),
        (SPARE, human(3, 2).doing(seconds(60), Act::HangUp)),
        (CLIENT, human(2, 1)),
    ];
    let first = at_once(&[AGENT, THIRD, fourth, SPARE]);
    let world = run(world(42, &plans, callback(first, one(CLIENT))));
    let of = |number: &str, cause| (number.to_owned(), cause);
    let elsewhere = Cause::AnsweredElsewhere;
    let expected = [
        of(AGENT, Cause::HungUp),
        of(THIRD, elsewhere),
        of(fourth, elsewhere),
        of(SPARE, Cause::HungUp),
        of(CLIENT, Cause::HungUp),
    ];
    assert_eq!((tried(&world), world.bridges()), (expected.to_vec(), 1));
    assert_eq!((record(&world).caller, end(&world)), (Some(number(SPARE)), (Side::Caller, Cause::HungUp)));
    let answered: Vec<_> = world.audit.happened.iter().map(Happening::name).collect();
    assert_eq!(answered.iter().filter(|name| **name == "first-answered").count(), 1, "{answered:?}");
}

#[test]
fn of_several_who_answer_whoever_presses_the_key_first_takes_the_call() {
    let second =
        Calling { confirm: true, prompt: prompt(), ..calling(&[CLIENT, THIRD, SPARE], Strategy::AtOnce) };
    let plans = [
        (AGENT, answers(1)),
        (CLIENT, human(1, 5)),
        (THIRD, human(2, 1).doing(seconds(30), Act::HangUp)),
        (SPARE, CalleePlan::new(Reaction::AnswerOnCancel)),
    ];
    let world = run(world(43, &plans, callback(one(AGENT), second)));
    assert_eq!((world.bridges(), record(&world).callee), (1, Some(number(THIRD))));
    let causes: Vec<Cause> = tried(&world).into_iter().map(|(_, cause)| cause).collect();
    let elsewhere = Cause::AnsweredElsewhere;
    assert_eq!(causes, [Cause::HungUp, elsewhere, Cause::HungUp, elsewhere]);
}

#[test]
fn where_nobody_presses_the_key_nobody_took_the_call() {
    let second = Calling { confirm: true, ..calling(&[CLIENT, SPARE], Strategy::AtOnce) };
    let plans = [(AGENT, answers(1)), (CLIENT, answers(1)), (SPARE, answers(4))];
    let world = run(world(44, &plans, callback(one(AGENT), second)));
    assert_eq!((end(&world), world.bridges()), ((Side::Callee, Cause::NoAnswer), 0));
    assert_eq!(
        tried(&world)[1..],
        [(CLIENT.to_owned(), Cause::NoAnswer), (SPARE.to_owned(), Cause::NoAnswer)]
    );
}

#[test]
fn those_who_answered_and_took_nothing_are_let_go_when_the_node_has_died() {
    let second = Calling { confirm: true, ..calling(&[CLIENT, SPARE, THIRD], Strategy::AtOnce) };
    let rings = CalleePlan::new(Reaction::Ring);
    let plans = [(AGENT, answers(1)), (CLIENT, answers(1)), (SPARE, answers(1)), (THIRD, rings)];
    let mut world = world(45, &plans, callback(one(AGENT), second));
    world.run_for(seconds(5));
    world.die(seconds(1));
    let world = run(world);
    assert_eq!((end(&world), world.bridges()), ((Side::Us, Cause::NodeLost), 0));
}

fn hangs_up_within_the_prompt(seed: u64) -> World {
    let first = Calling { prompt: prompt(), ..calling(&[AGENT, SPARE], Strategy::InOrder) };
    let voicemail = answers(1).doing(seconds(1), Act::HangUp);
    let plans =
        [(AGENT, voicemail), (SPARE, answers(1).doing(seconds(30), Act::HangUp)), (CLIENT, answers(1))];
    world(seed, &plans, callback(first, one(CLIENT)))
}

fn contested(seed: u64) -> World {
    let at_once = |numbers| Calling { confirm: true, prompt: prompt(), ..calling(numbers, Strategy::AtOnce) };
    let first = at_once(&[AGENT, THIRD]);
    let second = at_once(&[CLIENT, SPARE, "+79996666666"]);
    let plans = [
        (AGENT, answers(1)),
        (THIRD, human(1, 3).doing(seconds(40), Act::HangUp)),
        (CLIENT, human(1, 4)),
        (SPARE, human(2, 1)),
        ("+79996666666", CalleePlan::new(Reaction::AnswerOnCancel)),
    ];
    world(seed, &plans, callback(first, second))
}

#[test]
fn a_callback_whose_first_side_hangs_up_within_its_prompt() {
    assert!(sweep(hangs_up_within_the_prompt, 38) > 500);
}

#[test]
fn a_callback_that_several_answer_and_one_takes() {
    assert!(sweep(contested, 39) > 500);
}
