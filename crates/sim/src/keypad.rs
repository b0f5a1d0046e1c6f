//! What a phone sends when a key is pressed, and a worker of the real relay that hears it.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rtp::srtp::Sender;
use rtp::{
    Command, Event, Header, Library, Media, Port, Recording, Report, SessionId, Settings, Sink, Worker, g711,
    telephone_event,
};

/// Packets of 20 ms: how many a key is held, how many there are.
const HELD: u32 = 5;
const PACKETS: u32 = 8;
const SAMPLES: u32 = 160;

/// The tones of the keypad (ITU-T Q.23).
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];

/// All phones' keypads, as the relay hears them.
#[derive(Debug)]
pub(crate) struct Keypads {
    worker: Worker,
    sessions: BTreeMap<SessionId, (Port, Media)>,
    sequence: u16,
}

/// Only what is said of keys counts here.
#[derive(Default)]
struct Told(Vec<Report>);

impl Sink for Told {
    fn send(&mut self, _: Port, _: SocketAddr, _: &[u8]) {}

    fn send_control(&mut self, _: Port, _: SocketAddr, _: &[u8]) {}

    fn report(&mut self, report: Report) {
        self.0.extend(matches!(report, Report::Digit { .. }).then_some(report));
    }

    fn record(&mut self, _: SessionId, _: Recording<'_>) {}
}

impl Default for Keypads {
    fn default() -> Self {
        let settings = Settings {
            addresses: vec![[198, 51, 100, 1].into()],
            public: Vec::new(),
            ports: 20_000..=20_199,
            others: BTreeSet::new(),
            silence: Duration::from_secs(86_400),
            rtcp_interval: Duration::from_secs(86_400),
            inband: true,
        };
        let worker = Worker::new(settings, Arc::new(Library::default()), [5; 32]);
        Self { worker, sessions: BTreeMap::new(), sequence: 0 }
    }
}

impl Keypads {
    /// The relay is told something; what it says of keys.
    pub(crate) fn command(&mut self, now: Instant, command: &Command) -> Vec<Report> {
        match command {
            Command::Open { session, port, media } => {
                // The switchboard counts workers, of whom this is one.
                let port = Port { worker: 0, ..*port };
                self.sessions.insert(*session, (port, *media));
            }
            Command::Update { session, media } => {
                if let Some(known) = self.sessions.get_mut(session) {
                    known.1 = *media;
                }
            }
            Command::Close { session } => {
                self.sessions.remove(session);
            }
            Command::Bridge { .. } | Command::Unbridge { .. } | Command::Press { .. } => {}
            // Nothing is heard here.
            Command::Play { .. }
            | Command::Stop { .. }
            | Command::Record { .. }
            | Command::PauseRecording { .. } => return Vec::new(),
        }
        let mut told = Told::default();
        self.worker.command(now, command.clone(), &mut told);
        told.0
    }

    /// The phone at the other end of a session presses a key, in the way that was agreed; what the relay says.
    pub(crate) fn press(&mut self, now: Instant, session: SessionId, key: char) -> Vec<Report> {
        let Some((port, media)) = self.sessions.get(&session).copied() else { return Vec::new() };
        let (Some(remote), Some(code)) = (media.remote, telephone_event::code(key)) else {
            return Vec::new();
        };
        let start = (now.0.as_micros() / 125) as u32;
        let mut sender = media.srtp.map(|srtp| Sender::new(srtp.suite, &srtp.receive));
        let mut told = Told::default();
        for packet in 0..PACKETS {
            let (payload_type, timestamp, payload) =
                match (media.format.event_receive, media.format.receive[0]) {
                    (Some(payload_type), _) => (payload_type, start, event(code, packet)),
                    (None, Some((law, payload_type))) => {
                        let octets = (packet * SAMPLES..).take(SAMPLES as usize);
                        let octets = octets
                            .map(|place| g711::encode(law.law().expect("it is G.711"), sound(key, place)));
                        (payload_type, start + packet * SAMPLES, octets.collect())
                    }
                    (None, None) => return Vec::new(),
                };
            self.sequence = self.sequence.wrapping_add(1);
            let header = Header {
                marker: packet == 0,
                payload_type,
                sequence: self.sequence,
                timestamp,
                ssrc: session.0,
            };
            let mut bytes = [&header.write()[..], &payload].concat();
            if let Some(sender) = &mut sender {
                let mut room = [0; 400];
                bytes = sender.protect(&bytes, &mut room).map(<[u8]>::to_vec).unwrap_or_default();
            }
            self.worker.packet(now, port, remote.rtp, &mut bytes, &mut told);
        }
        told.0
    }
}

fn event(code: u8, packet: u32) -> Vec<u8> {
    let duration = SAMPLES * (packet + 1).min(HELD);
    Event { code, end: packet >= HELD, volume: 10, duration: duration as u16 }.write().to_vec()
}

/// A sample of a key that is held, then let go.
fn sound(key: char, place: u32) -> i16 {
    let Some(row) = KEYS.iter().position(|row| row.contains(key)) else { return 0 };
    let column = KEYS[row].find(key).unwrap_or_default();
    let sine = |hertz: f64| 7000.0 * (TAU * hertz * f64::from(place) / 8000.0).sin();
    if place < HELD * SAMPLES { (sine(ROWS[row]) + sine(COLUMNS[column])) as i16 } else { 0 }
}
