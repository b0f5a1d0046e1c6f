//! Packets on their way into the kernel, each with what sendmsg(2) wants to be pointed at.

use std::mem;
use std::net::SocketAddr;

use socket2::SockAddr;

use super::LARGEST;

/// One packet. It points into itself, so it stays where it is.
struct Slot {
    address: Option<SockAddr>,
    vector: libc::iovec,
    message: libc::msghdr,
    bytes: [u8; LARGEST],
}

/// Room for packets, used from the first to the last and then, all at once, anew.
pub(super) struct Slots {
    slots: Box<[Slot]>,
    used: usize,
}

impl Slots {
    pub(super) fn new(count: u16) -> Self {
        let slot = || Slot {
            address: None,
            // SAFETY: all zeros is a valid iovec: nothing, nowhere.
            vector: unsafe { mem::zeroed() },
            // SAFETY: all zeros is a valid msghdr: no address, no buffers, no flags.
            message: unsafe { mem::zeroed() },
            bytes: [0; LARGEST],
        };
        Self { slots: (0..count).map(|_| slot()).collect(), used: 0 }
    }

    pub(super) fn are_full(&self) -> bool {
        self.used == self.slots.len()
    }

    /// Takes the next slot for a packet; `None` if there is none, or the packet is too long.
    pub(super) fn fill(&mut self, to: SocketAddr, packet: &[u8]) -> Option<*const libc::msghdr> {
        let slot = self.slots.get_mut(self.used)?;
        slot.bytes.get_mut(..packet.len())?.copy_from_slice(packet);
        let address = slot.address.insert(to.into());
        slot.vector = libc::iovec { iov_base: slot.bytes.as_mut_ptr().cast(), iov_len: packet.len() };
        slot.message.msg_name = address.as_ptr().cast_mut().cast();
        slot.message.msg_namelen = address.len();
        slot.message.msg_iov = &raw mut slot.vector;
        slot.message.msg_iovlen = 1;
        self.used += 1;
        Some(&raw const slot.message)
    }

    /// As `fill`, for a packet that goes out of a connected socket: its octets are all that is pointed at.
    pub(super) fn fill_plain(&mut self, packet: &[u8]) -> Option<&[u8]> {
        let bytes = self.slots.get_mut(self.used)?.bytes.get_mut(..packet.len())?;
        bytes.copy_from_slice(packet);
        self.used += 1;
        Some(bytes)
    }

    /// Nothing in any slot is needed any more.
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }
}
