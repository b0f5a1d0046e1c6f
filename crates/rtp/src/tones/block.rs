//! Eight milliseconds of audio, and how much of each tone is in them.

use super::{Complex, LINES, RATE, TONES};
use std::f64::consts::TAU;

/// Samples of a block. Four whole ones lie in the shortest tone there is (Q.24: 40 ms), wherever the blocks begin; and
/// what a tone that is refused (3.5 % off) turns in a block is less than half a turn, so that the turn tells the
/// frequency.
pub(super) const LENGTH: usize = 64;

/// A block that is quieter holds no key: a fifth of what the faintest has.
const QUIET: f32 = super::window::FAINTEST * LENGTH as f32 / 5.0;

/// What Goertzel's recurrence multiplies by, for each tone.
const FEEDBACK: [f32; LINES] = of_each_tone(Factor::Feedback);
const COSINE: [f32; LINES] = of_each_tone(Factor::Cosine);
const SINE: [f32; LINES] = of_each_tone(Factor::Sine);

enum Factor {
    Feedback,
    Cosine,
    Sine,
}

const fn of_each_tone(factor: Factor) -> [f32; LINES] {
    let mut factors = [0.0; LINES];
    let mut line = 0;
    while line < LINES {
        let turn = Complex::turn(TAU * TONES[line] / RATE);
        factors[line] = match factor {
            Factor::Feedback => 2.0 * turn.re,
            Factor::Cosine => turn.re,
            Factor::Sine => turn.im,
        };
        line += 1;
    }
    factors
}

/// A block.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) samples: [i16; LENGTH],
    /// The sum of the samples' squares.
    pub(super) energy: f32,
    /// The tones, each with its phase at the end of the block.
    pub(super) lines: [Complex; LINES],
}

impl Block {
    pub(super) const EMPTY: Self = Self { samples: [0; LENGTH], energy: 0.0, lines: [Complex::ZERO; LINES] };

    /// Looks at the samples. `false`: too quiet for a key, the tones are not looked for.
    pub(super) fn listen(&mut self) -> bool {
        let squares = self.samples.iter().map(|sample| i64::from(i32::from(*sample) * i32::from(*sample)));
        self.energy = squares.sum::<i64>() as f32;
        let loud = self.energy >= QUIET;
        if loud {
            self.lines = lines(&self.samples);
        }
        loud
    }

    /// How much of the energy a tone has, if it is that tone.
    pub(super) fn share(&self, line: usize) -> f32 {
        self.lines[line].power() / (LENGTH as f32 / 2.0)
    }
}

/// Goertzel's recurrence, all tones side by side.
fn lines(samples: &[i16; LENGTH]) -> [Complex; LINES] {
    let (mut one, mut two) = ([0.0f32; LINES], [0.0f32; LINES]);
    for sample in samples {
        let sample = f32::from(*sample);
        let mut next = [0.0; LINES];
        for line in 0..LINES {
            next[line] = FEEDBACK[line] * one[line] - two[line] + sample;
        }
        two = one;
        one = next;
    }
    std::array::from_fn(|line| Complex {
        re: one[line] - COSINE[line] * two[line],
        im: SINE[line] * two[line],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(hertz: f64, phase: f64) -> Block {
        let mut block = Block::EMPTY;
        for (n, sample) in (0..).zip(&mut block.samples) {
            *sample = (8000.0 * (TAU * hertz * f64::from(n) / RATE + phase).sin()) as i16;
        }
        assert!(block.listen());
        block
    }

    #[test]
    fn a_tone_has_all_the_energy_and_no_other_tone_as_much() {
        for (line, hertz) in TONES.into_iter().enumerate() {
            for phase in 0..8 {
                let block = block(hertz, f64::from(phase));
                assert!((block.share(line) / block.energy - 1.0).abs() < 0.1, "{hertz}");
                assert!((0..LINES).all(|other| other == line || block.share(other) < block.energy / 2.0));
            }
        }
    }

    #[test]
    fn silence_is_not_looked_at() {
        let mut block = Block::EMPTY;
        block.samples.fill(8);
        assert!(!block.listen());
    }
}
