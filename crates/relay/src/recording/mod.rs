//! Recordings: WAV files of two channels, caller left, callee right, written while the call goes on.

mod file;
mod recorder;
mod repair;

pub(crate) use recorder::{Feed, Recorder, Say};
pub use repair::repair;

/// What every recording is: linear PCM, two channels, 8000 frames a second.
const SPEC: hound::WavSpec = hound::WavSpec {
    channels: 2,
    sample_rate: 8_000,
    bits_per_sample: 16,
    sample_format: hound::SampleFormat::Int,
};

/// Bytes of a frame: a sample of each channel.
const FRAME: u64 = 4;
