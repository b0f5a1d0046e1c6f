//! Key presses in the audio itself: two tones at once (ITU-T Q.23), heard within the limits of Q.24, and made.

mod block;
pub(crate) mod detector;
pub(crate) mod generator;
mod window;

use std::f64::consts::TAU;

/// The tones: four for the rows of the keypad, four for its columns, in hertz (Q.23 §3).
pub(crate) const TONES: [f64; LINES] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
const LINES: usize = 8;
/// Rows come first.
const ROWS: usize = 4;

const RATE: f64 = 8000.0;

/// The event code (RFC 4733 §3.2) of the key in each row and column.
const CODES: [[u8; ROWS]; ROWS] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

/// The place of a key on the keypad: its row, and its column, among the tones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    row: usize,
    column: usize,
}

impl Key {
    fn code(self) -> u8 {
        CODES[self.row][self.column - ROWS]
    }

    fn of(code: u8) -> Option<Self> {
        let places = (0..ROWS).flat_map(|row| (ROWS..LINES).map(move |column| Self { row, column }));
        places.into_iter().find(|key| key.code() == code)
    }
}

/// A direction in the plane: an amplitude with its phase, or a turn.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    const ZERO: Self = Self { re: 0.0, im: 0.0 };
    const ONE: Self = Self { re: 1.0, im: 0.0 };

    /// A turn by an angle.
    const fn turn(angle: f64) -> Self {
        Self { re: sine(angle + TAU / 4.0) as f32, im: sine(angle) as f32 }
    }

    fn plus(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// The square of its length.
    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

/// The sine of an angle, at compile time: what the standard library has is not to be called there.
const fn sine(angle: f64) -> f64 {
    let turns = angle / TAU;
    // Within half a turn the series needs few terms.
    let x = (turns - (turns + if turns < 0.0 { -0.5 } else { 0.5 }) as i64 as f64) * TAU;
    let (mut sum, mut term, mut n) = (x, x, 1.0);
    while n < 40.0 {
        term = -term * x * x / ((n + 1.0) * (n + 2.0));
        sum += term;
        n += 2.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telephone_event::key;

    #[test]
    fn the_keypad_is_that_of_q23() {
        let rows: Vec<String> =
            CODES.iter().map(|row| row.iter().map(|code| key(*code).unwrap()).collect()).collect();
        assert_eq!(rows, ["123A", "456B", "789C", "*0#D"]);
        for code in 0..16 {
            assert_eq!(Key::of(code).map(Key::code), Some(code));
        }
        assert_eq!(Key::of(16), None);
    }

    #[test]
    fn the_series_is_the_sine() {
        for place in -2000..2000 {
            let angle = f64::from(place) / 100.0;
            assert!((sine(angle) - angle.sin()).abs() < 1e-9, "{angle}");
        }
    }
}
