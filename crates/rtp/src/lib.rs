//! One stream of media: packets, reports, key presses, prompts, codecs (RFC 3550, 3551, 4733, 7587), and the machine that
//! one relay worker is.
//!
//! [`Worker`] holds every session of one worker. It is told the time, commands and packets, and answers through a
//! [`Sink`]; it never waits, and allocates nothing for a packet. Whoever speaks RTP without a worker, as a phone
//! does, finds the language in [`packet`], [`rtcp`], [`srtp`], [`telephone_event`] and [`codec`].

mod bursts;
mod chance;
pub mod codec;
mod control;
mod deadlines;
mod ear;
mod interface;
mod library;
mod noise;
mod pace;
pub mod packet;
mod player;
mod plc;
pub mod quality;
mod receiver;
mod recorder;
pub mod rtcp;
mod session;
pub mod shortcut;
mod silence;
mod sink;
mod source;
pub mod srtp;
mod stream;
pub mod telephone_event;
mod tones;
mod voice;
mod voip_metrics;
mod worker;

pub use codec::opus::OpusWishes;
pub use codec::{ClockRate, Codec, Law, g711};
pub use interface::*;
pub use library::{Library, Prompt, Sound};
pub use packet::{Header, Packet};
pub use rtcp::Compound;
pub use shortcut::{Progress, Shortcut};
pub use sink::{Recording, Sink};
pub use srtp::{MasterKey, Srtp, Suite};
pub use telephone_event::Event;
pub use voip_metrics::VoipMetrics;
pub use worker::Worker;
