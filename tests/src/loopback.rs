//! A piece of 127.0.0.0/8 for one test alone, so that tests run beside each other with the ports of real life.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// SIP's port (RFC 3261 §19.1.2).
pub const SIP_PORT: u16 = 5060;
/// Where the program serves HTTP.
pub const HTTP_PORT: u16 = 8080;
const CLAIM_PORT: u16 = 47_111;

/// One `127.x.y.0/24`, ours until dropped.
#[derive(Debug)]
pub struct Loopback {
    prefix: [u8; 2],
    _claim: UdpSocket,
}

impl Loopback {
    /// Claims a network nobody uses, in this process or another.
    ///
    /// # Panics
    /// If all are taken.
    #[must_use]
    pub fn claim() -> Self {
        (1..=120_u8)
            .flat_map(|x| (1..=200_u8).map(move |y| [x, y]))
            .find_map(|prefix| {
                let claim = UdpSocket::bind((Ipv4Addr::new(127, prefix[0], prefix[1], 250), CLAIM_PORT));
                claim.ok().map(|claim| Self { prefix, _claim: claim })
            })
            .expect("one of 24 000 loopback networks is free")
    }

    /// The program under test.
    #[must_use]
    pub fn server(&self) -> IpAddr {
        self.host(1)
    }

    /// Where callers' calls come from.
    #[must_use]
    pub fn carrier(&self) -> IpAddr {
        self.host(11)
    }

    /// Where the program's calls go to.
    #[must_use]
    pub fn callee(&self) -> IpAddr {
        self.host(12)
    }

    /// Someone no trunk knows.
    #[must_use]
    pub fn attacker(&self) -> IpAddr {
        self.host(66)
    }

    /// Any other address of the network.
    #[must_use]
    pub fn host(&self, last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, self.prefix[0], self.prefix[1], last))
    }

    /// Where the program listens for SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.server(), SIP_PORT)
    }
}
