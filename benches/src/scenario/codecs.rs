//! What one worker of the relay does with a packet between two phones that have no codec in common.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rtp::codec::{g722, opus};
use rtp::{
    Codec, Command, Direction, Format, Header, Law, Library, Media, OpusWishes, Port, Recording, Remote,
    Report, SessionId, Settings, Sink, Worker, g711,
};

const HEADER: usize = 12;
/// Packets that are prepared, 20 ms each: what is said again and again.
const PREPARED: usize = 100;

/// A round is 20 ms from a phone with A-law to one with G.722.
pub(crate) fn pcma_to_g722(rounds: u64) {
    between(rounds, Codec::Pcma, Codec::G722);
}

/// A round is 20 ms from a phone with G.722 to one with A-law.
pub(crate) fn g722_to_pcma(rounds: u64) {
    between(rounds, Codec::G722, Codec::Pcma);
}

/// A round is 20 ms from a phone with A-law to one with Opus.
pub(crate) fn pcma_to_opus(rounds: u64) {
    between(rounds, Codec::Pcma, Codec::Opus);
}

/// A round is 20 ms from a phone with Opus to one with A-law.
pub(crate) fn opus_to_pcma(rounds: u64) {
    between(rounds, Codec::Opus, Codec::Pcma);
}

/// A round is 20 ms from a phone with G.722 to one with Opus.
pub(crate) fn g722_to_opus(rounds: u64) {
    between(rounds, Codec::G722, Codec::Opus);
}

/// A round is 20 ms from a phone with Opus to one with G.722.
pub(crate) fn opus_to_g722(rounds: u64) {
    between(rounds, Codec::Opus, Codec::G722);
}

/// A round is 20 ms between two phones with Opus, which pass as they are.
pub(crate) fn opus_passed(rounds: u64) {
    between(rounds, Codec::Opus, Codec::Opus);
}

/// A round is 60 ms of A-law for a phone that takes 20 ms at most: three packets.
pub(crate) fn cut(rounds: u64) {
    let long = Format { ptime: 60, ..format(Codec::Pcma) };
    let short = Format { longest: Some(20), ..format(Codec::Pcma) };
    let packets: Vec<Vec<u8>> = prepared(Codec::Pcma).chunks(3).map(<[Vec<u8>]>::concat).collect();
    assert_eq!(passed(rounds, [long, short], &packets[..PREPARED / 3], 60), 3 * rounds);
}

fn between(rounds: u64, from: Codec, to: Codec) {
    assert_eq!(passed(rounds, [format(from), format(to)], &prepared(from), 20), rounds);
}

/// Has the first phone speak for so many packets; says how many the second is sent.
fn passed(rounds: u64, formats: [Format; 2], packets: &[Vec<u8>], milliseconds: u32) -> u64 {
    let settings = Settings {
        addresses: vec![[198, 51, 100, 4].into()],
        public: Vec::new(),
        ports: 10_000..=10_003,
        others: BTreeSet::new(),
        silence: Duration::from_secs(30),
        rtcp_interval: Duration::from_secs(5),
        inband: true,
    };
    let mut worker = Worker::new(settings, Arc::new(Library::default()), [7; 32]);
    let mut tally = Tally::default();
    for (session, format) in (0..).zip(formats) {
        let remote = Some(Remote { rtp: address(session, 40_000), rtcp: address(session, 40_001) });
        let media = Media { remote, format, direction: Direction::SendReceive, srtp: None, xr: false };
        let open = Command::Open { session: SessionId(session), port: port(session), media };
        worker.command(Instant::ZERO, open, &mut tally);
    }
    worker.command(Instant::ZERO, Command::Bridge { first: SessionId(0), second: SessionId(1) }, &mut tally);
    let (codec, payload_type) = formats[0].send;
    let step = milliseconds * codec.clock_rate().hertz() / 1000;
    let mut buffer = [0; 1500];
    for (round, payload) in (0..rounds).zip(packets.iter().cycle()) {
        let header = Header {
            marker: false,
            payload_type,
            sequence: round as u16,
            timestamp: (round as u32).wrapping_mul(step),
            ssrc: 1,
        };
        let length = HEADER + payload.len();
        buffer[..HEADER].copy_from_slice(&header.write());
        buffer[HEADER..length].copy_from_slice(payload);
        let now = Instant(Duration::from_millis(round * u64::from(milliseconds)));
        worker.packet(now, port(0), address(0, 40_000), black_box(&mut buffer[..length]), &mut tally);
    }
    tally.packets
}

/// Two seconds of a voice, in packets of 20 ms.
fn prepared(codec: Codec) -> Vec<Vec<u8>> {
    let wide: Vec<i16> = (0..PREPARED as u32 * 320).map(voice).collect();
    let narrow: Vec<i16> = wide.iter().step_by(2).copied().collect();
    let in_law = |law| {
        let packets = narrow.chunks(160);
        packets.map(|samples| samples.iter().map(|sample| g711::encode(law, *sample)).collect()).collect()
    };
    match codec {
        Codec::Pcmu => in_law(Law::Mu),
        Codec::Pcma => in_law(Law::A),
        Codec::G722 => {
            let mut octets = vec![0; wide.len() / 2];
            g722::Encoder::default().encode(&wide, &mut octets);
            octets.chunks(160).map(<[u8]>::to_vec).collect()
        }
        Codec::Opus => {
            let mut encoder = opus::Encoder::new(OpusWishes::default()).expect("there is memory");
            let mut room = [0; 480];
            let packets = wide.chunks(320).map(|samples| {
                let length = encoder.encode(samples, &mut room).expect("it is no pause");
                room[..length].to_vec()
            });
            packets.collect()
        }
    }
}

/// A vowel at a pitch of 150 Hz, in syllables.
fn voice(n: u32) -> i16 {
    let time = f64::from(n) / 16_000.0;
    let line = |harmonic: u32| (TAU * f64::from(150 * harmonic) * time).sin() / f64::from(harmonic);
    (5000.0 * (1.2 + (TAU * 4.0 * time).sin()) * (1..20).map(line).sum::<f64>()) as i16
}

/// What the worker said.
#[derive(Default)]
struct Tally {
    packets: u64,
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
        black_box(report);
    }

    fn record(&mut self, session: SessionId, recording: Recording<'_>) {
        black_box((session, recording));
    }
}

/// As everybody has it.
pub(super) fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    }
}

fn format(codec: Codec) -> Format {
    let payload_type = payload_type(codec);
    Format {
        send: (codec, payload_type),
        also: [None; 3],
        receive: [Some((codec, payload_type)), None, None, None],
        event_send: Some(101),
        event_receive: Some(101),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes { correction: true, ..OpusWishes::default() },
    }
}

fn port(session: u32) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session as u16 }
}

fn address(session: u32, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, session as u8], port))
}
