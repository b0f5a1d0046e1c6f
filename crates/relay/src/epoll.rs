//! The kernel's readiness queue, and a way to wake who waits on it (epoll(7), eventfd(2)).

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Events taken in one call.
const BATCH: usize = 256;

/// A readiness queue, level-triggered: what is not read is reported again.
pub(crate) struct Epoll {
    queue: OwnedFd,
    events: Box<[libc::epoll_event]>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; a valid descriptor is ours alone.
        let queue = unsafe { owned(libc::epoll_create1(libc::EPOLL_CLOEXEC))? };
        Ok(Self { queue, events: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH].into_boxed_slice() })
    }

    /// Reports `source` under `key` whenever it can be read.
    pub(crate) fn add(&self, source: &impl AsRawFd, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, source.as_raw_fd(), key)
    }

    /// Reports `source` no more.
    pub(crate) fn remove(&self, source: &impl AsRawFd) -> io::Result<()> {
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
    pub(crate) fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<u64>) -> io::Result<()> {
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

/// Rounded up: a deadline must have passed when the wait ends, or the loop would spin up to it.
fn milliseconds(timeout: Option<Duration>) -> i32 {
    timeout.map_or(-1, |timeout| {
        let whole = timeout.as_nanos().div_ceil(1_000_000);
        i32::try_from(whole).unwrap_or(i32::MAX)
    })
}

/// A counter that makes a queue report it once it is not zero.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: no pointers; a valid descriptor is ours alone.
        unsafe { owned(libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK)) }.map(Self)
    }

    /// Wakes whoever waits. Cannot fail: the counter can only be full after 2^64 rings without an answer.
    pub(crate) fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the pointer and the length are those of a live array.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Sets the counter back to zero.
    pub(crate) fn answer(&self) {
        let mut count = [0u8; 8];
        // SAFETY: the pointer and the length are those of a live array.
        unsafe { libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    }
}

impl AsRawFd for Bell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// # Safety
/// A descriptor that is not negative must be open and owned by nobody else.
unsafe fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: as the caller promises.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(epoll: &mut Epoll, timeout: Option<Duration>) -> Vec<u64> {
        let mut ready = vec![9];
        epoll.wait(timeout, &mut ready).expect("the queue is open");
        ready
    }

    #[test]
    fn a_ring_is_reported_until_it_is_answered() {
        let mut epoll = Epoll::new().unwrap();
        let bell = Bell::new().unwrap();
        epoll.add(&bell, 7).unwrap();
        let now = Some(Duration::ZERO);
        assert_eq!(ready(&mut epoll, now), [] as [u64; 0]);
        bell.ring();
        bell.ring();
        assert_eq!(ready(&mut epoll, None), [7]);
        assert_eq!(ready(&mut epoll, now), [7]);
        bell.answer();
        assert_eq!(ready(&mut epoll, now), [] as [u64; 0]);
    }

    #[test]
    fn what_is_removed_is_not_reported() {
        let mut epoll = Epoll::new().unwrap();
        let bell = Bell::new().unwrap();
        epoll.add(&bell, 1).unwrap();
        bell.ring();
        epoll.remove(&bell).unwrap();
        assert_eq!(ready(&mut epoll, Some(Duration::ZERO)), [] as [u64; 0]);
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
