//! The store as its users see it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is how a fault is told")]

mod callbacks;
mod calls;
mod contacts;
mod events;
mod idempotency;
mod model;
mod opening;
mod orders;
mod outbox;
mod pairs;
mod policy;
mod pool_model;
mod searches;
mod sign_ins;
mod statistics;
mod world;
