//! Packets that go past the machine: that it offers so what it would send on unlooked at, and that nobody can tell by what
//! goes out, nor by what is counted, which way they went.

use std::time::Duration;

use clock::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::{Codec, Command, Direction, Event, Header, Packet, Progress, Shortcut, Statistics, shortcut};

use crate::world::{
    CALLEE, CALLER, EVENTS, Phone, Sent, World, assert_one_stream, callee_address, caller_address, media,
    payload_type, port,
};

/// Who takes a shortcut: what its documentation says, word for word.
struct Way {
    course: Shortcut,
    progress: Progress,
}

impl Way {
    fn new(course: Shortcut) -> Self {
        Self { course, progress: course.progress }
    }

    /// Sends a packet on, or leaves it to the machine.
    fn pass(&mut self, now: Instant, bytes: &[u8]) -> Option<Vec<u8>> {
        let Packet { header, payload } = Packet::parse(bytes).ok()?;
        let is_plain = bytes[0] == 0x80 && !payload.is_empty();
        if !is_plain || (header.payload_type, header.ssrc) != self.course.incoming {
            return None;
        }
        let factor = self.course.clock_rate.hertz() / 8000;
        let behind = (self.progress.highest as u16).wrapping_sub(header.sequence);
        let ahead = behind.wrapping_neg();
        let is_late = if (1..=shortcut::MAX_GAP).contains(&ahead) {
            let step = header.timestamp.wrapping_sub(self.progress.timestamp);
            let elapsed = ticks(Instant(now.since(self.progress.at)), factor);
            if step.cast_signed() <= 0 || step > elapsed + 8000 * factor {
                return None;
            }
            false
        } else {
            let (base, base_timestamp) = self.course.base;
            let kept = (self.progress.highest as u16).wrapping_sub(base);
            let within = self.progress.timestamp.wrapping_sub(base_timestamp);
            let has_place = header.sequence.wrapping_sub(base) < kept
                && header.timestamp.wrapping_sub(base_timestamp) <= within;
            if behind >= shortcut::MEMORY || !has_place || self.progress.seen & (1 << behind) != 0 {
                return None;
            }
            true
        };
        if self.progress.paid_until > now + Duration::from_secs(1) {
            return Some(Vec::new());
        }
        let progress = &mut self.progress;
        progress.paid_until = progress.paid_until.max(now) + Duration::from_micros(2500);
        let transit = ticks(now, factor).wrapping_sub(header.timestamp);
        let change = transit.wrapping_sub(progress.transit).cast_signed();
        progress.transit = transit;
        if change.unsigned_abs() <= 8000 * factor {
            progress.jitter = progress.jitter + change.unsigned_abs() - ((progress.jitter + 8) >> 4);
        }
        progress.received += 1;
        progress.packets += 1;
        progress.octets += payload.len() as u64;
        if is_late {
            progress.seen |= 1 << behind;
        } else {
            progress.highest += u32::from(ahead);
            progress.seen = progress.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            progress.timestamp = header.timestamp;
            progress.length = payload.len() as u32;
            progress.begins = [bytes[payload.start], bytes.get(payload.start + 1).copied().unwrap_or(0)];
            progress.at = now;
        }
        let (payload_type, ssrc) = self.course.outgoing;
        let header = Header {
            marker: header.marker && !is_late,
            payload_type,
            sequence: header.sequence.wrapping_add(self.course.sequence_offset),
            timestamp: header.timestamp.wrapping_add(self.course.timestamp_offset),
            ssrc,
        };
        Some([&header.write()[..], &bytes[payload]].concat())
    }

    /// What passed since this was asked last.
    fn take(&mut self) -> Progress {
        let progress = self.progress;
        (self.progress.packets, self.progress.octets) = (0, 0);
        progress
    }
}

/// Timestamps, of which a codec has so many for each of 8000 a second.
fn ticks(at: Instant, factor: u32) -> u32 {
    ((at.0.as_micros() * 8 / 1000) as u32).wrapping_mul(factor)
}

/// Both phones have spoken for so many packets.
fn talking(callee: Codec, packets: usize) -> (World, Phone, Phone) {
    let mut world = World::bridged(callee);
    let (mut one, mut other) = (Phone::caller(), Phone::callee(callee));
    for _ in 0..packets {
        one.speak(&mut world, 160, 5000);
        other.speak(&mut world, 160, 5000);
        world.run(20);
    }
    (world, one, other)
}

#[test]
fn a_second_of_plain_voice_is_offered_a_shortcut() {
    let (mut world, mut one, mut other) = talking(Codec::Pcma, 49);
    assert_eq!(world.wire.shortcuts, []);
    one.speak(&mut world, 160, 5000);
    other.speak(&mut world, 160, 5000);
    let [shortcut, back] = world.wire.shortcuts[..] else { panic!("{:?}", world.wire.shortcuts) };
    assert_eq!((shortcut.from, shortcut.source), (port(CALLER), caller_address()));
    assert_eq!((shortcut.to, shortcut.destination), (port(CALLEE), callee_address()));
    assert_eq!(shortcut.incoming, (8, 0xCA11_E500));
    assert_eq!(shortcut.progress.highest, 5049);
    let last = world.take_sent(CALLEE).last().unwrap().header();
    assert_eq!(shortcut.outgoing, (last.payload_type, last.ssrc));
    assert_eq!(5049_u16.wrapping_add(shortcut.sequence_offset), last.sequence);
    assert_eq!(shortcut.progress.timestamp.wrapping_add(shortcut.timestamp_offset), last.timestamp);
    assert_eq!((back.from, back.to), (shortcut.to, shortcut.from));
}

#[test]
fn nobody_need_take_it_and_it_is_offered_again_and_ever_less_often() {
    let (mut world, mut one, _) = talking(Codec::Pcma, 50);
    world.wire.shortcuts.clear();
    one.talk(&mut world, 50);
    assert_eq!(world.wire.shortcuts.len(), 1, "at 100");
    one.talk(&mut world, 99);
    assert_eq!(world.wire.shortcuts.len(), 1);
    one.talk(&mut world, 1);
    assert_eq!(world.wire.shortcuts.len(), 2, "at 200");
    one.talk(&mut world, 12_000 - 200);
    assert_eq!(world.wire.shortcuts.len(), 2 + 6, "at 400, 800, 1600, 3200, 6200 and 9200");
}

#[test]
fn what_needs_a_look_is_offered_none() {
    let offered = |callee: Codec, change: &dyn Fn(&mut World)| {
        let mut world = World::bridged(callee);
        change(&mut world);
        let (mut one, mut other) = (Phone::caller(), Phone::callee(callee));
        for _ in 0..200 {
            one.speak(&mut world, 160, 5000);
            other.speak(&mut world, 160, 5000);
            world.run(20);
        }
        let mut from: Vec<_> = world.wire.shortcuts.iter().map(|shortcut| shortcut.from).collect();
        from.dedup();
        from.sort_unstable();
        from.dedup();
        from
    };
    assert_eq!(offered(Codec::Pcma, &|_| {}), [port(CALLER), port(CALLEE)]);
    assert_eq!(offered(Codec::Pcmu, &|_| {}), [], "two laws");
    let recorded = |world: &mut World| {
        world.command(Command::Record { session: CALLER, name: "call.wav".into() });
    };
    assert_eq!(offered(Codec::Pcma, &recorded), []);
    assert_eq!(offered(Codec::Pcma, &|world| world.play(CALLEE, &[1], true)), [port(CALLEE)]);
    let without_events = |world: &mut World| {
        let mut media = media(caller_address(), Codec::Pcma);
        media.format.event_receive = None;
        world.command(Command::Update { session: CALLER, media });
    };
    assert_eq!(offered(Codec::Pcma, &without_events), [port(CALLEE)], "tones may be in it");
    let asking = |world: &mut World| {
        let media = rtp::Media { xr: true, ..media(caller_address(), Codec::Pcma) };
        world.command(Command::Update { session: CALLER, media });
    };
    assert_eq!(offered(Codec::Pcma, &asking), [port(CALLEE)], "each packet counts for bursts");
    let held = |world: &mut World| {
        let mut media = media(caller_address(), Codec::Pcma);
        media.direction = Direction::SendOnly;
        world.command(Command::Update { session: CALLER, media });
    };
    assert_eq!(offered(Codec::Pcma, &held), [port(CALLEE)]);
}

#[test]
fn whoever_never_spoke_has_no_certain_address_to_send_to() {
    let mut world = World::bridged(Codec::Pcma);
    Phone::caller().talk(&mut world, 500);
    assert_eq!(world.wire.shortcuts, []);
}

#[test]
fn a_key_comes_after_what_went_by_the_shortcut_and_is_settled_again_after_a_second() {
    let (mut world, mut one, _) = talking(Codec::Pcma, 50);
    let mut way = Way::new(world.wire.shortcuts[0]);
    world.wire.shortcuts.clear();
    let mut sent = world.take_sent(CALLEE);
    for _ in 0..100 {
        let bytes = [&one.header.write()[..], &[0xD5; 160]].concat();
        let bytes = way.pass(world.wire.now, &bytes).unwrap();
        sent.push(Sent { at: world.wire.now, port: port(CALLEE), to: callee_address(), bytes });
        one.header.sequence = one.header.sequence.wrapping_add(1);
        one.header.timestamp += 160;
        world.run(20);
    }
    world.worker.progress(port(CALLER), &way.take());
    one.press(&mut world, 5, 4);
    one.talk(&mut world, 49);
    assert_eq!(world.wire.shortcuts, []);
    one.talk(&mut world, 2);
    assert_eq!(world.wire.shortcuts.len(), 1);
    sent.extend(world.take_sent(CALLEE));
    assert_one_stream(&sent);
    assert_eq!(world.digits(CALLER), "5");
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.lost), (50 + 100 + 6 + 51, 0));
}

#[test]
fn silence_is_told_from_the_last_packet_that_took_the_shortcut() {
    let (mut world, one, _) = talking(Codec::Pcma, 50);
    let mut way = Way::new(world.wire.shortcuts[0]);
    world.run(20_000);
    let bytes = [&one.header.write()[..], &[0xD5; 160]].concat();
    assert!(way.pass(world.wire.now, &bytes).is_some());
    world.worker.progress(port(CALLER), &way.take());
    world.run(20_000);
    let silent = |world: &World| {
        let of =
            |report: &rtp::Report| matches!(report, rtp::Report::Silent { session } if *session == CALLER);
        world.wire.reports.iter().any(|(_, report)| of(report))
    };
    assert!(!silent(&world));
    world.run(11_000);
    assert!(silent(&world));
}

/// What a network makes of a talk of half a minute: when each packet comes, and which. Most are plain.
fn network(seed: u64, codec: Codec) -> Vec<(Duration, Vec<u8>)> {
    let length = 160 * codec.clock_rate().hertz() / 8000;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: u32| random.next_u32() % limit;
    let mut stream = Header {
        sequence: u16::MAX - below(400) as u16,
        timestamp: u32::MAX - below(80_000),
        payload_type: payload_type(codec),
        ..Phone::caller().header
    };
    let mut packets = Vec::new();
    for n in 0..1500_u32 {
        let mut at = n * 20_000 + below(3_000);
        if below(30) == 0 {
            at += 20_000 * (1 + below(5));
        }
        let mut header = Header { marker: below(50) == 0, ..stream };
        // 20 ms of anything: G.711, G.722, or by its first octet Opus (RFC 6716 §3.1).
        let mut payload = vec![n as u8; 160];
        payload[0] = 15 << 3;
        let kind = below(400);
        match kind {
            0 => header.ssrc ^= 1,
            1 => header.payload_type = 0,
            2 => {
                header.payload_type = EVENTS;
                payload = Event { code: 5, end: true, volume: 10, duration: 160 }.write().to_vec();
            }
            3 => header.payload_type = 13,
            4 => stream.timestamp = stream.timestamp.wrapping_add(below(100_000)),
            5 => header.sequence = header.sequence.wrapping_add(below(40_000) as u16),
            6 => payload = Vec::new(),
            _ => {}
        }
        let mut bytes = [&header.write()[..], &payload].concat();
        match kind {
            7 => bytes[0] = 0xA0,
            8 => bytes.truncate(7),
            9 => bytes[0] = 0x90,
            _ => {}
        }
        if below(25) != 0 {
            packets.push((at, bytes.clone()));
        }
        if below(60) == 0 {
            packets.push((at + below(50_000), bytes));
        }
        let skipped = if below(300) == 0 { below(120) } else { 0 };
        stream.sequence = stream.sequence.wrapping_add(1 + skipped as u16);
        stream.timestamp = stream.timestamp.wrapping_add(length * (1 + skipped));
    }
    packets.sort_by_key(|(at, _)| *at);
    packets.into_iter().map(|(at, bytes)| (Duration::from_micros(at.into()), bytes)).collect()
}

/// All that the callee is sent, what is counted, how often a shortcut was taken and how many packets passed it.
fn carried(
    packets: &[(Duration, Vec<u8>)],
    codec: Codec,
    takes: bool,
) -> (Vec<Sent>, Statistics, usize, u64) {
    let mut world = World::new();
    for (session, address) in [(CALLER, caller_address()), (CALLEE, callee_address())] {
        let mut media = media(address, codec);
        if codec.law().is_none() {
            media.format.receive = [Some(media.format.send), None, None, None];
        }
        world.open(session, media);
    }
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    let header = Header { payload_type: payload_type(codec), ..Phone::caller().header };
    world.packet(CALLEE, callee_address(), &[&header.write()[..], &[15 << 3; 160]].concat());
    let mut way: Option<Way> = None;
    let (mut taken, mut passed) = (0, 0);
    for (n, (at, bytes)) in packets.iter().enumerate() {
        world.run_until(Instant(*at));
        let now = world.wire.now;
        match way.as_mut().and_then(|way| way.pass(now, bytes)) {
            Some(bytes) if bytes.is_empty() => {}
            Some(bytes) => {
                passed += 1;
                world.wire.sent.push(Sent { at: now, port: port(CALLEE), to: callee_address(), bytes });
            }
            None => {
                if let Some(mut way) = way.take() {
                    world.worker.progress(port(CALLER), &way.take());
                }
                world.packet(CALLER, caller_address(), bytes);
            }
        }
        // As often as somebody might look, and while it goes on.
        if n % 40 == 0
            && let Some(way) = &mut way
        {
            world.worker.progress(port(CALLER), &way.take());
        }
        let offered = world.wire.shortcuts.drain(..).rfind(|shortcut| shortcut.from == port(CALLER));
        if let Some(shortcut) = offered.filter(|_| takes) {
            way = Some(Way::new(shortcut));
            taken += 1;
        }
    }
    if let Some(mut way) = way {
        world.worker.progress(port(CALLER), &way.take());
    }
    let sent = world.take_sent(CALLEE);
    (sent, world.close(CALLER), taken, passed)
}

#[test]
fn nobody_can_tell_which_way_packets_went() {
    let (mut taken, mut passed) = (0, 0);
    for seed in 0..200 {
        let codec = [Codec::Pcma, Codec::Pcma, Codec::G722, Codec::Opus][seed as usize % 4];
        let packets = network(seed, codec);
        let (by_us, counted_by_us, none, _) = carried(&packets, codec, false);
        let (sent, counted, times, past) = carried(&packets, codec, true);
        assert_eq!(none, 0);
        assert_eq!(sent.len(), by_us.len(), "seed {seed}");
        for (n, (one, other)) in sent.iter().zip(&by_us).enumerate() {
            assert_eq!(one, other, "seed {seed}, packet {n}");
        }
        assert_eq!(counted, counted_by_us, "seed {seed}");
        taken += times;
        passed += past;
        assert!(past > 0, "seed {seed}: none went past the machine");
    }
    assert!(taken > 400 && passed > 50_000, "{taken} shortcuts, {passed} packets");
}
