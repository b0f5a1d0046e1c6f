//! Tones, made and measured.

use std::f64::consts::TAU;

/// Samples a second on a telephone.
pub const RATE: u32 = 8000;

/// A sine of this frequency at -12 dBFS.
#[must_use]
pub fn sine(hertz: f64, seconds: f64) -> Vec<i16> {
    let count = (seconds * f64::from(RATE)) as u32;
    (0..count)
        .map(|at| ((TAU * hertz * f64::from(at) / f64::from(RATE)).sin() * 8231.0).round() as i16)
        .collect()
}

const KEYPAD: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// Keys as tones (ITU-T Q.23), 100 ms each and as long between them, at -12 dBFS a tone.
///
/// # Panics
/// If there is no such key.
#[must_use]
pub fn keys(keys: &str) -> Vec<i16> {
    let tones = |key: char| {
        let row = KEYPAD.iter().position(|row| row.contains(key)).expect("a key of the keypad");
        let column = KEYPAD[row].find(key).expect("it is in this row");
        let [row, column] = [ROWS[row], COLUMNS[column]].map(|hertz| sine(hertz, 0.1));
        let mut both: Vec<i16> = row.iter().zip(column).map(|(row, column)| row + column).collect();
        both.resize(both.len() * 2, 0);
        both
    };
    keys.chars().flat_map(tones).collect()
}

/// A voice that is silent while a phone begins, keys as tones, and then goes on as a sine.
#[must_use]
pub fn keyed(code: &str, hertz: f64) -> Vec<i16> {
    [vec![0; 2 * RATE as usize], keys(code), sine(hertz, 120.0)].concat()
}

/// The keys pressed as tones: those of which 20 ms are there undisturbed.
#[must_use]
pub fn pressed(samples: &[i16]) -> String {
    let key = |frame: &[i16]| {
        let places = (0..4).flat_map(|row| (0..4).map(move |column| (row, column)));
        let both = |(row, column): &(usize, usize)| {
            let shares = [ROWS[*row], COLUMNS[*column]].map(|hertz| share(frame, RATE, hertz));
            shares.iter().all(|share| *share > 0.2) && shares.iter().sum::<f64>() > 0.8
        };
        let place =
            Some(frame).filter(|frame| level(frame) > -40.0).and_then(|_| places.into_iter().find(both));
        place.and_then(|(row, column)| KEYPAD[row].chars().nth(column))
    };
    let keys: Vec<Option<char>> = samples.chunks(160).map(key).collect();
    let changes = keys.iter().zip(std::iter::once(&None).chain(&keys)).filter(|(key, before)| key != before);
    changes.filter_map(|(key, _)| *key).collect()
}

/// Root mean square in dB below full scale; silence is -120.
#[must_use]
pub fn level(samples: &[i16]) -> f64 {
    let power = energy(samples) / samples.len().max(1) as f64;
    (20.0 * (power.sqrt() / 32_768.0).log10()).max(-120.0)
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// How much of the energy lies at this frequency, 0 to 1 (Goertzel 1958, generalised to any frequency).
#[must_use]
pub fn share(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let omega = TAU * hertz / f64::from(rate);
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        (last, before) = (f64::from(*sample) + 2.0 * omega.cos() * last - before, last);
    }
    let power = last * last + before * before - 2.0 * omega.cos() * last * before;
    let total = energy(samples) * samples.len() as f64 / 2.0;
    if total == 0.0 { 0.0 } else { power / total }
}

/// Whether this is the tone: louder than -35 dBFS and at least nine tenths of what is heard.
#[must_use]
pub fn is(samples: &[i16], rate: u32, hertz: f64) -> bool {
    level(samples) > -35.0 && share(samples, rate, hertz) > 0.9
}

/// For how many seconds the tone is heard, in steps of 50 ms.
#[must_use]
pub fn seconds(samples: &[i16], rate: u32, hertz: f64) -> f64 {
    let step = rate as usize / 20;
    samples.chunks_exact(step).filter(|chunk| is(chunk, rate, hertz)).count() as f64 / 20.0
}

/// Whether the last half second is the tone.
#[must_use]
pub fn now(samples: &[i16], hertz: f64) -> bool {
    let half = RATE as usize / 2;
    samples.len() >= half && is(&samples[samples.len() - half..], RATE, hertz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g711::Law;

    #[test]
    fn a_tone_is_told_from_another_from_silence_and_from_a_mixture() {
        let (low, high) = (sine(440.0, 1.0), sine(1000.0, 1.0));
        let both: Vec<i16> = low.iter().zip(&high).map(|(a, b)| a / 2 + b / 2).collect();
        assert!(is(&low, RATE, 440.0) && is(&high, RATE, 1000.0));
        assert!(!is(&low, RATE, 1000.0) && !is(&high, RATE, 440.0));
        assert!(!is(&vec![0; 8000], RATE, 440.0));
        assert!(!is(&both, RATE, 440.0) && !is(&both, RATE, 1000.0));
        assert!((share(&both, RATE, 440.0) - 0.5).abs() < 0.02);
    }

    #[test]
    fn keys_are_read_as_they_were_made() {
        assert_eq!(pressed(&keys("1234567890*#ABCD55")), "1234567890*#ABCD55");
        assert_eq!(pressed(&sine(697.0, 1.0)), "");
        assert_eq!(pressed(&vec![0; 8000]), "");
    }

    #[test]
    fn a_tone_survives_both_laws() {
        for law in [Law::Mu, Law::A] {
            let coded = law.encode_all(&sine(440.0, 1.0));
            let heard: Vec<i16> = coded.iter().map(|octet| law.decode(*octet)).collect();
            assert!(share(&heard, RATE, 440.0) > 0.99);
        }
    }

    #[test]
    fn seconds_count_only_the_tone() {
        let mut heard = vec![0; 8000];
        heard.extend(sine(440.0, 1.5));
        heard.extend(sine(1000.0, 0.5));
        assert!((seconds(&heard, RATE, 440.0) - 1.5).abs() < 0.06);
        assert!(now(&heard, 1000.0) && !now(&heard, 440.0));
    }
}
