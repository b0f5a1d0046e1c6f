//! Session timers (RFC 4028), in both roles.

use std::time::Duration;

use ua::{Config, Ending, LegCommand, LegEvent, LegId, Sessions};

use crate::world::{
    ANSWER, CONTACT, Callee, Caller, OFFER, PATIENCE, T1, TRUNK, Text, WHY, World, config, invite, respond,
    sdp, udp, with_body,
};

const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\na=sendonly\r\n";
const HELD: &str = "v=0\r\no=- 2 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=recvonly\r\n";
const TAKES_UPDATE: &str = "Allow: INVITE, ACK, BYE, UPDATE\r\n";

fn world() -> World {
    World::with(Config { sessions: Some(Sessions { interval: 1800, least: 120 }), ..config() })
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A caller with these lines in its INVITE whose call is up, and our 200.
fn talking(world: &mut World, lines: &str) -> (Caller, LegId, Text) {
    let (mut caller, leg) = world.caller_with(lines, Some(OFFER));
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    let ok = world.only();
    caller.learn(&ok);
    let ack = caller.ack(world, "");
    world.hear(&ack);
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: None });
    (caller, leg, ok)
}

/// A callee whose 200 has these lines.
fn reached(world: &mut World, lines: &str) -> (Callee, LegId) {
    let (callee, leg) = world.callee();
    world.hear(&callee.respond(200, "b1", &format!("{CONTACT}{lines}"), Some(OFFER)));
    assert_eq!(world.only_event(), LegEvent::Answered { sdp: Some(sdp(OFFER)) });
    assert_eq!(world.only().method(), "ACK");
    (callee, leg)
}

#[test]
fn what_a_caller_asks_for_is_granted() {
    for (asked, granted, required) in [
        ("", None, false),
        ("Supported: timer\r\n", Some("1800;refresher=uas"), true),
        ("Supported: timer\r\nMin-SE: 3600\r\n", Some("3600;refresher=uas"), true),
        ("Supported: timer\r\nSession-Expires: 600\r\n", Some("600;refresher=uac"), true),
        ("Supported: timer\r\nx: 600;refresher=uas\r\n", Some("600;refresher=uas"), true),
        ("Supported: timer\r\nSession-Expires: 7200;refresher=uac\r\n", Some("1800;refresher=uac"), true),
        ("Require: timer\r\nSession-Expires: 600;refresher=uac\r\n", Some("600;refresher=uac"), true),
        // A proxy asked: whoever called does not refresh and need not know, and cannot be told 422.
        ("Session-Expires: 600\r\n", Some("600;refresher=uas"), false),
        ("Session-Expires: 100\r\n", Some("100;refresher=uas"), false),
    ] {
        let (_, _, ok) = talking(&mut world(), asked);
        assert_eq!(ok.all("Session-Expires"), granted.into_iter().collect::<Vec<_>>(), "{asked}");
        assert_eq!(ok.all("Require"), if required { vec!["timer"] } else { vec![] }, "{asked}");
        assert_eq!(ok.header("Supported"), "100rel, timer");
    }
}

#[test]
fn an_interval_that_is_too_small_is_refused_with_the_least_one() {
    let mut world = world();
    let lines = "Supported: timer\r\nSession-Expires: 119\r\n";
    let mut caller = Caller::new(&mut world);
    let invite = caller.invite(&mut world, lines, Some(OFFER));
    world.hear(&invite);
    let refused = world.only();
    assert_eq!((refused.status(), refused.header("Min-SE")), (422, "120"));
    assert_eq!(world.heard(), [], "nobody was asked");
    let (mut caller, leg, _) = talking(&mut world, "Supported: timer\r\nSession-Expires: 120\r\n");
    // Inside the call as well, and the call goes on.
    for method in ["UPDATE", "INVITE"] {
        let request = caller.request(&mut world, method, &with_body(&format!("{CONTACT}{lines}"), None));
        world.hear(&request);
        let refused = world.only();
        assert_eq!((refused.status(), refused.header("Min-SE")), (422, "120"), "{method}");
    }
    world.tell(leg, LegCommand::End(WHY));
    assert!(world.said().contains(&"BYE".to_owned()));
}

#[test]
fn without_session_timers_of_our_own_none_are_required() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let invite = caller.invite(&mut world, "Require: timer\r\n", Some(OFFER));
    world.hear(&invite);
    let refused = world.only();
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "timer"));
}

#[test]
fn a_session_that_its_caller_does_not_refresh_ends() {
    let mut world = world();
    let (mut caller, _, _) = talking(&mut world, "Supported: timer\r\nSession-Expires: 600\r\n");
    // By UPDATE, and by a re-INVITE that changes nothing else.
    world.pass(seconds(560));
    let lines = format!("{CONTACT}Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n");
    let update = caller.request(&mut world, "UPDATE", &with_body(&lines, None));
    world.hear(&update);
    let ok = world.only();
    assert_eq!((ok.status(), ok.body()), (200, ""));
    assert_eq!(ok.header("Session-Expires"), "600;refresher=uac");
    world.pass(seconds(567));
    world.silent();
    assert_eq!(world.heard(), []);
    world.pass(seconds(1));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unrefreshed));
    assert_eq!(world.only().method(), "BYE");
    world.assert_clean();
}

#[test]
fn a_re_invite_refreshes_as_well() {
    let mut world = world();
    let (mut caller, leg, _) = talking(&mut world, "Supported: timer\r\nSession-Expires: 600\r\n");
    world.pass(seconds(500));
    let lines = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
    let again = caller.invite(&mut world, lines, Some(HOLD));
    world.hear(&again);
    assert_eq!(world.only_event(), LegEvent::Reoffered { offer: Some(sdp(HOLD)) });
    world.take();
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    let ok = world.only();
    assert_eq!((ok.body(), ok.header("Session-Expires")), (HELD, "600;refresher=uac"));
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.heard();
    world.pass(seconds(560));
    assert_eq!(world.heard(), []);
    // One that says nothing of timers has none.
    let plain = caller.invite(&mut world, "", Some(OFFER));
    world.hear(&plain);
    world.take();
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert!(!world.only().has("Session-Expires"));
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.heard();
    world.pass(seconds(4000));
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}

#[test]
fn we_refresh_by_update_at_half_the_interval() {
    let mut world = world();
    let lines = format!("Supported: timer\r\n{TAKES_UPDATE}Session-Expires: 600;refresher=uas\r\n");
    let (_, leg, _) = talking(&mut world, &lines);
    for _ in 0..5 {
        world.pass(seconds(299));
        world.silent();
        world.pass(seconds(1));
        let update = world.only();
        assert_eq!((update.method(), update.body()), ("UPDATE", ""));
        assert_eq!(update.header("Session-Expires"), "600;refresher=uac");
        assert_eq!((update.header("Supported"), update.header("Min-SE")), ("timer", "120"));
        assert!(update.has("Contact"));
        // It gets lost once.
        world.pass(T1);
        assert_eq!(world.only(), update);
        world.hear(&respond(
            &update,
            200,
            "",
            &format!("{CONTACT}Session-Expires: 600;refresher=uac\r\n"),
            None,
        ));
        world.silent();
        assert_eq!(world.heard(), []);
    }
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}

#[test]
fn we_refresh_by_re_invite_with_our_last_description_where_update_is_not_taken() {
    let mut world = world();
    let (mut caller, leg, _) =
        talking(&mut world, "Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    // The call is on hold: the refresh says so, word for word.
    let hold = caller.invite(&mut world, "Supported: timer\r\n", Some(HOLD));
    world.hear(&hold);
    world.take();
    world.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(world.only().header("Session-Expires"), "1800;refresher=uas");
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    world.heard();
    world.pass(seconds(900));
    let refresh = world.only();
    assert_eq!((refresh.method(), refresh.body()), ("INVITE", HELD));
    assert_eq!(refresh.header("Session-Expires"), "1800;refresher=uac");
    // Meanwhile theirs cannot be answered.
    for crossing in [caller.invite(&mut world, "", Some(OFFER)), caller.update(&mut world, Some(OFFER))] {
        world.hear(&crossing);
        assert_eq!(world.only().status(), 491);
    }
    world.hear(&caller.ack_refusal());
    let accepted = format!("{CONTACT}Session-Expires: 1800;refresher=uas\r\n");
    let accepted = respond(&refresh, 200, "", &accepted, Some(HOLD));
    world.hear(&accepted);
    let ack = world.only();
    let cseq = |text: &Text| text.header("CSeq").split(' ').next().unwrap().to_owned();
    assert_eq!((ack.method(), cseq(&ack)), ("ACK", cseq(&refresh)));
    world.hear(&accepted);
    assert_eq!(world.only(), ack, "each 2xx is acknowledged alike");
    assert_eq!(world.heard(), [], "nothing has changed");
    // It is theirs from now on.
    world.pass(seconds(1767));
    assert_eq!((world.heard(), world.take()), (vec![], vec![]));
    world.pass(seconds(1));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unrefreshed));
    assert_eq!(world.only().method(), "BYE");
    world.assert_clean();
}

#[test]
fn another_answer_to_our_refresh_is_told() {
    let mut world = world();
    let (_, leg, _) = talking(&mut world, "Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    world.pass(seconds(300));
    let refresh = world.only();
    world.hear(&respond(&refresh, 200, "", CONTACT, Some(HOLD)));
    assert_eq!(world.only_event(), LegEvent::Confirmed { sdp: Some(sdp(HOLD)) });
    // Without Session-Expires there is no end of it.
    world.take();
    world.pass(seconds(10_000));
    assert_eq!((world.heard(), world.take()), (vec![], vec![]));
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}

#[test]
fn a_callee_is_offered_session_timers_and_says_who_refreshes() {
    let mut world = world();
    let (callee, _) = reached(&mut world, "Require: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    let invite = &callee.invite;
    assert_eq!((invite.header("Supported"), invite.header("Session-Expires")), ("100rel, timer", "1800"));
    assert_eq!(invite.header("Min-SE"), "120");
    world.pass(seconds(567));
    assert_eq!((world.heard(), world.take()), (vec![], vec![]));
    world.pass(seconds(1));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unrefreshed));
    let mut world = self::world();
    let (_, leg) = reached(&mut world, &format!("{TAKES_UPDATE}Session-Expires: 600;refresher=uac\r\n"));
    world.pass(seconds(300));
    assert_eq!(world.only().method(), "UPDATE");
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}

#[test]
fn a_422_to_our_invite_is_answered_once_with_more() {
    let mut world = world();
    let (mut callee, _) = world.callee();
    world.hear(&callee.respond(422, "b0", "Min-SE: 3600\r\n", None));
    let sent = world.take();
    assert_eq!(sent[0].text.method(), "ACK");
    let again = sent[1].text.clone();
    assert_eq!((again.method(), again.header("Call-ID")), ("INVITE", callee.invite.header("Call-ID")));
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), ("3600", "3600"));
    assert_eq!(again.body(), callee.invite.body());
    assert_ne!(again.header("CSeq"), callee.invite.header("CSeq"));
    callee.invite = again;
    world.hear(&callee.respond(422, "b1", "Min-SE: 7200\r\n", None));
    assert_eq!(world.said(), ["ACK"]);
    let ended = LegEvent::Ended(Ending::Refused { status: 422, q850: None, retry_after: None });
    assert_eq!(world.only_event(), ended);
    world.assert_clean();
}

/// A callee that refreshes nothing itself, and the refresh of ours it got.
fn asked(world: &mut World) -> (Text, LegId) {
    let (_, leg) = reached(world, &format!("{TAKES_UPDATE}Session-Expires: 600;refresher=uac\r\n"));
    world.pass(seconds(300));
    (world.only(), leg)
}

#[test]
fn a_refresh_that_is_refused_is_tried_otherwise_and_in_the_end_the_call_ends() {
    let mut world = world();
    let (update, _) = asked(&mut world);
    world.hear(&respond(&update, 405, "", "", None));
    world.pass(seconds(10));
    let invite = world.only();
    assert_eq!((invite.method(), invite.body()), ("INVITE", ANSWER));
    world.hear(&respond(&invite, 500, "", "Retry-After: 60\r\n", None));
    assert_eq!(world.said(), ["ACK"]);
    world.pass(seconds(59));
    world.silent();
    world.pass(seconds(1));
    let invite = world.only();
    world.hear(&respond(&invite, 488, "", "Retry-After: 1000\r\n", None));
    world.take();
    world.pass(seconds(568 - 370));
    assert_eq!(world.only_event(), LegEvent::Ended(Ending::Unrefreshed));
    assert_eq!(world.only().method(), "BYE");
    world.assert_clean();
}

#[test]
fn a_refresh_of_a_dialog_they_do_not_know_ends_the_call() {
    for status in [481, 408, 0] {
        let mut world = world();
        let (update, _) = asked(&mut world);
        if status == 0 {
            world.pass(PATIENCE);
        } else {
            world.hear(&respond(&update, status, "", "", None));
        }
        assert_eq!(world.only_event(), LegEvent::Ended(Ending::Gone), "{status}");
        assert_eq!(world.said().last().map(String::as_str), Some("BYE"));
        world.assert_clean();
    }
}

#[test]
fn a_422_to_a_refresh_is_answered_once_with_more() {
    let mut world = world();
    let (update, leg) = asked(&mut world);
    world.hear(&respond(&update, 422, "", "Min-SE: 1000\r\n", None));
    let more = world.only();
    assert_eq!((more.header("Session-Expires"), more.header("Min-SE")), ("1000;refresher=uac", "1000"));
    world.hear(&respond(&more, 422, "", "Min-SE: 2000\r\n", None));
    world.silent();
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}

#[test]
fn a_refresh_that_meets_theirs_waits_as_whose_call_it_is() {
    // We called: 2.1 to 4 s.
    let mut ours = world();
    let (update, leg) = asked(&mut ours);
    ours.hear(&respond(&update, 491, "", "", None));
    ours.pass(Duration::from_millis(2099));
    ours.silent();
    ours.pass(Duration::from_millis(1901));
    assert!(ours.said().iter().any(|said| said == "UPDATE"));
    ours.tell(leg, LegCommand::End(WHY));
    ours.assert_clean();
    // They called: 0 to 2 s. What they began is done first.
    let mut theirs = world();
    let (mut caller, leg, _) =
        talking(&mut theirs, "Supported: timer\r\nSession-Expires: 600;refresher=uas\r\n");
    theirs.pass(seconds(299));
    let hold = caller.invite(&mut theirs, "", Some(HOLD));
    theirs.hear(&hold);
    theirs.take();
    theirs.pass(seconds(3));
    theirs.silent();
    theirs.tell(leg, LegCommand::Accept(sdp(HELD)));
    assert_eq!(theirs.only().header("Session-Expires"), "600;refresher=uas");
    let ack = caller.ack(&mut theirs, "");
    theirs.hear(&ack);
    theirs.pass(seconds(299));
    theirs.silent();
    theirs.pass(seconds(1));
    let refresh = theirs.only();
    theirs.hear(&respond(&refresh, 491, "", "", None));
    assert_eq!(theirs.said(), ["ACK"]);
    theirs.pass(seconds(2));
    assert!(theirs.said().iter().any(|said| said == "INVITE"));
    theirs.tell(leg, LegCommand::End(WHY));
    theirs.assert_clean();
}

#[test]
fn a_call_that_ends_while_its_refresh_is_open_leaves_nothing() {
    let mut world = world();
    let (_, leg) = reached(&mut world, "Session-Expires: 600;refresher=uac\r\n");
    world.pass(seconds(300));
    let refresh = world.only();
    assert_eq!(refresh.method(), "INVITE");
    world.hear(&respond(&refresh, 100, "", "", None));
    world.tell(leg, LegCommand::End(WHY));
    assert_eq!(world.said(), ["BYE"]);
    world.assert_clean();
}

#[test]
fn a_refresh_goes_by_the_way_of_the_invite_and_is_challenged_like_it() {
    let mut world = world();
    let leg = world.ua.next_leg();
    let credentials =
        ua::Credentials { username: "shop".into(), password: "secret".into(), realm: None, md5: true };
    let mut call = invite(udp(TRUNK));
    call.credentials = Some(std::sync::Arc::new(credentials));
    world.tell(leg, LegCommand::Invite(Box::new(call)));
    let sent = world.only();
    let lines = format!("{CONTACT}Session-Expires: 600;refresher=uac\r\n");
    world.hear(&respond(&sent, 200, "b1", &lines, Some(OFFER)));
    world.take();
    world.heard();
    world.pass(seconds(300));
    let refresh = world.only();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5\r\n";
    world.hear(&respond(&refresh, 401, "", challenge, None));
    let sent = world.take();
    assert_eq!(sent[0].text.method(), "ACK");
    let again = &sent[1].text;
    assert_eq!((again.method(), again.body()), ("INVITE", ANSWER));
    assert!(again.header("Authorization").contains("nonce=\"n\""));
    world.hear(&respond(again, 200, "", &lines, Some(OFFER)));
    let ack = world.only();
    assert!(ack.has("Authorization"), "{ack:?}");
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::End(WHY));
    world.assert_clean();
}
