//! What a session need not do itself: see [`crate::shortcut`].

use super::Session;
use crate::{Progress, Shortcut};

/// Ticks of G.711's media clock in a second (RFC 3551 §4.5.14).
const CLOCK_RATE: u32 = 8000;

impl Session {
    /// The way of its packets to its peer, as long as nothing else is to be done with them and nothing else is sent there.
    pub(crate) fn shortcut(&self, peer: &mut Self) -> Option<Shortcut> {
        let is_plain = self.receives()
            && self.secure.is_none()
            && self.tones.is_none()
            && self.recorder.is_none()
            && peer.secure.is_none()
            && peer.recorder.is_none()
            && peer.player.is_none()
            && !peer.keys.is_sounding();
        let course = peer.stream.course(self.receiver.highest()?)?;
        let (law, outgoing) = peer.media.format.send;
        let mut agreed = self.media.format.receive.iter().flatten();
        let (_, incoming) = agreed.find(|(coming, _)| Some(*coming) == self.codec && *coming == law)?;
        let destination = peer.sources.rtp.learnt().filter(|learnt| peer.destination() == Some(*learnt))?;
        let progress =
            self.receiver.progress(course.ssrc, course.timestamp, course.at, self.pace.paid_until())?;
        is_plain.then_some(Shortcut {
            from: self.port,
            source: self.sources.rtp.learnt()?,
            to: peer.port,
            destination,
            incoming: (*incoming, course.ssrc),
            outgoing: (outgoing, peer.stream.ssrc()),
            sequence_offset: course.sequence_offset,
            timestamp_offset: course.timestamp_offset,
            base: course.base,
            clock_rate: CLOCK_RATE,
            progress,
        })
    }

    /// Its packets went on to its peer by a shortcut.
    pub(crate) fn passed(&mut self, peer: &mut Self, progress: &Progress) {
        if progress.packets == 0 {
            return;
        }
        self.packets += progress.packets;
        self.octets += progress.octets;
        self.receiver.passed(progress);
        self.pace.passed(progress.paid_until);
        self.silence.broken(progress.at);
        peer.stream.passed(progress);
    }
}
