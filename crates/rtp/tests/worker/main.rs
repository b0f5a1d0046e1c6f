//! The machine of a relay worker, driven from outside in virtual time.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

mod bridge;
mod codecs;
mod digits;
mod early;
mod inband;
mod lifecycle;
mod mixed;
mod prompts;
mod properties;
mod recording;
mod reports;
mod shortcut;
mod sources;
mod srtp;
mod world;
