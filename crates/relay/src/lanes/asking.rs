//! Asking cards for what came to them, within a call of ours, rather than being interrupted (busy polling, napi(7);
//! <https://docs.kernel.org/networking/napi.html>). A card keeps its interrupts back as far as it is told to (napi_defer_hard_irqs,
//! gro_flush_timeout).
//!
//! A socket is asked, and the system asks the queue by which that socket had its last packet: so it is media sockets that we ask,
//! each of which had some before its lane was opened. Sockets of frames know their queue with a few drivers only.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;

use crate::sockets::{Place, Sockets};

/// Packets of one asking: as many as the system takes at a time.
const BUDGET: libc::c_int = 64;
/// Queues that a worker asks at most.
const MOST: usize = 64;

/// Whom a worker asks.
pub(super) struct Asking {
    sockets: Arc<Sockets>,
    /// Its number, of so many: each queue is one worker's to ask.
    worker: (u32, u32),
    /// Queues, as the system numbers them, each with a pair whose socket had its last packet by it.
    queues: Vec<(libc::c_int, u32)>,
}

impl Asking {
    pub(super) fn new(sockets: Arc<Sockets>, worker: (u32, u32)) -> Self {
        Self { sockets, worker, queues: Vec::with_capacity(MOST) }
    }

    fn socket(sockets: &Sockets, pair: u32) -> Option<&UdpSocket> {
        sockets.socket(Place { pair, control: false })
    }

    /// A pair had packets: its queue is asked from now on.
    ///
    /// # Errors
    /// What the system says, as where it is older than Linux 5.11.
    pub(super) fn had_packets(&mut self, pair: u32) -> io::Result<()> {
        let sockets = &self.sockets;
        self.queues.retain(|(queue, pair)| {
            Self::socket(sockets, *pair).is_some_and(|socket| queue_of(socket) == Some(*queue))
        });
        let Some(socket) = Self::socket(sockets, pair) else { return Ok(()) };
        let Some(queue) = queue_of(socket) else { return Ok(()) };
        let (worker, workers) = self.worker;
        let is_ours = queue.unsigned_abs() % workers == worker;
        if !is_ours || self.queues.len() == MOST || self.queues.iter().any(|(known, _)| *known == queue) {
            return Ok(());
        }
        for (option, value) in
            [(libc::SO_PREFER_BUSY_POLL, 1), (libc::SO_BUSY_POLL, 1), (libc::SO_BUSY_POLL_BUDGET, BUDGET)]
        {
            set(socket, option, value)?;
        }
        self.queues.push((queue, pair));
        Ok(())
    }

    /// Has what came to the queues brought to where it belongs.
    pub(super) fn ask(&self) {
        for (_, pair) in &self.queues {
            let Some(socket) = Self::socket(&self.sockets, *pair) else { continue };
            let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
            // SAFETY: there is no room for any octets. A packet that is there stays there.
            unsafe { libc::recv(socket.as_raw_fd(), std::ptr::null_mut(), 0, flags) };
        }
    }
}

/// The queue by which a socket had its last packet.
fn queue_of(socket: &UdpSocket) -> Option<libc::c_int> {
    let mut queue: libc::c_int = 0;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    let option = libc::SO_INCOMING_NAPI_ID;
    // SAFETY: the pointers are to live numbers, which the call fills.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, (&raw mut queue).cast(), &raw mut size)
    };
    (result == 0 && queue != 0).then_some(queue)
}

fn set(socket: &UdpSocket, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let value = (&raw const value).cast();
    // SAFETY: the pointer and the size are those of a live number, which the call reads.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, option, value, size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
