//! What a session need not do itself: see [`crate::shortcut`].

use super::Session;
use crate::{Codec, Progress, Shortcut};

impl Session {
    /// The way of its packets to its peer, as long as nothing else is to be done with them and nothing else is sent there.
    pub(crate) fn shortcut(&self, peer: &mut Self) -> Option<Shortcut> {
        let is_plain = self.receives()
            && self.secure.is_none()
            && self.tones.is_none()
            && self.ear.is_none()
            && self.recorder.is_none()
            // Whoever asks for bursts has each packet looked at.
            && !self.media.xr
            && peer.secure.is_none()
            && peer.recorder.is_none()
            && peer.player.is_none()
            && !peer.keys.is_sounding()
            && !peer.makes_noise();
        let course = peer.stream.course(self.receiver.highest()?)?;
        let codec = self.codec?;
        let outgoing = peer.media.format.unchanged(codec)?;
        let mut agreed = self.media.format.receive.iter().flatten();
        let (_, incoming) = agreed.find(|(coming, _)| *coming == codec)?;
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
            clock_rate: codec.clock_rate(),
            progress,
        })
    }

    /// Its packets went on to its peer by a shortcut.
    pub(crate) fn passed(&mut self, peer: &mut Self, progress: &Progress) {
        let Some(codec) = self.codec.filter(|_| progress.packets > 0) else { return };
        self.packets += progress.packets;
        self.octets += progress.octets;
        self.receiver.passed(progress);
        self.pace.passed(progress.paid_until);
        self.silence.broken(progress.at);
        let begins = &progress.begins[..(progress.length as usize).min(progress.begins.len())];
        let length = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => progress.length,
            Codec::Opus => codec.length(begins),
        };
        peer.stream.passed(progress, length);
    }
}
