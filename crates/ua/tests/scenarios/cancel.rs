//! CANCEL, in both directions: RFC 3261 §9.

use std::time::Duration;

use ua::{Counted, Ending, LegCommand, LegEvent};

use crate::world::{ANSWER, BUSY, CONTACT, OFFER, PATIENCE, T1, WHY, World, respond, sdp};

#[test]
fn a_caller_who_cancels_gets_200_and_487_with_one_tag() {
    let mut world = World::new();
    let (caller, _) = world.caller();
    world.hear(&caller.cancel());
    let sent = world.take();
    let [cancelled, terminated] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((cancelled.text.status(), cancelled.text.method()), (200, "CANCEL"));
    assert_eq!((terminated.text.status(), terminated.text.method()), (487, "INVITE"));
    assert_eq!(cancelled.text.tag("To"), terminated.text.tag("To"));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Cancelled));
    // The CANCEL again, and the 487 again, until its ACK.
    world.hear(&caller.cancel());
    assert_eq!(world.only().status(), 200);
    world.pass(T1);
    assert_eq!(world.said(), ["487 INVITE"]);
    world.hear(&caller.ack_refusal());
    world.pass(PATIENCE);
    world.silent();
    assert_eq!(world.heard(), []);
    world.assert_clean();
}

#[test]
fn a_cancel_after_the_answer_changes_nothing() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    world.hear(&caller.cancel());
    assert_eq!(world.said(), ["200 CANCEL"]);
    assert_eq!(world.heard(), []);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn a_cancel_after_a_refusal_changes_nothing() {
    let mut world = World::new();
    let (caller, leg) = world.caller();
    world.tell(leg, LegCommand::Refuse(BUSY));
    let tag = world.only().tag("To").to_owned();
    world.heard();
    world.hear(&caller.cancel());
    let ok = world.only();
    assert_eq!((ok.status(), ok.tag("To")), (200, tag.as_str()));
    assert_eq!(world.heard(), []);
}

#[test]
fn a_cancel_that_matches_nothing_gets_481() {
    let mut world = World::new();
    let mut caller = crate::world::Caller::new(&mut world);
    caller.branch = world.branch();
    world.hear(&caller.cancel());
    assert_eq!(world.only().status(), 481);
    assert_eq!(world.counted, [Counted::Answered(481)]);
    world.assert_clean();
}

#[test]
fn our_cancel_waits_for_a_provisional_response() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.tell(leg, LegCommand::End(WHY));
    world.silent();
    world.pass(T1);
    assert_eq!(world.said(), ["INVITE"]);
    world.hear(&callee.respond(100, "", "", None));
    let cancel = world.only_sent();
    assert_eq!(cancel.flow, callee.flow);
    let cancel = cancel.text;
    assert_eq!(cancel.uri(), callee.invite.uri());
    for name in ["Via", "From", "To", "Call-ID"] {
        assert_eq!(cancel.header(name), callee.invite.header(name), "{name}");
    }
    assert_eq!(cancel.header("CSeq"), callee.invite.header("CSeq").replace("INVITE", "CANCEL"));
    assert_eq!(cancel.header("Reason"), "Q.850;cause=16");
    world.hear(&respond(&cancel, 200, "b1", "", None));
    world.silent();
    assert_eq!(world.heard(), []);
    world.hear(&callee.respond(487, "b1", "", None));
    assert_eq!(world.only().method(), "ACK");
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn our_cancel_goes_at_once_where_they_ring_already() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    assert_eq!(world.only_event(), LegEvent::Ringing);
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.said(), ["CANCEL"]);
    // Another 180 does not send another CANCEL.
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.silent();
    // Busy crossed the CANCEL: it is over all the same.
    world.hear(&callee.respond(486, "b1", "", None));
    assert_eq!(world.said(), ["ACK"]);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up_inside_the_leg() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.heard();
    world.tell(leg, LegCommand::End(WHY));
    world.take();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    let sent = world.take();
    let [ack, bye] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((ack.text.method(), bye.text.method()), ("ACK", "BYE"));
    assert_eq!(bye.text.tag("To"), "b1");
    assert_eq!(world.heard(), []);
    world.hear(&respond(&bye.text, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    // The 200 again is acknowledged again.
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only().method(), "ACK");
    world.assert_clean();
}

#[test]
fn a_200_without_any_provisional_before_it_is_hung_up_too() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.tell(leg, LegCommand::End(WHY));
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.said(), ["ACK", "BYE"]);
    world.assert_clean();
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Unreachable)], "nobody answered the BYE");
}

#[test]
fn an_invite_that_is_cancelled_and_never_answered_is_forgotten_after_64_t1() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(100, "", "", None));
    world.pass(Duration::from_secs(100));
    world.tell(leg, LegCommand::End(WHY));
    world.pass(PATIENCE - T1);
    assert_eq!(world.heard(), []);
    world.pass(T1);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    assert_eq!(world.ua.legs(), 0);
    world.assert_clean();
}

#[test]
fn an_invite_that_nobody_answers_at_all_ends_even_if_it_was_to_be_cancelled() {
    let mut world = World::new();
    let (_, leg) = world.callee();
    world.tell(leg, LegCommand::End(WHY));
    world.pass(PATIENCE);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    assert!(world.said().iter().all(|said| said == "INVITE"));
    world.assert_clean();
}
