//! Where the words of a worker's machine go: packets towards sockets, reports to the switchboard, sound to the
//! recorder.

use std::net::SocketAddr;
use std::sync::Arc;

use rtp::{Port, Recording, Report, SessionId, Shortcut, Sink};

use crate::recorder::{Feed, Say};
use crate::sockets::{Place, Sockets};

/// Packets there is room for without allocation.
const GATHERED: usize = 1_024;
/// Bytes of one of our packets: 60 ms of G.711 is 492.
const USUAL: usize = 512;

/// Shortcuts there is room for.
const OFFERED: usize = 64;

/// Packets on their way out, in the order they were said.
#[derive(Debug)]
pub(crate) struct Packets {
    envelopes: Vec<Envelope>,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Envelope {
    place: Place,
    to: SocketAddr,
    start: usize,
    end: usize,
}

impl Packets {
    pub(crate) fn new() -> Self {
        Self { envelopes: Vec::with_capacity(GATHERED), bytes: Vec::with_capacity(GATHERED * USUAL) }
    }

    pub(crate) fn push(&mut self, place: Place, to: SocketAddr, packet: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        self.envelopes.push(Envelope { place, to, start, end: self.bytes.len() });
    }

    /// Each packet: out of which socket, to where, what.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, SocketAddr, &[u8])> {
        self.envelopes
            .iter()
            .map(|envelope| (envelope.place, envelope.to, &self.bytes[envelope.start..envelope.end]))
    }

    pub(crate) fn clear(&mut self) {
        self.envelopes.clear();
        self.bytes.clear();
    }
}

/// What a worker says.
pub(crate) struct Outbox {
    /// What a backend is to send.
    pub(crate) packets: Packets,
    /// Offered since they were last looked at; further ones are offered again.
    pub(crate) shortcuts: Vec<Shortcut>,
    sockets: Arc<Sockets>,
    feed: Feed,
    say: Say,
}

impl Outbox {
    pub(crate) fn new(sockets: Arc<Sockets>, feed: Feed, say: Say) -> Self {
        Self { packets: Packets::new(), shortcuts: Vec::with_capacity(OFFERED), sockets, feed, say }
    }

    /// Tries again to hand on what the recorder had no room for.
    pub(crate) fn settle(&mut self) {
        self.feed.settle();
    }

    /// Forgets what was gathered and ends what is recorded: the machine that said it is gone.
    pub(crate) fn abandon(&mut self) {
        self.packets.clear();
        self.shortcuts.clear();
        self.feed.end_all();
    }

    fn gather(&mut self, port: Port, control: bool, to: SocketAddr, packet: &[u8]) {
        if let Some(pair) = self.sockets.place(port) {
            self.packets.push(Place { pair, control }, to, packet);
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

    fn shortcut(&mut self, shortcut: Shortcut) {
        if self.shortcuts.len() < OFFERED {
            self.shortcuts.push(shortcut);
        }
    }
}
