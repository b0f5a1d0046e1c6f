//! What is handed to whoever writes recordings.

use rtp::{Codec, Command, Law, Report, SessionId, g711};

use crate::world::{CALLEE, CALLER, Phone, Taped, World};

fn record(world: &mut World, session: SessionId, name: &str) {
    world.command(Command::Record { session, name: name.into() });
}

/// All that one session's recordings were told, samples joined.
fn tape(world: &World, of: SessionId) -> Vec<Taped> {
    let mut joined: Vec<Taped> = Vec::new();
    for (_, taped) in world.wire.taped.iter().filter(|(session, _)| *session == of) {
        match (joined.last_mut(), taped) {
            (Some(Taped::Samples(before)), Taped::Samples(more)) => before.extend(more),
            _ => joined.push(taped.clone()),
        }
    }
    joined
}

fn samples(world: &World, of: SessionId) -> Vec<[i16; 2]> {
    match &tape(world, of)[..] {
        [Taped::Begin(_), Taped::Samples(samples), Taped::End] => samples.clone(),
        other => panic!("{} parts", other.len()),
    }
}

#[test]
fn both_sides_are_on_one_clock_from_record_to_close() {
    let mut world = World::with_call(Codec::Pcmu);
    let (mut caller, mut callee) = (Phone::caller(), Phone::callee(Codec::Pcmu));
    caller.talk(&mut world, 10);
    record(&mut world, CALLER, "call.wav");
    caller.talk(&mut world, 50);
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    for _ in 0..50 {
        caller.speak(&mut world, 160, 5000);
        callee.speak(&mut world, 240, -3000);
        world.run(20);
        caller.speak(&mut world, 80, 5000);
        world.run(10);
    }
    world.run(500);
    let received = world.close(CALLER);
    assert_eq!(received.packets_received, 160);
    let samples = samples(&world, CALLER);
    // 1 s alone, 1.5 s together, 0.5 s of silence.
    assert_eq!(samples.len(), 24_000);
    let level = |law: Law, level| g711::decode(law, g711::encode(law, level));
    let left: Vec<_> = samples.iter().map(|pair| pair[0]).collect();
    let right: Vec<_> = samples.iter().map(|pair| pair[1]).collect();
    let loud = |channel: &[i16], expected: i16| {
        let first = channel.iter().position(|sample| *sample != 0).unwrap();
        let last = channel.iter().rposition(|sample| *sample != 0).unwrap();
        assert!(channel[first..=last].iter().all(|sample| *sample == expected));
        (first, last + 1)
    };
    assert_eq!(loud(&left, level(Law::A, 5000)).0, 0);
    assert!(loud(&left, level(Law::A, 5000)).1.abs_diff(20_000) < 400);
    let (start, end) = loud(&right, level(Law::Mu, -3000));
    assert!(start.abs_diff(8000) <= 240 && end.abs_diff(20_000) <= 480, "{start} {end}");
}

#[test]
fn chunks_come_while_the_call_goes_on() {
    let mut world = World::with_call(Codec::Pcma);
    record(&mut world, CALLER, "call.wav");
    world.run(1000);
    let so_far: usize = world
        .wire
        .taped
        .iter()
        .map(|(_, taped)| match taped {
            Taped::Samples(samples) => samples.len(),
            Taped::Begin(_) | Taped::End => 0,
        })
        .sum();
    assert!((4800..=6400).contains(&so_far), "{so_far}");
}

#[test]
fn prompts_are_not_recorded_and_an_overlay_does_not_hide_the_peer() {
    let mut world = World::bridged(Codec::Pcma);
    record(&mut world, CALLER, "call.wav");
    world.play(CALLER, &[9], true);
    Phone::callee(Codec::Pcma).talk(&mut world, 50);
    world.close(CALLER);
    let samples = samples(&world, CALLER);
    assert!(samples.iter().all(|pair| pair[0] == 0));
    assert!(samples.iter().filter(|pair| pair[1] != 0).count() >= 49 * 160);
}

#[test]
fn a_second_recording_ends_the_first() {
    let mut world = World::with_call(Codec::Pcma);
    record(&mut world, CALLER, "one.wav");
    world.run(1000);
    record(&mut world, CALLER, "two.wav");
    world.run(1000);
    world.close(CALLER);
    match &tape(&world, CALLER)[..] {
        [
            Taped::Begin(one),
            Taped::Samples(first),
            Taped::End,
            Taped::Begin(two),
            Taped::Samples(second),
            Taped::End,
        ] => {
            assert_eq!((&one[..], first.len()), ("one.wav", 8000));
            assert_eq!((&two[..], second.len()), ("two.wav", 8000));
        }
        other => panic!("{} parts", other.len()),
    }
}

#[test]
fn a_recording_of_nobody_is_told_to_have_failed() {
    let mut world = World::new();
    record(&mut world, CALLER, "call.wav");
    assert!(world.wire.taped.is_empty());
    assert!(
        matches!(&world.wire.reports[..], [(_, Report::Recorded { session: CALLER, fault: Some(_) })]),
        "{:?}",
        world.wire.reports
    );
}

#[test]
fn a_pause_is_silence_on_both_sides_and_what_follows_stays_where_it_was_said() {
    let mut world = World::with_call(Codec::Pcmu);
    let (mut caller, mut callee) = (Phone::caller(), Phone::callee(Codec::Pcmu));
    record(&mut world, CALLER, "call.wav");
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    let mut both = |world: &mut World, packets: usize| {
        for _ in 0..packets {
            caller.speak(world, 160, 5000);
            callee.speak(world, 160, -3000);
            world.run(20);
        }
    };
    both(&mut world, 50);
    for paused in [true, true] {
        world.command(Command::PauseRecording { session: CALLER, paused });
    }
    both(&mut world, 50);
    for paused in [false, false] {
        world.command(Command::PauseRecording { session: CALLER, paused });
    }
    both(&mut world, 50);
    let statistics = world.close(CALLER);
    assert_eq!(statistics.packets_received, 150, "the call knows of no pause");
    let samples = samples(&world, CALLER);
    assert_eq!(samples.len(), 24_000);
    for channel in 0..2 {
        let silent: Vec<usize> = (0..samples.len()).filter(|place| samples[*place][channel] == 0).collect();
        let (first, last) = (silent[0], silent[silent.len() - 1]);
        assert!(first.abs_diff(8_000) <= 160, "{first} on channel {channel}");
        assert_eq!((silent.len(), last), (last + 1 - first, 15_999), "one pause, to its very end");
    }
}

#[test]
fn what_was_said_in_a_pause_and_comes_late_is_not_recorded() {
    let mut world = World::with_call(Codec::Pcmu);
    let mut caller = Phone::caller();
    record(&mut world, CALLER, "call.wav");
    caller.talk(&mut world, 5);
    world.command(Command::PauseRecording { session: CALLER, paused: true });
    world.run(100);
    world.command(Command::PauseRecording { session: CALLER, paused: false });
    // Five packets at once, which the network had held up.
    for _ in 0..5 {
        caller.speak(&mut world, 160, 5000);
    }
    world.run(1_000);
    world.close(CALLER);
    let samples = samples(&world, CALLER);
    assert!(samples[..640].iter().any(|pair| pair[0] != 0));
    assert!(samples[800..].iter().all(|pair| pair[0] == 0), "it was said before the pause ended");
}
