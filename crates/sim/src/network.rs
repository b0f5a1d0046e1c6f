//! The network between the switchboard and its peers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What the network does to datagrams. Shares are out of 1000.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// The least a datagram takes.
    pub delay: Duration,
    /// How much more it may take; datagrams overtake each other.
    pub jitter: Duration,
    /// Share lost.
    pub lost: u32,
    /// Share delivered twice.
    pub doubled: u32,
}

impl Weather {
    /// Everything arrives, in order, after 10 ms.
    pub const FAIR: Self =
        Self { delay: Duration::from_millis(10), jitter: Duration::ZERO, lost: 0, doubled: 0 };

    /// One in twenty lost, one in fifty doubled, much overtaking.
    pub const FOUL: Self =
        Self { delay: Duration::from_millis(20), jitter: Duration::from_millis(60), lost: 50, doubled: 20 };
}

/// A datagram on its way.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    /// The peer it comes from or goes to.
    pub(crate) peer: SocketAddr,
    /// Whether the switchboard gets it.
    pub(crate) inward: bool,
    pub(crate) bytes: Bytes,
}

#[derive(Debug)]
pub(crate) struct Network {
    weather: Weather,
    reliable: bool,
    chance: ChaCha12Rng,
    flying: BTreeMap<(Instant, u64), Datagram>,
    sequence: u64,
    /// What befalls the next datagram, whatever the weather.
    pub(crate) next: Option<Mishap>,
}

/// What a fault does to one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    Lost,
    Doubled,
    Late(Duration),
}

impl Network {
    pub(crate) fn new(weather: Weather, reliable: bool, seed: u64) -> Self {
        let chance = ChaCha12Rng::seed_from_u64(seed);
        Self { weather, reliable, chance, flying: BTreeMap::new(), sequence: 0, next: None }
    }

    pub(crate) fn send(&mut self, now: Instant, datagram: Datagram) {
        let mishap = self.next.take();
        if self.reliable {
            self.fly(now, self.weather.delay, datagram);
            return;
        }
        if mishap == Some(Mishap::Lost) || self.happens(self.weather.lost) {
            return;
        }
        if mishap == Some(Mishap::Doubled) || self.happens(self.weather.doubled) {
            let delay = self.delay();
            self.fly(now, delay, datagram.clone());
        }
        let late = match mishap {
            Some(Mishap::Late(by)) => by,
            Some(Mishap::Lost | Mishap::Doubled) | None => Duration::ZERO,
        };
        let delay = self.delay() + late;
        self.fly(now, delay, datagram);
    }

    fn fly(&mut self, now: Instant, delay: Duration, datagram: Datagram) {
        self.sequence += 1;
        self.flying.insert((now + delay, self.sequence), datagram);
    }

    fn happens(&mut self, share: u32) -> bool {
        share > 0 && self.chance.next_u32() % 1000 < share
    }

    fn delay(&mut self) -> Duration {
        let jitter = u64::try_from(self.weather.jitter.as_micros()).unwrap_or(u64::MAX);
        let more = if jitter == 0 { 0 } else { self.chance.next_u64() % jitter };
        self.weather.delay + Duration::from_micros(more)
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.flying.keys().next().map(|(at, _)| *at)
    }

    pub(crate) fn arrive(&mut self, now: Instant) -> Option<Datagram> {
        let first = self.flying.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }
}
