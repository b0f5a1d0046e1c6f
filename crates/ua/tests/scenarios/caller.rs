//! Calls that come in: RFC 3261 §13.3.

use std::time::Duration;

use ua::{Counted, Ending, InfoDigit, LegCommand, LegEvent, Refusal, RetryAfter};

use crate::world::{ANSWER, BUSY, CONTACT, OFFER, PATIENCE, T1, World, sdp, with_body};

#[test]
fn an_invite_is_answered_100_at_once_and_offered() {
    let mut world = World::new();
    let mut caller = crate::world::Caller::new(&mut world);
    let invite = caller.invite(&mut world, "P-Asserted-Identity: <tel:+79991112233>\r\n", Some(OFFER));
    world.hear(&invite);
    let trying = world.only();
    assert_eq!(trying.start(), "SIP/2.0 100 Trying");
    assert_eq!(trying.param("To", "tag"), None);
    let LegEvent::Offered(incoming) = world.only_event() else { panic!("offered") };
    assert_eq!(incoming.called, "+74951234567");
    assert_eq!(incoming.to, "+74951234567");
    assert_eq!(incoming.identity.from.as_ref().map(|named| named.user.as_str()), Some("+79991111111"));
    let asserted: Vec<&str> = incoming.identity.asserted.iter().map(|named| named.user.as_str()).collect();
    assert_eq!(asserted, ["+79991112233"]);
    assert_eq!(incoming.offer, Some(sdp(OFFER)));
    assert_eq!(incoming.hops, 70);
}

#[test]
fn a_call_is_accepted_acknowledged_and_hung_up_by_the_caller() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    assert_eq!((ok.status(), ok.body()), (200, ANSWER));
    assert_eq!(ok.header("Contact"), "<sip:192.0.2.1:5060>");
    assert_eq!(ok.header("Content-Type"), "application/sdp");
    assert_eq!(ok.header("Server"), "Bauta");
    assert!(ok.header("Allow").contains("UPDATE"));
    caller.learn(&ok);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    let bye = caller.request(&mut world, "BYE", &with_body("Reason: Q.850;cause=31;text=\"x\"\r\n", None));
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: Some(31) }));
    world.assert_clean();
    world.silent();
}

#[test]
fn of_each_message_it_is_told_whose_it_is_also_where_it_comes_again() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.hear(&caller.cancel());
    world.hear(&caller.cancel());
    world.hear(&caller.ack_refusal());
    assert_eq!(world.whose, [leg; 4]);
    let mut sent = world.take();
    let (callee, other) = world.callee();
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    let bye = callee.request(&mut world, "BYE", "b1", 1, &with_body("", None));
    world.hear(&bye);
    assert_eq!(world.whose[4..], [other; 4]);
    sent.extend(world.take());
    let owners: Vec<_> = sent.iter().map(|sent| sent.leg).collect();
    assert_eq!(owners, [[Some(leg); 3], [Some(other); 3]].concat());
    // What is nobody's is nobody's, though it is answered.
    let bye = caller.request(&mut world, "BYE", &with_body("", None));
    world.hear(&bye);
    assert_eq!((world.only_sent().leg, world.whose.len()), (None, 8));
}

#[test]
fn a_late_offer_is_answered_with_our_offer_and_the_ack_brings_theirs() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller_with("", None);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = caller.ack(&mut world, &with_body("", Some(OFFER)));
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: Some(sdp(OFFER)) });
    // The same ACK again, and one with another branch, change nothing.
    world.hear(&ack);
    let again = caller.ack(&mut world, &with_body("", Some(OFFER)));
    world.hear(&again);
    world.silent();
    assert_eq!(world.heard(), []);
}

#[test]
fn a_2xx_is_resent_from_t1_to_t2_until_the_ack() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    world.pass(Duration::from_millis(15_600));
    let times: Vec<_> = world
        .take()
        .iter()
        .map(|sent| {
            assert_eq!(sent.text, ok);
            sent.at.as_millis()
        })
        .collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500, 15_500]);
    caller.learn(&ok);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.pass(PATIENCE);
    world.silent();
}

#[test]
fn a_2xx_that_is_never_acknowledged_ends_the_leg_with_a_bye() {
    let mut world = World::new();
    let (_, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.pass(PATIENCE - T1);
    assert_eq!(world.heard(), []);
    world.take();
    world.pass(T1);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::NeverAcknowledged));
    assert_eq!(world.said(), ["BYE"]);
    world.assert_clean();
}

#[test]
fn a_retransmitted_invite_is_absorbed_and_gets_the_last_provisional_again() {
    let mut world = World::new();
    let mut caller = crate::world::Caller::new(&mut world);
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear(&invite);
    let trying = world.only();
    let leg = world.offered();
    world.hear(&invite);
    assert_eq!(world.only(), trying);
    world.tell(leg, LegCommand::Ring);
    let ringing = world.only();
    assert_eq!(ringing.status(), 180);
    world.hear(&invite);
    assert_eq!(world.only(), ringing);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200);
    world.hear(&invite);
    world.silent();
    assert_eq!(world.heard(), []);
    assert_eq!(world.counted, [Counted::Retransmission; 3]);
}

#[test]
fn provisional_responses_have_our_tag_and_are_said_again_every_minute() {
    let mut world = World::new();
    let (_, leg) = world.caller();
    world.tell(leg, LegCommand::Ring);
    let ringing = world.only();
    assert!(!ringing.tag("To").is_empty());
    assert_eq!(ringing.header("Contact"), "<sip:192.0.2.1:5060>");
    world.tell(leg, LegCommand::Progress(sdp(ANSWER)));
    let progress = world.only();
    assert_eq!((progress.status(), progress.body()), (183, ANSWER));
    assert_eq!(progress.tag("To"), ringing.tag("To"));
    world.pass(Duration::from_secs(121));
    let again = world.take();
    assert_eq!(again.len(), 2);
    assert!(again.iter().all(|sent| sent.text == progress));
    world.tell(leg, LegCommand::Refuse(BUSY));
    assert_eq!(world.only().tag("To"), ringing.tag("To"));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_refusal_is_resent_until_its_ack_which_is_absorbed() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    let refusal = Refusal { status: 503, retry_after: Some(RetryAfter(7)) };
    world.tell(leg, LegCommand::Refuse(refusal));
    let refused = world.only();
    assert_eq!((refused.start(), refused.header("Retry-After")), ("SIP/2.0 503 Service Unavailable", "7"));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.pass(T1);
    assert_eq!(world.only(), refused);
    caller.learn(&refused);
    world.hear(&caller.ack_refusal());
    world.hear(&caller.ack_refusal());
    world.pass(PATIENCE);
    world.silent();
    assert_eq!(world.ua.legs(), 0);
    world.assert_clean();
}

#[test]
fn end_before_the_answer_is_a_final_response_with_the_cause() {
    let mut world = World::new();
    let (_, leg) = world.caller();
    world.tell(leg, LegCommand::End(ua::Why { q850: 41, status: 500 }));
    let refused = world.only();
    assert_eq!((refused.status(), refused.header("Reason")), (500, "Q.850;cause=41"));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_status_that_does_not_refuse_is_never_sent_as_a_refusal() {
    for status in [0, 100, 200, 700] {
        let mut world = World::new();
        let (_, leg) = world.caller();
        world.tell(leg, LegCommand::Refuse(Refusal { status, retry_after: None }));
        assert_eq!(world.only().status(), 480);
    }
}

#[test]
fn a_second_invite_before_the_final_of_the_first_gets_500_with_retry_after() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Ring);
    caller.learn(&world.only());
    let first = caller.clone();
    let second = caller.invite(&mut world, "", Some(OFFER));
    world.hear(&second);
    let refused = world.only();
    assert_eq!(refused.status(), 500);
    assert!(refused.header("Retry-After").parse::<u8>().unwrap() <= 10);
    world.hear(&caller.ack_refusal());
    world.silent();
    assert_eq!(world.heard(), []);
    // The first goes on.
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200);
    let ack = first.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn requests_in_an_early_dialog_are_answered() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Ring);
    caller.learn(&world.only());
    let options = caller.bare(&mut world, "OPTIONS");
    world.hear(&options);
    assert_eq!(world.only().status(), 200);
    let refresh = caller.update(&mut world, None);
    world.hear(&refresh);
    assert_eq!(world.only().status(), 200);
    let offer = caller.update(&mut world, Some(OFFER));
    world.hear(&offer);
    let refused = world.only();
    assert_eq!(refused.status(), 500);
    assert!(refused.has("Retry-After"));
    let key = "Content-Type: application/dtmf-relay\r\nContent-Length: 8\r\n\r\nSignal=5";
    let info = caller.request(&mut world, "INFO", key);
    world.hear(&info);
    assert_eq!(world.only().status(), 200);
    let digit = InfoDigit { digit: '5', duration: Duration::from_millis(250) };
    assert_eq!(world.only_event(), LegEvent::Digit(digit));
}

#[test]
fn a_caller_may_hang_up_an_early_dialog_by_bye() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Ring);
    caller.learn(&world.only());
    let bye = caller.bare(&mut world, "BYE");
    world.hear(&bye);
    assert_eq!(world.said(), ["200 BYE", "487 INVITE"]);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: None }));
    world.hear(&caller.ack_refusal());
    world.assert_clean();
}

#[test]
fn an_invite_of_rfc_2543_has_no_branch_and_works() {
    let mut world = World::new();
    let mut caller = crate::world::Caller::new(&mut world);
    caller.via = "SIP/2.0/UDP 198.51.100.7:5060".to_owned();
    let strip = |text: String| {
        let at = text.find(";branch=").unwrap();
        let end = at + text[at..].find("\r\n").unwrap();
        format!("{}{}", &text[..at], &text[end..])
    };
    let invite = strip(caller.invite(&mut world, "", Some(OFFER)));
    world.hear(&invite);
    let leg = world.offered();
    assert_eq!(world.only().status(), 100);
    world.hear(&invite);
    assert_eq!(world.only().status(), 100);
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = strip(caller.ack(&mut world, ""));
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    let bye = strip(caller.bare(&mut world, "BYE"));
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
    world.assert_clean();
}

#[test]
fn a_description_inside_a_multipart_body_is_the_offer() {
    let mut world = World::new();
    let mut caller = crate::world::Caller::new(&mut world);
    let body = format!(
        "--x\r\nContent-Type: application/isup\r\n\r\n\u{1}\r\n--x\r\nContent-Type: application/sdp\r\n\r\n{OFFER}\r\n--x--\r\n"
    );
    let rest = format!(
        "{}Content-Type: multipart/mixed;boundary=x\r\nContent-Length: {}\r\n\r\n{body}",
        caller.contact,
        body.len()
    );
    let invite = caller.request(&mut world, "INVITE", &rest);
    world.hear(&invite);
    let LegEvent::Offered(incoming) = world.only_event() else { panic!("offered") };
    assert_eq!(incoming.offer, Some(sdp(OFFER)));
}
