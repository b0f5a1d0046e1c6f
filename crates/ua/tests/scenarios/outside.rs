//! Requests that belong to no call: RFC 3261 §8.2, §11.

use std::time::Duration;

use sip::{Flow, Transport};
use ua::{Counted, Input, LegCommand, LegEvent, Refusal, RetryAfter};

use crate::world::{ANSWER, CONTACT, Caller, OFFER, Text, World, config, sdp, udp, with_body};

/// The answer to a request outside of any dialog, by the trunk.
fn ask(world: &mut World, method: &str, lines: &str, body: Option<&str>) -> Text {
    let mut caller = Caller::new(world);
    let rest = with_body(&format!("{CONTACT}{lines}"), body);
    let request = caller.request(world, method, &rest);
    world.hear(&request);
    world.only()
}

#[test]
fn options_tell_what_we_can() {
    let mut world = World::new();
    let ok = ask(&mut world, "OPTIONS", "", None);
    assert_eq!(ok.status(), 200);
    assert_eq!(ok.header("Allow"), "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK");
    assert_eq!((ok.header("Accept"), ok.header("Supported")), ("application/sdp", "100rel"));
    assert_eq!((ok.header("Contact"), ok.header("Server")), ("<sip:192.0.2.1:5060>", "Bauta"));
    assert_eq!(world.counted, [Counted::Answered(200)]);
    assert_eq!((world.ua.transactions(), world.timers()), (0, 0), "nothing is kept of it");
}

#[test]
fn the_same_request_again_gets_the_same_response_again() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let request = caller.bare(&mut world, "OPTIONS");
    world.hear(&request);
    let first = world.only();
    world.hear(&request);
    assert_eq!(world.only(), first);
    let another = caller.bare(&mut world, "OPTIONS");
    world.hear(&another);
    assert_ne!(world.only().tag("To"), first.tag("To"));
}

#[test]
fn methods_we_know_and_do_not_take_get_405_and_others_501() {
    let mut world = World::new();
    for method in ["REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "NOTIFY", "REFER"] {
        let refused = ask(&mut world, method, "", None);
        assert_eq!(refused.status(), 405, "{method}");
        assert!(refused.header("Allow").starts_with("INVITE, "));
    }
    assert_eq!(ask(&mut world, "FROBNICATE", "", None).status(), 501);
    assert_eq!(ask(&mut world, "invite", "", None).status(), 501, "methods are case-sensitive");
    assert_eq!(world.heard(), []);
    assert_eq!(world.ua.legs(), 0);
}

#[test]
fn requests_that_need_a_dialog_get_481_without_one() {
    let mut world = World::new();
    for method in ["BYE", "INFO", "UPDATE", "PRACK"] {
        assert_eq!(ask(&mut world, method, "", None).status(), 481, "{method}");
    }
    let mut caller = Caller::new(&mut world);
    caller.our_tag = Some("01234567890123456789".to_owned());
    for method in ["BYE", "INVITE", "OPTIONS", "INFO", "UPDATE"] {
        let request = caller.bare(&mut world, method);
        world.hear(&request);
        assert_eq!(world.only().status(), 481, "{method}");
    }
    world.assert_clean();
}

#[test]
fn an_ack_is_never_answered() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let ack = caller.ack(&mut world, "");
    world.hear(&ack);
    caller.our_tag = Some("x".to_owned());
    let ack = caller.ack(&mut world, &with_body("Require: nothing-known\r\n", None));
    world.hear(&ack);
    world.hear(&ack.replace("Call-ID", "X-Call-ID"));
    world.silent();
}

#[test]
fn extensions_that_are_required_and_unknown_get_420() {
    let mut world = World::new();
    let lines = "Require: 100rel, timer, x\r\nProxy-Require: privacy\r\n";
    let refused = ask(&mut world, "INVITE", lines, Some(OFFER));
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "timer, x, privacy"));
    assert_eq!(ask(&mut world, "OPTIONS", "Require: x\r\n", None).status(), 420);
    assert_eq!(
        ask(&mut world, "INVITE", "Require:\r\n", Some(OFFER)).status(),
        100,
        "an empty list requires nothing"
    );
}

#[test]
fn a_request_uri_of_another_scheme_gets_416() {
    for (uri, status) in [
        ("sips:+7495@192.0.2.1", 416),
        ("mailto:a@b", 416),
        ("http://192.0.2.1/", 416),
        ("tel:+74951234567", 100),
        ("sip:192.0.2.1", 100),
    ] {
        let mut world = World::new();
        let mut caller = Caller::new(&mut world);
        let invite =
            caller.invite(&mut world, "", Some(OFFER)).replacen("sip:+74951234567@192.0.2.1:5060", uri, 1);
        world.hear(&invite);
        assert_eq!(world.only().status(), status, "{uri}");
    }
}

#[test]
fn hops_that_are_used_up_get_483() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let invite =
        caller.invite(&mut world, "", Some(OFFER)).replacen("Max-Forwards: 70", "Max-Forwards: 0", 1);
    world.hear(&invite);
    assert_eq!(world.only().status(), 483);
    let options = caller.bare(&mut world, "OPTIONS").replacen("Max-Forwards: 70", "Max-Forwards: 0", 1);
    world.hear(&options);
    assert_eq!(world.only().status(), 200, "whoever is asked last answers (RFC 3261 §11)");
}

#[test]
fn a_body_we_cannot_read_gets_415_and_one_we_cannot_write_406() {
    let mut world = World::new();
    let body =
        |media: &str, lines: &str| format!("{lines}Content-Type: {media}\r\nContent-Length: 3\r\n\r\nv=0");
    let mut invite = |rest: String| {
        let mut caller = Caller::new(&mut world);
        let request = caller.request(&mut world, "INVITE", &format!("{CONTACT}{rest}"));
        world.hear(&request);
        world.only()
    };
    let refused = invite(body("application/isup", ""));
    assert_eq!((refused.status(), refused.header("Accept")), (415, "application/sdp"));
    let refused = invite(body("application/sdp", "Content-Encoding: gzip\r\n"));
    assert_eq!((refused.status(), refused.header("Accept-Encoding")), (415, "identity"));
    assert_eq!(invite(body("text/plain", "Content-Disposition: render;handling=optional\r\n")).status(), 100);
    for (accept, status) in [
        ("text/plain", 406),
        ("", 406),
        ("application/*", 100),
        ("*/*", 100),
        ("text/plain, application/sdp;q=0.5", 100),
    ] {
        let rest = body("application/sdp", &format!("Accept: {accept}\r\n"));
        assert_eq!(invite(rest).status(), status, "{accept:?}");
    }
}

#[test]
fn a_call_that_would_replace_another_is_declined_whether_there_is_one_or_not() {
    let mut world = World::new();
    let (caller, _) = world.talking();
    let ours = caller.our_tag.clone().unwrap();
    for id in [caller.call_id.as_str(), "nobody"] {
        let lines = format!("Replaces: {id};to-tag={ours};from-tag=a1\r\n");
        assert_eq!(ask(&mut world, "INVITE", &lines, Some(OFFER)).status(), 603);
    }
    assert_eq!(world.heard(), []);
}

#[test]
fn an_invite_that_comes_by_two_ways_is_answered_482_on_the_second() {
    let mut world = World::new();
    let (caller, leg) = world.caller();
    let other_branch = world.branch();
    let merged = caller.write("INVITE", caller.sequence, &other_branch, &with_body(CONTACT, Some(OFFER)));
    world.hear(&merged);
    assert_eq!(world.only().status(), 482);
    assert_eq!(world.heard(), []);
    world.tell(leg, LegCommand::Accept(sdp(ANSWER)));
    assert_eq!(world.only().status(), 200, "the first goes on");
    // Another call from the same phone is another call.
    let branch = world.branch();
    let next = caller.write("INVITE", caller.sequence + 1, &branch, &with_body(CONTACT, Some(OFFER)));
    world.hear(&next);
    assert_eq!(world.only().status(), 100);
}

#[test]
fn while_unavailable_who_asks_is_told_503_and_the_rest_goes_on() {
    let mut world = World::new();
    let (mut caller, _) = world.talking();
    world.input(Input::Unavailable(Some(RetryAfter(30))));
    let told = ask(&mut world, "OPTIONS", "", None);
    assert_eq!((told.status(), told.header("Retry-After")), (503, "30"));
    assert_eq!(world.counted, [Counted::Answered(503)]);
    assert_eq!(world.ua.legs(), 1);
    let invite = caller.invite(&mut world, "", Some(OFFER));
    world.hear(&invite);
    assert_eq!(world.only().status(), 100, "a re-INVITE is not new");
    let bye = caller.bare(&mut world, "BYE");
    world.hear(&bye);
    assert_eq!(world.said(), ["200 BYE", "487 INVITE"]);
    world.input(Input::Unavailable(None));
    assert_eq!(ask(&mut world, "OPTIONS", "", None).status(), 200);
}

#[test]
fn what_is_shed_is_refused_without_state_and_the_rest_goes_on() {
    for (status, line) in [(503, "SIP/2.0 503 Service Unavailable"), (486, "SIP/2.0 486 Busy Here")] {
        let mut world = World::new();
        let (mut caller, _) = world.talking();
        let transactions = world.ua.transactions();
        world.input(Input::Shed(Some(Refusal { status, retry_after: Some(RetryAfter(9)) })));
        let refused = ask(&mut world, "INVITE", "", Some(OFFER));
        assert_eq!((refused.start(), refused.header("Retry-After")), (line, "9"));
        assert_eq!(world.counted, [Counted::Answered(status), Counted::Shed]);
        assert_eq!((world.ua.legs(), world.ua.transactions()), (1, transactions));
        assert_eq!(ask(&mut world, "OPTIONS", "", None).status(), 200);
        let again = caller.invite(&mut world, "", Some(OFFER));
        world.hear(&again);
        assert_eq!(world.only().status(), 100, "a re-INVITE is not new");
        let bye = caller.bare(&mut world, "BYE");
        world.hear(&bye);
        assert_eq!(world.said(), ["200 BYE", "487 INVITE"]);
        world.input(Input::Shed(None));
        assert_eq!(ask(&mut world, "INVITE", "", Some(OFFER)).status(), 100);
    }
}

#[test]
fn when_the_table_is_full_new_calls_get_503_and_running_calls_can_still_end() {
    let mut config = config();
    config.transactions = 4;
    let mut world = World::with(config);
    let (mut caller, _) = world.talking();
    for _ in 0..3 {
        world.caller();
    }
    assert_eq!(world.ua.transactions(), 4);
    let refused = ask(&mut world, "INVITE", "", Some(OFFER));
    assert_eq!(refused.status(), 503);
    assert!(refused.has("Retry-After"));
    let bye = caller.bare(&mut world, "BYE");
    world.hear(&bye);
    assert_eq!(world.only().status(), 200);
    for _ in 0..20 {
        let info = caller.bare(&mut world, "INFO");
        world.hear(&info);
    }
    assert_eq!(world.ua.transactions(), 8, "not without end either");
    assert_eq!(world.said().last().map(String::as_str), Some("503 INFO"));
}

#[test]
fn new_addresses_are_for_new_calls() {
    let mut world = World::new();
    let (mut caller, leg) = world.talking();
    let mut config = config();
    config.listeners[0].public = "192.0.2.99:5060".to_owned();
    config.product = String::new();
    world.input(Input::Configure(Box::new(config)));
    let ok = ask(&mut world, "OPTIONS", "", None);
    assert_eq!(ok.header("Contact"), "<sip:192.0.2.99:5060>");
    assert!(!ok.has("Server"));
    world.tell(leg, LegCommand::End(crate::world::WHY));
    let bye = world.only();
    assert!(bye.header("Via").contains("192.0.2.1:5060"), "a running call keeps its address");
    world.hear(&crate::world::respond(&bye, 200, "", "", None));
    assert_eq!(world.heard().len(), 1);
    let late = caller.bare(&mut world, "BYE");
    world.hear(&late);
    assert_eq!(world.only().status(), 200);
}

#[test]
fn octets_that_are_no_message_are_counted_and_keep_alives_are_not() {
    let mut world = World::new();
    world.hear("\r\n\r\n");
    world.hear("");
    assert_eq!(world.counted, []);
    world.hear("GET / HTTP/1.1\r\n\r\n");
    world.hear_stranger("203.0.113.66:5060", "\0\0\0");
    assert_eq!(world.counted, [Counted::Garbage; 2]);
    world.silent();
}

#[test]
fn a_request_that_cannot_be_read_gets_400_from_a_trunk() {
    let mut world = World::new();
    let mut caller = Caller::new(&mut world);
    let bad = caller.bare(&mut world, "OPTIONS").replacen("CSeq: 101", "CSeq: x", 1);
    world.hear(&bad);
    let refused = world.only();
    assert_eq!(refused.status(), 400);
    assert_eq!(world.counted, [Counted::Answered(400)]);
}

#[test]
fn responses_that_match_nothing_are_dropped() {
    let mut world = World::new();
    let (callee, _) = world.callee();
    let ringing = callee.respond(180, "b1", CONTACT, None);
    for stray in [
        ringing.replacen(callee.invite.branch(), "z9hG4bK01234567890123456789", 1),
        ringing.replacen(callee.invite.branch(), "other", 1),
        ringing.replacen("192.0.2.1:5060;branch", "192.0.2.2:5060;branch", 1),
        ringing.replacen(" INVITE", " BYE", 1),
        ringing.replacen(" INVITE", " OPTIONS", 1),
        ringing.replacen("From:", "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\nFrom:", 1),
    ] {
        world.hear(&stray);
    }
    world.silent();
    assert_eq!(world.heard(), []);
    assert_eq!(world.counted, [Counted::Stray; 6]);
    world.hear(&ringing);
    assert_eq!(world.only_event(), LegEvent::Ringing);
    world.pass(Duration::from_secs(60));
    world.silent();
}

#[test]
fn a_listener_that_is_not_configured_hears_nothing() {
    let mut world = World::new();
    let flow = Flow { listener: 9, transport: Transport::Udp, ..udp("198.51.100.7:5060") };
    let mut caller = Caller::new(&mut world);
    for request in [caller.invite(&mut world, "", Some(OFFER)), caller.bare(&mut world, "OPTIONS")] {
        world.hear_on(flow, Some(ua::TrunkId(0)), &request);
    }
    world.silent();
    world.assert_clean();
}
