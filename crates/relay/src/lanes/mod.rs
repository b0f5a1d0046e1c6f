//! Lanes: the way of a session's packets with one address past the system's sockets, as frames in rings that the kernel shares
//! with the worker (`AF_XDP`).
//!
//! A lane is opened once packets have gone to one address for a while, as a tie is, and only where the system knows the way
//! there over Ethernet: so what comes by it comes from whom the machine talks to, and was let in by the system before.
//! Everything else, and all that a lane has no room for, goes by the sockets, which stay bound; so does everything once a way
//! has changed. Whom a session listens to is not decided here.

mod asking;
mod frame;
mod queue;
mod rings;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::sync::Arc;

use aya::maps::{HashMap, Map, MapData, XskMap};
use aya::{Ebpf, EbpfLoader};
use clock::Instant;
use rtp::Port;

use crate::kernel::{
    AtCards, Card, Hook, KernelError, Places, Roads, attach, causes, chosen, octets, program,
};
use crate::lost::Counters;
use crate::sockets::{Place, Sockets};

use self::asking::Asking;
use self::frame::Header;
use self::queue::{End, QUEUES};
use self::rings::Frame;

/// The program, made by `bpf/build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../bpf/lanes.bpf.o");

/// What the program is called in the object.
const PROGRAM: &str = "divide";

/// After so many packets in a row to one address a lane is opened, sooner than a tie: where there is a lane that is not needed.
const STEADY: u32 = 25;

/// Lanes that are opened in a round: packets wait some 20 µs for each of them, and each spares them more.
const TO_OPEN: usize = 8;

/// Frames a worker takes at a time, before it sends what became of them.
const TOGETHER: u32 = 256;

/// As the program looks a lane up: our address and theirs, our port and theirs.
type Key = [u8; 36];

/// The program at one card, and its rings. Dropping it takes it away.
struct Gate {
    ebpf: Ebpf,
    card: Card,
    /// What is each worker's, by queue; taken when it starts.
    ends: Vec<Vec<End>>,
}

/// The programs at all cards.
pub(crate) struct Gates {
    gates: Vec<Gate>,
    workers: u32,
}

impl Gates {
    /// Puts the program at cards, with rings for so many workers and room for a lane for each of so many pairs of ports.
    pub(crate) fn start(
        at: &AtCards,
        sessions: &rtp::Settings,
        pairs: usize,
        workers: u16,
    ) -> Result<Self, KernelError> {
        let pairs = u32::try_from(pairs).map_err(KernelError::refused)?;
        let cards = chosen(&at.cards, sessions)?;
        let workers = workers.into();
        let gates = cards.into_iter().map(|card| Gate::start(card, at.hook, pairs, workers));
        Ok(Self { gates: gates.collect::<Result<_, _>>()?, workers })
    }

    /// The part of a worker.
    pub(crate) fn lanes(
        &mut self,
        worker: usize,
        sockets: &Arc<Sockets>,
        addresses: &[IpAddr],
        counters: &Arc<Counters>,
    ) -> Result<Lanes, KernelError> {
        let cards: Result<_, KernelError> = self.gates.iter_mut().map(|gate| gate.part(worker)).collect();
        let worker = u32::try_from(worker).map_err(KernelError::refused)?;
        Ok(Lanes {
            worker,
            asking: Asking::new(Arc::clone(sockets), (worker, self.workers)),
            sockets: Arc::clone(sockets),
            addresses: addresses.to_vec(),
            roads: Roads::new(addresses).map_err(KernelError::refused)?,
            cards: cards?,
            lanes: (0..sockets.pairs()).map(|_| Lane::default()).collect(),
            open: Vec::with_capacity(sockets.pairs()),
            ripe: Vec::with_capacity(TO_OPEN),
            looked: 0,
            turn: (0, 0),
            left: 0,
            lent: None,
            counters: Arc::clone(counters),
            began: std::time::Instant::now(),
        })
    }
}

impl Gate {
    fn start(card: Card, hook: Hook, pairs: u32, workers: u32) -> Result<Self, KernelError> {
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("lanes", pairs)
            .map_max_entries("rings", QUEUES * workers)
            .load(OBJECT)
            .map_err(|error| KernelError::refused(causes(&error)))?;
        program(&mut ebpf, PROGRAM)?.load().map_err(|error| KernelError::refused(causes(&error)))?;
        let places = Places {
            native: PROGRAM,
            generic: PROGRAM,
            in_driver: hook != Hook::Generic,
            behind: hook != Hook::Native,
        };
        let hook = attach(&mut ebpf, &card, &places)?;
        let ends = queue::all(&card, workers).map_err(|error| KernelError::Card {
            name: card.name.clone(),
            reason: format!(
                "{error}; AF_XDP needs CAP_NET_RAW, and memory that may be locked (systemd: LimitMEMLOCK=)"
            ),
        })?;
        let Some(Map::XskMap(rings)) = ebpf.take_map("rings") else {
            return Err(KernelError::refused("the program has no rings"));
        };
        let mut rings = XskMap::try_from(Map::XskMap(rings)).map_err(KernelError::refused)?;
        for (worker, ends) in (0..).zip(&ends) {
            for (queue, end) in (0..).zip(ends) {
                rings.set(worker * QUEUES + queue, end.as_raw_fd(), 0).map_err(KernelError::refused)?;
            }
        }
        let queues = ends.first().map_or(0, Vec::len);
        tracing::info!(card = card.name, hook, queues, "workers take frames from the card");
        Ok(Self { ebpf, card, ends })
    }

    fn part(&mut self, worker: usize) -> Result<AtCard, KernelError> {
        let Some(Map::HashMap(map)) = self.ebpf.map("lanes") else {
            return Err(KernelError::refused("the program has no lanes"));
        };
        let descriptor = map.fd().as_fd().try_clone_to_owned().map_err(KernelError::refused)?;
        let map = MapData::from_fd(descriptor).map_err(KernelError::refused)?;
        let table = HashMap::try_from(Map::HashMap(map)).map_err(KernelError::refused)?;
        let ends = self.ends.get_mut(worker).map(std::mem::take).unwrap_or_default();
        let sends = worker % ends.len().max(1);
        Ok(AtCard { card: self.card.clone(), table, ends, sends, is_sending: false })
    }
}

/// A worker's part of a card.
struct AtCard {
    card: Card,
    table: HashMap<MapData, Key, u32>,
    /// By queue.
    ends: Vec<End>,
    /// The queue it sends by.
    sends: usize,
    /// Frames are to go.
    is_sending: bool,
}

/// What is known of the lane of a pair.
#[derive(Default)]
struct Lane {
    is_listened_to: bool,
    /// Where packets went last, and how many went there before, one after the other.
    to: Option<SocketAddr>,
    steady: u32,
    course: Option<Course>,
}

impl Lane {
    /// Whether somebody listens, and what comes from there may have come by it: it may have been closed meanwhile.
    fn talks_to(&self, from: SocketAddr) -> bool {
        let is_open = || self.course.as_ref().is_some_and(|course| course.to == from);
        self.is_listened_to && (self.to == Some(from) || is_open())
    }
}

/// How packets go and come by an open lane.
struct Course {
    to: SocketAddr,
    /// By which of our cards.
    card: usize,
    key: Key,
    header: Header,
}

/// A frame that a packet is being read from.
struct Lent {
    card: usize,
    queue: usize,
    frame: Frame,
}

/// A worker's lanes.
pub(crate) struct Lanes {
    worker: u32,
    sockets: Arc<Sockets>,
    /// What the sockets are bound to, as `rtp::Port` counts it.
    addresses: Vec<IpAddr>,
    roads: Roads,
    asking: Asking,
    cards: Vec<AtCard>,
    /// By pair.
    lanes: Box<[Lane]>,
    /// The pairs whose lanes are open.
    open: Vec<u32>,
    /// Whose lanes are to be opened.
    ripe: Vec<u32>,
    /// Which of the open ones is looked after next.
    looked: usize,
    /// The card and the queue that frames are taken from, and how many more in this round.
    turn: (usize, usize),
    left: u32,
    lent: Option<Lent>,
    counters: Arc<Counters>,
    began: std::time::Instant,
}

impl Lanes {
    /// What can be read when a frame comes.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.cards.iter().flat_map(|card| card.ends.iter().map(End::as_raw_fd))
    }

    /// A session listens to a pair.
    pub(crate) fn listen(&mut self, pair: u32) {
        if let Some(lane) = self.lanes.get_mut(pair as usize) {
            lane.is_listened_to = true;
        }
    }

    /// None does any more.
    pub(crate) fn ignore(&mut self, pair: u32) {
        self.close(pair);
        if let Some(lane) = self.lanes.get_mut(pair as usize) {
            *lane = Lane::default();
        }
        self.ripe.retain(|ripe| *ripe != pair);
    }

    /// Begins a round: gives back what was read, takes back what went, and looks after one lane.
    pub(crate) fn begin(&mut self) {
        self.return_lent();
        for end in self.cards.iter_mut().flat_map(|card| &mut card.ends) {
            end.settle();
        }
        (self.turn, self.left) = ((0, 0), TOGETHER);
        self.look_after_one();
    }

    /// How many frames wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.cards.iter().flat_map(|card| &card.ends).map(End::waiting).sum()
    }

    /// Asks the cards for what came to them and waits there.
    pub(crate) fn ask(&self) {
        self.asking.ask();
    }

    /// The next packet that came.
    pub(crate) fn next(&mut self) -> Option<(Place, SocketAddr, &mut [u8])> {
        let (place, from, carried) = loop {
            self.return_lent();
            self.left = self.left.checked_sub(1)?;
            let (at, length) = self.take()?;
            let lent = self.lent.as_mut()?;
            let memory = self.cards[lent.card].ends[lent.queue].memory();
            let Some(octets) = memory.octets(&mut lent.frame, at, length) else { continue };
            let Some(came) = frame::read(octets) else { continue };
            let Some(pair) = self.pair(came.to, came.from) else { continue };
            let place = Place { pair, control: false };
            break (place, came.from, at + came.carried.start..at + came.carried.end);
        };
        let lent = self.lent.as_mut()?;
        let memory = self.cards[lent.card].ends[lent.queue].memory();
        Some((place, from, memory.octets(&mut lent.frame, carried.start, carried.len())?))
    }

    /// Takes a frame; says where in it, and how long.
    fn take(&mut self) -> Option<(usize, usize)> {
        loop {
            let (card, queue) = self.turn;
            let ends = &mut self.cards.get_mut(card)?.ends;
            let Some(end) = ends.get_mut(queue) else {
                self.turn = (card + 1, 0);
                continue;
            };
            let Some((frame, at, length)) = end.next() else {
                self.turn = (card, queue + 1);
                continue;
            };
            self.lent = Some(Lent { card, queue, frame });
            return Some((at, length));
        }
    }

    /// The pair that listens to an address of ours and talks to one of theirs: the program does not know whose family octets are.
    fn pair(&self, local: SocketAddr, from: SocketAddr) -> Option<u32> {
        let ip = local.ip();
        let is_bound = |address: &IpAddr| {
            *address == ip || address.is_unspecified() && address.is_ipv4() == ip.is_ipv4()
        };
        let worker = u16::try_from(self.worker).ok()?;
        let bound = (0..=u8::MAX).zip(&self.addresses).filter(|(_, address)| is_bound(address));
        let mut pairs = bound
            .filter_map(|(address, _)| self.sockets.place(Port { worker, address, number: local.port() }));
        pairs.find(|pair| self.lanes.get(*pair as usize).is_some_and(|lane| lane.talks_to(from)))
    }

    fn return_lent(&mut self) {
        if let Some(Lent { card, queue, frame }) = self.lent.take() {
            self.cards[card].ends[queue].give_back(frame);
        }
    }

    /// Sends a packet if it can go by a lane.
    pub(crate) fn post(&mut self, place: Place, to: SocketAddr, packet: &[u8]) -> bool {
        if place.control {
            return false;
        }
        let Some(lane) = self.lanes.get_mut(place.pair as usize) else { return false };
        if lane.to != Some(to) {
            (lane.to, lane.steady) = (Some(to), 0);
        }
        if let Some(course) = lane.course.as_ref().filter(|course| course.to == to) {
            let card = &mut self.cards[course.card];
            let Some(length) = course.header.around(packet.len(), card.card.mtu as usize) else {
                return false;
            };
            let went = card.ends[card.sends].post(length, |frame| course.header.write(packet, frame));
            card.is_sending |= went;
            return went;
        }
        lane.steady = lane.steady.saturating_add(1);
        if lane.steady >= STEADY && self.ripe.len() < TO_OPEN && !self.ripe.contains(&place.pair) {
            self.ripe.push(place.pair);
        }
        false
    }

    /// Has go what was posted.
    pub(crate) fn flush(&mut self) {
        for card in &mut self.cards {
            if card.is_sending {
                // What does not go now goes with the next: it is in the ring.
                card.is_sending = card.ends[card.sends].send().is_err();
            }
        }
    }

    /// Opens the lanes that are to be opened.
    pub(crate) fn open_ripe(&mut self) {
        while let Some(pair) = self.ripe.pop() {
            if let Err(error) = self.open(pair) {
                tracing::debug!(%error, "no lane can be opened");
            }
        }
    }

    /// It is tried again only after as many packets more.
    fn open(&mut self, pair: u32) -> io::Result<()> {
        let Some(lane) = self.lanes.get_mut(pair as usize) else { return Ok(()) };
        lane.steady = 0;
        let Some(to) = lane.to.filter(|_| lane.is_listened_to) else { return Ok(()) };
        self.close(pair);
        let Some(course) = self.course(pair, to)? else { return Ok(()) };
        self.cards[course.card].table.insert(course.key, self.worker, 0).map_err(io::Error::other)?;
        self.lanes[pair as usize].course = Some(course);
        self.open.push(pair);
        self.counters.note_lanes(self.open.len());
        self.asking.had_packets(pair)
    }

    fn close(&mut self, pair: u32) {
        let Some(course) = self.lanes.get_mut(pair as usize).and_then(|lane| lane.course.take()) else {
            return;
        };
        if let Err(error) = self.cards[course.card].table.remove(&course.key) {
            // What comes is still taken to whoever listens.
            tracing::debug!(%error, "the kernel keeps a lane it was told to forget");
        }
        self.open.retain(|open| *open != pair);
        self.counters.note_lanes(self.open.len());
    }

    /// How packets go to an address; `None` where the system does not know, or by no card of ours.
    fn course(&mut self, pair: u32, to: SocketAddr) -> io::Result<Option<Course>> {
        // An address that means something on one link only needs to be told on which.
        if let SocketAddr::V6(to) = to
            && (to.scope_id() != 0 || to.ip().is_unicast_link_local() || to.ip().to_ipv4_mapped().is_some())
        {
            return Ok(None);
        }
        let Some(port) = self.sockets.port(pair) else { return Ok(None) };
        let now = Instant(self.began.elapsed());
        let Some(way) = self.roads.way(now, to.ip(), port.address)? else { return Ok(None) };
        let Some(card) = self.cards.iter().position(|card| card.card.index == way.interface) else {
            return Ok(None);
        };
        let local = SocketAddr::new(way.source, port.number);
        let header = Header::new((self.cards[card].card.mac, way.next_hop), local, to);
        Ok(header.map(|header| Course { to, card, key: key(local, to), header }))
    }

    /// Closes a lane whose way is another now. Each round has one looked after, so that packets need not wait for many.
    fn look_after_one(&mut self) {
        if self.looked >= self.open.len() {
            self.looked = 0;
        }
        let Some(pair) = self.open.get(self.looked).copied() else { return };
        self.looked += 1;
        let Some(to) = self.lanes[pair as usize].course.as_ref().map(|course| course.to) else { return };
        let now = self.course(pair, to).ok().flatten();
        let as_before =
            |(now, before): (&Course, &Course)| now.card == before.card && now.header == before.header;
        if !now.as_ref().zip(self.lanes[pair as usize].course.as_ref()).is_some_and(as_before) {
            self.close(pair);
        }
    }
}

/// Nothing is left in the kernel of a worker that is gone.
impl Drop for Lanes {
    fn drop(&mut self) {
        while let Some(pair) = self.open.last().copied() {
            self.close(pair);
        }
    }
}

fn key(local: SocketAddr, remote: SocketAddr) -> Key {
    let mut key = [0; 36];
    key[..16].copy_from_slice(&octets(local.ip()));
    key[16..32].copy_from_slice(&octets(remote.ip()));
    key[32..34].copy_from_slice(&local.port().to_be_bytes());
    key[34..].copy_from_slice(&remote.port().to_be_bytes());
    key
}
