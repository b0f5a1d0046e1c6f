//! The tests of `packets`, beside lanes.

#[path = "packets/bridge.rs"]
mod bridge;
#[path = "packets/loopback.rs"]
mod loopback;
#[path = "packets/phone.rs"]
mod phone;
#[path = "packets/prompts.rs"]
mod prompts;
#[path = "packets/recordings.rs"]
mod recordings;
#[path = "packets/sources.rs"]
mod sources;
#[path = "packets/stage.rs"]
mod stage;
#[path = "packets/ties.rs"]
mod ties;
