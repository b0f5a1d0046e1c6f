//! Key presses, whoever sends them and however.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::{Codec, Command, Event, Header, telephone_event};

use crate::world::{
    CALLEE, CALLER, EVENTS, Phone, Sent, World, assert_one_stream, caller_address, media, milliseconds,
};

const VECTORS: &str = include_str!("../vectors/telephone_events.txt");

/// The packets of one recorded press, with their times in microseconds.
fn recorded(key: char) -> Vec<(u64, Vec<u8>)> {
    let lines = VECTORS.lines().filter(|line| line.starts_with(key));
    let parse = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        let octet = |place: usize| u8::from_str_radix(&fields[2][place..place + 2], 16).unwrap();
        (fields[1].parse().unwrap(), (0..fields[2].len()).step_by(2).map(octet).collect())
    };
    lines.map(parse).collect()
}

#[test]
fn recorded_presses_in_one_call_are_each_one_digit() {
    let keys = "4242112233#*0567894444";
    for pause in [60, 200, 1000] {
        let mut world = World::with_call(Codec::Pcma);
        let mut caller = Phone::caller();
        for key in keys.chars() {
            let start = world.wire.now;
            for (microseconds, bytes) in recorded(key) {
                world.run_until(start + std::time::Duration::from_micros(microseconds));
                world.packet(CALLER, caller_address(), &bytes);
            }
            caller.talk(&mut world, pause / 20);
        }
        assert_eq!(world.digits(CALLER), keys, "{pause} ms between them");
    }
}

#[test]
fn a_press_is_told_at_its_first_packet_whatever_plays() {
    let mut world = World::with_call(Codec::Pcma);
    world.play(CALLER, &[9], false);
    world.run(100);
    Phone::caller().press(&mut world, 11, 10);
    let (when, _) = world.wire.reports[0];
    assert_eq!(when, milliseconds(100));
    assert_eq!(world.digits(CALLER), "#");
}

#[test]
fn other_events_and_events_that_were_not_agreed_are_no_digits() {
    let mut world = World::with_call(Codec::Pcma);
    let mut caller = Phone::caller();
    for code in [16, 17, 32, 66, 255] {
        caller.press(&mut world, code, 5);
    }
    let mut agreed = media(caller_address(), Codec::Pcma);
    agreed.format.event_receive = None;
    world.command(Command::Update { session: CALLER, media: agreed });
    caller.press(&mut world, 5, 5);
    assert_eq!(world.digits(CALLER), "");
}

#[test]
fn a_press_from_elsewhere_is_no_digit() {
    let mut world = World::with_call(Codec::Pcma);
    let mut stranger = Phone { address: "192.0.2.66:40000".parse().unwrap(), ..Phone::caller() };
    stranger.press(&mut world, 5, 5);
    assert_eq!(world.digits(CALLER), "");
    assert_eq!(world.close(CALLER).foreign, 7);
}

/// The event packets among those sent.
pub(crate) fn events(sent: &[Sent]) -> Vec<(Header, Event)> {
    let events = sent.iter().filter(|sent| sent.header().payload_type == EVENTS);
    events.map(|sent| (sent.header(), sent.event())).collect()
}

#[test]
fn bridged_a_press_goes_on_as_one_of_our_own() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 10);
    // Audio goes on between the packets of the event, and carries the tone.
    let event_start = caller.header.timestamp;
    for n in 1..=12u16 {
        let audio = caller.header;
        caller.header = Header { payload_type: EVENTS, timestamp: event_start, marker: n == 1, ..audio };
        let event = Event { code: 5, end: n > 9, volume: 3, duration: 320 * n.min(10) };
        caller.send(&mut world, &event.write());
        caller.header = Header { sequence: caller.header.sequence, ..audio };
        caller.speak(&mut world, 160, 5000);
        world.run(20);
    }
    caller.talk(&mut world, 20);
    assert_eq!(world.digits(CALLER), "5");
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let events = events(&sent);
    let (first, _) = events[0];
    assert!(first.marker && events[1..].iter().all(|(header, _)| !header.marker));
    assert!(events.iter().all(|(header, event)| header.timestamp == first.timestamp && event.code == 5));
    assert!(events.iter().all(|(_, event)| event.volume == 10), "nothing of theirs is left");
    let ends: Vec<_> = events.iter().filter(|(_, event)| event.end).collect();
    assert_eq!(ends.len(), 3);
    let duration = ends[0].1.duration;
    assert!(ends.iter().all(|(_, event)| event.duration == duration));
    // As long as theirs, to a packet.
    assert!(duration.abs_diff(9 * 160) <= 160, "{duration}");
    // What is heard next lies behind the event, and no audio came within it.
    let place = |wanted: &Header| sent.iter().position(|sent| sent.header() == *wanted).unwrap();
    let last = events.last().unwrap().0;
    assert_eq!(place(&last) - place(&first) + 1, events.len());
    let next = sent[place(&last) + 1].header();
    assert!(next.marker);
    assert!(next.timestamp.wrapping_sub(first.timestamp) >= u32::from(duration));
}

#[test]
fn while_a_prompt_waits_for_them_digits_are_told_and_not_sent() {
    let mut world = World::bridged(Codec::Pcma);
    world.play(CALLER, &[9], false);
    Phone::caller().press(&mut world, 5, 10);
    assert_eq!(world.digits(CALLER), "5");
    assert_eq!(world.take_sent(CALLEE), []);
    // What plays to the other side is not broken either.
    world.command(Command::Stop { session: CALLER });
    world.play(CALLEE, &[9], false);
    Phone::caller().press(&mut world, 6, 10);
    assert_eq!(world.digits(CALLER), "56");
    let sent = world.take_sent(CALLEE);
    assert!(!sent.is_empty() && events(&sent).is_empty());
}

#[test]
fn a_prompt_that_begins_during_a_press_ends_it_first() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.header.payload_type = EVENTS;
    caller.send(&mut world, &Event { code: 5, end: false, volume: 10, duration: 160 }.write());
    world.run(50);
    world.play(CALLEE, &[1], false);
    world.run(200);
    let sent = world.take_sent(CALLEE);
    assert_one_stream(&sent);
    let events = events(&sent);
    assert_eq!(events.iter().filter(|(_, event)| event.end).count(), 1);
    assert_eq!(sent.len(), events.len() + 5);
}

#[test]
fn a_press_whose_end_is_lost_ends_by_itself() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.header.payload_type = EVENTS;
    caller.send(&mut world, &Event { code: 5, end: false, volume: 10, duration: 160 }.write());
    world.run(1000);
    let sent = world.take_sent(CALLEE);
    let events = events(&sent);
    assert_eq!(events.iter().filter(|(_, event)| event.end).count(), 3);
    assert!(events.last().unwrap().1.duration <= 1600);
}

/// How a sender of key presses departs from the book.
#[derive(Debug, Clone, Copy, Default)]
struct Manner {
    /// Timestamps between the presses: `None` as time passes.
    apart: Option<u32>,
    /// Durations count in so many units for each that passes.
    units: u16,
    first_is_zero: bool,
    moving_timestamp: bool,
    ends_share_sequence: bool,
    marker: bool,
    audio_between: bool,
    no_gap: bool,
    own_stream: bool,
    packet_time: u64,
}

const BOOK: Manner = Manner {
    apart: None,
    units: 1,
    first_is_zero: false,
    moving_timestamp: false,
    ends_share_sequence: false,
    marker: true,
    audio_between: false,
    no_gap: false,
    own_stream: false,
    packet_time: 20,
};

/// What happens to packets on their way.
#[derive(Debug, Clone, Copy)]
struct Way {
    lost_percent: u32,
    doubled_percent: u32,
    swapped_percent: u32,
}

struct Keypad {
    manner: Manner,
    random: ChaCha8Rng,
    sequence: u16,
    timestamp: u32,
}

impl Keypad {
    fn below(&mut self, limit: u32) -> u32 {
        self.random.next_u32() % limit
    }

    /// The packets of one press: when after its beginning, and what. And how long it took.
    fn press(&mut self, code: u8) -> (Vec<(u64, Vec<u8>)>, u64) {
        let Manner { units, packet_time, .. } = self.manner;
        let packets = (3 + self.below(10)) as u16;
        let samples = 8 * packet_time as u16;
        let start = self.timestamp;
        let mut sent = Vec::new();
        let mut time = 0;
        for n in 0..packets + 2 {
            let end = n + 1 >= packets;
            let elapsed = (n + 1).min(packets) - u16::from(self.manner.first_is_zero);
            let event = Event { code, end, volume: 10, duration: samples * elapsed * units };
            let moved =
                if self.manner.moving_timestamp { u32::from(samples * n.min(packets - 1)) } else { 0 };
            let header = Header {
                marker: n == 0 && self.manner.marker,
                payload_type: EVENTS,
                sequence: self.sequence,
                timestamp: start.wrapping_add(moved),
                ssrc: if self.manner.own_stream { 0x0E05 } else { 0xCA11_E500 },
            };
            sent.push((time, [&header.write()[..], &event.write()].concat()));
            if !(end && self.manner.ends_share_sequence) {
                self.sequence = self.sequence.wrapping_add(1);
            }
            if self.manner.audio_between {
                let audio = Header { marker: false, payload_type: 8, sequence: self.sequence, ..header };
                sent.push((time, [&audio.write()[..], &[0xD5; 160]].concat()));
                self.sequence = self.sequence.wrapping_add(1);
            }
            time += if end && self.manner.ends_share_sequence { 1 } else { packet_time };
        }
        self.sequence = self.sequence.wrapping_add(u16::from(self.manner.ends_share_sequence));
        let gap = if self.manner.no_gap { 0 } else { u64::from(60 + self.below(200)) };
        let passed = time + gap;
        self.timestamp = start.wrapping_add(self.manner.apart.unwrap_or(8 * passed as u32));
        (sent, passed)
    }
}

/// Sends presses of random keys and counts: how many were told wrong, twice, not at all.
fn over(way: Way, manner: Manner, presses: usize, seed: u64) -> (usize, usize, usize) {
    let random = ChaCha8Rng::seed_from_u64(seed);
    let mut keypad = Keypad { manner, random, sequence: 65_000, timestamp: u32::MAX - 90_000 };
    let mut world = World::with_call(Codec::Pcma);
    let (mut wrong, mut twice, mut missed) = (0, 0, 0);
    let mut before = None;
    for _ in 0..presses {
        // Half of all presses are of the key pressed before: the hard ones.
        let code = before.filter(|_| keypad.below(2) == 0).unwrap_or_else(|| keypad.below(16) as u8);
        before = Some(code);
        let start = world.wire.now;
        let (mut packets, passed) = keypad.press(code);
        for place in 1..packets.len() {
            if keypad.below(100) < way.swapped_percent {
                let (one, other) = packets.split_at_mut(place);
                std::mem::swap(&mut one[place - 1].1, &mut other[0].1);
            }
        }
        for (time, bytes) in &packets {
            world.run_until(start + std::time::Duration::from_millis(*time));
            let copies = 1 + u32::from(keypad.below(100) < way.doubled_percent);
            for _ in 0..copies {
                if keypad.below(100) >= way.lost_percent {
                    world.packet(CALLER, caller_address(), bytes);
                }
            }
        }
        world.run_until(start + std::time::Duration::from_millis(passed));
        let told = world.digits(CALLER);
        world.wire.reports.clear();
        world.wire.controls.clear();
        match told.chars().collect::<Vec<_>>()[..] {
            [] => missed += 1,
            [key] if telephone_event::key(code) == Some(key) => {}
            [_] => wrong += 1,
            [_, ..] => twice += 1,
        }
    }
    (wrong, twice, missed)
}

const LOSSY: Way = Way { lost_percent: 5, doubled_percent: 0, swapped_percent: 0 };
const DISORDERLY: Way = Way { lost_percent: 2, doubled_percent: 3, swapped_percent: 3 };

fn manners() -> Vec<(&'static str, Manner)> {
    vec![
        ("by the book", BOOK),
        ("30 ms packets", Manner { packet_time: 30, ..BOOK }),
        ("no marker", Manner { marker: false, ..BOOK }),
        ("audio between", Manner { audio_between: true, ..BOOK }),
        ("no gap between presses", Manner { no_gap: true, ..BOOK }),
        ("no gap, no marker", Manner { no_gap: true, marker: false, ..BOOK }),
        ("first zero", Manner { first_is_zero: true, ..BOOK }),
        (
            "other units, own stream, shared ends",
            Manner { units: 2, own_stream: true, first_is_zero: true, ends_share_sequence: true, ..BOOK },
        ),
        ("timestamps 400 apart", Manner { apart: Some(400), first_is_zero: true, own_stream: true, ..BOOK }),
        ("moving timestamp", Manner { moving_timestamp: true, ..BOOK }),
    ]
}

#[test]
fn ten_thousand_digits_of_each_manner_over_a_lossy_way() {
    for (seed, (name, manner)) in (1..).zip(manners()) {
        let (wrong, twice, missed) = over(LOSSY, manner, 10_000, seed);
        assert_eq!((wrong, twice), (0, 0), "{name}");
        assert!(missed < 10, "{name}: {missed} missed");
    }
}

#[test]
fn ten_thousand_digits_of_each_manner_over_a_disorderly_way() {
    for (seed, (name, manner)) in (100..).zip(manners()) {
        let (wrong, twice, missed) = over(DISORDERLY, manner, 10_000, seed);
        assert_eq!((wrong, twice), (0, 0), "{name}");
        assert!(missed < 10, "{name}: {missed} missed");
    }
}
