//! What the caller hears before there is an answer (RFC 3960), and what is said reliably there (RFC 3262), in whole calls.

use crate::worlds::{CLIENT, COURIER, LINE, OPERATOR, STRANGER, seconds, with_order};
use b2bua::EarlyMedia;
use rtp::{Command, Direction, SessionId};
use sim::{Act, CalleePlan, CallerPlan, Early, Last, Reaction, Stage, Weather, World};

const fn stage(status: u16, reliable: bool, early: Early) -> Stage {
    Stage { status, reliable, early, update: false }
}

const PLAIN: &[Stage] = &[stage(183, false, Early::Answer)];
const RELIABLE: &[Stage] = &[stage(180, true, Early::No), stage(183, true, Early::Answer)];
const RINGS_AFTER: &[Stage] = &[stage(183, true, Early::Answer), stage(180, true, Early::No)];
const ELSEWHERE: &[Stage] = &[stage(183, false, Early::Elsewhere)];
const HUSHED: &[Stage] = &[stage(183, false, Early::Answer), stage(183, false, Early::Hushed)];
const RENEWED: &[Stage] = &[
    Stage { status: 183, reliable: true, early: Early::Hushed, update: true },
    stage(180, false, Early::No),
];

fn begun(early_media: EarlyMedia, reaction: Reaction) -> World {
    let mut config = sim::config();
    config.lines[0].early_media = early_media;
    let mut world = with_order(World::new(config, Weather::FAIR, 5));
    world.callee(CLIENT, CalleePlan::new(reaction));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(40), Act::HangUp));
    world
}

fn called(early_media: EarlyMedia, reaction: Reaction) -> World {
    let mut world = begun(early_media, reaction);
    world.run_until_quiet();
    world.assert_clean();
    world
}

/// What the relay was told of joining: in order, and with what flowed towards the callee then.
fn joins(world: &World) -> Vec<&'static str> {
    let mut direction = std::collections::BTreeMap::new();
    let mut said = Vec::new();
    for command in &world.commands {
        if let Command::Open { session, media, .. } | Command::Update { session, media } = command {
            direction.insert(*session, media.direction);
        } else if let Command::Bridge { second, .. } = command {
            said.push(match direction[second] {
                Direction::SendReceive => "joined",
                Direction::ReceiveOnly => "heard",
                Direction::SendOnly | Direction::Inactive => "wrong",
            });
        } else if let Command::Unbridge { .. } = command {
            said.push("parted");
        }
    }
    said
}

/// The callee's session, which was heard or joined first.
fn callee(world: &World) -> SessionId {
    let joined = world.commands.iter().find_map(|command| {
        let Command::Bridge { second, .. } = command else { return None };
        Some(*second)
    });
    joined.expect("it was joined")
}

/// The ports of theirs that the callee's session was told of, one after the other.
fn remotes(world: &World) -> Vec<u16> {
    let callee = callee(world);
    let updates = world.commands.iter().filter_map(|command| {
        let Command::Update { session, media } = command else { return None };
        (*session == callee).then(|| media.remote.expect("known").rtp.port())
    });
    updates.collect()
}

#[test]
fn our_music_is_heard_whatever_comes_where_the_line_says_nothing_else() {
    for stages in [PLAIN, RELIABLE, RINGS_AFTER, ELSEWHERE, HUSHED, RENEWED] {
        let world = called(EarlyMedia::Ours, Reaction::Stages(stages, Last::Answer));
        assert_eq!(joins(&world), ["joined"], "{stages:?}");
        assert_eq!(world.statuses(), [Some(200)]);
    }
}

#[test]
fn what_comes_is_heard_one_way_until_the_answer_and_the_whisper_by_the_callee_alone() {
    for stages in [PLAIN, RELIABLE, RINGS_AFTER] {
        let world = called(EarlyMedia::Pass, Reaction::Stages(stages, Last::Answer));
        assert_eq!(joins(&world), ["heard", "parted", "joined"], "{stages:?}");
        // Music, the callee's ringing in its place, music again, the whisper, and then both.
        let early = world.commands.iter().position(|command| matches!(command, Command::Bridge { .. }));
        let after = world.commands[early.expect("heard")..].iter();
        let mut order = Vec::new();
        for command in after {
            if let Command::Bridge { .. } = command {
                order.push("bridge");
            } else if let Command::Unbridge { .. } = command {
                order.push("unbridge");
            } else if let Command::Play { repeat, .. } = command {
                order.push(if *repeat { "music" } else { "whisper" });
            }
        }
        assert_eq!(order, ["bridge", "unbridge", "music", "whisper", "bridge"]);
    }
}

#[test]
fn every_reliable_response_is_acknowledged_once_and_in_its_turn() {
    let world = called(EarlyMedia::Ours, Reaction::Stages(RELIABLE, Last::Answer));
    let text: Vec<String> =
        world.received.values().flatten().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    let racks = text.iter().filter_map(|text| text.lines().find_map(|line| line.strip_prefix("RAck: ")));
    let racks: Vec<&str> = racks.filter_map(|rack| rack.split(' ').next()).collect();
    assert_eq!(racks, ["100", "101"]);
}

#[test]
fn the_answer_decides_where_media_goes_whatever_was_said_before() {
    let world = called(EarlyMedia::Pass, Reaction::Stages(ELSEWHERE, Last::Answer));
    assert_eq!(joins(&world), ["heard", "parted", "joined"]);
    let [early, answer] = remotes(&world)[..] else { panic!("{:?}", remotes(&world)) };
    assert_eq!(early, answer + 500);
}

#[test]
fn of_two_that_ring_the_last_is_heard_and_the_one_that_answers_decides() {
    let world = called(EarlyMedia::Pass, Reaction::ForkEarly(seconds(0)));
    assert_eq!(joins(&world), ["heard", "parted", "joined"]);
    let ports = remotes(&world);
    let [first, second, answer] = ports[..] else { panic!("{ports:?}") };
    assert_eq!((second, answer), (first + 1000, first), "the first answers first");
}

#[test]
fn where_nothing_is_said_any_more_music_is_heard_again() {
    let world = called(EarlyMedia::Pass, Reaction::Stages(HUSHED, Last::Answer));
    assert_eq!(joins(&world), ["heard", "parted", "joined"]);
    // As well where nothing comes though it should.
    let mut world = begun(EarlyMedia::Pass, Reaction::Stages(PLAIN, Last::Ring));
    world.run_for(seconds(20));
    assert_eq!(joins(&world), ["heard"]);
    let silent = rtp::Report::Silent { session: callee(&world) };
    world.feed(b2bua::Input::Report(silent));
    assert_eq!(joins(&world), ["heard", "parted"]);
    world.run_until_quiet();
    world.assert_clean();
}

#[test]
fn another_offer_before_the_answer_is_answered_and_holds_from_then_on() {
    let world = called(EarlyMedia::Pass, Reaction::Stages(RENEWED, Last::Answer));
    assert_eq!(joins(&world), ["heard", "parted", "joined"]);
    let world = called(EarlyMedia::Ours, Reaction::Stages(RENEWED, Last::Answer));
    assert_eq!(joins(&world), ["joined"]);
}

#[test]
fn whoever_is_heard_and_then_refuses_is_parted_and_the_caller_hears_why() {
    let world = called(EarlyMedia::Pass, Reaction::Stages(RELIABLE, Last::Refuse(486)));
    assert_eq!(joins(&world), ["heard", "parted"]);
    assert!(!world.audit.records[0].callee_reached);
    let said = world.played();
    assert!(said.last().is_some_and(|prompts| prompts.len() == 1), "why not: {said:?}");
}

#[test]
fn the_operator_is_joined_at_once_on_the_answer() {
    let mut config = sim::config();
    config.lines[0].early_media = EarlyMedia::Pass;
    let mut world = World::new(config, Weather::FAIR, 5);
    let plan = CalleePlan::new(Reaction::Stages(RELIABLE, Last::Answer)).doing(seconds(5), Act::HangUp);
    world.callee(OPERATOR, plan);
    world.caller(seconds(0), CallerPlan::keying(STRANGER, LINE, "#"));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(joins(&world), ["heard", "parted", "joined"]);
}

#[test]
fn callers_hear_it_ring_as_long_as_the_line_says_and_acknowledge_that_where_they_want_to() {
    for (requires_reliable, acknowledged) in [(false, 0), (true, 1)] {
        for hangs_up in [2, 40] {
            let mut config = sim::config();
            config.lines[0].answer_after = seconds(4);
            let mut world = with_order(World::new(config, Weather::FAIR, 5));
            world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(1))));
            let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(hangs_up), Act::HangUp);
            world.caller(seconds(0), CallerPlan { requires_reliable, ..plan });
            world.run_until_quiet();
            world.assert_clean();
            let record = &world.audit.records[0];
            let answered = record.answered.map(|at| at.since(record.started).as_secs());
            assert_eq!(answered, (hangs_up > 4).then_some(4));
            let heard: Vec<String> = world
                .received
                .values()
                .flatten()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .collect();
            let said = |start: &str| heard.iter().filter(|text| text.starts_with(start)).count();
            assert_eq!(said("SIP/2.0 180 "), 1);
            let pracks =
                heard.iter().filter(|text| text.starts_with("SIP/2.0 200") && text.contains("CSeq: 2 PRACK"));
            assert_eq!(pracks.count(), acknowledged);
        }
    }
}

#[test]
fn a_call_taken_back_while_a_reliable_response_waits_ends_whoever_comes_first() {
    for last in [Last::Ring, Last::AnswerOnCancel, Last::Answer] {
        for hang_up in [14_000, 15_001, 15_050, 16_020, 16_500] {
            let mut config = sim::config();
            config.lines[0].early_media = EarlyMedia::Pass;
            let mut world = with_order(World::new(config, Weather::FAIR, 5));
            world.callee(CLIENT, CalleePlan::new(Reaction::Stages(RELIABLE, last)));
            let after = std::time::Duration::from_millis(hang_up);
            world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(after, Act::HangUp));
            world.run_until_quiet();
            world.assert_clean();
        }
    }
}
