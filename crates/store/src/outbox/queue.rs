//! One webhook's queue, in memory: which event is due, which waits for its time, which for one before it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::Timestamp;

/// An event that waits. This is also how it lies on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    /// The call whose order it keeps.
    #[serde(with = "call")]
    pub(crate) call: Option<Ulid>,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// When it was first to be told.
    pub(crate) since: Timestamp,
    /// Not before this. Zero for one never tried: it is due at once, whatever the clock says.
    pub(crate) next_try: Timestamp,
}

/// Events of one webhook that are still to be told, in memory. Of each call only the oldest can be due.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<Ulid, Waiting>,
    /// The events of each call; one about no call is alone.
    calls: BTreeMap<Ulid, BTreeSet<Ulid>>,
    /// The oldest event of each call, where it is not being told, by the time it is due.
    due: BTreeSet<(Timestamp, Ulid)>,
    telling: BTreeSet<Ulid>,
}

impl Queue {
    pub(crate) fn add(&mut self, id: Ulid, waiting: Waiting) {
        let call = waiting.call.unwrap_or(id);
        self.undue(call);
        self.waiting.insert(id, waiting);
        self.calls.entry(call).or_default().insert(id);
        self.make_due(call);
    }

    /// It is told, or given up.
    pub(crate) fn remove(&mut self, id: Ulid) {
        let Some(waiting) = self.waiting.get(&id) else { return };
        let call = waiting.call.unwrap_or(id);
        self.undue(call);
        self.waiting.remove(&id);
        self.telling.remove(&id);
        if let Some(events) = self.calls.get_mut(&call) {
            events.remove(&id);
            if events.is_empty() {
                self.calls.remove(&call);
            }
        }
        self.make_due(call);
    }

    /// It is no longer being told. With `waiting`, it waits so from now on.
    pub(crate) fn release(&mut self, id: Ulid, waiting: Option<Waiting>) {
        let Some(entry) = self.waiting.get(&id) else { return };
        let call = entry.call.unwrap_or(id);
        self.undue(call);
        self.telling.remove(&id);
        if let Some(waiting) = waiting {
            self.waiting.insert(id, waiting);
        }
        self.make_due(call);
    }

    /// Takes what is due, none later than `last`; it is being told until released or removed.
    pub(crate) fn take_due(&mut self, now: Timestamp, last: Ulid, limit: usize) -> Vec<(Ulid, Waiting)> {
        let due =
            self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).filter(|id| *id <= last);
        let due: Vec<Ulid> = due.take(limit).collect();
        let taken = due.into_iter().filter_map(|id| {
            let waiting = *self.waiting.get(&id)?;
            self.due.remove(&(waiting.next_try, id));
            self.telling.insert(id);
            Some((id, waiting))
        });
        taken.collect()
    }

    /// When the first is due, none later than `last`.
    pub(crate) fn next(&self, last: Ulid) -> Option<Timestamp> {
        self.due.iter().find(|(_, id)| *id <= last).map(|(at, _)| *at)
    }

    pub(crate) fn get(&self, id: Ulid) -> Option<Waiting> {
        self.waiting.get(&id).copied()
    }

    /// The oldest that is not being told.
    pub(crate) fn oldest_idle(&self) -> Option<Ulid> {
        self.waiting.keys().find(|id| !self.telling.contains(id)).copied()
    }

    pub(crate) fn oldest(&self) -> Option<Ulid> {
        self.waiting.keys().next().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many are not being told.
    pub(crate) fn idle(&self) -> usize {
        self.waiting.len() - self.telling.len()
    }

    pub(crate) fn telling(&self) -> usize {
        self.telling.len()
    }

    fn head(&self, call: Ulid) -> Option<(Timestamp, Ulid)> {
        let id = *self.calls.get(&call)?.first()?;
        Some((self.waiting.get(&id)?.next_try, id))
    }

    fn undue(&mut self, call: Ulid) {
        if let Some(head) = self.head(call) {
            self.due.remove(&head);
        }
    }

    /// None of a call is due while one of it is being told, be it the oldest or (after a replay) not.
    fn make_due(&mut self, call: Ulid) {
        let busy =
            self.calls.get(&call).is_some_and(|events| events.iter().any(|id| self.telling.contains(id)));
        if let Some(head) = self.head(call).filter(|_| !busy) {
            self.due.insert(head);
        }
    }
}

/// A call's name as sixteen bytes rather than 26 letters.
mod call {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use ulid::Ulid;

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(super) fn serialize<S: Serializer>(call: &Option<Ulid>, serializer: S) -> Result<S::Ok, S::Error> {
        call.map(|call| call.0).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ulid>, D::Error> {
        Ok(Option::<u128>::deserialize(deserializer)?.map(Ulid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: Ulid = Ulid(u128::MAX);

    fn waiting(call: Option<u128>, next_try: u64) -> Waiting {
        Waiting { call: call.map(Ulid), attempts: 0, since: Timestamp(0), next_try: Timestamp(next_try) }
    }

    fn take(queue: &mut Queue, now: u64) -> Vec<u128> {
        queue.take_due(Timestamp(now), LAST, 10).into_iter().map(|(id, _)| id.0).collect()
    }

    #[test]
    fn of_a_call_one_event_at_a_time_is_told_and_in_order() {
        let mut queue = Queue::default();
        for (id, call) in [(1, Some(70)), (2, Some(70)), (3, Some(80)), (4, None), (5, None)] {
            queue.add(Ulid(id), waiting(call, 0));
        }
        assert_eq!(take(&mut queue, 0), [1, 3, 4, 5]);
        assert_eq!(take(&mut queue, 0), []);
        queue.remove(Ulid(1));
        assert_eq!(take(&mut queue, 0), [2]);
        queue.remove(Ulid(2));
        queue.remove(Ulid(2));
        assert_eq!((queue.len(), queue.telling()), (3, 3));
    }

    #[test]
    fn a_failed_event_holds_back_its_own_call_only() {
        let mut queue = Queue::default();
        for (id, call) in [(1, Some(70)), (2, Some(70)), (3, Some(80))] {
            queue.add(Ulid(id), waiting(call, 0));
        }
        assert_eq!(take(&mut queue, 0), [1, 3]);
        queue.release(Ulid(1), Some(waiting(Some(70), 50)));
        queue.remove(Ulid(3));
        assert_eq!(take(&mut queue, 49), []);
        assert_eq!(queue.next(LAST), Some(Timestamp(50)));
        assert_eq!(take(&mut queue, 50), [1]);
        queue.release(Ulid(1), None);
        assert_eq!(take(&mut queue, 50), [1]);
    }

    #[test]
    fn an_older_event_that_comes_back_waits_for_the_one_being_told() {
        let mut queue = Queue::default();
        queue.add(Ulid(2), waiting(Some(70), 0));
        assert_eq!(take(&mut queue, 0), [2]);
        queue.add(Ulid(1), waiting(Some(70), 0));
        assert_eq!(take(&mut queue, 0), []);
        queue.remove(Ulid(2));
        assert_eq!(take(&mut queue, 0), [1]);
    }

    #[test]
    fn what_is_not_safe_on_the_disk_yet_is_not_due() {
        let mut queue = Queue::default();
        queue.add(Ulid(5), waiting(None, 0));
        assert_eq!(queue.take_due(Timestamp(9), Ulid(4), 10), []);
        assert_eq!(queue.next(Ulid(4)), None);
        assert_eq!(queue.oldest_idle(), Some(Ulid(5)));
    }
}
