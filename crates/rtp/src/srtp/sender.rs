//! Our direction (RFC 3711 §3.3): packets are encrypted, then authenticated.

use std::fmt;

use super::keys::{Keys, Kind, Number};
use super::window::Window;
use super::{CONTROL_HEADER_LENGTH, ENCRYPTED, HEADER_LENGTH, INDEX_LENGTH, MasterKey, Suite};

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
            packets: Keys::derive(suite, key, Kind::Packets),
            control: Keys::derive(suite, key, Kind::Control),
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
        let number = Number::of_packet(u32::from_be_bytes(ssrc), index);
        let tag = self.packets.seal(number, HEADER_LENGTH, &mut room[..end]);
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
        let tag_length = self.suite.control_tag();
        let room = room.get_mut(..end + INDEX_LENGTH + tag_length)?;
        let (body, trailer) = room.split_at_mut(end);
        body.copy_from_slice(packet);
        let word = ENCRYPTED | index;
        let number = Number::of_control(u32::from_be_bytes(ssrc), word);
        let tag = self.control.seal(number, CONTROL_HEADER_LENGTH, body);
        let (word, tag) = (word.to_be_bytes(), &tag[..tag_length]);
        if self.suite.ends_with_index() {
            trailer[..tag_length].copy_from_slice(tag);
            trailer[tag_length..].copy_from_slice(&word);
        } else {
            trailer[..INDEX_LENGTH].copy_from_slice(&word);
            trailer[INDEX_LENGTH..].copy_from_slice(tag);
        }
        self.control_index += 1;
        Some(room)
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("suite", &self.suite).finish_non_exhaustive()
    }
}
