//! Their direction (RFC 3711 §3.3): packets are proved theirs and new, then decrypted. Nothing is kept of one that is not.

use std::fmt;

use super::keys::{Keys, Kind};
use super::window::Window;
use super::{CONTROL_HEADER_LENGTH, CONTROL_TAG, ENCRYPTED, HEADER_LENGTH, INDEX_LENGTH, MasterKey, Suite};

/// Sources that one side may have under one key. None is ever forgotten, or its packets could be played again.
const SOURCES: usize = 16;

/// Proves and decrypts what one side sends.
pub struct Receiver {
    suite: Suite,
    packets: Keys,
    control: Keys,
    heard: Sources,
    heard_control: Sources,
    /// The source heard last under the key before this one, and its highest index: whether the rollover counter begins
    /// anew with a key or goes on, senders do not agree.
    before: Option<(u32, Window)>,
}

/// A packet is not proved to be theirs and new: it never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not proved to be theirs and new")]
pub struct Unproven;

impl Receiver {
    /// A context in which nothing was heard.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey) -> Self {
        Self {
            suite,
            packets: Keys::derive(key, Kind::Packets),
            control: Keys::derive(key, Kind::Control),
            heard: Sources::default(),
            heard_control: Sources::default(),
            before: None,
        }
    }

    /// A context under a new key, for whom this one was for.
    #[must_use]
    pub fn renewed(&self, suite: Suite, key: &MasterKey) -> Self {
        Self { before: self.heard.last, ..Self::new(suite, key) }
    }

    /// Proves and decrypts an RTP packet where it lies.
    ///
    /// # Errors
    /// It is not proved to be theirs and new; then it lies there as it came. Otherwise how long the packet is.
    pub fn unprotect(&mut self, bytes: &mut [u8]) -> Result<usize, Unproven> {
        let end = bytes.len().checked_sub(self.suite.tag()).ok_or(Unproven)?;
        let (packet, tag) = bytes.split_at_mut(end);
        let (start, sequence, ssrc) = header(packet).ok_or(Unproven)?;
        let proves = |index: &u64| *index < 1 << 48 && self.packets.proves(packet, (index >> 16) as u32, tag);
        let index = match self.heard.find(ssrc) {
            Some(window) => {
                let new = window.estimate(sequence).filter(|index| window.is_new(*index));
                new.filter(|index| proves(index))
            }
            None if self.heard.is_full() => None,
            None => {
                let before = self.before.filter(|(before, _)| *before == ssrc);
                let goes_on = before.and_then(|(_, window)| window.estimate(sequence));
                [Some(sequence.into()), goes_on].into_iter().flatten().find(|index| proves(index))
            }
        }
        .ok_or(Unproven)?;
        self.packets.crypt(ssrc, index, &mut packet[start..]);
        self.heard.mark(ssrc, index);
        Ok(end)
    }

    /// Proves and decrypts an RTCP packet where it lies.
    ///
    /// # Errors
    /// As for `unprotect`.
    pub fn unprotect_control(&mut self, bytes: &mut [u8]) -> Result<usize, Unproven> {
        let end = bytes.len().checked_sub(INDEX_LENGTH + CONTROL_TAG).ok_or(Unproven)?;
        let (packet, trailer) = bytes.split_at_mut(end);
        let (word, tag) = trailer.split_first_chunk::<INDEX_LENGTH>().ok_or(Unproven)?;
        let word = u32::from_be_bytes(*word);
        let header = packet.first_chunk::<CONTROL_HEADER_LENGTH>().ok_or(Unproven)?;
        let [_, _, _, _, ssrc @ ..] = *header;
        let ssrc = u32::from_be_bytes(ssrc);
        let index = u64::from(word & !ENCRYPTED);
        // Nobody agreed to leave RTCP in the clear (RFC 4568 §6.3.2).
        let is_new = match self.heard_control.find(ssrc) {
            Some(window) => window.is_new(index),
            None => !self.heard_control.is_full(),
        };
        if word & ENCRYPTED == 0 || !is_new || !self.control.proves(packet, word, tag) {
            return Err(Unproven);
        }
        self.control.crypt(ssrc, index, &mut packet[CONTROL_HEADER_LENGTH..]);
        self.heard_control.mark(ssrc, index);
        Ok(end)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// Where the payload of a packet begins, its sequence number and its source. `None`: it is no packet.
fn header(packet: &[u8]) -> Option<(usize, u16, u32)> {
    let fixed = packet.first_chunk::<HEADER_LENGTH>()?;
    let [flags, _, high, low, _, _, _, _, ssrc @ ..] = *fixed;
    let sources = HEADER_LENGTH + 4 * usize::from(flags & 0x0F);
    let start = if flags & 0x10 == 0 {
        sources
    } else {
        let [_, _, high, low] = *packet.get(sources..)?.first_chunk()?;
        sources + 4 + 4 * usize::from(u16::from_be_bytes([high, low]))
    };
    let is_one = flags >> 6 == 2 && start <= packet.len();
    is_one.then(|| (start, u16::from_be_bytes([high, low]), u32::from_be_bytes(ssrc)))
}

/// What was heard of each source.
#[derive(Debug, Default)]
struct Sources {
    /// The one heard last; most sides have but one.
    last: Option<(u32, Window)>,
    /// The others.
    others: [Option<(u32, Window)>; SOURCES - 1],
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Window> {
        let all = self.last.iter().chain(self.others.iter().flatten());
        all.into_iter().find(|(source, _)| *source == ssrc).map(|(_, window)| window)
    }

    fn is_full(&self) -> bool {
        self.last.is_some() && self.others.iter().all(Option::is_some)
    }

    /// A packet of this source was proved; there is room for it.
    fn mark(&mut self, ssrc: u32, index: u64) {
        if let Some((source, window)) = &mut self.last
            && *source == ssrc
        {
            return window.mark(index);
        }
        let place = self.others.iter().position(|other| other.is_some_and(|(source, _)| source == ssrc));
        let known = place.and_then(|place| self.others[place].take());
        let window = known.map_or_else(
            || Window::new(index),
            |(_, mut window)| {
                window.mark(index);
                window
            },
        );
        if let Some(before) = self.last.replace((ssrc, window))
            && let Some(free) = self.others.iter_mut().find(|other| other.is_none())
        {
            *free = Some(before);
        }
    }
}
