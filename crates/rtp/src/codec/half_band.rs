//! From 8 kHz to 16 kHz and back: a half-band filter, in blocks, without taking memory.
//!
//! A windowed sinc (Kaiser, beta 5.5) of 47 taps at 16 kHz, every second of which is zero: 24 multiplications a sample.
//! Flat within 0.02 dB up to 3400 Hz, 6 dB down at 4000, at least 56 dB down from 4600 Hz on; it delays by 1.4 ms.

use std::f64::consts::PI;

/// The taps that are neither zero nor the one in the middle, at -23, -21 … 23.
const TAPS: usize = 24;
/// Of the Kaiser window.
const BETA: f64 = 5.5;
/// Samples at 8 kHz that are worked on at a time: 20 ms.
const BLOCK: usize = 160;

/// In units of 2^-15. All together are a half, as is the tap in the middle, so that what does not change comes out as it was.
const COEFFICIENTS: [i16; TAPS] = coefficients();

const fn coefficients() -> [i16; TAPS] {
    let mut exact = [0.0; TAPS];
    let (mut place, mut sum) = (0, 0.0);
    while place < TAPS {
        let n = 2.0 * place as f64 - (TAPS as f64 - 1.0);
        // sin(pi n / 2) of an odd n is 1 and -1 in turn.
        let sign = if (place + TAPS / 2).is_multiple_of(2) == (place >= TAPS / 2) { 1.0 } else { -1.0 };
        let magnitude = if n < 0.0 { -n } else { n };
        let part = n / TAPS as f64;
        exact[place] = sign / (PI * magnitude) * bessel(BETA * BETA * (1.0 - part * part) / 4.0);
        sum += exact[place];
        place += 1;
    }
    let mut rounded = [0; TAPS];
    let (mut place, mut rest) = (0, 1 << 14);
    while place < TAPS / 2 {
        let scaled = exact[place] / sum * 16_384.0;
        rounded[place] = (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i16;
        rounded[TAPS - 1 - place] = rounded[place];
        rest -= 2 * rounded[place] as i32;
        place += 1;
    }
    // What rounding left over goes to the two largest.
    rounded[TAPS / 2 - 1] += (rest / 2) as i16;
    rounded[TAPS / 2] += (rest / 2) as i16;
    rounded
}

/// The modified Bessel function of order zero, of twice the square root of `square`.
const fn bessel(square: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while k < 40.0 {
        term *= square / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}

fn filter(samples: &[i16]) -> i32 {
    samples.iter().zip(COEFFICIENTS).map(|(sample, tap)| i32::from(*sample) * i32::from(tap)).sum()
}

fn rounded(sum: i32, bits: u32) -> i16 {
    let value = (sum + (1 << (bits - 1))) >> bits;
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// From 8 kHz to 16 kHz.
#[derive(Debug, Default)]
pub(crate) struct Up {
    before: [i16; TAPS - 1],
}

impl Up {
    /// Two samples for each; `wide` has room for them.
    pub(crate) fn process(&mut self, narrow: &[i16], wide: &mut [i16]) {
        for (narrow, wide) in narrow.chunks(BLOCK).zip(wide.chunks_mut(2 * BLOCK)) {
            let mut window = [0; TAPS - 1 + BLOCK];
            window[..TAPS - 1].copy_from_slice(&self.before);
            window[TAPS - 1..TAPS - 1 + narrow.len()].copy_from_slice(narrow);
            for (samples, pair) in window.windows(TAPS).zip(wide.chunks_exact_mut(2)).take(narrow.len()) {
                pair[0] = samples[TAPS / 2 - 1];
                pair[1] = rounded(filter(samples), 14);
            }
            self.before.copy_from_slice(&window[narrow.len()..][..TAPS - 1]);
        }
    }
}

/// From 16 kHz to 8 kHz.
#[derive(Debug, Default)]
pub(crate) struct Down {
    even: [i16; TAPS / 2],
    odd: [i16; TAPS - 1],
}

impl Down {
    /// One sample for each two; `narrow` has room for them.
    pub(crate) fn process(&mut self, wide: &[i16], narrow: &mut [i16]) {
        for (wide, narrow) in wide.chunks(2 * BLOCK).zip(narrow.chunks_mut(BLOCK)) {
            let count = wide.len() / 2;
            let mut even = [0; TAPS / 2 + BLOCK];
            let mut odd = [0; TAPS - 1 + BLOCK];
            even[..TAPS / 2].copy_from_slice(&self.even);
            odd[..TAPS - 1].copy_from_slice(&self.odd);
            for (place, pair) in wide.chunks_exact(2).enumerate() {
                even[TAPS / 2 + place] = pair[0];
                odd[TAPS - 1 + place] = pair[1];
            }
            // The middle of 24 odd samples lies on the even one after the twelfth.
            for (place, narrow) in narrow.iter_mut().take(count).enumerate() {
                let middle = i32::from(even[place + 1]) << 14;
                *narrow = rounded(filter(&odd[place..place + TAPS]) + middle, 15);
            }
            self.even.copy_from_slice(&even[count..][..TAPS / 2]);
            self.odd.copy_from_slice(&odd[count..][..TAPS - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: f64, count: usize) -> Vec<i16> {
        (0..count).map(|n| (16_000.0 * (2.0 * PI * hertz * n as f64 / rate).sin()).round() as i16).collect()
    }

    /// How much louder one is than the other, in decibels, but for the beginning.
    fn gain(out: &[i16], within: &[i16]) -> f64 {
        let power = |samples: &[i16]| {
            let rest = &samples[samples.len() / 10..];
            rest.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / rest.len() as f64
        };
        10.0 * (power(out).max(0.1) / power(within)).log10()
    }

    fn down(wide: &[i16]) -> Vec<i16> {
        let (mut down, mut narrow) = (Down::default(), vec![0; wide.len() / 2]);
        // In pieces of whatever length, it is the same.
        for (place, piece) in wide.chunks(334).enumerate() {
            down.process(piece, &mut narrow[place * 167..]);
        }
        narrow
    }

    fn up(narrow: &[i16]) -> Vec<i16> {
        let (mut up, mut wide) = (Up::default(), vec![0; 2 * narrow.len()]);
        for (place, piece) in narrow.chunks(167).enumerate() {
            up.process(piece, &mut wide[place * 334..]);
        }
        wide
    }

    #[test]
    fn the_taps_are_a_half_together_and_alike_on_both_sides() {
        assert_eq!(COEFFICIENTS.iter().map(|tap| i32::from(*tap)).sum::<i32>(), 1 << 14);
        let mut mirrored = COEFFICIENTS;
        mirrored.reverse();
        assert_eq!(mirrored, COEFFICIENTS);
        assert!(COEFFICIENTS[TAPS / 2] > 10_000 && COEFFICIENTS[TAPS / 2 + 1] < 0);
    }

    #[test]
    fn what_is_below_3400_hz_passes_both_ways_and_nothing_folds_over() {
        for hertz in [50.0, 300.0, 1000.0, 2000.0, 3000.0, 3400.0] {
            let wide = sine(hertz, 16_000.0, 16_000);
            assert!(gain(&down(&wide), &wide).abs() < 0.02, "{hertz}: {}", gain(&down(&wide), &wide));
            let narrow = sine(hertz, 8000.0, 8000);
            assert!(gain(&up(&narrow), &narrow).abs() < 0.02, "{hertz}: {}", gain(&up(&narrow), &narrow));
        }
        for hertz in [4600.0, 5000.0, 6000.0, 7900.0] {
            let wide = sine(hertz, 16_000.0, 16_000);
            let gain = gain(&down(&wide), &wide);
            assert!(gain < -55.0, "{hertz}: {gain}");
        }
    }

    #[test]
    fn up_and_down_again_is_the_same_later() {
        let narrow = sine(1234.0, 8000.0, 4000);
        let again = down(&up(&narrow));
        let late = (0..40).min_by_key(|late| {
            again[200..]
                .iter()
                .zip(&narrow[200 - late..])
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum::<u64>()
        });
        let late = late.unwrap();
        assert!(again[200..].iter().zip(&narrow[200 - late..]).all(|(a, b)| a.abs_diff(*b) < 40), "{late}");
    }

    #[test]
    fn the_loudest_there_can_be_is_cut_and_does_not_wrap() {
        let square: Vec<i16> = (0..800).map(|n| if (n / 3) % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let wide = up(&square);
        assert!(wide.contains(&i16::MAX) && wide.contains(&i16::MIN));
        for pair in wide.windows(4).skip(100) {
            assert!(pair[1].abs_diff(pair[0]) < 60_000 || pair[0].signum() != pair[3].signum());
        }
        assert_eq!(down(&vec![i16::MIN; 400])[100..], vec![i16::MIN; 100]);
    }
}
