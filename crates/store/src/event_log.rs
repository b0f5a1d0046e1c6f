//! The event log: appending, keeping it short, reading from any point on.

use std::collections::VecDeque;
use std::ops::Bound;

use ulid::Ulid;

use crate::disk::Disk;
use crate::shared::Shared;
use crate::writer::Group;
use crate::{Event, Events, NewEvent, StoreError, changes, keys};

/// Where the log begins and ends. Places are counted from 1, without holes.
#[derive(Debug, Default)]
pub(crate) struct EventLog {
    first: u64,
    next: u64,
    last: Option<Ulid>,
    /// The oldest events, so that not each trim has to look for one.
    oldest: VecDeque<Ulid>,
}

impl EventLog {
    pub(crate) fn read(disk: &Disk) -> Result<Self, StoreError> {
        let mut all = disk.prefixed(keys::EVENTS);
        let Some((key, value)) = all.next_back().transpose()? else {
            return Ok(Self { first: 1, next: 1, ..Self::default() });
        };
        let (place, _) = split(&value)?;
        let first = match all.next().transpose()? {
            Some((_, value)) => split(&value)?.0,
            None => place,
        };
        Ok(Self { first, next: place + 1, last: keys::read_id(&key), oldest: VecDeque::new() })
    }

    pub(crate) fn last(&self) -> Option<Ulid> {
        self.last
    }

    /// The time of the event, then chance; but always one greater than the name before, so that a clock that was set
    /// back, or two events in one millisecond, change nothing of the order.
    pub(crate) fn name(&mut self, at: crate::Timestamp) -> Ulid {
        let named = Ulid::from_parts(at.0, Ulid::generate().random());
        let name = self.last.map_or(named, |last| named.max(Ulid(last.0.saturating_add(1))));
        self.last = Some(name);
        name
    }
}

fn split(value: &[u8]) -> Result<(u64, &[u8]), StoreError> {
    let (place, json) =
        value.split_first_chunk::<8>().ok_or_else(|| StoreError::Read("no event".to_owned()))?;
    Ok((u64::from_be_bytes(*place), json))
}

/// An event by its name, whether it still is in the log or only kept for someone to be told.
pub(crate) fn event(disk: &Disk, id: Ulid) -> Result<Option<Event>, StoreError> {
    if let Some(value) = disk.get(&keys::event(id))? {
        return changes::unpack_json(split(&value)?.1).map(Some);
    }
    disk.get(&keys::kept_event(id))?.map(|json| changes::unpack_json(&json)).transpose()
}

impl Group<'_> {
    pub(crate) fn append(&mut self, new: &NewEvent) -> Result<Ulid, StoreError> {
        let id = self.log.name(new.at);
        let event = Event {
            id,
            kind: new.kind.clone(),
            at: new.at,
            node: self.shared.options.node.clone(),
            call: new.call,
            data: new.data.clone(),
        };
        let mut value = self.log.next.to_be_bytes().to_vec();
        serde_json::to_writer(&mut value, &event).expect("an event has a JSON form");
        self.changes.put(keys::event(id), value);
        self.log.next += 1;
        self.queue(&event)?;
        self.events.push(event);
        // Two at a time, so that the log also shrinks once fewer are to be kept.
        for _ in 0..2 {
            if self.log.next - self.log.first > self.shared.options.events.max(1) {
                self.trim()?;
            }
        }
        Ok(id)
    }

    /// Forgets the oldest events from before this moment, as the log forgets those beyond its length.
    pub(crate) fn forget_events(&mut self, before: crate::Timestamp, limit: usize) -> Result<(), StoreError> {
        for key in self.changes.first(keys::EVENTS, limit)? {
            if keys::read_id(&key).is_none_or(|id| id.timestamp_ms() >= before.0) {
                break;
            }
            self.trim()?;
        }
        Ok(())
    }

    fn trim(&mut self) -> Result<(), StoreError> {
        const AT_ONCE: usize = 256;
        if self.log.oldest.is_empty() {
            let keys = self.changes.first(keys::EVENTS, AT_ONCE)?;
            self.log.oldest.extend(keys.iter().filter_map(|key| keys::read_id(key)));
        }
        let Some(id) = self.log.oldest.pop_front() else { return Ok(()) };
        let key = keys::event(id);
        if self.is_owed(id)?
            && let Some(value) = self.changes.get(&key)?
        {
            self.changes.put(keys::kept_event(id), split(&value)?.1.to_vec());
        }
        self.changes.remove(key);
        self.log.first += 1;
        Ok(())
    }
}

impl Shared {
    pub(crate) fn events_after(&self, after: Option<Ulid>, limit: usize) -> Result<Events, StoreError> {
        let Some(last) = self.safe().event else { return Ok(Events { events: Vec::new(), gap: false }) };
        let from = after.map_or_else(|| keys::EVENTS.to_vec(), keys::event);
        let range = self.disk.range(Bound::Excluded(from), Bound::Included(keys::event(last)));
        let mut events = Vec::new();
        let mut first_place = None;
        for item in range.take(limit) {
            let (_, value) = item?;
            let (place, json) = split(&value)?;
            first_place.get_or_insert(place);
            events.push(changes::unpack_json(json)?);
        }
        let gap = match (after, first_place) {
            (Some(after), Some(place)) => place > 1 && self.is_before_log(after)?,
            (None, _) | (_, None) => false,
        };
        Ok(Events { events, gap })
    }

    fn is_before_log(&self, id: Ulid) -> Result<bool, StoreError> {
        let oldest = self.disk.prefixed(keys::EVENTS).next().transpose()?;
        Ok(oldest.and_then(|(key, _)| keys::read_id(&key)).is_some_and(|oldest| id < oldest))
    }
}
