//! Recordings as files: what is written can be played, whatever happens to the writer or the file.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

mod clear;
mod opus;
mod peaks;
mod sealed;

use std::path::Path;

use recording::{Ending, Format, Key, Keyring, OpenError, Opened, Recording, Settings};

/// A key of one octet, repeated.
fn key(octet: u8) -> Key {
    Key::read(&[octet; 32]).unwrap()
}

fn keys(octets: &[u8]) -> Keyring {
    Keyring::new(octets.iter().copied().map(key).collect())
}

fn settings(folder: &Path, format: Format, octets: &[u8]) -> Settings {
    Settings { folder: folder.into(), format, keys: keys(octets) }
}

/// A tone on each side, so many frames long.
fn tones(frames: usize, left: f32, right: f32) -> Vec<[i16; 2]> {
    let tone = |place: usize, hertz: f32| {
        let phase = place as f32 * hertz / 8_000.0 * std::f32::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    };
    (0..frames).map(|place| [tone(place, left), tone(place, right)]).collect()
}

/// Writes these frames as a whole recording.
fn record(settings: &Settings, name: &str, frames: &[[i16; 2]]) {
    let mut recording = Recording::create(settings, name).unwrap();
    for block in frames.chunks(800) {
        recording.add(block).unwrap();
    }
    recording.finish().unwrap().sync().unwrap();
}

fn opened(path: &Path, octets: &[u8]) -> Result<(Vec<u8>, Ending), OpenError> {
    let opened = Opened::open(path, &keys(octets))?;
    let mut read = Vec::new();
    loop {
        let part = opened.read_at(read.len() as u64, 1 << 16)?;
        if part.is_empty() {
            assert_eq!(read.len() as u64, opened.length());
            return Ok((read, opened.ending()));
        }
        read.extend_from_slice(&part);
    }
}

/// The samples of a WAV file, left and right in turns.
fn samples(wav: &[u8]) -> Vec<i16> {
    let reader = hound::WavReader::new(wav).unwrap();
    let spec = reader.spec();
    assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (2, 8_000, 16));
    reader.into_samples().collect::<Result<_, _>>().unwrap()
}
