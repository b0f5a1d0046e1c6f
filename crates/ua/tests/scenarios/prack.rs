//! Provisional responses of ours that callers acknowledge: RFC 3262 §3, §5; RFC 3311 §5.2 before the answer.

use std::time::Duration;

use ua::{Ending, LegCommand, LegEvent, LegId};

use crate::world::{ANSWER, BUSY, Caller, OFFER, PATIENCE, T1, Text, WHY, World, sdp, with_body};

const OTHER: &str = "v=0\r\no=- 3 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
const REQUIRES: &str = "Require: 100rel\r\n";
const SUPPORTS: &str = "Supported: timer, 100rel\r\n";

fn rseq(response: &Text) -> u32 {
    assert_eq!(response.header("Require"), "100rel");
    response.header("RSeq").parse().unwrap()
}

impl Caller {
    /// Acknowledges this number of the last INVITE.
    fn prack(&mut self, world: &mut World, rseq: u32, body: Option<&str>) -> String {
        let rack = format!("RAck: {rseq} {} INVITE\r\n", self.invite_sequence);
        self.request(world, "PRACK", &with_body(&rack, body))
    }
}

/// A caller to whom we have said this reliably.
fn told(world: &mut World, lines: &str, offer: Option<&str>, command: LegCommand) -> (Caller, LegId, Text) {
    let (mut caller, leg) = world.caller_with(lines, offer);
    world.tell(leg, command);
    let response = world.only();
    caller.learn(&response);
    (caller, leg, response)
}

#[test]
fn whoever_requires_it_can_acknowledge_all_and_whoever_can_what_describes() {
    for (lines, ring, progress) in [("", false, false), (SUPPORTS, false, true), (REQUIRES, true, true)] {
        let (_, _, ringing) = told(&mut World::new(), lines, Some(OFFER), LegCommand::Ring);
        assert_eq!((ringing.status(), ringing.has("RSeq")), (180, ring), "{lines}");
        let (_, _, progressed) =
            told(&mut World::new(), lines, Some(OFFER), LegCommand::Progress(sdp(ANSWER)));
        assert_eq!((progressed.status(), progressed.has("RSeq")), (183, progress), "{lines}");
        assert_eq!(progressed.body(), ANSWER);
    }
}

#[test]
fn it_is_said_again_at_t1_doubling_without_end_until_it_is_acknowledged() {
    let mut world = World::new();
    let (mut caller, _, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    assert!(ringing.has("Contact") && rseq(&ringing) > 0);
    let mut at = Duration::ZERO;
    for pause in [1, 2, 4, 8] {
        at += T1 * pause;
        world.pass(T1 * pause);
        let sent = world.only_sent();
        assert_eq!((sent.at, &sent.text), (at, &ringing));
    }
    let prack = caller.prack(&mut world, rseq(&ringing), None);
    world.hear(&prack);
    let ok = world.only();
    assert_eq!((ok.status(), ok.method()), (200, "PRACK"));
    world.hear(&prack);
    assert_eq!(world.only(), ok, "their retransmission");
    world.pass(T1 * 32);
    world.silent();
    assert_eq!(world.heard(), []);
}

#[test]
fn what_is_never_acknowledged_ends_the_call_with_a_server_error() {
    let mut world = World::new();
    let (mut caller, _, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    world.pass(PATIENCE);
    assert_eq!(world.take().last().unwrap().text.status(), 504);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::NeverAcknowledged));
    world.hear(&caller.ack_refusal());
    let late = caller.prack(&mut world, rseq(&ringing), None);
    world.hear(&late);
    assert_eq!(world.only().status(), 481);
    world.assert_clean();
}

#[test]
fn a_prack_of_anything_else_is_refused() {
    let mut world = World::new();
    let (mut caller, _, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    let (rseq, sequence) = (rseq(&ringing), caller.invite_sequence);
    for rack in [
        format!("RAck: {} {sequence} INVITE\r\n", rseq + 1),
        format!("RAck: {rseq} {} INVITE\r\n", sequence + 1),
        format!("RAck: {rseq} {sequence} UPDATE\r\n"),
        "RAck: nonsense\r\n".to_owned(),
        String::new(),
    ] {
        let prack = caller.request(&mut world, "PRACK", &with_body(&rack, None));
        world.hear(&prack);
        assert_eq!(world.only().status(), 481, "{rack}");
    }
    let prack = caller.prack(&mut world, rseq, None);
    world.hear(&prack);
    assert_eq!(world.only().status(), 200);
    let again = caller.prack(&mut world, rseq, None);
    world.hear(&again);
    assert_eq!(world.only().status(), 481, "it is acknowledged already");
}

#[test]
fn the_next_waits_for_the_one_before() {
    let mut world = World::new();
    let (mut caller, leg, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    world.tell(leg, LegCommand::Ring);
    world.tell(leg, LegCommand::Progress(sdp(ANSWER)));
    world.silent();
    let prack = caller.prack(&mut world, rseq(&ringing), None);
    world.hear(&prack);
    let sent = world.take();
    let [ok, progress] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((ok.text.status(), progress.text.status()), (200, 183));
    assert_eq!(rseq(&progress.text), rseq(&ringing) + 1);
}

#[test]
fn no_200_before_our_description_is_acknowledged_and_none_of_it_in_the_200() {
    let mut world = World::new();
    let progress = LegCommand::Progress(sdp(ANSWER));
    let (mut caller, leg, response) = told(&mut world, SUPPORTS, Some(OFFER), progress);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.silent();
    let prack = caller.prack(&mut world, rseq(&response), None);
    world.hear(&prack);
    let sent = world.take();
    let [first, second] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((first.text.status(), first.text.method()), (200, "PRACK"));
    assert_eq!((second.text.status(), second.text.method(), second.text.body()), (200, "INVITE", ""));
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn a_200_need_not_wait_for_what_describes_nothing_and_that_can_still_be_acknowledged() {
    let mut world = World::new();
    let (mut caller, leg, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().body(), ANSWER);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.heard();
    world.pass(T1 * 8);
    world.silent();
    for status in [200, 481] {
        let prack = caller.prack(&mut world, rseq(&ringing), None);
        world.hear(&prack);
        assert_eq!(world.only().status(), status);
    }
}

#[test]
fn what_was_said_before_a_refusal_can_still_be_acknowledged() {
    let mut world = World::new();
    let (mut caller, leg, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    world.tell(leg, LegCommand::Refuse(BUSY));
    assert_eq!(world.only().status(), 486);
    world.hear(&caller.ack_refusal());
    for status in [200, 481] {
        let prack = caller.prack(&mut world, rseq(&ringing), None);
        world.hear(&prack);
        assert_eq!(world.only().status(), status);
    }
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_cancel_ends_what_waits_to_be_acknowledged() {
    let mut world = World::new();
    let progress = LegCommand::Progress(sdp(ANSWER));
    let (caller, leg, _) = told(&mut world, REQUIRES, Some(OFFER), progress);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.hear(&caller.cancel());
    assert_eq!(world.said(), ["200 CANCEL", "487 INVITE"]);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Cancelled));
    world.hear(&caller.ack_refusal());
    world.pass(PATIENCE);
    world.silent();
    world.assert_clean();
}

#[test]
fn a_late_offer_is_made_by_the_183_and_answered_by_the_prack() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller_with(REQUIRES, None);
    world.tell(leg, LegCommand::Ring);
    world.silent();
    world.tell(leg, LegCommand::Progress(sdp(ANSWER)));
    let progress = world.only();
    caller.learn(&progress);
    assert_eq!((progress.status(), progress.body()), (183, ANSWER));
    // Our offer is open.
    let update = caller.update(&mut world, Some(OTHER));
    world.hear(&update);
    assert_eq!(world.only().status(), 491);
    let prack = caller.prack(&mut world, rseq(&progress), Some(OFFER));
    world.hear(&prack);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: Some(sdp(OFFER)) });
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().body(), "");
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn a_prack_may_offer_and_the_200_to_the_invite_waits_for_our_answer_to_that() {
    let mut world = World::new();
    let progress = LegCommand::Progress(sdp(ANSWER));
    let (mut caller, leg, response) = told(&mut world, SUPPORTS, Some(OFFER), progress);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let prack = caller.prack(&mut world, rseq(&response), Some(OTHER));
    world.hear(&prack);
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OTHER)) });
    world.tell(leg, LegCommand::Accept(sdp(OTHER)));
    let sent = world.take();
    let [first, second] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((first.text.method(), first.text.body()), ("PRACK", OTHER));
    assert_eq!((second.text.status(), second.text.method(), second.text.body()), (200, "INVITE", ""));
}

#[test]
fn an_offer_in_a_prack_before_ours_is_answered_is_refused_for_now() {
    let mut world = World::new();
    let (mut caller, _, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    let prack = caller.prack(&mut world, rseq(&ringing), Some(OTHER));
    world.hear(&prack);
    let refused = world.only();
    assert!(refused.status() == 500 && refused.has("Retry-After"), "{refused:?}");
    let prack = caller.prack(&mut world, rseq(&ringing), None);
    world.hear(&prack);
    assert_eq!(world.only().status(), 200);
}

#[test]
fn an_update_may_offer_once_offer_and_answer_are_exchanged() {
    let mut world = World::new();
    let progress = LegCommand::Progress(sdp(ANSWER));
    let (mut caller, leg, response) = told(&mut world, SUPPORTS, Some(OFFER), progress);
    // Nothing says yet that they have our answer.
    let update = caller.update(&mut world, Some(OTHER));
    world.hear(&update);
    assert_eq!(world.only().status(), 500);
    let prack = caller.prack(&mut world, rseq(&response), None);
    world.hear(&prack);
    world.take();
    let update = caller.update(&mut world, Some(OTHER));
    world.hear(&update);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OTHER)) });
    for offer in [Some(OFFER), None] {
        let update = caller.update(&mut world, offer);
        world.hear(&update);
        assert_eq!(world.only().status(), 500);
    }
    world.tell(leg, LegCommand::Refuse(BUSY));
    assert_eq!(world.only().status(), 486);
    let update = caller.update(&mut world, Some(OTHER));
    world.hear(&update);
    world.heard();
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.said(), ["487 UPDATE", "480 INVITE"]);
}

#[test]
fn what_is_said_reliably_is_said_anew_once_a_minute() {
    let mut world = World::new();
    let (mut caller, _, ringing) = told(&mut world, REQUIRES, Some(OFFER), LegCommand::Ring);
    let prack = caller.prack(&mut world, rseq(&ringing), None);
    world.hear(&prack);
    world.take();
    world.pass(Duration::from_secs(60));
    let again = world.only();
    assert_eq!((again.status(), rseq(&again)), (180, rseq(&ringing) + 1));
}
