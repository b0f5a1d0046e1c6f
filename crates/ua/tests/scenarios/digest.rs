//! Trunks that ask who we are: RFC 3261 §22, RFC 7616, RFC 8760. What an answer must be is computed beside the unit;
//! here is who gets one, when, and how often.

use std::sync::Arc;

use sip::Flow;
use ua::{Credentials, Ending, Invite, LegCommand, LegEvent, LegId};

use crate::world::{CONTACT, Callee, OFFER, TRUNK, Text, WHY, World, invite, respond, sdp, udp};

fn credentials() -> Credentials {
    Credentials {
        username: "bauta".into(),
        password: "a secret that nobody is told".into(),
        realm: Some("carrier".into()),
        md5: true,
    }
}

fn ask(nonce: &str, more: &str) -> String {
    format!("WWW-Authenticate: Digest realm=\"carrier\", nonce=\"{nonce}\", qop=\"auth\"{more}\r\n")
}

/// An INVITE that can be answered for.
fn known(world: &mut World) -> (Callee, LegId) {
    known_on(world, udp(TRUNK))
}

fn known_on(world: &mut World, flow: Flow) -> (Callee, LegId) {
    let leg = world.ua.next_leg();
    let credentials = Some(Arc::new(credentials()));
    world.tell(leg, LegCommand::Invite(Box::new(Invite { credentials, ..invite(flow) })));
    let sent = world.only_sent();
    assert!(!sent.text.has("Authorization") && !sent.text.has("Proxy-Authorization"));
    (Callee { invite: sent.text, flow }, leg)
}

/// The second INVITE, after the first was challenged. The ACK to the challenge went before it.
fn again(world: &mut World, callee: &Callee) -> Callee {
    let sent = world.take();
    let [ack, second] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!((ack.text.method(), ack.text.branch()), ("ACK", callee.invite.branch()));
    assert_eq!(ack.text.header("CSeq"), callee.invite.header("CSeq").replace("INVITE", "ACK"));
    Callee { invite: second.text.clone(), flow: callee.flow }
}

fn number(text: &Text) -> u32 {
    text.header("CSeq").split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_challenged_invite_is_acknowledged_and_sent_again_with_the_next_number() {
    for (status, header) in [(401, "Authorization"), (407, "Proxy-Authorization")] {
        let mut world = World::new();
        let (first, _) = known(&mut world);
        let asked = ask("n1", ", algorithm=SHA-256").replace(
            "WWW-Authenticate",
            if status == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" },
        );
        world.hear(&first.respond(status, "b0", &asked, None));
        let second = again(&mut world, &first).invite;
        for same in ["Call-ID", "From", "To"] {
            assert_eq!(second.header(same), first.invite.header(same));
        }
        assert_eq!((second.uri(), second.body()), (first.invite.uri(), first.invite.body()));
        assert_eq!(number(&second), number(&first.invite) + 1);
        assert_ne!(second.branch(), first.invite.branch());
        let said = second.header(header);
        assert!(
            said.starts_with("Digest username=\"bauta\", realm=\"carrier\", nonce=\"n1\", uri=\""),
            "{said}"
        );
        assert!(said.contains("algorithm=SHA-256") && said.contains("nc=00000001"), "{said}");
        assert_eq!(world.heard(), [], "nobody above hears of it");
    }
}

#[test]
fn the_ack_to_the_200_repeats_the_credentials_and_the_bye_has_the_next_count() {
    let mut world = World::new();
    let (first, leg) = known(&mut world);
    world.hear(&first.respond(401, "b0", &ask("n1", ""), None));
    let second = again(&mut world, &first);
    world.hear(&second.respond(180, "b1", CONTACT, None));
    world.hear(&second.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.heard(), [LegEvent::Ringing, LegEvent::Answered { sdp: Some(sdp(OFFER)) }]);
    let ack = world.only();
    assert_eq!(ack.header("Authorization"), second.invite.header("Authorization"));
    assert_eq!(number(&ack), number(&second.invite));
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    let said = bye.header("Authorization");
    assert!(said.contains("nonce=\"n1\"") && said.contains("nc=00000002"), "{said}");
    assert!(said.contains("uri=\"sip:peer@198.51.100.7:5060\""), "{said}");
    // By then the nonce was too old, and not every server says so.
    world.hear(&respond(&bye, 401, "", &ask("n2", ""), None));
    let next = world.only();
    assert_eq!((next.method(), number(&next)), ("BYE", number(&bye) + 1));
    assert!(next.header("Authorization").contains("nonce=\"n2\""));
    assert_eq!(world.heard(), []);
    world.hear(&respond(&next, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_bye_that_is_refused_for_ever_ends_all_the_same() {
    let mut world = World::new();
    let (callee, leg) = known(&mut world);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    world.take();
    world.heard();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.hear(&respond(&bye, 407, "", &ask("n1", "").replace("WWW-", "Proxy-"), None));
    let next = world.only();
    world.hear(&respond(&next, 407, "", &ask("n2", "").replace("WWW-", "Proxy-"), None));
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn whoever_refuses_a_right_answer_is_not_answered_again_unless_the_nonce_was_stale() {
    let mut world = World::new();
    let (first, _) = known(&mut world);
    world.hear(&first.respond(401, "b0", &ask("n1", ""), None));
    let second = again(&mut world, &first);
    world.hear(&second.respond(401, "b0", &ask("n2", ", stale=true"), None));
    let third = again(&mut world, &second);
    assert!(third.invite.header("Authorization").contains("nonce=\"n2\""));
    world.hear(&third.respond(401, "b0", &ask("n3", ", stale=true"), None));
    assert_eq!(world.only().method(), "ACK");
    assert_eq!(
        world.only_event(),
        LegEvent::Ended(Ending::Refused { status: 401, q850: None, retry_after: None })
    );
    world.assert_clean();
}

#[test]
fn a_proxy_and_the_server_behind_it_may_both_ask() {
    let mut world = World::new();
    let (first, _) = known(&mut world);
    world.hear(&first.respond(407, "b0", &ask("p", "").replace("WWW-", "Proxy-"), None));
    let second = again(&mut world, &first);
    world.hear(&second.respond(401, "b0", &ask("w", ""), None));
    let third = again(&mut world, &second).invite;
    assert!(third.header("Proxy-Authorization").contains("nonce=\"p\""));
    assert!(third.header("Proxy-Authorization").contains("nc=00000002"));
    assert!(third.header("Authorization").contains("nonce=\"w\""));
}

#[test]
fn another_realm_and_another_address_get_nothing() {
    let foreign = ask("n", "").replace("carrier", "elsewhere");
    let mut world = World::new();
    let (callee, _) = known(&mut world);
    world.hear(&callee.respond(401, "b0", &foreign, None));
    assert_eq!(world.only().method(), "ACK");
    assert_eq!(
        world.only_event(),
        LegEvent::Ended(Ending::Refused { status: 401, q850: None, retry_after: None })
    );
    let (callee, _) = known(&mut world);
    world.hear_on(udp("203.0.113.9:5060"), None, &callee.respond(401, "b0", &ask("n", ""), None));
    assert_eq!(world.only().method(), "ACK");
    assert_eq!(
        world.only_event(),
        LegEvent::Ended(Ending::Refused { status: 401, q850: None, retry_after: None })
    );
}

#[test]
fn a_dialog_that_leads_elsewhere_takes_no_credentials_along() {
    let mut world = World::new();
    let (first, leg) = known(&mut world);
    world.hear(&first.respond(401, "b0", &ask("n1", ""), None));
    let second = again(&mut world, &first);
    world.hear(&second.respond(200, "b1", "Contact: <sip:peer@203.0.113.9:5060>\r\n", Some(OFFER)));
    world.take();
    world.heard();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(bye.flow, udp("203.0.113.9:5060"));
    assert!(!bye.text.has("Authorization"));
    let refusal = respond(&bye.text, 401, "", &ask("n2", ""), None);
    world.hear_on(bye.flow, None, &refusal);
    world.silent();
}

#[test]
fn a_caller_who_asks_who_we_are_is_told_nothing() {
    let mut world = World::new();
    let (_, leg) = world.talking();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.hear(&respond(&bye, 407, "", &ask("n", "").replace("WWW-", "Proxy-"), None));
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
}

#[test]
fn a_call_taken_back_between_the_two_invites_is_cancelled_once_the_second_is_heard() {
    let mut world = World::new();
    let (first, leg) = known(&mut world);
    world.hear(&first.respond(100, "", "", None));
    world.hear(&first.respond(401, "b0", &ask("n1", ""), None));
    let second = again(&mut world, &first);
    world.tell(leg, LegCommand::End(WHY));
    world.silent();
    world.hear(&second.respond(180, "b1", CONTACT, None));
    let cancel = world.only();
    assert_eq!((cancel.method(), cancel.branch()), ("CANCEL", second.invite.branch()));
    assert_eq!(number(&cancel), number(&second.invite));
    world.hear(&second.respond(487, "b1", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_call_taken_back_before_the_challenge_ends_with_it() {
    let mut world = World::new();
    let (callee, leg) = known(&mut world);
    world.tell(leg, LegCommand::End(WHY));
    world.hear(&callee.respond(401, "b0", &ask("n1", ""), None));
    assert_eq!(world.only().method(), "ACK");
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}
