//! What is still to be told to whom.

mod queue;
mod write;

use std::fmt;
use std::sync::{Arc, PoisonError, Weak};

use ulid::Ulid;

use crate::batch::Write;
use crate::shared::Shared;
use crate::{Batch, Event, Outcome, Page, Store, StoreError, Timestamp, changes, event_log, keys};
use queue::Waiting;
pub(crate) use write::Outbox;
use write::{Buried, Counts};

/// Someone who is told of events.
#[derive(Clone)]
pub struct Webhook {
    /// Name, 1 to 64 bytes: the queue is found by it after a restart.
    pub name: String,
    /// Whether events of this type are wanted.
    pub wants: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl Webhook {
    /// Most bytes of a name.
    pub const LONGEST_NAME: usize = 64;
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One event to be told to one webhook now. While it lives, neither this event nor a later one of the same call is
/// offered again; dropped without a word it is offered again.
#[derive(Debug)]
pub struct Delivery {
    /// Name of the webhook.
    pub webhook: String,
    /// What to tell.
    pub event: Event,
    /// How often that was tried.
    pub attempts: u32,
    /// When it happened, or was queued again; give up a day after.
    pub since: Timestamp,
    pub(crate) lease: Lease,
}

/// An event that a webhook was never told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The event.
    pub event: Event,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong last.
    pub error: String,
    /// When it was given up.
    pub at: Timestamp,
}

/// How a webhook's queue stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxStatus {
    /// Events waiting, those being told included.
    pub waiting: u64,
    /// Events being told.
    pub in_flight: u64,
    /// The oldest event waiting.
    pub oldest: Option<Ulid>,
    /// Dead letters kept.
    pub dead: u64,
    /// Dead letters that had to be dropped because there were too many, ever.
    pub dropped: u64,
    /// What went wrong last, since the node started.
    pub last_error: Option<String>,
}

/// Releases what is being told, unless that was settled.
#[derive(Default)]
pub(crate) struct Lease {
    held: Option<(Weak<Shared>, String, Ulid)>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.held.is_some() { "held" } else { "settled" })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((shared, webhook, id)) = self.held.take() else { return };
        if let Some(shared) = shared.upgrade() {
            shared.outbox().queue(&webhook).release(id, None);
        }
    }
}

/// Most bytes of what went wrong.
const LONGEST_ERROR: usize = 256;

/// The beginning of a text.
pub(crate) fn short(error: &str) -> String {
    error
        .chars()
        .scan(0, |len, c| {
            *len += c.len_utf8();
            (*len <= LONGEST_ERROR).then_some(c)
        })
        .collect()
}

impl Shared {
    fn outbox_due(
        self: &Arc<Self>,
        webhook: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let Some(last) = self.safe().event else { return Ok(Vec::new()) };
        let due = self.outbox().queue(webhook).take_due(now, last, limit);
        // Every lease first: whatever goes wrong on the way, all of them are released.
        let lease = |id| Lease { held: Some((Arc::downgrade(self), webhook.to_owned(), id)) };
        let due: Vec<_> = due.into_iter().map(|(id, waiting)| (id, waiting, lease(id))).collect();
        let deliver = |(id, waiting, lease): (Ulid, Waiting, Lease)| {
            let event = event_log::event(&self.disk, id)?
                .ok_or_else(|| StoreError::Read(format!("event {id} is queued and not kept")))?;
            let Waiting { attempts, since, .. } = waiting;
            Ok(Delivery { webhook: webhook.to_owned(), event, attempts, since, lease })
        };
        due.into_iter().map(deliver).collect()
    }

    fn dead_letters(
        &self,
        webhook: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        let prefix = keys::dead_of(webhook);
        let from = match cursor
            .map(|cursor| Ulid::from_string(cursor).map_err(|_| StoreError::Cursor))
            .transpose()?
        {
            Some(id) => std::ops::Bound::Excluded(keys::dead(webhook, id)),
            None => std::ops::Bound::Included(prefix.clone()),
        };
        let mut page = Page { items: Vec::new(), next: None };
        let mut last = None;
        for item in self.disk.range(from, std::ops::Bound::Excluded(keys::after_prefix(&prefix))) {
            let (key, value) = item?;
            if page.items.len() == limit {
                page.next = last.map(|id: Ulid| id.to_string());
                break;
            }
            let Buried { attempts, error, at, .. } = changes::unpack(&value)?;
            last = keys::read_id(&key);
            // Replayed and told since the list was begun.
            let Some(event) = last.map_or(Ok(None), |id| event_log::event(&self.disk, id))? else { continue };
            page.items.push(DeadLetter { event, attempts, error: error.into_string(), at });
        }
        Ok(page)
    }
}

impl Store {
    /// Who is told of events from now on. Queues of webhooks that are no longer named stay as they are.
    ///
    /// # Errors
    /// A name is empty, too long, has a control character or is there twice.
    pub fn set_webhooks(&self, webhooks: Vec<Webhook>) -> Result<(), StoreError> {
        let mut names = std::collections::BTreeSet::new();
        for Webhook { name, .. } in &webhooks {
            if name.is_empty() || name.len() > Webhook::LONGEST_NAME || name.contains(char::is_control) {
                return Err(StoreError::Refused("the name of a webhook is empty, too long or no word"));
            }
            if !names.insert(name) {
                return Err(StoreError::Refused("two webhooks have one name"));
            }
        }
        *self.shared().webhooks.write().unwrap_or_else(PoisonError::into_inner) = webhooks.into();
        Ok(())
    }

    /// What to tell this webhook now, oldest first: of each call only the oldest event, and none while one is being
    /// told. Only events that are safe on the disk.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn outbox_due(
        &self,
        webhook: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.shared().outbox_due(webhook, now, limit)
    }

    /// When [`Store::outbox_due`] will next have something: `Timestamp(0)` for at once, `None` while nothing waits but
    /// for what is being told.
    #[must_use]
    pub fn outbox_next(&self, webhook: &str) -> Option<Timestamp> {
        let last = self.shared().safe().event?;
        self.shared().outbox().queue(webhook).next(last)
    }

    /// It was told. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused; it will be told again after a restart.
    pub fn delivered(&self, delivery: Delivery) -> Result<(), StoreError> {
        self.apply(Batch::new().delivered(delivery)).map(|_| ())
    }

    /// It could not be told; try again then. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn failed(&self, delivery: Delivery, next_try_at: Timestamp, error: &str) -> Result<(), StoreError> {
        self.apply(Batch::new().failed(delivery, next_try_at, error)).map(|_| ())
    }

    /// It is given up and kept as a dead letter. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn dead(&self, delivery: Delivery, error: &str, now: Timestamp) -> Result<(), StoreError> {
        self.apply(Batch::new().dead(delivery, error, now)).map(|_| ())
    }

    /// What this webhook was never told, oldest first; at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn dead_letters(
        &self,
        webhook: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<DeadLetter>, StoreError> {
        self.shared().dead_letters(webhook, cursor, crate::page_size(limit))
    }

    /// Tries these dead letters once more, as many as the queue has room for. How many that were. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn replay(&self, webhook: &str, events: &[Ulid], now: Timestamp) -> Result<usize, StoreError> {
        let mut replayed = 0;
        for events in events.chunks(crate::LONGEST_PAGE) {
            let write = Write::Replay { webhook: webhook.to_owned(), events: events.to_vec(), now };
            let outcomes = self.apply(Batch::new().with(write))?;
            let count = |outcome: &Outcome| if let Outcome::Replayed(count) = outcome { *count } else { 0 };
            replayed += outcomes.iter().map(count).sum::<usize>();
        }
        Ok(replayed)
    }

    /// Tries all dead letters of this webhook once more, as many as the queue has room for. How many that were. Waits
    /// for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn replay_all(&self, webhook: &str, now: Timestamp) -> Result<usize, StoreError> {
        let mut replayed = 0;
        let mut cursor = None;
        loop {
            let page = self.dead_letters(webhook, cursor.as_deref(), crate::LONGEST_PAGE)?;
            let events: Vec<Ulid> = page.items.iter().map(|letter| letter.event.id).collect();
            let count = self.replay(webhook, &events, now)?;
            replayed += count;
            cursor = page.next;
            if cursor.is_none() || count < events.len() {
                return Ok(replayed);
            }
        }
    }

    /// How this webhook's queue stands.
    #[must_use]
    pub fn outbox_status(&self, webhook: &str) -> OutboxStatus {
        let mut outbox = self.shared().outbox();
        let queue = outbox.queue(webhook);
        let (waiting, in_flight, oldest) = (queue.len() as u64, queue.telling() as u64, queue.oldest());
        let Counts { dead, dropped } = outbox.counts.get(webhook).copied().unwrap_or_default();
        let last_error = outbox.errors.get(webhook).cloned();
        OutboxStatus { waiting, in_flight, oldest, dead, dropped, last_error }
    }
}
