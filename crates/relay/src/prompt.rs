//! Prompt files: WAV of any rate, any number of channels and any usual sample format, made into what the relay
//! plays: 8000 samples a second, one channel, 16 bits.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    calculate_cutoff,
};

/// Samples in a second of what is played.
const RATE: u32 = 8_000;
/// Bytes in a file.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Seconds of sound.
const MAX_SECONDS: u64 = 600;
/// Sampling rates that make sense for sound.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
/// Samples given to the resampler at once.
const CHUNK: usize = 1_024;
/// Length of the resampler's filter in samples of the lower rate: passes what a telephone passes (to 3.4 kHz).
const TAPS: usize = 128;

/// Why a recording is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// It has more bytes than a prompt may have.
    #[error("{0} bytes; a prompt may have {MAX_BYTES}")]
    TooLarge(u64),
    /// It plays longer than a prompt may.
    #[error("{0} seconds; a prompt may have {MAX_SECONDS}")]
    TooLong(u64),
    /// It holds no sound.
    #[error("there is no sound in it")]
    Empty,
    /// It is no WAV file, or a broken one, or of a kind that is not PCM.
    #[error("not a WAV file with PCM or float samples: {0}")]
    Wave(#[from] hound::Error),
    /// Its sampling rate makes no sense.
    #[error("{0} samples a second; 1000 to 384000 are possible")]
    Rate(u32),
}

/// Reads a prompt from the bytes of a WAV file: 8000 samples a second, one channel.
///
/// A file that is just that comes out bit for bit; several channels are averaged.
///
/// # Errors
/// Why the bytes cannot be used.
pub fn read_prompt(bytes: &[u8]) -> Result<Vec<i16>, PromptError> {
    let size = bytes.len() as u64;
    if size > MAX_BYTES {
        return Err(PromptError::TooLarge(size));
    }
    let reader = WavReader::new(Cursor::new(bytes))?;
    let spec = reader.spec();
    if !RATES.contains(&spec.sample_rate) {
        return Err(PromptError::Rate(spec.sample_rate));
    }
    let seconds = u64::from(reader.duration()) / u64::from(spec.sample_rate);
    if seconds > MAX_SECONDS {
        return Err(PromptError::TooLong(seconds));
    }
    if reader.duration() == 0 {
        return Err(PromptError::Empty);
    }
    let mono = mix(reader, spec)?;
    let samples = if spec.sample_rate == RATE { mono } else { resample(&mono, spec.sample_rate) };
    Ok(samples.into_iter().map(quantise).collect())
}

/// Writes samples as a WAV file: 8000 samples a second, one channel, 16 bits.
///
/// # Errors
/// When there are more than a prompt may have.
pub fn write_wav(samples: &[i16]) -> Result<Vec<u8>, PromptError> {
    let spec =
        WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let size = samples.len() as u64 * 2;
    if size > MAX_BYTES {
        return Err(PromptError::TooLarge(size));
    }
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    writer.finalize()?;
    Ok(file.into_inner())
}

/// One channel, full scale being 1.
fn mix(mut reader: WavReader<Cursor<&[u8]>>, spec: WavSpec) -> Result<Vec<f32>, hound::Error> {
    let scale = match spec.sample_format {
        SampleFormat::Float => 1.0,
        SampleFormat::Int => 1.0 / f64::from(1u32 << (spec.bits_per_sample - 1)),
    };
    let frames = reader.duration() as usize;
    let channels = usize::from(spec.channels);
    let scale = scale / f64::from(spec.channels);
    let mut mono = Vec::with_capacity(frames);
    match spec.sample_format {
        SampleFormat::Float => {
            average(reader.samples::<f32>().map(|s| s.map(f64::from)), channels, scale, &mut mono)?
        }
        SampleFormat::Int => {
            average(reader.samples::<i32>().map(|s| s.map(f64::from)), channels, scale, &mut mono)?
        }
    }
    Ok(mono)
}

fn average(
    samples: impl Iterator<Item = Result<f64, hound::Error>>,
    channels: usize,
    scale: f64,
    mono: &mut Vec<f32>,
) -> Result<(), hound::Error> {
    let mut sum = 0.0;
    for (index, sample) in samples.enumerate() {
        sum += sample?;
        if (index + 1) % channels == 0 {
            mono.push((sum * scale) as f32);
            sum = 0.0;
        }
    }
    Ok(())
}

/// Band-limited, so that what lies above 4 kHz vanishes instead of folding down.
fn resample(mono: &[f32], rate: u32) -> Vec<f32> {
    let window = WindowFunction::BlackmanHarris2;
    // The filter is as long in time at any rate: what it must cut at is our rate, not the file's.
    let stretch = usize::try_from(rate.div_ceil(RATE)).expect("a rate in bounds");
    let parameters = SincInterpolationParameters::new(TAPS * stretch, window)
        .f_cutoff(calculate_cutoff(TAPS, window))
        .oversampling_factor(256)
        .interpolation(SincInterpolationType::Linear);
    let ratio = f64::from(RATE) / f64::from(rate);
    let mut resampler = Async::<f32>::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
        .expect("the ratio is positive and never changed");
    let input = InterleavedSlice::new(mono, 1, mono.len()).expect("one channel, as long as it is");
    let output = resampler.process_all(&input, mono.len(), None).expect("as many channels as were announced");
    output.take_data()
}

/// Clipped to the range; what is not a number becomes silence.
fn quantise(sample: f32) -> i16 {
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::WavWriter;

    /// A file with a tone of half the full scale on every channel.
    fn wave(spec: WavSpec, hertz: f64, seconds: f64) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        for (frame, value) in tone(f64::from(spec.sample_rate), hertz, seconds).enumerate() {
            for _ in 0..spec.channels {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(value as f32).unwrap(),
                    SampleFormat::Int => {
                        let full = f64::from(1u32 << (spec.bits_per_sample - 1));
                        writer.write_sample((value * full) as i32).unwrap();
                    }
                }
            }
            assert!(frame < 10_000_000);
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn tone(rate: f64, hertz: f64, seconds: f64) -> impl Iterator<Item = f64> {
        let count = (rate * seconds) as usize;
        (0..count).map(move |n| 0.5 * (std::f64::consts::TAU * hertz * n as f64 / rate).sin())
    }

    /// Amplitude of one frequency, by Goertzel's algorithm.
    fn amplitude(samples: &[i16], hertz: f64) -> f64 {
        let coefficient = 2.0 * (std::f64::consts::TAU * hertz / f64::from(RATE)).cos();
        let (mut one, mut two) = (0.0, 0.0);
        for sample in samples {
            (one, two) = (f64::from(*sample) + coefficient * one - two, one);
        }
        2.0 * (one * one + two * two - coefficient * one * two).max(0.0).sqrt()
            / samples.len() as f64
            / 32_768.0
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format }
    }

    #[test]
    fn a_file_of_our_own_form_comes_out_bit_for_bit() {
        let ours = spec(1, RATE, 16, SampleFormat::Int);
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, ours).unwrap();
        let samples = [0, 1, -1, i16::MAX, i16::MIN, 12_345];
        for sample in samples {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        assert_eq!(read_prompt(&file.into_inner()).unwrap(), samples);
    }

    #[test]
    fn every_usual_form_becomes_ours() {
        for (channels, rate, bits, format) in [
            (1, 8_000, 8, SampleFormat::Int),
            (2, 8_000, 16, SampleFormat::Int),
            (1, 11_025, 16, SampleFormat::Int),
            (2, 16_000, 24, SampleFormat::Int),
            (1, 22_050, 32, SampleFormat::Float),
            (6, 44_100, 16, SampleFormat::Int),
            (2, 48_000, 32, SampleFormat::Int),
            (1, 96_000, 24, SampleFormat::Int),
            (1, 6_000, 16, SampleFormat::Int),
        ] {
            let name = format!("{channels} x {rate} Hz, {bits} bits {format:?}");
            let samples = read_prompt(&wave(spec(channels, rate, bits, format), 1_000.0, 0.5)).unwrap();
            assert!(samples.len().abs_diff(4_000) <= 1, "{name}: {} samples", samples.len());
            let middle = &samples[400..3_600];
            assert!(
                (amplitude(middle, 1_000.0) - 0.5).abs() < 0.01,
                "{name}: {}",
                amplitude(middle, 1_000.0)
            );
            let loudest = middle.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!((15_000..16_800).contains(&loudest), "{name}: {loudest}");
        }
    }

    #[test]
    fn what_a_telephone_cannot_carry_does_not_fold_down() {
        // 5 kHz would be heard as 3 kHz.
        let samples = read_prompt(&wave(spec(1, 48_000, 16, SampleFormat::Int), 5_000.0, 0.5)).unwrap();
        let middle = &samples[400..3_600];
        assert!(amplitude(middle, 3_000.0) < 0.000_5, "{}", amplitude(middle, 3_000.0));
        let voice = read_prompt(&wave(spec(1, 48_000, 16, SampleFormat::Int), 3_300.0, 0.5)).unwrap();
        assert!(amplitude(&voice[400..3_600], 3_300.0) > 0.45);
    }

    #[test]
    fn samples_beyond_the_scale_are_clipped() {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec(1, RATE, 32, SampleFormat::Float)).unwrap();
        for sample in [2.0f32, -2.0, f32::NAN, f32::INFINITY] {
            writer.write_sample(sample).unwrap();
        }
        writer.finalize().unwrap();
        assert_eq!(read_prompt(&file.into_inner()).unwrap(), [i16::MAX, i16::MIN, 0, i16::MAX]);
    }

    #[test]
    fn what_is_no_prompt_is_named() {
        assert!(matches!(read_prompt(b"RIFF"), Err(PromptError::Wave(_))));
        assert!(matches!(read_prompt(b""), Err(PromptError::Wave(_))));
        let ours = spec(1, RATE, 16, SampleFormat::Int);
        assert!(matches!(read_prompt(&wave(ours, 1.0, 0.0)), Err(PromptError::Empty)));
        assert!(matches!(read_prompt(&wave(ours, 1.0, 601.0)), Err(PromptError::TooLong(601))));
        let slow = spec(1, 10, 16, SampleFormat::Int);
        assert!(matches!(read_prompt(&wave(slow, 1.0, 1.0)), Err(PromptError::Rate(10))));
        let whole = wave(ours, 440.0, 0.1);
        assert!(matches!(read_prompt(&whole[..whole.len() / 2]), Err(PromptError::Wave(_))));
        assert!(matches!(read_prompt(&vec![0; MAX_BYTES as usize + 1]), Err(PromptError::TooLarge(_))));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let samples = [1, -2, i16::MAX, i16::MIN];
        assert_eq!(read_prompt(&write_wav(&samples).unwrap()).unwrap(), samples);
    }
}
