//! What a caller keys.

/// An order code as keyed: 1 to 12 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    digits: [u8; 12],
    len: u8,
}

impl Code {
    /// Most digits a code can have.
    pub const LONGEST: usize = 12;

    /// Reads a code; `None` unless it is 1 to 12 decimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.len() > Self::LONGEST || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut digits = [0; Self::LONGEST];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Some(Self { digits, len: u8::try_from(text.len()).expect("at most 12") })
    }

    /// A code with no digit yet.
    pub(crate) fn empty() -> Self {
        Self { digits: [0; Self::LONGEST], len: 0 }
    }

    /// One digit more; a full code stays as it is.
    pub(crate) fn with(mut self, digit: char) -> Self {
        if let (Ok(digit), Some(place)) = (u8::try_from(digit), self.digits.get_mut(usize::from(self.len))) {
            *place = digit;
            self.len += 1;
        }
        self
    }

    /// How many digits it has.
    #[must_use]
    pub fn count(&self) -> u8 {
        self.len
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.len)]).expect("digits are ASCII")
    }
}
