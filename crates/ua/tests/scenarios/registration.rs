//! Being registered at a trunk: RFC 3261 §10.2.

use std::sync::Arc;
use std::time::Duration;

use sip::Flow;
use ua::{Credentials, ErrandCommand, ErrandEvent, ErrandId, Input, LegEvent, Registering, TrunkId};

use crate::world::{OFFER, PATIENCE, Sent, TRUNK, Text, World, respond, tcp, udp, with_body};

const ID: ErrandId = ErrandId(7);

fn second(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn wanted(flows: &[Flow]) -> Registering {
    let credentials =
        Credentials { username: "74951234567".into(), password: "secret".into(), realm: None, md5: true };
    Registering {
        trunk: TrunkId(3),
        flows: flows.to_vec(),
        registrar: "sip:carrier.example".to_owned(),
        aor: "sip:74951234567@carrier.example".to_owned(),
        expires: 600,
        credentials: Some(Arc::new(credentials)),
    }
}

fn register(world: &mut World, wanted: Registering) {
    world.input(Input::Errand(ID, ErrandCommand::Register(Box::new(wanted))));
}

/// A world whose first REGISTER has gone out.
fn begun() -> (World, Text) {
    let mut world = World::new();
    register(&mut world, wanted(&[udp(TRUNK)]));
    let sent = world.only();
    (world, sent)
}

fn contact(register: &Text) -> &str {
    register.header("Contact").split('>').next().unwrap().trim_start_matches('<')
}

/// A 200 that grants these seconds, among the bindings of others.
fn grant(register: &Text, seconds: u32) -> String {
    let bindings = format!(
        "Contact: <sip:other@203.0.113.5>;expires=7, <{}>;expires={seconds}\r\nExpires: 9\r\n",
        contact(register)
    );
    respond(register, 200, "r", &bindings, None)
}

/// A world in which we are registered for 600 seconds.
fn registered() -> (World, Text) {
    let (mut world, first) = begun();
    world.hear(&grant(&first, 600));
    assert_eq!(heard(&mut world), [ErrandEvent::Registered { expires: second(600), routes: vec![] }]);
    (world, first)
}

fn heard(world: &mut World) -> Vec<ErrandEvent> {
    std::mem::take(&mut world.errands)
}

/// When the next REGISTER comes, and it.
#[track_caller]
fn next(world: &mut World, within: Duration) -> (Duration, Text) {
    let from = world.now;
    let Sent { at, text, .. } = next_sent(world, within);
    (at - from, text)
}

#[track_caller]
fn next_sent(world: &mut World, within: Duration) -> Sent {
    let end = world.now + within;
    while world.now < end {
        world.pass(Duration::from_millis(100));
        if let Some(sent) = world.take().into_iter().next() {
            return sent;
        }
    }
    panic!("nothing was sent within {within:?}");
}

fn number(text: &Text) -> u32 {
    text.header("CSeq").split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_register_names_the_address_of_record_and_an_address_that_nobody_guesses() {
    let (_, first) = begun();
    assert_eq!(first.start(), "REGISTER sip:carrier.example SIP/2.0");
    assert_eq!(first.header("To"), "<sip:74951234567@carrier.example>");
    assert!(first.header("From").starts_with("<sip:74951234567@carrier.example>;tag="));
    let (user, host) = contact(&first).strip_prefix("sip:").unwrap().split_once('@').unwrap();
    assert_eq!((user.len(), host), (20, "192.0.2.1:5060"));
    assert_eq!((first.header("Expires"), first.has("Authorization")), ("600", false));
    let (_, other) = begun();
    assert_eq!(contact(&first), contact(&other), "the same seed");
}

#[test]
fn a_binding_is_renewed_between_half_and_three_quarters_of_what_was_granted_to_us() {
    let (mut world, first) = begun();
    world.hear(&grant(&first, 100));
    assert_eq!(heard(&mut world), [ErrandEvent::Registered { expires: second(100), routes: vec![] }]);
    let (after, again) = next(&mut world, second(100));
    assert!((second(50)..=second(76)).contains(&after), "{after:?}");
    for same in ["Call-ID", "From", "To", "Contact"] {
        assert_eq!(again.header(same), first.header(same));
    }
    assert_eq!(number(&again), number(&first) + 1);
    world.hear(&grant(&again, 100));
    assert_eq!(heard(&mut world), [], "no news");
}

#[test]
fn where_nothing_is_said_of_our_binding_the_expires_of_all_counts_and_zero_is_a_failure() {
    let (mut world, first) = begun();
    world.hear(&respond(&first, 200, "r", "Expires: 60\r\n", None));
    assert_eq!(heard(&mut world), [ErrandEvent::Registered { expires: second(60), routes: vec![] }]);
    let (mut world, first) = begun();
    world.hear(&grant(&first, 0));
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: None }]);
}

#[test]
fn a_challenge_is_answered_and_the_nonce_used_again() {
    let (mut world, first) = begun();
    let ask =
        |nonce: &str| format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\", qop=\"auth\"\r\n");
    world.hear(&respond(&first, 401, "r", &ask("n1"), None));
    let second_one = world.only();
    assert!(second_one.header("Authorization").contains("uri=\"sip:carrier.example\""));
    assert_eq!(number(&second_one), number(&first) + 1);
    assert_eq!(second_one.header("Call-ID"), first.header("Call-ID"));
    world.hear(&grant(&second_one, 600));
    let (_, third) = next(&mut world, second(600));
    assert!(third.header("Authorization").contains("nonce=\"n1\""));
    assert!(third.header("Authorization").contains("nc=00000002"));
    world.hear(&respond(&third, 401, "r", &ask("n2"), None));
    let fourth = world.only();
    assert!(fourth.header("Authorization").contains("nonce=\"n2\""));
    world.hear(&respond(&fourth, 401, "r", &ask("n3"), None));
    world.silent();
    assert_eq!(
        heard(&mut world),
        [
            ErrandEvent::Registered { expires: second(600), routes: vec![] },
            ErrandEvent::Unregistered { status: Some(401) }
        ]
    );
}

#[test]
fn a_registrar_may_insist_on_a_longer_binding_once() {
    let (mut world, first) = begun();
    world.hear(&respond(&first, 423, "r", "Min-Expires: 1800\r\n", None));
    let again = world.only();
    assert_eq!(again.header("Expires"), "1800");
    world.hear(&respond(&again, 423, "r", "Min-Expires: 3600\r\n", None));
    world.silent();
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: Some(423) }]);
    let (mut world, first) = begun();
    world.hear(&respond(&first, 423, "r", "Min-Expires: 90000\r\n", None));
    world.silent();
}

#[test]
fn pauses_grow_with_each_failure_and_are_never_the_same_for_all() {
    let (mut world, mut last) = begun();
    for most in [30, 60, 120, 240, 300, 300] {
        world.hear(&respond(&last, 403, "r", "", None));
        let (after, again) = next(&mut world, second(400));
        assert!((second(most / 2)..=second(most + 1)).contains(&after), "{most}: {after:?}");
        last = again;
    }
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: Some(403) }], "said once");
    world.hear(&grant(&last, 600));
    assert_eq!(heard(&mut world), [ErrandEvent::Registered { expires: second(600), routes: vec![] }]);
}

#[test]
fn a_registrar_that_says_when_is_not_asked_before() {
    let (mut world, first) = begun();
    world.hear(&respond(&first, 503, "r", "Retry-After: 200\r\n", None));
    let (after, _) = next(&mut world, second(300));
    assert!((second(200)..=second(201)).contains(&after), "{after:?}");
}

#[test]
fn a_registrar_that_does_not_answer_leaves_the_binding_until_it_expires() {
    let (mut world, _) = registered();
    world.pass(second(599));
    assert_eq!(heard(&mut world), []);
    world.pass(second(2));
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: None }]);
    world.take();
    let (_, again) = next(&mut world, second(700));
    world.hear(&grant(&again, 600));
    assert_eq!(heard(&mut world), [ErrandEvent::Registered { expires: second(600), routes: vec![] }]);
}

#[test]
fn every_address_of_the_registrar_is_tried_before_there_is_a_pause() {
    let other = "198.51.100.8:5060";
    let mut world = World::new();
    register(&mut world, wanted(&[udp(TRUNK), udp(other)]));
    assert_eq!(world.only_sent().flow, udp(TRUNK));
    world.pass(PATIENCE);
    let sent = world.take();
    let last = sent.last().unwrap();
    assert_eq!((last.flow, last.at), (udp(other), PATIENCE));
    let granted = grant(&last.text, 600);
    world.hear_on(udp(other), Some(TrunkId(3)), &granted);
    assert_eq!(next_sent(&mut world, second(480)).flow, udp(other), "where it is bound it is renewed");
}

#[test]
fn we_leave_with_expires_0_and_do_not_wait_long_for_the_answer() {
    let (mut world, first) = registered();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    let last = world.only();
    assert_eq!((last.method(), last.header("Expires")), ("REGISTER", "0"));
    assert!(last.header("Contact").starts_with(&format!("<{}>", contact(&first))));
    world.hear(&respond(&last, 200, "r", "", None));
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: None }, ErrandEvent::Over]);
    assert_eq!(world.ua.errands(), 0);
    world.assert_clean();

    let (mut world, _) = registered();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    world.pass(second(3));
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: None }, ErrandEvent::Over]);
    world.assert_clean();
}

#[test]
fn who_leaves_before_the_answer_waits_for_it_and_leaves_then() {
    let (mut world, first) = begun();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    world.silent();
    world.hear(&grant(&first, 600));
    assert_eq!(world.only().header("Expires"), "0");
    world.errands.clear();
    let (mut world, first) = begun();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    world.hear(&respond(&first, 403, "r", "", None));
    world.silent();
    assert_eq!(heard(&mut world), [ErrandEvent::Unregistered { status: Some(403) }, ErrandEvent::Over]);
    world.assert_clean();
}

#[test]
fn a_lost_connection_is_made_again_before_long() {
    let mut world = World::new();
    let flow = Flow { connection: None, ..tcp(TRUNK, 0) };
    register(&mut world, wanted(&[flow]));
    let first = world.only();
    assert!(contact(&first).ends_with(";transport=tcp"));
    world.hear_on(tcp(TRUNK, 4), Some(TrunkId(3)), &grant(&first, 600));
    world.input(Input::FlowLost(tcp("203.0.113.9:5060", 5)));
    world.pass(second(6));
    world.silent();
    world.input(Input::FlowLost(tcp(TRUNK, 4)));
    world.pass(second(6));
    assert_eq!(world.only_sent().flow, flow);
    // What cannot be reached at all is not asked again at once.
    world.input(Input::FlowLost(flow));
    world.silent();
    let (after, _) = next(&mut world, second(40));
    assert!(after >= second(14), "{after:?}");
}

#[test]
fn a_service_route_is_told_and_told_again_when_it_changes() {
    let (mut world, first) = begun();
    let with = |register: &Text, route: &str| {
        grant(register, 600).replace("Expires", &format!("Service-Route: {route}\r\nExpires"))
    };
    world.hear(&with(&first, "<sip:edge.example;lr>, <sip:core.example;lr>"));
    let routes = |routes: &[&str]| ErrandEvent::Registered {
        expires: second(600),
        routes: routes.iter().map(|route| (*route).to_owned()).collect(),
    };
    assert_eq!(heard(&mut world), [routes(&["sip:edge.example;lr", "sip:core.example;lr"])]);
    let (_, again) = next(&mut world, second(600));
    world.hear(&with(&again, "<sip:other.example;lr>"));
    assert_eq!(heard(&mut world), [routes(&["sip:other.example;lr"])]);
}

fn invite(uri: &str) -> String {
    format!(
        "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.77:5060;branch=z9hG4bKx{}\r\nFrom: <sip:+79991112233@c>;tag=1\r\nTo: <sip:74951234567@carrier.example>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\nContact: <sip:c@203.0.113.77>\r\nMax-Forwards: 70\r\n{}",
        uri.len(),
        with_body("", Some(OFFER))
    )
}

#[test]
fn a_call_to_our_binding_is_the_trunks_wherever_it_comes_from() {
    let (mut world, first) = registered();
    world.hear_stranger("203.0.113.77:5060", &invite("sip:74951234567@192.0.2.1"));
    world.silent();
    world.hear_stranger("203.0.113.77:5060", &invite(contact(&first)));
    let events = world.heard();
    let [LegEvent::Offered(incoming)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((incoming.trunk, incoming.to.as_str()), (TrunkId(3), "74951234567"));
}

#[test]
fn who_is_leaving_takes_no_more_calls() {
    let (mut world, first) = registered();
    world.input(Input::Errand(ID, ErrandCommand::Stop));
    assert_eq!(world.only().header("Expires"), "0");
    world.hear_stranger("203.0.113.77:5060", &invite(contact(&first)));
    world.silent();
    assert_eq!(world.heard(), []);
}

#[test]
fn a_registrar_that_moved_is_registered_at_anew_and_a_trunk_that_was_renumbered_is_not() {
    let (mut world, first) = registered();
    register(&mut world, Registering { trunk: TrunkId(0), ..wanted(&[udp(TRUNK)]) });
    world.silent();
    let moved = udp("198.51.100.99:5060");
    register(&mut world, wanted(&[moved]));
    let sent = world.only_sent();
    assert_eq!((sent.flow, contact(&sent.text)), (moved, contact(&first)));
    register(&mut world, wanted(&[]));
    world.silent();
}
