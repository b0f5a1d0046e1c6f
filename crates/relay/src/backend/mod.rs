//! How packets come out of sockets and go into them. A worker needs no more than [`Backend`]; which one it has is
//! chosen at the start.

mod af_xdp;
mod epoll;
mod sendmmsg;
mod uring;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use af_xdp::AfXdp;
pub(crate) use epoll::Epoll;
pub(crate) use uring::Uring;

use crate::outbox::Packets;
use crate::sockets::Place;

/// Bytes of the largest packet taken, and one: a little more than an Ethernet frame carries.
pub(crate) const LARGEST: usize = 2_048;

/// Moves packets between sockets and a worker. All of it happens on the worker's thread.
pub(crate) trait Backend {
    /// Takes what comes to a socket from now on.
    ///
    /// # Errors
    /// What the system says.
    fn listen(&mut self, place: Place) -> io::Result<()>;

    /// Takes nothing from a socket any more: what comes fills its queue and costs nothing.
    ///
    /// # Errors
    /// What the system says.
    fn ignore(&mut self, place: Place) -> io::Result<()>;

    /// Waits until something came, at most `timeout`, and forever if that is `None`. May come back early.
    ///
    /// # Errors
    /// Waiting is impossible, now and later.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()>;

    /// The next of what came. What was sent before is on its way when `None` is answered and `wait` is called.
    fn next(&mut self) -> Option<Arrived<'_>>;

    /// Sends packets. What the system does not take at once is lost, and counted.
    fn send(&mut self, packets: &Packets);
}

/// Rounded up: a deadline must have passed when the wait ends, or the loop would spin up to it; and all that is due within
/// a millisecond is done at one waking up, which costs more than what is done.
fn whole_milliseconds(timeout: Duration) -> Duration {
    let whole = timeout.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(whole).unwrap_or(u64::MAX))
}

/// What came.
pub(crate) enum Arrived<'a> {
    /// The bell rang: there are orders.
    Bell,
    /// A packet.
    Packet {
        /// To which socket.
        place: Place,
        /// Where from.
        from: SocketAddr,
        /// The whole of it.
        bytes: &'a mut [u8],
    },
}

/// How packets are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// The fastest that this machine allows: `io_uring`, or `epoll` where the kernel is older than 6.1 or forbids it.
    Auto,
    /// Readiness and one system call a packet; works on every Linux.
    Epoll,
    /// Completion rings: one system call for all packets that came and go at a time (`io_uring(7)`, Linux 6.1).
    IoUring,
}

impl Io {
    /// Whether this machine can move packets so.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Auto | Self::Epoll => true,
            Self::IoUring => uring::is_available(),
        }
    }

    /// The word in the configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Epoll => "epoll",
            Self::IoUring => "io_uring",
        }
    }
}
