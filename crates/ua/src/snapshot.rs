//! What is kept of a leg so that it outlives us: plain values, for whoever writes them down.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::interface::Listener;

/// A leg whose call is up: its dialog (RFC 3261 §12) and how its session is kept up (RFC 4028). Transactions are not in it:
/// what they would absorb is taken for new once.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Call-ID.
    pub call_id: Box<str>,
    /// Our tag.
    pub local_tag: Box<str>,
    /// Theirs; empty where they know no tags.
    pub remote_tag: Box<str>,
    /// Our URI.
    pub local: Box<str>,
    /// Theirs.
    pub remote: Box<str>,
    /// Where requests go: their Contact.
    pub target: Box<str>,
    /// The route set, in order.
    pub routes: Vec<Box<str>>,
    /// Of our last request.
    pub sequence: u32,
    /// Of their last request.
    pub remote_sequence: Option<u32>,
    /// Where they were heard last.
    pub heard: Hop,
    /// Where our INVITE went; `None`: they called.
    pub home: Option<Hop>,
    /// Our session description as it was said last. Keys may be in it.
    pub own: Bytes,
    /// Whether they take UPDATE.
    pub takes_update: bool,
    /// The least interval that a 422 of theirs asked for, in seconds.
    pub least: u32,
    /// Session timers, where there are any: the interval in seconds, and whether we refresh.
    pub terms: Option<(u32, bool)>,
}

/// An INVITE of ours that has no final response, so that whoever comes after can take it back.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteSnapshot {
    /// Where it was sent.
    pub home: Hop,
    /// The whole message. Keys may be in it.
    pub invite: Bytes,
}

impl fmt::Debug for InviteSnapshot {
    /// Without the message: our keys may be in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InviteSnapshot").field("home", &self.home).finish_non_exhaustive()
    }
}

/// One way to a peer: from a listener of ours, by what it is known by, to an address. A connection is not kept: it does
/// not outlive us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// From where.
    pub listener: Listener,
    /// To where.
    pub peer: SocketAddr,
}

impl fmt::Debug for Snapshot {
    /// Without our session description: our keys may be in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("call_id", &self.call_id)
            .field("tags", &(&self.local_tag, &self.remote_tag))
            .field("sequences", &(self.sequence, self.remote_sequence))
            .field("heard", &self.heard)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}
