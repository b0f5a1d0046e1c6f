//! The relay as the rest of the node sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use rand_chacha::rand_core::{OsRng, TryRngCore};
use rtp::{Command, Library, Report};

use crate::backend::{AfXdp, Backend, Epoll, Io, Uring};
use crate::bell::Bell;
use crate::here::Here;
use crate::kernel::{AtCards, Kernel, Ways};
use crate::lanes::{Gates, Lanes};
use crate::lost::{Counters, Meter};
use crate::outbox::Outbox;
use crate::ports;
use crate::recorder::{Recorder, Say};
use crate::sockets::Sockets;
use crate::worker::{Equipment, Order, Worker};
use crate::{StartError, Usable};

/// Orders on their way to one worker.
const ON_THE_WAY: usize = 16_384;
/// Orders that may wait for a worker that takes none; further ones are dropped.
const WAITING: usize = 65_536;

/// What the relay must know to start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads, each with its own part of the ports. At least one; as many as there are cores is right.
    pub workers: u16,
    /// How packets are moved.
    pub io: Io,
    /// Whether the kernel is to send plain packets on by itself, and how. Where it cannot, they come to the workers.
    pub shortcuts: Option<AtCards>,
    /// Whether workers are to take frames from cards themselves (`AF_XDP`), and where. Where they cannot, packets are moved as
    /// `io` says.
    pub lanes: Option<AtCards>,
    /// The longest that a packet waits for others, so that many are moved at once, where a backend has them wait; at most a
    /// millisecond is sensible. `None`: as long as is right for most, a tenth to a third of one.
    pub max_wait: Option<Duration>,
    /// Where recordings are put, and as what.
    pub recordings: recording::Settings,
    /// What every session shares. All ports on all its addresses are bound at the start.
    pub sessions: rtp::Settings,
}

/// Threads that move packets. Dropping it ends them, and finishes what is being recorded.
pub struct Relay {
    hands: Vec<Hand>,
    io: Io,
    here: Here,
    /// Outlives the workers, which feed it.
    recorder: Recorder,
    kernel: Option<Kernel>,
    gates: Option<Gates>,
}

impl Relay {
    /// Binds the sockets and starts the threads. Says which ports sessions can be opened on: those of the range
    /// that nobody else holds.
    ///
    /// `say` takes every report, on the thread that has it; it must not wait.
    ///
    /// # Errors
    /// What keeps the relay from starting, and what to do about it.
    pub fn start(
        settings: Settings,
        library: &Arc<Library>,
        say: impl Fn(Report) + Send + Sync + 'static,
    ) -> Result<(Self, Usable), StartError> {
        let Settings { workers, io, shortcuts, lanes, max_wait, recordings, mut sessions } = settings;
        if workers == 0 || sessions.addresses.is_empty() {
            return Err(StartError::Nothing);
        }
        let (pairs, usable) = ports::bind(&sessions.addresses, &sessions.ports, workers)?;
        sessions.others = ports::others(&sessions.ports, &usable);
        let say: Say = Arc::new(say);
        let recorder = Recorder::start(&recordings, &say).map_err(StartError::Thread)?;
        let here = Here::new(&sessions);
        let count = pairs.iter().map(Vec::len).sum();
        let kernel = shortcuts.and_then(|shortcuts| start_kernel(&shortcuts, &sessions, count));
        let gates = lanes.and_then(|at| start_gates(&at, &sessions, count, workers));
        let hands = Vec::with_capacity(pairs.len());
        let mut relay = Self { hands, io: Io::IoUring, here, recorder, kernel, gates };
        let mut first = 0;
        for (number, pairs) in pairs.into_iter().enumerate() {
            let ways = relay.ways(first, pairs.len(), &sessions);
            first += pairs.len();
            let make = Make {
                number,
                max_wait,
                sockets: Arc::new(Sockets::new(pairs)),
                sessions: sessions.clone(),
                library: Arc::clone(library),
                recorder: &relay.recorder,
                say: &say,
            };
            let (hand, got) = Hand::start(&make, io, ways, relay.gates.as_mut())?;
            relay.hands.push(hand);
            if got == Io::Epoll {
                relay.io = Io::Epoll;
            }
        }
        Ok((relay, usable))
    }

    /// What the workers count.
    #[must_use]
    pub fn meter(&self) -> Meter {
        Meter(self.hands.iter().map(|hand| Arc::clone(&hand.counters)).collect())
    }

    /// Whether the kernel sends plain packets on by itself.
    #[must_use]
    pub fn has_shortcuts(&self) -> bool {
        self.kernel.is_some()
    }

    /// Whether workers take frames from cards themselves.
    #[must_use]
    pub fn has_lanes(&self) -> bool {
        self.gates.is_some()
    }

    /// A worker's part of what the kernel does.
    fn ways(&self, first: usize, pairs: usize, sessions: &rtp::Settings) -> Option<Ways> {
        let ways = self.kernel.as_ref()?.ways(first, pairs, &sessions.addresses);
        ways.inspect_err(|error| tracing::warn!(%error, "a relay worker sends all packets on itself")).ok()
    }

    /// How packets are moved, by the slowest of the workers: never `Auto`.
    #[must_use]
    pub fn io(&self) -> Io {
        self.io
    }

    /// Queues a command for a worker; `flush` sends it on. Commands for a worker that does not exist are dropped.
    pub fn send(&mut self, worker: u16, mut command: Command) {
        self.here.screen(&mut command);
        match self.hands.get_mut(usize::from(worker)) {
            Some(hand) => hand.queue(Order::Command(command)),
            None => tracing::error!(worker, "there is no such relay worker"),
        }
    }

    /// Hands on what is queued and wakes each worker there is something for.
    pub fn flush(&mut self) {
        for hand in &mut self.hands {
            hand.flush();
        }
    }

    /// How long the oldest command that was handed on waits for its worker, by the one furthest behind.
    pub fn behind(&mut self) -> Duration {
        let now = Instant::now();
        self.hands.iter_mut().map(|hand| hand.behind(now)).max().unwrap_or_default()
    }

    /// Takes prompts from another library from now on; those that play go on.
    pub fn change_library(&mut self, library: &Arc<Library>) {
        for hand in &mut self.hands {
            hand.queue(Order::Library(Arc::clone(library)));
            hand.flush();
        }
    }
}

/// What is held of one worker.
struct Hand {
    /// Taken to end the worker.
    orders: Option<SyncSender<Order>>,
    /// Not yet on their way.
    waiting: VecDeque<Order>,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    thread: Option<JoinHandle<()>>,
    /// Orders handed on so far.
    sent: u64,
    /// One of them that is not known to be taken: how many had been handed on with it, and when.
    watched: Option<(u64, Instant)>,
}

/// What a worker is made of.
struct Make<'a> {
    number: usize,
    max_wait: Option<Duration>,
    sockets: Arc<Sockets>,
    sessions: rtp::Settings,
    library: Arc<Library>,
    recorder: &'a Recorder,
    say: &'a Say,
}

impl Hand {
    /// Starts a worker that moves its packets as `io` says; says what came of `Auto`.
    fn start(
        make: &Make<'_>,
        io: Io,
        mut ways: Option<Ways>,
        gates: Option<&mut Gates>,
    ) -> Result<(Self, Io), StartError> {
        let bell = Arc::new(Bell::new().map_err(StartError::Thread)?);
        let counters = Arc::new(Counters::default());
        if let Some(ways) = &mut ways {
            ways.count_in(Arc::clone(&counters));
        }
        let uring = || {
            let (sockets, bell, counters) = (&make.sockets, &bell, &counters);
            Uring::new(Arc::clone(sockets), Arc::clone(bell), Arc::clone(counters), make.max_wait)
        };
        let epoll = || {
            let epoll = Epoll::new(Arc::clone(&make.sockets), Arc::clone(&bell), Arc::clone(&counters));
            epoll.map_err(StartError::Thread)
        };
        let hand = |spawned: Spawned| Self {
            orders: Some(spawned.orders),
            waiting: VecDeque::new(),
            bell: Arc::clone(&bell),
            counters: Arc::clone(&counters),
            thread: Some(spawned.thread),
            sent: 0,
            watched: None,
        };
        if let Some(lanes) = gates.and_then(|gates| make.lanes(gates, &counters)) {
            match AfXdp::new(epoll()?, lanes, make.max_wait) {
                Ok(backend) => return Ok((hand(make.spawn(backend, &bell, &counters, ways)?), Io::Epoll)),
                Err(error) => tracing::warn!(%error, "a relay worker takes no frames"),
            }
        }
        match io {
            Io::Epoll => Ok((hand(make.spawn(epoll()?, &bell, &counters, ways)?), Io::Epoll)),
            Io::IoUring => Ok((
                hand(make.spawn(uring().map_err(StartError::IoUring)?, &bell, &counters, ways)?),
                Io::IoUring,
            )),
            Io::Auto => match uring() {
                Ok(uring) => Ok((hand(make.spawn(uring, &bell, &counters, ways)?), Io::IoUring)),
                Err(error) => {
                    tracing::info!(%error, "no io_uring here: media goes by epoll");
                    Ok((hand(make.spawn(epoll()?, &bell, &counters, ways)?), Io::Epoll))
                }
            },
        }
    }

    fn queue(&mut self, order: Order) {
        if self.waiting.len() == WAITING {
            tracing::error!("a relay worker takes no orders; one is dropped");
            return;
        }
        self.waiting.push_back(order);
    }

    fn flush(&mut self) {
        let Some(orders) = &self.orders else { return };
        if self.waiting.is_empty() {
            return;
        }
        while let Some(order) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(order)) = orders.try_send(order) {
                self.waiting.push_front(order);
                break;
            }
            self.sent += 1;
        }
        if self.watched.is_none() {
            self.watched = Some((self.sent, Instant::now()));
        }
        self.bell.ring();
    }

    /// How long the order that is watched waits. Of those handed on behind it the newest is watched next, so that it is never
    /// said to be more than it is.
    fn behind(&mut self, now: Instant) -> Duration {
        let taken = self.counters.orders();
        if self.watched.is_some_and(|(count, _)| count <= taken) {
            self.watched = Some((self.sent, now)).filter(|(count, _)| *count > taken);
        }
        self.watched.map_or(Duration::ZERO, |(_, since)| now.saturating_duration_since(since))
    }
}

/// A worker's thread, and the way to it.
struct Spawned {
    orders: SyncSender<Order>,
    thread: JoinHandle<()>,
}

impl Make<'_> {
    /// The worker's part of what comes by cards.
    fn lanes(&self, gates: &mut Gates, counters: &Arc<Counters>) -> Option<Lanes> {
        let lanes = gates.lanes(self.number, &self.sockets, &self.sessions.addresses, counters);
        lanes.inspect_err(|error| tracing::warn!(%error, "a relay worker takes no frames")).ok()
    }

    fn spawn(
        &self,
        backend: impl Backend + Send + 'static,
        bell: &Arc<Bell>,
        counters: &Arc<Counters>,
        ways: Option<Ways>,
    ) -> Result<Spawned, StartError> {
        let (orders, inbox) = sync_channel(ON_THE_WAY);
        let sessions = self.sessions.clone();
        let make = move |library| rtp::Worker::new(sessions.clone(), library, seed());
        let equipment = Equipment {
            backend,
            ways,
            sockets: Arc::clone(&self.sockets),
            outbox: Outbox::new(Arc::clone(&self.sockets), self.recorder.feed(), Arc::clone(self.say)),
            inbox,
            bell: Arc::clone(bell),
            counters: Arc::clone(counters),
        };
        let worker = Worker::new(make, Arc::clone(&self.library), equipment);
        let thread = Builder::new().name(format!("relay-{}", self.number)).spawn(move || worker.run());
        Ok(Spawned { orders, thread: thread.map_err(StartError::Thread)? })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.flush();
        self.orders = None;
        self.bell.ring();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a relay worker panicked at its end");
        }
    }
}

/// Says once, where the kernel takes no packets, why not.
fn start_kernel(shortcuts: &AtCards, sessions: &rtp::Settings, pairs: usize) -> Option<Kernel> {
    let kernel = Kernel::start(shortcuts, sessions, pairs);
    kernel
        .inspect_err(|error| tracing::warn!(%error, "the kernel sends no calls on by itself: the relay does"))
        .ok()
}

/// Says once, where no frames can be taken from cards, why not.
fn start_gates(at: &AtCards, sessions: &rtp::Settings, pairs: usize, workers: u16) -> Option<Gates> {
    let gates = Gates::start(at, sessions, pairs, workers);
    gates
        .inspect_err(|error| tracing::warn!(%error, "no frames are taken from cards: media goes by sockets"))
        .ok()
}

/// Chance from the system.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).expect("the system has chance to give once it runs");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::Receiver;

    fn hand() -> (Hand, Receiver<Order>) {
        let (orders, inbox) = sync_channel(8);
        let hand = Hand {
            orders: Some(orders),
            waiting: VecDeque::new(),
            bell: Arc::new(Bell::new().expect("the system gives an eventfd")),
            counters: Arc::default(),
            thread: None,
            sent: 0,
            watched: None,
        };
        (hand, inbox)
    }

    fn hand_on(hand: &mut Hand) {
        hand.queue(Order::Library(Arc::default()));
        hand.flush();
    }

    #[test]
    fn a_worker_is_behind_for_as_long_as_what_it_was_given_waits() {
        const LATE: Duration = Duration::from_secs(60);
        let (mut hand, _inbox) = hand();
        let now = Instant::now();
        assert_eq!(hand.behind(now + LATE), Duration::ZERO);
        hand_on(&mut hand);
        hand_on(&mut hand);
        assert!(hand.behind(now + 2 * LATE) > LATE);
        hand.counters.order();
        assert_eq!(hand.behind(now + 2 * LATE), Duration::ZERO, "the second is watched from now on");
        assert_eq!(hand.behind(now + 3 * LATE), LATE);
        hand.counters.order();
        assert_eq!(hand.behind(now + 4 * LATE), Duration::ZERO);
        hand_on(&mut hand);
        assert!(hand.behind(Instant::now() + LATE) >= LATE);
    }
}
