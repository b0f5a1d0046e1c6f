//! Whatever octets come, reading them ends, in bounds, without a panic; and what is no packet changes nothing.
//!
//! The corpora are seeds for a fuzzer too: `packet` for `rtp::Packet::parse`, `control` for `rtp::Compound::parse`.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clock::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::srtp::{LONGEST_LIFE, MASTER_LENGTH, Receiver, Sender, Unproven};
use rtp::{
    Codec, Command, Compound, Direction, Event, Format, Library, MasterKey, Media, OpusWishes, Packet, Port,
    Recording, Remote, Report, SessionId, Settings, Sink, Suite, Worker,
};

fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = format!("{}/tests/corpus/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Each file as it is, cut at every length, and with octets changed.
fn variants(bytes: &[u8], random: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let mut variants: Vec<_> = (0..=bytes.len()).map(|length| bytes[..length].to_vec()).collect();
    for _ in 0..bytes.len().min(64) * 20 {
        let mut changed = bytes.to_vec();
        for _ in 0..1 + random.next_u32() % 3 {
            let place = random.next_u32() as usize % bytes.len().min(64);
            changed[place] = random.next_u32() as u8;
        }
        variants.push(changed);
    }
    variants
}

/// Counts, and looks at every octet it is handed.
#[derive(Default)]
struct Reader {
    packets: usize,
    octets: usize,
}

impl Sink for Reader {
    fn send(&mut self, _: Port, _: SocketAddr, packet: &[u8]) {
        // Where reports share the port, they go by it (RFC 5761 §4).
        if (192..=223).contains(&packet[1]) {
            Compound::parse(packet).unwrap();
        } else {
            Packet::parse(packet).unwrap();
        }
        self.packets += 1;
        self.octets += packet.len();
    }

    fn send_control(&mut self, _: Port, _: SocketAddr, packet: &[u8]) {
        Compound::parse(packet).unwrap();
    }

    fn report(&mut self, _: Report) {}

    fn record(&mut self, _: SessionId, _: Recording<'_>) {}
}

fn port(session: u32) -> Port {
    Port { worker: 0, address: 0, number: 10_000 + 2 * session as u16 }
}

fn address(session: u32) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, session as u8], 40_000))
}

/// Two sessions, bridged, the first recorded.
fn worker(sink: &mut Reader) -> Worker {
    let settings = Settings {
        addresses: vec!["198.51.100.1".parse().unwrap()],
        public: vec!["203.0.113.1".parse().unwrap()],
        ports: 10_000..=10_099,
        others: BTreeSet::new(),
        silence: Duration::from_secs(30),
        rtcp_interval: Duration::from_secs(5),
        inband: true,
    };
    let mut worker = Worker::new(settings, Arc::new(Library::default()), [3; 32]);
    for (session, law, payload_type) in [(1, Codec::Pcma, 8), (2, Codec::Pcmu, 0)] {
        let format = Format {
            send: (law, payload_type),
            receive: [Some((Codec::Pcmu, 0)), Some((Codec::Pcma, 8)), None, None],
            also: [None; 3],
            event_send: Some(101),
            event_receive: Some(101),
            ptime: 20,
            longest: None,
            noise: false,
            opus: OpusWishes::default(),
        };
        let remote = Some(Remote { rtp: address(session), rtcp: address(session) });
        let media = Media { remote, format, direction: Direction::SendReceive, srtp: None, xr: false };
        let open = Command::Open { session: SessionId(session), port: port(session), media };
        worker.command(Instant::ZERO, open, sink);
    }
    let bridge = Command::Bridge { first: SessionId(1), second: SessionId(2) };
    worker.command(Instant::ZERO, bridge, sink);
    let record = Command::Record { session: SessionId(1), name: "call.wav".into() };
    worker.command(Instant::ZERO, record, sink);
    worker
}

#[test]
fn packets_of_the_corpus_have_their_verdict() {
    let refused: Vec<_> = corpus("packet")
        .into_iter()
        .filter(|(_, bytes)| Packet::parse(bytes).is_err())
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "dtls",
        "extension_beyond_end",
        "extension_cut",
        "huge",
        "padding_beyond_start",
        "padding_zero",
        "report_on_wrong_port",
        "short",
        "sources_missing",
        "stun",
    ];
    assert_eq!(refused, expected);
}

#[test]
fn reports_of_the_corpus_have_their_verdict() {
    let taken: Vec<_> = corpus("control")
        .into_iter()
        .filter(|(_, bytes)| Compound::parse(bytes).is_ok())
        .map(|(name, _)| name)
        .collect();
    let expected = [
        "application",
        "bye_with_reason",
        "extended_report",
        "padded",
        "receiver_report",
        "sender_report",
        "voip_metrics",
        "voip_metrics_beyond_end",
    ];
    assert_eq!(taken, expected);
}

#[test]
fn packets_however_harmed_are_read_in_bounds() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for (name, bytes) in corpus("packet") {
        for bytes in variants(&bytes, &mut random) {
            if let Ok(packet) = Packet::parse(&bytes) {
                assert!(packet.payload.start >= 12, "{name}");
                let payload = &bytes[packet.payload];
                if let Some(event) = Event::parse(payload) {
                    assert_eq!(Event::parse(&event.write()), Some(event));
                }
                let again = Packet::parse(&packet.header.write()).unwrap();
                assert_eq!(again.header, packet.header, "{name}");
            }
        }
    }
}

#[test]
fn reports_however_harmed_are_read_in_bounds() {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for (name, bytes) in corpus("control") {
        for bytes in variants(&bytes, &mut random) {
            if let Ok(compound) = Compound::parse(&bytes) {
                assert!(compound.blocks().count() * 24 <= bytes.len(), "{name}");
                assert!(compound.voip_metrics().count() * 36 <= bytes.len(), "{name}");
                assert!(compound.sender().is_none() || bytes.len() >= 28, "{name}");
            }
        }
    }
}

#[test]
fn a_worker_lives_through_all_of_it() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut sink = Reader::default();
    let mut worker = worker(&mut sink);
    let mut now = Instant::ZERO;
    for (folder, is_control) in [("packet", false), ("control", true), ("packet", true), ("control", false)] {
        for (_, bytes) in corpus(folder) {
            for mut bytes in variants(&bytes, &mut random) {
                now = now + Duration::from_millis(5);
                let session = 1 + random.next_u32() % 2;
                let from = address(session);
                if is_control {
                    worker.control_packet(now, port(session), from, &bytes, &mut sink);
                } else {
                    worker.packet(now, port(session), from, &mut bytes, &mut sink);
                }
                worker.tick(now, &mut sink);
            }
        }
    }
    assert!(sink.packets > 1000 && sink.octets > 100_000, "{} {}", sink.packets, sink.octets);
}

#[test]
fn nothing_of_it_is_proved_and_all_that_is_protected_is_once() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let key = MasterKey([7; MASTER_LENGTH]);
    // A tag of 32 bits could be met by chance.
    let mut suites =
        [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm].into_iter().cycle();
    let mut protected = 0;
    for bytes in corpus("packet").into_iter().chain(corpus("control")).map(|(_, bytes)| bytes) {
        for bytes in variants(&bytes, &mut random) {
            let suite = suites.next().expect("without end");
            let (mut sender, mut receiver) =
                (Sender::new(suite, &key), Receiver::new(suite, &key, LONGEST_LIFE));
            let mut there = bytes.clone();
            assert_eq!(receiver.unprotect(&mut there), Err(Unproven));
            assert_eq!(receiver.unprotect_control(&mut there), Err(Unproven));
            assert_eq!(there, bytes, "what is refused lies there as it came");
            let mut room = vec![0; bytes.len() + 32];
            if let Some(packet) = sender.protect(&bytes, &mut room) {
                let (mut first, mut again) = (packet.to_vec(), packet.to_vec());
                assert_eq!(receiver.unprotect(&mut first), Ok(bytes.len()));
                assert_eq!(receiver.unprotect(&mut again), Err(Unproven));
                assert_eq!(first[..bytes.len()], bytes);
                protected += 1;
            }
            if let Some(packet) = sender.protect_control(&bytes, &mut room) {
                let (mut first, mut again) = (packet.to_vec(), packet.to_vec());
                assert_eq!(receiver.unprotect_control(&mut first), Ok(bytes.len()));
                assert_eq!(receiver.unprotect_control(&mut again), Err(Unproven));
                assert_eq!(first[..bytes.len()], bytes);
                protected += 1;
            }
        }
    }
    assert!(protected > 1000, "{protected}");
}
