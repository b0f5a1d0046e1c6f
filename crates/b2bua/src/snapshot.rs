//! What is kept of a call so that it outlives us: plain values, for whoever writes them down.

use std::net::IpAddr;

use clock::Instant;
pub use sdp::{
    Agreed, Capabilities, ClockRate, Codec, Direction, Key, Keys, Layout, Lines, OpusWishes, Remote, Secured,
    Security, Suite,
};
pub use ua::{Hop, InviteSnapshot, Snapshot as DialogSnapshot};

use crate::record::Record;

/// What the record says of a recording that was cut off with the node.
pub const BROKEN_OFF: &str = "broken off: the node died";

/// A call as it stands. Keys of its media may be in it, and its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The record as far as it goes.
    pub record: Box<Record>,
    /// The caller's dialog, while it is up or about to be.
    pub caller: Option<Box<DialogSnapshot>>,
    /// The callee's, while it is up.
    pub callee: Option<Box<DialogSnapshot>>,
    /// The INVITEs to those who are being called, while they have no answer.
    pub inviting: Vec<InviteSnapshot>,
    /// The dialogs of those who answered and stand in nobody's place yet.
    pub hearing: Vec<Hearing>,
    /// The trunk the callee's leg goes by, where it has taken a place there.
    pub callee_trunk: Option<Box<str>>,
    /// Where both talk: what it takes to let them go on.
    pub joined: Option<Box<Joined>>,
}

/// Somebody who answered and may take the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Hearing {
    /// The trunk their leg goes by, where it has taken a place there.
    pub trunk: Option<Box<str>>,
    /// Their dialog.
    pub dialog: DialogSnapshot,
}

/// Two that talk.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    /// The caller's media.
    pub caller: MediaSnapshot,
    /// The callee's.
    pub callee: MediaSnapshot,
    /// When they are warned; `None`: they were, or will not be.
    pub warns: Option<Instant>,
    /// When they have talked as long as they may.
    pub ends: Instant,
}

/// The media of one leg.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaSnapshot {
    /// Our media address: what the sockets are bound to.
    pub local: IpAddr,
    /// Our RTP port.
    pub port: u16,
    /// Session id and version of our description.
    pub origin: (u64, u64),
    /// What we can do, and the keys we do it with.
    pub capabilities: Capabilities,
    /// What was agreed.
    pub agreed: Agreed,
}
