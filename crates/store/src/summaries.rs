//! What blocks of records may hold, in memory: so that a search reads those few blocks that may have what is searched, and not a year of them.
//!
//! A summary of 32 records takes 160 bytes, those of a million 5 MB. They are made when the store is opened, beside whoever already
//! searches: a block that has none yet is read.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use crate::disk::Disk;
use crate::history::{BLOCK, Trace};
use crate::{RecordFilter, StoreError, changes, keys};

/// Bits of a summary: each word sets [`MARKS`] of them, so that a block is read in vain one time in forty.
const BITS: u32 = 1_024;
const MARKS: u32 = 4;

/// What a full block may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Summary {
    first_started: u64,
    last_started: u64,
    last_ended: u64,
    /// Of the tokens of all its records.
    bits: [u64; BITS as usize / 64],
}

/// Where a token stands.
fn marks(token: u32) -> impl Iterator<Item = (usize, u64)> {
    // Multiplied by odd numbers, tokens are spread anew for each mark (Knuth 6.4).
    (0..MARKS).map(move |mark| {
        let spread = token.wrapping_mul(0x9E37_79B1_u32.wrapping_add(mark.wrapping_mul(0x85EB_CA6A)) | 1);
        let bit = spread >> (u32::BITS - BITS.ilog2());
        ((bit / 64) as usize, 1 << (bit % 64))
    })
}

impl Summary {
    fn of(traces: &[Trace]) -> Self {
        let started = || traces.iter().map(|trace| trace.started);
        let mut summary = Self {
            first_started: started().min().unwrap_or_default(),
            last_started: started().max().unwrap_or_default(),
            last_ended: traces.iter().map(|trace| trace.ended).max().unwrap_or_default(),
            bits: [0; BITS as usize / 64],
        };
        for (word, bit) in traces.iter().flat_map(Trace::tokens).flat_map(marks) {
            summary.bits[word] |= bit;
        }
        summary
    }

    fn may_fit(&self, wanted: &Wanted) -> bool {
        wanted.from.is_none_or(|from| from <= self.last_started)
            && wanted.to.is_none_or(|to| self.first_started < to)
            && wanted.tokens.iter().copied().flat_map(marks).all(|(word, bit)| self.bits[word] & bit != 0)
    }
}

/// What is searched.
pub(crate) struct Wanted {
    from: Option<u64>,
    to: Option<u64>,
    tokens: Vec<u32>,
}

impl Wanted {
    pub(crate) fn of(filter: &RecordFilter) -> Self {
        let words = [&filter.number, &filter.code, &filter.cause].into_iter().flatten();
        Self {
            from: filter.from.map(|from| from.0),
            to: filter.to.map(|to| to.0),
            tokens: words.map(|word| Trace::token_of(word)).collect(),
        }
    }
}

/// Summaries of the blocks there are.
#[derive(Debug, Default)]
pub(crate) struct Summaries(RwLock<List>);

#[derive(Debug, Default)]
struct List {
    /// The first block there is.
    first: u64,
    summaries: VecDeque<Option<Summary>>,
}

impl Summaries {
    /// Of the blocks from this one on.
    pub(crate) fn from(first: u64) -> Self {
        Self(RwLock::new(List { first, summaries: VecDeque::new() }))
    }

    /// This block has these records; one that is not full has no summary.
    pub(crate) fn note(&self, block: u64, traces: &[Trace]) {
        if traces.len() < BLOCK {
            return;
        }
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = block.checked_sub(list.first).and_then(|place| usize::try_from(place).ok()) else {
            return;
        };
        if list.summaries.len() <= place {
            list.summaries.resize(place + 1, None);
        }
        // One that is there already knows at least as much: records only lose words.
        list.summaries[place].get_or_insert_with(|| Summary::of(traces));
    }

    /// The first block is gone.
    pub(crate) fn forget(&self, block: u64) {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if list.first == block {
            list.summaries.pop_front();
            list.first += 1;
        }
    }

    /// The last block at or before this one that may have what is searched; `None`: there is none. `is_over` says of when the last
    /// record of a block ended whether neither it nor those before it can have it.
    pub(crate) fn candidate(&self, last: u64, wanted: &Wanted, is_over: impl Fn(u64) -> bool) -> Option<u64> {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        for block in (list.first..=last).rev() {
            let place = usize::try_from(block - list.first).ok()?;
            match list.summaries.get(place).and_then(Option::as_ref) {
                Some(summary) if is_over(summary.last_ended) => return None,
                Some(summary) if !summary.may_fit(wanted) => {}
                Some(_) | None => return Some(block),
            }
        }
        None
    }

    /// Reads every block of the disk, until `stop` says so.
    pub(crate) fn load(&self, disk: &Disk, stop: impl Fn() -> bool) -> Result<(), StoreError> {
        for item in disk.prefixed(keys::BLOCKS) {
            if stop() {
                break;
            }
            let (key, value) = item?;
            let traces: Vec<Trace> = changes::unpack(&value)?;
            if let Some(block) = keys::read_block(&key) {
                self.note(block, &traces);
            }
        }
        Ok(())
    }
}
