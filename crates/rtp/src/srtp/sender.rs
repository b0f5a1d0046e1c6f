//! Our direction (RFC 3711 §3.3): packets are encrypted, then authenticated.

use std::fmt;

use super::keys::{Keys, Kind};
use super::window::Window;
use super::{
    CONTROL_HEADER_LENGTH, CONTROL_TAG, ENCRYPTED, HEADER_LENGTH, INDEX_LENGTH, MasterKey, OVERHEAD, Suite,
};

/// Protects what one source sends.
pub struct Sender {
    suite: Suite,
    pub(super) packets: Keys,
    control: Keys,
    /// Which packets went out: no two are ever encrypted alike, whatever numbers they are given (§9.1).
    pub(super) sent: Option<Window>,
    /// SRTCP's index, of the next packet.
    pub(super) control_index: u32,
}

impl Sender {
    /// A context in which nothing was sent.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self {
            suite,
            packets: Keys::derive(key, Kind::Packets),
            control: Keys::derive(key, Kind::Control),
            sent: None,
            control_index: 0,
        }
    }

    /// Protects an RTP packet of ours, which has neither contributing sources nor an extension; what is sent lies in
    /// `room` then. `None`: there is no room for it, it is no packet of ours, its number was used before, or the key is
    /// worn out (§9.2).
    pub fn protect<'r>(&mut self, packet: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
        let (header, _) = packet.split_first_chunk::<HEADER_LENGTH>()?;
        let [0x80, _, high, low, _, _, _, _, ssrc @ ..] = *header else { return None };
        let sequence = u16::from_be_bytes([high, low]);
        let index = match &self.sent {
            None => sequence.into(),
            Some(sent) => sent.estimate(sequence).filter(|index| sent.is_new(*index))?,
        };
        let end = packet.len();
        let tag_end = end + self.suite.tag();
        let room = room.get_mut(..tag_end)?;
        room[..end].copy_from_slice(packet);
        self.packets.crypt(u32::from_be_bytes(ssrc), index, &mut room[HEADER_LENGTH..end]);
        let tag: [u8; OVERHEAD] = self.packets.tag(&room[..end], (index >> 16) as u32);
        room[end..].copy_from_slice(&tag[..tag_end - end]);
        match &mut self.sent {
            Some(sent) => sent.mark(index),
            None => self.sent = Some(Window::new(index)),
        }
        Some(room)
    }

    /// Protects a compound RTCP packet; what is sent lies in `room` then. `None`: as for `protect`.
    pub fn protect_control<'r>(&mut self, packet: &[u8], room: &'r mut [u8]) -> Option<&'r [u8]> {
        let (header, _) = packet.split_first_chunk::<CONTROL_HEADER_LENGTH>()?;
        let [_, _, _, _, ssrc @ ..] = *header;
        let index = self.control_index;
        if index == ENCRYPTED {
            return None;
        }
        let end = packet.len();
        let index_end = end + INDEX_LENGTH;
        let room = room.get_mut(..index_end + CONTROL_TAG)?;
        room[..end].copy_from_slice(packet);
        let body = &mut room[CONTROL_HEADER_LENGTH..end];
        self.control.crypt(u32::from_be_bytes(ssrc), index.into(), body);
        let word = ENCRYPTED | index;
        room[end..index_end].copy_from_slice(&word.to_be_bytes());
        let tag: [u8; CONTROL_TAG] = self.control.tag(&room[..end], word);
        room[index_end..].copy_from_slice(&tag);
        self.control_index += 1;
        Some(room)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("suite", &self.suite).finish_non_exhaustive()
    }
}
