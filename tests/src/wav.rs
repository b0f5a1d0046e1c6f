//! WAV files, as samples.

use std::path::Path;

/// Samples by channel.
#[derive(Debug, Clone)]
pub struct Wav {
    /// Samples a second.
    pub rate: u32,
    /// One list a channel.
    pub channels: Vec<Vec<i16>>,
}

/// Reads 16-bit PCM.
///
/// # Panics
/// If there is no such file or it is something else.
#[must_use]
pub fn read(path: &Path) -> Wav {
    let mut reader =
        hound::WavReader::open(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let spec = reader.spec();
    assert_eq!(
        (spec.bits_per_sample, spec.sample_format),
        (16, hound::SampleFormat::Int),
        "{} holds 16-bit PCM",
        path.display()
    );
    let count = usize::from(spec.channels);
    let mut channels = vec![Vec::new(); count];
    for (at, sample) in reader.samples::<i16>().enumerate() {
        channels[at % count].push(sample.unwrap_or_else(|fault| panic!("{}: {fault}", path.display())));
    }
    Wav { rate: spec.sample_rate, channels }
}

/// Whether a phone that writes has told in the header how much there is, as it does when it closes the file.
#[must_use]
pub fn is_closed(path: &Path) -> bool {
    let length = std::fs::read(path).ok().and_then(|file| file.get(40..44).map(<[u8]>::to_vec));
    length.is_some_and(|length| length != [0; 4])
}

/// Reads what a phone has written of one channel so far: the header says another length, so the samples are taken as they are,
/// at 8 kHz where it says no rate yet. `None` if there is no file.
#[must_use]
pub fn so_far(path: &Path) -> Option<Wav> {
    let file = std::fs::read(path).ok()?;
    let (header, samples) = file.split_at_checked(44)?;
    let rate = u32::from_le_bytes([header[24], header[25], header[26], header[27]]);
    let samples = samples.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    let rate = if rate == 0 { crate::tone::RATE } else { rate };
    Some(Wav { rate, channels: vec![samples] })
}

/// Writes 8 kHz mono.
///
/// # Panics
/// If the file cannot be written.
pub fn write(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("the file can be created");
    for sample in samples {
        writer.write_sample(*sample).expect("the disk has room");
    }
    writer.finalize().expect("the disk has room");
}
