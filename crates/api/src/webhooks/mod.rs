//! Events to other people's servers: at least once, in order per call, from the durable outbox.

mod admin;
mod count;
mod deliver;
mod notice;
mod schedule;
mod signature;

use std::fmt;
use std::time::Duration;

pub use count::Deliveries;
pub use deliver::{Deliverer, WebhookError};
pub use notice::{FIELDS, Kind, Template};
pub use schedule::Schedule;

pub(crate) use admin::{dead_letters, list, replay};
pub use signature::sign;

pub(crate) use signature::hex;

use crate::filter::Filter;

/// Someone who is told of events.
#[derive(Clone)]
pub struct Webhook {
    /// Its name in the configuration: its queue is found by it after a restart. 1 to 64 bytes.
    pub name: String,
    /// Where events are posted: `http://` or `https://`.
    pub url: String,
    /// What is posted.
    pub post: Post,
    /// Which events.
    pub events: Filter,
    /// For one request, from connecting to the status line. Default 10 s.
    pub timeout: Duration,
    /// When to try again.
    pub schedule: Schedule,
    /// Requests at once, each of another call. Default 16.
    pub at_once: usize,
}

/// What is posted of an event.
#[derive(Clone)]
pub enum Post {
    /// The event itself, signed.
    Event {
        /// What it is signed with.
        secret: Box<[u8]>,
    },
    /// Of a new order, what tells a party of it.
    Notice(Box<Template>),
}

/// Without the secret; of the address only what is no secret either.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
