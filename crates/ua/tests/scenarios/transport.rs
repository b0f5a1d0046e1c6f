//! Lost connections and peers that cannot be sent to.

use sip::Flow;
use ua::{Ending, Input, LegCommand, LegEvent, LegId, TrunkId};

use crate::world::{ANSWER, CONTACT, Caller, OFFER, PATIENCE, T1, TRUNK, WHY, World, respond, sdp, tcp, udp};

/// A caller by a connection from a port that nobody listens on.
fn caller(world: &mut World, flow: Flow) -> (Caller, LegId) {
    let mut caller = Caller::new(world);
    caller.via = "SIP/2.0/TCP 198.51.100.7:5062".to_owned();
    let invite = caller.invite(world, "", Some(OFFER));
    world.hear_on(flow, Some(TrunkId(0)), &invite);
    let leg = world.offered();
    assert_eq!(world.only_sent().flow, flow);
    (caller, leg)
}

#[test]
fn a_caller_whose_connection_is_lost_before_the_answer_is_unreachable() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    caller(&mut world, flow);
    world.input(Input::FlowLost(tcp("198.51.100.7:33333", 8)));
    assert_eq!(world.heard(), []);
    world.input(Input::FlowLost(flow));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    world.silent();
    assert_eq!((world.ua.legs(), world.ua.transactions()), (0, 0));
    world.assert_clean();
}

#[test]
fn a_2xx_that_waits_for_its_ack_is_resent_over_a_new_connection() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    let (mut caller, leg) = caller(&mut world, flow);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    world.input(Input::FlowLost(flow));
    assert_eq!(world.heard(), []);
    world.pass(T1);
    let again = Flow { peer: "198.51.100.7:5062".parse().unwrap(), connection: None, ..flow };
    assert_eq!(world.only_sent().flow, again, "where their Via says they listen");
    let moved = tcp("198.51.100.7:44444", 9);
    let ack = caller.ack(&mut world, "");
    world.hear_on(moved, Some(TrunkId(0)), &ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.only_sent().flow, moved, "the connection they were heard on last");
}

#[test]
fn a_call_that_is_up_survives_its_connection_and_ends_over_a_new_one() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    let (mut caller, leg) = caller(&mut world, flow);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = caller.ack(&mut world, "");
    world.hear_on(flow, Some(TrunkId(0)), &ack);
    world.heard();
    world.input(Input::FlowLost(flow));
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    let new = Flow { peer: "198.51.100.7:5060".parse().unwrap(), connection: None, ..flow };
    assert_eq!(bye.flow, new, "where their Contact is");
    // The new connection is lost too: there is nobody.
    world.input(Input::FlowLost(Flow { connection: Some(8), ..new }));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    world.assert_clean();
}

#[test]
fn a_callee_by_tcp_is_called_back_where_the_trunk_is() {
    let mut world = World::new();
    let home = Flow { connection: None, ..tcp("198.51.100.7:5070", 0) };
    let (callee, leg) = world.callee_on(home);
    let flow = Flow { connection: Some(3), ..home };
    let answer = callee.respond(200, "b1", "Contact: <sip:b@sbc.example.net>\r\n", Some(OFFER));
    world.hear_on(flow, Some(TrunkId(0)), &answer);
    assert_eq!(world.only_sent().flow, flow, "the connection the answer came by");
    world.heard();
    world.input(Input::FlowLost(flow));
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!(bye.flow, home);
    world.hear_on(
        Flow { connection: Some(4), ..home },
        Some(TrunkId(0)),
        &respond(&bye.text, 200, "", "", None),
    );
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn an_invite_whose_connection_fails_is_unreachable_at_once() {
    let home = Flow { connection: None, ..tcp("198.51.100.7:5070", 0) };
    for lost in [home, Flow { connection: Some(5), ..home }] {
        let mut world = World::new();
        let (callee, _) = world.callee_on(home);
        world.input(Input::FlowLost(lost));
        assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
        assert_eq!((world.ua.legs(), world.ua.transactions()), (0, 0));
        world.hear(&callee.respond(200, "b1", CONTACT, None));
        world.silent();
    }
}

#[test]
fn a_datagram_that_cannot_be_delivered_fails_what_waits_for_an_answer() {
    let mut world = World::new();
    let (_, leg) = world.reached();
    world.callee();
    world.input(Input::FlowLost(udp(TRUNK)));
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Unreachable)], "the INVITE that was not answered yet");
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.input(Input::FlowLost(udp(TRUNK)));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.heard(), []);
    world.assert_clean();
}

#[test]
fn a_re_invite_that_can_no_longer_be_answered_leaves_the_call_up() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    let (mut caller, leg) = caller(&mut world, flow);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = caller.ack(&mut world, "");
    world.hear_on(flow, Some(TrunkId(0)), &ack);
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(flow, Some(TrunkId(0)), &invite);
    world.take();
    world.heard();
    world.input(Input::FlowLost(flow));
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.silent();
    assert_eq!(world.heard(), []);
    let moved = tcp("198.51.100.7:44444", 9);
    let again = caller.invite(&mut world, "", Some(OFFER));
    world.hear_on(moved, Some(TrunkId(0)), &again);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OFFER)) });
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert!(world.take().iter().all(|sent| sent.flow == moved));
}

#[test]
fn by_tcp_a_refusal_is_said_once_and_nothing_lingers_after_its_ack() {
    let mut world = World::new();
    let flow = tcp("198.51.100.7:33333", 7);
    let (mut caller, leg) = caller(&mut world, flow);
    world.tell(leg, LegCommand::Refuse(crate::world::BUSY));
    caller.learn(&world.only());
    world.pass(PATIENCE - T1);
    world.silent();
    world.hear_on(flow, Some(TrunkId(0)), &caller.ack_refusal());
    assert_eq!((world.ua.legs(), world.ua.transactions(), world.timers()), (0, 0, 0));
}

#[test]
fn a_flow_nobody_uses_can_be_lost() {
    let mut world = World::new();
    world.reached();
    world.input(Input::FlowLost(udp("203.0.113.5:5060")));
    world.input(Input::FlowLost(tcp("203.0.113.5:5060", 1)));
    world.silent();
    assert_eq!(world.heard(), []);
}
