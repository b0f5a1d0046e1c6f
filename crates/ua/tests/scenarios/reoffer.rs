//! Changes of a session that is up: re-INVITE (RFC 3261 §14), UPDATE (RFC 3311), and requests that change nothing.

use std::time::Duration;

use ua::{Ending, InfoDigit, LegCommand, LegEvent, Refusal, RetryAfter};

use crate::world::{ANSWER, CONTACT, OFFER, PATIENCE, T1, WHY, World, sdp, with_body};

const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\na=sendonly\r\n";
const HELD: &str = "v=0\r\no=- 2 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=recvonly\r\n";

#[test]
fn a_re_invite_is_offered_accepted_and_acknowledged() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    assert_eq!(world.said(), ["100 INVITE"]);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    let ok = world.only();
    assert_eq!((ok.status(), ok.body()), (200, HELD));
    assert_eq!(ok.header("Contact"), "<sip:192.0.2.1:5060>");
    world.pass(T1);
    assert_eq!(world.only(), ok, "resent until the ACK");
    world.hear(&invite);
    world.silent();
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    world.pass(PATIENCE);
    world.silent();
}

#[test]
fn a_re_invite_without_an_offer_gets_ours_and_the_ack_brings_theirs() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", None);
    world.hear(&invite);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: None });
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.take();
    let ack = caller.ack(&mut world, &with_body("", Some(OFFER)));
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: Some(sdp(OFFER)) });
}

#[test]
fn a_re_invite_that_is_refused_leaves_the_call_as_it_was() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    world.heard();
    world.take();
    world.tell(leg, LegCommand::Refuse(Refusal { status: 488, retry_after: None }));
    assert_eq!(world.only().status(), 488);
    world.hear(&caller.ack_refusal());
    // A second decision about it is none.
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    world.tell(leg, LegCommand::Refuse(Refusal { status: 488, retry_after: Some(RetryAfter(1)) }));
    world.silent();
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.said(), ["BYE"]);
}

#[test]
fn a_second_re_invite_before_the_final_of_the_first_gets_500_with_retry_after() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let first = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&first);
    world.take();
    world.heard();
    let mut second = caller.clone();
    for request in [second.invite(&mut world, "", Some(OFFER)), second.update(&mut world, Some(OFFER))] {
        world.hear(&request);
        let refused = world.only();
        assert_eq!(refused.status(), 500);
        assert!(refused.has("Retry-After"));
    }
    let refresh = second.update(&mut world, None);
    world.hear(&refresh);
    assert_eq!(world.only().status(), 200, "an UPDATE without a description offers nothing");
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(world.only().status(), 200);
}

#[test]
fn only_an_offer_of_ours_that_is_open_makes_a_491() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", None);
    world.hear(&invite);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.take();
    world.heard();
    let acknowledge = caller.clone();
    let update = caller.update(&mut world, Some(OFFER));
    world.hear(&update);
    assert_eq!(world.only().status(), 491);
    let crossing = caller.invite(&mut world, "", Some(OFFER));
    world.hear(&crossing);
    assert_eq!(world.only().status(), 491);
    assert_eq!(world.heard(), []);
    let ack = acknowledge.ack(&mut world, &with_body("", Some(OFFER)));
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: Some(sdp(OFFER)) });
}

#[test]
fn a_re_invite_before_the_ack_stands_for_the_ack() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let first = caller.clone();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    assert_eq!(
        world.heard(),
        [LegEvent::Confirmed { sdp: None }, LegEvent::Reoffered { offer: Some(sdp(HOLD)) }]
    );
    assert_eq!(world.said(), ["100 INVITE"]);
    // The ACK that was overtaken.
    let ack = first.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(world.said(), ["200 INVITE"]);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn an_update_before_the_ack_leaves_the_2xx_waiting() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    caller.learn(&ok);
    let update = caller.update(&mut world, Some(HOLD));
    world.hear(&update);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(world.said(), ["200 UPDATE"]);
    world.pass(T1);
    assert_eq!(world.only(), ok);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn a_re_invite_that_is_never_acknowledged_ends_the_call() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    world.heard();
    world.pass(PATIENCE);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::NeverAcknowledged));
    assert_eq!(world.said().last().map(String::as_str), Some("BYE"));
    world.assert_clean();
}

#[test]
fn a_call_can_be_hung_up_while_a_re_invite_is_unacknowledged() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    world.take();
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.said(), ["BYE"], "the dialog was confirmed long ago");
    world.assert_clean();
}

#[test]
fn a_re_invite_can_be_cancelled() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let invite = caller.invite(&mut world, "", Some(HOLD));
    world.hear(&invite);
    world.take();
    let cancel = caller.write("CANCEL", caller.invite_sequence, &caller.branch, &with_body("", None));
    world.hear(&cancel);
    assert_eq!(world.said(), ["200 CANCEL", "487 INVITE"]);
    world.hear(&caller.ack_refusal());
    world.heard();
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    world.silent();
    let refresh = caller.update(&mut world, None);
    world.hear(&refresh);
    assert_eq!(world.only().status(), 200, "the call goes on");
}

#[test]
fn an_update_with_an_offer_is_offered_and_accepted_without_an_ack() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let update = caller.update(&mut world, Some(HOLD));
    world.hear(&update);
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    world.hear(&update);
    world.silent();
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    let ok = world.only();
    assert_eq!((ok.status(), ok.body()), (200, HELD));
    assert!(ok.has("Contact"));
    world.hear(&update);
    assert_eq!(world.only(), ok);
    world.pass(PATIENCE);
    world.silent();
    assert_eq!(world.heard(), []);
}

#[test]
fn an_update_before_another_is_answered_gets_500_with_retry_after() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let first = caller.update(&mut world, Some(HOLD));
    world.hear(&first);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    for offer in [None, Some(OFFER)] {
        let second = caller.update(&mut world, offer);
        world.hear(&second);
        let refused = world.only();
        assert_eq!(refused.status(), 500, "{offer:?}");
        assert!(refused.has("Retry-After"));
    }
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!((world.only().body(), world.heard()), (HELD, vec![]));
}

#[test]
fn a_callee_may_reoffer_too() {
    let mut world = World::new();
    let (callee, leg) = world.reached();
    let rest = with_body(CONTACT, Some(HOLD));
    let invite = callee.request(&mut world, "INVITE", "b1", 1, &rest);
    world.hear(&invite);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    world.take();
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(world.only().body(), HELD);
    let ack = callee.request(&mut world, "ACK", "b1", 1, &with_body("", None));
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn session_timers_of_theirs_are_refreshed_without_being_promised() {
    let mut world = World::new();
    let (mut caller, leg) =
        world.caller_with("Supported: timer\r\nSession-Expires: 1800;refresher=uac\r\n", Some(OFFER));
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    assert!(!ok.has("Session-Expires") && !ok.has("Require"));
    caller.learn(&ok);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.heard();
    let rest = with_body(&format!("{CONTACT}Session-Expires: 1800;refresher=uac\r\n"), None);
    let refresh = caller.request(&mut world, "UPDATE", &rest);
    world.hear(&refresh);
    let ok = world.only();
    assert_eq!((ok.status(), ok.body()), (200, ""));
    assert_eq!(world.heard(), []);
}

#[test]
fn options_and_info_inside_a_call_are_answered() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    let options = caller.bare(&mut world, "OPTIONS");
    world.hear(&options);
    let ok = world.only();
    assert_eq!(ok.status(), 200);
    assert!(ok.has("Allow") && ok.has("Accept") && ok.has("Supported") && ok.has("Contact"));
    let empty = caller.bare(&mut world, "INFO");
    world.hear(&empty);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.heard(), []);
    let strange = "Content-Type: application/media_control+xml\r\nContent-Length: 4\r\n\r\n<x/>";
    let strange = caller.request(&mut world, "INFO", strange);
    world.hear(&strange);
    let refused = world.only();
    assert_eq!(
        (refused.status(), refused.header("Accept")),
        (415, "application/dtmf-relay, application/dtmf")
    );
}

#[test]
fn keys_by_info_are_told_once_each() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    for (media, body, digit, ms) in [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5', 160),
        ("application/dtmf-relay", "signal= #\r\nduration= 100\r\n", '#', 100),
        ("application/dtmf", "7", '7', 250),
    ] {
        let rest = format!("Content-Type: {media}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let info = caller.request(&mut world, "INFO", &rest);
        world.hear(&info);
        world.hear(&info);
        assert_eq!(world.said(), ["200 INFO", "200 INFO"]);
        let duration = Duration::from_millis(ms);
        assert_eq!(world.only_event(), LegEvent::Digit(InfoDigit { digit, duration }));
    }
}

#[test]
fn a_transfer_is_declined_and_other_methods_are_not_allowed() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    for (method, status) in
        [("REFER", 603), ("NOTIFY", 405), ("MESSAGE", 405), ("SUBSCRIBE", 405), ("FROB", 501)]
    {
        let request = caller.request(&mut world, method, &with_body("Refer-To: <sip:x@y>\r\n", None));
        world.hear(&request);
        let refused = world.only();
        assert_eq!(refused.status(), status, "{method}");
        assert_eq!(refused.has("Allow"), status != 603);
    }
    assert_eq!(world.heard(), []);
    let bye = caller.bare(&mut world, "BYE");
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
}

#[test]
fn extensions_and_bodies_are_checked_inside_a_dialog_too() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    let require = caller.invite(&mut world, "Require: precondition\r\n", Some(OFFER));
    world.hear(&require);
    let refused = world.only();
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "precondition"));
    world.hear(&caller.ack_refusal());
    let strange =
        caller.request(&mut world, "UPDATE", "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx");
    world.hear(&strange);
    assert_eq!(world.only().status(), 415);
    let accept = caller.invite(&mut world, "Accept: text/plain\r\n", Some(OFFER));
    world.hear(&accept);
    assert_eq!(world.only().status(), 406);
    assert_eq!(world.heard(), []);
}
