//! A bridged packet takes no memory of its own: counted over the whole way, from socket to socket and from frame to frame.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use relay::{AtCards, Cards, Hook, Io, Relay, Settings};
use rtp::{Codec, Command, Direction, Format, Header, Library, Media, OpusWishes, Port, Remote, SessionId};

use wire::{Wire, untested, within};

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
fn round(peer: &UdpSocket, ours: IpAddr, ports: &[u16], types: [u8; 2], sequence: u16) {
    for (ssrc, port) in (1..).zip(ports) {
        let timestamp = u32::from(sequence) * 160;
        let header =
            Header { marker: false, payload_type: types[(ssrc as usize + 1) % 2], sequence, timestamp, ssrc };
        let mut packet = [0xd5; 172];
        packet[..12].copy_from_slice(&header.write());
        peer.send_to(&packet, SocketAddr::new(ours, *port)).unwrap();
    }
    let mut buffer = [0; 256];
    for _ in ports {
        assert_eq!(peer.recv(&mut buffer).unwrap(), 172);
    }
}

#[test]
fn a_bridged_packet_allocates_nothing() {
    let pcma = (Codec::Pcma, 8);
    bridged(Io::Epoll, None, 21_600, [pcma; 2]);
    // Nor does one that is decoded and encoded again.
    bridged(Io::Epoll, None, 21_680, [pcma, (Codec::G722, 9)]);
    bridged(Io::IoUring, None, 21_640, [pcma; 2]);
    match Wire::new() {
        Ok(wire) => bridged(Io::Epoll, Some(&wire), 21_600, [pcma; 2]),
        Err(error) => untested(&error.to_string()).unwrap_or_default(),
    }
}

fn bridged(io: Io, wire: Option<&Wire>, first: u16, agreed: [(Codec, u8); 2]) {
    let ours: IpAddr = if wire.is_some() { [10, 7, 0, 1] } else { [127, 0, 0, 1] }.into();
    let theirs: IpAddr = if wire.is_some() { [10, 7, 0, 2] } else { [127, 0, 0, 1] }.into();
    let settings = Settings {
        workers: 1,
        io,
        shortcuts: None,
        lanes: wire.map(|_| AtCards { cards: Cards::OfAddresses, hook: Hook::Auto }),
        max_wait: None,
        recordings: recording::Settings::wav("/nowhere".into()),
        sessions: rtp::Settings {
            addresses: vec![ours],
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
    let start = || Relay::start(settings, &Arc::new(Library::default()), say).map_err(std::io::Error::other);
    let started = if let Some(wire) = wire { within(Some(&wire.ours), start) } else { start() };
    let (mut relay, usable) = started.unwrap();
    if wire.is_some() && !relay.has_lanes() {
        return untested("the kernel takes no programs here").unwrap_or_default();
    }
    let ports = &usable[0][0][..LEGS as usize];
    let bind = || UdpSocket::bind((theirs, 0));
    let peer = if let Some(wire) = wire { within(Some(&wire.theirs), bind) } else { bind() }.unwrap();
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
    (0..50).for_each(|sequence| round(&peer, ours, ports, types, sequence));
    // Each round of a worker opens one lane at most.
    let lanes = if wire.is_some() { u64::from(LEGS) } else { 0 };
    let mut settled = (50..500).inspect(|sequence| round(&peer, ours, ports, types, *sequence));
    let settled = settled.find(|_| relay.meter().lanes() == lanes).unwrap();
    let before = HANDED_OUT.load(Ordering::Relaxed);
    assert!(before > 0, "what is allocated is counted");
    (settled + 1..settled + 151).for_each(|sequence| round(&peer, ours, ports, types, sequence));
    assert_eq!(HANDED_OUT.load(Ordering::Relaxed) - before, 0);
}
