//! Keys as they come, within the limits and beyond them; and what is no key.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::super::TONES;
use super::*;
use crate::{Law, g711};

const LAWS: [Law; 2] = [Law::A, Law::Mu];
/// Samples of a packet.
const PTIMES: [usize; 4] = [80, 160, 240, 480];

/// The peak of a tone of so many dBm0: a sine of full scale has 3.17 (G.711, mu-law).
fn peak(level: f64) -> f64 {
    32_768.0 * 10f64.powf((level - 3.17) / 20.0)
}

/// A press as it is made.
#[derive(Debug, Clone, Copy)]
struct Press {
    code: u8,
    /// Milliseconds, and of silence behind it.
    length: f64,
    pause: f64,
    /// dBm0 of the row's tone, and decibels by which the column's is above it.
    level: f64,
    twist: f64,
    /// How far off the tones are, as a part of the whole.
    row_off: f64,
    column_off: f64,
}

const ORDINARY: Press =
    Press { code: 5, length: 70.0, pause: 70.0, level: -12.0, twist: 2.0, row_off: 0.0, column_off: 0.0 };

/// Sound, before it is coded.
struct Sound {
    samples: Vec<f64>,
    random: ChaCha8Rng,
}

impl Sound {
    fn new(seed: u64) -> Self {
        Self { samples: Vec::new(), random: ChaCha8Rng::seed_from_u64(seed) }
    }

    fn silence(&mut self, samples: usize) {
        self.samples.resize(self.samples.len() + samples, 0.0);
    }

    fn press(&mut self, press: Press) {
        let key = Key::of(press.code).unwrap();
        let phases = [self.uniform() * TAU, self.uniform() * TAU];
        let row = TONES[key.row] * (1.0 + press.row_off);
        let column = TONES[key.column] * (1.0 + press.column_off);
        for n in 0..(press.length * 8.0) as u32 {
            let sine = |hertz: f64, phase: f64| (TAU * hertz * f64::from(n) / 8000.0 + phase).sin();
            let sample = peak(press.level) * sine(row, phases[0])
                + peak(press.level + press.twist) * sine(column, phases[1]);
            self.samples.push(sample);
        }
        self.silence((press.pause * 8.0) as usize);
    }

    fn uniform(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }

    /// White noise all over it, so many decibels below a key of this level in each tone.
    fn noise(&mut self, level: f64, ratio: f64) {
        let deviation = peak(level) * 10f64.powf(-ratio / 20.0);
        for place in 0..self.samples.len() {
            // Near enough to Gauss.
            let sum: f64 = (0..12).map(|_| self.uniform()).sum();
            self.samples[place] += deviation * (sum - 6.0);
        }
    }

    fn coded(&self, law: Law) -> Vec<u8> {
        self.samples.iter().map(|sample| g711::encode(law, *sample as i16)).collect()
    }
}

/// What is heard of packets of so many samples.
fn told(law: Law, octets: &[u8], ptime: usize) -> Vec<(u8, Sighting)> {
    told_without(law, octets, ptime, |_| false)
}

/// The same, where some packets are lost.
fn told_without(law: Law, octets: &[u8], ptime: usize, lost: impl Fn(usize) -> bool) -> Vec<(u8, Sighting)> {
    let mut told = Vec::new();
    let mut detector = Detector::default();
    let mut before = None;
    for (n, payload) in octets.chunks(ptime).enumerate() {
        if lost(n) {
            continue;
        }
        let place = before.map_or(Place::First, |before| Place::Ahead((n - before) as u16));
        before = Some(n);
        let header = header(n as u16, (n * ptime) as u32);
        let now = Instant(Duration::from_secs(1) + Duration::from_micros(125) * (n * ptime) as u32);
        detector.hear(now, &header, place, Samples::Coded(law, payload), |code, sighting| {
            told.push((code, sighting))
        });
    }
    told.retain(|(_, sighting)| *sighting != Sighting::Held);
    told
}

fn header(sequence: u16, timestamp: u32) -> Header {
    Header { marker: false, payload_type: 8, sequence, timestamp, ssrc: 7 }
}

fn pressed(told: &[(u8, Sighting)]) -> Vec<u8> {
    told.iter().filter(|(_, sighting)| *sighting == Sighting::Down).map(|(code, _)| *code).collect()
}

/// Presses each of the sixteen keys twice, at whatever place in a block; `Err` with what was heard, if it was not that.
fn all_keys(press: Press, noise: Option<f64>, law: Law, ptime: usize, seed: u64) -> Result<(), Vec<u8>> {
    let mut sound = Sound::new(seed);
    sound.silence(400);
    let mut wanted = Vec::new();
    for code in (0..16).flat_map(|code| [code, code]) {
        let place = sound.random.next_u32() % 64;
        sound.silence(place as usize);
        sound.press(Press { code, ..press });
        wanted.push(code);
    }
    sound.silence(400);
    if let Some(ratio) = noise {
        // Of the power of both tones together.
        let both = 10.0 * (1.0 + 10f64.powf(press.twist / 10.0)).log10() - 3.01;
        sound.noise(press.level + both, ratio);
    }
    let told = told(law, &sound.coded(law), ptime);
    let balanced =
        told.chunks(2).all(|pair| matches!(pair, [(down, Sighting::Down), (up, Sighting::Up)] if down == up));
    let heard = pressed(&told);
    if heard == wanted && balanced { Ok(()) } else { Err(heard) }
}

#[test]
fn every_key_is_heard_in_both_laws_and_packets_of_any_size() {
    for law in LAWS {
        for ptime in PTIMES {
            assert_eq!(all_keys(ORDINARY, None, law, ptime, 1), Ok(()), "{law:?} {ptime}");
        }
    }
}

#[test]
fn every_level_from_zero_to_the_faintest_with_every_twist() {
    for law in LAWS {
        for level in [-1.0, -5.0, -10.0, -20.0, -25.0] {
            for twist in [-8.0, -4.0, 0.0, 4.0] {
                let level = if level + twist > -1.0 { -1.0 - twist } else { level };
                let level = if level + twist < -29.0 { -29.0 - twist } else { level };
                let press = Press { level, twist, ..ORDINARY };
                assert_eq!(all_keys(press, None, law, 160, 2), Ok(()), "{law:?} {press:?}");
            }
        }
        let faintest = Press { level: -29.0, twist: 0.0, ..ORDINARY };
        assert_eq!(all_keys(faintest, None, law, 160, 2), Ok(()), "{law:?}");
    }
}

#[test]
fn what_is_too_faint_or_too_uneven_is_no_key() {
    for law in LAWS {
        for (level, twist) in [(-40.0, 0.0), (-50.0, 2.0), (-15.0, 7.0), (-8.0, -11.0), (-15.0, 12.0)] {
            let press = Press { level, twist, ..ORDINARY };
            assert_eq!(all_keys(press, None, law, 160, 3), Err(Vec::new()), "{law:?} {press:?}");
        }
    }
}

#[test]
fn tones_a_little_off_are_heard_and_others_are_not() {
    for law in LAWS {
        for off in [-0.018, -0.015, -0.01, 0.01, 0.015, 0.018] {
            for other in [-0.018, 0.0, 0.018] {
                let press = Press { row_off: off, column_off: other, ..ORDINARY };
                assert_eq!(all_keys(press, None, law, 160, 4), Ok(()), "{law:?} {press:?}");
            }
        }
        for off in [-0.06, -0.05, -0.04, -0.035, 0.035, 0.04, 0.05] {
            for press in [
                Press { row_off: off, ..ORDINARY },
                Press { column_off: off, ..ORDINARY },
                Press { row_off: off, column_off: off, ..ORDINARY },
            ] {
                assert_eq!(all_keys(press, None, law, 160, 5), Err(Vec::new()), "{law:?} {press:?}");
            }
        }
    }
}

#[test]
fn forty_milliseconds_are_enough_and_twenty_three_too_few() {
    for law in LAWS {
        for ptime in PTIMES {
            let shortest = Press { length: 40.0, pause: 40.0, ..ORDINARY };
            for seed in 0..10 {
                assert_eq!(all_keys(shortest, None, law, ptime, seed), Ok(()), "{law:?} {ptime}");
                for length in [10.0, 20.0, 23.0] {
                    let press = Press { length, ..ORDINARY };
                    assert_eq!(all_keys(press, None, law, ptime, seed), Err(Vec::new()), "{law:?} {length}");
                }
            }
        }
    }
}

#[test]
fn the_shortest_keys_in_noise_with_every_twist_and_a_little_off() {
    let (mut missed, mut all) = (0, 0);
    for (seed, ratio) in (0..6).flat_map(|seed| [(seed, 20.0), (seed, 15.0)]) {
        for twist in [-8.0, 0.0, 4.0] {
            for (row_off, column_off) in [(0.015, -0.015), (-0.015, 0.015), (0.0, 0.0)] {
                let law = LAWS[seed as usize % 2];
                let press =
                    Press { length: 40.0, pause: 40.0, twist, row_off, column_off, level: -14.0, ..ORDINARY };
                all += 32;
                if let Err(heard) = all_keys(press, Some(ratio), law, 160, seed) {
                    // Noise may hide the shortest of presses. It makes none.
                    assert!(heard.len() < 32, "{press:?} at {ratio} dB: {heard:?}");
                    missed += 32 - heard.len();
                }
                let usual = Press { length: 70.0, pause: 70.0, ..press };
                assert_eq!(all_keys(usual, Some(ratio), law, 160, seed), Ok(()), "{usual:?} at {ratio} dB");
            }
        }
    }
    assert!(missed * 500 < all, "{missed} of {all}");
}

#[test]
fn an_interruption_of_ten_milliseconds_is_no_pause() {
    for code in 0..16 {
        for place in 0..64 {
            let mut sound = Sound::new(place);
            sound.silence(200 + place as usize);
            sound.press(Press { code, length: 60.0, pause: 10.0, ..ORDINARY });
            sound.press(Press { code, length: 60.0, pause: 60.0, ..ORDINARY });
            let told = told(Law::A, &sound.coded(Law::A), 160);
            assert_eq!(told, [(code, Sighting::Down), (code, Sighting::Up)], "{place}");
        }
    }
}

#[test]
fn one_key_follows_another_without_a_pause() {
    let mut sound = Sound::new(0);
    for code in [1, 5, 9] {
        sound.press(Press { code, length: 80.0, pause: 0.0, ..ORDINARY });
    }
    sound.silence(800);
    assert_eq!(pressed(&told(Law::A, &sound.coded(Law::A), 160)), [1, 5, 9]);
}

#[test]
fn a_key_is_told_at_its_start_and_once_however_long_it_is_held() {
    let mut sound = Sound::new(0);
    sound.press(Press { length: 5000.0, pause: 0.0, ..ORDINARY });
    let octets = sound.coded(Law::Mu);
    let first = told(Law::Mu, &octets[..400], 160);
    assert_eq!(first, [(5, Sighting::Down)], "within 50 ms");
    assert_eq!(told(Law::Mu, &octets, 160), first, "and not again, nor its end");
}

#[test]
fn a_held_key_of_which_packets_are_lost_is_one_press() {
    let mut sound = Sound::new(0);
    // Of a pause so long 60 ms are left whatever is lost.
    for _ in 0..2 {
        sound.press(Press { length: 600.0, pause: 120.0, ..ORDINARY });
    }
    let octets = sound.coded(Law::A);
    for (ptime, run) in [(80, 6), (160, 3), (240, 2), (480, 1)] {
        for first in 0..octets.len() / ptime {
            let lost = |n| (first..first + run).contains(&n);
            let heard = pressed(&told_without(Law::A, &octets, ptime, lost));
            assert_eq!(heard, [5, 5], "{run} of {ptime} from {first}");
        }
    }
}

#[test]
fn silence_that_is_not_sent_is_a_pause() {
    let mut sound = Sound::new(0);
    sound.press(Press { length: 100.0, pause: 0.0, ..ORDINARY });
    let octets = sound.coded(Law::A);
    let heard = |marker: bool, timestamp: u32, pause: u64| {
        let mut detector = Detector::default();
        let mut told = Vec::new();
        let times = [(0, 0), (timestamp, 100 + pause)];
        for (press, (timestamp, passed)) in (0..).zip(times) {
            for (n, payload) in (0..).zip(octets.chunks(160)) {
                let mut header = header(press * 5 + n, timestamp + u32::from(n) * 160);
                header.marker = marker && n == 0;
                let now = Instant(Duration::from_millis(1000 + passed + 20 * u64::from(n)));
                let place = if press + n == 0 { Place::First } else { Place::Ahead(1) };
                detector.hear(now, &header, place, Samples::Coded(Law::A, payload), |code, sighting| {
                    told.push((code, sighting));
                });
            }
        }
        pressed(&told).len()
    };
    assert_eq!(heard(true, 800 + 8000, 1000), 2);
    assert_eq!(heard(false, 800 + 8000, 1000), 2, "without a marker");
    assert_eq!(heard(true, 800, 1000), 2, "nor does the timestamp pass");
    assert_eq!(heard(true, 90_000_000, 1000), 2, "it jumps");
    assert_eq!(heard(false, 800, 60), 1, "held back by the network");
    assert_eq!(heard(false, 90_000_000, 0), 1, "the sender's clock was set");
}

#[test]
fn dial_tones_rings_and_single_tones_are_no_keys() {
    let sets: [&[f64]; 12] = [
        &[350.0, 440.0],
        &[425.0],
        &[440.0, 480.0],
        &[480.0, 620.0],
        &[697.0],
        &[1209.0],
        &[941.0, 770.0],
        &[1336.0, 1477.0],
        &[950.0, 1400.0, 1800.0],
        &[2100.0],
        &[697.0, 1209.0, 1477.0],
        &[697.0, 852.0, 1209.0],
    ];
    for law in LAWS {
        for tones in sets {
            let mut sound = Sound::new(0);
            for n in 0..16_000 {
                let sines = tones.iter().map(|hertz| (TAU * hertz * f64::from(n) / 8000.0).sin());
                sound.samples.push(peak(-12.0) * sines.sum::<f64>());
            }
            assert_eq!(told(law, &sound.coded(law), 160), [], "{tones:?}");
        }
    }
}

#[test]
fn a_voice_whose_lines_are_on_two_tones_is_no_key() {
    // Each has a line of its own above it, 14 dB below.
    for code in 0..16 {
        let key = Key::of(code).unwrap();
        let mut sound = Sound::new(0);
        for n in 0..4000 {
            let sine = |hertz: f64| (TAU * hertz * f64::from(n) / 8000.0).sin();
            let voice = |hertz: f64| sine(hertz) + 0.2 * sine(2.0 * hertz);
            sound.samples.push(peak(-12.0) * (voice(TONES[key.row]) + voice(TONES[key.column])));
        }
        assert_eq!(told(Law::A, &sound.coded(Law::A), 160), [], "{code}");
    }
}

#[test]
fn noise_is_no_key() {
    for (seed, law) in (0..).zip(LAWS) {
        let mut sound = Sound::new(seed);
        sound.silence(8000 * 60);
        sound.noise(-12.0, 0.0);
        assert_eq!(told(law, &sound.coded(law), 160), []);
    }
}

#[test]
fn whatever_comes_in_a_key_goes_down_before_it_is_held_or_let_go() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let mut pressed = 0;
    let mut sound = Sound::new(9);
    sound.press(Press { length: 1000.0, ..ORDINARY });
    let key = sound.coded(Law::A);
    for _ in 0..200 {
        let mut below = |limit: u32| random.next_u32() % limit;
        let mut detector = Detector::default();
        let mut down = None;
        let mut now = Instant(Duration::from_secs(u64::from(below(100))));
        let mut header = header(below(65_536) as u16, below(u32::MAX));
        for _ in 0..200 {
            let length = [0, 1, 63, 64, 80, 160, 240, 1460][below(8) as usize];
            let payload: Vec<u8> = match below(10) {
                0 => (0..length).map(|_| below(256) as u8).collect(),
                1 => vec![[0x00, 0x80, 0x2A, 0xAA][below(4) as usize]; length],
                _ => {
                    key.iter().copied().cycle().skip(header.timestamp as usize % 8000).take(length).collect()
                }
            };
            let place =
                [Place::First, Place::Late, Place::Double, Place::Stray, Place::Ahead(1), Place::Ahead(7)];
            let place = place.get(below(60) as usize).copied().unwrap_or(Place::Ahead(1));
            detector.hear(
                now,
                &header,
                place,
                Samples::Coded(LAWS[usize::from(below(20) == 0)], &payload),
                |code, sighting| match sighting {
                    Sighting::Down => {
                        assert_eq!(down.replace(code), None);
                        pressed += 1;
                    }
                    Sighting::Held => assert_eq!(down, Some(code)),
                    Sighting::Up => assert_eq!(down.take(), Some(code)),
                    Sighting::Tap | Sighting::Past => panic!("{sighting:?}"),
                },
            );
            header.marker = below(20) == 0;
            header.timestamp = match below(20) {
                0 => below(u32::MAX),
                1 => header.timestamp.wrapping_add(below(2000)),
                _ => header.timestamp.wrapping_add(length as u32),
            };
            now = now + Duration::from_millis(u64::from(below(60)));
        }
    }
    assert!(pressed > 200, "{pressed}");
}
