//! Where a worker's words go.

use std::net::SocketAddr;

use crate::{Port, Report, SessionId, Shortcut};

/// What performs a worker's words: sockets in the relay, a network of its own in a simulation.
pub trait Sink {
    /// Send an RTP packet from the RTP socket of `port`. What cannot be sent is lost.
    fn send(&mut self, port: Port, to: SocketAddr, packet: &[u8]);

    /// Send an RTCP packet from the RTCP socket of `port`, the next higher number.
    fn send_control(&mut self, port: Port, to: SocketAddr, packet: &[u8]);

    /// Tell whoever gives the commands.
    fn report(&mut self, report: Report);

    /// Write to the recording of a session.
    fn record(&mut self, session: SessionId, recording: Recording<'_>);

    /// Packets like these may be sent on past the machine from now on. Nobody need do so: it is offered again.
    fn shortcut(&mut self, shortcut: Shortcut) {
        let _ = shortcut;
    }
}

/// The parts of a recording, in the order they come: one `Begin`, any number of `Samples`, one `End`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recording<'a> {
    /// It begins; whoever writes it says `Report::Recorded` when all of it is on disk, or broken off.
    Begin {
        /// File name without folder.
        name: Box<str>,
    },
    /// The next moments, without gap or overlap: 8000 pairs a second, linear; first what the session says (left),
    /// second what its peer says (right).
    Samples(&'a [[i16; 2]]),
    /// It is complete.
    End,
}
