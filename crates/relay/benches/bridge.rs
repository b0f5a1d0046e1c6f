//! What a bridged packet costs one relay thread, on loopback: `cargo bench -p relay`, with numbers of calls as
//! arguments if others than the usual are wanted.
//!
//! Every leg sends 50 packets a second, 20 ms of G.711 each, as in life. Counted is the CPU time of the relay's
//! thread alone; the generator and the receiver have threads of their own.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use relay::{Io, Relay, Settings};
use rtp::{Codec, Command, Direction, Format, Library, Media, Port, Remote, Report, SessionId};

const SECONDS: u32 = 5;
const PACKET_TIME: Duration = Duration::from_millis(20);

fn main() {
    let mut calls: Vec<u16> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    if calls.is_empty() {
        calls = vec![100, 500, 1_000, 2_000];
    }
    for calls in calls {
        for io in [Io::Epoll, Io::IoUring] {
            let line = measure(calls, io);
            writeln!(std::io::stdout(), "{io:?}, {line}").expect("somebody reads this");
        }
    }
}

fn measure(calls: u16, io: Io) -> String {
    let peer = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"));
    let legs = calls * 2;
    let (mut relay, ports, said) = start(legs, io);
    open(&mut relay, &ports, peer.local_addr().expect("it is bound"));

    let over = Arc::new(AtomicBool::new(false));
    let receiver = {
        let (peer, over) = (Arc::clone(&peer), Arc::clone(&over));
        std::thread::spawn(move || receive(&peer, &over))
    };
    let before = cpu_time();
    let start = Instant::now();
    let sent = generate(&peer, &ports);
    let (cpu, wall) = (cpu_time() - before, start.elapsed());
    let (received, passed) = close(&mut relay, legs, &said);
    let full = relay.lost().full;
    over.store(true, Ordering::Relaxed);
    receiver.join().expect("the receiver does not panic");

    let micros = cpu.as_secs_f64() * 1e6 / passed as f64;
    let percent = |part: u64| 100.0 * part as f64 / sent as f64;
    format!(
        "{calls} calls: {:.0} packets/s in, {:.2} % received, {:.2} % passed on, {:.2} % of those not taken by the system, \
         {:.0} % of a core, {micros:.2} us of CPU a packet = {:.0} packets/s and {:.0} calls a core",
        sent as f64 / wall.as_secs_f64(),
        percent(received),
        percent(passed),
        percent(full),
        100.0 * cpu.as_secs_f64() / wall.as_secs_f64(),
        1e6 / micros,
        1e4 / micros,
    )
}

/// Closes all sessions and sums up what they received and sent.
fn close(relay: &mut Relay, legs: u16, said: &Receiver<Report>) -> (u64, u64) {
    for session in 0..u32::from(legs) {
        relay.send(0, Command::Close { session: SessionId(session) });
    }
    relay.flush();
    let closed = said.iter().filter_map(|report| match report {
        Report::Closed { statistics, .. } => Some((statistics.packets_received, statistics.packets_sent)),
        Report::Digit { .. } | Report::Finished { .. } | Report::Silent { .. } | Report::Recorded { .. } => {
            None
        }
    });
    let add = |sum: (u64, u64), one: (u64, u64)| (sum.0 + one.0, sum.1 + one.1);
    closed.take(usize::from(legs)).fold((0, 0), add)
}

fn start(legs: u16, io: Io) -> (Relay, Vec<u16>, Receiver<Report>) {
    let settings = Settings {
        workers: 1,
        io,
        recordings: "/nowhere".into(),
        sessions: rtp::Settings {
            addresses: vec!["127.0.0.1".parse().expect("an address")],
            public: Vec::new(),
            // Some ports may be somebody else's.
            ports: 10_000..=10_000 + 2 * legs + 198,
            others: BTreeSet::new(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
            inband: true,
        },
    };
    let (reports, said) = channel();
    let say = move |report| drop(reports.send(report));
    let (relay, mut usable) =
        Relay::start(settings, &Arc::new(Library::default()), say).expect("the relay starts");
    let mut ports = usable.remove(0).remove(0);
    assert!(ports.len() >= usize::from(legs), "{} ports are free", ports.len());
    ports.truncate(usize::from(legs));
    (relay, ports, said)
}

fn open(relay: &mut Relay, ports: &[u16], peer: SocketAddr) {
    let format = Format {
        send: (Codec::Pcma, 8),
        receive: [Some((Codec::Pcma, 8)), None, None, None],
        event_send: None,
        event_receive: None,
        ptime: 20,
    };
    // RTCP goes nowhere that counts.
    let rtcp = SocketAddr::new(peer.ip(), 9_999);
    let media = Media {
        remote: Some(Remote { rtp: peer, rtcp }),
        format,
        direction: Direction::SendReceive,
        srtp: None,
    };
    for (session, number) in (0..).zip(ports) {
        let port = Port { worker: 0, address: 0, number: *number };
        relay.send(0, Command::Open { session: SessionId(session), port, media });
        if session % 2 == 1 {
            relay.send(0, Command::Bridge { first: SessionId(session - 1), second: SessionId(session) });
        }
    }
    relay.flush();
}

/// Sends to every port in turn, each packet at its moment. Says how many.
fn generate(peer: &UdpSocket, ports: &[u16]) -> u64 {
    let mut packet = [0x55; 172];
    packet[..2].copy_from_slice(&[0x80, 8]);
    let start = Instant::now();
    let gap = PACKET_TIME / u32::try_from(ports.len()).expect("ports are few");
    let mut sent = 0;
    for round in 0..SECONDS * 50 {
        packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(round * 160).to_be_bytes());
        for (leg, port) in (0u32..).zip(ports) {
            while start.elapsed() < PACKET_TIME * round + gap * leg {
                std::thread::yield_now();
            }
            packet[8..12].copy_from_slice(&(leg + 1).to_be_bytes());
            sent += u64::from(peer.send_to(&packet, ("127.0.0.1", *port)).is_ok());
        }
    }
    sent
}

/// Takes what comes, so that the system does as much as in life.
fn receive(peer: &UdpSocket, over: &AtomicBool) {
    peer.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket takes a timeout");
    let mut buffer = [0; 256];
    while !over.load(Ordering::Relaxed) {
        // Nothing for 100 ms is no fault.
        let _ = peer.recv_from(&mut buffer);
    }
}

/// CPU time of the relay's thread so far.
fn cpu_time() -> Duration {
    let is_relay = |task: &PathBuf| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "relay-0")
    };
    let find = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("there is a /proc");
        tasks.filter_map(Result::ok).map(|task| task.path()).find(is_relay)
    };
    // A thread has its name only once it runs.
    let relay = std::iter::repeat_with(find).flatten().next().expect("an endless search");
    let times = std::fs::read_to_string(relay.join("schedstat")).expect("it has times");
    Duration::from_nanos(
        times.split(' ').next().and_then(|time| time.parse().ok()).expect("the first is CPU time"),
    )
}
