//! A worker's sockets, found by place and by port.

use std::net::UdpSocket;

use rtp::Port;

use crate::ports::Pair;

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

    fn key(self) -> u64 {
        u64::from(self.pair) << 1 | u64::from(self.control)
    }

    fn of_key(key: u64) -> Option<Self> {
        Some(Self { pair: u32::try_from(key >> 1).ok()?, control: key & 1 == 1 })
    }
}

/// Which of a worker's sockets a packet comes out of: a bound one, or the connected one beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mouth {
    pub(crate) place: Place,
    pub(crate) connected: bool,
}

impl Mouth {
    pub(crate) fn bound(place: Place) -> Self {
        Self { place, connected: false }
    }

    pub(crate) fn connected(pair: u32) -> Self {
        Self { place: Place { pair, control: false }, connected: true }
    }

    /// As an event's key.
    pub(crate) fn key(self) -> u64 {
        self.place.key() << 1 | u64::from(self.connected)
    }

    pub(crate) fn of_key(key: u64) -> Option<Self> {
        Some(Self { place: Place::of_key(key >> 1)?, connected: key & 1 == 1 })
    }
}

/// All of a worker's sockets.
pub(crate) struct Sockets {
    pairs: Vec<Pair>,
    places: Places,
}

impl Sockets {
    pub(crate) fn new(pairs: Vec<Pair>) -> Self {
        Self { places: Places::of(&pairs), pairs }
    }

    /// How many pairs there are.
    pub(crate) fn pairs(&self) -> usize {
        self.pairs.len()
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
