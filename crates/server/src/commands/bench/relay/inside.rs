//! The relay that is measured, in a process of its own: told on its standard input what to relay, in JSON, line by line.

use std::io::{self, BufRead as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use relay::{Relay, Settings};
use rtp::{Codec, Command, Direction, Format, Library, Media, Port, Remote, Report, SessionId, Statistics};
use serde::{Deserialize, Serialize};

use crate::cli::Backend;

/// For the relay to say what passed through it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to relay.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) backend: Backend,
    pub(super) workers: u16,
    pub(super) addresses: Vec<Ipv4Addr>,
    /// The first and last port on each address.
    pub(super) ports: (u16, u16),
    /// Where each leg takes media; two that follow each other are a call.
    pub(super) remotes: Vec<SocketAddrV4>,
}

/// What it says: first that it is there, then where each leg sends to, and at the end what passed.
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
    say(&Word::Ready)?;
    let Some(line) = lines.next() else { return Ok(()) };
    let order: Order = serde_json::from_str(&line.map_err(text)?).map_err(text)?;
    let (mut relay, targets, said) = match order.backend {
        Backend::Epoll => open(&order)?,
    };
    say(&Word::Targets(targets))?;
    let end = lines.next().transpose().map_err(text)?;
    if end.is_some() {
        say(&Word::Passed(close(&mut relay, &order, &said)?))?;
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

fn open(order: &Order) -> Result<(Relay, Vec<SocketAddrV4>, Receiver<Report>), String> {
    let settings = Settings {
        workers: order.workers,
        ports: order.ports.0..=order.ports.1,
        // Nothing is recorded.
        recordings: "/nonexistent".into(),
        sessions: rtp::Settings {
            addresses: order.addresses.iter().map(|address| IpAddr::V4(*address)).collect(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
        },
    };
    let (reports, said) = channel();
    let say = move |report| drop(reports.send(report));
    let (mut relay, usable) = Relay::start(settings, &Arc::new(Library::default()), say).map_err(text)?;
    let mut free: Vec<Vec<Port>> = (0..order.workers)
        .map(|worker| {
            let of = |(address, workers): (u8, &Vec<Vec<u16>>)| {
                let port = move |number: &u16| Port { worker, address, number: *number };
                workers[usize::from(worker)].iter().map(port).collect::<Vec<_>>()
            };
            (0..).zip(&usable).flat_map(of).collect()
        })
        .collect();
    let mut targets = Vec::with_capacity(order.remotes.len());
    for (session, remote) in (0..).zip(&order.remotes) {
        let worker = worker_of(session, order.workers);
        let port = free[usize::from(worker)].pop().ok_or("too few of the relay's ports are free")?;
        let session = SessionId(session);
        relay.send(port.worker, Command::Open { session, port, media: media(*remote) });
        if session.0 % 2 == 1 {
            relay.send(port.worker, Command::Bridge { first: SessionId(session.0 - 1), second: session });
        }
        targets.push(SocketAddrV4::new(order.addresses[usize::from(port.address)], port.number));
        if targets.len() % 1_000 == 0 {
            relay.flush();
        }
    }
    carried_out(&mut relay, order.workers, &said)?;
    Ok((relay, targets, said))
}

/// Both legs of a call belong to one worker; calls are dealt out in turn.
fn worker_of(session: u32, workers: u16) -> u16 {
    (session / 2 % u32::from(workers)) as u16
}

/// Waits until the workers did all they were told: closing what is not open is answered as well, in its turn.
fn carried_out(relay: &mut Relay, workers: u16, said: &Receiver<Report>) -> Result<(), String> {
    for worker in 0..workers {
        relay.send(worker, Command::Close { session: SessionId(u32::MAX) });
    }
    closed(relay, usize::from(workers), said).map(drop)
}

fn media(remote: SocketAddrV4) -> Media {
    let rtp = SocketAddr::V4(remote);
    let rtcp = SocketAddr::new(rtp.ip(), remote.port() + 1);
    let format = Format {
        send: (Codec::Pcma, 8),
        receive: [Some((Codec::Pcma, 8)), None, None, None],
        event_send: None,
        event_receive: None,
        ptime: 20,
    };
    Media { remote: Some(Remote { rtp, rtcp }), format, direction: Direction::SendReceive }
}

fn close(relay: &mut Relay, order: &Order, said: &Receiver<Report>) -> Result<Passed, String> {
    let legs = order.remotes.len();
    for session in 0..legs as u32 {
        relay.send(worker_of(session, order.workers), Command::Close { session: SessionId(session) });
    }
    let passed = closed(relay, legs, said)?;
    let lost = relay.lost();
    Ok(Passed { lost: lost.full + lost.refused + lost.oversized, ..passed })
}

/// What the next sessions that are closed say, so many of them.
fn closed(relay: &mut Relay, count: usize, said: &Receiver<Report>) -> Result<Passed, String> {
    let mut passed = Passed::default();
    let mut missing = count;
    while missing > 0 {
        relay.flush();
        let report = said.recv_timeout(PATIENCE).map_err(|_| "the relay does not answer")?;
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
