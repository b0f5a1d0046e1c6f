//! Those no trunk allows: they may answer us and speak inside a dialog, and otherwise nobody is here.

use ua::{Counted, Ending, LegCommand, LegEvent};

use crate::world::{ANSWER, CONTACT, Caller, OFFER, WHY, World, respond, sdp, udp, with_body};

const STRANGER: &str = "203.0.113.66:5060";

#[test]
fn nothing_from_a_stranger_is_answered() {
    let mut world = World::new();
    let (caller, _) = world.caller();
    for method in ["INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "MESSAGE", "FROB"] {
        let mut stranger = Caller::new(&mut world);
        let request = stranger.bare(&mut world, method);
        world.hear_stranger(STRANGER, &request);
        world.hear_stranger(STRANGER, &request.replacen("CSeq:", "X:", 1));
        stranger.our_tag = Some("01234567890123456789".to_owned());
        let request = stranger.bare(&mut world, method);
        world.hear_stranger(STRANGER, &request);
    }
    // Not even where the branch of a call is known.
    world.hear_stranger(STRANGER, &caller.cancel());
    let again = caller.write("INVITE", caller.sequence, &caller.branch, &with_body(CONTACT, Some(OFFER)));
    world.hear_stranger(STRANGER, &again);
    world.silent();
    assert_eq!(world.heard(), []);
    assert_eq!(world.counted.iter().filter(|counted| **counted == Counted::Stranger).count(), 18);
    assert_eq!(world.counted.iter().filter(|counted| **counted == Counted::Garbage).count(), 8);
}

#[test]
fn a_stranger_who_knows_the_tags_is_in_the_dialog() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    for wrong in [
        Caller { tag: "a2".to_owned(), ..caller.clone() },
        Caller { call_id: "other".to_owned(), ..caller.clone() },
        Caller { our_tag: Some("01234567890123456789".to_owned()), ..caller.clone() },
    ] {
        let bye = wrong.clone().bare(&mut world, "BYE");
        world.hear_stranger(STRANGER, &bye);
    }
    world.silent();
    assert_eq!(world.heard(), []);
    let bye = caller.bare(&mut world, "BYE");
    world.hear_stranger(STRANGER, &bye);
    let ok = world.only_sent();
    assert_eq!((ok.text.status(), ok.flow), (200, udp(STRANGER)));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: None }));
}

#[test]
fn an_ack_may_come_from_another_address_than_the_invite() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    let ack = caller.ack(&mut world, "");
    world.hear_stranger(STRANGER, &ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
}

#[test]
fn responses_are_taken_from_anywhere() {
    let mut world = World::new();
    let (callee, leg) = world.callee();
    world.hear_stranger(STRANGER, &callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
    world.take();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.hear_stranger(STRANGER, &respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
}
