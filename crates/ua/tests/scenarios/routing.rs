//! Where requests inside a dialog go and how they are addressed: RFC 3261 §12.1, §12.2.1.1, §16.12, §18.

use sip::{Flow, Transport};
use ua::{LegCommand, LegEvent, TrunkId};

use crate::world::{ANSWER, CONTACT, Caller, OFFER, Sent, TRUNK, WHY, World, sdp, tcp, udp, with_body};

const LOOSE: &str = "Record-Route: <sip:203.0.113.1:5080;lr;ftag=x>, <sip:edge.example.net;lr>\r\nRecord-Route: <sip:203.0.113.3;lr>\r\n";
const STRICT: &str = "Record-Route: <sip:203.0.113.1:5080>, <sip:203.0.113.3;lr>\r\n";

/// The BYE of a call that came in with these header fields.
fn bye_to_caller(lines: &str) -> Sent {
    let mut world = World::new();
    let (mut caller, leg) = world.caller_with(lines, Some(OFFER));
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    let record_routes: Vec<_> =
        lines.split("\r\n").filter_map(|line| line.strip_prefix("Record-Route: ")).collect();
    assert_eq!(ok.all("Record-Route"), record_routes);
    caller.learn(&ok);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.tell(leg, LegCommand::End(WHY));
    world.only_sent()
}

/// The ACK and the BYE of a call that went out and was answered with these header fields.
fn requests_to_callee(lines: &str) -> Vec<Sent> {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(200, "b1", lines, Some(OFFER)));
    world.tell(leg, LegCommand::End(WHY));
    world.take()
}

#[test]
fn the_route_set_of_a_caller_is_in_order_and_the_first_hop_gets_the_request() {
    let sent = bye_to_caller(LOOSE);
    assert_eq!(sent.text.uri(), "sip:peer@198.51.100.7:5060");
    assert_eq!(
        sent.text.all("Route"),
        ["<sip:203.0.113.1:5080;lr;ftag=x>", "<sip:edge.example.net;lr>", "<sip:203.0.113.3;lr>"]
    );
    assert_eq!(sent.flow, udp("203.0.113.1:5080"));
}

#[test]
fn the_route_set_of_a_callee_is_reversed() {
    for sent in requests_to_callee(&format!("{CONTACT}{LOOSE}")) {
        assert_eq!(
            sent.text.all("Route"),
            ["<sip:203.0.113.3;lr>", "<sip:edge.example.net;lr>", "<sip:203.0.113.1:5080;lr;ftag=x>"]
        );
        assert_eq!(sent.text.uri(), "sip:peer@198.51.100.7:5060");
        assert_eq!(sent.flow, udp("203.0.113.3:5060"));
    }
}

#[test]
fn a_strict_router_finds_itself_in_the_request_uri() {
    let sent = bye_to_caller(STRICT);
    assert_eq!(sent.text.uri(), "sip:203.0.113.1:5080");
    assert_eq!(sent.text.all("Route"), ["<sip:203.0.113.3;lr>", "<sip:peer@198.51.100.7:5060>"]);
    assert_eq!(sent.flow, udp("203.0.113.1:5080"));
}

#[test]
fn without_a_route_set_the_target_gets_the_request() {
    let sent = bye_to_caller("");
    assert_eq!((sent.text.uri(), sent.flow), ("sip:peer@198.51.100.7:5060", udp(TRUNK)));
    assert!(!sent.text.has("Route"));
    for sent in requests_to_callee("Contact: \"x\" <sip:b@203.0.113.9:5099;ob?Subject=x>;expires=60\r\n") {
        assert_eq!((sent.text.uri(), sent.flow), ("sip:b@203.0.113.9:5099;ob", udp("203.0.113.9:5099")));
    }
}

#[test]
fn a_target_that_is_a_name_is_reached_where_the_peer_was_heard() {
    for sent in requests_to_callee("Contact: <sip:b@sbc.example.net>\r\n") {
        assert_eq!((sent.text.uri(), sent.flow), ("sip:b@sbc.example.net", udp(TRUNK)));
    }
    for sent in requests_to_callee("") {
        assert_eq!(sent.text.uri(), "sip:+79992222222@198.51.100.7:5060;user=phone", "no Contact: as before");
    }
}

#[test]
fn a_private_address_named_from_outside_is_reached_where_the_peer_was_heard() {
    for sent in requests_to_callee("Contact: <sip:b@192.168.1.5:5060>\r\n") {
        assert_eq!((sent.text.uri(), sent.flow), ("sip:b@192.168.1.5:5060", udp(TRUNK)));
    }
}

#[test]
fn requests_from_a_new_port_belong_to_the_dialog_and_are_answered_there() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    caller.contact = "Contact: <sip:peer@sbc.example.net>\r\n".to_owned();
    let moved = udp("198.51.100.8:6000");
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(moved, Some(TrunkId(0)), &invite);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OFFER)) });
    let trying = world.only_sent();
    assert_eq!(trying.flow, moved);
    assert!(
        trying.text.all("Via")[0].contains("rport=6000")
            && trying.text.all("Via")[0].contains("received=198.51.100.8")
    );
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only_sent().flow, moved);
    let ack = caller.ack(&mut world, "");
    world.hear_on(moved, Some(TrunkId(0)), &ack);
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(bye.flow, moved, "the new target is a name: where the peer was heard last");
    assert_eq!(bye.text.uri(), "sip:peer@sbc.example.net");
}

#[test]
fn every_target_refresh_moves_the_target() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    caller.contact = "Contact: <sip:second@203.0.113.2>\r\n".to_owned();
    let refresh = caller.update(&mut world, None);
    world.hear(&refresh);
    caller.contact = "Contact: <sip:third@203.0.113.3>\r\n".to_owned();
    let options = caller.bare(&mut world, "OPTIONS");
    world.hear(&options);
    world.take();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(bye.text.uri(), "sip:second@203.0.113.2", "OPTIONS is no target refresh");
    assert_eq!(bye.flow, udp("203.0.113.2:5060"));
}

#[test]
fn responses_go_to_the_source_by_rport_or_by_the_port_of_via() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let nat = udp("198.51.100.7:41234");
    caller.via = "SIP/2.0/UDP 10.0.0.5:5070;rport".to_owned();
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(nat, Some(TrunkId(0)), &invite);
    let trying = world.only_sent();
    assert_eq!(trying.flow, nat);
    assert!(trying.text.header("Via").contains("received=198.51.100.7"));
    assert!(trying.text.header("Via").contains("rport=41234"));
    let mut caller = Caller::new(&mut world);
    caller.via = "SIP/2.0/UDP 10.0.0.5:5070;maddr=203.0.113.77;received=203.0.113.78".to_owned();
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(nat, Some(TrunkId(0)), &invite);
    assert_eq!(world.only_sent().flow, udp("198.51.100.7:5070"));
}

#[test]
fn every_via_is_sent_back_in_order() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let branch = world.branch();
    let rest = with_body(
        &format!(
            "Via: SIP/2.0/UDP 10.9.9.9;branch=z9hG4bKfar, SIP/2.0/TCP [2001:db8::9]:5;branch=z9hG4bKfarther\r\n{CONTACT}"
        ),
        Some(OFFER),
    );
    caller.invite_sequence = 101;
    let invite = caller.write("INVITE", 101, &branch, &rest);
    world.hear(&invite);
    let trying = world.only();
    let vias = trying.all("Via").join(", ");
    let at = |text: &str| vias.find(text).unwrap_or_else(|| panic!("{text} in {vias}"));
    assert!(at(&branch) < at("z9hG4bKfar,") && at("z9hG4bKfar,") < at("z9hG4bKfarther"));
}

#[test]
fn ipv6_works_alike() {
    let mut world = World::new();
    let flow = Flow {
        listener: 2,
        transport: Transport::Udp,
        peer: "[2001:db8::7]:5060".parse().unwrap(),
        connection: None,
    };
    let mut caller = Caller::new(&mut world);
    caller.via = "SIP/2.0/UDP [2001:db8::7]:5060;rport".to_owned();
    caller.contact = "Contact: <sip:peer@[2001:db8::9]:5070>\r\n".to_owned();
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(flow, Some(TrunkId(0)), &invite);
    let leg = world.offered();
    let trying = world.only_sent();
    assert_eq!(trying.flow, flow);
    assert!(trying.text.header("Via").contains("rport=5060;branch="));
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    assert_eq!(ok.header("Contact"), "<sip:[2001:db8::1]:5060>");
    caller.learn(&ok);
    let ack = caller.ack(&mut world, "");
    world.hear_on(flow, Some(TrunkId(0)), &ack);
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(
        (bye.text.uri(), bye.flow.peer.to_string().as_str()),
        ("sip:peer@[2001:db8::9]:5070", "[2001:db8::9]:5070")
    );
    assert!(bye.text.header("Via").starts_with("SIP/2.0/UDP [2001:db8::1]:5060;"));
    // A response is known by our Via however its address is written.
    let ok = crate::world::respond(&bye.text, 200, "", "", None)
        .replace("[2001:db8::1]:5060;b", "[2001:DB8:0:0::1]:5060;b");
    world.heard();
    world.hear_on(Flow { peer: bye.flow.peer, ..flow }, None, &ok);
    assert_eq!(world.only_event(), LegEvent::Ended(ua::Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_connection_that_is_there_is_used_for_requests_to_the_same_host() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    let mut caller = Caller::new(&mut world);
    caller.via = "SIP/2.0/TCP 198.51.100.7:5060".to_owned();
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(flow, Some(TrunkId(0)), &invite);
    let leg = world.offered();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let sent = world.take();
    assert!(sent.iter().all(|sent| sent.flow == flow));
    caller.learn(&sent[1].text);
    let ack = caller.ack(&mut world, "");
    world.hear_on(flow, Some(TrunkId(0)), &ack);
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(bye.flow, flow);
    assert!(bye.text.header("Via").starts_with("SIP/2.0/TCP "));
    world.hear_on(flow, Some(TrunkId(0)), &crate::world::respond(&bye.text, 200, "", "", None));
    world.assert_clean();
}
