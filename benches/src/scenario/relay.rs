//! What one worker of the relay does with a packet, while it has a thousand sessions.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rtp::srtp::{LONGEST_LIFE, MASTER_LENGTH, Sender};
use rtp::{
    Codec, Command, Direction, Event, Format, Header, Law, Library, MasterKey, Media, OpusWishes, Port,
    Recording, Remote, Report, SessionId, Settings, Sink, Srtp, Suite, Worker, g711,
};

use super::codecs::payload_type;

const SESSIONS: u32 = 1000;
/// One packet of G.711, 20 ms.
const SAMPLES: usize = 160;
const HEADER: usize = 12;
/// The payload type of telephone-events.
const EVENTS: u8 = 101;
/// Packets of one key press: seven while it lasts, its end three times (RFC 4733 §2.5.1.4).
const PRESS: u64 = 10;
const ENDS: u64 = 3;
/// Protected packets are made before the first round, so many for each session; a phone's work is not ours.
const PROTECTED: u64 = 64;

/// A round is one packet between two phones of one law, rewritten and sent on.
pub(crate) fn packet(rounds: u64) {
    bridged(rounds, [Codec::Pcma, Codec::Pcma], Keys::Events);
}

/// A round is one packet between two phones of different laws.
pub(crate) fn transcoded(rounds: u64) {
    bridged(rounds, [Codec::Pcma, Codec::Pcmu], Keys::Events);
}

/// A round is one packet of a loud voice between two phones of one law that have no telephone-events, so that keys are
/// listened for in it.
pub(crate) fn inband(rounds: u64) {
    bridged(rounds, [Codec::Pcma, Codec::Pcma], Keys::Tones);
}

/// A round is one packet between two phones of one law that both speak SRTP: proved and decrypted, rewritten, encrypted
/// and authenticated under the other's key, and sent on.
pub(crate) fn srtp(rounds: u64) {
    // All sessions have the same keys, so that the packets made for one do for all.
    let key = |octet| MasterKey([octet; MASTER_LENGTH]);
    let agreed = Srtp {
        suite: Suite::AesCm128HmacSha1_80,
        send: key(1),
        receive: key(2),
        life: LONGEST_LIFE,
        rollovers: 0,
    };
    let mut phone = Sender::new(agreed.suite, &agreed.receive);
    let mut relay = Relay::new([Codec::Pcma; 2], Keys::Events, Some(agreed));
    let packets: Vec<_> = (0..PROTECTED)
        .map(|tick| {
            let header = header(tick as u32, Codec::Pcma, 1);
            relay.buffer[..HEADER].copy_from_slice(&header.write());
            phone.protect(&relay.buffer, &mut [0; 2 * (HEADER + SAMPLES)]).expect("there is room").to_vec()
        })
        .collect();
    relay.bridge();
    let first = u64::from(SESSIONS);
    assert!(first + rounds <= PROTECTED * first, "no more are made");
    let mut buffer = packets[0].clone();
    for round in 0..first + rounds {
        let tick = round / first;
        buffer.copy_from_slice(&packets[tick as usize]);
        let now = Instant(Duration::from_millis(20 * tick));
        relay.take(now, (round % first) as u32, &mut buffer);
    }
    assert_eq!(relay.tally.packets, first + rounds, "every packet is sent on");
}

/// A round is one key press of a caller who is asked for a code: ten packets, one report.
pub(crate) fn digit(rounds: u64) {
    let mut relay = Relay::new([Codec::Pcma; 2], Keys::Events, None);
    for round in 0..rounds {
        relay.press(round);
    }
    assert_eq!(relay.tally.digits, rounds, "each press is told once");
}

fn bridged(rounds: u64, laws: [Codec; 2], keys: Keys) {
    let mut relay = Relay::new(laws, keys, None);
    relay.bridge();
    // The first packet of a session decides where its media comes from: none of those is counted.
    let first = u64::from(SESSIONS);
    for round in 0..first {
        relay.speak(round);
    }
    for round in first..first + rounds {
        relay.speak(round);
    }
    assert_eq!(relay.tally.packets, first + rounds, "every packet is sent on");
    assert_eq!(relay.tally.digits, 0, "nobody presses a key");
}

/// How phones send keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Events,
    Tones,
}

/// What the worker said.
#[derive(Default)]
struct Tally {
    packets: u64,
    digits: u64,
}

impl Sink for Tally {
    fn send(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        black_box((port, to, packet));
        self.packets += 1;
    }

    fn send_control(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        black_box((port, to, packet));
    }

    fn report(&mut self, report: Report) {
        self.digits += u64::from(matches!(black_box(report), Report::Digit { .. }));
    }

    fn record(&mut self, session: SessionId, recording: Recording<'_>) {
        black_box((session, recording));
    }
}

/// A worker with its sessions, and the one buffer that packets come in by.
struct Relay {
    worker: Worker,
    tally: Tally,
    laws: [Codec; 2],
    buffer: [u8; HEADER + SAMPLES],
}

impl Relay {
    /// Sessions with even numbers take the first law, those with odd ones the second.
    fn new(laws: [Codec; 2], keys: Keys, srtp: Option<Srtp>) -> Self {
        let settings = Settings {
            addresses: vec![[198, 51, 100, 4].into()],
            public: Vec::new(),
            ports: port(0).number..=port(SESSIONS).number - 1,
            others: BTreeSet::new(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
            inband: true,
        };
        let mut worker = Worker::new(settings, Arc::new(Library::default()), [7; 32]);
        let mut tally = Tally::default();
        for session in 0..SESSIONS {
            let media = Media { srtp, ..media(session, law(laws, session), keys) };
            let open = Command::Open { session: SessionId(session), port: port(session), media };
            worker.command(Instant::ZERO, open, &mut tally);
        }
        let mut buffer = [0xD5; HEADER + SAMPLES];
        if keys == Keys::Tones {
            for (n, octet) in (0..).zip(&mut buffer[HEADER..]) {
                *octet = g711::encode(Law::A, voice(n));
            }
        }
        Self { worker, tally, laws, buffer }
    }

    /// Joins each session with an even number with the one that follows.
    fn bridge(&mut self) {
        for session in (0..SESSIONS).step_by(2) {
            let (first, second) = (SessionId(session), SessionId(session + 1));
            self.worker.command(Instant::ZERO, Command::Bridge { first, second }, &mut self.tally);
        }
    }

    /// The next session says its next 20 ms.
    fn speak(&mut self, round: u64) {
        let session = (round % u64::from(SESSIONS)) as u32;
        let tick = (round / u64::from(SESSIONS)) as u32;
        let header = header(tick, law(self.laws, session), session);
        let now = Instant(Duration::from_millis(20 * u64::from(tick)));
        self.hear(now, session, header, SAMPLES);
    }

    /// The next session presses a key.
    fn press(&mut self, round: u64) {
        let session = (round % u64::from(SESSIONS)) as u32;
        let before = round / u64::from(SESSIONS) * PRESS;
        for place in 0..PRESS {
            let lasted = (place + 1).min(PRESS - ENDS + 1);
            let event = Event {
                code: (round % 10) as u8,
                end: place + ENDS >= PRESS,
                volume: 10,
                duration: (lasted * SAMPLES as u64) as u16,
            };
            self.buffer[HEADER..HEADER + Event::LENGTH].copy_from_slice(&event.write());
            let header = Header {
                marker: place == 0,
                payload_type: EVENTS,
                sequence: (before + place) as u16,
                timestamp: (before * SAMPLES as u64) as u32,
                ssrc: session,
            };
            let now = Instant(Duration::from_millis(20 * (round * PRESS + place)));
            self.hear(now, session, header, Event::LENGTH);
        }
    }

    fn hear(&mut self, now: Instant, session: u32, header: Header, payload: usize) {
        self.buffer[..HEADER].copy_from_slice(&header.write());
        let packet = &mut self.buffer[..HEADER + payload];
        self.worker.packet(now, port(session), address(session), black_box(packet), &mut self.tally);
    }

    /// What comes is this, whatever it is.
    fn take(&mut self, now: Instant, session: u32, packet: &mut [u8]) {
        self.worker.packet(now, port(session), address(session), black_box(packet), &mut self.tally);
    }
}

/// The header of a phone's packet in this tick.
fn header(tick: u32, law: Codec, ssrc: u32) -> Header {
    Header {
        marker: false,
        payload_type: payload_type(law),
        sequence: tick as u16,
        timestamp: tick.wrapping_mul(SAMPLES as u32),
        ssrc,
    }
}

/// A vowel at a pitch of 150 Hz.
fn voice(n: u32) -> i16 {
    let line = |harmonic: u32| {
        let hertz = f64::from(150 * harmonic);
        (std::f64::consts::TAU * hertz * f64::from(n) / 8000.0).sin() / f64::from(harmonic)
    };
    (6000.0 * (1..20).map(line).sum::<f64>()) as i16
}

fn law(laws: [Codec; 2], session: u32) -> Codec {
    laws[session as usize % 2]
}

fn port(session: u32) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session as u16 }
}

fn address(session: u32) -> SocketAddr {
    SocketAddr::from(([10, 0, (session >> 8) as u8, session as u8], 40_000))
}

fn media(session: u32, law: Codec, keys: Keys) -> Media {
    let events = (keys == Keys::Events).then_some(EVENTS);
    let format = Format {
        send: (law, payload_type(law)),
        receive: [Some((Codec::Pcmu, 0)), Some((Codec::Pcma, 8)), None, None],
        also: [None; 3],
        event_send: events,
        event_receive: events,
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    let (rtp, mut rtcp) = (address(session), address(session));
    rtcp.set_port(rtp.port() + 1);
    Media {
        remote: Some(Remote { rtp, rtcp }),
        format,
        direction: Direction::SendReceive,
        srtp: None,
        xr: false,
    }
}
