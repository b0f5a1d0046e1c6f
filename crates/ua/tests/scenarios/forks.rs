//! More than one answer to one INVITE: RFC 3261 §13.2.2.4.

use ua::{Ending, LegCommand, LegEvent};

use crate::world::{CONTACT, OFFER, PATIENCE, T1, WHY, World, respond};

#[test]
fn each_retransmission_of_the_200_is_acknowledged_with_the_same_ack() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    let ack = world.only();
    world.heard();
    for _ in 0..3 {
        world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
        assert_eq!(world.only(), ack);
    }
    assert_eq!(world.heard(), []);
}

#[test]
fn the_first_200_wins_and_the_others_are_acknowledged_and_hung_up() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    for tag in ["b1", "b2", "b3"] {
        world.hear(&callee.respond(180, tag, CONTACT, None));
    }
    world.hear(&callee.respond(200, "b2", CONTACT, Some(OFFER)));
    assert_eq!(world.heard().len(), 2, "ringing, answered");
    assert_eq!(world.only().tag("To"), "b2");
    let contact = "Contact: <sip:other@198.51.100.9:5070>\r\n";
    world.hear(&callee.respond(200, "b3", contact, Some(OFFER)));
    let sent = world.take();
    let [ack, bye] = sent.as_slice() else { panic!("{sent:#?}") };
    for (sent, method) in [(ack, "ACK"), (bye, "BYE")] {
        assert_eq!((sent.text.method(), sent.text.tag("To")), (method, "b3"));
        assert_eq!(sent.text.uri(), "sip:other@198.51.100.9:5070");
        assert_eq!(sent.flow, crate::world::udp("198.51.100.9:5070"));
    }
    // Its 200 again: the ACK again, no other BYE.
    world.hear(&callee.respond(200, "b3", contact, Some(OFFER)));
    assert_eq!(world.only(), ack.text);
    world.hear(&respond(&bye.text, 200, "", "", None));
    assert_eq!(world.heard(), [], "the call goes on");
    // A BYE of the fork is no BYE of the call.
    let theirs = callee.request(&mut world, "BYE", "b3", 1, &crate::world::with_body("", None));
    world.hear(&theirs);
    assert_eq!(world.only().status(), 481);
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.only().tag("To"), "b2");
    world.assert_clean();
}

#[test]
fn a_late_200_is_ended_even_after_the_call_itself_is_over() {
    let mut world = World::new();
    let (callee, leg) = world.reached();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.hear(&callee.respond(200, "b2", CONTACT, Some(OFFER)));
    assert_eq!(world.said(), ["ACK", "BYE"]);
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.hear(&callee.respond(200, "b3", CONTACT, Some(OFFER)));
    assert_eq!(world.said(), ["ACK", "BYE"]);
    world.assert_clean();
}

#[test]
fn forks_are_watched_for_64_t1_and_no_longer() {
    let mut world = World::new();
    let (callee, _) = world.reached();
    world.pass(PATIENCE - T1);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.said(), ["ACK"]);
    world.pass(T1);
    assert_eq!(world.ua.transactions(), 0);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    world.silent();
    assert_eq!(world.counted.last(), Some(&ua::Counted::Stray));
}

#[test]
fn more_forks_than_eight_are_left_alone() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    for fork in 0..20 {
        world.hear(&callee.respond(180, &format!("b{fork}"), CONTACT, None));
    }
    for fork in 0..20 {
        world.hear(&callee.respond(200, &format!("b{fork}"), CONTACT, Some(OFFER)));
    }
    let said = world.said();
    assert_eq!(said.iter().filter(|said| *said == "ACK").count(), 8);
    assert_eq!(said.iter().filter(|said| *said == "BYE").count(), 7);
}
