//! The codecs, and what is done with linear samples between two of them.
//!
//! Linear audio has one of two rates: what G.711 carries is narrow, what G.722 and Opus carry is wide. Opus reads and
//! writes at 16 kHz itself, so that one half-band filter is all the resampling there is.

pub mod g711;
pub mod g722;
pub(crate) mod half_band;
pub mod opus;

use std::time::Duration;

pub use g711::Law;

/// How voice is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711, mu-law: static payload type 0 (RFC 3551).
    Pcmu,
    /// G.711, A-law: static payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s: static payload type 9. Sampled 16,000 times a second, while its RTP clock says 8000
    /// (RFC 3551 §4.5.2).
    G722,
    /// Opus (RFC 6716, RFC 7587), one channel: a dynamic payload type.
    Opus,
}

/// How fast the timestamps of a codec run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockRate {
    /// 8000 a second: G.711 and G.722.
    Hz8000 = 1,
    /// 48,000 a second: Opus, whatever it was sampled at (RFC 7587 §4.1).
    Hz48000 = 6,
}

/// How often linear audio is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Band {
    /// 8000 times a second.
    Narrow,
    /// 16,000 times.
    Wide,
}

/// Audio at 8 kHz, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Samples<'a> {
    /// In a law.
    Coded(Law, &'a [u8]),
    /// Linear.
    Linear(&'a [i16]),
}

impl Samples<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Coded(_, octets) => octets.len(),
            Self::Linear(samples) => samples.len(),
        }
    }

    /// Moves as many as there is room for, or there are; says how many.
    pub(crate) fn fill(&mut self, room: &mut [i16]) -> usize {
        let count = room.len().min(self.len());
        let room = &mut room[..count];
        match self {
            Self::Coded(law, octets) => {
                let (now, later) = octets.split_at(count);
                for (sample, octet) in room.iter_mut().zip(now) {
                    *sample = g711::decode(*law, *octet);
                }
                *octets = later;
            }
            Self::Linear(samples) => {
                let (now, later) = samples.split_at(count);
                room.copy_from_slice(now);
                *samples = later;
            }
        }
        count
    }
}

impl Codec {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Its encoding name (RFC 3551, RFC 7587).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "OPUS",
        }
    }

    /// How fast its timestamps run.
    #[must_use]
    pub const fn clock_rate(self) -> ClockRate {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => ClockRate::Hz8000,
            Self::Opus => ClockRate::Hz48000,
        }
    }

    /// Which law it is, if it is one.
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            Self::G722 | Self::Opus => None,
        }
    }

    /// What it decodes to and is encoded from.
    pub(crate) const fn band(self) -> Band {
        match self {
            Self::Pcmu | Self::Pcma => Band::Narrow,
            Self::G722 | Self::Opus => Band::Wide,
        }
    }

    /// How much audio a payload has, in timestamps: an octet of G.711 and of G.722 is one.
    pub(crate) fn length(self, payload: &[u8]) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len() as u32,
            Self::Opus => opus::length(payload),
        }
    }
}

impl ClockRate {
    /// Timestamps in one of 8000 a second.
    pub(crate) const fn factor(self) -> u32 {
        self as u32
    }

    /// Timestamps in a second.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        8000 * self.factor()
    }

    /// Timestamps in so much time, wrapping as timestamps do.
    pub(crate) fn timestamps(self, time: Duration) -> u32 {
        let whole = time.as_secs().wrapping_mul(8000) + u64::from(time.subsec_nanos() / 125_000);
        (whole as u32).wrapping_mul(self.factor())
    }
}

impl Band {
    /// Samples in a millisecond.
    pub(crate) const fn per_millisecond(self) -> usize {
        match self {
            Self::Narrow => 8,
            Self::Wide => 16,
        }
    }
}
