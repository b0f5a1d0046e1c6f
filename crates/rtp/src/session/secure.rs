//! What a session has beyond a plain one where SRTP was agreed. Kept out of line, so that packets of plain sessions pay nothing
//! for it.

use crate::srtp::{Receiver, Sender, Unproven};
use crate::{Srtp, packet, srtp};

/// Octets enough for any packet we send on, and for any of theirs.
const ROOM: usize = packet::MAX_LENGTH + srtp::OVERHEAD;

/// Both directions, and room for a packet that is worked on.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) agreed: Srtp,
    sender: Sender,
    receiver: Receiver,
    room: [u8; ROOM],
}

impl Secure {
    pub(super) fn new(agreed: Srtp) -> Self {
        Self {
            agreed,
            sender: Sender::new(agreed.suite, &agreed.send),
            receiver: Receiver::joining(agreed.suite, &agreed.receive, agreed.life, agreed.rollovers),
            room: [0; ROOM],
        }
    }

    /// A new description was agreed: a direction whose key is still the same goes on as it was (RFC 4568 §7.1.4).
    pub(super) fn update(&mut self, agreed: Srtp) {
        let before = std::mem::replace(&mut self.agreed, agreed);
        if (before.suite, before.send) != (agreed.suite, agreed.send) {
            self.sender = Sender::new(agreed.suite, &agreed.send);
        }
        if (before.suite, before.receive) != (agreed.suite, agreed.receive) {
            self.receiver = self.receiver.renewed(agreed.suite, &agreed.receive, agreed.life);
        }
    }

    /// A packet of ours as it goes out.
    #[inline(never)]
    pub(super) fn protect(&mut self, packet: &[u8]) -> Option<&[u8]> {
        self.sender.protect(packet, &mut self.room)
    }

    /// A compound RTCP packet of ours as it goes out.
    #[inline(never)]
    pub(super) fn protect_control(&mut self, packet: &[u8]) -> Option<&[u8]> {
        self.sender.protect_control(packet, &mut self.room)
    }

    /// A packet of theirs, decrypted where it lies.
    #[inline(never)]
    pub(super) fn unprotect<'b>(&mut self, bytes: &'b mut [u8]) -> Result<&'b mut [u8], Unproven> {
        let length = self.receiver.unprotect(bytes)?;
        Ok(&mut bytes[..length])
    }

    /// A compound RTCP packet of theirs, decrypted.
    #[inline(never)]
    pub(super) fn unprotect_control(&mut self, bytes: &[u8]) -> Result<&[u8], Unproven> {
        let room = self.room.get_mut(..bytes.len()).ok_or(Unproven)?;
        room.copy_from_slice(bytes);
        let length = self.receiver.unprotect_control(room)?;
        Ok(&room[..length])
    }
}
