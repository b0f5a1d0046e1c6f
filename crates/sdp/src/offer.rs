//! What we can do, and what we offer of it.

use crate::agree::Agreed;
use crate::crypto::{Crypto, Security};
use crate::description::{Kind, Protocol};
use crate::{ClockRate, Codec, Description};

/// The dynamic payload types we give telephone-events of 8000 and of 48,000 timestamps a second, and Opus, unless they are
/// taken: those everybody uses.
const EVENTS: [(u8, ClockRate); 2] = [(101, ClockRate::Hz8000), (102, ClockRate::Hz48000)];
const OPUS: u8 = 96;

/// What a leg of ours can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs in order of liking; a repeated one counts once.
    pub codecs: Vec<Codec>,
    /// Whether telephone-events (RFC 4733) are offered and accepted.
    pub events: bool,
    /// Whether comfort noise (RFC 3389) is offered and accepted.
    pub noise: bool,
    /// Milliseconds of audio in a packet that we ask for; held to 10..=60.
    pub ptime: u8,
    /// Whether media is protected.
    pub security: Security,
    /// Whether VoIP metrics are asked for, and told to whoever asks (RFC 3611 §5).
    pub xr: bool,
}

/// The media lines a dialog has had so far. Later offers keep them in their places (RFC 3264 §8) and give no
/// payload type a second meaning (§8.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub(crate) lines: Vec<(Kind, Protocol)>,
    /// Which of them is our audio.
    pub(crate) audio: usize,
    /// Payload types with a meaning of the peer's, a bit each.
    pub(crate) taken: u128,
}

impl Layout {
    fn first(security: &Security) -> Self {
        let protocol = if security.is_required() { Protocol::RtpSavp } else { Protocol::RtpAvp };
        Self { lines: vec![(Kind::Audio, protocol)], audio: 0, taken: 0 }
    }

    /// As `offer` has it, with the stream at `audio` accepted.
    pub(crate) fn of(offer: &Description, audio: usize) -> Self {
        let taken = |formats: &[u8]| formats.iter().fold(0, |bits, format| bits | 1u128 << format);
        Self {
            lines: offer.streams.iter().map(|stream| (stream.kind, stream.protocol)).collect(),
            audio,
            taken: offer.streams.get(audio).map_or(0, |stream| taken(&stream.formats)),
        }
    }
}

/// An offer of ours: written by `write_offer`, kept until `read_answer`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Each with its payload type.
    pub(crate) codecs: Vec<(Codec, u8)>,
    pub(crate) events: Vec<(u8, ClockRate)>,
    pub(crate) noise: bool,
    pub(crate) ptime: u8,
    pub(crate) layout: Layout,
    pub(crate) crypto: Vec<Crypto>,
    /// Whether an answer must have one of them.
    pub(crate) secured_only: bool,
    pub(crate) xr: bool,
}

impl Offer {
    /// The first offer of a dialog: one audio line.
    #[must_use]
    pub fn first(capabilities: &Capabilities) -> Self {
        Self::with(capabilities, None, Layout::first(&capabilities.security))
    }

    /// A later offer in a dialog where `agreed` holds: the full offer that a re-INVITE without one asks for
    /// (RFC 3261 §14.2).
    #[must_use]
    pub fn again(capabilities: &Capabilities, agreed: &Agreed) -> Self {
        Self::with(capabilities, Some(agreed), agreed.layout.clone())
    }

    fn with(capabilities: &Capabilities, agreed: Option<&Agreed>, layout: Layout) -> Self {
        let mut taken = layout.taken;
        // What has a payload type keeps it; what has none gets one that means nothing yet.
        let mut dynamic = |before: Option<u8>, usual: u8| {
            let free = |format: &u8| taken & (1 << *format) == 0;
            let format = before.or_else(|| std::iter::once(usual).chain(96..=127).find(free))?;
            taken |= 1 << format;
            Some(format)
        };
        let before = |codec: Codec| {
            let receive = agreed.into_iter().flat_map(|agreed| agreed.receive.into_iter().flatten());
            receive.into_iter().find(|(known, _)| *known == codec).map(|(_, format)| format)
        };
        let mut codecs: Vec<(Codec, u8)> = Vec::new();
        for codec in &capabilities.codecs {
            if codecs.iter().all(|(known, _)| known != codec)
                && let Some(format) = codec.payload_type().or_else(|| dynamic(before(*codec), OPUS))
            {
                codecs.push((*codec, format));
            }
        }
        let mut events = Vec::new();
        for (usual, rate) in EVENTS {
            let before =
                agreed.filter(|agreed| agreed.event_rate == rate).and_then(|agreed| agreed.event_receive);
            if capabilities.events
                && codecs.iter().any(|(codec, _)| codec.clock_rate() == rate)
                && let Some(format) = dynamic(before, usual)
            {
                events.push((format, rate));
            }
        }
        let is_paced = codecs.iter().any(|(codec, _)| codec.clock_rate() == ClockRate::Hz8000);
        Self {
            codecs,
            events,
            noise: capabilities.noise && is_paced,
            ptime: clamp_ptime(u32::from(capabilities.ptime)),
            layout,
            crypto: capabilities.security.offered(),
            secured_only: capabilities.security.is_required(),
            xr: capabilities.xr,
        }
    }
}

/// Milliseconds of audio in a packet as the relay can make them: tens from 10 to 60, 20 where nothing is said
/// (RFC 3551 §4.2).
pub(crate) fn clamp_ptime(wanted: u32) -> u8 {
    if wanted == 0 {
        return 20;
    }
    u8::try_from(wanted.clamp(10, 60) / 10 * 10).expect("60 at most")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ptime_is_held_to_what_the_relay_can_make() {
        for (wanted, given) in [(0, 20), (1, 10), (10, 10), (25, 20), (30, 30), (60, 60), (200, 60)] {
            assert_eq!(clamp_ptime(wanted), given, "{wanted}");
        }
    }

    #[test]
    fn a_codec_named_twice_is_offered_once() {
        let capabilities = Capabilities {
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::Pcma],
            events: false,
            noise: false,
            ptime: 20,
            security: Security::Off,
            xr: false,
        };
        let offer = Offer::first(&capabilities);
        assert_eq!(offer.codecs, [(Codec::Pcma, 8), (Codec::Pcmu, 0)]);
        assert_eq!(offer.events, []);
    }
}
