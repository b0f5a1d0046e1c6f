//! What a worker costs: no memory for a packet, little for a session.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rtp::codec::opus;
use rtp::srtp::{LONGEST_LIFE, MASTER_LENGTH, Sender};
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Law, Library, MasterKey, Media, OpusWishes, PlayId,
    Port, Prompt, PromptId, Recording, Remote, Report, SessionId, Settings, Sink, Srtp, Suite, Worker, g711,
};

/// Counts what each thread takes.
struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
    static OCTETS: Cell<i64> = const { Cell::new(0) };
}

fn count(taken: u64, octets: i64) {
    TAKEN.set(TAKEN.get() + taken);
    OCTETS.set(OCTETS.get() + octets);
}

// SAFETY: all is left to the system's allocator; counting takes no memory, as the counters are constants at first.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as i64 - layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Default)]
struct Tally {
    packets: usize,
    controls: usize,
    reports: usize,
    pairs: usize,
}

impl Sink for Tally {
    fn send(&mut self, _: Port, _: SocketAddr, _: &[u8]) {
        self.packets += 1;
    }

    fn send_control(&mut self, _: Port, _: SocketAddr, _: &[u8]) {
        self.controls += 1;
    }

    fn report(&mut self, _: Report) {
        self.reports += 1;
    }

    fn record(&mut self, _: SessionId, recording: Recording<'_>) {
        if let Recording::Samples(pairs) = recording {
            self.pairs += pairs.len();
        }
    }
}

fn worker() -> Worker {
    let settings = Settings {
        addresses: vec!["198.51.100.1".parse().unwrap()],
        public: vec!["203.0.113.1".parse().unwrap()],
        ports: 10_000..=10_099,
        others: BTreeSet::new(),
        silence: Duration::from_secs(30),
        rtcp_interval: Duration::from_secs(5),
        inband: true,
    };
    let music = Prompt::new(&[1000; 8000]);
    Worker::new(settings, Arc::new(Library::new(vec![Some(music)])), [9; 32])
}

fn port(session: u32) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session as u16 }
}

fn address(session: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, (session >> 8) as u8, session as u8], 40_000))
}

fn reports(session: u32) -> SocketAddr {
    SocketAddr::new(address(session).ip(), 40_001)
}

fn open(session: u32, law: Codec) -> Command {
    let format = Format {
        send: (law, if law == Codec::Pcma { 8 } else { 0 }),
        receive: [Some((Codec::Pcmu, 0)), Some((Codec::Pcma, 8)), None, None],
        also: [None; 3],
        event_send: Some(101),
        event_receive: Some(101),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    let remote = Some(Remote { rtp: address(session), rtcp: reports(session) });
    let media = Media { remote, format, direction: Direction::SendReceive, srtp: None, xr: false };
    Command::Open { session: SessionId(session), port: port(session), media }
}

/// What one session's other side sends in a tick of 20 ms: audio, and every second a key press.
fn say(worker: &mut Worker, sink: &mut Tally, now: Instant, session: u32, n: u32) {
    let mut buffer = [0xD5; 172];
    let pressed = n % 50 < 8;
    let header = Header {
        marker: false,
        payload_type: if pressed { 101 } else { 8 },
        sequence: n as u16,
        timestamp: 160 * if pressed { n - n % 50 } else { n },
        ssrc: session,
    };
    buffer[..12].copy_from_slice(&header.write());
    if pressed {
        let event = Event { code: 5, end: n % 50 > 4, volume: 10, duration: 160 * (n % 50) as u16 };
        buffer[12..16].copy_from_slice(&event.write());
    }
    worker.packet(now, port(session), address(session), &mut buffer, sink);
}

#[test]
fn a_packet_takes_no_memory_whatever_is_done_with_it() {
    let mut worker = worker();
    let mut sink = Tally::default();
    let start = Instant::ZERO;
    let law = |session| if session % 2 == 0 { Codec::Pcma } else { Codec::Pcmu };
    for session in 0..8 {
        worker.command(start, open(session, law(session)), &mut sink);
    }
    for session in [0, 2] {
        let (first, second) = (SessionId(session), SessionId(session + 1));
        worker.command(start, Command::Bridge { first, second }, &mut sink);
    }
    // Sessions 0 and 1 are recorded as well; 4 to 7 hear music.
    worker.command(start, Command::Record { session: SessionId(0), name: "call.wav".into() }, &mut sink);
    for session in 4..8 {
        let prompts = vec![PromptId(0).into()];
        let play = Command::Play { session: SessionId(session), play: PlayId(1), prompts, repeat: true };
        worker.command(start, play, &mut sink);
    }
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let before = TAKEN.get();
    for n in 0..3000 {
        let now = start + Duration::from_millis(20) * n;
        for session in 0..8 {
            say(&mut worker, &mut sink, now, session, n);
            if n % 100 == 0 {
                worker.control_packet(now, port(session), reports(session), &receiver_report, &mut sink);
            }
        }
        worker.tick(now + Duration::from_millis(10), &mut sink);
    }
    assert_eq!(TAKEN.get() - before, 0);
    assert!(sink.packets > 20_000 && sink.controls > 50 && sink.pairs > 400_000, "it was all done");
    assert_eq!(sink.reports, 8 * 60, "every press was told");
}

#[test]
fn keys_in_the_audio_take_no_memory_either() {
    let mut worker = worker();
    let mut sink = Tally::default();
    // Two without events, the first of them bridged with someone who has them, the second the other way round.
    for session in 0..4 {
        let mut command = open(session, Codec::Pcma);
        if let Command::Open { media, .. } = &mut command
            && session % 3 == 0
        {
            (media.format.event_send, media.format.event_receive) = (None, None);
        }
        worker.command(Instant::ZERO, command, &mut sink);
    }
    for first in [0, 2] {
        let (first, second) = (SessionId(first), SessionId(first + 1));
        worker.command(Instant::ZERO, Command::Bridge { first, second }, &mut sink);
    }
    let sine = |hertz: f64, n: u32| 7000.0 * (std::f64::consts::TAU * hertz * f64::from(n) / 8000.0).sin();
    let key: Vec<u8> =
        (0..800).map(|n| g711::encode(Law::A, (sine(852.0, n) + sine(1477.0, n)) as i16)).collect();
    let before = TAKEN.get();
    for n in 0..3000 {
        let now = Instant::ZERO + Duration::from_millis(20) * n;
        let header =
            Header { marker: false, payload_type: 8, sequence: n as u16, timestamp: 160 * n, ssrc: 1 };
        let mut buffer = [0xD5; 172];
        buffer[..12].copy_from_slice(&header.write());
        if let Some(octets) = key.chunks(160).nth(n as usize % 50) {
            buffer[12..].copy_from_slice(octets);
        }
        worker.packet(now, port(0), address(0), &mut buffer, &mut sink);
        say(&mut worker, &mut sink, now, 2, n);
        if n % 50 == 30 {
            worker.command(now, Command::Press { session: SessionId(2), digit: '7' }, &mut sink);
        }
        worker.tick(now + Duration::from_millis(10), &mut sink);
    }
    assert_eq!(TAKEN.get() - before, 0);
    assert_eq!(sink.reports, 3 * 60 + 2, "tones, events and messages were told, and that two say nothing");
    assert!(sink.packets > 5000);
}

#[test]
fn a_session_takes_less_than_two_kilobytes_and_a_recorded_one_less_than_twenty() {
    let mut worker = worker();
    let mut sink = Tally::default();
    // The table of ports is there whether one session is open or all.
    worker.command(Instant::ZERO, open(0, Codec::Pcma), &mut sink);
    let empty = OCTETS.get();
    for session in 1..=1000 {
        worker.command(Instant::ZERO, open(session, Codec::Pcma), &mut sink);
        let (first, second) = (SessionId(session), SessionId(session - 1));
        worker.command(Instant::ZERO, Command::Bridge { first, second }, &mut sink);
    }
    let open = (OCTETS.get() - empty) / 1000;
    assert!(open < 2048, "{open}");
    for session in 1..=1000 {
        let record = Command::Record { session: SessionId(session), name: "call.wav".into() };
        worker.command(Instant::ZERO, record, &mut sink);
    }
    let recorded = (OCTETS.get() - empty) / 1000;
    assert!(recorded < 20_480, "{recorded}");
}

#[test]
fn what_was_open_gives_its_memory_to_what_opens_next() {
    let mut worker = worker();
    let mut sink = Tally::default();
    let mut round = |from: u32| {
        for session in from..from + 500 {
            worker.command(Instant::ZERO, open(session, Codec::Pcma), &mut sink);
        }
        for session in from..from + 500 {
            worker.command(Instant::ZERO, Command::Close { session: SessionId(session) }, &mut sink);
        }
        OCTETS.get()
    };
    let first = round(0);
    assert_eq!((1..20).map(|n| round(n * 500)).max(), Some(first));
}

#[test]
fn what_is_protected_takes_no_memory_for_a_packet_either() {
    let mut worker = worker();
    let mut sink = Tally::default();
    let agreed = |session: u8| {
        let [send, receive] = [2, 3].map(|key| MasterKey([2 * session + key; MASTER_LENGTH]));
        let suite = [Suite::AesCm128HmacSha1_80, Suite::AeadAes256Gcm][usize::from(session)];
        Srtp { suite, send, receive, life: LONGEST_LIFE, rollovers: 0 }
    };
    let mut phones = [0, 1].map(|session| Sender::new(agreed(session).suite, &agreed(session).receive));
    for session in 0..2 {
        let command = open(session.into(), Codec::Pcma);
        let Command::Open { media, .. } = command else { unreachable!("it opens one") };
        worker.command(Instant::ZERO, command, &mut sink);
        let plain = OCTETS.get();
        let media = Media { srtp: Some(agreed(session)), ..media };
        worker.command(
            Instant::ZERO,
            Command::Update { session: SessionId(session.into()), media },
            &mut sink,
        );
        let more = OCTETS.get() - plain;
        assert!(more < 8192, "{more}");
    }
    worker.command(Instant::ZERO, Command::Bridge { first: SessionId(0), second: SessionId(1) }, &mut sink);
    let before = TAKEN.get();
    for n in 0..3000 {
        let now = Instant::ZERO + Duration::from_millis(20) * n;
        for (session, phone) in (0..).zip(&mut phones) {
            let mut room = [0; 200];
            let header = Header {
                marker: false,
                payload_type: 8,
                sequence: n as u16,
                timestamp: 160 * n,
                ssrc: session,
            };
            let mut packet = [0xD5; 172];
            packet[..12].copy_from_slice(&header.write());
            let length = phone.protect(&packet, &mut room).unwrap().len();
            worker.packet(now, port(session), address(session), &mut room[..length], &mut sink);
            if n % 100 == 0 {
                let report = phone.protect_control(&[0x80, 201, 0, 1, 0, 0, 0, 1], &mut room).unwrap();
                worker.control_packet(now, port(session), address(session), report, &mut sink);
            }
        }
        worker.tick(now + Duration::from_millis(10), &mut sink);
    }
    assert_eq!(TAKEN.get() - before, 0);
    assert!(sink.packets == 6000 && sink.controls > 10, "it was all done");
}

/// Two who have no codec in common, and packets of theirs as they may come.
fn unlike(worker: &mut Worker, sink: &mut Tally, codecs: [Codec; 2], longest: Option<u8>) {
    for (session, codec) in (0..).zip(codecs) {
        let Command::Open { session, port, mut media } = open(session, Codec::Pcma) else {
            unreachable!("it opens one")
        };
        let agreed = (codec, payload_type(codec));
        media.format.send = agreed;
        media.format.receive = [Some(agreed), None, None, None];
        media.format.longest = longest;
        worker.command(Instant::ZERO, Command::Open { session, port, media }, sink);
    }
    worker.command(Instant::ZERO, Command::Bridge { first: SessionId(0), second: SessionId(1) }, sink);
    let record = Command::Record { session: SessionId(0), name: "call.wav".into() };
    worker.command(Instant::ZERO, record, sink);
}

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    }
}

/// 20 ms of a voice in Opus; in other codecs it is no voice, and as good.
fn said() -> Vec<u8> {
    let mut encoder = opus::Encoder::new(OpusWishes { correction: true, ..OpusWishes::default() }).unwrap();
    let mut room = [0; 480];
    let voice: Vec<i16> = (0..320).map(|n| (n % 80 - 40) * 200).collect();
    let length = encoder.encode(&voice, &mut room).unwrap();
    room[..length].to_vec()
}

/// Has both talk for 3000 packets, of which one in fifty is lost.
fn talk(worker: &mut Worker, sink: &mut Tally, codecs: [Codec; 2], said: &[u8]) {
    for n in (0..3000).filter(|n| n % 50 != 49) {
        let now = Instant::ZERO + Duration::from_millis(20) * n;
        for (session, codec) in (0..).zip(codecs) {
            let (step, length) = if codec == Codec::Opus { (960, said.len()) } else { (160, 160) };
            let header = Header {
                marker: false,
                payload_type: payload_type(codec),
                sequence: n as u16,
                timestamp: step * n,
                ssrc: session,
            };
            let mut packet = [0; 500];
            packet[..12].copy_from_slice(&header.write());
            packet[12..12 + said.len()].copy_from_slice(said);
            worker.packet(now, port(session), address(session), &mut packet[..12 + length], sink);
        }
        worker.tick(now + Duration::from_millis(10), sink);
    }
}

#[test]
fn what_is_converted_cut_made_up_and_recorded_takes_no_memory_either() {
    let cases = [
        ([Codec::Pcma, Codec::G722], None),
        ([Codec::G722, Codec::Pcmu], None),
        ([Codec::Pcma, Codec::Pcmu], Some(10)),
    ];
    for (codecs, longest) in cases {
        let (mut worker, mut sink) = (worker(), Tally::default());
        unlike(&mut worker, &mut sink, codecs, longest);
        let said = said();
        let before = TAKEN.get();
        talk(&mut worker, &mut sink, codecs, &said);
        assert_eq!(TAKEN.get() - before, 0, "{codecs:?}");
        assert!(sink.packets >= 5990 && sink.pairs > 400_000, "{codecs:?}: it was all done");
    }
}

/// The one exception: libopus works in memory that it takes and gives back within each call.
#[test]
fn what_opus_takes_for_a_packet_it_gives_back() {
    let (mut worker, mut sink) = (worker(), Tally::default());
    let codecs = [Codec::Opus, Codec::Pcma];
    unlike(&mut worker, &mut sink, codecs, None);
    let said = said();
    talk(&mut worker, &mut sink, codecs, &said);
    let (taken, octets) = (TAKEN.get(), OCTETS.get());
    talk(&mut worker, &mut sink, codecs, &said);
    assert_eq!(OCTETS.get() - octets, 0);
    let each = (TAKEN.get() - taken) / 6000;
    assert!(each < 40, "{each}");
}

#[test]
fn two_who_are_converted_and_recorded_take_less_than_200_kilobytes() {
    for (codecs, most) in [([Codec::Pcma, Codec::G722], 64_000), ([Codec::Opus, Codec::G722], 200_000)] {
        let (mut worker, mut sink) = (worker(), Tally::default());
        for session in 0..2 {
            worker.command(Instant::ZERO, open(session, Codec::Pcma), &mut sink);
        }
        let plain = OCTETS.get();
        unlike(&mut worker, &mut sink, codecs, None);
        let more = OCTETS.get() - plain;
        assert!(more < most, "{codecs:?}: {more}");
    }
}
