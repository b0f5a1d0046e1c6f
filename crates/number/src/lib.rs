//! Telephone numbers in one form: ITU-T E.164, digits only, at most fifteen.

mod countries;
mod digits;
mod plan;

use std::fmt;

pub use plan::{Form, Plan, UnknownCountry};

/// An E.164 number: 3 to 15 digits, the first not zero. Small enough to copy and to compare at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// Nothing is left once separators are taken away.
    Empty,
    /// This character cannot stand in a number.
    Character(char),
    /// More than fifteen digits (E.164 §6.1) or fewer than three.
    Length(usize),
    /// Begins with zero once made international: no country has that code.
    Zero,
    /// A word for a withheld number (`anonymous`, `restricted` …), or zeros only.
    Withheld,
    /// Could be a national number or an international one.
    Ambiguous,
    /// Neither a national number of the country nor an international one.
    Form,
}

impl Number {
    /// Reads an international number: `+79991112233`, `79991112233`, with or without separators.
    ///
    /// # Errors
    /// What makes the text no number.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        Self::from_digits(digits::Digits::read(text)?.as_str())
    }

    fn from_digits(digits: &str) -> Result<Self, NumberError> {
        if digits.starts_with('0') {
            return Err(NumberError::Zero);
        }
        digits.parse().map_err(|_| NumberError::Length(digits.len())).and_then(Self::from_value)
    }

    fn from_value(value: u64) -> Result<Self, NumberError> {
        let digits = value.checked_ilog10().map_or(1, |log| log as usize + 1);
        if (3..=15).contains(&digits) { Ok(Self(value)) } else { Err(NumberError::Length(digits)) }
    }

    /// The digits as a number, for compact keys.
    #[must_use]
    pub fn as_u64(self) -> u64 {
        self.0
    }

    /// The last four digits, for places where a whole number must not stand.
    #[must_use]
    pub fn last4(self) -> u16 {
        u16::try_from(self.0 % 10_000).expect("a remainder of 10 000 fits")
    }
}

/// With the plus sign: `+79991112233`.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no digits"),
            Self::Character(c) => write!(f, "{c:?} cannot stand in a telephone number"),
            Self::Length(n) => write!(f, "{n} digits; an international number has 3 to 15"),
            Self::Zero => f.write_str("begins with 0; write it with its country code"),
            Self::Withheld => f.write_str("the number was withheld"),
            Self::Ambiguous => {
                f.write_str("could be national or international; write it with + or the national prefix")
            }
            Self::Form => f.write_str("neither a national number nor an international one"),
        }
    }
}

impl std::error::Error for NumberError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_international_number_is_read_with_and_without_plus_and_separators() {
        for text in
            ["+79991112233", "79991112233", "+7 999 111-22-33", " +7 (999) 111.22/33 ", "(+7)9991112233"]
        {
            assert_eq!(Number::parse(text).map(Number::as_u64), Ok(79_991_112_233), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_named() {
        for (text, error) in [
            ("", NumberError::Empty),
            ("+", NumberError::Empty),
            (" - ", NumberError::Empty),
            ("12", NumberError::Length(2)),
            ("1234567890123456", NumberError::Length(16)),
            ("9999999999999999999999999999999", NumberError::Length(31)),
            ("0991112233", NumberError::Zero),
            ("7+9991112233", NumberError::Character('+')),
            ("++79991112233", NumberError::Character('+')),
            ("tel:+79991112233", NumberError::Character('t')),
            ("7999111223\u{663}", NumberError::Character('\u{663}')),
            ("7999#", NumberError::Character('#')),
            ("79991\r112233", NumberError::Character('\r')),
        ] {
            assert_eq!(Number::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_withheld_number_is_no_number() {
        for text in
            ["anonymous", "Anonymous", "unavailable", "RESTRICTED", "unknown", "0", "0000000000", "+0"]
        {
            assert_eq!(Number::parse(text), Err(NumberError::Withheld), "{text}");
        }
    }

    #[test]
    fn a_number_is_written_with_its_plus_and_hidden_but_for_four_digits() {
        let number = Number::parse("79991110033").unwrap();
        assert_eq!(number.to_string(), "+79991110033");
        assert_eq!(number.last4(), 33);
    }
}
