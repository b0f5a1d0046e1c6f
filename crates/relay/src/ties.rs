//! Connected sockets beside the bound ones. A packet out of a connected socket needs no search for its route, and one that
//! comes to it none for its socket, which is a tenth of what the system spends on it.
//!
//! A connected socket changes nothing but the cost: it is bound to the same port, so the system gives it what comes from
//! there, and the bound one all else. Whom a session listens to is not decided here: each packet is told with where it came
//! from, as by the bound one, for what came between binding and connecting may be anybody's.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::ports;
use crate::sockets::{Place, Sockets};

/// After so many packets in a row to one address a socket is tied to it: a second of voice. It costs as much as it saves in less.
const STEADY: u32 = 50;

/// The ties of a worker: of each pair the one of its RTP, once there is one.
pub(crate) struct Ties {
    sockets: Arc<Sockets>,
    ties: Box<[Tie]>,
    /// Whose tie is to be opened. One at a time, so that packets need not wait for many.
    ripe: Option<u32>,
}

#[derive(Default)]
struct Tie {
    /// Where the packets went last, and how many went there before, one after the other.
    to: Option<SocketAddr>,
    steady: u32,
    connected: Option<Connected>,
}

struct Connected {
    to: SocketAddr,
    socket: UdpSocket,
    /// It failed: what goes there goes out of the bound socket again.
    broken: bool,
}

/// Out of which socket a packet goes.
pub(crate) enum Way<'a> {
    /// Out of this one, with its address.
    Bound(&'a UdpSocket),
    /// Out of this one, which is connected to there.
    Connected(&'a UdpSocket),
}

impl Ties {
    pub(crate) fn new(sockets: Arc<Sockets>) -> Self {
        let ties = (0..sockets.pairs()).map(|_| Tie::default()).collect();
        Self { sockets, ties, ripe: None }
    }

    /// The way of a packet; `None` where there is no such socket.
    pub(crate) fn way(&mut self, place: Place, to: SocketAddr) -> Option<Way<'_>> {
        let bound = self.sockets.socket(place)?;
        if place.control {
            return Some(Way::Bound(bound));
        }
        let tie = self.ties.get_mut(place.pair as usize)?;
        if tie.to != Some(to) {
            (tie.to, tie.steady) = (Some(to), 0);
        }
        if let Some(connected) = tie.connected.as_ref().filter(|connected| connected.to == to) {
            return Some(if connected.broken {
                Way::Bound(bound)
            } else {
                Way::Connected(&connected.socket)
            });
        }
        tie.steady = tie.steady.saturating_add(1);
        if tie.steady >= STEADY && self.ripe.is_none() {
            self.ripe = Some(place.pair);
        }
        Some(Way::Bound(bound))
    }

    /// The pair whose tie is to be opened now, if there is one.
    pub(crate) fn ripe(&mut self) -> Option<u32> {
        self.ripe.take()
    }

    /// Opens the tie of a pair, in place of one that goes elsewhere: until now that one was still listened to.
    ///
    /// # Errors
    /// What the system says. It is tried again only after as many packets more.
    pub(crate) fn open(&mut self, pair: u32) -> io::Result<()> {
        let Some(tie) = self.ties.get_mut(pair as usize) else { return Ok(()) };
        tie.connected = None;
        tie.steady = 0;
        let (Some(to), Some(bound)) = (tie.to, self.sockets.socket(Place { pair, control: false })) else {
            return Ok(());
        };
        tie.connected = Some(Connected { to, socket: ports::connected(bound, to)?, broken: false });
        Ok(())
    }

    /// The tie of a pair is over.
    pub(crate) fn close(&mut self, pair: u32) {
        if let Some(tie) = self.ties.get_mut(pair as usize) {
            *tie = Tie::default();
        }
        self.ripe = self.ripe.filter(|ripe| *ripe != pair);
    }

    /// A packet of the tie failed: where the other side is not there for a while, a connected socket is told so, and the
    /// address it was given with its connection may not be ours any more.
    pub(crate) fn failed(&mut self, pair: u32) {
        if let Some(connected) = self.ties.get_mut(pair as usize).and_then(|tie| tie.connected.as_mut()) {
            connected.broken = true;
        }
    }

    /// The connected socket of a pair.
    pub(crate) fn socket(&self, pair: u32) -> Option<&UdpSocket> {
        Some(&self.ties.get(pair as usize)?.connected.as_ref()?.socket)
    }
}
