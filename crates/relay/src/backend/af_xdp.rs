//! Frames of rings that the kernel shares with us (`AF_XDP`) wherever there is a lane, and epoll for everything else.

mod pace;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Arrived, Backend, Epoll};
use crate::lanes::Lanes;
use crate::outbox::Packets;
use crate::sockets::Place;

use pace::Pace;

/// As many frames that wait are not slept over.
const MANY: u32 = 64;

/// Lanes, and sockets beside them.
pub(crate) struct AfXdp {
    epoll: Epoll,
    lanes: Lanes,
    /// What goes by sockets.
    rest: Packets,
    pace: Pace,
    /// When it last came for frames.
    woke: Instant,
    /// Whether frames wake us.
    is_woken: bool,
}

impl AfXdp {
    /// `longest` is the longest that a packet may wait for others.
    ///
    /// # Errors
    /// The system knows no such waits (Linux 5.11), or cannot wait for frames.
    pub(crate) fn new(mut epoll: Epoll, lanes: Lanes, longest: Option<Duration>) -> io::Result<Self> {
        epoll.wait_finely(Duration::ZERO)?;
        lanes.descriptors().try_for_each(|descriptor| epoll.wake_for(descriptor))?;
        let now = Instant::now();
        let pace = Pace::new(now, longest);
        Ok(Self { epoll, lanes, rest: Packets::new(), pace, woke: now, is_woken: true })
    }

    /// Whether frames are to wake us from now on.
    fn be_woken(&mut self, woken: bool) -> io::Result<()> {
        if self.is_woken == woken {
            return Ok(());
        }
        self.is_woken = woken;
        let Self { epoll, lanes, .. } = self;
        let mut each = lanes.descriptors();
        if woken {
            each.try_for_each(|descriptor| epoll.wake_for(descriptor))
        } else {
            each.try_for_each(|descriptor| epoll.sleep_through(descriptor))
        }
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
        self.lanes.begin();
        let now = Instant::now();
        let pause = self.pace.pause(now);
        self.be_woken(pause.is_none())?;
        let left = self.lanes.waiting();
        if left > if pause.is_some() { MANY } else { 0 } {
            self.epoll.wait(Some(Duration::ZERO))?;
        } else if let Some(pause) = pause {
            let pause = pause.saturating_sub(now.saturating_duration_since(self.woke));
            self.epoll.wait_finely(timeout.map_or(pause, |timeout| timeout.min(pause)))?;
            self.woke = Instant::now();
        } else {
            self.epoll.wait(timeout)?;
        }
        let by_itself = self.lanes.waiting();
        if pause.is_some() {
            self.lanes.ask();
        }
        let came = self.lanes.waiting();
        self.pace.count(came, came.saturating_sub(by_itself));
        Ok(())
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
