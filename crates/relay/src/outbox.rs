//! Where the words of a worker's machine go: packets into sockets, reports to the switchboard, sound to the
//! recorder.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rtp::{Port, Recording, Report, SessionId, Sink};

use crate::ports::Pair;
use crate::recording::{Feed, Say};
use crate::sendmmsg::Batch;

/// Packets gathered before they are sent.
const GATHERED: usize = 256;
/// Bytes of one of our packets: 60 ms of G.711 is 492.
const USUAL: usize = 512;

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

/// `Lost`, written by one thread and read by others.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    full: AtomicU64,
    refused: AtomicU64,
    oversized: AtomicU64,
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

/// Which of a worker's sockets: the pair by its place, and which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pair: u32,
    pub(crate) control: bool,
}

impl Place {
    pub(crate) fn both(pair: u32) -> [Self; 2] {
        [Self { pair, control: false }, Self { pair, control: true }]
    }

    /// As an event's key.
    pub(crate) fn key(self) -> u64 {
        u64::from(self.pair) << 1 | u64::from(self.control)
    }

    pub(crate) fn of_key(key: u64) -> Option<Self> {
        Some(Self { pair: u32::try_from(key >> 1).ok()?, control: key & 1 == 1 })
    }
}

/// A packet that is gathered.
struct Gathered {
    place: Place,
    to: SocketAddr,
    start: usize,
    end: usize,
}

/// A worker's sockets, and what it says.
pub(crate) struct Outbox {
    pairs: Vec<Pair>,
    places: Places,
    gathered: Vec<Gathered>,
    bytes: Vec<u8>,
    batch: Batch,
    feed: Feed,
    counters: Arc<Counters>,
    say: Say,
}

impl Outbox {
    pub(crate) fn new(pairs: Vec<Pair>, feed: Feed, counters: Arc<Counters>, say: Say) -> Self {
        Self {
            places: Places::of(&pairs),
            pairs,
            gathered: Vec::with_capacity(GATHERED),
            bytes: Vec::with_capacity(GATHERED * USUAL),
            batch: Batch::new(GATHERED),
            feed,
            counters,
            say,
        }
    }

    /// Where the pair of a port is.
    pub(crate) fn place(&self, port: Port) -> Option<u32> {
        self.places.get(port)
    }

    /// The port of a pair.
    pub(crate) fn port(&self, pair: u32) -> Option<Port> {
        Some(self.pairs.get(pair as usize)?.port)
    }

    pub(crate) fn socket(&self, place: Place) -> Option<&UdpSocket> {
        let pair = self.pairs.get(place.pair as usize)?;
        Some(if place.control { &pair.rtcp } else { &pair.rtp })
    }

    /// Takes the next packet out of a socket. `None` if there is none, or none that can be voice.
    pub(crate) fn receive<'a>(
        &self,
        place: Place,
        buffer: &'a mut [u8],
    ) -> Option<(SocketAddr, &'a mut [u8])> {
        // Errors are those that ICMP reports of packets we sent: nothing of ours waits for them.
        let (length, from) = self.socket(place)?.recv_from(buffer).ok()?;
        if length == buffer.len() {
            self.counters.oversized.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some((from, &mut buffer[..length]))
    }

    /// Throws away what came to a pair before it was opened: it belongs to another call.
    pub(crate) fn empty(&self, pair: u32) {
        let mut nothing = [0; 1];
        for place in Place::both(pair) {
            let Some(socket) = self.socket(place) else { return };
            // A socket's buffer holds less than this; more is a flood, which the machine's source check ends.
            let packets = 0..4_096;
            packets.map_while(|_| socket.recv_from(&mut nothing).ok()).for_each(drop);
        }
    }

    /// Sends everything gathered. What the system does not take at once is lost.
    pub(crate) fn flush(&mut self) {
        let mut rest = self.gathered.as_slice();
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|packet| packet.place == first.place).count();
            let (packets, further) = rest.split_at(run);
            rest = further;
            let Some(pair) = self.pairs.get(first.place.pair as usize) else { continue };
            let socket = if first.place.control { &pair.rtcp } else { &pair.rtp };
            let bytes = |packet: &Gathered| &self.bytes[packet.start..packet.end];
            if let [packet] = packets {
                self.counters.sent(socket.send_to(bytes(packet), packet.to).map(drop));
            } else {
                let packets = packets.iter().map(|packet| (packet.to, bytes(packet)));
                self.batch.send(socket, packets, |result| self.counters.sent(result));
            }
        }
        self.gathered.clear();
        self.bytes.clear();
    }

    /// Tries again to hand on what the recorder had no room for.
    pub(crate) fn settle(&mut self) {
        self.feed.settle();
    }

    /// Forgets what was gathered and ends what is recorded: the machine that said it is gone.
    pub(crate) fn abandon(&mut self) {
        self.gathered.clear();
        self.bytes.clear();
        self.feed.end_all();
    }

    fn gather(&mut self, port: Port, control: bool, to: SocketAddr, packet: &[u8]) {
        let Some(pair) = self.places.get(port) else { return };
        if self.gathered.len() == GATHERED {
            self.flush();
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        let place = Place { pair, control };
        self.gathered.push(Gathered { place, to, start, end: self.bytes.len() });
    }
}

impl Counters {
    fn sent(&self, result: io::Result<()>) {
        if let Err(error) = result {
            let counter = if error.kind() == io::ErrorKind::WouldBlock { &self.full } else { &self.refused };
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sink for Outbox {
    fn send(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        self.gather(port, false, to, packet);
    }

    fn send_control(&mut self, port: Port, to: SocketAddr, packet: &[u8]) {
        self.gather(port, true, to, packet);
    }

    fn report(&mut self, report: Report) {
        (self.say)(report);
    }

    fn record(&mut self, session: SessionId, recording: Recording<'_>) {
        match recording {
            Recording::Begin { name } => self.feed.begin(session, name),
            Recording::Samples(frames) => self.feed.add(session, frames),
            Recording::End => self.feed.end(session),
        }
    }
}

/// Finds pairs by port, without hashing: a row an address, a column an even port.
struct Places(Vec<Vec<Option<u32>>>);

impl Places {
    fn of(pairs: &[Pair]) -> Self {
        let mut rows: Vec<Vec<Option<u32>>> = Vec::new();
        for (place, pair) in (0..).zip(pairs) {
            let row = usize::from(pair.port.address);
            let column = usize::from(pair.port.number / 2);
            if rows.len() <= row {
                rows.resize_with(row + 1, Vec::new);
            }
            if rows[row].len() <= column {
                rows[row].resize(column + 1, None);
            }
            rows[row][column] = Some(place);
        }
        Self(rows)
    }

    fn get(&self, port: Port) -> Option<u32> {
        if port.number % 2 == 1 {
            return None;
        }
        *self.0.get(usize::from(port.address))?.get(usize::from(port.number / 2))?
    }
}
