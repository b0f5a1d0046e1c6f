//! Asking a trunk whether it is there: OPTIONS, RFC 3261 §11.

use std::time::Duration;

use ua::{Asking, ErrandCommand, ErrandEvent, ErrandId, Input};

use crate::world::{TRUNK, Text, World, respond, udp};

const ID: ErrandId = ErrandId(1);
const EVERY: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(4);
const OTHER: &str = "198.51.100.8:5060";

fn ask(world: &mut World, flows: &[&str]) {
    let asking = Asking {
        flows: flows.iter().map(|flow| udp(flow)).collect(),
        uri: "sip:carrier.example".to_owned(),
        every: EVERY,
        patience: PATIENCE,
    };
    world.input(Input::Errand(ID, ErrandCommand::Ask(Box::new(asking))));
}

fn begun() -> (World, Text) {
    let mut world = World::new();
    ask(&mut world, &[TRUNK]);
    let question = world.only();
    (world, question)
}

fn heard(world: &mut World) -> Vec<ErrandEvent> {
    std::mem::take(&mut world.errands)
}

/// The first of the questions sent within this time, retransmissions aside.
#[track_caller]
fn next(world: &mut World, within: Duration) -> Text {
    world.pass(within);
    world.take().pop().expect("a question").text
}

#[test]
fn a_question_has_what_rfc_3261_wants_and_a_contact() {
    let (_, question) = begun();
    assert_eq!(question.start(), "OPTIONS sip:carrier.example SIP/2.0");
    assert_eq!(question.header("To"), "<sip:carrier.example>");
    assert_eq!(question.header("Contact"), "<sip:192.0.2.1:5060>");
    assert!(question.header("From").starts_with("<sip:192.0.2.1:5060>;tag="));
    assert_eq!((question.header("Accept"), question.header("Max-Forwards")), ("application/sdp", "70"));
}

#[test]
fn any_answer_but_those_of_whoever_cannot_means_up_at_once() {
    for status in [200, 401, 403, 404, 405, 420, 483, 501, 603] {
        let (mut world, question) = begun();
        world.hear(&respond(&question, status, "r", "", None));
        assert_eq!(heard(&mut world), [ErrandEvent::Up], "{status}");
    }
    for status in [408, 500, 502, 503, 504] {
        let (mut world, question) = begun();
        world.hear(&respond(&question, status, "r", "", None));
        assert_eq!(heard(&mut world), [], "{status}: once is not enough");
        let again = next(&mut world, Duration::from_secs(6));
        world.hear(&respond(&again, status, "r", "", None));
        assert_eq!(heard(&mut world), [ErrandEvent::Down], "{status}");
    }
}

#[test]
fn a_trunk_that_falls_silent_is_down_within_a_quarter_of_a_minute_and_up_after_two_answers() {
    let (mut world, question) = begun();
    world.hear(&respond(&question, 200, "r", "", None));
    assert_eq!(heard(&mut world), [ErrandEvent::Up]);
    world.take();
    // The next question, a doubt, and one more.
    world.pass(EVERY * 11 / 10 + Duration::from_millis(1));
    assert_eq!(heard(&mut world), []);
    world.pass(PATIENCE + Duration::from_secs(6) + PATIENCE);
    assert_eq!(heard(&mut world), [ErrandEvent::Down]);
    // Whatever is still waited for is given up.
    world.pass(PATIENCE);
    assert_eq!(heard(&mut world), []);
    world.take();
    let (mut answers, mut last) = (0, String::new());
    while heard(&mut world).is_empty() {
        world.pass(Duration::from_millis(100));
        for sent in world.take() {
            if sent.text.branch() != last {
                sent.text.branch().clone_into(&mut last);
                world.hear(&respond(&sent.text, 200, "r", "", None));
                answers += 1;
            }
        }
    }
    assert_eq!((answers, world.now < Duration::from_secs(100)), (2, true));
}

#[test]
fn the_other_address_is_asked_when_one_does_not_answer() {
    let mut world = World::new();
    ask(&mut world, &[TRUNK, OTHER]);
    assert_eq!(world.only_sent().flow, udp(TRUNK));
    world.pass(PATIENCE + Duration::from_secs(6));
    let sent = world.take().pop().unwrap();
    assert_eq!(sent.flow, udp(OTHER));
    let answer = respond(&sent.text, 200, "r", "", None);
    world.hear_on(udp(OTHER), None, &answer);
    assert_eq!(heard(&mut world), [ErrandEvent::Up]);
}

#[test]
fn who_is_told_to_stop_asks_no_more() {
    let (mut world, _) = begun();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    assert_eq!(heard(&mut world), [ErrandEvent::Over]);
    world.assert_clean();
    world.silent();
}

#[test]
fn an_errand_that_is_not_there_is_silent_and_one_without_an_address_is_over() {
    let mut world = World::new();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    assert_eq!(heard(&mut world), []);
    ask(&mut world, &[]);
    assert_eq!(heard(&mut world), [ErrandEvent::Over]);
    world.silent();
}
