//! What was lost on its way, and why.

use std::io;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Packets that did not get through, by why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// The socket's buffer was full (`EAGAIN`): the network card or the loop is too slow.
    pub full: u64,
    /// The system refused them: no route, an address that cannot be reached.
    pub refused: u64,
    /// Came in larger than any packet of voice is.
    pub oversized: u64,
}

impl Add for Lost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            full: self.full + other.full,
            refused: self.refused + other.refused,
            oversized: self.oversized + other.oversized,
        }
    }
}

/// What the workers of a relay count, for whoever wants to look while they go on.
#[derive(Debug, Clone)]
pub struct Meter(pub(crate) Vec<Arc<Counters>>);

impl Meter {
    /// What was lost on its way since the start.
    #[must_use]
    pub fn lost(&self) -> Lost {
        self.0.iter().fold(Lost::default(), |sum, counters| sum + counters.read())
    }

    /// Of how many sessions the kernel sends the packets on by itself just now.
    #[must_use]
    pub fn shortcuts(&self) -> u64 {
        self.0.iter().map(|counters| counters.shortcuts()).sum()
    }

    /// How many sessions' packets come and go as frames of a card just now, past the system's sockets.
    #[must_use]
    pub fn lanes(&self) -> u64 {
        self.0.iter().map(|counters| counters.lanes.load(Ordering::Relaxed)).sum()
    }
}

/// `Lost`, written by one thread and read by others. What lies beside it in memory is another worker's, and not on the same cache
/// lines, of which cores fetch two at a time.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    full: AtomicU64,
    refused: AtomicU64,
    oversized: AtomicU64,
    shortcuts: AtomicU64,
    lanes: AtomicU64,
    orders: AtomicU64,
}

impl Counters {
    /// Notes that the worker has taken an order.
    pub(crate) fn order(&self) {
        self.orders.fetch_add(1, Ordering::Relaxed);
    }

    /// How many it has taken since it began.
    pub(crate) fn orders(&self) -> u64 {
        self.orders.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn read(&self) -> Lost {
        Lost {
            full: self.full.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            oversized: self.oversized.load(Ordering::Relaxed),
        }
    }
}

impl Counters {
    /// Counts what became of a packet that was to be sent.
    pub(crate) fn sent(&self, result: io::Result<()>) {
        if let Err(error) = result {
            let counter = if error.kind() == io::ErrorKind::WouldBlock { &self.full } else { &self.refused };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes of how many sessions the kernel has the packets.
    pub(crate) fn note_shortcuts(&self, count: usize) {
        self.shortcuts.store(count as u64, Ordering::Relaxed);
    }

    /// Of how many sessions the kernel has the packets.
    pub(crate) fn shortcuts(&self) -> u64 {
        self.shortcuts.load(Ordering::Relaxed)
    }

    /// Notes how many lanes are open.
    pub(crate) fn note_lanes(&self, count: usize) {
        self.lanes.store(count as u64, Ordering::Relaxed);
    }

    /// Counts a packet that was too long to be taken.
    pub(crate) fn oversized(&self) {
        self.oversized.fetch_add(1, Ordering::Relaxed);
    }
}
