//! Their direction (RFC 3711 §3.3): packets are proved theirs and new, then decrypted. Nothing is kept of one that is not.

use std::fmt;

use super::keys::{Keys, Kind, Number};
use super::window::Window;
use super::{
    CONTROL_HEADER_LENGTH, ENCRYPTED, HEADER_LENGTH, INDEX_LENGTH, LONGEST_CONTROL_LIFE, LONGEST_LIFE,
    MasterKey, Suite,
};

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
    /// How often the sequence numbers of the first source may have begun anew before it is heard.
    rollovers: u16,
    /// How many packets more the key is good for, and how many of RTCP (§9.2).
    left: u64,
    left_control: u64,
}

/// A packet is not proved to be theirs and new: it never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not proved to be theirs and new")]
pub struct Unproven;

impl Receiver {
    /// A context in which nothing was heard, under a key of so long a life: after as many packets nothing is heard any more.
    #[must_use]
    pub fn new(suite: Suite, key: &MasterKey, life: u64) -> Self {
        Self {
            suite,
            packets: Keys::derive(suite, key, Kind::Packets),
            control: Keys::derive(suite, key, Kind::Control),
            heard: Sources::default(),
            heard_control: Sources::default(),
            before: None,
            rollovers: 0,
            left: life.min(LONGEST_LIFE),
            left_control: life.min(LONGEST_CONTROL_LIFE),
        }
    }

    /// A context for a side that has spoken under this key before we hear it: its sequence numbers may have begun anew so
    /// often. How often they have, its first packet proves.
    #[must_use]
    pub fn joining(suite: Suite, key: &MasterKey, life: u64, rollovers: u16) -> Self {
        Self { rollovers, ..Self::new(suite, key, life) }
    }

    /// A context under a new key, for whom this one was for.
    #[must_use]
    pub fn renewed(&self, suite: Suite, key: &MasterKey, life: u64) -> Self {
        Self { before: self.heard.last, ..Self::new(suite, key, life) }
    }

    /// Proves and decrypts an RTP packet where it lies.
    ///
    /// # Errors
    /// It is not proved to be theirs and new; then it lies there as it came. Otherwise how long the packet is.
    pub fn unprotect(&mut self, bytes: &mut [u8]) -> Result<usize, Unproven> {
        let end = bytes.len().checked_sub(self.suite.tag()).ok_or(Unproven)?;
        let (packet, tag) = bytes.split_at_mut(end);
        let (start, sequence, ssrc) = header(packet).ok_or(Unproven)?;
        let left = self.left.checked_sub(1).ok_or(Unproven)?;
        let mut opens = |index: &u64| {
            let number = Number::of_packet(ssrc, *index);
            *index < LONGEST_LIFE && self.packets.open(number, start, packet, tag)
        };
        let index = match self.heard.find(ssrc) {
            Some(window) => {
                let new = window.estimate(sequence).filter(|index| window.is_new(*index));
                new.filter(&mut opens)
            }
            None if self.heard.is_full() => None,
            None => {
                let before = self.before.filter(|(before, _)| *before == ssrc);
                let goes_on = before.and_then(|(_, window)| window.estimate(sequence));
                let first = std::iter::once(u64::from(sequence)).chain(goes_on);
                let later = (1..=u64::from(self.rollovers)).map(|times| times << 16 | u64::from(sequence));
                first.chain(later).find(opens)
            }
        }
        .ok_or(Unproven)?;
        self.heard.mark(ssrc, index);
        self.rollovers = 0;
        self.left = left;
        Ok(end)
    }

    /// Proves and decrypts an RTCP packet where it lies.
    ///
    /// # Errors
    /// As for `unprotect`.
    pub fn unprotect_control(&mut self, bytes: &mut [u8]) -> Result<usize, Unproven> {
        let end = bytes.len().checked_sub(INDEX_LENGTH + self.suite.control_tag()).ok_or(Unproven)?;
        let (packet, trailer) = bytes.split_at_mut(end);
        let at = if self.suite.ends_with_index() { self.suite.control_tag() } else { 0 };
        let (before, rest) = trailer.split_at_checked(at).ok_or(Unproven)?;
        let (word, behind) = rest.split_first_chunk::<INDEX_LENGTH>().ok_or(Unproven)?;
        let tag = if before.is_empty() { behind } else { before };
        let left = self.left_control.checked_sub(1).ok_or(Unproven)?;
        let word = u32::from_be_bytes(*word);
        let header = packet.first_chunk::<CONTROL_HEADER_LENGTH>().ok_or(Unproven)?;
        let [_, _, _, _, ssrc @ ..] = *header;
        let ssrc = u32::from_be_bytes(ssrc);
        let number = Number::of_control(ssrc, word);
        let index = number.index;
        // Nobody agreed to leave RTCP in the clear (RFC 4568 §6.3.2).
        let is_new = match self.heard_control.find(ssrc) {
            Some(window) => window.is_new(index),
            None => !self.heard_control.is_full(),
        };
        let is_candidate = word & ENCRYPTED != 0 && is_new;
        if !is_candidate || !self.control.open(number, CONTROL_HEADER_LENGTH, packet, tag) {
            return Err(Unproven);
        }
        self.heard_control.mark(ssrc, index);
        self.left_control = left;
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
