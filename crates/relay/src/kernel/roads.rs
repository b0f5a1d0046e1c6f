//! The ways to addresses from ours, remembered for a while: asking the system costs more than many packets.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use clock::Instant;

use super::netlink::{Netlink, Way};

/// How long it is believed that the way to an address is as it was.
const BELIEVED: Duration = Duration::from_secs(5);
/// The same of an address to which there is no way: whose card it is may be asked this very moment.
const DOUBTED: Duration = Duration::from_millis(500);
/// Ways that are remembered: more than there can be sessions.
const REMEMBERED: usize = 65_536;

/// What a worker knows of ways.
pub(crate) struct Roads {
    netlink: Netlink,
    /// What the sockets are bound to, as `rtp::Port` counts it.
    addresses: Vec<IpAddr>,
    known: BTreeMap<(IpAddr, Option<IpAddr>), (Option<Way>, Instant)>,
}

impl Roads {
    pub(crate) fn new(addresses: &[IpAddr]) -> io::Result<Self> {
        Ok(Self { netlink: Netlink::new()?, addresses: addresses.to_vec(), known: BTreeMap::new() })
    }

    /// The way to an address from one of ours. `None`: see [`Netlink::way`].
    pub(crate) fn way(&mut self, now: Instant, to: IpAddr, address: u8) -> io::Result<Option<Way>> {
        let from = self.addresses.get(usize::from(address)).copied().filter(|ip| !ip.is_unspecified());
        if let Some((way, until)) = self.known.get(&(to, from))
            && now < *until
        {
            return Ok(*way);
        }
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let way = self.netlink.way(to, from)?;
        let until = now + if way.is_some() { BELIEVED } else { DOUBTED };
        self.known.insert((to, from), (way, until));
        Ok(way)
    }
}
