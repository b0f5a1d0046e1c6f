//! Whether the last 32 milliseconds are a key.
//!
//! The tones of each group are told apart by their energy, then each is held against the limits: how far its phase
//! turns from block to block tells its frequency far more finely than so short a time otherwise would, and the tone is
//! then summed over all blocks at that frequency. Voices fail one way or another: their two strongest lines are seldom
//! on two tones, seldom have nearly all the energy, and waver.

use std::f64::consts::TAU;

use super::block::{Block, LENGTH};
use super::{Complex, Key, LINES, RATE, ROWS, TONES};

/// Blocks in a window.
pub(super) const BLOCKS: usize = 4;
const SAMPLES: f32 = (BLOCKS * LENGTH) as f32;

/// What the two tones must have of all energy: noise as loud as a quarter of them is borne, a voice is not.
const PURITY: f32 = 0.8;
/// In no block less of a tone than this part of its mean: it has begun before the window, and does not end in it.
const STEADY: f32 = 0.4;
/// Mean square of the faintest tone that is heard: 34 dB below 0 dBm0, so that one at -29 dBm0 always is. A sine of
/// full scale has 3.14 dBm0 (G.711).
pub(super) const FAINTEST: f32 = 0.5 * 455.0 * 455.0;
/// Q.24 (Table A-1, AT&T): the column's tone up to 4 dB above and 8 dB below its row's; a decibel more is borne, as
/// noise falls on either.
const COLUMN_ABOVE: f32 = 3.162;
const COLUMN_BELOW: f32 = 7.943;
/// A tone has less than this part of its power at twice its frequency: 18 dB below, where Q.23 wants 20 of all that
/// should not be there together. A voice's lines have as strong a one above them.
const SECOND: f32 = 1.0 / 64.0;

/// A tone hides what is nearer to it, in hertz: the two bins to either side in which a window of this length sees it.
const HIDING: f64 = 2.5 * RATE / (BLOCKS * LENGTH) as f64;

/// How far off a tone may be: between what must be taken (1.5 %) and what must be refused (3.5 %).
const TOLERANCE: f64 = 0.025;
const BLOCK_SECONDS: f64 = LENGTH as f64 / RATE;

/// How each tone's phase turns in a block, backwards.
const BACK: [Complex; LINES] = {
    let mut turns = [Complex::ZERO; LINES];
    let mut line = 0;
    while line < LINES {
        turns[line] = Complex::turn(-TAU * TONES[line] * BLOCK_SECONDS);
        line += 1;
    }
    turns
};

/// The cosine of what each tone may turn beside that.
const FARTHEST: [f32; LINES] = {
    let mut cosines = [0.0; LINES];
    let mut line = 0;
    while line < LINES {
        cosines[line] = Complex::turn(TAU * TONES[line] * TOLERANCE * BLOCK_SECONDS).re;
        line += 1;
    }
    cosines
};

/// A key that is there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) key: Key,
    /// Of each tone in one block, as `Block::share` says.
    pub(super) row: f32,
    pub(super) column: f32,
}

/// One tone over the window.
struct Tone {
    /// Its energy.
    energy: f32,
    /// Hertz.
    frequency: f64,
}

/// The blocks of a window, oldest first.
pub(super) type Window<'a> = [&'a Block; BLOCKS];

/// The key that is pressed all through the window.
pub(super) fn find(window: Window<'_>) -> Option<Found> {
    let newest = window[BLOCKS - 1];
    let key = Key { row: strongest(newest, 0..ROWS), column: strongest(newest, ROWS..LINES) };
    // Voices mostly end here.
    if newest.share(key.row) + newest.share(key.column) < newest.energy / 2.0 {
        return None;
    }
    let (row, column) = (tone(window, key.row)?, tone(window, key.column)?);
    let all: f32 = window.iter().map(|block| block.energy).sum();
    let is_pure = row.energy + column.energy >= PURITY * all;
    let is_heard = row.energy.min(column.energy) >= FAINTEST * SAMPLES;
    let is_even = column.energy <= COLUMN_ABOVE * row.energy && row.energy <= COLUMN_BELOW * column.energy;
    // Twice some rows is so near to some columns (2, 6, C) that the one hides the other.
    let hides = (2.0 * row.frequency - column.frequency).abs() < HIDING;
    let is_single = |tone: &Tone| energy_at(window, 2.0 * tone.frequency) < SECOND * tone.energy;
    let is_key = is_pure && is_heard && is_even && (hides || is_single(&row)) && is_single(&column);
    let mean = |tone: Tone| tone.energy / BLOCKS as f32;
    is_key.then(|| Found { key, row: mean(row), column: mean(column) })
}

fn strongest(block: &Block, among: std::ops::Range<usize>) -> usize {
    let first = among.start;
    among.fold(first, |best, line| if block.share(line) > block.share(best) { line } else { best })
}

/// A tone as it is in the window; `None` if it is not there throughout, or too far off.
fn tone(window: Window<'_>, line: usize) -> Option<Tone> {
    let lines = window.map(|block| block.lines[line]);
    let mean = lines.iter().map(|line| line.power()).sum::<f32>() / BLOCKS as f32;
    if lines.iter().any(|line| line.power() < STEADY * mean) {
        return None;
    }
    let turned =
        lines.windows(2).fold(Complex::ZERO, |sum, pair| sum.plus(pair[0].conjugate().times(pair[1])));
    let length = turned.power().sqrt();
    let turn = Complex { re: turned.re / length, im: turned.im / length };
    let beside = turn.times(BACK[line]);
    // Neither is this so where there is no turn at all, for want of a number.
    if beside.re < FARTHEST[line] || !length.is_normal() {
        return None;
    }
    let mut back = Complex::ONE;
    let mut sum = Complex::ZERO;
    for line in lines {
        sum = sum.plus(line.times(back));
        back = back.times(turn.conjugate());
    }
    // Within a block it was measured at the frequency of the key, from which it differs.
    let angle = beside.im.atan2(beside.re);
    let half = angle / 2.0;
    let measured = if half.abs() < 1e-3 { 1.0 } else { half.sin() / half };
    let energy = sum.power() / (SAMPLES / 2.0) / (measured * measured);
    Some(Tone { energy, frequency: TONES[line] + f64::from(angle) / (TAU * BLOCK_SECONDS) })
}

/// The energy at a frequency. The window is opened and closed slowly (as Hann does), so that strong tones not far
/// from it are not seen.
fn energy_at(window: Window<'_>, frequency: f64) -> f32 {
    let beside = RATE / f64::from(SAMPLES);
    let middle = goertzel(window, frequency);
    let below = goertzel(window, frequency - beside);
    let above = goertzel(window, frequency + beside);
    let sides = below.plus(above);
    let sum = Complex { re: middle.re - sides.re / 2.0, im: middle.im - sides.im / 2.0 };
    sum.power() / (SAMPLES / 2.0)
}

/// As if the window began at time zero, so that neighbours may be added.
fn goertzel(window: Window<'_>, frequency: f64) -> Complex {
    let angle = TAU * frequency / RATE;
    let (sin, cos) = (angle.sin() as f32, angle.cos() as f32);
    let (mut one, mut two) = (0.0, 0.0);
    for sample in window.iter().flat_map(|block| &block.samples) {
        (one, two) = (2.0 * cos * one - two + f32::from(*sample), one);
    }
    let at_end = Complex { re: one - cos * two, im: sin * two };
    let (sin, cos) = (angle * f64::from(SAMPLES - 1.0)).sin_cos();
    at_end.times(Complex { re: cos as f32, im: -sin as f32 })
}
