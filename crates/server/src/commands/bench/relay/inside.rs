//! The relay that is measured, in a process of its own: told on its standard input what to relay, in JSON, line by line.

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use relay::{AtCards, Cards, Hook, Io, Relay, Settings};
use rtp::{
    Codec, Command, Direction, Format, Library, Media, OpusWishes, Port, Remote, Report, SessionId,
    Statistics,
};
use serde::{Deserialize, Serialize};

use crate::cli::Backend;

/// For the relay to say what passed through it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How to begin.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) backend: Backend,
    pub(super) workers: u16,
    pub(super) addresses: Vec<Ipv4Addr>,
    /// The first and last port on each address.
    pub(super) ports: (u16, u16),
    /// Its network card, where it has one.
    pub(super) card: Option<String>,
    /// The longest that a packet waits for others, where that is said.
    pub(super) max_wait: Option<Duration>,
}

/// What it says to each line: that it is there; to where each leg takes media, two that follow each other being a call,
/// where each leg sends to; to anything else, at the end, what passed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    Ready,
    Targets(Vec<SocketAddrV4>),
    Passed(Passed),
}

/// What passed through the relay as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Passed {
    pub(super) received: u64,
    pub(super) sent: u64,
    /// Came from a source that was not signalled.
    pub(super) foreign: u64,
    /// The system took them not, or they came in larger than voice is.
    pub(super) lost: u64,
}

impl Passed {
    fn add(self, statistics: &Statistics) -> Self {
        Self {
            received: self.received + statistics.packets_received,
            sent: self.sent + statistics.packets_sent,
            foreign: self.foreign + statistics.foreign,
            ..self
        }
    }
}

/// Does what it is told until its standard input ends.
pub(super) fn run() -> Result<(), String> {
    let mut lines = io::stdin().lock().lines();
    let mut next = || lines.next().transpose().map_err(text);
    let Some(order) = next()? else { return Ok(()) };
    let order: Order = serde_json::from_str(&order).map_err(text)?;
    let mut bridge = Bridge::start(order)?;
    say(&Word::Ready)?;
    let Some(remotes) = next()? else { return Ok(()) };
    let remotes: Vec<SocketAddrV4> = serde_json::from_str(&remotes).map_err(text)?;
    say(&Word::Targets(bridge.open(&remotes)?))?;
    if next()?.is_some() {
        say(&Word::Passed(bridge.close(remotes.len())?))?;
    }
    Ok(())
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

fn say(word: &Word) -> Result<(), String> {
    let line = serde_json::to_string(word).map_err(text)?;
    writeln!(io::stdout().lock(), "{line}").map_err(text)
}

/// A relay and what is open on it.
struct Bridge {
    relay: Relay,
    said: Receiver<Report>,
    workers: u16,
    addresses: Vec<Ipv4Addr>,
    /// Free ports, by worker.
    free: Vec<Vec<Port>>,
}

impl Bridge {
    fn start(order: Order) -> Result<Self, String> {
        let Order { workers, addresses, ports, backend, card, max_wait } = order;
        // The far end of the bench's virtual cable is made for it.
        let at = |taking: Backend| {
            let cards = Cards::Named(card.iter().cloned().collect());
            (backend == taking).then_some(AtCards { cards, hook: Hook::Native })
        };
        let settings = Settings {
            workers,
            io: match backend {
                Backend::Epoll => Io::Epoll,
                Backend::IoUring => Io::IoUring,
                Backend::AfXdp | Backend::Xdp => Io::Auto,
            },
            shortcuts: at(Backend::Xdp),
            lanes: at(Backend::AfXdp),
            max_wait,
            // Nothing is recorded.
            recordings: recording::Settings::wav("/nonexistent".into()),
            sessions: rtp::Settings {
                addresses: addresses.iter().map(|address| IpAddr::V4(*address)).collect(),
                public: Vec::new(),
                ports: ports.0..=ports.1,
                others: BTreeSet::new(),
                silence: Duration::from_secs(30),
                rtcp_interval: Duration::from_secs(5),
                inband: true,
            },
        };
        let (reports, said) = channel();
        let say = move |report| drop(reports.send(report));
        let (relay, usable) = Relay::start(settings, &Arc::new(Library::default()), say).map_err(text)?;
        if backend == Backend::Xdp && !relay.has_shortcuts() {
            return Err("the kernel takes no packets here; RUST_LOG=relay=info says why".to_owned());
        }
        if backend == Backend::AfXdp && !relay.has_lanes() {
            return Err("no frames can be taken from the card; RUST_LOG=relay=info says why".to_owned());
        }
        let mut free = vec![Vec::new(); usize::from(workers)];
        for (address, by_worker) in (0..).zip(&usable) {
            for (worker, (free, numbers)) in (0..).zip(free.iter_mut().zip(by_worker)) {
                free.extend(numbers.iter().map(|number| Port { worker, address, number: *number }));
            }
        }
        Ok(Self { relay, said, workers, addresses, free })
    }

    /// Joins legs; says where each of them sends to.
    fn open(&mut self, remotes: &[SocketAddrV4]) -> Result<Vec<SocketAddrV4>, String> {
        let mut targets = Vec::with_capacity(remotes.len());
        for (session, remote) in (0..).zip(remotes) {
            let worker = self.worker(session);
            let port = self.free[usize::from(worker)].pop().ok_or("too few of the relay's ports are free")?;
            let session = SessionId(session);
            self.relay.send(worker, Command::Open { session, port, media: media(*remote) });
            if session.0 % 2 == 1 {
                let first = SessionId(session.0 - 1);
                self.relay.send(worker, Command::Bridge { first, second: session });
            }
            targets.push(SocketAddrV4::new(self.addresses[usize::from(port.address)], port.number));
            if targets.len() % 1_000 == 0 {
                self.relay.flush();
            }
        }
        // Closing what is not open is answered as well, in its turn: then everything before is done.
        for worker in 0..self.workers {
            self.relay.send(worker, Command::Close { session: SessionId(u32::MAX) });
        }
        self.closed(usize::from(self.workers))?;
        Ok(targets)
    }

    /// Both legs of a call belong to one worker; calls are dealt out in turn.
    fn worker(&self, session: u32) -> u16 {
        (session / 2 % u32::from(self.workers)) as u16
    }

    fn close(&mut self, legs: usize) -> Result<Passed, String> {
        for session in 0..legs as u32 {
            self.relay.send(self.worker(session), Command::Close { session: SessionId(session) });
        }
        let passed = self.closed(legs)?;
        let lost = self.relay.meter().lost();
        Ok(Passed { lost: lost.full + lost.refused + lost.oversized, ..passed })
    }

    /// What the next sessions that are closed say, so many of them.
    fn closed(&mut self, count: usize) -> Result<Passed, String> {
        let mut passed = Passed::default();
        let mut missing = count;
        while missing > 0 {
            self.relay.flush();
            let report = self.said.recv_timeout(PATIENCE).map_err(|_| "the relay does not answer")?;
            match report {
                Report::Closed { statistics, .. } => {
                    passed = passed.add(&statistics);
                    missing -= 1;
                }
                Report::Digit { .. }
                | Report::Finished { .. }
                | Report::Silent { .. }
                | Report::Recorded { .. } => {}
            }
        }
        Ok(passed)
    }
}

fn media(remote: SocketAddrV4) -> Media {
    let rtp = SocketAddr::V4(remote);
    let rtcp = SocketAddr::new(rtp.ip(), remote.port() + 1);
    let format = Format {
        send: (Codec::Pcma, 8),
        receive: [Some((Codec::Pcma, 8)), None, None, None],
        also: [None; 3],
        event_send: Some(101),
        event_receive: Some(101),
        ptime: 20,
        longest: None,
        noise: false,
        opus: OpusWishes::default(),
    };
    Media {
        remote: Some(Remote { rtp, rtcp }),
        format,
        direction: Direction::SendReceive,
        srtp: None,
        xr: false,
    }
}
