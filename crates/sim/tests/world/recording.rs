//! Pausing a recording.

use std::time::Duration;

use b2bua::{Happening, Record, Recording};
use sim::{Act, CalleePlan, CallerPlan, Reaction, World};

use crate::worlds::{CLIENT, COURIER, LINE, seconds, with_order, world};

/// A call that just came to the point where both talk; the caller hangs up after a minute.
fn talking() -> World {
    let mut world = with_order(world());
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(5))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    while world.bridges() == 0 {
        world.run_until(world.inputs() + 1);
    }
    world
}

fn record(world: &World) -> &Record {
    world.audit.records.first().expect("the call has its record")
}

/// The pauses that were told of: `true` for one that began.
fn told(world: &World) -> Vec<bool> {
    let happened = world.audit.happened.iter();
    happened
        .filter(|what| matches!(what, Happening::RecordingPaused | Happening::RecordingResumed))
        .map(|what| *what == Happening::RecordingPaused)
        .collect()
}

#[test]
fn a_pause_lasts_until_it_is_ended_and_the_record_counts_it() {
    let mut world = talking();
    assert_eq!(world.pause_recording(true), Some(Recording::Paused));
    assert_eq!(world.pause_recording(true), Some(Recording::Paused), "it is so already");
    world.run_until_quiet();
    world.assert_clean();
    let record = record(&world);
    assert_eq!(record.recording_paused, record.talked_for());
    assert!(record.recording_paused > seconds(30) && record.recording.is_some());
    assert_eq!(told(&world), [true]);
}

#[test]
fn a_resumed_recording_goes_on() {
    let mut world = talking();
    assert_eq!(world.pause_recording(false), Some(Recording::Running), "it is so already");
    assert_eq!(world.pause_recording(true), Some(Recording::Paused));
    assert_eq!(world.pause_recording(false), Some(Recording::Running));
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(record(&world).recording_paused, Duration::ZERO, "no time passed");
    assert_eq!(told(&world), [true, false]);
    assert_eq!(world.pause_recording(true), None, "the call is over");
}

#[test]
fn what_is_not_recorded_cannot_be_paused() {
    let mut world = with_order(world());
    world.callee(CLIENT, CalleePlan::new(Reaction::Answer(seconds(5))));
    world.caller(seconds(0), CallerPlan::keying(COURIER, LINE, "12345").doing(seconds(60), Act::HangUp));
    while world.last_call().is_none() {
        world.run_until(world.inputs() + 1);
    }
    assert_eq!(world.pause_recording(true), Some(Recording::No), "nobody has answered yet");
    world.run_until_quiet();
    world.assert_clean();
    assert_eq!(told(&world), [] as [bool; 0]);
}
