//! What a phone says.

use std::path::Path;
use std::sync::Arc;

use crate::wav;

/// Amplitude of a tone: 10 dB below full scale.
const AMPLITUDE: f64 = 10_361.0;
/// Samples in a second.
const RATE: f64 = 8_000.0;

/// A source of samples, 8000 a second.
#[derive(Debug, Clone)]
pub enum Sound {
    /// Nothing.
    Silence,
    /// A tone, in hertz, 10 dB below full scale.
    Tone(f32),
    /// A recording, again and again.
    Recording(Arc<[i16]>),
}

/// Why something is no sound.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// A tone.
    #[error("tone:{0}: write a frequency from 50 to 3800, as in tone:440")]
    Tone(String),
    /// A file.
    #[error("{0}: {1}")]
    File(String, wav::WavError),
}

impl Sound {
    /// Reads `silence`, `tone:440`, or the name of a WAV file of 8000 samples a second.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, SoundError> {
        if text == "silence" {
            return Ok(Self::Silence);
        }
        if let Some(tone) = text.strip_prefix("tone:") {
            let hertz: Option<f32> = tone.parse().ok().filter(|hertz| (50.0..=3800.0).contains(hertz));
            return hertz.map(Self::Tone).ok_or_else(|| SoundError::Tone(tone.to_owned()));
        }
        let channels =
            wav::read(Path::new(text)).map_err(|error| SoundError::File(text.to_owned(), error))?;
        let first = channels.into_iter().next().unwrap_or_default();
        Ok(if first.is_empty() { Self::Silence } else { Self::Recording(first.into()) })
    }

    /// The sample at a place counted from its beginning.
    pub(crate) fn sample(&self, place: usize) -> i16 {
        match self {
            Self::Silence => 0,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                reason = "a sample of a tone"
            )]
            Self::Tone(hertz) => {
                let turns = f64::from(*hertz) * (place % 8_000_000) as f64 / RATE;
                ((turns * std::f64::consts::TAU).sin() * AMPLITUDE) as i16
            }
            Self::Recording(samples) => samples[place % samples.len()],
        }
    }
}
