//! A way past us: packets of a bridge that need other numbers and addresses and nothing else, so that whoever brings them to
//! us, as the system's kernel does, may send them on itself.
//!
//! The machine offers such a way through [`crate::Sink::shortcut`] and goes on as if nobody took it: packets that come
//! to it are its own again. Whoever takes it tells how far it got ([`crate::Worker::progress`]) now and then, and always,
//! having ended it, before the machine is given a packet of that source or a command for one of the two sessions. So the
//! numbers of the stream go on where the shortcut left them.

use std::net::SocketAddr;

use clock::Instant;

use crate::Port;
use crate::codec::ClockRate;

/// A gap of more packets than this is not passed on: the stream closes up, as after a silence.
pub const MAX_GAP: u16 = 50;
/// How far behind the newest a packet may be late, in packets.
pub const MEMORY: u16 = 64;

/// Packets of one source that may be sent on by somebody else. They are those of version 2 without padding, extension and
/// contributing sources, of this payload type and SSRC, that follow the newest by at most [`MAX_GAP`] with a timestamp
/// later by no more than the time that passed and a second, or are late and fit between the first and the newest.
/// Everything else ends the shortcut and comes to us, as reports and other sources do, which end nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortcut {
    /// Where they come to.
    pub from: Port,
    /// Where they come from.
    pub source: SocketAddr,
    /// Where they go out.
    pub to: Port,
    /// Where they go.
    pub destination: SocketAddr,
    /// As they come: payload type and SSRC.
    pub incoming: (u8, u32),
    /// As they go.
    pub outgoing: (u8, u32),
    /// What is added to their sequence numbers.
    pub sequence_offset: u16,
    /// What is added to their timestamps.
    pub timestamp_offset: u32,
    /// Their first sequence number and timestamp: what is older has no place.
    pub base: (u16, u32),
    /// How fast timestamps run.
    pub clock_rate: ClockRate,
    /// Where it begins; nothing passed it yet.
    pub progress: Progress,
}

/// How far a shortcut got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Packets that passed since this was said last.
    pub packets: u64,
    /// Their payload octets.
    pub octets: u64,
    /// The newest sequence number, with its wraps counted above (RFC 3550 §A.1).
    pub highest: u32,
    /// Packets received in all, late ones too, as reports count them.
    pub received: u32,
    /// Bit n: the packet n before the newest was seen.
    pub seen: u64,
    /// The timestamp of the newest.
    pub timestamp: u32,
    /// Its payload octets.
    pub length: u32,
    /// The first two of them, by which some codecs tell how long they last (RFC 6716 §3.1).
    pub begins: [u8; 2],
    /// When it came.
    pub at: Instant,
    /// The time the newest came, in timestamps, less its timestamp (§A.8).
    pub transit: u32,
    /// Interarrival jitter in 1/16 of a timestamp (§A.8).
    pub jitter: u32,
    /// Until when its share of packets is used up: one each 2.5 ms, a second's worth at once.
    pub paid_until: Instant,
}
