//! A worker's part of the kernel's work: which of its sessions' packets the kernel has, and how far they got.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aya::maps::{HashMap, MapData};
use clock::Instant;
use rtp::{Progress, Shortcut};

use crate::lost::Counters;

use super::netlink::{Card, Way};
use super::roads::Roads;
use super::slot::{Course, Slots, octets};

/// In which time each slot is looked at once, and in how many parts.
const ROUND: Duration = Duration::from_secs(1);
const PARTS: usize = 10;

/// Where packets are going, as the program looks it up: address, port, two octets of zeros.
type Key = [u8; 20];

/// What a worker's part is made of.
pub(super) struct Parts {
    pub(super) table: HashMap<MapData, Key, u32>,
    pub(super) slots: Arc<Slots>,
    pub(super) cards: Arc<[Card]>,
    /// The slot of its first pair.
    pub(super) first: u32,
    pub(super) pairs: usize,
    pub(super) roads: Roads,
}

/// A worker's part.
pub(crate) struct Ways {
    table: HashMap<MapData, Key, u32>,
    slots: Arc<Slots>,
    cards: Arc<[Card]>,
    first: u32,
    roads: Roads,
    /// The machine's time zero on the system's monotonic clock.
    epoch: Duration,
    /// By pair of ports that packets come to.
    taken: Vec<Option<Taken>>,
    count: usize,
    /// By pair of ports that packets go out of: where they come to.
    into: Vec<Option<u32>>,
    counters: Arc<Counters>,
    /// Which part of the pairs is looked at next, and when.
    part: usize,
    look_at: Instant,
}

/// Packets of one source that the kernel has.
#[derive(Debug, Clone, Copy)]
struct Taken {
    key: Key,
    shortcut: Shortcut,
    to: u32,
    course: Course,
    /// What of the slot's counts the machine knows.
    packets: u64,
    octets: u64,
}

impl Ways {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { table, slots, cards, first, pairs, roads } = parts;
        Self {
            table,
            slots,
            cards,
            first,
            roads,
            epoch: Duration::ZERO,
            taken: vec![None; pairs],
            count: 0,
            into: vec![None; pairs],
            counters: Arc::default(),
            part: 0,
            look_at: Instant::default(),
        }
    }

    /// Has it noted how much the kernel does.
    pub(crate) fn count_in(&mut self, counters: Arc<Counters>) {
        self.counters = counters;
    }

    /// Times are counted from now.
    pub(crate) fn begin_time(&mut self) {
        self.epoch = monotonic();
    }

    /// Whether the kernel has packets from there that come to a pair.
    #[inline]
    pub(crate) fn has(&self, pair: u32, from: SocketAddr) -> bool {
        let taken = self.taken.get(pair as usize).and_then(Option::as_ref);
        taken.is_some_and(|taken| taken.shortcut.source == from)
    }

    /// Gives the kernel a session's packets, if it knows the way. Nothing else may have come from their source since the
    /// shortcut was offered.
    pub(crate) fn begin(&mut self, now: Instant, pair: u32, to: u32, shortcut: &Shortcut) {
        if let Err(error) = self.try_begin(now, pair, to, shortcut) {
            tracing::debug!(%error, "a call stays with the relay");
        }
    }

    fn try_begin(&mut self, now: Instant, pair: u32, to: u32, shortcut: &Shortcut) -> io::Result<()> {
        if self.taken.get(pair as usize).is_none_or(Option::is_some)
            || self.into.get(to as usize).is_none_or(Option::is_some)
        {
            return Ok(());
        }
        let Some(local) =
            self.roads.way(now, shortcut.source.ip(), shortcut.from.address)?.map(|way| way.source)
        else {
            return Ok(());
        };
        let Some(way) = self.roads.way(now, shortcut.destination.ip(), shortcut.to.address)? else {
            return Ok(());
        };
        let Some(course) = self.course(shortcut, way) else { return Ok(()) };
        let key = key(local, shortcut.from.number);
        let number = self.first + pair;
        let Some(slot) = self.slots.get(number) else { return Ok(()) };
        slot.begin(&course, &shortcut.progress);
        if let Err(error) = self.table.insert(key, number, 0) {
            slot.end();
            return Err(io::Error::other(error));
        }
        self.taken[pair as usize] =
            Some(Taken { key, shortcut: *shortcut, to, course, packets: 0, octets: 0 });
        self.into[to as usize] = Some(pair);
        self.count += 1;
        self.counters.note_shortcuts(self.count);
        Ok(())
    }

    /// Takes back what the kernel has of a pair's packets, and says how far they got since this was said last.
    pub(crate) fn end(&mut self, pair: u32) -> Option<Progress> {
        let taken = self.taken.get_mut(pair as usize)?.take()?;
        self.into[taken.to as usize] = None;
        self.count -= 1;
        self.counters.note_shortcuts(self.count);
        let progress = self.slots.get(self.first + pair)?.end();
        if let Err(error) = self.table.remove(&taken.key) {
            // It finds a slot that is not active.
            tracing::debug!(%error, "the kernel keeps a way it was told to forget");
        }
        Some(since(&taken, progress))
    }

    /// The pair whose packets go out of this one.
    pub(crate) fn into(&self, pair: u32) -> Option<u32> {
        *self.into.get(pair as usize)?
    }

    /// When packets are to be looked after again; `None` while the kernel has none.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        (self.count > 0).then_some(self.look_at)
    }

    /// Looks after a part of what the kernel has, if it is time: says how far each got, and that the way is still what it was.
    pub(crate) fn look(&mut self, now: Instant, mut tell: impl FnMut(u32, &Progress)) {
        if self.count == 0 || now < self.look_at {
            return;
        }
        self.look_at = now + ROUND / u32::try_from(PARTS).expect("a small constant");
        let length = self.taken.len().div_ceil(PARTS);
        let from = self.part * length;
        self.part = (self.part + 1) % PARTS;
        for pair in from..(from + length).min(self.taken.len()) {
            let Some(taken) = self.taken[pair] else { continue };
            let pair = u32::try_from(pair).expect("fewer pairs than ports");
            if self.has_moved(now, &taken) {
                if let Some(progress) = self.end(pair) {
                    tell(pair, &progress);
                }
                continue;
            }
            let Some(progress) = self.slots.get(self.first + pair).and_then(super::slot::Slot::look) else {
                continue;
            };
            let told = since(&taken, progress);
            if let Some(taken) = &mut self.taken[pair as usize] {
                (taken.packets, taken.octets) = (progress.packets, progress.octets);
            }
            tell(pair, &told);
        }
    }

    /// Whether packets would go another way now.
    fn has_moved(&mut self, now: Instant, taken: &Taken) -> bool {
        let shortcut = &taken.shortcut;
        let way = self.roads.way(now, shortcut.destination.ip(), shortcut.to.address).ok().flatten();
        way.and_then(|way| self.course(shortcut, way)) != Some(taken.course)
    }

    /// What the program is told; `None` where packets leave by a card it is not at, or come by one family and leave by another.
    fn course(&self, shortcut: &Shortcut, way: Way) -> Option<Course> {
        if shortcut.source.is_ipv4() != shortcut.destination.is_ipv4() {
            return None;
        }
        let card = self.cards.iter().find(|card| card.index == way.interface)?;
        let (incoming_type, incoming_ssrc) = shortcut.incoming;
        let (outgoing_type, outgoing_ssrc) = shortcut.outgoing;
        let (base, base_timestamp) = shortcut.base;
        Some(Course {
            interface: way.interface,
            source: octets(shortcut.source.ip()),
            from: octets(way.source),
            to: octets(shortcut.destination.ip()),
            source_port: shortcut.source.port().to_be_bytes(),
            from_port: shortcut.to.number.to_be_bytes(),
            to_port: shortcut.destination.port().to_be_bytes(),
            next_hop: way.next_hop,
            ours: card.mac,
            incoming_type,
            outgoing_type,
            incoming_ssrc: incoming_ssrc.to_be_bytes(),
            outgoing_ssrc: outgoing_ssrc.to_be_bytes(),
            timestamp_offset: shortcut.timestamp_offset,
            base_timestamp,
            sequence_offset: shortcut.sequence_offset,
            base,
            clock_rate: shortcut.clock_rate.hertz(),
            unused: [0; 4],
            epoch: u64::try_from(self.epoch.as_nanos()).unwrap_or(u64::MAX).to_ne_bytes(),
        })
    }
}

/// Nothing is left in the kernel of a worker that is gone.
impl Drop for Ways {
    fn drop(&mut self) {
        for pair in 0..self.taken.len() {
            self.end(u32::try_from(pair).expect("fewer pairs than ports"));
        }
    }
}

/// The progress since the machine was told last.
fn since(taken: &Taken, progress: Progress) -> Progress {
    Progress {
        packets: progress.packets.wrapping_sub(taken.packets),
        octets: progress.octets.wrapping_sub(taken.octets),
        ..progress
    }
}

pub(super) fn key(local: IpAddr, port: u16) -> Key {
    let mut key = [0; 20];
    key[..16].copy_from_slice(&octets(local));
    key[16..18].copy_from_slice(&port.to_be_bytes());
    key
}

/// The clock that `std::time::Instant` and the kernel's programs read.
pub(super) fn monotonic() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live value, which the call fills; this clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
