//! What users and their programs hold on to: HTTP, events, webhooks.
//!
//! [`Gate`] holds what every answer needs; [`serve`] answers on a socket; [`webhooks::Deliverer`] tells others. Events
//! come from the store, which announces each as soon as it is durable: whoever hears of something can rely on it.

use std::time::Duration;

mod attempts;
mod audit;
mod blocks;
mod body;
mod bus;
mod callbacks;
mod calls;
mod contacts;
mod draft;
mod etag;
mod events;
mod files;
mod filter;
mod gate;
mod guard;
mod health;
mod idempotency;
mod import;
mod interface;
mod json;
mod live;
mod metrics;
mod numbering;
mod numbers;
mod openapi;
mod order_patch;
mod orders;
mod origin;
mod page;
mod pair_draft;
mod pairs;
mod parameters;
mod peaks;
mod people;
mod privacy;
mod problem;
mod prompts;
mod range;
mod rate;
mod record_csv;
mod recordings;
mod records;
mod reveals;
mod router;
mod serve;
mod settings;
mod sign_in;
mod simulate;
mod statistics;
mod token;
mod trace;
mod traffic;
mod trunks;
mod user;
pub mod webhooks;

pub use body::read_json;
pub use bus::Bus;
pub use filter::{Filter, NotAPattern};
pub use gate::Gate;
pub use interface::*;
pub use metrics::{Family, Kind, Sample, Value};
pub use privacy::{Privacy, tells_number};
pub use serve::{Seat, Secure, serve};
pub use token::{Role, Token};
pub use user::{NotAHash, User, password_hash};

/// How long the server may take to answer an [`Ask`].
pub const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// As [`ASK_TIMEOUT`], where a text is to be spoken.
pub const SPEECH_TIMEOUT: Duration = Duration::from_secs(25);

/// Longest text spoken, characters.
pub const MAX_TEXT: usize = 1_000;

/// Largest recording taken as a prompt, bytes.
pub const MAX_PROMPT: usize = 10 * 1024 * 1024;
