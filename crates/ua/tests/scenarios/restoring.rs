//! Legs that go on after whoever kept them has died.

use std::sync::Arc;
use std::time::Duration;

use ua::{Config, Credentials, Ending, LegCommand, LegEvent, LegId, Listener, Sessions, Snapshot};

use crate::world::{
    ANSWER, CONTACT, Callee, Caller, OFFER, PATIENCE, T1, TRUNK, Text, WHY, World, address, config, invite,
    respond, sdp, tcp, with_body,
};

fn sessions() -> Config {
    Config { sessions: Some(Sessions { interval: 1800, least: 90 }), ..config() }
}

fn kept(world: &World, leg: LegId) -> Snapshot {
    world.ua.snapshot(leg).expect("its call is up")
}

fn number(request: &Text) -> u32 {
    request.header("CSeq").split(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// A caller whose call is up, in a world that came after the one that answered it.
fn caller() -> (World, Caller, LegId) {
    let mut before = World::new();
    let (caller, leg) = before.talking();
    let mut world = World::new();
    let leg = world.restore(&kept(&before, leg), None).expect("it can be read");
    (world, caller, leg)
}

/// Likewise a callee.
fn callee() -> (World, Callee, LegId) {
    let mut before = World::new();
    let (callee, leg) = before.reached();
    let mut world = World::new();
    let leg = world.restore(&kept(&before, leg), None).expect("it can be read");
    (world, callee, leg)
}

#[test]
fn a_caller_hears_us_in_its_dialog_and_is_heard() {
    let (mut world, mut caller, leg) = caller();
    for method in ["OPTIONS", "INFO"] {
        let request = caller.bare(&mut world, method);
        world.hear(&request);
        assert_eq!(world.only().status(), 200, "{method}");
    }
    let offer = with_body(CONTACT, Some(OFFER));
    let reinvite = caller.request(&mut world, "INVITE", &offer);
    caller.invite_sequence = caller.sequence;
    world.hear(&reinvite);
    assert_eq!(world.said(), ["100 INVITE"]);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OFFER)) });
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    assert_eq!((bye.method(), bye.uri()), ("BYE", "sip:peer@198.51.100.7:5060"));
    assert_eq!((bye.header("Call-ID"), bye.tag("To")), (caller.call_id.as_str(), caller.tag.as_str()));
    assert_eq!(Some(bye.tag("From")), caller.our_tag.as_deref());
    world.hear(&respond(&bye, 200, "", "", None));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Ordered));
    world.assert_clean();
}

#[test]
fn a_callee_hangs_up_and_is_hung_up_on() {
    let (mut world, callee, _) = callee();
    let bye = callee.request(&mut world, "BYE", "b1", 1, &with_body("", None));
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::HungUp { q850: None }));
    world.assert_clean();
    let (mut world, callee, leg) = self::callee();
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    assert!(number(&bye) > number(&callee.invite) + 8, "others may have followed the last that was kept");
    world.hear(&respond(&bye, 200, "", "", None));
    world.assert_clean();
}

#[test]
fn the_last_request_before_is_taken_once_more_and_none_before_it() {
    let mut before = World::new();
    let (mut caller, leg) = before.talking();
    let early = caller.bare(&mut before, "OPTIONS");
    let last = caller.update(&mut before, Some(OFFER));
    before.hear(&early);
    before.hear(&last);
    before.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let mut world = World::new();
    let leg = world.restore(&kept(&before, leg), None).expect("it can be read");
    world.hear(&early);
    assert_eq!(world.only().status(), 500, "out of order");
    world.hear(&last);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(OFFER)) });
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200);
    world.hear(&last);
    assert_eq!((world.only().status(), world.heard().len()), (200, 0), "the transaction is there again");
}

#[test]
fn each_change_of_what_is_kept_is_told() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    assert_eq!(std::mem::take(&mut world.changed), [leg]);
    let request = caller.bare(&mut world, "OPTIONS");
    for changes in [1, 0] {
        let before = kept(&world, leg);
        world.hear(&request);
        assert_eq!(std::mem::take(&mut world.changed).len(), changes);
        assert_eq!(kept(&world, leg) != before, changes > 0);
    }
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!((world.ua.snapshot(leg), world.changed.len()), (None, 0), "it ends");
    world.take();
    let (callee, leg) = world.callee();
    assert_eq!(std::mem::take(&mut world.changed), [leg]);
    assert!(world.ua.invite_snapshot(leg).is_some() && world.ua.snapshot(leg).is_none());
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    assert_eq!(world.changed, []);
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.changed, [leg]);
    assert!(world.ua.invite_snapshot(leg).is_none() && world.ua.snapshot(leg).is_some());
}

#[test]
fn where_we_refresh_that_is_done_soon_and_where_they_do_they_have_the_whole_time() {
    let lines = |refresher: &str| {
        format!("{CONTACT}Session-Expires: 600;refresher={refresher}\r\nRequire: timer\r\n")
    };
    for (refresher, soon) in [("uac", true), ("uas", false)] {
        let mut before = World::with(sessions());
        let (callee, leg) = before.callee();
        before.hear(&callee.respond(200, "b1", &lines(refresher), Some(OFFER)));
        let mut world = World::with(sessions());
        world.restore(&kept(&before, leg), None).expect("it can be read");
        world.pass(Duration::from_secs(6));
        let sent = world.take();
        assert_eq!(!sent.is_empty(), soon, "{refresher}");
        if let Some(first) = sent.first() {
            let refresh = &first.text;
            assert_eq!(
                (refresh.method(), refresh.body()),
                ("INVITE", ANSWER),
                "our description, word for word"
            );
            world.hear(&respond(refresh, 200, "", &lines("uac"), Some(OFFER)));
            assert_eq!(world.only().method(), "ACK");
            assert_eq!(
                world.only_event(),
                LegEvent::Confirmed { sdp: Some(sdp(OFFER)) },
                "theirs was not kept"
            );
        } else {
            world.pass(Duration::from_secs(600));
            assert_eq!(world.heard(), [LegEvent::Ended(Ending::Unrefreshed)]);
        }
    }
}

#[test]
fn a_dialog_of_a_connection_goes_on_by_a_new_one() {
    let mut before = World::new();
    let flow = tcp(TRUNK, 7);
    let (callee, leg) = before.callee_on(flow);
    before.hear_on(flow, None, &callee.respond(200, "b1", CONTACT, Some(OFFER)));
    let mut world = World::new();
    let leg = world.restore(&kept(&before, leg), None).expect("it can be read");
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only_sent();
    assert_eq!((bye.flow.peer, bye.flow.connection, bye.flow.listener), (address(TRUNK), None, 1));
}

#[test]
fn who_asks_who_we_are_is_answered_as_before() {
    let mut before = World::new();
    let (_, leg) = before.reached();
    let credentials =
        Arc::new(Credentials { username: "u".into(), password: "p".into(), realm: None, md5: true });
    let mut world = World::new();
    let leg = world.restore(&kept(&before, leg), Some(&credentials)).expect("it can be read");
    world.tell(leg, LegCommand::End(WHY));
    let bye = world.only();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256\r\n";
    world.hear(&respond(&bye, 401, "", challenge, None));
    let again = world.only();
    assert!(again.header("Authorization").contains("username=\"u\""), "{again:?}");
    assert_eq!(number(&again), number(&bye) + 1);
}

#[test]
fn without_its_listener_a_leg_is_not_taken_up() {
    let mut before = World::new();
    let (_, leg) = before.talking();
    let (callee, ringing) = before.callee();
    before.hear(&callee.respond(180, "b1", CONTACT, None));
    let mut other = config();
    other.listeners[0] = Listener { public: "192.0.2.9:5060".to_owned(), ..other.listeners[0].clone() };
    let mut world = World::with(other);
    assert_eq!(world.restore(&kept(&before, leg), None), None);
    let invite = before.ua.invite_snapshot(ringing).expect("it rings");
    assert_eq!(world.withdraw(&invite), None);
    let broken = ua::InviteSnapshot { invite: sdp("INVITE"), ..invite };
    assert_eq!(World::new().withdraw(&broken), None);
    assert_eq!(World::new().restore(&Snapshot { target: "".into(), ..kept(&before, leg) }, None), None);
    world.assert_clean();
}

/// A callee that was called, in a world that came after and takes the call back; what went out first.
fn withdrawn() -> (World, Callee) {
    let mut before = World::new();
    let leg = before.ua.next_leg();
    let routes = vec!["sip:edge.example;lr".to_owned()];
    let invite = ua::Invite { routes, ..invite(crate::world::udp(TRUNK)) };
    let flow = invite.flow;
    before.tell(leg, LegCommand::Invite(Box::new(invite)));
    let sent = before.only();
    let kept = before.ua.invite_snapshot(leg).expect("it has no answer");
    let mut world = World::new();
    world.withdraw(&kept).expect("it can be read");
    assert_eq!(world.only(), sent, "the same message, which is answered as it was");
    (world, Callee { invite: sent, flow })
}

#[test]
fn a_callee_that_rings_is_cancelled() {
    let (mut world, callee) = withdrawn();
    world.pass(T1);
    assert_eq!(world.said(), ["INVITE"], "until something comes back");
    world.hear(&callee.respond(180, "b1", CONTACT, None));
    let cancel = world.only();
    assert_eq!((cancel.method(), cancel.branch()), ("CANCEL", callee.invite.branch()));
    assert_eq!(cancel.header("Route"), "<sip:edge.example;lr>");
    assert_eq!(number(&cancel), number(&callee.invite));
    world.hear(&respond(&cancel, 200, "", "", None));
    world.hear(&callee.respond(487, "b1", "", None));
    let ack = world.only();
    assert_eq!((ack.method(), ack.branch()), ("ACK", callee.invite.branch()));
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Ordered)]);
    world.assert_clean();
}

#[test]
fn a_callee_that_has_answered_meanwhile_is_hung_up_on() {
    let (mut world, callee) = withdrawn();
    world.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
    assert_eq!(world.said(), ["ACK", "BYE"]);
    world.pass(PATIENCE);
    assert_eq!(world.heard(), [LegEvent::Ended(Ending::Unreachable)]);
    world.take();
    world.assert_clean();
}
