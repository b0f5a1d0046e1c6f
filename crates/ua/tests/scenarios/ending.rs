//! How calls end: RFC 3261 §15, RFC 5407.

use std::time::Duration;

use ua::{Ending, LegCommand, LegEvent};

use crate::world::{ANSWER, PATIENCE, T1, WHY, World, respond, sdp, with_body};

#[test]
fn a_second_bye_is_answered_for_64_t1() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    let bye = caller.bare(&mut world, "BYE");
    world.hear(&bye);
    let ok = world.only();
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: None }));
    // The same again, another one, and one that reuses the number.
    world.hear(&bye);
    assert_eq!(world.only(), ok);
    let another = caller.bare(&mut world, "BYE");
    world.hear(&another);
    assert_eq!(world.only().status(), 200);
    caller.sequence -= 1;
    let same_number = caller.bare(&mut world, "BYE");
    world.hear(&same_number);
    assert_eq!(world.only().status(), 200);
    // Anything else finds no call.
    for method in ["INFO", "OPTIONS", "UPDATE", "INVITE"] {
        let request = caller.bare(&mut world, method);
        world.hear(&request);
        assert_eq!(world.only().status(), 481, "{method}");
        world.hear(&caller.ack_refusal());
    }
    assert_eq!(world.heard(), []);
    world.pass(PATIENCE);
    assert_eq!(world.ua.legs(), 0);
    world.take();
    let late = caller.bare(&mut world, "BYE");
    world.hear(&late);
    assert_eq!(world.only().status(), 481);
    world.assert_clean();
}

#[test]
fn both_byes_of_a_glare_are_answered_200() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    world.tell(leg, LegCommand::End(WHY));
    let ours = world.only();
    let theirs = caller.bare(&mut world, "BYE");
    world.hear(&theirs);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.hear(&respond(&ours, 481, "", "", None));
    assert_eq!(world.heard(), []);
    world.assert_clean();
}

#[test]
fn a_bye_of_ours_is_resent_until_it_is_answered() {
    let mut world = World::new();
    let (_, leg) = world.talking();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    world.pass(T1);
    assert_eq!(world.only(), bye);
    world.hear(&respond(&bye, 100, "", "", None));
    assert_eq!(world.heard(), []);
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.hear(&respond(&bye, 200, "", "", None));
    world.silent();
    world.assert_clean();
    world.silent();
}

#[test]
fn a_bye_that_finds_no_dialog_or_nobody_ends_the_leg_too() {
    for (status, ending) in [
        (481, Ending::Gone),
        (408, Ending::Gone),
        (401, Ending::Ordered),
        (407, Ending::Ordered),
        (500, Ending::Ordered),
    ] {
        let mut world = World::new();
        let (_, leg) = world.talking();
        world.tell(leg, LegCommand::End(WHY));
        let bye = world.only();
        world.hear(&respond(&bye, status, "", "", None));
        assert_eq!(world.only_event(), LegEvent::Ended(ending), "{status}");
        world.silent();
        world.assert_clean();
    }
    let mut world = World::new();
    let (_, leg) = world.talking();
    world.tell(leg, LegCommand::End(WHY));
    world.pass(PATIENCE);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unreachable));
    world.assert_clean();
}

#[test]
fn whoever_answered_waits_for_the_ack_before_the_bye() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    caller.learn(&ok);
    world.tell(leg, LegCommand::End(WHY));
    world.silent();
    world.pass(T1);
    assert_eq!(world.only(), ok, "the 2xx is still resent");
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    let bye = world.only();
    assert_eq!(bye.method(), "BYE");
    assert_eq!(world.heard(), []);
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn the_bye_goes_anyway_when_the_ack_never_comes() {
    let mut world = World::new();
    let (_, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    world.pass(Duration::from_secs(1));
    world.tell(leg, LegCommand::End(WHY));
    world.take();
    world.pass(PATIENCE - Duration::from_secs(1));
    let bye = world.take().pop().unwrap().text;
    assert_eq!(bye.method(), "BYE");
    world.hear(&respond(&bye, 481, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Gone));
    world.assert_clean();
}

#[test]
fn a_bye_before_the_ack_is_answered_and_ends_the_leg() {
    for told in [false, true] {
        let mut world = World::new();
        let (mut caller, leg) = world.caller();
        world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
        caller.learn(&world.only());
        if told {
            world.tell(leg, LegCommand::End(WHY));
        }
        let bye = caller.bare(&mut world, "BYE");
        world.hear(&bye);
        assert_eq!(world.only().status(), 200);
        let ending = if told { Ending::Ordered } else { Ending::HungUp { q850: None } };
        assert_eq!(world.only_event(), LegEvent::Ended(ending));
        // The ACK that was overtaken.
        let ack = caller.ack(&mut world, "");
        world.hear(&ack);
        world.pass(PATIENCE);
        world.silent();
        world.assert_clean();
    }
}

#[test]
fn a_re_invite_while_we_wait_for_the_ack_tells_that_only_the_ack_is_lost() {
    let mut world = World::new();
    let (mut caller, leg) = world.caller();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    caller.learn(&world.only());
    world.tell(leg, LegCommand::End(WHY));
    let invite = caller.invite(&mut world, "", Some(ANSWER));
    world.hear(&invite);
    assert_eq!(world.said(), ["481 INVITE", "BYE"]);
}

#[test]
fn requests_out_of_order_get_500() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    caller.sequence -= 2;
    for method in ["INFO", "OPTIONS", "UPDATE", "BYE", "INVITE"] {
        caller.sequence -= 1;
        let request = caller.bare(&mut world, method);
        world.hear(&request);
        assert_eq!(world.only().status(), 500, "{method}");
    }
    assert_eq!(world.heard(), []);
}

#[test]
fn a_callee_that_hangs_up_is_answered() {
    let mut world = World::new();
    let (callee, _) = world.reached();
    let bye = callee.request(&mut world, "BYE", "b1", 7, &with_body("Reason: Q.850;cause=16\r\n", None));
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: Some(16) }));
    world.assert_clean();
}

#[test]
fn a_cause_that_is_none_is_not_written() {
    for q850 in [0, 128, 255] {
        let why = ua::Why { q850, status: 480 };
        let mut world = World::new();
        let (_, answered) = world.talking();
        world.tell(answered, LegCommand::End(why));
        assert!(!world.only().has("Reason"));
        let (_, offered) = world.caller();
        world.tell(offered, LegCommand::End(why));
        assert!(!world.only().has("Reason"));
        world.heard();
        let (callee, called) = world.callee();
        world.hear(&callee.respond(100, "", "", None));
        world.tell(called, LegCommand::End(why));
        assert!(!world.only().has("Reason"));
    }
}

#[test]
fn what_waits_for_a_decision_when_the_call_ends_gets_487() {
    for hung_up_by_us in [false, true] {
        let mut world = World::new();
        let (mut caller, leg) = world.talking();
        let invite = caller.invite(&mut world, "", Some(ANSWER));
        world.hear(&invite);
        assert_eq!(world.said(), ["100 INVITE"]);
        world.heard();
        if hung_up_by_us {
            world.tell(leg, LegCommand::End(WHY));
            assert_eq!(world.said(), ["487 INVITE", "BYE"]);
        } else {
            let bye = caller.bare(&mut world, "BYE");
            world.hear(&bye);
            assert_eq!(world.said(), ["200 BYE", "487 INVITE"]);
        }
        world.hear(&caller.ack_refusal());
        world.assert_clean();
        assert_eq!(world.heard().len(), 1);
    }
}
