//! Buffers the kernel fills (io_uring_register_buf_ring(3)): it takes them from a ring, we put them back.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::LARGEST;

/// Room for the longest address of a datagram: that of IPv6.
pub(super) const NAME: u32 = size_of::<libc::sockaddr_in6>() as u32;
/// What the kernel writes before the address: four 32-bit lengths and flags (`io_uring_recvmsg_out`).
const HEADER: usize = 16;
/// Octets of one buffer.
const SIZE: usize = HEADER + NAME as usize + LARGEST;
/// How many there are; a power of two. A worker that falls behind by more leaves packets in their sockets.
const COUNT: u16 = 1_024;
/// The ring must begin where a page does.
const PAGE: usize = 4_096;

/// The ring and its buffers.
pub(super) struct Buffers {
    ring: NonNull<BufRingEntry>,
    bytes: Box<[u8]>,
    tail: u16,
}

impl Buffers {
    /// Makes the buffers and gives all of them to the kernel.
    pub(super) fn register(ring: &IoUring, group: u16) -> io::Result<Self> {
        let memory = layout();
        // SAFETY: the layout has a size above zero.
        let entries =
            NonNull::new(unsafe { alloc_zeroed(memory) }).unwrap_or_else(|| handle_alloc_error(memory));
        let mut buffers =
            Self { ring: entries.cast(), bytes: vec![0; SIZE * usize::from(COUNT)].into(), tail: 0 };
        let address = entries.as_ptr().expose_provenance() as u64;
        // SAFETY: the ring has room for so many entries, begins a page, and outlives the use: see `Uring`'s fields.
        unsafe { ring.submitter().register_buf_ring_with_flags(address, COUNT, group, 0)? };
        (0..COUNT).for_each(|buffer| buffers.give(buffer));
        Ok(buffers)
    }

    pub(super) fn get(&self, buffer: u16) -> &[u8] {
        let start = usize::from(buffer) * SIZE;
        &self.bytes[start..start + SIZE]
    }

    pub(super) fn get_mut(&mut self, buffer: u16) -> &mut [u8] {
        let start = usize::from(buffer) * SIZE;
        &mut self.bytes[start..start + SIZE]
    }

    /// Lets the kernel have a buffer.
    pub(super) fn give(&mut self, buffer: u16) {
        let address = self.get_mut(buffer).as_mut_ptr().expose_provenance() as u64;
        // SAFETY: the place is inside the ring; the kernel does not read it before the tail says so.
        unsafe {
            let entry = &mut *self.ring.as_ptr().add(usize::from(self.tail & (COUNT - 1)));
            entry.set_addr(address);
            entry.set_len(u32::try_from(SIZE).expect("a small constant"));
            entry.set_bid(buffer);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in the first entry and is only ever reached as an atomic by both sides.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.ring.as_ptr()).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: made by `alloc_zeroed` with this layout, and the ring that used it is closed.
        unsafe { dealloc(self.ring.as_ptr().cast(), layout()) };
    }
}

fn layout() -> Layout {
    let size = size_of::<BufRingEntry>() * usize::from(COUNT);
    Layout::from_size_align(size, PAGE).expect("a constant")
}
