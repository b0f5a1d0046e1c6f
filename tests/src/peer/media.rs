//! The voice of a peer: sends a frame every 20 ms from the moment it knows where to, and hears.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::packet::{self, Packet};
use super::session::Remote;
use crate::g711::Law;
use crate::link::Link;
use crate::wait;

const FRAME: u32 = 160;
const PACE: Duration = Duration::from_millis(20);

/// No two streams of a test have the same, so that one is never mistaken for another.
static NEXT_SSRC: AtomicU32 = AtomicU32::new(0xCA11_0A01);

/// Voice of one call.
#[derive(Debug)]
pub struct Media {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread and its owner share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ssrc: u32,
    rtp: SocketAddr,
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    remote: Option<Remote>,
    muted: bool,
    tone: Vec<u8>,
    /// Key presses to send, one a frame.
    events: VecDeque<Frame>,
    heard: Vec<i16>,
    digits: String,
    packets: Vec<Packet>,
    /// The longest that nothing came between two packets, and when the last came.
    gap: Duration,
    last: Option<Instant>,
    received: Vec<Vec<u8>>,
    senders: BTreeSet<SocketAddr>,
}

#[derive(Debug)]
enum Frame {
    Event {
        first: bool,
        copies: u8,
        payload: Vec<u8>,
    },
    /// Of the voice.
    Voice(Vec<u8>),
    Gap,
}

impl Media {
    /// Opens a pair of ports at this address.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub(crate) fn open(name: &str, address: IpAddr, link: &Link) -> Self {
        let ssrc = NEXT_SSRC.fetch_add(0x0101_0101, Ordering::Relaxed);
        let (rtp, rtcp) = (0..200).find_map(|_| pair(address)).expect("two neighbouring ports are free");
        rtcp.set_nonblocking(true).expect("a socket can be made non-blocking");
        let shared = Arc::new(Shared {
            ssrc,
            rtp: rtp.local_addr().expect("a bound socket has an address"),
            state: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let voice = Speaking {
            shared: Arc::clone(&shared),
            rtp,
            rtcp,
            out: link.fork(u64::from(ssrc)),
            back: link.fork(u64::from(ssrc) + 1),
            cname: format!("canary-{name}@{address}"),
            sequence: 65_500,
            timestamp: u32::MAX - 40_000,
            event_start: 0,
            sent: 0,
            played: 0,
        };
        let thread = std::thread::Builder::new()
            .name(format!("{name} rtp"))
            .spawn(move || voice.run())
            .expect("a thread can be started");
        Self { shared, thread: Some(thread) }
    }

    /// Where it hears.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.rtp
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Begins to send to the other side, or turns to another.
    pub fn connect(&self, remote: Remote) {
        self.shared.state().remote = Some(remote);
    }

    /// Sends no more packets, or again.
    pub fn mute(&self, muted: bool) {
        self.shared.state().muted = muted;
    }

    /// Sends these samples over and over instead of silence.
    pub fn play(&self, samples: &[i16]) {
        let mut state = self.shared.state();
        let law = state.remote.map_or(Law::A, |remote| remote.law);
        state.tone = law.encode_all(samples);
    }

    /// Presses keys: 100 ms each and 60 ms between (RFC 4733 §2.5.1); as tones in the voice, and 100 ms between, where
    /// there are no telephone events.
    ///
    /// # Panics
    /// At what is no key.
    pub fn press(&self, keys: &str) {
        let mut state = self.shared.state();
        if let Some(law) = state.remote.filter(|remote| remote.events.is_none()).map(|remote| remote.law) {
            let voice = law.encode_all(&crate::tone::keys(keys));
            state.events.extend(voice.chunks(FRAME as usize).map(|frame| Frame::Voice(frame.to_vec())));
            return;
        }
        for key in keys.chars() {
            for step in 1..=5_u16 {
                let payload = packet::event(key, step == 5, step * 160).expect("a key of the telephone");
                let copies = if step == 5 { 3 } else { 1 };
                state.events.push_back(Frame::Event { first: step == 1, copies, payload });
            }
            state.events.extend([Frame::Gap, Frame::Gap, Frame::Gap]);
        }
    }

    /// Everything heard so far, one packet after the other.
    #[must_use]
    pub fn heard(&self) -> Vec<i16> {
        self.shared.state().heard.clone()
    }

    /// Keys the other side pressed.
    #[must_use]
    pub fn digits(&self) -> String {
        self.shared.state().digits.clone()
    }

    /// Every RTP packet received.
    #[must_use]
    pub fn packets(&self) -> Vec<Packet> {
        self.shared.state().packets.clone()
    }

    /// The longest that nothing was heard between two packets.
    #[must_use]
    pub fn longest_gap(&self) -> Duration {
        self.shared.state().gap
    }

    /// Everybody who sent RTP.
    #[must_use]
    pub fn senders(&self) -> BTreeSet<SocketAddr> {
        self.shared.state().senders.clone()
    }

    /// Waits until the last half second heard is this tone.
    pub fn await_tone(&self, hertz: f64) {
        wait::until_true(&format!("a tone of {hertz} Hz"), wait::LATER, || {
            crate::tone::now(&self.heard(), hertz)
        });
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no peer panics while it holds its voice")
    }

    /// Every RTP and RTCP packet, as bytes.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.state().received.clone()
    }
}

/// An even port and the next.
fn pair(address: IpAddr) -> Option<(UdpSocket, UdpSocket)> {
    let rtp = UdpSocket::bind((address, 0)).ok()?;
    let port = rtp.local_addr().ok()?.port();
    let rtcp = (port % 2 == 0).then(|| UdpSocket::bind((address, port + 1)).ok()).flatten()?;
    Some((rtp, rtcp))
}

/// The thread's own.
struct Speaking {
    shared: Arc<Shared>,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    out: Link,
    back: Link,
    cname: String,
    sequence: u16,
    timestamp: u32,
    event_start: u32,
    sent: u32,
    played: usize,
}

impl Speaking {
    fn run(mut self) {
        let mut next = Instant::now();
        while !self.shared.over.load(Ordering::Relaxed) {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                next += PACE;
                self.speak();
                self.timestamp = self.timestamp.wrapping_add(FRAME);
            } else {
                self.hear(left);
            }
        }
    }

    fn hear(&mut self, patience: Duration) {
        let mut buffer = [0; 2048];
        self.rtp.set_read_timeout(Some(patience)).expect("patience is not zero");
        if let Ok((length, from)) = self.rtp.recv_from(&mut buffer)
            && self.back.passes()
        {
            self.shared.state().hear(&buffer[..length], from);
        }
        while let Ok(length) = self.rtcp.recv(&mut buffer) {
            self.shared.state().received.push(buffer[..length].to_vec());
        }
    }

    fn speak(&mut self) {
        let (remote, frame) = {
            let mut state = self.shared.state();
            let Some(remote) = state.remote.filter(|_| !state.muted) else { return };
            (remote, state.events.pop_front())
        };
        match (frame, remote.events) {
            (Some(Frame::Event { first, copies, payload }), Some(kind)) => {
                if first {
                    self.event_start = self.timestamp;
                }
                for _ in 0..copies {
                    self.send(remote, first, kind, self.event_start, payload.clone());
                }
            }
            (Some(Frame::Voice(payload)), _) => {
                self.send(remote, self.sent == 0, remote.law.payload_type(), self.timestamp, payload);
            }
            _ => {
                let payload = self.next_frame(remote.law);
                self.send(remote, self.sent == 0, remote.law.payload_type(), self.timestamp, payload);
            }
        }
        if self.sent % 50 == 25 {
            let report = packet::report(self.shared.ssrc, self.sent, self.sent * FRAME, &self.cname);
            let to = SocketAddr::new(remote.rtp.ip(), remote.rtp.port() + 1);
            // A closed port is found out elsewhere.
            drop(self.rtcp.send_to(&report, to));
        }
    }

    fn next_frame(&mut self, law: Law) -> Vec<u8> {
        let state = self.shared.state();
        if state.tone.is_empty() {
            return vec![law.encode(0); FRAME as usize];
        }
        let frame = (0..FRAME as usize).map(|at| state.tone[(self.played + at) % state.tone.len()]).collect();
        self.played += FRAME as usize;
        frame
    }

    fn send(&mut self, remote: Remote, marker: bool, payload_type: u8, timestamp: u32, payload: Vec<u8>) {
        let packet = Packet {
            marker,
            payload_type,
            sequence: self.sequence,
            timestamp,
            ssrc: self.shared.ssrc,
            payload,
        };
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
        if self.out.passes() {
            drop(self.rtp.send_to(&packet.write(), remote.rtp));
        }
    }
}

impl State {
    fn hear(&mut self, bytes: &[u8], from: SocketAddr) {
        self.received.push(bytes.to_vec());
        self.senders.insert(from);
        let Some(packet) = Packet::parse(bytes) else { return };
        match packet.payload_type {
            0 => self.heard.extend(packet.payload.iter().map(|octet| Law::Mu.decode(*octet))),
            8 => self.heard.extend(packet.payload.iter().map(|octet| Law::A.decode(*octet))),
            kind if self.remote.and_then(|remote| remote.events) == Some(kind) => {
                let is_new = !self.packets.iter().rev().take(50).any(|before| {
                    before.timestamp == packet.timestamp && before.payload_type == packet.payload_type
                });
                if is_new {
                    self.digits.extend(packet::digit(&packet.payload));
                }
            }
            _ => {}
        }
        let now = Instant::now();
        self.gap = self.last.map_or(self.gap, |last| self.gap.max(now - last));
        self.last = Some(now);
        self.packets.push(packet);
    }
}
