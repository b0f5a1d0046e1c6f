//! The portable way: a readiness queue (epoll(7)), one packet a system call in, and as many as one socket has out.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use super::sendmmsg::Batch;
use super::{Arrived, Backend, LARGEST};
use crate::bell::{Bell, owned};
use crate::lost::Counters;
use crate::outbox::Packets;
use crate::sockets::{Mouth, Place, Sockets};
use crate::ties::{Ties, Way};

/// The bell's key; sockets have smaller ones.
const BELL: u64 = u64::MAX;
/// The key of what only ends a wait.
const AWAKE: u64 = u64::MAX - 1;
/// Packets of one socket in one system call.
const TOGETHER: usize = 256;

/// Events taken in one call.
const BATCH: usize = 256;

/// Epoll as a backend.
pub(crate) struct Epoll {
    queue: Queue,
    sockets: Arc<Sockets>,
    ties: Ties,
    bell: Arc<Bell>,
    counters: Arc<Counters>,
    ready: Vec<u64>,
    /// How many of these were looked at.
    seen: usize,
    buffer: Box<[u8; LARGEST]>,
    batch: Batch,
}

impl Epoll {
    pub(crate) fn new(sockets: Arc<Sockets>, bell: Arc<Bell>, counters: Arc<Counters>) -> io::Result<Self> {
        let queue = Queue::new()?;
        queue.add(&*bell, BELL)?;
        Ok(Self {
            queue,
            ties: Ties::new(Arc::clone(&sockets)),
            sockets,
            bell,
            counters,
            ready: Vec::with_capacity(BATCH),
            seen: 0,
            buffer: Box::new([0; LARGEST]),
            batch: Batch::new(TOGETHER),
        })
    }
}

impl Epoll {
    /// Has a wait end when this can be read too. It must be open as long as this value lives.
    pub(super) fn wake_for(&mut self, descriptor: RawFd) -> io::Result<()> {
        self.queue.add(&descriptor, AWAKE)
    }

    /// Has a wait not end for it.
    pub(super) fn sleep_through(&mut self, descriptor: RawFd) -> io::Result<()> {
        self.queue.remove(&descriptor)
    }

    /// As `wait`, but to the microsecond.
    pub(super) fn wait_finely(&mut self, timeout: Duration) -> io::Result<()> {
        self.seen = 0;
        self.queue.wait_finely(timeout, &mut self.ready)
    }

    fn connect(&mut self, pair: u32) -> io::Result<()> {
        self.ties.open(pair)?;
        let key = Mouth::connected(pair).key();
        self.ties.socket(pair).map_or(Ok(()), |socket| self.queue.add(socket, key))
    }
}

impl Backend for Epoll {
    fn listen(&mut self, place: Place) -> io::Result<()> {
        let key = Mouth::bound(place).key();
        self.sockets.socket(place).map_or(Ok(()), |socket| self.queue.add(socket, key))
    }

    fn ignore(&mut self, place: Place) -> io::Result<()> {
        if !place.control {
            self.ties.close(place.pair);
        }
        self.sockets.socket(place).map_or(Ok(()), |socket| self.queue.remove(socket))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.seen = 0;
        self.queue.wait(timeout, &mut self.ready)
    }

    fn next(&mut self) -> Option<Arrived<'_>> {
        // One of each socket at a time: what is left is reported again, and in life a socket has one packet every 20 ms.
        loop {
            let key = *self.ready.get(self.seen)?;
            self.seen += 1;
            if key == BELL {
                self.bell.answer();
                return Some(Arrived::Bell);
            }
            if key == AWAKE {
                continue;
            }
            let Some(Mouth { place, connected }) = Mouth::of_key(key) else { continue };
            let socket = if connected { self.ties.socket(place.pair) } else { self.sockets.socket(place) };
            let Some(socket) = socket else { continue };
            // Errors are those that ICMP reports of packets we sent: nothing of ours waits for them.
            let Ok((length, from)) = socket.recv_from(&mut self.buffer[..]) else { continue };
            if length == LARGEST {
                self.counters.oversized();
                continue;
            }
            return Some(Arrived::Packet { place, from, bytes: &mut self.buffer[..length] });
        }
    }

    fn send(&mut self, packets: &Packets) {
        let mut rest = packets.iter().peekable();
        while let Some((place, to, bytes)) = rest.next() {
            let Some(socket) = self.sockets.socket(place) else { continue };
            let is_more = |next: &(Place, _, _)| next.0 == place;
            if !rest.peek().is_some_and(is_more) {
                let sent = match self.ties.way(place, to) {
                    Some(Way::Connected(tie)) => tie.send(bytes).or_else(|_| {
                        self.ties.failed(place.pair);
                        socket.send_to(bytes, to)
                    }),
                    Some(Way::Bound(_)) | None => socket.send_to(bytes, to),
                };
                self.counters.sent(sent.map(drop));
                continue;
            }
            let first = std::iter::once((to, bytes));
            let further = std::iter::from_fn(|| rest.next_if(is_more).map(|(_, to, bytes)| (to, bytes)));
            let counters = &self.counters;
            self.batch.send(socket, first.chain(further.take(TOGETHER - 1)), |result| counters.sent(result));
        }
        if let Some(pair) = self.ties.ripe()
            && let Err(error) = self.connect(pair)
        {
            tracing::debug!(%error, "no socket can be tied");
        }
    }
}

/// A readiness queue, level-triggered: what is not read is reported again.
struct Queue {
    queue: OwnedFd,
    events: Box<[libc::epoll_event]>,
}

impl Queue {
    fn new() -> io::Result<Self> {
        // SAFETY: no pointers; a valid descriptor is ours alone.
        let queue = unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC))? };
        Ok(Self { queue, events: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH].into_boxed_slice() })
    }

    /// Reports `source` under `key` whenever it can be read.
    fn add(&self, source: &impl AsRawFd, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, source.as_raw_fd(), key)
    }

    /// Reports `source` no more.
    fn remove(&self, source: &impl AsRawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, source.as_raw_fd(), 0)
    }

    fn control(&self, operation: libc::c_int, source: RawFd, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: key };
        // SAFETY: the pointer is to a live event; both descriptors are open as long as their owners live.
        let result = unsafe { libc::epoll_ctl(self.queue.as_raw_fd(), operation, source, &raw mut event) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Waits until something can be read, at most `timeout` (forever if `None`), and puts the keys in the place of
    /// what is in `ready`. A signal ends the wait early with none.
    fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let capacity = i32::try_from(self.events.len()).expect("a small constant");
        // SAFETY: the pointer and the count are those of a live slice, which the call fills.
        let count = unsafe {
            libc::epoll_wait(
                self.queue.as_raw_fd(),
                self.events.as_mut_ptr(),
                capacity,
                milliseconds(timeout),
            )
        };
        self.keys(count, ready)
    }

    /// As `wait`, but to the nanosecond (Linux 5.11).
    fn wait_finely(&mut self, timeout: Duration, ready: &mut Vec<u64>) -> io::Result<()> {
        ready.clear();
        let capacity = i32::try_from(self.events.len()).expect("a small constant");
        let seconds = timeout.as_secs().cast_signed();
        let limit = libc::timespec { tv_sec: seconds, tv_nsec: timeout.subsec_nanos().into() };
        // SAFETY: the pointers and the count are those of a live limit and a live slice, which the call fills; no signals are
        // masked.
        let count = unsafe {
            libc::epoll_pwait2(
                self.queue.as_raw_fd(),
                self.events.as_mut_ptr(),
                capacity,
                &raw const limit,
                std::ptr::null(),
            )
        };
        self.keys(count, ready)
    }

    /// What a wait of so many events has to say.
    fn keys(&self, count: libc::c_int, ready: &mut Vec<u64>) -> io::Result<()> {
        match usize::try_from(count) {
            Ok(count) => ready.extend(self.events[..count].iter().map(|event| event.u64)),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn milliseconds(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |timeout| {
        i32::try_from(super::whole_milliseconds(timeout).as_millis()).unwrap_or(i32::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(queue: &mut Queue, timeout: Option<Duration>) -> Vec<u64> {
        let mut ready = vec![9];
        queue.wait(timeout, &mut ready).expect("the queue is open");
        ready
    }

    #[test]
    fn a_ring_is_reported_until_it_is_answered() {
        let mut queue = Queue::new().unwrap();
        let bell = Bell::new().unwrap();
        queue.add(&bell, 7).unwrap();
        let now = Some(Duration::ZERO);
        assert_eq!(ready(&mut queue, now), [] as [u64; 0]);
        bell.ring();
        bell.ring();
        assert_eq!(ready(&mut queue, None), [7]);
        assert_eq!(ready(&mut queue, now), [7]);
        bell.answer();
        assert_eq!(ready(&mut queue, now), [] as [u64; 0]);
    }

    #[test]
    fn what_is_removed_is_not_reported() {
        let mut queue = Queue::new().unwrap();
        let bell = Bell::new().unwrap();
        queue.add(&bell, 1).unwrap();
        bell.ring();
        queue.remove(&bell).unwrap();
        assert_eq!(ready(&mut queue, Some(Duration::ZERO)), [] as [u64; 0]);
    }

    #[test]
    fn timeouts_are_rounded_up() {
        assert_eq!(milliseconds(None), -1);
        assert_eq!(milliseconds(Some(Duration::ZERO)), 0);
        assert_eq!(milliseconds(Some(Duration::from_nanos(1))), 1);
        assert_eq!(milliseconds(Some(Duration::from_millis(20))), 20);
        assert_eq!(milliseconds(Some(Duration::MAX)), i32::MAX);
    }
}
