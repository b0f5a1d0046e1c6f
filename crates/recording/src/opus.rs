//! The Opus encoder and decoder (RFC 6716) for what two people say.
//!
//! The two channels are two streams of their own in one packet, not a stereo pair: a coupled pair is coded as what both
//! have in common and what sets them apart, and two voices that have nothing in common would be heard a little on
//! each other's side.

use std::io;
use std::ptr::NonNull;

use unsafe_libopus::{
    OPUS_APPLICATION_VOIP, OPUS_GET_LOOKAHEAD_REQUEST, OPUS_OK, OPUS_SET_BITRATE_REQUEST,
    OPUS_SET_COMPLEXITY_REQUEST, OpusMSDecoder, OpusMSEncoder, opus_multistream_decode,
    opus_multistream_decoder_create, opus_multistream_decoder_destroy, opus_multistream_encode,
    opus_multistream_encoder_create, opus_multistream_encoder_ctl, opus_multistream_encoder_destroy,
};

use crate::RATE;

/// Frames in a packet: 20 ms.
pub(crate) const PACKET: usize = 160;
/// Bits in a second of both voices together; less where nobody speaks.
const BIT_RATE: i32 = 32_000;
/// How hard the encoder tries, 0 to 10. Beyond this a voice of 8 kHz sounds no better, and takes much longer.
const COMPLEXITY: i32 = 3;
/// Octets a packet may have: many times what that bit rate makes of 20 ms.
const LONGEST: usize = 1_500;

/// An encoder of two uncoupled channels at 8 kHz.
pub(crate) struct Encoder {
    state: NonNull<OpusMSEncoder>,
    packet: Box<[u8; LONGEST]>,
}

// SAFETY: the state is memory of its own that only this encoder points to; nothing in it belongs to a thread.
unsafe impl Send for Encoder {}

impl Encoder {
    pub(crate) fn new() -> io::Result<Self> {
        let mapping = [0, 1];
        let mut fault = OPUS_OK;
        let rate = RATE.cast_signed();
        // SAFETY: `mapping` has an octet for each of the two channels; `fault` outlives the call.
        let state = unsafe {
            let application = OPUS_APPLICATION_VOIP;
            opus_multistream_encoder_create(rate, 2, 2, 0, mapping.as_ptr(), application, &raw mut fault)
        };
        let state = NonNull::new(state).filter(|_| fault == OPUS_OK).ok_or_else(|| failed(fault))?;
        let mut encoder = Self { state, packet: Box::new([0; LONGEST]) };
        encoder.set(OPUS_SET_BITRATE_REQUEST, BIT_RATE)?;
        encoder.set(OPUS_SET_COMPLEXITY_REQUEST, COMPLEXITY)?;
        Ok(encoder)
    }

    fn set(&mut self, request: i32, value: i32) -> io::Result<()> {
        // SAFETY: the state is live, and both requests take one `i32`.
        let done = unsafe { opus_multistream_encoder_ctl!(self.state.as_ptr(), request, value) };
        if done == OPUS_OK { Ok(()) } else { Err(failed(done)) }
    }

    /// Frames of silence the decoder says before the first of ours.
    pub(crate) fn lookahead(&mut self) -> io::Result<u32> {
        let mut frames = 0_i32;
        // SAFETY: the state is live, and the request writes one `i32`.
        let done = unsafe {
            opus_multistream_encoder_ctl!(self.state.as_ptr(), OPUS_GET_LOOKAHEAD_REQUEST, &mut frames)
        };
        u32::try_from(frames).ok().filter(|_| done == OPUS_OK).ok_or_else(|| failed(done))
    }

    /// One packet of 20 ms.
    pub(crate) fn encode(&mut self, frames: &[[i16; 2]; PACKET]) -> io::Result<&[u8]> {
        let (room, count) = (LONGEST as i32, PACKET as i32);
        let (samples, packet) = (frames.as_flattened().as_ptr(), self.packet.as_mut_ptr());
        // SAFETY: `samples` has two samples for each of `count` frames, `packet` room for `room` octets.
        let length = unsafe { opus_multistream_encode(self.state.as_ptr(), samples, count, packet, room) };
        let octets = usize::try_from(length).ok().and_then(|length| self.packet.get(..length));
        octets.ok_or_else(|| failed(length))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, and nothing points to it any more.
        unsafe { opus_multistream_encoder_destroy(self.state.as_ptr()) }
    }
}

/// Frames of the longest packet there is: 120 ms (RFC 6716 §2.1.4).
const LONGEST_FRAMES: usize = 960;

/// A decoder of what [`Encoder`] encodes.
pub(crate) struct Decoder {
    state: NonNull<OpusMSDecoder>,
    frames: Box<[[i16; 2]; LONGEST_FRAMES]>,
}

impl Decoder {
    pub(crate) fn new() -> io::Result<Self> {
        let mapping = [0, 1];
        let mut fault = OPUS_OK;
        let rate = RATE.cast_signed();
        // SAFETY: `mapping` has an octet for each of the two channels; `fault` outlives the call.
        let state =
            unsafe { opus_multistream_decoder_create(rate, 2, 2, 0, mapping.as_ptr(), &raw mut fault) };
        let state = NonNull::new(state).filter(|_| fault == OPUS_OK).ok_or_else(|| failed(fault))?;
        Ok(Self { state, frames: Box::new([[0; 2]; LONGEST_FRAMES]) })
    }

    /// What one packet says.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> io::Result<&[[i16; 2]]> {
        let length = i32::try_from(packet.len()).map_err(|_| failed(OPUS_OK))?;
        let (samples, room) = (self.frames.as_flattened_mut().as_mut_ptr(), LONGEST_FRAMES as i32);
        // SAFETY: `packet` has `length` octets, `samples` room for two samples for each of `room` frames.
        let count = unsafe {
            opus_multistream_decode(self.state.as_ptr(), packet.as_ptr(), length, samples, room, 0)
        };
        let frames = usize::try_from(count).ok().and_then(|count| self.frames.get(..count));
        frames.ok_or_else(|| failed(count))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is live, and nothing points to it any more.
        unsafe { opus_multistream_decoder_destroy(self.state.as_ptr()) }
    }
}

fn failed(code: i32) -> io::Error {
    io::Error::other(format!("the Opus library says {code}"))
}
