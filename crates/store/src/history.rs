//! Calls: checkpoints of those in progress, records of those that ended, and how records are found.
//!
//! Records are listed in the order they were written, the last first. What they can be found by lies in blocks of
//! [`BLOCK`] in that order: one key for 32 records where an index by number, code and cause would take four keys per
//! record, in a tree whose table of pages is held in memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::disk::{Bytes, Disk};
use crate::shared::Shared;
use crate::statistics::{Share, Trunks};
use crate::summaries::Wanted;
use crate::writer::Group;
use crate::{
    NewEvent, Outcome, Page, Record, RecordFilter, StoreError, Timestamp, Unfinished, changes, keys,
};

/// Records of one block.
pub(crate) const BLOCK: usize = 32;

/// Most blocks one page reads: 65 536 records. Those that their summaries rule out are not read.
const BLOCKS_PER_PAGE: usize = 2_048;

/// How far the clock may have been set back without a record being missed that lies inside the time asked for.
const CLOCK_STEP: Duration = Duration::from_secs(86_400);

/// What a record is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    call: u128,
    pub(crate) started: u64,
    pub(crate) ended: u64,
    caller: u32,
    callee: u32,
    code: u32,
    cause: u32,
}

/// Between two records, in the order they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Place {
    block: u64,
    within: usize,
}

/// Where records are written next.
#[derive(Debug, Default)]
pub(crate) struct History {
    block: u64,
    traces: Vec<Trace>,
}

impl Trace {
    pub(crate) fn call(&self) -> Ulid {
        Ulid(self.call)
    }

    pub(crate) fn of(record: &Record) -> Self {
        Self {
            call: record.id.0,
            started: record.started_at.0,
            ended: record.ended_at.unwrap_or(record.started_at).0,
            caller: token(record.caller.as_deref()),
            callee: token(record.callee.as_deref()),
            code: token(record.code.as_deref()),
            cause: token(record.cause.as_deref()),
        }
    }

    /// The tokens of everything it is found by.
    pub(crate) fn tokens(&self) -> [u32; 4] {
        [self.caller, self.callee, self.code, self.cause]
    }

    /// The token of a word.
    pub(crate) fn token_of(word: &str) -> u32 {
        token(Some(word))
    }

    /// Whether the record may fit; tokens of different words can be equal.
    fn may_fit(&self, filter: &RecordFilter) -> bool {
        let fits = |wanted: &Option<String>, have: &[u32]| {
            wanted.as_deref().is_none_or(|wanted| have.contains(&token(Some(wanted))))
        };
        filter.from.is_none_or(|from| from.0 <= self.started)
            && filter.to.is_none_or(|to| self.started < to.0)
            && fits(&filter.number, &[self.caller, self.callee])
            && fits(&filter.code, &[self.code])
            && fits(&filter.cause, &[self.cause])
    }
}

/// FNV-1a of 32 bits (draft-eastlake-fnv): the same on every machine and in every version, which the hashers of the
/// standard library do not promise. Zero for nothing.
fn token(word: Option<&str>) -> u32 {
    let hash = |word: &str| {
        word.bytes().fold(0x811c_9dc5, |hash: u32, b| (hash ^ u32::from(b)).wrapping_mul(0x0100_0193))
    };
    word.map_or(0, |word| hash(word).max(1))
}

fn fits(record: &Record, filter: &RecordFilter) -> bool {
    let is = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
    (is(&filter.number, &record.caller) || is(&filter.number, &record.callee))
        && is(&filter.code, &record.code)
        && is(&filter.cause, &record.cause)
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        // `parse` alone would also take a plus sign.
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let (block, within) =
            text.split_once('-').filter(|(block, within)| digits(block) && digits(within))?;
        let within = within.parse().ok().filter(|within| *within <= BLOCK)?;
        Some(Self { block: block.parse().ok()?, within })
    }

    fn text(self) -> String {
        format!("{}-{}", self.block, self.within)
    }
}

impl History {
    pub(crate) fn read(disk: &Disk) -> Result<Self, StoreError> {
        let Some((key, value)) = disk.prefixed(keys::BLOCKS).next_back().transpose()? else {
            return Ok(Self::default());
        };
        let block = keys::read_block(&key).ok_or_else(|| StoreError::Read("no block".to_owned()))?;
        let traces: Vec<Trace> = changes::unpack(&value)?;
        Ok(if traces.len() < BLOCK {
            Self { block, traces }
        } else {
            Self { block: block + 1, traces: Vec::new() }
        })
    }

    /// This block has these traces now.
    pub(crate) fn replaced(&mut self, block: &[u8], traces: Vec<Trace>) {
        if keys::read_block(block) == Some(self.block) {
            self.traces = traces;
        }
    }

    /// After the newest record.
    pub(crate) fn place(&self) -> Place {
        Place { block: self.block, within: self.traces.len() }
    }
}

impl Group<'_> {
    pub(crate) fn checkpoint(
        &mut self,
        call: Ulid,
        trunks: &Trunks,
        json: &[u8],
        snapshot: &[u8],
    ) -> Result<Outcome, StoreError> {
        // One that was overtaken by the end of its call must not make the call look unfinished.
        if !self.changes.has(&keys::record(call))? {
            self.is_on(call, trunks)?;
            self.changes.put(keys::checkpoint(call), json.to_vec());
            match snapshot {
                [] => self.changes.remove(keys::snapshot(call)),
                _ => self.changes.put(keys::snapshot(call), snapshot.to_vec()),
            }
        }
        Ok(Outcome::Kept)
    }

    pub(crate) fn alive(&mut self, now: Timestamp) -> Outcome {
        self.changes.put(keys::ALIVE.to_vec(), now.0.to_be_bytes().to_vec());
        Outcome::Kept
    }

    pub(crate) fn finish(
        &mut self,
        trace: &Trace,
        shares: &[Share],
        json: &[u8],
        events: &[NewEvent],
    ) -> Result<bool, StoreError> {
        let call = Ulid(trace.call);
        if self.changes.has(&keys::record(call))? {
            return Ok(false);
        }
        self.changes.put(keys::record(call), json.to_vec());
        self.changes.remove(keys::checkpoint(call));
        self.changes.remove(keys::snapshot(call));
        self.history.traces.push(*trace);
        self.changes.write(keys::block(self.history.block), &self.history.traces);
        self.shared.summaries.note(self.history.block, &self.history.traces);
        if self.history.traces.len() == BLOCK {
            self.history.traces.clear();
            self.history.block += 1;
        }
        self.records.push(call);
        self.is_over(call, Timestamp(trace.ended))?;
        self.add_up(trace.started, trace.ended, shares)?;
        events.iter().try_for_each(|event| self.append(event).map(|_| ()))?;
        Ok(true)
    }

    /// Forgets the oldest block of records, if all of them ended before this moment.
    pub(crate) fn forget_records(&mut self, before: Timestamp) -> Result<(), StoreError> {
        let Some(key) = self.changes.first(keys::BLOCKS, 1)?.pop() else { return Ok(()) };
        let traces: Vec<Trace> = self.changes.read(&key)?.unwrap_or_default();
        let over = traces.iter().all(|trace| trace.ended < before.0);
        if over && keys::read_block(&key) != Some(self.history.block) {
            for trace in traces {
                self.changes.remove(keys::record(Ulid(trace.call)));
            }
            if let Some(block) = keys::read_block(&key) {
                self.shared.summaries.forget(block);
            }
            self.changes.remove(key);
        }
        Ok(())
    }
}

impl Shared {
    pub(crate) fn record(&self, call: Ulid) -> Result<Option<Record>, StoreError> {
        let value = self.disk.get(&keys::record(call))?;
        // Looked at after the read: a record that was there and is not settling is safe.
        if self.safe().settling.contains(&call) {
            return Ok(None);
        }
        value.map(|json| changes::unpack_json(&json)).transpose()
    }

    pub(crate) fn unfinished(&self) -> Result<Vec<Unfinished>, StoreError> {
        let unfinished = |item: Result<(Bytes, Bytes), StoreError>| {
            let record: Record = changes::unpack_json(&item?.1)?;
            let snapshot = self.disk.get(&keys::snapshot(record.id))?;
            Ok(Unfinished {
                record,
                snapshot: snapshot.map(|snapshot| snapshot.to_vec()).unwrap_or_default(),
            })
        };
        self.disk.prefixed(keys::CHECKPOINTS).map(unfinished).collect()
    }

    pub(crate) fn last_alive(&self) -> Result<Option<Timestamp>, StoreError> {
        let at = self.disk.get(keys::ALIVE)?;
        Ok(at.and_then(|at| (*at).try_into().ok()).map(|at| Timestamp(u64::from_be_bytes(at))))
    }

    pub(crate) fn records(
        &self,
        filter: &RecordFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Record>, StoreError> {
        let safe = self.safe().records;
        let end = cursor.map_or(Ok(safe), |text| Place::parse(text).ok_or(StoreError::Cursor))?.min(safe);
        let wanted = Wanted::of(filter);
        let is_over = |ended: u64| filter.from.is_some_and(|from| is_long(ended, from));
        let mut items = Vec::new();
        let mut last = Some(end.block);
        let mut read = 0;
        while let Some(block) = last.and_then(|last| self.summaries.candidate(last, &wanted, is_over)) {
            last = block.checked_sub(1);
            if read == BLOCKS_PER_PAGE {
                return Ok(Page { items, next: Some(Place { block, within: BLOCK }.text()) });
            }
            let Some(value) = self.disk.get(&keys::block(block))? else { continue };
            read += 1;
            let traces: Vec<Trace> = changes::unpack(&value)?;
            if is_long_before(&traces, filter.from) {
                break;
            }
            let known = if block == end.block { end.within.min(traces.len()) } else { traces.len() };
            for (within, trace) in
                traces[..known].iter().enumerate().rev().filter(|(_, trace)| trace.may_fit(filter))
            {
                if items.len() == limit {
                    return Ok(Page { items, next: Some(Place { block, within: within + 1 }.text()) });
                }
                if let Some(json) = self.disk.get(&keys::record(Ulid(trace.call)))? {
                    items.extend(Some(changes::unpack_json(&json)?).filter(|record| fits(record, filter)));
                }
            }
        }
        Ok(Page { items, next: None })
    }
}

/// Whether neither these records nor those written before them can have started at `from` or later.
fn is_long_before(traces: &[Trace], from: Option<Timestamp>) -> bool {
    from.is_some_and(|from| traces.iter().all(|trace| is_long(trace.ended, from)))
}

/// Whether what ended at this moment ended so long before `from` that nothing written before can have started later.
fn is_long(ended: u64, from: Timestamp) -> bool {
    Timestamp(ended).after(CLOCK_STEP) < from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_published_tokens() {
        // Test vectors of draft-eastlake-fnv, appendix C.
        assert_eq!(token(Some("a")), 0xe40c_292c);
        assert_eq!(token(Some("foobar")), 0xbf9c_f968);
        assert_eq!(token(None), 0);
    }

    #[test]
    fn a_place_reads_back_and_nothing_else_is_one() {
        let place = Place { block: 12, within: 3 };
        assert_eq!(Place::parse(&place.text()), Some(place));
        for text in ["", "-", "1", "1-", "-1", "1-33", "+1-2", "1-+2", "1-2-3", "x-1"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
