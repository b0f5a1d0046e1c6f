//! The switchboard: all calls as one value with one owner. No socket, clock, thread or lock; time enters as an
//! argument, everything else as `Input`, and what must happen leaves as `Output`.

mod admission;
mod belief;
mod call;
mod callback;
mod caller;
mod config;
mod desk;
mod guards;
mod hook;
mod ids;
mod interface;
mod lockout;
mod media;
mod outcome;
mod ports;
mod record;
mod self_call;
mod service;
pub mod snapshot;
mod switchboard;
mod trunks;

pub use call::PROMPTS_PER_LANGUAGE;
pub use callback::*;
pub use config::*;
pub use hook::*;
pub use ids::NotACallId;
pub use interface::*;
pub use ivr::{Prompt, Settings as ScriptSettings};
pub use record::*;
pub use service::*;
pub use stir::{Attestation, Fault as IdentityFault, Question, Verdict, Verification};
pub use switchboard::{Gauges, Switchboard};
pub use trunks::TrunkStatus;
pub use ua::{
    Account, Config as AgentConfig, Counted, Credentials, LegId, Listener as AgentListener, Sessions, Shown,
    Timing, TrunkId,
};
