//! The digits of a number as written, without its visual separators.

use crate::NumberError;

/// More than any international prefix and number together.
const MOST: usize = 24;

/// Words that stand where a number was withheld.
const WITHHELD: [&str; 6] = ["anonymous", "unavailable", "restricted", "unknown", "private", "withheld"];

/// ASCII digits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    /// Whether a plus sign stood before them.
    pub(crate) plus: bool,
    bytes: [u8; MOST],
    count: usize,
}

impl Digits {
    /// Takes away what RFC 3966 §5.1.1 calls visual separators, with spaces and slashes as people write them.
    pub(crate) fn read(text: &str) -> Result<Self, NumberError> {
        let text = text.trim_ascii();
        if WITHHELD.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Err(NumberError::Withheld);
        }
        let mut digits = Self { plus: false, bytes: [0; MOST], count: 0 };
        let mut count = 0;
        for character in text.chars() {
            match character {
                '0'..='9' => {
                    if let Some(place) = digits.bytes.get_mut(count) {
                        *place = u8::try_from(character).expect("matched as ASCII");
                    }
                    count += 1;
                }
                ' ' | '-' | '.' | '(' | ')' | '/' => {}
                '+' if count == 0 && !digits.plus => digits.plus = true,
                other => return Err(NumberError::Character(other)),
            }
        }
        if count == 0 {
            return Err(NumberError::Empty);
        }
        if count > MOST {
            return Err(NumberError::Length(count));
        }
        digits.count = count;
        // A number of zeros is how some exchanges write that there is none.
        if digits.as_str().bytes().all(|digit| digit == b'0') {
            return Err(NumberError::Withheld);
        }
        Ok(digits)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.count]).expect("only ASCII digits were put in")
    }
}
