//! Every octet a phone sent and received.

use std::time::Instant;

use bytes::Bytes;

/// Most datagrams kept of a call, each way: an hour of voice.
const KEPT: usize = 200_000;

/// What a datagram is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SIP.
    Sip,
    /// RTP.
    Rtp,
    /// RTCP.
    Rtcp,
}

/// One datagram.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// When it went or came.
    pub at: Instant,
    /// What it is.
    pub kind: Kind,
    /// All of it.
    pub bytes: Bytes,
}

/// What went both ways; the first 200 000 datagrams each way.
#[derive(Debug, Clone, Default)]
pub struct Traffic {
    /// What it sent.
    pub sent: Vec<Datagram>,
    /// What came.
    pub received: Vec<Datagram>,
}

impl Traffic {
    pub(crate) fn sent(&mut self, kind: Kind, bytes: &[u8]) {
        keep(&mut self.sent, kind, Bytes::copy_from_slice(bytes));
    }

    /// Both, in the order of time.
    pub(crate) fn with(mut self, other: Self) -> Self {
        self.sent.extend(other.sent);
        self.received.extend(other.received);
        self.sent.sort_by_key(|datagram| datagram.at);
        self.received.sort_by_key(|datagram| datagram.at);
        self
    }

    pub(crate) fn received(&mut self, kind: Kind, bytes: Bytes) {
        keep(&mut self.received, kind, bytes);
    }
}

fn keep(kept: &mut Vec<Datagram>, kind: Kind, bytes: Bytes) {
    if kept.len() < KEPT {
        kept.push(Datagram { at: Instant::now(), kind, bytes });
    }
}
