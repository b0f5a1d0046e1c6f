//! One leg of a call, and the transactions that carry it (RFC 3261 §12, §13, §17; RFC 6026).
//!
//! Time-free: a timer is an output (`Arm`), later an input (`Fired`). Above this crate nobody sees a SIP header.

mod body;
mod challenge;
mod chance;
mod compose;
mod dialog;
mod digest;
mod errand;
mod flow;
mod identity;
mod info;
mod interface;
mod leg;
mod legs;
mod place;
mod screen;
mod session;
mod settings;
mod snapshot;
mod transaction;
mod user_agent;
mod wires;

pub use digest::Credentials;
pub use interface::*;
pub use snapshot::{Hop, InviteSnapshot, Snapshot};
pub use user_agent::UserAgent;
