use std::f64::consts::TAU;

use sha1::{Digest, Sha1};

use super::*;

/// Ten seconds of noise, saws and both, at all loudnesses.
fn signal() -> Vec<i16> {
    let mut chance = 2_463_534_242_u32;
    (0..160_000)
        .map(|n: i32| {
            chance ^= chance << 13;
            chance ^= chance >> 17;
            chance ^= chance << 5;
            let noise = (chance >> 16) as i32 - 32_768;
            let quieter = (n / 1600) % 16;
            let saw = (n.wrapping_mul(997) & 32_767) - 16_384;
            let value = match (n / 8000) % 3 {
                0 => noise >> quieter,
                1 => saw >> (quieter / 4),
                _ => (saw + noise) >> (quieter / 3),
            };
            saturate(value) as i16
        })
        .collect()
}

fn encoded(samples: &[i16]) -> Vec<u8> {
    let mut octets = vec![0; samples.len() / 2];
    Encoder::default().encode(samples, &mut octets);
    octets
}

fn decoded(octets: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; octets.len() * 2];
    Decoder::default().decode(octets, &mut samples);
    samples
}

fn digest(octets: impl IntoIterator<Item = u8>) -> String {
    let octets: Vec<u8> = octets.into_iter().collect();
    Sha1::digest(octets).iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What FFmpeg 5.1 and spandsp 0.0.6 both make of that signal, and what FFmpeg makes of it again.
#[test]
fn every_octet_and_every_sample_is_that_of_other_implementations() {
    let octets = encoded(&signal());
    assert_eq!(digest(octets.iter().copied()), "86f3a4aa274c43753f49ece1287155b5226236c1");
    let samples = decoded(&octets);
    let octets = samples.iter().flat_map(|sample| sample.to_le_bytes());
    assert_eq!(digest(octets), "1545612e93a9b94ba8a6e289b5dafab56cf91b7f");
}

/// … and what FFmpeg makes of octets that no encoder ever made.
#[test]
fn any_octets_are_decoded_as_by_other_implementations() {
    let mut chance = 88_675_123_u32;
    let octets: Vec<u8> = (0..80_000)
        .map(|_| {
            chance ^= chance << 13;
            chance ^= chance >> 17;
            chance ^= chance << 5;
            (chance >> 24) as u8
        })
        .collect();
    let samples = decoded(&octets);
    let octets = samples.iter().flat_map(|sample| sample.to_le_bytes());
    assert_eq!(digest(octets), "36de38a637f528ed803e11b2ef0dd317b468929a");
}

#[test]
fn a_tone_comes_back_as_it_was() {
    for hertz in [100.0, 440.0, 1000.0, 3000.0, 5000.0, 6500.0] {
        let tone: Vec<i16> =
            (0..16_000).map(|n| (8000.0 * (TAU * hertz * f64::from(n) / 16_000.0).sin()) as i16).collect();
        let heard = decoded(&encoded(&tone));
        // Both filters together delay by 22 samples.
        let differs = |late: usize| -> f64 {
            heard[2000..]
                .iter()
                .zip(&tone[2000 - late..])
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum()
        };
        let power: f64 = tone[2000..].iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let ratio = 10.0 * (power / differs(22)).log10();
        assert!(ratio > if hertz < 4000.0 { 30.0 } else { 14.0 }, "{hertz}: {ratio}");
    }
}
