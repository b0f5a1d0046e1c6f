//! The memory that is shared with the program in the kernel (`bpf/shortcut.bpf.c`): a slot for each pair of ports.

use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::time::Duration;

use clock::Instant;
use rtp::Progress;

/// How often it is looked whether the program has left a slot: far longer than it takes for a packet.
const LOOKS: u32 = 100_000;

/// What the program does with packets. Numbers are the machine's, but those that are compared with or put into packets as they
/// are: these stand as on the wire.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) interface: u32,
    pub(super) source: [u8; 16],
    pub(super) from: [u8; 16],
    pub(super) to: [u8; 16],
    pub(super) source_port: [u8; 2],
    pub(super) from_port: [u8; 2],
    pub(super) to_port: [u8; 2],
    pub(super) next_hop: [u8; 6],
    pub(super) ours: [u8; 6],
    pub(super) incoming_type: u8,
    pub(super) outgoing_type: u8,
    pub(super) incoming_ssrc: [u8; 4],
    pub(super) outgoing_ssrc: [u8; 4],
    pub(super) timestamp_offset: u32,
    pub(super) base_timestamp: u32,
    pub(super) sequence_offset: u16,
    pub(super) base: u16,
    pub(super) clock_rate: u32,
    pub(super) unused: [u8; 4],
    /// The machine's time zero on the system's monotonic clock, nanoseconds, in the byte order of this machine.
    pub(super) epoch: [u8; 8],
}

/// An address as the program has it: IPv4 in the first four octets.
pub(crate) fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// One of them. Only who owns the pair writes here, and only while it is not active; then the program does.
#[repr(C, align(64))]
pub(super) struct Slot {
    active: AtomicU32,
    course: UnsafeCell<Course>,
    tally: Tally,
}

#[repr(C, align(64))]
struct Tally {
    entered: AtomicU64,
    left: AtomicU64,
    packets: AtomicU64,
    octets: AtomicU64,
    seen: AtomicU64,
    at: AtomicU64,
    paid_until: AtomicU64,
    highest: AtomicU32,
    received: AtomicU32,
    timestamp: AtomicU32,
    length: AtomicU32,
    transit: AtomicU32,
    jitter: AtomicU32,
    begins: AtomicU32,
}

// SAFETY: `course` is written by one worker alone and read by the kernel alone, never at the same time: see `begin` and `end`.
unsafe impl Sync for Slot {}

impl Slot {
    /// Lets the program have the packets. It must not be active.
    pub(super) fn begin(&self, course: &Course, progress: &Progress) {
        // SAFETY: the slot is not active and the program has left it (`end`), so nobody reads this now.
        unsafe { self.course.get().write(*course) };
        let tally = &self.tally;
        tally.packets.store(0, Ordering::Relaxed);
        tally.octets.store(0, Ordering::Relaxed);
        tally.seen.store(progress.seen, Ordering::Relaxed);
        tally.at.store(nanoseconds(progress.at), Ordering::Relaxed);
        tally.paid_until.store(nanoseconds(progress.paid_until), Ordering::Relaxed);
        tally.highest.store(progress.highest, Ordering::Relaxed);
        tally.received.store(progress.received, Ordering::Relaxed);
        tally.timestamp.store(progress.timestamp, Ordering::Relaxed);
        tally.length.store(progress.length, Ordering::Relaxed);
        tally.begins.store(u16::from_le_bytes(progress.begins).into(), Ordering::Relaxed);
        tally.transit.store(progress.transit, Ordering::Relaxed);
        tally.jitter.store(progress.jitter, Ordering::Relaxed);
        self.active.store(1, Ordering::SeqCst);
    }

    /// Takes the packets back. When this returns the program has done with the last of them.
    pub(super) fn end(&self) -> Progress {
        self.active.store(0, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        for _ in 0..LOOKS {
            if self.tally.left.load(Ordering::SeqCst) == self.tally.entered.load(Ordering::SeqCst) {
                break;
            }
            spin_loop();
        }
        self.read()
    }

    /// How far it got since it began; `None` if it went on meanwhile.
    pub(super) fn look(&self) -> Option<Progress> {
        let left = self.tally.left.load(Ordering::SeqCst);
        let progress = self.read();
        fence(Ordering::SeqCst);
        (self.tally.entered.load(Ordering::SeqCst) == left).then_some(progress)
    }

    fn read(&self) -> Progress {
        let tally = &self.tally;
        let begins = tally.begins.load(Ordering::Relaxed);
        Progress {
            packets: tally.packets.load(Ordering::Relaxed),
            octets: tally.octets.load(Ordering::Relaxed),
            highest: tally.highest.load(Ordering::Relaxed),
            received: tally.received.load(Ordering::Relaxed),
            seen: tally.seen.load(Ordering::Relaxed),
            timestamp: tally.timestamp.load(Ordering::Relaxed),
            length: tally.length.load(Ordering::Relaxed),
            begins: [begins as u8, (begins >> 8) as u8],
            at: Instant(Duration::from_nanos(tally.at.load(Ordering::Relaxed))),
            transit: tally.transit.load(Ordering::Relaxed),
            jitter: tally.jitter.load(Ordering::Relaxed),
            paid_until: Instant(Duration::from_nanos(tally.paid_until.load(Ordering::Relaxed))),
        }
    }
}

fn nanoseconds(at: Instant) -> u64 {
    u64::try_from(at.0.as_nanos()).unwrap_or(u64::MAX)
}

/// All slots, as the kernel has them.
pub(super) struct Slots {
    start: NonNull<Slot>,
    count: usize,
}

// SAFETY: it is memory that lives as long as this value, and slots may be used from any thread.
unsafe impl Send for Slots {}
// SAFETY: as above.
unsafe impl Sync for Slots {}

impl Slots {
    /// Maps the array of so many slots behind a descriptor.
    pub(super) fn map(array: BorrowedFd<'_>, count: usize) -> io::Result<Self> {
        let length = count * size_of::<Slot>();
        // SAFETY: a new mapping of an open descriptor at a place the system picks.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                array.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("memory at address zero"))?;
        Ok(Self { start, count })
    }

    pub(super) fn get(&self, number: u32) -> Option<&Slot> {
        let number = usize::try_from(number).ok().filter(|number| *number < self.count)?;
        // SAFETY: the mapping holds `count` slots, whose every bit pattern is one, and lives as long as `self`.
        Some(unsafe { self.start.add(number).as_ref() })
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `map`, to which no reference outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.count * size_of::<Slot>()) };
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn slots_are_laid_out_as_the_program_has_them() {
        assert_eq!(size_of::<Slot>(), 256);
        assert_eq!(
            (offset_of!(Slot, active), offset_of!(Slot, course), offset_of!(Slot, tally)),
            (0, 4, 128)
        );
        assert_eq!((offset_of!(Course, source), offset_of!(Course, source_port)), (4, 52));
        assert_eq!((offset_of!(Course, incoming_type), offset_of!(Course, incoming_ssrc)), (70, 72));
        assert_eq!((offset_of!(Course, clock_rate), offset_of!(Course, epoch)), (92, 100));
        assert_eq!((offset_of!(Tally, paid_until), offset_of!(Tally, highest)), (48, 56));
        assert_eq!(offset_of!(Tally, jitter), 76);
    }
}
