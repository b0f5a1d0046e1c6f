//! A bridged packet takes no memory of its own: counted over the whole way, from socket to socket.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use relay::{Io, Relay, Settings};
use rtp::{Codec, Command, Direction, Format, Header, Library, Media, OpusWishes, Port, Remote, SessionId};

/// Counts what it hands out.
struct Counting;

static HANDED_OUT: AtomicU64 = AtomicU64::new(0);

// SAFETY: all is done by the system's allocator, as it was asked for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LEGS: u32 = 8;
/// Longer than a busy machine makes a packet wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a packet of every leg and takes as many.
fn round(peer: &UdpSocket, ports: &[u16], types: [u8; 2], sequence: u16) {
    for (ssrc, port) in (1..).zip(ports) {
        let timestamp = u32::from(sequence) * 160;
        let header =
            Header { marker: false, payload_type: types[(ssrc as usize + 1) % 2], sequence, timestamp, ssrc };
        let mut packet = [0xd5; 172];
        packet[..12].copy_from_slice(&header.write());
        peer.send_to(&packet, SocketAddr::from(([127, 0, 0, 1], *port))).unwrap();
    }
    let mut buffer = [0; 256];
    for _ in ports {
        assert_eq!(peer.recv(&mut buffer).unwrap(), 172);
    }
}

#[test]
fn a_bridged_packet_allocates_nothing() {
    let pcma = (Codec::Pcma, 8);
    bridged(Io::Epoll, 21_600, [pcma; 2]);
    // Nor does one that is decoded and encoded again.
    bridged(Io::Epoll, 21_680, [pcma, (Codec::G722, 9)]);
    bridged(Io::IoUring, 21_640, [pcma; 2]);
}

fn bridged(io: Io, first: u16, agreed: [(Codec, u8); 2]) {
    let settings = Settings {
        workers: 1,
        io,
        shortcuts: None,
        lanes: None,
        recordings: recording::Settings::wav("/nowhere".into()),
        sessions: rtp::Settings {
            addresses: vec!["127.0.0.1".parse().unwrap()],
            public: Vec::new(),
            ports: first..=first + 39,
            others: BTreeSet::new(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(3600),
            inband: true,
        },
    };
    let (reports, said) = channel();
    let say = move |report| drop(reports.send(report));
    let (mut relay, usable) = Relay::start(settings, &Arc::new(Library::default()), say).unwrap();
    let ports = &usable[0][0][..LEGS as usize];
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let format = |agreed: (Codec, u8)| Format {
        send: agreed,
        receive: [Some(agreed), None, None, None],
        also: [None; 3],
        event_send: Some(101),
        event_receive: Some(101),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    let rtp = peer.local_addr().unwrap();
    let remote = Some(Remote { rtp, rtcp: SocketAddr::new(rtp.ip(), 9) });
    for (session, number) in (0..).zip(ports) {
        let format = format(agreed[session as usize % 2]);
        let media = Media { remote, format, direction: Direction::SendReceive, srtp: None, xr: false };
        let port = Port { worker: 0, address: 0, number: *number };
        relay.send(0, Command::Open { session: SessionId(session), port, media });
        if session % 2 == 1 {
            relay.send(0, Command::Bridge { first: SessionId(session - 1), second: SessionId(session) });
        }
    }
    // Answered once all before it is done.
    relay.send(0, Command::Close { session: SessionId(LEGS) });
    relay.flush();
    said.recv_timeout(PATIENCE).unwrap();
    // What grows to its size does so on the first packets.
    let types = agreed.map(|(_, payload_type)| payload_type);
    (0..50).for_each(|sequence| round(&peer, ports, types, sequence));
    let before = HANDED_OUT.load(Ordering::Relaxed);
    assert!(before > 0, "what is allocated is counted");
    (50..200).for_each(|sequence| round(&peer, ports, types, sequence));
    assert_eq!(HANDED_OUT.load(Ordering::Relaxed) - before, 0);
}
