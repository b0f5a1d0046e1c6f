//! What a node keeps on its own disk: orders, pairs, the records of calls, events and what is still to be told to whom.
//!
//! Every write is one [`Batch`], applied as a whole or not at all, by one thread. A write is answered only when it
//! survives a power cut; batches that wait at the same time share one synchronisation of the disk. Reads go
//! straight to the store from any thread and never wait for a write to reach the disk.
//!
//! Nothing here reads a clock: whoever asks says what time it is.

mod audit;
mod batch;
mod block;
mod callback;
mod changes;
mod contact;
mod digits;
mod disk;
mod erase;
mod error;
mod event;
mod event_log;
mod expiry;
mod find;
mod history;
mod idempotency;
mod index;
mod json;
mod keys;
mod known;
mod names;
mod open;
mod order;
mod order_list;
mod outbox;
mod pair;
mod quiet;
mod record;
mod shared;
mod sign_in;
mod statistics;
mod summaries;
mod tally;
mod timestamp;
mod window;
mod writer;
mod zones;

pub use audit::{AuditEntry, NewAudit};
pub use batch::{Batch, Outcome};
pub use block::{Block, Direction};
pub use callback::{
    Callback, CallbackEnd, CallbackNumber, CallbackPlan, CallbackPrompt, CallbackSide, FoundCallback, PlanPut,
};
pub use contact::{Contact, ContactChange, ContactFilter, ContactOutcome, NewContact};
pub use erase::{Erased, Erasure, Progress};
pub use error::StoreError;
pub use event::{Event, Events, NewEvent};
pub use find::Spent;
pub use idempotency::{Claim, Idempotency, Response};
pub use json::{Json, NotJson};
pub use known::{Known, Somebody};
pub use open::{Options, Store, StoreStatus};
pub use order::{Lines, Order, OrderFilter, OrderLimits, Party, PartyFinding, Precondition, Put, Removal};
pub use outbox::{DeadLetter, Delivery, OutboxStatus, Webhook};
pub use pair::{
    Choice, Ended, Fallback, Forecast, Former, Member, Mode, NewPair, NumberStatus, Pair, PairChange,
    PairDirection, PairFilter, PairFinding, PairRefusal, PhoneStatus, PoolNumber, PoolStatus, Preference,
    Prefix, Reached, Side, numbers_needed,
};
pub use quiet::{NotQuiet, Quiet};
pub use record::{IdentityRecord, LegRecord, Record, RecordFilter, TriedRecord, Unfinished};
pub use sign_in::SignIn;
pub use statistics::{Point, Step};
pub use tally::{Tally, TallyOf};
pub use timestamp::{NotATimestamp, Timestamp};
pub use ulid::Ulid;
pub use window::Window;

/// Most entries of one page.
const LONGEST_PAGE: usize = 1_000;

fn page_size(limit: usize) -> usize {
    limit.clamp(1, LONGEST_PAGE)
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` after the last. Opaque text, safe in a URL. A page may be short or even
    /// empty and still have a next one: the work per page is bounded, not only its length.
    pub next: Option<String>,
}
