//! Hears the keys in what one side says.

use std::time::Duration;

use clock::Instant;

use super::Key;
use super::block::{Block, LENGTH};
use super::window::{self, BLOCKS};
use crate::codec::{ClockRate, Samples};
use crate::packet::Header;
use crate::receiver::Place;
use crate::telephone_event::presses::Sighting;

/// A key is let go when it was not there for so many blocks: 24 ms. A pause of 40 ms has them, wherever it begins; an
/// interruption of 10 ms has not (Q.24).
const RELEASED: u32 = 3;
/// A block has the key that is held if each tone has this part of its energy (6 dB less) …
const STILL: f32 = 0.25;
/// … and both together this part of all. Whoever holds a key may hear others talk.
const AMIDST: f32 = 0.3;
/// What was lost on its way is not known to be a pause, up to so many samples: nobody lets go of a key and presses it
/// again within 60 ms.
const HIDDEN: u32 = 480;
/// A timestamp that runs ahead of time by more than this has jumped.
const MAX_LEAD: u32 = 8000;

/// Hears the keys in one stream after the other. It lags 32 to 40 ms behind.
#[derive(Debug)]
pub(crate) struct Detector {
    /// The one being filled takes the place of the oldest.
    blocks: [Block; BLOCKS],
    newest: usize,
    filled: usize,
    /// So many that are full follow each other and are loud enough, up to a window.
    run: usize,
    held: Option<Held>,
    follows: Option<Follows>,
}

/// The key that is pressed.
#[derive(Debug)]
struct Held {
    key: Key,
    row: f32,
    column: f32,
    /// For so many blocks it has not been there.
    absent: u32,
}

/// What the next packet should look like.
#[derive(Debug)]
struct Follows {
    ssrc: u32,
    timestamp: u32,
    /// Samples of the packet before it, and when that came.
    length: u32,
    at: Instant,
}

/// What is missing before a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    Nothing,
    /// Something that was not told.
    Hidden,
    /// So many samples of silence.
    Silence(u32),
}

impl Default for Detector {
    fn default() -> Self {
        Self {
            blocks: [const { Block::EMPTY }; BLOCKS],
            newest: 0,
            filled: 0,
            run: 0,
            held: None,
            follows: None,
        }
    }
}

impl Detector {
    /// Takes a packet of audio at 8 kHz, whose timestamps are samples, and says what became of which key (by its event code).
    /// `Held` is said for each block.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        header: &Header,
        place: Place,
        mut samples: Samples<'_>,
        mut tell: impl FnMut(u8, Sighting),
    ) {
        if let Place::Late | Place::Double | Place::Stray = place {
            return;
        }
        let gap = self.follows.as_ref().map_or(Gap::Nothing, |before| before.gap(now, header, place));
        if gap != Gap::Nothing {
            (self.filled, self.run) = (0, 0);
        }
        if let Gap::Silence(length) = gap {
            self.absent(length / LENGTH as u32, &mut tell);
        }
        let length = samples.len() as u32;
        let timestamp = header.timestamp.wrapping_add(length);
        self.follows = Some(Follows { ssrc: header.ssrc, timestamp, length, at: now });
        while samples.len() > 0 {
            self.filled += samples.fill(&mut self.blocks[self.newest].samples[self.filled..]);
            if self.filled == LENGTH {
                self.look(&mut tell);
            }
        }
    }

    /// A block is full.
    fn look(&mut self, tell: &mut impl FnMut(u8, Sighting)) {
        self.run = if self.blocks[self.newest].listen() { (self.run + 1).min(BLOCKS) } else { 0 };
        let is_still =
            self.run > 0 && self.held.as_ref().is_some_and(|held| held.is_in(&self.blocks[self.newest]));
        let found = (self.run == BLOCKS && !is_still).then(|| window::find(self.window())).flatten();
        match (&mut self.held, found) {
            (Some(held), _) if is_still => {
                held.absent = 0;
                tell(held.key.code(), Sighting::Held);
            }
            (held, Some(found)) => {
                let code = found.key.code();
                let before =
                    held.replace(Held { key: found.key, row: found.row, column: found.column, absent: 0 });
                match before {
                    // Louder or fainter than before.
                    Some(before) if before.key == found.key => tell(code, Sighting::Held),
                    Some(before) => {
                        tell(before.key.code(), Sighting::Up);
                        tell(code, Sighting::Down);
                    }
                    None => tell(code, Sighting::Down),
                }
            }
            (_, None) => self.absent(1, tell),
        }
        self.newest = (self.newest + 1) % BLOCKS;
        self.filled = 0;
    }

    /// For so many blocks the key that is held was not there.
    fn absent(&mut self, blocks: u32, tell: &mut impl FnMut(u8, Sighting)) {
        let Some(held) = &mut self.held else { return };
        held.absent = held.absent.saturating_add(blocks);
        if held.absent >= RELEASED {
            tell(held.key.code(), Sighting::Up);
            self.held = None;
        }
    }

    fn window(&self) -> window::Window<'_> {
        std::array::from_fn(|place| &self.blocks[(self.newest + 1 + place) % BLOCKS])
    }
}

impl Held {
    fn is_in(&self, block: &Block) -> bool {
        let (row, column) = (block.share(self.key.row), block.share(self.key.column));
        row >= STILL * self.row && column >= STILL * self.column && row + column >= AMIDST * block.energy
    }
}

impl Follows {
    fn gap(&self, now: Instant, header: &Header, place: Place) -> Gap {
        let passed = ClockRate::Hz8000.timestamps(now.since(self.at).min(Duration::from_secs(3600)));
        let waited = passed.saturating_sub(self.length);
        let ahead = header.timestamp.wrapping_sub(self.timestamp);
        let is_told = header.ssrc == self.ssrc && ahead <= passed.saturating_add(MAX_LEAD);
        let told = if is_told { ahead } else { 0 };
        // Who sends nothing while nothing is said (RFC 3551 §4.1) may say nothing of how long that was, either.
        let is_anew = header.marker || !is_told;
        let length = if is_anew && waited > HIDDEN { told.max(waited) } else { told };
        let is_lost = !is_told || matches!(place, Place::First | Place::Ahead(2..));
        match length {
            0 if is_told => Gap::Nothing,
            0..=HIDDEN if is_lost => Gap::Hidden,
            length => Gap::Silence(length),
        }
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
