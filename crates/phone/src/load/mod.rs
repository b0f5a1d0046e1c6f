//! A carrier on both sides of a server, placing order calls at a steady rate: the load generator.
//!
//! It is one thread with four sockets, so that on a small machine it costs far less than what it measures: every caller's media
//! comes from one port and every callee's from another, which a server that knows its sessions by its own ports cannot tell
//! from a carrier's media gateway.

mod call;
mod chance;
mod delays;
mod generator;
mod sockets;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

pub use delays::Delays;
use generator::Generator;
pub use text::callee_of;

/// What to place.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server's SIP address.
    pub server: SocketAddr,
    /// Where callers call from; must be a trunk's address.
    pub callers: IpAddr,
    /// Where callees are; the trunk's URI must point here, at `callee_port`.
    pub callees: IpAddr,
    /// SIP port of the callees.
    pub callee_port: u16,
    /// The line to call, `+` E.164.
    pub line: String,
    /// The caller of each call and the code they key, used in turn.
    pub orders: Vec<(String, String)>,
    /// New calls per second.
    pub rate: f64,
    /// How many calls in all.
    pub calls: usize,
    /// From the answer to the first key.
    pub think: Duration,
    /// How long the two stay joined.
    pub hold: Duration,
    /// Whether G.711 flows both ways, 50 packets per second, while they are joined.
    pub media: bool,
    /// How many in a hundred datagrams are thrown away, of those sent and of those that come, on either side: by a chance
    /// that is the same in every run.
    pub loss: u8,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Since the first call was due.
    pub elapsed: Duration,
    /// Calls placed so far.
    pub placed: usize,
    /// Calls joined now.
    pub joined: usize,
    /// Whether every call is over. What the server says again is answered all the same.
    pub over: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Calls placed.
    pub placed: usize,
    /// Calls joined and ended as they should.
    pub completed: usize,
    /// Calls that failed, by the step they failed at.
    pub failed: BTreeMap<String, usize>,
    /// Requests and answers said again because nothing came back in time.
    pub retransmissions: usize,
    /// Datagrams thrown away, sent ones and such that came.
    pub thrown_away: u64,
    /// Most calls joined at once.
    pub most_joined: usize,
    /// Media packets that came through.
    pub packets: u64,
    /// From the last key to the INVITE at the callee.
    pub dial_delays: Delays,
    /// From the caller's INVITE to the server's 200.
    pub answer_delays: Delays,
    /// The longest that one side of each completed call heard nothing while they were joined; with media.
    pub gaps: Delays,
    /// From the first call's INVITE to the last call's.
    pub placing: Duration,
    /// From the first INVITE to the last end.
    pub took: Duration,
}

impl Outcome {
    /// Calls placed in a second; `None` of fewer than two.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let between = u32::try_from(self.placed).ok()?.checked_sub(1).filter(|between| *between > 0)?;
        Some(f64::from(between) / self.placing.as_secs_f64().max(1e-3))
    }
}

/// Places the load and waits for its end. `watch` is called about ten times a second; once every call is over it says
/// when that is enough.
///
/// # Errors
/// A socket cannot be had.
pub fn run(load: &Load, watch: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> io::Result<Outcome> {
    Generator::new(load)?.run(watch)
}
