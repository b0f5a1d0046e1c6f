//! Callees who say provisional responses reliably, and what we acknowledge: RFC 3262 §4, §5; RFC 3311 §5.2 before the answer.

use ua::{Credentials, Ending, Invite, LegCommand, LegEvent, LegId, Refusal};

use crate::world::{
    ANSWER, BUSY, CONTACT, Callee, OFFER, T1, TRUNK, Text, WHY, World, invite, respond, sdp, udp, with_body,
};

const OTHER: &str = "v=0\r\no=- 3 1 IN IP4 198.51.100.9\r\ns=-\r\nt=0 0\r\n";

/// Header fields of a reliable response with this number.
fn reliably(rseq: u32) -> String {
    format!("{CONTACT}Require: 100rel\r\nRSeq: {rseq}\r\n")
}

/// A callee who has rung reliably, and our PRACK.
fn rung(world: &mut World) -> (Callee, LegId, Text) {
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(180, "b1", &reliably(9), None));
    assert_eq!(world.only_event(), LegEvent::Ringing);
    let prack = world.only();
    (callee, leg, prack)
}

/// A callee who has answered our offer reliably, before the call is answered; our PRACK is answered too.
fn described(world: &mut World) -> (Callee, LegId) {
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(183, "b1", &reliably(1), Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Progressed { sdp: sdp(OFFER) });
    let prack = world.only();
    world.hear(&respond(&prack, 200, "", "", None));
    (callee, leg)
}

fn update(callee: &Callee, world: &mut World, tag: &str, sequence: u32, offer: Option<&str>) -> Text {
    let text = callee.request(world, "UPDATE", tag, sequence, &with_body(CONTACT, offer));
    world.hear(&text);
    Text(text)
}

#[test]
fn our_invite_says_that_we_acknowledge() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    assert_eq!(callee.invite.header("Supported"), "100rel");
    assert!(callee.invite.header("Allow").contains("PRACK"));
    assert!(!callee.invite.has("Require"), "whoever cannot is called all the same");
}

#[test]
fn a_reliable_response_is_acknowledged_in_its_early_dialog() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    let lines = format!(
        "Record-Route: <sip:203.0.113.2;lr>, <sip:203.0.113.1;lr>\r\n{}",
        reliably(9).replace("198.51.100.7:5060", "198.51.100.9:5070")
    );
    world.hear(&callee.respond(180, "b1", &lines, None));
    let sent = world.only_sent();
    let prack = &sent.text;
    assert_eq!((prack.method(), prack.uri()), ("PRACK", "sip:peer@198.51.100.9:5070"));
    assert_eq!(prack.all("Route"), ["<sip:203.0.113.1;lr>", "<sip:203.0.113.2;lr>"]);
    assert_eq!(sent.flow, udp("203.0.113.1:5060"));
    assert_eq!((prack.tag("To"), prack.tag("From")), ("b1", callee.invite.tag("From")));
    let number: u32 = callee.invite.header("CSeq").split(' ').next().unwrap().parse().unwrap();
    assert_eq!(prack.header("RAck"), format!("9 {number} INVITE"));
    assert_eq!(prack.header("CSeq"), format!("{} PRACK", number + 1));
    assert_eq!((prack.header("Call-ID"), prack.body()), (callee.invite.header("Call-ID"), ""));
}

#[test]
fn a_prack_is_said_again_until_it_is_answered_and_what_comes_again_is_absorbed() {
    let mut world = World::new();
    let (callee, _, prack) = rung(&mut world);
    world.pass(T1);
    assert_eq!(world.only(), prack);
    // Their retransmission crosses our PRACK, which answers for both.
    world.hear(&callee.respond(180, "b1", &reliably(9), None));
    world.silent();
    world.hear(&respond(&prack, 200, "", "", None));
    world.pass(T1 * 8);
    world.silent();
    assert_eq!(world.heard(), []);
}

#[test]
fn what_comes_before_its_turn_is_dropped_and_acknowledged_in_its_turn() {
    let mut world = World::new();
    let (callee, _, prack) = rung(&mut world);
    world.hear(&respond(&prack, 200, "", "", None));
    for early in [11, 8, 0, 4_294_967_295] {
        world.hear(&callee.respond(183, "b1", &reliably(early), Some(OFFER)));
        if early == 0 {
            // No number at all: it is as any other that is not reliable (RFC 3262 §7.1).
            assert_eq!(world.only_event(), LegEvent::Progressed { sdp: sdp(OFFER) });
        }
        world.silent();
        assert_eq!(world.heard(), [], "{early}");
    }
    world.hear(&callee.respond(183, "b1", &reliably(10), Some(OTHER)));
    assert!(world.only().header("RAck").starts_with("10 "));
    assert_eq!(world.only_event(), LegEvent::Progressed { sdp: sdp(OTHER) });
    world.hear(&callee.respond(180, "b1", &reliably(11), None));
    assert!(world.only().header("RAck").starts_with("11 "));
}

#[test]
fn each_fork_has_its_own_numbers_and_the_others_end_with_a_bye_that_counts_on() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    let first: u32 = callee.invite.header("CSeq").split(' ').next().unwrap().parse().unwrap();
    for (tag, rseq) in [("b1", 5), ("b2", 5), ("b1", 6), ("b2", 6), ("b2", 7)] {
        world.hear(&callee.respond(180, tag, &reliably(rseq), None));
        let prack = world.only();
        assert_eq!((prack.tag("To"), prack.header("RAck")), (tag, &*format!("{rseq} {first} INVITE")));
    }
    world.heard();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    let ack = world.only();
    assert_eq!(ack.header("CSeq"), format!("{first} ACK"), "the number of the INVITE, whatever came between");
    world.hear(&callee.respond(200, "b2", CONTACT, Some(OFFER)));
    assert_eq!(world.take()[1].text.header("CSeq"), format!("{} BYE", first + 4));
}

#[test]
fn the_dialog_goes_on_where_its_early_one_was() {
    let mut world = World::new();
    let (callee, leg) = described(&mut world);
    let first: u32 = callee.invite.header("CSeq").split(' ').next().unwrap().parse().unwrap();
    let theirs = callee.request(&mut world, "OPTIONS", "b1", 40, &with_body("", None));
    world.hear(&theirs);
    assert_eq!(world.only().status(), 200);
    world.hear(&callee.respond(200, "b1", CONTACT, None));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
    assert_eq!(world.only().header("CSeq"), format!("{first} ACK"));
    // Numbers do not begin anew, theirs neither.
    let late = callee.request(&mut world, "INFO", "b1", 40, &with_body("", None));
    world.hear(&late);
    assert_eq!(world.only().status(), 500);
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.only().header("CSeq"), format!("{} BYE", first + 2));
}

#[test]
fn the_200_may_describe_the_session_otherwise_than_the_183_did() {
    let mut world = World::new();
    let (callee, _) = described(&mut world);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OTHER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OTHER)) });
}

#[test]
fn a_challenged_prack_is_sent_again_with_credentials_and_the_next_one_at_once() {
    let mut world = World::new();
    let known = Credentials { username: "u".into(), password: "p".into(), realm: None, md5: true };
    let leg = world.ua.next_leg();
    let invite = Invite { credentials: Some(known.into()), ..invite(udp(TRUNK)) };
    world.tell(leg, LegCommand::Invite(Box::new(invite)));
    let first = world.only();
    let asks = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n";
    world.hear(&respond(&first, 407, "p1", asks, None));
    let second = world.take().pop().unwrap().text;
    assert!(second.header("Proxy-Authorization").contains("nc=00000001"));
    world.hear(&respond(&second, 180, "b1", &reliably(1), None));
    let prack = world.only();
    assert!(prack.header("Proxy-Authorization").contains("nc=00000002"), "{prack:?}");
    let asks = asks.replace("\"n\"", "\"m\"");
    world.hear(&respond(&prack, 407, "", &asks, None));
    let again = world.only();
    assert!(again.header("Proxy-Authorization").contains("nonce=\"m\""), "{again:?}");
    assert_eq!(again.header("RAck"), prack.header("RAck"));
    world.hear(&respond(&again, 407, "", &asks, None));
    world.silent();
}

#[test]
fn a_prack_that_is_refused_or_never_answered_leaves_the_invite_as_it_is() {
    let mut world = World::new();
    let (callee, _, prack) = rung(&mut world);
    world.hear(&respond(&prack, 481, "", "", None));
    world.hear(&callee.respond(183, "b1", &reliably(10), None));
    world.pass(T1 * 64);
    assert_eq!(world.heard(), []);
    world.take();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
}

#[test]
fn the_200_may_overtake_the_answer_to_our_prack() {
    let mut world = World::new();
    let (callee, _, prack) = rung(&mut world);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only().method(), "ACK");
    world.pass(T1);
    assert_eq!(world.only(), prack, "it is said until it is answered");
    world.hear(&respond(&prack, 200, "", "", None));
    world.pass(T1 * 8);
    world.silent();
}

#[test]
fn what_is_reliable_is_acknowledged_after_a_cancel_too() {
    let mut world = World::new();
    let (callee, leg, prack) = rung(&mut world);
    world.hear(&respond(&prack, 200, "", "", None));
    world.tell(leg, LegCommand::End(WHY));
    let cancel = world.only();
    assert_eq!((cancel.method(), cancel.branch()), ("CANCEL", callee.invite.branch()));
    world.hear(&callee.respond(183, "b1", &reliably(10), Some(OFFER)));
    let late = world.only();
    assert!(late.header("RAck").starts_with("10 "));
    // Their 200 crosses our CANCEL.
    world.hear(&callee.respond(200, "b1", CONTACT, None));
    let sent = world.take();
    let [ack, bye] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((ack.text.method(), bye.text.method()), ("ACK", "BYE"));
    let number = |text: &Text| text.header("CSeq").split(' ').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(number(&bye.text), number(&late) + 1);
    world.hear(&respond(&bye.text, 200, "", "", None));
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Ordered)]);
    world.assert_clean();
}

#[test]
fn a_cancel_before_anything_came_waits_and_what_then_comes_is_acknowledged() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.tell(leg, LegCommand::End(WHY));
    world.silent();
    world.hear(&callee.respond(180, "b1", &reliably(1), None));
    assert_eq!(world.said(), ["CANCEL", "PRACK"]);
    world.hear(&callee.respond(487, "b1", "", None));
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Ordered)]);
    world.assert_clean();
}

#[test]
fn an_update_that_offers_is_for_a_session_whose_first_offer_is_answered_reliably() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    // Their answer is none yet: it is not reliable, and not even there.
    for (status, sdp) in [(180, None), (183, Some(OFFER))] {
        world.hear(&callee.respond(status, "b1", CONTACT, sdp));
        world.heard();
        update(&callee, &mut world, "b1", u32::from(status), Some(OTHER));
        assert_eq!((world.only().status(), world.heard()), (491, vec![]), "{status}");
    }
    world.hear(&callee.respond(183, "b1", &reliably(1), Some(OFFER)));
    world.take();
    world.heard();
    update(&callee, &mut world, "b1", 200, Some(OTHER));
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OTHER)) });
    // Another, of whatever kind, before that is decided (RFC 3311 §5.2).
    for (sequence, offer) in [(201, Some(OFFER)), (202, None)] {
        update(&callee, &mut world, "b1", sequence, offer);
        let refused = world.only();
        assert!(refused.status() == 500 && refused.has("Retry-After"), "{refused:?}");
    }
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    assert_eq!((ok.status(), ok.method(), ok.body()), (200, "UPDATE", ANSWER));
    update(&callee, &mut world, "b1", 203, None);
    assert_eq!(world.only().status(), 200);
    // What the 200 repeats has not been the answer any more since then.
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: None });
}

#[test]
fn an_offer_in_an_early_dialog_can_be_refused_and_another_fork_can_win() {
    let mut world = World::new();
    let (callee, leg) = described(&mut world);
    update(&callee, &mut world, "b1", 1, Some(OTHER));
    world.heard();
    world.tell(leg, LegCommand::Refuse(Refusal { status: 488, retry_after: None }));
    assert_eq!(world.only().status(), 488);
    update(&callee, &mut world, "b1", 2, Some(OTHER));
    world.heard();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.take();
    world.hear(&callee.respond(200, "b2", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
    world.tell(leg, LegCommand::Refuse(BUSY));
}

#[test]
fn an_offer_that_waits_when_the_call_is_answered_waits_on_and_ends_with_all_others() {
    let mut world = World::new();
    let (callee, leg) = described(&mut world);
    update(&callee, &mut world, "b1", 1, Some(OTHER));
    world.heard();
    world.hear(&callee.respond(200, "b1", CONTACT, None));
    world.take();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200);
    for end in ["cancel", "refusal", "another fork"] {
        let mut world = World::new();
        let (callee, leg) = described(&mut world);
        update(&callee, &mut world, "b1", 1, Some(OTHER));
        match end {
            "cancel" => world.tell(leg, LegCommand::End(WHY)),
            "refusal" => world.hear(&callee.respond(486, "b1", "", None)),
            _ => world.hear(&callee.respond(200, "b2", CONTACT, Some(OFFER))),
        }
        let said = world.said();
        assert!(said.contains(&"487 UPDATE".to_owned()), "{end}: {said:?}");
    }
}

#[test]
fn more_forks_than_are_known_are_left_to_find_out() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    for fork in 1..=8 {
        world.hear(&callee.respond(180, &format!("b{fork}"), &reliably(1), None));
        assert_eq!(world.only().method(), "PRACK");
    }
    world.hear(&callee.respond(180, "b9", &reliably(1), None));
    world.silent();
}
