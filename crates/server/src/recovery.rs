//! What a crash left: calls whose last checkpoint is all that is known of them get their record now.

use b2bua::{Cause, Side};
use serde_json::json;
use store::{Store, StoreError, Timestamp};

use crate::records::{Scribe, event};
use crate::time::wall_ms;

/// Writes the record of every call that was going on when the node died.
///
/// # Errors
/// The store cannot be read or written.
pub(crate) fn recover(store: &Store, scribe: &Scribe) -> Result<(), StoreError> {
    let unfinished = store.unfinished()?;
    if unfinished.is_empty() {
        return Ok(());
    }
    tracing::warn!(calls = unfinished.len(), "calls were cut off when the node died");
    let now = Timestamp(wall_ms());
    for mut record in unfinished {
        // Nobody knows when it ended: the record says no more than is sure.
        record.cause = Some(Cause::NodeLost.word().to_owned());
        record.ended_by = Some(Side::Us.word().to_owned());
        record.ended_at = Some(now);
        record.q850 = Some(41);
        if record.recording.is_some() {
            record.recording_fault = Some("broken off: the node died".to_owned());
        }
        let ended = json!({ "ended_by": "us", "cause": Cause::NodeLost.word() });
        let mut events = vec![event("call.ended", now, Some(record.id), &ended)];
        events.extend(scribe.told(now, &record));
        store.finish(&record, events)?;
    }
    Ok(())
}
