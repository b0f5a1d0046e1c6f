//! The program as the kernel runs it (`BPF_PROG_TEST_RUN`), packet by packet, beside the machine that it goes on for.
//!
//! Where these tests may not load a program there is nothing to test; they say so and end.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use aya::programs::{TestRun as _, TestRunOptions};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Media, OpusWishes, Port, Progress, Recording, Remote,
    Report, SessionId, Settings, Shortcut, Sink, Worker,
};

use super::*;

const CALLER: SessionId = SessionId(1);
const CALLEE: SessionId = SessionId(2);
const PASS: u32 = 2;
const TX: u32 = 3;
const DROP: u32 = 1;
/// Loopback: where test runs come from.
const HERE: u32 = 1;

/// The program with one slot, or `None` where nobody may load programs.
fn kernel() -> Option<Kernel> {
    match Kernel::load(2) {
        Ok(kernel) => Some(kernel),
        Err(error) => {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(io::stderr(), "not tested: {error}");
            None
        }
    }
}

/// The ends of a call, of one family.
struct Ends {
    ours: IpAddr,
    caller: SocketAddr,
    callee: SocketAddr,
}

impl Ends {
    fn v4() -> Self {
        Self {
            ours: "198.51.100.1".parse().unwrap(),
            caller: "192.0.2.11:40000".parse().unwrap(),
            callee: "192.0.2.12:50000".parse().unwrap(),
        }
    }

    fn v6() -> Self {
        Self {
            ours: "2001:db8::1".parse().unwrap(),
            caller: "[2001:db8:1::11]:40000".parse().unwrap(),
            callee: "[2001:db8:2::12]:50000".parse().unwrap(),
        }
    }
}

fn port(session: SessionId) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session.0 as u16 }
}

/// What the machine says.
#[derive(Default)]
struct Wire {
    sent: Vec<(Port, SocketAddr, Vec<u8>)>,
    shortcuts: Vec<Shortcut>,
}

impl Sink for Wire {
    fn send(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        self.sent.push((port, to, packet.to_vec()));
    }

    fn send_control(&mut self, _: Port, _: SocketAddr, _: &[u8]) {}

    fn report(&mut self, _: Report) {}

    fn record(&mut self, _: SessionId, _: Recording<'_>) {}

    fn shortcut(&mut self, shortcut: Shortcut) {
        self.shortcuts.push(shortcut);
    }
}

/// A bridged call, as a worker has it.
fn call(ends: &Ends) -> Worker {
    let settings = Settings {
        addresses: vec![ends.ours],
        public: Vec::new(),
        ports: 10_000..=10_099,
        others: BTreeSet::new(),
        silence: Duration::from_secs(3600),
        rtcp_interval: Duration::from_secs(3600),
        inband: true,
    };
    let mut worker = Worker::new(settings, Arc::default(), [7; 32]);
    let mut wire = Wire::default();
    let format = Format {
        send: (Codec::Pcma, 8),
        receive: [Some((Codec::Pcma, 8)), Some((Codec::Pcmu, 0)), None, None],
        also: [None; 3],
        event_send: Some(101),
        event_receive: Some(101),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    let now = clock::Instant::default();
    for (session, rtp) in [(CALLER, ends.caller), (CALLEE, ends.callee)] {
        let remote = Some(Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), rtp.port() + 1) });
        let media = Media { remote, format, direction: Direction::SendReceive, srtp: None, xr: false };
        worker.command(now, Command::Open { session, port: port(session), media }, &mut wire);
    }
    worker.command(now, Command::Bridge { first: CALLER, second: CALLEE }, &mut wire);
    let header = Header { marker: false, payload_type: 8, sequence: 1, timestamp: 1, ssrc: 1 };
    let mut packet = [&header.write()[..], &[0xD5; 160]].concat();
    worker.packet(now, port(CALLEE), ends.callee, &mut packet, &mut wire);
    worker
}

/// Adds up as the checksum of the Internet does (RFC 1071).
fn sum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}

fn pseudo(from: IpAddr, to: IpAddr, length: u16) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    [octets(from), octets(to), vec![0, 17], length.to_be_bytes().to_vec()].concat()
}

/// How far a checksum was computed before a frame is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Whole,
    /// Left for a card to complete.
    Partial,
    /// None, as IPv4 allows.
    None,
}

fn frame(from: SocketAddr, to: SocketAddr, payload: &[u8], check: Check) -> Vec<u8> {
    let length = 8 + payload.len() as u16;
    let mut udp = [from.port().to_be_bytes(), to.port().to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    udp.extend_from_slice(payload);
    let pseudo = pseudo(from.ip(), to.ip(), length);
    let check = match check {
        Check::Whole => !sum(&[&pseudo[..], &udp].concat()),
        Check::Partial => sum(&pseudo),
        Check::None => 0,
    };
    udp[6..8].copy_from_slice(&check.to_be_bytes());
    let mut frame = vec![0xAA, 0, 0, 0, 0, 1, 0xBB, 0, 0, 0, 0, 2];
    match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = 20 + length;
            let mut ip = vec![0x45, 0, (total >> 8) as u8, total as u8, 0x12, 0x34, 0, 0, 57, 17, 0, 0];
            ip.extend_from_slice(&[from.octets(), to.octets()].concat());
            let check = !sum(&ip);
            ip[10..12].copy_from_slice(&check.to_be_bytes());
            frame.extend_from_slice(&[8, 0]);
            frame.extend_from_slice(&ip);
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            frame.extend_from_slice(&[0x86, 0xDD, 0x60, 0x12, 0x34, 0x56]);
            frame.extend_from_slice(&[(length >> 8) as u8, length as u8, 17, 57]);
            frame.extend_from_slice(&from.octets());
            frame.extend_from_slice(&to.octets());
        }
        _ => unreachable!("one family"),
    }
    frame.extend_from_slice(&udp);
    frame
}

/// What the kernel makes of a frame.
fn run(kernel: &mut Kernel, program: &str, frame: &[u8]) -> (u32, Vec<u8>) {
    let mut out = vec![0; frame.len() + 256];
    let options =
        TestRunOptions { data_in: Some(frame), data_out: Some(&mut out), ..TestRunOptions::default() };
    let result = super::program(&mut kernel.ebpf, program)
        .unwrap()
        .test_run(options)
        .expect("a program that is loaded runs");
    out.truncate(result.data_size_out as usize);
    (result.return_value, out)
}

/// The slot as a worker fills it, times aside.
fn course(shortcut: &Shortcut, ours: IpAddr) -> slot::Course {
    slot::Course {
        interface: HERE,
        source: slot::octets(shortcut.source.ip()),
        from: slot::octets(ours),
        to: slot::octets(shortcut.destination.ip()),
        source_port: shortcut.source.port().to_be_bytes(),
        from_port: shortcut.to.number.to_be_bytes(),
        to_port: shortcut.destination.port().to_be_bytes(),
        next_hop: [0xCC, 0, 0, 0, 0, 3],
        ours: [0xDD, 0, 0, 0, 0, 4],
        incoming_type: shortcut.incoming.0,
        outgoing_type: shortcut.outgoing.0,
        incoming_ssrc: shortcut.incoming.1.to_be_bytes(),
        outgoing_ssrc: shortcut.outgoing.1.to_be_bytes(),
        timestamp_offset: shortcut.timestamp_offset,
        base_timestamp: shortcut.base.1,
        sequence_offset: shortcut.sequence_offset,
        base: shortcut.base.0,
        clock_rate: shortcut.clock_rate.hertz(),
        unused: [0; 4],
        epoch: [0; 8],
    }
}

/// Tells the kernel where packets that come to the caller's port are looked up.
fn announce(kernel: &mut Kernel, ours: IpAddr) {
    let mut ways: HashMap<_, [u8; 20], u32> =
        HashMap::try_from(kernel.ebpf.map_mut("ways").expect("the map")).expect("a table");
    ways.insert(ways::key(ours, port(CALLER).number), 0, 0).expect("there is room");
}

/// Lets the kernel have packets at a time of the machine: its own goes on by itself.
fn begin(slots: &Slots, mut course: slot::Course, progress: &Progress, now: Duration) {
    let epoch = ways::monotonic().checked_sub(now).expect("the system is up for longer than a test lasts");
    course.epoch = u64::try_from(epoch.as_nanos()).unwrap().to_ne_bytes();
    slots.get(0).expect("there is one").begin(&course, progress);
}

/// That a frame goes out as our sockets would send it.
fn assert_sent(ends: &Ends, frame_out: &[u8], payload: &[u8], check: Check, what: &str) {
    assert_eq!(frame_out[..12], [0xCC, 0, 0, 0, 0, 3, 0xDD, 0, 0, 0, 0, 4], "{what}");
    let from = SocketAddr::new(ends.ours, port(CALLEE).number);
    let udp = if ends.ours.is_ipv4() {
        let ip = &frame_out[14..34];
        assert_eq!(ip[0..2], [0x45, 46 << 2], "{what}");
        assert_eq!(ip[4..10], [0, 0, 0x40, 0, 64, 17], "{what}: no fragment, no number, 64 hops");
        assert_eq!(sum(ip), 0xFFFF, "{what}");
        &frame_out[34..]
    } else {
        assert_eq!(frame_out[14..18], [0x6B, 0x80, 0, 0], "{what}: class and no flow");
        assert_eq!(frame_out[21], 64, "{what}");
        &frame_out[54..]
    };
    assert_eq!(udp[8..], *payload, "{what}");
    let expected = frame(from, ends.callee, payload, check);
    let expected = &expected[if ends.ours.is_ipv4() { 34 } else { 54 }..];
    assert_eq!(udp[..8], expected[..8], "{what}: ports, length, checksum");
}

/// What a network makes of a talk: when each packet comes, and which.
fn network(seed: u64) -> Vec<(Duration, Vec<u8>)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |limit: u32| random.next_u32() % limit;
    let (mut sequence, mut timestamp) = (u16::MAX - 150, u32::MAX - 20_000);
    let mut packets: Vec<(Duration, Vec<u8>)> = Vec::new();
    for n in 0..600 {
        let late = if below(25) == 0 { 20_000 * (1 + below(5)) } else { 0 };
        let at = Duration::from_micros(u64::from(n * 20_000 + below(3_000) + late));
        let kind = below(600);
        let payload_type = [8, 0, 13, 101][if kind < 4 { kind as usize } else { 0 }];
        let ssrc = if kind == 4 { 6 } else { 5 };
        let header = Header { marker: below(20) == 0, payload_type, sequence, timestamp, ssrc };
        let length = if kind == 5 { below(300) } else { 160 };
        let mut payload: Vec<u8> = (0..length).map(|octet| (octet + n) as u8).collect();
        if payload_type == 101 {
            payload = Event { code: 3, end: true, volume: 10, duration: 160 }.write().to_vec();
        }
        let mut packet = [&header.write()[..], &payload].concat();
        if kind == 6 {
            packet[0] = 0x90;
        }
        if kind == 7 {
            packet.truncate(11);
        }
        if below(30) != 0 {
            packets.push((at, packet.clone()));
        }
        if below(40) == 0 {
            packets.push((at + Duration::from_millis(u64::from(below(50))), packet));
        }
        let step = if below(120) == 0 { 1 + below(70) } else { 1 };
        sequence = sequence.wrapping_add(step as u16);
        timestamp = timestamp.wrapping_add(160 * step);
    }
    packets.sort_by_key(|(at, _)| *at);
    packets
}

/// Sends a talk through the machine alone, and through a machine that gives the kernel whatever it offers.
fn side_by_side(kernel: &mut Kernel, ends: &Ends, seed: u64, check: Check, program: &str) -> u32 {
    let slots = Arc::clone(&kernel.slots);
    let mut alone = (call(ends), Wire::default());
    let mut joined = (call(ends), Wire::default());
    let mut taken: Option<(slot::Course, Progress)> = None;
    let mut passed = 0;
    for (n, (at, packet)) in network(seed).into_iter().enumerate() {
        let what = format!("seed {seed}, packet {n}");
        let now = clock::Instant(at);
        let mut buffer = packet.clone();
        alone.0.packet(now, port(CALLER), ends.caller, &mut buffer, &mut alone.1);
        let expected = alone.1.sent.pop();

        let frame_in = frame(ends.caller, SocketAddr::new(ends.ours, port(CALLER).number), &packet, check);
        if let Some((course, progress)) = taken {
            begin(&slots, course, &progress, at);
        }
        let (verdict, out) = run(kernel, program, &frame_in);
        let progress = slots.get(0).unwrap().end();
        if verdict == TX {
            passed += 1;
            joined.0.progress(port(CALLER), &progress);
            taken = taken.map(|(course, _)| (course, progress));
            let (_, _, payload) = expected.unwrap_or_else(|| panic!("{what}: the machine sends nothing"));
            let left = if program == GENERIC || check != Check::Partial { check } else { Check::Whole };
            assert_sent(ends, &out, &payload, left, &what);
            continue;
        }
        assert_eq!(verdict, PASS, "{what}");
        assert_eq!(out, frame_in, "{what}: what comes up comes as it was");
        taken = None;
        let mut buffer = packet.clone();
        joined.0.packet(now, port(CALLER), ends.caller, &mut buffer, &mut joined.1);
        assert_eq!(joined.1.sent.pop(), expected, "{what}");
        if let Some(shortcut) = joined.1.shortcuts.pop() {
            taken = Some((course(&shortcut, ends.ours), shortcut.progress));
        }
    }
    let statistics = |worker: &mut Worker| {
        let mut closed = Closed::default();
        let now = clock::Instant(Duration::from_secs(60));
        worker.command(now, Command::Close { session: CALLER }, &mut closed);
        closed.0.expect("a session that is closed says so")
    };
    let (mut one, mut other) = (statistics(&mut alone.0), statistics(&mut joined.0));
    // The kernel's clock went on by itself while each packet was under way.
    assert!((one.jitter_ms - other.jitter_ms).abs() < 0.5, "{} {}", one.jitter_ms, other.jitter_ms);
    (one.jitter_ms, other.jitter_ms) = (0.0, 0.0);
    assert_eq!(one, other, "seed {seed}");
    passed
}

#[derive(Default)]
struct Closed(Option<rtp::Statistics>);

impl Sink for Closed {
    fn send(&mut self, _: Port, _: SocketAddr, _: &[u8]) {}

    fn send_control(&mut self, _: Port, _: SocketAddr, _: &[u8]) {}

    fn report(&mut self, report: Report) {
        if let Report::Closed { statistics, .. } = report {
            self.0 = Some(statistics);
        }
    }

    fn record(&mut self, _: SessionId, _: Recording<'_>) {}
}

#[test]
fn the_kernel_sends_what_the_machine_would_and_nothing_else() {
    let Some(mut kernel) = kernel() else { return };
    let mut passed = 0;
    for ends in [Ends::v4(), Ends::v6()] {
        announce(&mut kernel, ends.ours);
        for seed in 0..20 {
            let program = if seed % 2 == 0 { NATIVE } else { GENERIC };
            let check = match seed % 5 {
                0 => Check::Partial,
                1 if ends.ours.is_ipv4() => Check::None,
                _ => Check::Whole,
            };
            passed += side_by_side(&mut kernel, &ends, seed, check, program);
        }
    }
    assert!(passed > 5_000, "{passed} packets went past the machine");
}

/// A kernel that has the caller's packets, and one of them that it would send on.
fn settled(ends: &Ends) -> Option<(Kernel, slot::Course, Progress, Vec<u8>)> {
    let mut kernel = kernel()?;
    announce(&mut kernel, ends.ours);
    let mut worker = call(ends);
    let mut wire = Wire::default();
    let mut header = Header { marker: false, payload_type: 8, sequence: 1, timestamp: 160, ssrc: 5 };
    while wire.shortcuts.is_empty() {
        let now = clock::Instant(Duration::from_millis(20 * u64::from(header.sequence)));
        let mut packet = [&header.write()[..], &[0xD5; 160]].concat();
        worker.packet(now, port(CALLER), ends.caller, &mut packet, &mut wire);
        header.sequence += 1;
        header.timestamp += 160;
    }
    let shortcut = wire.shortcuts.pop()?;
    let packet = [&header.write()[..], &[0xD5; 160]].concat();
    Some((kernel, course(&shortcut, ends.ours), shortcut.progress, packet))
}

#[test]
fn whatever_is_not_as_it_should_be_comes_up_untouched() {
    for ends in [Ends::v4(), Ends::v6()] {
        let Some((mut kernel, course, progress, packet)) = settled(&ends) else { return };
        let slots = Arc::clone(&kernel.slots);
        let to = SocketAddr::new(ends.ours, port(CALLER).number);
        let good = frame(ends.caller, to, &packet, Check::Whole);
        let ip = 14;
        let udp = if ends.ours.is_ipv4() { 34 } else { 54 };
        let now = Duration::from_millis(1040);
        let mut verdict = |frame: &[u8]| {
            begin(&slots, course, &progress, now);
            let (verdict, out) = run(&mut kernel, NATIVE, frame);
            let counted = slots.get(0).unwrap().end();
            assert!(verdict == TX || (out == frame && counted == progress), "untouched and not counted");
            verdict
        };
        assert_eq!(verdict(&good), TX);
        // An octet of anything that is looked at. What is not: addresses of cards, classes, hops, checks, the voice.
        let looked_at: Vec<usize> = if ends.ours.is_ipv4() {
            vec![12, 13, ip, ip + 2, ip + 3, ip + 6, ip + 7, ip + 9, ip + 12, ip + 15, ip + 16, ip + 19]
        } else {
            vec![12, 13, ip, ip + 4, ip + 5, ip + 6, ip + 8, ip + 23, ip + 24, ip + 39]
        };
        let of_udp = [udp, udp + 1, udp + 2, udp + 3, udp + 4, udp + 5];
        let of_rtp = [udp + 8, udp + 9, udp + 10, udp + 12, udp + 16, udp + 17, udp + 18, udp + 19];
        for place in looked_at.into_iter().chain(of_udp).chain(of_rtp) {
            let mut frame = good.clone();
            frame[place] ^= 0x21;
            assert_eq!(verdict(&frame), PASS, "octet {place}");
        }
        for length in (14..good.len()).step_by(3) {
            assert_eq!(verdict(&good[..length]), PASS, "cut to {length}");
        }
        let empty = frame(ends.caller, to, &packet[..12], Check::Whole);
        assert_eq!(verdict(&empty), PASS, "no voice");
        let mut padded = good.clone();
        padded.extend_from_slice(b"whose is this");
        begin(&slots, course, &progress, now);
        let (verdict, out) = run(&mut kernel, NATIVE, &padded);
        slots.get(0).unwrap().end();
        assert_eq!((verdict, out.len()), (TX, good.len()), "what lies behind a datagram stays behind");
    }
}

#[test]
fn who_sends_more_than_any_phone_is_not_passed_on() {
    let ends = Ends::v4();
    let Some((mut kernel, course, mut progress, packet)) = settled(&ends) else { return };
    let slots = Arc::clone(&kernel.slots);
    let to = SocketAddr::new(ends.ours, port(CALLER).number);
    let frame = frame(ends.caller, to, &packet, Check::Whole);
    let now = Duration::from_millis(1040);
    progress.paid_until = clock::Instant(now + Duration::from_secs(2));
    begin(&slots, course, &progress, now);
    assert_eq!(run(&mut kernel, NATIVE, &frame).0, DROP);
    assert_eq!(slots.get(0).unwrap().end(), progress, "nor counted");
}

#[test]
fn a_slot_that_was_taken_back_passes_nothing() {
    let ends = Ends::v4();
    let Some((mut kernel, course, progress, packet)) = settled(&ends) else { return };
    let slots = Arc::clone(&kernel.slots);
    let to = SocketAddr::new(ends.ours, port(CALLER).number);
    let frame = frame(ends.caller, to, &packet, Check::Whole);
    begin(&slots, course, &progress, Duration::from_millis(1040));
    slots.get(0).unwrap().end();
    assert_eq!(run(&mut kernel, NATIVE, &frame).0, PASS);
}
