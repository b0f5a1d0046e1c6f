//! A key as tones, for whom an event says nothing.

use std::f64::consts::TAU;

use super::{Key, RATE, TONES};

/// Peak of each tone: -10 dBm0 for the row, -8 dBm0 for the column, as lines lose more of what is high. A sine of full
/// scale has 3.14 dBm0 (G.711).
const ROW: f64 = 7219.0;
const COLUMN: f64 = 9088.0;
/// Samples in which they begin and end, so that nothing clicks: 5 ms.
const RAMP: u32 = 40;

/// What a packet has of a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It sounds, from so many samples after its beginning.
    Sounding(u32),
    /// It sounded so long, and fades.
    Fading(u32),
    /// It is over.
    Silence,
}

/// Fills a packet at 8 kHz with a key, by its event code.
pub(crate) fn fill(code: u8, part: Part, samples: &mut [i16]) {
    samples.fill(0);
    let Some(key) = Key::of(code) else { return };
    let ramp = |place: u32| f64::from(place.min(RAMP)) / f64::from(RAMP);
    match part {
        Part::Sounding(from) => {
            for (place, sample) in (from..).zip(samples) {
                *sample = (ramp(place) * sound(key, place)) as i16;
            }
        }
        Part::Fading(from) => {
            for (place, sample) in (0..RAMP).zip(samples) {
                *sample = (ramp(RAMP - place) * sound(key, from + place)) as i16;
            }
        }
        Part::Silence => {}
    }
}

fn sound(key: Key, place: u32) -> f64 {
    let sine = |line: usize| (TAU * TONES[line] * f64::from(place) / RATE).sin();
    ROW * sine(key.row) + COLUMN * sine(key.column)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clock::Instant;

    use super::*;
    use crate::codec::Samples;
    use crate::packet::Header;
    use crate::receiver::Place;
    use crate::telephone_event::presses::Sighting;
    use crate::tones::detector::Detector;

    #[test]
    fn a_key_made_is_the_key_heard_and_neither_begins_nor_ends_with_a_click() {
        for code in 0..16 {
            let mut samples = [0; 960];
            let (sounding, rest) = samples.split_at_mut(640);
            let (fading, silence) = rest.split_at_mut(160);
            for (n, packet) in (0..).zip(sounding.chunks_mut(160)) {
                fill(code, Part::Sounding(160 * n), packet);
            }
            fill(code, Part::Fading(640), fading);
            fill(code, Part::Silence, silence);
            assert!(samples[..8].iter().all(|sample| sample.abs() < 3500));
            assert!(samples[672..].iter().all(|sample| sample.abs() < 3500));
            assert!(samples.iter().all(|sample| sample.abs() < 17_000));
            let mut told = Vec::new();
            let header = Header { marker: true, payload_type: 0, sequence: 0, timestamp: 0, ssrc: 0 };
            let now = Instant(Duration::from_secs(1));
            Detector::default().hear(
                now,
                &header,
                Place::First,
                Samples::Linear(&samples),
                |code, sighting| {
                    told.push((code, sighting));
                },
            );
            told.retain(|(_, sighting)| *sighting != Sighting::Held);
            assert_eq!(told, [(code, Sighting::Down), (code, Sighting::Up)]);
        }
    }
}
