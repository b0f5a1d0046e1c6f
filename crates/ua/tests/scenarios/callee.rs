//! Calls that go out: RFC 3261 §13.2.

use std::time::Duration;

use sip::Transport;
use ua::{Ending, Invite, LegCommand, LegEvent, Shown};

use crate::world::{ANSWER, CONTACT, OFFER, PATIENCE, TRUNK, WHY, World, invite, respond, sdp, tcp, udp};

#[test]
fn our_invite_is_composed_from_values_alone_and_small() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    let sent = callee.invite;
    assert_eq!(sent.start(), "INVITE sip:+79992222222@198.51.100.7:5060;user=phone SIP/2.0");
    assert!(sent.header("Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"));
    assert!(sent.header("Via").ends_with(";rport"));
    assert!(sent.header("From").starts_with("<sip:+74951234567@192.0.2.1:5060>;tag="));
    assert_eq!(sent.header("To"), "<sip:+79992222222@198.51.100.7:5060;user=phone>");
    assert_eq!(sent.header("Contact"), "<sip:192.0.2.1:5060>");
    assert_eq!(sent.header("P-Asserted-Identity"), "<sip:+74951234567@192.0.2.1:5060>");
    assert_eq!((sent.header("Max-Forwards"), sent.header("User-Agent")), ("69", "Bauta"));
    assert_eq!((sent.header("Content-Type"), sent.body()), ("application/sdp", ANSWER));
    assert!(sent.tag("From").len() >= 20 && sent.header("Call-ID").len() >= 20 && sent.branch().len() >= 27);
    let names: Vec<_> = sent
        .0
        .split("\r\n\r\n")
        .next()
        .unwrap()
        .split("\r\n")
        .skip(1)
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Via",
            "Max-Forwards",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
            "P-Asserted-Identity",
            "Supported",
            "Allow",
            "Accept",
            "User-Agent",
            "Content-Type",
            "Content-Length"
        ]
    );
    assert!(sent.0.len() < 1000, "{}", sent.0.len());
}

#[test]
fn no_product_and_no_asserted_identity_are_said_where_none_are_wanted() {
    let mut config = crate::world::config();
    config.product = String::new();
    let mut world = World::with(config);
    let leg = world.ua.next_leg();
    world.tell(leg, LegCommand::Invite(Box::new(Invite { shown: vec![], ..invite(udp(TRUNK)) })));
    let sent = world.only();
    assert!(!sent.has("User-Agent") && !sent.has("P-Asserted-Identity"));
}

#[test]
fn that_something_came_back_is_said_once_and_before_all_else() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    for status in [100, 180, 100, 183] {
        world.hear(&callee.respond(status, "b1", CONTACT, None));
        assert_eq!(world.heard_back, 1);
    }
    let (callee, _) = world.callee();
    world.hear(&callee.respond(503, "b1", "Retry-After: 12\r\n", None));
    let refused = Ending::Refused { status: 503, q850: None, retry_after: Some(Duration::from_secs(12)) };
    assert_eq!((world.heard_back, world.heard().pop()), (1, Some(LegEvent::Ended(refused))));
}

#[test]
fn the_way_that_must_be_taken_stands_in_the_invite_its_ack_and_its_cancel() {
    let mut world = World::new();
    let routes = vec!["sip:edge.example;lr".to_owned(), "sip:core.example;lr".to_owned()];
    let leg = world.ua.next_leg();
    world.tell(leg, LegCommand::Invite(Box::new(Invite { routes, ..invite(udp(TRUNK)) })));
    let first = world.only();
    let way = ["<sip:edge.example;lr>", "<sip:core.example;lr>"];
    assert_eq!(first.all("Route"), way);
    assert_eq!(first.uri(), "sip:+79992222222@198.51.100.7:5060;user=phone");
    world.hear(&respond(&first, 180, "b1", CONTACT, None));
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.only().all("Route"), way, "CANCEL");
    world.hear(&respond(&first, 487, "b1", "", None));
    assert_eq!(world.only().all("Route"), way, "ACK");
}

#[test]
fn our_number_is_shown_where_the_trunk_wants_it_and_withheld_where_it_says_so() {
    let mut world = World::new();
    let mut shown = |withheld| {
        let leg = world.ua.next_leg();
        let invite = Invite {
            from: "sip:account@carrier.example".to_owned(),
            shown: vec![Shown::Asserted, Shown::Preferred, Shown::RemoteParty, Shown::Diversion],
            withheld,
            ..invite(udp(TRUNK))
        };
        world.tell(leg, LegCommand::Invite(Box::new(invite)));
        world.only()
    };
    let (plain, hidden) = (shown(false), shown(true));
    let own = "<sip:+74951234567@192.0.2.1:5060>";
    for text in [&plain, &hidden] {
        assert!(text.header("From").starts_with("<sip:account@carrier.example>;tag="));
        assert_eq!((text.header("P-Asserted-Identity"), text.header("P-Preferred-Identity")), (own, own));
    }
    for (text, privacy) in [(&plain, "off"), (&hidden, "full")] {
        let party = format!("{own};party=calling;screen=yes;privacy={privacy}");
        let diversion = format!("{own};reason=unconditional;privacy={privacy}");
        assert_eq!((text.header("Remote-Party-ID"), text.header("Diversion")), (&*party, &*diversion));
    }
    assert_eq!((plain.has("Privacy"), hidden.header("Privacy")), (false, "id"));
}

#[test]
fn two_legs_have_nothing_in_common() {
    let mut world = World::new();
    let (one, _) = world.callee();
    let (other, _) = world.callee();
    assert_ne!(one.invite.header("Call-ID"), other.invite.header("Call-ID"));
    assert_ne!(one.invite.tag("From"), other.invite.tag("From"));
    assert_ne!(one.invite.branch(), other.invite.branch());
    assert_ne!(one.invite.header("CSeq"), other.invite.header("CSeq"));
}

#[test]
fn a_callee_rings_answers_and_is_hung_up() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(100, "", "", None));
    assert_eq!(world.heard(), []);
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    assert_eq!(world.only_event(), LegEvent::Ringing);
    world.hear(&callee.respond(183, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Progressed { sdp: sdp(OFFER) });
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.hear(&callee.respond(183, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.heard(), [], "nothing new");
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
    let ack = world.only();
    assert_eq!(ack.uri(), "sip:peer@198.51.100.7:5060");
    assert_eq!((ack.tag("To"), ack.tag("From")), ("b1", callee.invite.tag("From")));
    assert_eq!(ack.header("CSeq"), callee.invite.header("CSeq").replace("INVITE", "ACK"));
    assert_ne!(ack.branch(), callee.invite.branch());
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    assert_eq!(
        (bye.method(), bye.uri(), bye.header("Reason")),
        ("BYE", "sip:peer@198.51.100.7:5060", "Q.850;cause=16")
    );
    let number = |text: &str| text.split(' ').next().unwrap().parse::<u32>().unwrap();
    assert_eq!(number(bye.header("CSeq")), number(callee.invite.header("CSeq")) + 1);
    assert_eq!(world.heard(), []);
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
    world.silent();
}

#[test]
fn an_answer_that_came_early_is_the_answer_where_the_200_brings_none() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(183, "b1", CONTACT, Some(OFFER)));
    world.hear(&callee.respond(200, "b1", CONTACT, None));
    assert_eq!(
        world.heard(),
        [LegEvent::Progressed { sdp: sdp(OFFER) }, LegEvent::Answered { sdp: Some(sdp(OFFER)) }]
    );
    world.take();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(200, "b2", CONTACT, None));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: None });
}

#[test]
fn the_tag_may_change_between_180_183_and_200() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.hear(&callee.respond(183, "b2", CONTACT, Some(OFFER)));
    world.hear(&callee.respond(200, "b3", CONTACT, Some(ANSWER)));
    assert_eq!(
        world.heard(),
        [
            LegEvent::Ringing,
            LegEvent::Progressed { sdp: sdp(OFFER) },
            LegEvent::Answered { sdp: Some(sdp(ANSWER)) }
        ]
    );
    world.take();
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.only().tag("To"), "b3");
}

#[test]
fn every_refusal_is_acknowledged_and_reported_with_its_cause() {
    for status in [302, 401, 403, 404, 407, 480, 486, 487, 491, 500, 503, 603] {
        let mut world = World::new();
        let (callee, _) = world.callee();
        let lines = "Reason: SIP;cause=1, Q.850;cause=17;text=\"+79993333333\"\r\nContact: <sip:+79994444444@203.0.113.9>\r\nWWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n";
        world.hear(&callee.respond(status, "b1", lines, None));
        assert_eq!(
            world.only_event(),
            LegEvent::Ended(Ending::Refused { status, q850: Some(17), retry_after: None })
        );
        let ack = world.only_sent();
        assert_eq!(ack.flow, callee.flow);
        let ack = ack.text;
        assert_eq!((ack.method(), ack.uri()), ("ACK", callee.invite.uri()));
        assert_eq!(ack.branch(), callee.invite.branch(), "the ACK belongs to the transaction");
        assert_eq!(ack.tag("To"), "b1");
        assert!(!ack.has("Authorization") && !ack.0.contains("79994444444"));
        // The refusal again is acknowledged again and says nothing new.
        world.hear(&callee.respond(status, "b1", lines, None));
        assert_eq!(world.only(), ack);
        assert_eq!(world.heard(), []);
        world.assert_clean();
        world.silent();
    }
}

#[test]
fn a_408_and_silence_are_both_unreachable() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(408, "b1", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    world.take();
    world.callee();
    world.pass(PATIENCE);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    let times: Vec<_> = world.take().iter().map(|sent| sent.at.as_millis()).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 15_500, 31_500]);
    world.assert_clean();
}

#[test]
fn a_callee_that_rings_for_long_is_waited_for() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    world.pass(Duration::from_secs(600));
    assert_eq!(world.heard(), [LegEvent::Ringing]);
    world.silent();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
}

#[test]
fn a_fork_that_ended_does_not_ring() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(199, "b1", CONTACT, None));
    assert_eq!(world.heard(), []);
}

#[test]
fn requests_in_an_early_dialog_of_theirs_are_answered() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(183, "b1", CONTACT, Some(OFFER)));
    world.heard();
    let empty = crate::world::with_body(CONTACT, None);
    let offer = crate::world::with_body(CONTACT, Some(OFFER));
    let mut sequence = 0;
    let mut ask = |world: &mut World, method, tag, rest: &str| {
        sequence += 1;
        let request = callee.request(world, method, tag, sequence, rest);
        world.hear(&request);
        world.only().status()
    };
    assert_eq!(ask(&mut world, "OPTIONS", "b1", &empty), 200);
    assert_eq!(ask(&mut world, "INFO", "b1", &empty), 200);
    assert_eq!(ask(&mut world, "UPDATE", "b1", &empty), 200);
    assert_eq!(ask(&mut world, "UPDATE", "b1", &offer), 491, "our own offer is open");
    assert_eq!(ask(&mut world, "INVITE", "b1", &offer), 491);
    assert_eq!(ask(&mut world, "OPTIONS", "b2", &empty), 481, "no such early dialog");
    assert_eq!(ask(&mut world, "BYE", "b1", &empty), 481);
    let late = callee.request(&mut world, "OPTIONS", "b1", 1, &empty);
    world.hear(&late);
    assert_eq!(world.only().status(), 500, "out of order");
    assert_eq!(world.heard(), []);
}

#[test]
fn an_address_that_is_none_or_a_listener_that_is_none_ends_the_leg_at_once() {
    let mut world = World::new();
    for bad in [
        Invite { uri: "not an address".to_owned(), ..invite(udp(TRUNK)) },
        Invite { from: "sip:a b@c".to_owned(), ..invite(udp(TRUNK)) },
        Invite { to: "sip:a@b\r\nX: y".to_owned(), ..invite(udp(TRUNK)) },
        Invite { flow: sip::Flow { listener: 9, ..udp(TRUNK) }, ..invite(udp(TRUNK)) },
    ] {
        let leg = world.ua.next_leg();
        world.tell(leg, LegCommand::Invite(Box::new(bad)));
        assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
        world.silent();
    }
    world.assert_clean();
}

#[test]
fn an_address_may_be_written_in_brackets() {
    let mut world = World::new();
    let leg = world.ua.next_leg();
    let from = "\"Shop\" <sip:+74951234567@192.0.2.1>".to_owned();
    world.tell(leg, LegCommand::Invite(Box::new(Invite { from, ..invite(udp(TRUNK)) })));
    assert!(world.only().header("From").starts_with("<sip:+74951234567@192.0.2.1>;tag="));
}

#[test]
fn commands_that_mean_nothing_in_a_state_do_nothing() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    let useless = [
        LegCommand::Ring,
        LegCommand::Progress(sdp(ANSWER)),
        LegCommand::Accept(sdp(ANSWER)),
        LegCommand::Refuse(crate::world::BUSY),
        LegCommand::Invite(Box::new(invite(udp(TRUNK)))),
    ];
    for command in &useless {
        world.tell(leg, command.clone());
    }
    world.silent();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    world.take();
    world.heard();
    for command in &useless {
        world.tell(leg, command.clone());
    }
    world.silent();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    for command in useless.iter().cloned().chain([LegCommand::End(WHY)]) {
        world.tell(leg, command);
    }
    world.hear(&respond(&bye, 200, "", "", None));
    for command in useless.iter().cloned().chain([LegCommand::End(WHY)]) {
        world.tell(leg, command);
    }
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.heard(), []);
}

#[test]
fn by_tcp_nothing_is_sent_again_and_the_contact_says_tcp() {
    let mut world = World::new();
    let flow = sip::Flow { connection: None, ..tcp(TRUNK, 0) };
    let (callee, _) = world.callee_on(flow);
    assert!(callee.invite.header("Via").starts_with("SIP/2.0/TCP 192.0.2.1:5060;"));
    assert_eq!(callee.invite.header("Contact"), "<sip:192.0.2.1:5060;transport=tcp>");
    world.pass(PATIENCE);
    world.silent();
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    assert_eq!(flow.transport, Transport::Tcp);
    world.assert_clean();
}
