//! Recordings on disk: 16 bits, 8000 samples a second.

use std::path::Path;

/// Samples in a second.
const RATE: u32 = 8_000;

/// Why a file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The file, or what is in it.
    #[error(transparent)]
    Wav(#[from] hound::Error),
    /// Another form than ours.
    #[error("it has {rate} samples a second of {bits} bits; 8000 of 16 bits are needed")]
    Form {
        /// Samples in a second.
        rate: u32,
        /// Bits in a sample.
        bits: u16,
    },
}

/// Writes one channel.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, samples: &[i16]) -> Result<(), WavError> {
    let form = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, form)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}

/// Reads every channel.
///
/// # Errors
/// The file cannot be read, or is of another form.
pub fn read(path: &Path) -> Result<Vec<Vec<i16>>, WavError> {
    read_from(std::io::BufReader::new(std::fs::File::open(path).map_err(hound::Error::IoError)?))
}

/// As [`read`], from anywhere.
///
/// # Errors
/// It cannot be read, or is of another form.
pub fn read_from(source: impl std::io::Read) -> Result<Vec<Vec<i16>>, WavError> {
    let mut reader = hound::WavReader::new(source)?;
    let form = reader.spec();
    if (form.sample_rate, form.bits_per_sample) != (RATE, 16) {
        return Err(WavError::Form { rate: form.sample_rate, bits: form.bits_per_sample });
    }
    let mut channels = vec![Vec::new(); usize::from(form.channels)];
    for (place, sample) in reader.samples::<i16>().enumerate() {
        channels[place % usize::from(form.channels)].push(sample?);
    }
    Ok(channels)
}
