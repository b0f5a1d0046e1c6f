//! A worker, the time, and two phones.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Library, Media, OpusWishes, Packet, PlayId, Port,
    Prompt, PromptId, Recording, Remote, Report, SessionId, Settings, Shortcut, Sink, Statistics, Worker,
    g711,
};

pub(crate) const CALLER: SessionId = SessionId(1);
pub(crate) const CALLEE: SessionId = SessionId(2);
/// The payload type of key presses.
pub(crate) const EVENTS: u8 = 101;
/// A hundred samples of sound, then multiples of it: prompt n is n tenths of a second.
pub(crate) const TENTH: usize = 800;

/// A packet that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) port: Port,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn header(&self) -> Header {
        self.packet().header
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.bytes[self.packet().payload]
    }

    pub(crate) fn event(&self) -> Event {
        Event::parse(self.payload()).unwrap()
    }

    fn packet(&self) -> Packet {
        let packet = Packet::parse(&self.bytes).unwrap();
        assert_eq!(packet.payload.start, 12, "neither sources nor an extension");
        assert_eq!(packet.payload.end, self.bytes.len(), "no padding");
        packet
    }
}

/// What a recording was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taped {
    Begin(String),
    Samples(Vec<[i16; 2]>),
    End,
}

/// Where the worker's words go.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    pub(crate) now: Instant,
    pub(crate) sent: Vec<Sent>,
    pub(crate) controls: Vec<Sent>,
    /// Reports that went by the port of the packets.
    pub(crate) shared: Vec<Sent>,
    pub(crate) reports: Vec<(Instant, Report)>,
    pub(crate) taped: Vec<(SessionId, Taped)>,
    pub(crate) shortcuts: Vec<Shortcut>,
}

impl Sink for Wire {
    fn send(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        let way = if (192..=223).contains(&packet[1]) { &mut self.shared } else { &mut self.sent };
        way.push(Sent { at: self.now, port, to, bytes: packet.to_vec() });
    }

    fn send_control(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        self.controls.push(Sent { at: self.now, port, to, bytes: packet.to_vec() });
    }

    fn report(&mut self, report: Report) {
        self.reports.push((self.now, report));
    }

    fn record(&mut self, session: SessionId, recording: Recording<'_>) {
        let taped = match recording {
            Recording::Begin { name } => Taped::Begin(name.into()),
            Recording::Samples(pairs) => Taped::Samples(pairs.to_vec()),
            Recording::End => Taped::End,
        };
        self.taped.push((session, taped));
    }

    fn shortcut(&mut self, shortcut: Shortcut) {
        self.shortcuts.push(shortcut);
    }
}

pub(crate) struct World {
    pub(crate) worker: Worker,
    pub(crate) wire: Wire,
}

pub(crate) fn settings() -> Settings {
    Settings {
        addresses: vec!["198.51.100.1".parse().unwrap()],
        public: vec!["203.0.113.1".parse().unwrap()],
        ports: 10_000..=10_099,
        others: BTreeSet::new(),
        silence: Duration::from_secs(30),
        rtcp_interval: Duration::from_secs(5),
        inband: true,
    }
}

/// Prompt n lasts n tenths of a second; each sample of it tells which prompt it is.
pub(crate) fn library() -> Library {
    let prompt = |n: usize| Some(Prompt::new(&vec![1000 * n as i16; TENTH * n]));
    Library::new((0..10).map(prompt).collect())
}

pub(crate) fn milliseconds(count: u64) -> Instant {
    Instant(Duration::from_millis(count))
}

pub(crate) fn port(session: SessionId) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session.0 as u16 }
}

/// The payload type of a codec, as everybody has it.
pub(crate) fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    }
}

/// G.711, with one law liked best.
pub(crate) fn format(law: Codec) -> Format {
    let payload_type = payload_type(law);
    Format {
        send: (law, payload_type),
        receive: [Some((Codec::Pcmu, 0)), Some((Codec::Pcma, 8)), None, None],
        also: [None; 3],
        event_send: Some(EVENTS),
        event_receive: Some(EVENTS),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    }
}

pub(crate) fn media(address: SocketAddr, law: Codec) -> Media {
    let rtcp = SocketAddr::new(address.ip(), address.port() + 1);
    let remote = Some(Remote { rtp: address, rtcp });
    Media { remote, format: format(law), direction: Direction::SendReceive, srtp: None, xr: false }
}

pub(crate) fn caller_address() -> SocketAddr {
    "192.0.2.11:40000".parse().unwrap()
}

pub(crate) fn callee_address() -> SocketAddr {
    "192.0.2.12:50000".parse().unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let worker = Worker::new(settings(), Arc::new(library()), [42; 32]);
        Self { worker, wire: Wire::default() }
    }

    /// With a caller who sends A-law, and a callee who sends the law given; not bridged.
    pub(crate) fn with_call(callee: Codec) -> Self {
        let mut world = Self::new();
        world.open(CALLER, media(caller_address(), Codec::Pcma));
        world.open(CALLEE, media(callee_address(), callee));
        world
    }

    /// The same, bridged.
    pub(crate) fn bridged(callee: Codec) -> Self {
        let mut world = Self::with_call(callee);
        world.command(Command::Bridge { first: CALLER, second: CALLEE });
        world
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.worker.command(self.wire.now, command, &mut self.wire);
    }

    pub(crate) fn open(&mut self, session: SessionId, media: Media) {
        self.command(Command::Open { session, port: port(session), media });
    }

    pub(crate) fn play(&mut self, session: SessionId, prompts: &[u16], repeat: bool) {
        let prompts = prompts.iter().map(|prompt| PromptId(*prompt).into()).collect();
        self.command(Command::Play { session, play: PlayId(7), prompts, repeat });
    }

    /// A packet comes from a phone.
    pub(crate) fn packet(&mut self, session: SessionId, from: SocketAddr, bytes: &[u8]) {
        let mut buffer = bytes.to_vec();
        self.worker.packet(self.wire.now, port(session), from, &mut buffer, &mut self.wire);
    }

    pub(crate) fn control(&mut self, session: SessionId, from: SocketAddr, bytes: &[u8]) {
        self.worker.control_packet(self.wire.now, port(session), from, bytes, &mut self.wire);
    }

    /// Lets time pass, calling the worker exactly when it asks for it.
    pub(crate) fn run_until(&mut self, until: Instant) {
        while let Some(wake) = self.worker.next_wake().filter(|wake| *wake <= until) {
            self.wire.now = self.wire.now.max(wake);
            self.worker.tick(self.wire.now, &mut self.wire);
            let next = self.worker.next_wake();
            assert!(next.is_none_or(|next| next > self.wire.now), "a tick leaves nothing due");
        }
        self.wire.now = until;
    }

    pub(crate) fn run(&mut self, time: u64) {
        self.run_until(self.wire.now + Duration::from_millis(time));
    }

    /// What was sent to a session's side since this was asked last.
    pub(crate) fn take_sent(&mut self, session: SessionId) -> Vec<Sent> {
        let (taken, rest) = self.wire.sent.drain(..).partition(|sent| sent.port == port(session));
        self.wire.sent = rest;
        taken
    }

    pub(crate) fn digits(&self, of: SessionId) -> String {
        let digit = |report: &Report| match report {
            Report::Digit { session, digit } if *session == of => Some(*digit),
            Report::Digit { .. }
            | Report::Finished { .. }
            | Report::Silent { .. }
            | Report::Closed { .. }
            | Report::Recorded { .. } => None,
        };
        self.wire.reports.iter().filter_map(|(_, report)| digit(report)).collect()
    }

    pub(crate) fn close(&mut self, session: SessionId) -> Statistics {
        self.command(Command::Close { session });
        match self.wire.reports.last() {
            Some((_, Report::Closed { session: closed, statistics })) if *closed == session => *statistics,
            other => panic!("closed with {other:?}"),
        }
    }
}

/// What a phone sends.
#[derive(Debug, Clone)]
pub(crate) struct Phone {
    pub(crate) session: SessionId,
    pub(crate) address: SocketAddr,
    pub(crate) header: Header,
    pub(crate) law: Codec,
}

impl Phone {
    pub(crate) fn caller() -> Self {
        let header =
            Header { marker: false, payload_type: 8, sequence: 5000, timestamp: 777_000, ssrc: 0xCA11_E500 };
        Self { session: CALLER, address: caller_address(), header, law: Codec::Pcma }
    }

    pub(crate) fn callee(law: Codec) -> Self {
        let payload_type = format(law).send.1;
        let header =
            Header { marker: false, payload_type, sequence: 65_530, timestamp: u32::MAX, ssrc: 0xCA11_EE00 };
        Self { session: CALLEE, address: callee_address(), header, law }
    }

    /// One packet of so many octets of one level, and on.
    pub(crate) fn speak(&mut self, world: &mut World, octets: usize, level: i16) {
        let payload = vec![g711::encode(self.law.law().expect("it speaks G.711"), level); octets];
        self.send(world, &payload);
        self.header.timestamp = self.header.timestamp.wrapping_add(octets as u32);
    }

    /// A packet with this payload under the header as it stands; the sequence goes on.
    pub(crate) fn send(&mut self, world: &mut World, payload: &[u8]) {
        let bytes = [&self.header.write()[..], payload].concat();
        world.packet(self.session, self.address, &bytes);
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.marker = false;
    }

    /// So many packets, one each 20 ms.
    pub(crate) fn talk(&mut self, world: &mut World, packets: usize) {
        for _ in 0..packets {
            self.speak(world, 160, 5000);
            world.run(20);
        }
    }

    /// A key press by the book, every 20 ms, with nothing between.
    pub(crate) fn press(&mut self, world: &mut World, code: u8, packets: u16) {
        let audio = self.header.payload_type;
        self.header.payload_type = EVENTS;
        self.header.marker = true;
        for n in 1..=packets + 2 {
            let event = Event { code, end: n >= packets, volume: 10, duration: 160 * n.min(packets) };
            self.send(world, &event.write());
            world.run(20);
        }
        self.header.payload_type = audio;
        self.header.timestamp = self.header.timestamp.wrapping_add(160 * u32::from(packets + 2));
    }
}

/// That a session's packets are one stream: one SSRC, sequences without a gap, and timestamps that do not go back.
pub(crate) fn assert_one_stream(sent: &[Sent]) {
    for pair in sent.windows(2) {
        let (one, next) = (pair[0].header(), pair[1].header());
        assert_eq!(one.ssrc, next.ssrc);
        assert_eq!(next.sequence, one.sequence.wrapping_add(1), "{one:?} {next:?}");
        assert!(next.timestamp.wrapping_sub(one.timestamp).cast_signed() >= 0, "{one:?} {next:?}");
    }
}
