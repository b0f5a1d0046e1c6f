//! What a crash left. Calls that were kept as they stood are taken up again by the switchboard; those whose record is all that
//! is known of them get it now.

mod form;

pub(crate) mod call;

use std::time::Duration;

use b2bua::snapshot::{BROKEN_OFF, Snapshot};
use b2bua::{Cause, Side, Tallied, TalliedOf};
use clock::Instant;
use serde_json::json;
use store::{Record, Store, StoreError, Tally, TallyOf, Timestamp};

use crate::records::{Scribe, event};
use crate::time::wall_ms;

/// How often a node with calls says that it is alive: by so much it is not known when it died.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Calls that were going on when the node died.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Each with what its caller and callee are called.
    pub(crate) calls: Vec<(Snapshot, [Option<String>; 2])>,
    /// How often what was dialled.
    pub(crate) tallied: Vec<Tallied>,
    /// Whether it was dead for so short a time that they may still be there.
    pub(crate) can_go_on: bool,
}

/// Finds the calls that were going on when the node died, and writes the record of those that cannot even be ended. Whoever
/// heard nothing for so long as `silence` is gone.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) fn recover(store: &Store, scribe: &Scribe, silence: Duration) -> Result<Recovered, StoreError> {
    let now = Timestamp(wall_ms());
    let begins = scribe.clock.now();
    let tallies = store.tallies(now)?.into_iter();
    let tallied = tallies.map(|tally| tallied(tally, begins, now)).collect();
    let unfinished = store.unfinished()?;
    if unfinished.is_empty() {
        return Ok(Recovered { tallied, ..Recovered::default() });
    }
    let dead = store.last_alive()?.map(|alive| now.since(alive));
    let can_go_on = dead.is_some_and(|dead| dead <= silence + SIGN_OF_LIFE);
    let seconds = dead.map(|dead| dead.as_secs());
    tracing::warn!(calls = unfinished.len(), seconds, can_go_on, "calls were cut off when the node died");
    let zero_us = scribe.clock.wall_us(Instant::ZERO);
    let mut calls = Vec::new();
    for call in unfinished {
        match call::read(&call.snapshot, zero_us) {
            Some(mut snapshot) => {
                let Record { data, caller_name, callee_name, .. } = call.record;
                snapshot.record.data = data.map(|data| data.as_str().into());
                calls.push((snapshot, [caller_name, callee_name]));
            }
            None => write_off(store, scribe, now, call.record)?,
        }
    }
    Ok(Recovered { calls, tallied, can_go_on })
}

/// As the store keeps it.
pub(crate) fn tally(tallied: Tallied, until: Timestamp) -> Tally {
    let of = match tallied.of {
        TalliedOf::Class(name) => TallyOf::Class(name),
        TalliedOf::Callee(number) => TallyOf::Callee(number),
        TalliedOf::Caller(number) => TallyOf::Caller(number),
    };
    Tally { of, until, count: tallied.count }
}

/// As the switchboard counts it, whose clock shows `begins` at this moment of the wall's.
fn tallied(tally: Tally, begins: Instant, now: Timestamp) -> Tallied {
    let of = match tally.of {
        TallyOf::Class(name) => TalliedOf::Class(name),
        TallyOf::Callee(number) => TalliedOf::Callee(number),
        TallyOf::Caller(number) => TalliedOf::Caller(number),
    };
    Tallied { of, until: begins + tally.until.since(now), count: tally.count }
}

/// Nobody knows when it ended, nor how to reach its two sides: the record says no more than is sure.
fn write_off(store: &Store, scribe: &Scribe, now: Timestamp, mut record: Record) -> Result<(), StoreError> {
    record.cause = Some(Cause::NodeLost.word().to_owned());
    record.ended_by = Some(Side::Us.word().to_owned());
    record.ended_at = Some(now);
    record.q850 = Some(41);
    if record.recording.is_some() {
        record.recording_fault = Some(BROKEN_OFF.to_owned());
    }
    let ended = json!({ "ended_by": "us", "cause": Cause::NodeLost.word() });
    let mut events = vec![event("call.ended", now, Some(record.id), &ended)];
    events.extend(scribe.told(now, &record));
    store.finish(&record, events).map(|_| ())
}
