//! Whether a call comes about, and how it is protected: each policy of a trunk with each kind of phone.

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order};
use b2bua::{Cause, Record, Side, SrtpPolicy};
use sim::{Act, CalleePlan, CallerPlan, Reaction, Voice, Weather, World};

const CALLERS: &str = "192.0.2.11:5060";
const CALLEES: &str = "192.0.2.12:5060";
const POLICIES: [SrtpPolicy; 3] = [SrtpPolicy::Off, SrtpPolicy::Offered, SrtpPolicy::Required];

fn run(policy: SrtpPolicy, weather: Weather, caller: CallerPlan, callee: CalleePlan) -> World {
    let mut config = sim::config();
    config.trunks[0].srtp = policy;
    let mut world = with_order(World::new(config, weather, 3));
    world.callee(CLIENT, callee);
    world.caller(seconds(0), caller);
    world.run_until_quiet();
    world.assert_clean();
    world
}

fn calling(voice: Voice) -> CallerPlan {
    let plan = CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp);
    CallerPlan { voice, ..plan }
}

fn answering(voice: Voice) -> CalleePlan {
    CalleePlan { voice, ..CalleePlan::new(Reaction::Answer(seconds(2))) }
}

fn record(world: &World) -> &Record {
    assert_eq!(world.audit.records.len(), 1);
    &world.audit.records[0]
}

fn outcome(world: &World) -> (Side, Cause) {
    let outcome = record(world).outcome.expect("a record has its outcome");
    (outcome.side, outcome.cause)
}

fn encrypted(world: &World) -> [bool; 2] {
    let record = record(world);
    [&record.caller_media, &record.callee_media].map(|media| media.is_some_and(|media| media.srtp.is_some()))
}

/// What of a message's lines one side was sent.
fn told(world: &World, peer: &str, start: &str) -> Vec<String> {
    let messages = world.received.get(&peer.parse().expect("an address")).into_iter().flatten();
    let lines = messages.flat_map(|bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>()
    });
    lines.collect()
}

#[test]
fn each_caller_is_answered_as_the_policy_says() {
    // Whether the call is answered, and encrypted; where SRTP is off, offered, required.
    let table = [
        (Voice::Plain, [Some(false), Some(false), None]),
        (Voice::Beside, [Some(false), Some(true), Some(true)]),
        (Voice::Encrypted, [None, Some(true), Some(true)]),
        (Voice::Unusable, [None, None, None]),
    ];
    for (voice, expected) in table {
        for (policy, expected) in POLICIES.into_iter().zip(expected) {
            let world = run(policy, Weather::FAIR, calling(voice), answering(Voice::Beside));
            let Some(is_encrypted) = expected else {
                assert_eq!(outcome(&world), (Side::Us, Cause::NotAcceptable), "{voice:?} {policy:?}");
                assert_eq!(world.statuses(), [Some(488)], "{voice:?} {policy:?}");
                continue;
            };
            assert_eq!(outcome(&world), (Side::Caller, Cause::HungUp), "{voice:?} {policy:?}");
            assert_eq!(encrypted(&world), [is_encrypted, policy != SrtpPolicy::Off], "{voice:?} {policy:?}");
            assert_eq!(world.bridges(), 1);
        }
    }
}

#[test]
fn a_caller_who_leaves_the_offer_to_us_is_held_to_the_policy_too() {
    let table = [
        (Voice::Plain, [Some(false), Some(false), None]),
        (Voice::Beside, [Some(false), Some(true), Some(true)]),
        (Voice::Encrypted, [None, Some(true), Some(true)]),
        (Voice::Unusable, [None, None, None]),
    ];
    for (voice, expected) in table {
        for (policy, expected) in POLICIES.into_iter().zip(expected) {
            let caller = CallerPlan { offers: false, ..calling(voice) };
            let world = run(policy, Weather::FAIR, caller, answering(Voice::Beside));
            let Some(is_encrypted) = expected else {
                assert_eq!(outcome(&world), (Side::Us, Cause::NotAcceptable), "{voice:?} {policy:?}");
                assert_eq!((encrypted(&world), world.bridges()), ([false; 2], 0));
                continue;
            };
            assert_eq!(encrypted(&world)[0], is_encrypted, "{voice:?} {policy:?}");
            assert_eq!(world.bridges(), 1);
        }
    }
}

#[test]
fn each_callee_is_offered_what_the_policy_says_and_nothing_less_is_taken() {
    let table = [
        (Voice::Plain, [Some(false), Some(false), None]),
        (Voice::Beside, [Some(false), Some(true), Some(true)]),
        (Voice::Encrypted, [None, Some(true), Some(true)]),
        (Voice::Unusable, [None, None, None]),
    ];
    for (voice, expected) in table {
        for (policy, expected) in POLICIES.into_iter().zip(expected) {
            let caller = calling(if policy == SrtpPolicy::Off { Voice::Plain } else { Voice::Encrypted });
            let world = run(policy, Weather::FAIR, caller, answering(voice));
            let offered = told(&world, CALLEES, "m=audio");
            let transport = if policy == SrtpPolicy::Required { "RTP/SAVP" } else { "RTP/AVP" };
            assert!(offered[0].contains(&format!(" {transport} ")), "{offered:?}");
            assert_eq!(told(&world, CALLEES, "a=crypto").is_empty(), policy == SrtpPolicy::Off);
            match expected {
                Some(is_encrypted) => {
                    assert_eq!(encrypted(&world)[1], is_encrypted, "{voice:?} {policy:?}");
                    assert_eq!(outcome(&world), (Side::Caller, Cause::HungUp));
                }
                None => {
                    assert_eq!(outcome(&world), (Side::Callee, Cause::NotAcceptable), "{voice:?} {policy:?}");
                    assert_eq!(world.bridges(), 0);
                    assert!(!told(&world, CALLEES, "BYE ").is_empty(), "the leg was ended");
                }
            }
        }
    }
}

#[test]
fn a_leg_that_was_encrypted_is_never_again_in_the_clear() {
    let back = |plan: CallerPlan| plan.doing(seconds(30), Act::ReinviteInTheClear);
    for voice in [Voice::Beside, Voice::Encrypted] {
        for policy in [SrtpPolicy::Offered, SrtpPolicy::Required] {
            let callee = answering(voice).doing(seconds(20), Act::ReinviteInTheClear);
            let world = run(policy, Weather::FAIR, back(calling(voice)), callee);
            for peer in [CALLERS, CALLEES] {
                assert_eq!(told(&world, peer, "SIP/2.0 488").len(), 1, "{peer} {voice:?} {policy:?}");
            }
            assert_eq!(encrypted(&world), [true; 2]);
            assert_eq!(outcome(&world), (Side::Caller, Cause::HungUp), "the call goes on");
        }
    }
    // One that was not may stay so, or become so.
    let plain = run(SrtpPolicy::Offered, Weather::FAIR, back(calling(Voice::Plain)), answering(Voice::Plain));
    assert_eq!((told(&plain, CALLERS, "SIP/2.0 488").len(), encrypted(&plain)), (0, [false; 2]));
}

#[test]
fn a_session_refreshed_or_held_keeps_its_keys() {
    for act in [Act::Reinvite, Act::Hold, Act::ReinviteLate, Act::Update] {
        let caller = calling(Voice::Encrypted).doing(seconds(30), act);
        let world = run(SrtpPolicy::Required, Weather::FAIR, caller, answering(Voice::Encrypted));
        let mut keys = told(&world, CALLERS, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:");
        assert!(keys.len() > 1, "{act:?}");
        keys.dedup();
        assert_eq!(keys.len(), 1, "{act:?}");
        assert_eq!(encrypted(&world), [true; 2], "{act:?}");
    }
}

#[test]
fn no_key_of_one_leg_is_told_to_the_other_nor_in_any_record_or_event() {
    let acts = [Act::Reinvite, Act::Hold, Act::ReinviteLate, Act::Update, Act::ReinviteInTheClear];
    for policy in [SrtpPolicy::Offered, SrtpPolicy::Required] {
        for act in acts {
            let caller = calling(Voice::Encrypted).doing(seconds(30), act);
            let callee = answering(Voice::Encrypted).doing(seconds(20), act);
            let world = run(policy, Weather::FOUL, caller, callee);
            let keys = |peer| told(&world, peer, "a=crypto:");
            let key = |line: &String| line.split("inline:").nth(1).expect("a key").to_owned();
            let (ours, others): (Vec<_>, Vec<_>) =
                (keys(CALLERS).iter().map(key).collect(), keys(CALLEES).iter().map(key).collect());
            assert!(!ours.is_empty() && !others.is_empty());
            assert!(ours.iter().all(|key| !others.contains(key)), "a key of both legs");
            for key in ours.iter().chain(&others) {
                assert!(!key.contains("canary"), "a phone's own key came back: {key}");
            }
            let kept = format!("{:?}{:?}", world.audit.records, world.board);
            for key in
                ours.iter().chain(&others).map(String::as_str).chain(["canarycallerca", "canarycalleeca"])
            {
                assert!(!kept.contains(key), "{key} shows itself");
            }
        }
    }
}
