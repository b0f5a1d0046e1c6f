//! What can go wrong at the start.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// Why the relay did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No worker, or no address.
    #[error("the relay needs at least one worker and one media address")]
    Nothing,
    /// More addresses than `rtp::Port` can count.
    #[error("{0} media addresses; 255 are possible")]
    Addresses(usize),
    /// The limit on open files cannot be read or raised.
    #[error("the limit on open files cannot be raised: {0}")]
    Limit(#[source] io::Error),
    /// The limit on open files is too low.
    #[error(
        "{sockets} media sockets need {needed} open files, but this process may have {allowed}: raise the hard limit \
         (systemd: LimitNOFILE={needed}; shell: ulimit -Hn {needed}; container: --ulimit nofile={needed}) or make the \
         port range of [media] smaller"
    )]
    Descriptors {
        /// Media sockets wanted.
        sockets: usize,
        /// Open files that takes.
        needed: u64,
        /// Open files allowed.
        allowed: u64,
    },
    /// A socket cannot be bound for another reason than that somebody holds its port.
    #[error("cannot bind {address}: {error}; is it an address of this machine?")]
    Bind {
        /// What was to be bound.
        address: SocketAddr,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Too few free port pairs.
    #[error("on {address} the ports {first}-{last} do not have a free pair for each of {workers} workers")]
    NoPorts {
        /// On which address.
        address: IpAddr,
        /// First of the range.
        first: u16,
        /// Last of the range.
        last: u16,
        /// How many workers.
        workers: usize,
    },
    /// Completion rings were asked for and cannot be had.
    #[error(
        "media.backend = \"io_uring\" cannot be had: {0}; it needs Linux 6.1 and kernel.io_uring_disabled = 0; \"auto\" \
         takes epoll where there is none"
    )]
    IoUring(#[source] io::Error),
    /// A queue, a bell or a thread cannot be made.
    #[error("cannot start a relay thread: {0}")]
    Thread(#[source] io::Error),
}
