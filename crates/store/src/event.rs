//! What happened, for whoever wants to know.

use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Batch, Json, Options, Outcome, Store, StoreError, Timestamp, disk};

/// Something that happened. This is the JSON of a webhook's body and of the event stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Sortable and unique: each is greater than the one before on this node, even where the clock was set back.
    pub id: Ulid,
    /// `call.ended`, `order.put` …
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Name of the node.
    pub node: String,
    /// Which call, if it is about one.
    pub call: Option<Ulid>,
    /// More, by type.
    pub data: Json,
}

/// An event that has no name yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// `call.ended`, `order.put` … At most 64 bytes.
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Which call, if it is about one.
    pub call: Option<Ulid>,
    /// More, by type.
    pub data: Json,
}

/// A stretch of the event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<Event>,
    /// Whether events between the one asked for and the first of these are no longer kept.
    pub gap: bool,
}

/// Most bytes of an event's type.
const LONGEST_KIND: usize = 64;

/// Most bytes of an event's JSON beside its type, its data and the name of the node.
const ENVELOPE: usize = 256;

impl NewEvent {
    /// Most bytes of [`NewEvent::data`].
    pub const LONGEST_DATA: usize = disk::LONGEST_VALUE - ENVELOPE - LONGEST_KIND - Options::LONGEST_NODE;
}

pub(crate) fn check(event: &NewEvent) -> Result<(), StoreError> {
    let kind = event.kind.len() <= LONGEST_KIND
        && !event.kind.contains(|c: char| c.is_control() || "\"\\".contains(c));
    if !kind {
        Err(StoreError::Refused("the type of the event is too long, or no word"))
    } else if event.data.as_str().len() > NewEvent::LONGEST_DATA {
        Err(StoreError::Refused("the data of the event is too long"))
    } else {
        Ok(())
    }
}

impl Store {
    /// Appends events to the log and to the outbox of every webhook that wants them. Waits for the disk. Their ids, in
    /// order.
    ///
    /// # Errors
    /// An event is too large, there are more than [`Batch::LONGEST`], or the disk refused.
    pub fn append_events(&self, events: Vec<NewEvent>) -> Result<Vec<Ulid>, StoreError> {
        let outcomes = self.apply(events.into_iter().fold(Batch::new(), Batch::event))?;
        let id = |outcome| if let Outcome::Event(id) = outcome { Some(id) } else { None };
        Ok(outcomes.into_iter().filter_map(id).collect())
    }

    /// Events after the one with this id (from the oldest kept, if none is given), oldest first; at most `limit`, 1 to
    /// 1000. Only events that are safe on the disk.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn events_after(&self, id: Option<Ulid>, limit: usize) -> Result<Events, StoreError> {
        self.shared().events_after(id, crate::page_size(limit))
    }

    /// The newest event that is safe on the disk.
    #[must_use]
    pub fn last_event(&self) -> Option<Ulid> {
        self.shared().safe().event
    }

    /// Has this called with every event from now on, in order, as soon as it is safe on the disk; on the store's own
    /// thread, so it must not wait. It must not hold a [`Store`], which would then never close. Replaces the listener
    /// before.
    pub fn listen(&self, listener: impl Fn(&[Event]) + Send + Sync + 'static) {
        let mut place = self.shared().listener.write().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::new(listener));
    }
}
