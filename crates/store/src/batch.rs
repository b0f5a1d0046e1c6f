//! Writes that happen together or not at all.

use number::Number;
use ulid::Ulid;

use crate::contact::ContactWrite;
use crate::event::{self, NewEvent};
use crate::history::Trace;
use crate::pair::Asked;
use crate::statistics::{Share, Trunks};
use crate::{
    Block, Callback, CallbackEnd, CallbackPlan, Claim, ContactOutcome, Delivery, Erasure, NewAudit, NewPair,
    Order, PairChange, PlanPut, Precondition, Progress, Put, Record, Removal, Response, SignIn, StoreError,
    Tally, Timestamp, disk, order, record,
};

/// Writes that happen together or not at all, in the order they were added. What cannot be kept is noticed when it
/// is added and told when the batch is written.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) writes: Vec<Write>,
    pub(crate) fault: Option<StoreError>,
}

/// What one write of a batch did.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An order was put.
    Put(Put),
    /// An order was to be removed.
    RemovedOrder(Removal),
    /// A piece of an erasure was done.
    Erased(Progress),
    /// Whether there was a block to remove, a callback or somebody's being signed in to end.
    Removed(bool),
    /// A call was checkpointed or noted, a callback or who signed in kept, an answer remembered, a delivery settled.
    Kept,
    /// Whether the order had a call left.
    Reserved(bool),
    /// Whether the record was written; `false` if it had been before.
    Finished(bool),
    /// An event was appended.
    Event(Ulid),
    /// A plan of callbacks was put or removed.
    Plan(PlanPut),
    /// How many dead letters were queued again.
    Replayed(usize),
    /// Orders that had expired.
    Swept(Vec<Order>),
    /// A pair as it now is, or why it is not as asked.
    Pair(Asked),
    /// What became of a contact.
    Contact(ContactOutcome),
    /// How many pairs had ended or were forgotten.
    PairsSwept(usize),
}

#[derive(Debug)]
pub(crate) enum Write {
    PutOrder { order: Box<Order>, now: Timestamp, announce: bool, precondition: Precondition },
    RemoveOrder { line: Option<Number>, code: Box<str>, precondition: Precondition, now: Timestamp },
    NoteCalled { line: Number, callee: Number, code: Box<str>, at: Timestamp },
    ReserveCall { line: Number, code: Box<str>, now: Timestamp },
    ReleaseCall { line: Number, code: Box<str>, now: Timestamp },
    Tally(Tally),
    Checkpoint { call: Ulid, trunks: Trunks, json: Vec<u8>, snapshot: Vec<u8> },
    PutBlock(Box<Block>),
    RemoveBlock(Ulid),
    Audit(NewAudit),
    EraseOrders(Erasure),
    Erase(Box<crate::erase::Piece>),
    Alive(Timestamp),
    Finish { trace: Trace, shares: Vec<Share>, callback: bool, json: Vec<u8>, events: Vec<NewEvent> },
    PutCallback { callback: Box<Callback>, event: NewEvent },
    EndCallback { id: Ulid, end: CallbackEnd, event: NewEvent },
    PutPlan { plan: Box<CallbackPlan>, wanted: Precondition },
    RemovePlan { name: Box<str>, wanted: Precondition },
    Event(NewEvent),
    Remember { claim: Claim, response: Response, now: Timestamp },
    Delivered(Delivery),
    Failed { delivery: Delivery, next_try_at: Timestamp, error: String },
    Dead { delivery: Delivery, error: String, now: Timestamp },
    Replay { webhook: String, events: Vec<Ulid>, now: Timestamp },
    PutSignIn(Box<SignIn>),
    UseSignIn { id: [u8; 32], at: Timestamp },
    EndSignIn([u8; 32]),
    Sweep { now: Timestamp, limit: usize },
    CreatePair { asked: Box<NewPair>, now: Timestamp },
    ChangePair { id: Ulid, change: Box<PairChange>, version: Option<u64>, now: Timestamp },
    ClosePair { id: Ulid, version: Option<u64>, now: Timestamp },
    ReopenPair { id: Ulid, expires_at: Timestamp, version: Option<u64>, now: Timestamp },
    PairCalled { id: Ulid, caller: Option<Number>, now: Timestamp },
    Contact(Box<ContactWrite>),
    SweepPairs { now: Timestamp, limit: usize },
}

impl Batch {
    /// Most writes of one batch: readers wait while it is applied.
    pub const LONGEST: usize = 1_000;

    /// Most events that go with one record.
    pub const MOST_EVENTS: usize = 64;

    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many writes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// What of it cannot be kept: with this the whole of it will be refused.
    #[must_use]
    pub fn fault(&self) -> Option<&StoreError> {
        self.fault.as_ref()
    }

    /// With the writes of another after its own.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.check(other.fault.map_or(Ok(()), Err));
        other.writes.into_iter().fold(self, Self::with)
    }

    /// [`crate::Store::put_order`]. With `announce`, the event `order.put` is appended.
    #[must_use]
    pub fn put_order(mut self, order: Order, now: Timestamp, announce: bool) -> Self {
        self.check(order.check());
        let precondition = Precondition::None;
        self.with(Write::PutOrder { order: Box::new(order), now, announce, precondition })
    }

    /// As [`Batch::put_order`] with `announce`, if `precondition` holds.
    #[must_use]
    pub fn put_order_if(mut self, order: Order, precondition: Precondition, now: Timestamp) -> Self {
        self.check(order.check());
        self.with(Write::PutOrder { order: Box::new(order), now, announce: true, precondition })
    }

    /// [`crate::Store::remove_order`].
    #[must_use]
    pub fn remove_order(
        mut self,
        line: Option<Number>,
        code: &str,
        precondition: Precondition,
        now: Timestamp,
    ) -> Self {
        self.check(order::check_code(code));
        self.with(Write::RemoveOrder { line, code: code.into(), precondition, now })
    }

    /// This number was called through this line on this order, now: [`crate::Store::find_redial`] finds it.
    #[must_use]
    pub fn note_called(mut self, line: Number, callee: Number, code: &str, at: Timestamp) -> Self {
        self.check(order::check_code(code));
        self.with(Write::NoteCalled { line, callee, code: code.into(), at })
    }

    /// Takes one of the calls that the order with this code has left: two that ask at the same time never take the same one.
    #[must_use]
    pub fn reserve_call(mut self, line: Number, code: &str, now: Timestamp) -> Self {
        self.check(order::check_code(code));
        self.with(Write::ReserveCall { line, code: code.into(), now })
    }

    /// A call that was reserved is not made after all.
    #[must_use]
    pub fn release_call(mut self, line: Number, code: &str, now: Timestamp) -> Self {
        self.check(order::check_code(code));
        self.with(Write::ReleaseCall { line, code: code.into(), now })
    }

    /// [`crate::Store::checkpoint`].
    #[must_use]
    pub fn checkpoint(mut self, record: &Record, snapshot: &[u8]) -> Self {
        let json = self.json_of(record);
        let snapshot = if snapshot.len() > disk::LONGEST_VALUE { &[] } else { snapshot };
        self.with(Write::Checkpoint {
            call: record.id,
            trunks: Trunks::of(record),
            json,
            snapshot: snapshot.into(),
        })
    }

    /// The node is alive at this moment: [`crate::Store::last_alive`].
    #[must_use]
    pub fn alive(self, now: Timestamp) -> Self {
        self.with(Write::Alive(now))
    }

    /// [`crate::Store::finish`].
    #[must_use]
    pub fn finish(mut self, record: &Record, events: Vec<NewEvent>) -> Self {
        let json = self.json_of(record);
        if events.len() > Self::MOST_EVENTS {
            self.check(Err(StoreError::Refused("too many events with one record")));
        }
        for event in &events {
            self.check(event::check(event));
        }
        let (trace, shares) = (Trace::of(record), Share::of(record));
        self.with(Write::Finish { trace, shares, callback: record.callback, json, events })
    }

    /// [`crate::Store::append_events`], one.
    #[must_use]
    pub fn event(mut self, event: NewEvent) -> Self {
        self.check(event::check(&event));
        self.with(Write::Event(event))
    }

    /// [`crate::Store::remember`].
    #[must_use]
    pub fn remember(mut self, claim: Claim, response: Response, now: Timestamp) -> Self {
        if response.body.len() > Response::LONGEST {
            self.check(Err(StoreError::Refused("the answer is too long to be remembered")));
        }
        self.with(Write::Remember { claim, response, now })
    }

    /// [`crate::Store::delivered`].
    #[must_use]
    pub fn delivered(self, delivery: Delivery) -> Self {
        self.with(Write::Delivered(delivery))
    }

    /// [`crate::Store::failed`].
    #[must_use]
    pub fn failed(self, delivery: Delivery, next_try_at: Timestamp, error: &str) -> Self {
        self.with(Write::Failed { delivery, next_try_at, error: crate::outbox::short(error) })
    }

    /// [`crate::Store::dead`].
    #[must_use]
    pub fn dead(self, delivery: Delivery, error: &str, now: Timestamp) -> Self {
        self.with(Write::Dead { delivery, error: crate::outbox::short(error), now })
    }

    pub(crate) fn with(mut self, write: Write) -> Self {
        if self.writes.len() == Self::LONGEST {
            self.check(Err(StoreError::Refused("too many writes in one batch")));
        } else {
            self.writes.push(write);
        }
        self
    }

    pub(crate) fn check(&mut self, verdict: Result<(), StoreError>) {
        self.fault = self.fault.take().or(verdict.err());
    }

    fn json_of(&mut self, record: &Record) -> Vec<u8> {
        self.check(record::check(record));
        let json = serde_json::to_vec(record).expect("a record has a JSON form: its keys are text");
        if json.len() > disk::LONGEST_VALUE {
            self.check(Err(StoreError::Refused("the record is too long")));
        }
        json
    }
}
