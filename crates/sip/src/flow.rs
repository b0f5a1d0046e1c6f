//! Where a message came from and where answers go (RFC 5626 §2: flow).

use std::net::SocketAddr;

/// The transport of a flow (RFC 3261 §18).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams: lost ones are retransmitted by the transaction.
    Udp,
    /// A stream: messages are framed by Content-Length.
    Tcp,
    /// A stream that is encrypted and whose other end has proved itself (RFC 3261 §26.2.1).
    Tls,
}

impl Transport {
    /// As written in a Via: `UDP`, `TCP` (RFC 3261 §20.42).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// Whether the transport retransmits by itself, so that the transaction must not (RFC 3261 §17.1.1.2).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// The port where none is written (RFC 3261 §19.1.2).
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }
}

/// One UDP peer, or one connection, seen from one of our listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Which of our listeners, by its place in the configuration.
    pub listener: u8,
    /// The listener's transport.
    pub transport: Transport,
    /// The other end.
    pub peer: SocketAddr,
    /// The connection, once there is one. `None` on UDP, and on TCP where any connection to `peer` will do.
    pub connection: Option<u32>,
}
