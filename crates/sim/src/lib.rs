//! A world for tests: a switchboard, a seeded network that delays, loses, doubles and reorders, peers that react to what they
//! get, a relay and a store that can answer late or never. A virtual hour takes milliseconds, and one `u64` decides everything.
//!
//! The peers do not use the user agent they test.

mod audit;
mod callee;
mod caller;
mod config;
mod dialog;
mod disk;
mod hooks;
mod keypad;
mod media;
mod network;
mod orders;
mod sweep;
mod world;

pub use audit::Audit;
pub use callee::{CalleePlan, Early, Last, Reaction, Stage};
pub use caller::CallerPlan;
pub use config::{config, orders};
pub use dialog::{Act, Voice};
pub use hooks::Hooks;
pub use network::Weather;
pub use orders::Orders;
pub use sweep::{Fault, Scenario, sweep};
pub use world::{MADE, World};
