//! Queueing, settling, burying and replaying: what the writer does to the outbox.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Delivery;
use super::queue::{Queue, Waiting};
use crate::disk::Disk;
use crate::writer::Group;
use crate::{Event, Outcome, StoreError, Timestamp, changes, keys};

/// Every queue, in memory, and how many dead letters there are.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queues: BTreeMap<String, Queue>,
    pub(super) counts: BTreeMap<String, Counts>,
    pub(super) errors: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) dead: u64,
    pub(super) dropped: u64,
}

impl Outbox {
    pub(crate) fn read(disk: &Disk) -> Result<Self, StoreError> {
        let mut outbox = Self::default();
        for item in disk.prefixed(keys::QUEUES) {
            let (key, value) = item?;
            if let Some((webhook, id)) = keys::read_queued(&key) {
                outbox.queue(webhook).add(id, changes::unpack(&value)?);
            }
        }
        for item in disk.prefixed(keys::COUNTS) {
            let (key, value) = item?;
            let webhook = String::from_utf8_lossy(&key[keys::COUNTS.len()..]).into_owned();
            outbox.counts.insert(webhook, changes::unpack(&value)?);
        }
        Ok(outbox)
    }

    pub(super) fn queue(&mut self, webhook: &str) -> &mut Queue {
        // Not `entry`, which would take a copy of the name each time.
        if !self.queues.contains_key(webhook) {
            self.queues.insert(webhook.to_owned(), Queue::default());
        }
        self.queues.get_mut(webhook).expect("it was just put there")
    }

    fn is_waiting(&self, id: Ulid) -> bool {
        self.queues.values().any(|queue| queue.get(id).is_some())
    }

    /// Webhooks that have dead letters.
    fn with_dead(&self) -> Vec<String> {
        self.counts.iter().filter(|(_, counts)| counts.dead > 0).map(|(webhook, _)| webhook.clone()).collect()
    }
}

impl Group<'_> {
    /// Queues an event for every webhook that wants it.
    pub(crate) fn queue(&mut self, event: &Event) -> Result<(), StoreError> {
        for webhook in self.shared.webhooks().iter().filter(|webhook| (webhook.wants)(&event.kind)) {
            let waiting = Waiting { call: event.call, attempts: 0, since: event.at, next_try: Timestamp(0) };
            self.enqueue(&webhook.name, event.id, waiting);
            let mut outbox = self.shared.outbox();
            let queue = outbox.queue(&webhook.name);
            let oldest =
                queue.oldest_idle().filter(|_| queue.idle() as u64 > self.shared.options.outbox.max(1));
            drop(outbox);
            if let Some(oldest) = oldest {
                self.bury(&webhook.name, oldest, "too many events were waiting for this webhook", event.at)?;
            }
        }
        Ok(())
    }

    /// Whether someone is still to be told of it, or was not.
    pub(crate) fn is_owed(&self, id: Ulid) -> Result<bool, StoreError> {
        let outbox = self.shared.outbox();
        if outbox.is_waiting(id) {
            return Ok(true);
        }
        let webhooks = outbox.with_dead();
        drop(outbox);
        for webhook in webhooks {
            if self.changes.has(&keys::dead(&webhook, id))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn delivered(&mut self, delivery: &mut Delivery) -> Result<Outcome, StoreError> {
        self.dequeue(&delivery.webhook, delivery.event.id);
        delivery.lease.held = None;
        self.forget_if_settled(delivery.event.id)?;
        Ok(Outcome::Kept)
    }

    pub(crate) fn failed(
        &mut self,
        delivery: &mut Delivery,
        next_try: Timestamp,
        error: &str,
    ) -> Result<Outcome, StoreError> {
        let Delivery { webhook, event, attempts, since, lease } = delivery;
        let waiting =
            Waiting { call: event.call, attempts: attempts.saturating_add(1), since: *since, next_try };
        self.changes.write(keys::queued(webhook, event.id), &waiting);
        let mut outbox = self.shared.outbox();
        outbox.queue(webhook).release(event.id, Some(waiting));
        outbox.errors.insert(webhook.clone(), error.to_owned());
        lease.held = None;
        Ok(Outcome::Kept)
    }

    pub(crate) fn dead(
        &mut self,
        delivery: &mut Delivery,
        error: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        delivery.lease.held = None;
        self.bury(&delivery.webhook, delivery.event.id, error, now)?;
        self.shared.outbox().errors.insert(delivery.webhook.clone(), error.to_owned());
        Ok(Outcome::Kept)
    }

    pub(crate) fn replay(
        &mut self,
        webhook: &str,
        events: &[Ulid],
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut replayed = 0;
        for id in events {
            let key = keys::dead(webhook, *id);
            let Some(buried) = self.changes.read::<Buried>(&key)? else { continue };
            if self.shared.outbox().queue(webhook).idle() as u64 >= self.shared.options.outbox.max(1) {
                break;
            }
            self.changes.remove(key);
            self.count(webhook, |counts| counts.dead = counts.dead.saturating_sub(1));
            let waiting =
                Waiting { call: buried.call.map(Ulid), attempts: 0, since: now, next_try: Timestamp(0) };
            self.enqueue(webhook, *id, waiting);
            replayed += 1;
        }
        Ok(replayed)
    }

    fn enqueue(&mut self, webhook: &str, id: Ulid, waiting: Waiting) {
        self.changes.write(keys::queued(webhook, id), &waiting);
        self.shared.outbox().queue(webhook).add(id, waiting);
    }

    fn dequeue(&mut self, webhook: &str, id: Ulid) -> Option<Waiting> {
        self.changes.remove(keys::queued(webhook, id));
        let mut outbox = self.shared.outbox();
        let queue = outbox.queue(webhook);
        let waiting = queue.get(id);
        queue.remove(id);
        waiting
    }

    /// Makes a waiting event a dead letter; of too many dead letters the oldest is dropped and counted.
    fn bury(&mut self, webhook: &str, id: Ulid, error: &str, at: Timestamp) -> Result<(), StoreError> {
        let Some(waiting) = self.dequeue(webhook, id) else { return Ok(()) };
        let call = waiting.call.map(|call| call.0);
        let buried = Buried { call, attempts: waiting.attempts, error: error.into(), at };
        self.changes.write(keys::dead(webhook, id), &buried);
        let counts = self.count(webhook, |counts| counts.dead += 1);
        if counts.dead > self.shared.options.dead_letters.max(1) {
            self.drop_oldest_dead(webhook)
        } else {
            Ok(())
        }
    }

    fn drop_oldest_dead(&mut self, webhook: &str) -> Result<(), StoreError> {
        let Some(key) = self.changes.first(&keys::dead_of(webhook), 1)?.pop() else { return Ok(()) };
        self.count(webhook, |counts| {
            counts.dead -= 1;
            counts.dropped += 1;
        });
        let dropped = keys::read_id(&key);
        self.changes.remove(key);
        dropped.map_or(Ok(()), |id| self.forget_if_settled(id))
    }

    fn count(&mut self, webhook: &str, change: impl FnOnce(&mut Counts)) -> Counts {
        let mut outbox = self.shared.outbox();
        let counts = outbox.counts.entry(webhook.to_owned()).or_default();
        change(counts);
        let counts = *counts;
        drop(outbox);
        self.changes.write(keys::counts(webhook), &counts);
        counts
    }

    /// Forgets an event that left the log, once nobody is to be told of it.
    fn forget_if_settled(&mut self, id: Ulid) -> Result<(), StoreError> {
        let key = keys::kept_event(id);
        if self.changes.has(&key)? && !self.is_owed(id)? {
            self.changes.remove(key);
        }
        Ok(())
    }
}

/// How a dead letter lies on the disk.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Buried {
    call: Option<u128>,
    pub(super) attempts: u32,
    pub(super) error: Box<str>,
    pub(super) at: Timestamp,
}
