//! Opus (RFC 6716) for one voice, as RFC 7587 carries it: libopus at 16 kHz, its pointers kept in here.
//!
//! The state is taken when a codec is agreed. Within a call, libopus takes working memory and gives it back: of all that
//! is done with a packet only this takes any.
//!
//! The libopus we have (`docs/DEPENDENCIES.md`) conceals a loss of speech by a roar: a limit of its own is a sign off. So it is
//! never asked to, nor brought to it: [`Decoder::decode`] keeps back what would.

use std::fmt;
use std::ptr::{self, NonNull};

use unsafe_libopus::{
    OPUS_APPLICATION_VOIP, OPUS_BANDWIDTH_NARROWBAND, OPUS_BANDWIDTH_WIDEBAND, OPUS_OK, OPUS_RESET_STATE,
    OPUS_SET_BITRATE_REQUEST, OPUS_SET_COMPLEXITY_REQUEST, OPUS_SET_DTX_REQUEST, OPUS_SET_INBAND_FEC_REQUEST,
    OPUS_SET_MAX_BANDWIDTH_REQUEST, OPUS_SET_PACKET_LOSS_PERC_REQUEST, OPUS_SET_VBR_REQUEST, OpusDecoder,
    OpusEncoder, opus_decode, opus_decoder_create, opus_decoder_ctl, opus_decoder_destroy, opus_encode,
    opus_encoder_create, opus_encoder_ctl, opus_encoder_destroy, opus_packet_get_nb_samples,
    opus_packet_parse,
};

/// Both sides of libopus work at this rate.
const RATE: i32 = 16_000;
/// Timestamps of RTP in a sample.
const TIMESTAMPS: u32 = 3;
/// Frames in a packet at most (RFC 6716 §3.2.5).
const FRAMES: usize = 48;
/// The longest packet there is: 120 ms (RFC 6716 §3.2.5).
pub const LONGEST: usize = 1920;
/// Bits in a second: a little more than what RFC 7587 §3.1.1 finds best for a wide voice, because what comes was coded before.
/// A narrow one gets no fewer: coded as a wide one it costs the same time, and sounds better.
const BIT_RATE: i32 = 24_000;
/// … and so many more for what is said twice: with less, the voice itself would suffer for it.
const CORRECTION: i32 = 10_000;
/// The least libopus makes a voice of (RFC 7587 §6.1).
const LEAST: i32 = 6000;
/// How hard the encoder tries, 0 to 10. Beyond this a voice sounds hardly better, and takes much longer.
const COMPLEXITY: i32 = 3;
/// So many packets of a hundred the encoder expects to be lost, where the other side makes use of what it adds for that.
const LOSS: i32 = 10;

/// What the other side says of the Opus it wants (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// Bits in a second at most (`maxaveragebitrate`); `None`: as we like.
    pub bit_rate: Option<u32>,
    /// What it plays is sampled so often at most, in hertz (`maxplaybackrate`): 8000 to 48,000.
    pub playback_rate: u32,
    /// Every packet as long as the others (`cbr`).
    pub constant: bool,
    /// It makes use of what is said twice in case of a loss (`useinbandfec`).
    pub correction: bool,
    /// It wants nothing sent while nothing is said (`usedtx`).
    pub pauses: bool,
}

impl Default for OpusWishes {
    fn default() -> Self {
        Self { bit_rate: None, playback_rate: 48_000, constant: false, correction: false, pauses: false }
    }
}

/// How much audio a payload has, in timestamps; 0 where it is no Opus.
#[must_use]
pub fn length(payload: &[u8]) -> u32 {
    if payload.is_empty() {
        return 0;
    }
    // SAFETY: the pointer is to as many octets as the length says.
    let samples = unsafe { opus_packet_get_nb_samples(payload.as_ptr(), payload.len() as i32, RATE) };
    u32::try_from(samples).unwrap_or(0) * TIMESTAMPS
}

/// From linear samples at 16 kHz.
pub struct Encoder {
    state: NonNull<OpusEncoder>,
    wishes: OpusWishes,
}

// SAFETY: the state is memory of its own that only this encoder points to; nothing in it belongs to a thread.
unsafe impl Send for Encoder {}

impl Encoder {
    /// `None`: there is no memory.
    #[must_use]
    pub fn new(wishes: OpusWishes) -> Option<Self> {
        let mut fault = OPUS_OK;
        // SAFETY: `fault` outlives the call.
        let state = unsafe { opus_encoder_create(RATE, 1, OPUS_APPLICATION_VOIP, &raw mut fault) };
        let state = NonNull::new(state).filter(|_| fault == OPUS_OK)?;
        let mut encoder = Self { state, wishes };
        encoder.set(OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY);
        encoder.set(OPUS_SET_VBR_REQUEST, i32::from(!wishes.constant));
        encoder.set(OPUS_SET_DTX_REQUEST, i32::from(wishes.pauses));
        let narrow = wishes.playback_rate < 12_000;
        let bandwidth = if narrow { OPUS_BANDWIDTH_NARROWBAND } else { OPUS_BANDWIDTH_WIDEBAND };
        let most = wishes.bit_rate.map_or(i32::MAX, |most| i32::try_from(most).unwrap_or(i32::MAX));
        let corrects = wishes.correction && most >= BIT_RATE + CORRECTION;
        let rate = if corrects { BIT_RATE + CORRECTION } else { BIT_RATE.min(most).max(LEAST) };
        encoder.set(OPUS_SET_MAX_BANDWIDTH_REQUEST, bandwidth);
        encoder.set(OPUS_SET_BITRATE_REQUEST, rate);
        encoder.set(OPUS_SET_INBAND_FEC_REQUEST, corrects.into());
        encoder.set(OPUS_SET_PACKET_LOSS_PERC_REQUEST, if corrects { LOSS } else { 0 });
        Some(encoder)
    }

    /// What it was made for.
    #[must_use]
    pub fn wishes(&self) -> OpusWishes {
        self.wishes
    }

    fn set(&mut self, request: i32, value: i32) {
        // SAFETY: the state is live, and each of these requests takes one `i32`.
        let done = unsafe { opus_encoder_ctl!(self.state.as_ptr(), request, value) };
        debug_assert_eq!(done, OPUS_OK, "{request} {value}");
    }

    /// A packet of 10, 20, 40 or 60 ms; says how long it is. `None`: nothing is to be sent, as nothing is said.
    pub fn encode(&mut self, samples: &[i16], octets: &mut [u8]) -> Option<usize> {
        let (count, room) = (samples.len() as i32, octets.len() as i32);
        // SAFETY: the state is live; `samples` has as many samples of its one channel, `octets` as much room as is said.
        let length =
            unsafe { opus_encode(self.state.as_ptr(), samples.as_ptr(), count, octets.as_mut_ptr(), room) };
        // Of two octets and less, none need be sent (opus.h).
        usize::try_from(length).ok().filter(|length| *length > 2)
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, and nothing points to it any more.
        unsafe { opus_encoder_destroy(self.state.as_ptr()) }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("wishes", &self.wishes).finish_non_exhaustive()
    }
}

/// What a packet is, as its first octets say (RFC 6716 §3.1, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contents {
    /// Coded by what is above the transform layer (CELT) alone, which is for music.
    is_music: bool,
    /// A frame of it has nothing in it.
    pauses: bool,
    /// It says again what the packet before it said.
    repeats: bool,
}

impl Contents {
    /// `None`: it is no Opus.
    fn of(payload: &[u8]) -> Option<Self> {
        let (mut frames, mut sizes) = ([ptr::null(); FRAMES], [0_i16; FRAMES]);
        let length = i32::try_from(payload.len()).ok()?;
        // SAFETY: `payload` has as many octets as is said; there is room for all frames a packet can have, and what may be
        // null is.
        let count = unsafe {
            let (frames, sizes) = (frames.as_mut_ptr(), sizes.as_mut_ptr());
            opus_packet_parse(payload.as_ptr(), length, ptr::null_mut(), frames, sizes, ptr::null_mut())
        };
        let sizes = sizes.get(..usize::try_from(count).ok()?)?;
        let [first, second, ..] = *payload else {
            return Some(Self { is_music: payload.first()? & 0x80 != 0, pauses: true, repeats: false });
        };
        let is_music = first & 0x80 != 0;
        // With one channel and one frame of 20 ms at most, the second bit of the frame says so (§4.2.4).
        let is_simple = first & 0x07 == 0 && (first >> 3 & 3 < 2 || first >> 3 >= 12);
        Some(Self {
            is_music,
            pauses: sizes.iter().any(|size| *size <= 1),
            repeats: is_simple && !is_music && second & 0x40 != 0,
        })
    }
}

/// Whether a payload says that nothing is said: its frames have nothing in them.
#[must_use]
pub fn pauses(payload: &[u8]) -> bool {
    Contents::of(payload).is_some_and(|contents| contents.pauses)
}

/// To linear samples at 16 kHz.
pub struct Decoder {
    state: NonNull<OpusDecoder>,
    was_music: bool,
}

// SAFETY: as for the encoder.
unsafe impl Send for Decoder {}

impl Decoder {
    /// `None`: there is no memory.
    #[must_use]
    pub fn new() -> Option<Self> {
        let mut fault = OPUS_OK;
        // SAFETY: `fault` outlives the call.
        let state = unsafe { opus_decoder_create(RATE, 1, &raw mut fault) };
        let state = NonNull::new(state).filter(|_| fault == OPUS_OK)?;
        Some(Self { state, was_music: true })
    }

    /// Another stream begins.
    pub fn reset(&mut self) {
        // SAFETY: the state is live, and the request takes nothing.
        unsafe { opus_decoder_ctl!(self.state.as_ptr(), OPUS_RESET_STATE) };
        self.was_music = true;
    }

    /// Says how many samples there were: none where it is no Opus, and where it pauses.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        let Some(contents) = Contents::of(payload).filter(|contents| !contents.pauses) else { return 0 };
        // Between speech and music, what was said last would be concealed.
        if contents.is_music && !std::mem::replace(&mut self.was_music, contents.is_music) {
            self.reset();
        }
        self.was_music = contents.is_music;
        self.run(payload, samples, false)
    }

    /// What was lost before a packet, as that packet says it again; how many samples that are, which is none where it does
    /// not say it.
    pub fn correct(&mut self, after: &[u8], samples: &mut [i16]) -> usize {
        let repeats = Contents::of(after).is_some_and(|contents| contents.repeats && !contents.pauses);
        let count = (length(after) / TIMESTAMPS) as usize;
        match samples.get_mut(..count).filter(|_| repeats && !self.was_music) {
            Some(samples) => self.run(after, samples, true),
            None => 0,
        }
    }

    fn run(&mut self, payload: &[u8], samples: &mut [i16], corrects: bool) -> usize {
        let (length, room) = (payload.len() as i32, samples.len() as i32);
        let (payload, samples) = (payload.as_ptr(), samples.as_mut_ptr());
        // SAFETY: the state is live; `payload` has as many octets, `samples` as much room for its one channel as is said.
        let count =
            unsafe { opus_decode(self.state.as_ptr(), payload, length, samples, room, corrects.into()) };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, and nothing points to it any more.
        unsafe { opus_decoder_destroy(self.state.as_ptr()) }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "opus_tests.rs"]
mod tests;
