//! The mask: no byte that one side receives may carry anything of the other, on any path.
//!
//! Both phones plant marks wherever a phone can put something of its own: display names, user parts, host names, tags,
//! Call-IDs, every informational header, reason phrases, every line of their session descriptions.

use std::net::SocketAddr;

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};
use b2bua::Control;
use sim::{Act, CalleePlan, CallerPlan, Early, Last, Reaction, Stage, Weather, World};

const CALLERS: &str = "192.0.2.11:5060";
const CALLEES: &str = "192.0.2.12:5060";

/// Whatever of the caller must never reach the callee's side, and the other way round.
fn assert_masked(world: &World, caller: &str, callee: &str) {
    let search = |peer: &str, canaries: &[&str]| {
        let peer: SocketAddr = peer.parse().expect("an address");
        for bytes in world.received.get(&peer).into_iter().flatten() {
            let text = String::from_utf8_lossy(bytes);
            for canary in canaries {
                assert!(!text.contains(canary), "{canary:?} crossed to {peer}:\n{text}");
            }
        }
    };
    let caller = caller.trim_start_matches('+');
    let callee = callee.trim_start_matches('+');
    search(CALLEES, &["canary-caller", caller, &caller[1..], "192.0.2.11", "30000", "in-0", "Phone 1.0"]);
    // The callee's answers carry the host we dialled, which is the trunk's; the caller's side never sees it.
    search(CALLERS, &["canary-callee", callee, &callee[1..], "192.0.2.12", "40000", "41000"]);
}

fn masked(caller: &str, callee: &str, keys: &str, plan: CalleePlan, act: Option<(u64, Act)>) -> World {
    let mut world = with_order(World::new(sim::config(), Weather::FAIR, 3));
    world.callee(callee, plan);
    let mut caller_plan = CallerPlan::keying(caller, LINE, keys);
    if let Some((after, act)) = act {
        caller_plan = caller_plan.doing(seconds(after), act);
    }
    world.caller(seconds(0), caller_plan);
    world.run_until_quiet();
    world.assert_clean();
    assert_masked(&world, caller, callee);
    world
}

#[test]
fn nothing_crosses_when_the_two_are_joined_whoever_calls_and_whoever_hangs_up() {
    let answers = CalleePlan::new(Reaction::Answer(seconds(2)));
    let hangs_up = answers.clone().doing(seconds(30), Act::HangUp);
    for (caller, callee) in [(COURIER, CLIENT), (CLIENT, COURIER)] {
        let hung_up = masked(caller, callee, "12345", answers.clone(), Some((40, Act::HangUp)));
        assert_eq!(hung_up.bridges(), 1);
        masked(caller, callee, "12345", hangs_up.clone(), None);
    }
}

#[test]
fn nothing_crosses_when_the_callee_cannot_be_had() {
    let refusals = [302, 401, 403, 404, 407, 408, 410, 480, 484, 486, 488, 500, 503, 600, 603]
        .map(|status| CalleePlan::new(Reaction::Refuse(seconds(1), status)));
    let others = [Reaction::Ring, Reaction::Silent, Reaction::AnswerOnCancel].map(CalleePlan::new);
    for plan in refusals.into_iter().chain(others) {
        masked(COURIER, CLIENT, "12345", plan, None);
    }
}

#[test]
fn nothing_crosses_when_the_caller_gives_up() {
    for reaction in
        [Reaction::Ring, Reaction::Silent, Reaction::AnswerOnCancel, Reaction::Progress(seconds(20))]
    {
        masked(COURIER, CLIENT, "12345", CalleePlan::new(reaction), Some((9, Act::HangUp)));
    }
}

#[test]
fn nothing_crosses_when_either_side_changes_its_session_or_says_things_inside_the_dialog() {
    let acts = [Act::Reinvite, Act::Hold, Act::ReinviteLate, Act::Update, Act::Info('5'), Act::Options];
    for act in acts {
        let answers = CalleePlan::new(Reaction::Answer(seconds(1)));
        let callee = answers.clone().doing(seconds(20), act).doing(seconds(40), Act::HangUp);
        masked(COURIER, CLIENT, "12345", callee, Some((30, act)));
        // While the caller is still in the menu.
        masked(COURIER, CLIENT, "", answers, Some((1, act)));
    }
}

#[test]
fn nothing_crosses_through_early_media_or_a_fork() {
    for reaction in [Reaction::Progress(seconds(3)), Reaction::Fork(seconds(0))] {
        masked(COURIER, CLIENT, "12345", CalleePlan::new(reaction), Some((30, Act::HangUp)));
    }
}

#[test]
fn nothing_crosses_where_early_media_is_heard_and_what_is_reliable_is_acknowledged() {
    const STAGES: &[Stage] = &[
        Stage { status: 180, reliable: true, early: Early::No, update: false },
        Stage { status: 183, reliable: true, early: Early::Answer, update: true },
    ];
    for last in [Last::Answer, Last::Refuse(486), Last::Ring] {
        let mut config = sim::config();
        config.lines[0].early_media = b2bua::EarlyMedia::Pass;
        config.lines[0].answer_after = seconds(2);
        let mut world = with_order(World::new(config, Weather::FAIR, 3));
        world.callee(CLIENT, CalleePlan::new(Reaction::Stages(STAGES, last)));
        let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp);
        world.caller(seconds(0), CallerPlan { requires_reliable: true, ..plan });
        world.run_until_quiet();
        world.assert_clean();
        assert_masked(&world, COURIER, CLIENT);
    }
}

#[test]
fn nothing_crosses_to_an_operator_or_to_a_stranger() {
    let answers = CalleePlan::new(Reaction::Answer(seconds(1)).to_owned());
    masked(STRANGER, OPERATOR, "#", answers.doing(seconds(20), Act::HangUp), None);
    let world = masked(STRANGER, CLIENT, "12345", CalleePlan::new(Reaction::Ring), None);
    assert_eq!(world.received.get(&CALLEES.parse().unwrap()), None);
}

#[test]
fn nothing_crosses_when_a_fault_of_ours_or_an_operator_ends_the_call() {
    for end in [Control::Panic as fn(_) -> _, Control::HangUp] {
        let mut world = with_order(World::new(sim::config(), Weather::FAIR, 3));
        world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
        world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345"));
        world.run_until(80);
        let call = world.last_call().unwrap();
        world.feed(b2bua::Input::Control(end(call)));
        world.run_until_quiet();
        world.assert_clean();
        assert_masked(&world, COURIER, CLIENT);
    }
}

#[test]
fn the_callee_sees_our_number_and_nothing_but_our_headers() {
    let world = masked(
        COURIER,
        CLIENT,
        "12345",
        CalleePlan::new(Reaction::Answer(seconds(1))),
        Some((30, Act::HangUp)),
    );
    let sent = &world.received[&CALLEES.parse().unwrap()];
    let invite = String::from_utf8_lossy(&sent[0]).into_owned();
    assert!(invite.starts_with("INVITE sip:+79992222222@192.0.2.12:5060"), "{invite}");
    assert!(invite.contains("From: <sip:+78005553535@198.51.100.1"), "{invite}");
    let known = [
        "via",
        "max-forwards",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "allow",
        "supported",
        "session-expires",
        "accept",
        "content-type",
        "content-length",
        "p-asserted-identity",
        "reason",
        "route",
    ];
    for bytes in sent {
        let text = String::from_utf8_lossy(bytes);
        let head = text.split("\r\n\r\n").next().unwrap();
        for line in head.lines().skip(1) {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            assert!(known.contains(&name.as_str()), "{name} in\n{text}");
        }
    }
}
