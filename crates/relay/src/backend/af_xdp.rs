//! Frames of rings that the kernel shares with us (`AF_XDP`) wherever there is a lane, and epoll for everything else.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Arrived, Backend, Epoll};
use crate::lanes::Lanes;
use crate::outbox::Packets;
use crate::sockets::Place;

/// Lanes, and sockets beside them.
pub(crate) struct AfXdp {
    epoll: Epoll,
    lanes: Lanes,
    /// What goes by sockets.
    rest: Packets,
}

impl AfXdp {
    pub(crate) fn new(mut epoll: Epoll, lanes: Lanes) -> io::Result<Self> {
        lanes.descriptors().try_for_each(|descriptor| epoll.wake_for(descriptor))?;
        Ok(Self { epoll, lanes, rest: Packets::new() })
    }
}

impl Backend for AfXdp {
    fn listen(&mut self, place: Place) -> io::Result<()> {
        if !place.control {
            self.lanes.listen(place.pair);
        }
        self.epoll.listen(place)
    }

    fn ignore(&mut self, place: Place) -> io::Result<()> {
        if !place.control {
            self.lanes.ignore(place.pair);
        }
        self.epoll.ignore(place)
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = if self.lanes.begin() { Some(Duration::ZERO) } else { timeout };
        self.epoll.wait(timeout)
    }

    fn next(&mut self) -> Option<Arrived<'_>> {
        // What came by a socket came before the lane was opened.
        if let Some(arrived) = self.epoll.next() {
            return Some(arrived);
        }
        let (place, from, bytes): (Place, SocketAddr, _) = self.lanes.next()?;
        Some(Arrived::Packet { place, from, bytes })
    }

    fn send(&mut self, packets: &Packets) {
        self.rest.clear();
        for (place, to, bytes) in packets.iter() {
            if !self.lanes.post(place, to, bytes) {
                self.rest.push(place, to, bytes);
            }
        }
        self.lanes.flush();
        self.epoll.send(&self.rest);
        self.lanes.open_ripe();
    }
}
