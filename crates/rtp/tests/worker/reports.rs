//! RTCP, and what is known of a session at its end.

use std::time::Duration;

use rtp::{Codec, Command, Compound, Media, Remote, VoipMetrics, rtcp::ReportBlock};

use crate::world::{CALLEE, CALLER, Phone, Sent, World, caller_address, media, port};

fn of(world: &World, session: rtp::SessionId) -> Vec<&Sent> {
    world.wire.controls.iter().filter(|sent| sent.port == port(session)).collect()
}

/// Whether the octets hold an RTCP packet of this type, walking by lengths.
fn types(bytes: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    let mut rest = bytes;
    while let [_, kind, high, low, ..] = *rest {
        types.push(kind);
        rest = &rest[4 + 4 * usize::from(u16::from_be_bytes([high, low]))..];
    }
    types
}

#[test]
fn reports_are_spread_from_half_to_one_and_a_half_intervals() {
    let mut world = World::with_call(Codec::Pcma);
    world.run(600_000);
    let reports = of(&world, CALLER);
    assert!((100..145).contains(&reports.len()), "{}", reports.len());
    let pauses: Vec<Duration> = reports.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
    assert!(*least >= Duration::from_millis(2500) && *least < Duration::from_millis(3000), "{least:?}");
    assert!(*most <= Duration::from_millis(7500) && *most > Duration::from_millis(7000), "{most:?}");
    assert!(reports.iter().all(|sent| sent.to.port() == caller_address().port() + 1));
}

#[test]
fn each_side_is_told_of_its_own_stream_and_of_nothing_else() {
    let mut world = World::bridged(Codec::Pcma);
    let mut caller = Phone::caller();
    let mut callee = Phone::callee(Codec::Pcma);
    // Their own reports are full of names; none may come out anywhere.
    let mut talkative = vec![0x80, 201, 0, 1, 0xCA, 0x11, 0xE5, 0];
    talkative.extend_from_slice(&[0x81, 202, 0, 5, 0xCA, 0x11, 0xE5, 0, 1, 11]);
    talkative.extend_from_slice(b"CANARY@home\0\0\0");
    talkative.extend_from_slice(&[0x81, 203, 0, 3, 0xCA, 0x11, 0xE5, 0, 6]);
    talkative.extend_from_slice(b"CANARY\0");
    Compound::parse(&talkative).unwrap();
    for n in 0..1000 {
        if n % 10 == 9 {
            // A tenth of what the caller says is lost.
            caller.header.sequence = caller.header.sequence.wrapping_add(1);
            caller.header.timestamp = caller.header.timestamp.wrapping_add(160);
        } else {
            caller.speak(&mut world, 160, 5000);
        }
        callee.speak(&mut world, 160, 5000);
        if n % 100 == 0 {
            world.control(CALLER, "192.0.2.11:40001".parse().unwrap(), &talkative);
        }
        world.run(20);
    }
    for sent in &world.wire.controls {
        assert!(!sent.bytes.windows(3).any(|octets| octets == b"CAN"));
        let kinds = types(&sent.bytes);
        assert!(kinds == [200, 202] || kinds == [201, 202], "{kinds:?}");
    }
    let last = of(&world, CALLER).last().map(|sent| sent.bytes.clone()).unwrap();
    let compound = Compound::parse(&last).unwrap();
    let block = compound.blocks().next().unwrap();
    assert_eq!(block.ssrc, caller.header.ssrc);
    assert!((24..=27).contains(&block.fraction_lost), "{}", block.fraction_lost);
    let (ssrc, info) = compound.sender().unwrap();
    let ours = world.take_sent(CALLER).last().unwrap().header();
    assert_eq!(ssrc, ours.ssrc);
    assert!(info.packets > 700 && info.octets == 160 * info.packets);
    let names = |session| of(&world, session).iter().map(|sent| cname(&sent.bytes)).collect::<Vec<_>>();
    let (one, other) = (names(CALLER), names(CALLEE));
    assert!(one.iter().all(|name| *name == one[0]) && other.iter().all(|name| *name == other[0]));
    assert_ne!(one[0], other[0]);
}

/// The CNAME of ours in a compound packet.
fn cname(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.windows(2).position(|octets| octets == [1, 16]).unwrap();
    bytes[start + 2..start + 18].to_vec()
}

#[test]
fn a_session_that_ends_says_so_without_a_reason() {
    let mut world = World::with_call(Codec::Pcma);
    world.play(CALLER, &[1], false);
    world.run(100);
    world.close(CALLER);
    let reports = of(&world, CALLER);
    let last = &reports.last().unwrap().bytes;
    assert_eq!(types(last), [200, 202, 203]);
    assert_eq!(last[last.len() - 8..last.len() - 4], [0x81, 203, 0, 1]);
    world.close(CALLEE);
    assert_eq!(of(&world, CALLEE), Vec::<&Sent>::new(), "who said nothing takes no leave");
}

#[test]
fn at_its_end_a_session_says_what_passed() {
    let mut world = World::bridged(Codec::Pcmu);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 100);
    caller.header.sequence = caller.header.sequence.wrapping_add(25);
    caller.header.timestamp = caller.header.timestamp.wrapping_add(25 * 160);
    world.run(500);
    caller.talk(&mut world, 100);
    let first = world.take_sent(CALLEE)[0].header();
    let block = ReportBlock {
        ssrc: first.ssrc,
        fraction_lost: 0,
        lost: 45,
        highest: u32::from(first.sequence) + 224,
        jitter: 0,
        last_report: 0,
        delay: 0,
    };
    world.control(CALLEE, "192.0.2.12:50001".parse().unwrap(), &receiver_report(&block));
    let caller = world.close(CALLER);
    assert_eq!((caller.packets_received, caller.bytes_received, caller.lost), (200, 32_000, 25));
    assert_eq!((caller.packets_sent, caller.codec, caller.remote_loss), (0, Some(Codec::Pcma), None));
    assert_eq!(caller.jitter_ms, 0.0);
    let callee = world.close(CALLEE);
    assert_eq!((callee.packets_sent, callee.bytes_sent, callee.packets_received), (200, 32_000, 0));
    assert_eq!((callee.remote_loss, callee.codec), (Some(0.2), None));
}

fn receiver_report(block: &ReportBlock) -> Vec<u8> {
    let words = [
        0x81C9_0007,
        1,
        block.ssrc,
        block.lost.cast_unsigned(),
        block.highest,
        block.jitter,
        block.last_report,
        block.delay,
    ];
    words.into_iter().flat_map(u32::to_be_bytes).collect()
}

#[test]
fn the_round_trip_is_measured_by_their_answer_to_our_report() {
    let mut world = World::with_call(Codec::Pcma);
    world.play(CALLER, &[9], true);
    world.run(8000);
    let sent = of(&world, CALLER).last().map(|sent| (*sent).clone()).unwrap();
    let (ssrc, info) = Compound::parse(&sent.bytes).unwrap().sender().unwrap();
    // They kept it for as long as it was, but for 60 ms of way.
    world.run(500);
    let kept = world.wire.now.since(sent.at) - Duration::from_millis(60);
    let block = ReportBlock {
        ssrc,
        fraction_lost: 0,
        lost: 0,
        highest: 70_000,
        jitter: 0,
        last_report: (info.ntp >> 16) as u32,
        delay: (kept.as_secs_f64() * 65536.0) as u32,
    };
    world.control(CALLER, "192.0.2.11:40001".parse().unwrap(), &receiver_report(&block));
    let round_trip = world.close(CALLER).round_trip_ms.unwrap();
    assert!((round_trip - 60.0).abs() < 0.1, "{round_trip}");
}

#[test]
fn where_reports_share_the_port_both_kinds_come_and_go_by_it() {
    let mut world = World::new();
    let mut shared = media(caller_address(), Codec::Pcma);
    shared.remote = Some(Remote { rtp: caller_address(), rtcp: caller_address() });
    world.open(CALLER, shared);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 50);
    // A sender report, whose time our next report repeats, and a packet that only looks like one.
    let mut theirs = vec![0x80, 200, 0, 6, 0, 0, 0, 1, 0xAB, 0xCD, 0x12, 0x34, 0x56, 0x78, 0xEF, 0];
    theirs.extend_from_slice(&[0; 12]);
    world.packet(CALLER, caller_address(), &theirs);
    world.packet(CALLER, caller_address(), &[0x80, 200, 0]);
    world.run(8_000);
    assert!(world.wire.controls.is_empty());
    let report = world.wire.shared[0].clone();
    assert_eq!(report.to, caller_address());
    let compound = Compound::parse(&report.bytes).unwrap();
    assert_eq!(compound.blocks().next().unwrap().last_report, 0x1234_5678);
    // From elsewhere it is nobody's.
    world.packet(CALLER, "192.0.2.99:40000".parse().unwrap(), &theirs);
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.foreign), (50, 1));
    assert!(world.wire.controls.is_empty());
}

#[test]
fn what_comes_once_two_are_joined_is_counted_apart() {
    let mut world = World::with_call(Codec::Pcma);
    let mut caller = Phone::caller();
    caller.talk(&mut world, 7);
    world.command(Command::Bridge { first: CALLER, second: CALLEE });
    caller.talk(&mut world, 5);
    let statistics = world.close(CALLER);
    assert_eq!((statistics.packets_received, statistics.packets_while_joined), (12, 5));
    assert_eq!(world.close(CALLEE).packets_while_joined, 0);
}

/// What the session's reports say of how voice came in, the last of them.
fn metrics(world: &World) -> VoipMetrics {
    let last = of(world, CALLER).last().map(|sent| sent.bytes.clone()).expect("a report");
    assert_eq!(types(&last)[1..3], [202, 207], "behind report and name");
    Compound::parse(&last).unwrap().voip_metrics().next().expect("voice came in")
}

#[test]
fn whoever_asks_is_told_how_their_voice_comes_in() {
    let mut world = World::new();
    world.open(CALLER, Media { xr: true, ..media(caller_address(), Codec::Pcma) });
    let mut caller = Phone::caller();
    for n in 0..1000 {
        // Ten in a row are lost, and one by itself.
        if (500..510).contains(&n) || n == 700 {
            caller.header.sequence = caller.header.sequence.wrapping_add(1);
            caller.header.timestamp = caller.header.timestamp.wrapping_add(160);
        } else {
            caller.speak(&mut world, 160, 5000);
        }
        world.run(20);
    }
    world.close(CALLER);
    let said = metrics(&world);
    assert_eq!(said.ssrc, caller.header.ssrc);
    assert_eq!((said.loss, said.discard), (2, 0));
    assert_eq!((said.burst_density, said.burst_ms), (255, 200));
    assert_eq!((said.gap_density, said.gap_ms), (0, 990 * 20));
    assert_eq!((said.round_trip_ms, said.end_system_ms), (0, 0));
    // R = 93.2 - 95 * 1.1 / (1.1 + 4.3) = 73.8, less half a point for 20 ms.
    assert_eq!((said.rating, said.listening, said.conversing), (Some(73), Some(38), Some(38)));
    let last = of(&world, CALLER).last().map(|sent| types(&sent.bytes)).unwrap();
    assert_eq!(last.last(), Some(&203), "a farewell is the last word");
}

#[test]
fn whoever_does_not_ask_is_not_told() {
    let mut world = World::with_call(Codec::Pcma);
    Phone::caller().talk(&mut world, 1000);
    world.close(CALLER);
    let reports = of(&world, CALLER);
    assert!(!reports.is_empty() && reports.iter().all(|sent| !types(&sent.bytes).contains(&207)));
}

#[test]
fn what_they_say_of_our_voice_is_known_at_the_end() {
    let mut world = World::bridged(Codec::Pcma);
    Phone::callee(Codec::Pcma).talk(&mut world, 10);
    let ours = world.take_sent(CALLER)[0].header().ssrc.to_be_bytes();
    let block = |ssrc: &[u8], rating: u8| {
        let figures = [10, 20, 30, 2, 1, 0x2C, 3, 0xE8, 0, 50, 0, 60, 127, 127, 127, 16, rating, 127, 41, 39];
        [&[7, 0, 0, 8], ssrc, &figures, &[0; 8]].concat()
    };
    let report = |blocks: &[u8]| {
        let length = (1 + blocks.len() / 4) as u8;
        [&[0x80, 201, 0, 1, 1, 2, 3, 4, 0x80, 207, 0, length, 1, 2, 3, 4], blocks].concat()
    };
    // Blocks of other kinds before it, and of another's stream beside it; then one that is longer than there is.
    let others = [&[4, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0][..], &block(&[9; 4], 50), &block(&ours, 80)].concat();
    let cut = [&[7, 0, 0, 9][..], &block(&ours, 10)[4..]].concat();
    for blocks in [&others, &cut, &vec![7, 0, 0, 1, 0, 0, 0, 0], &vec![7, 0, 0, 0]] {
        world.control(CALLER, "192.0.2.11:40001".parse().unwrap(), &report(blocks));
    }
    let known = world.close(CALLER).remote_metrics.expect("they said so");
    assert_eq!((known.loss, known.discard, known.burst_density, known.gap_density), (10, 20, 30, 2));
    assert_eq!((known.burst_ms, known.gap_ms, known.round_trip_ms, known.end_system_ms), (300, 1000, 50, 60));
    assert_eq!((known.rating, known.listening, known.conversing), (Some(80), Some(41), Some(39)));
}
