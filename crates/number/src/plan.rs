//! How a country writes its numbers at home, and how that becomes E.164 (ITU-T E.123 §2, E.164 Annex A: national
//! and international prefix).

use std::fmt;

use crate::countries::{COUNTRIES, Country, GLOBAL};
use crate::digits::Digits;
use crate::{Number, NumberError};

/// A country's dialling procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    country: &'static Country,
}

/// How a number is written out for someone else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// International, with the plus sign: `+79991112233`.
    Plus,
    /// International, digits alone: `79991112233`.
    Digits,
    /// As it is dialled in the country: `89991112233`, and `8101212…` abroad.
    National,
    /// As `National`, without what is dialled before the country's own: `9991112233`.
    Significant,
}

/// The country is not in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownCountry(pub String);

impl Plan {
    /// The dialling procedure of a country by its ISO 3166-1 alpha-2 code, in either case.
    ///
    /// # Errors
    /// When there is no such country in the table.
    pub fn of(country: &str) -> Result<Self, UnknownCountry> {
        COUNTRIES
            .iter()
            .find(|known| known.iso.eq_ignore_ascii_case(country))
            .map(|country| Self { country })
            .ok_or_else(|| UnknownCountry(country.chars().take(16).collect()))
    }

    /// Reads a number as it is written or dialled in this country. In this order:
    ///
    /// 1. with a plus sign it is international;
    /// 2. after an international prefix (the country's, or `00`) it is international;
    /// 3. after a national prefix it is national;
    /// 4. with this country's code before a national number it is international;
    /// 5. a bare national number is national, where the country has no national prefix, or its numbers are so
    ///    nearly of one length that it can be told;
    /// 6. with another country's code before a number of the right length it is international, unless it could
    ///    be a bare national number.
    ///
    /// Visual separators (space and `-.()/`) do not count. Nothing is allocated.
    ///
    /// # Errors
    /// When the text is no number, when the number was withheld, or when it cannot be told which it is.
    pub fn parse(self, text: &str) -> Result<Number, NumberError> {
        let digits = Digits::read(text)?;
        let written = digits.as_str();
        if digits.plus {
            return Number::from_digits(written);
        }
        if let Some(number) = self.after_international_prefix(written) {
            return number;
        }
        if let Some(national) = self.after_national_prefix(written) {
            return self.country.number(national);
        }
        if self.country.own_code(written).is_some_and(|national| self.country.has(national)) {
            return Number::from_digits(written);
        }
        if self.country.has(written) {
            return if self.country.tells_bare_numbers() {
                self.country.number(written)
            } else {
                Err(NumberError::Ambiguous)
            };
        }
        if written.len() >= 3 && is_international(written) {
            return Number::from_digits(written);
        }
        Err(NumberError::Form)
    }

    /// Writes a number out as it is wanted in this country.
    #[must_use]
    pub fn write(self, number: Number, form: Form) -> String {
        let digits = number.as_u64().to_string();
        let own = self.country.own_code(&digits);
        let before = |prefixes: &[&str], rest: &str| format!("{}{rest}", prefixes.first().unwrap_or(&""));
        match (form, own) {
            (Form::Plus, _) => number.to_string(),
            (Form::Digits, _) => digits,
            (Form::National, Some(national)) => before(self.country.national, national),
            (Form::Significant, Some(national)) => national.to_owned(),
            (Form::National | Form::Significant, None) => before(self.country.international, &digits),
        }
    }

    fn after_international_prefix(self, written: &str) -> Option<Result<Number, NumberError>> {
        let rests = || {
            let prefixes = self.country.international.iter().copied().chain(["00"]);
            prefixes.filter_map(|prefix| written.strip_prefix(prefix)).filter(|rest| !rest.starts_with('0'))
        };
        // Some countries have prefixes that begin with one another: a rest that is a number decides.
        let rest = rests().find(|rest| is_international(rest)).or_else(|| {
            // No national number begins with 00, whatever follows it.
            rests().find(|_| written.starts_with("00"))
        })?;
        Some(Number::from_digits(rest))
    }

    fn after_national_prefix(self, written: &str) -> Option<&str> {
        let rests = self.country.national.iter().filter_map(|prefix| written.strip_prefix(prefix));
        // A national prefix reaches the whole of the country code: from Russia also Kazakhstan.
        let shared = |rest: &str| {
            COUNTRIES.iter().any(|country| country.code == self.country.code && country.has(rest))
        };
        rests.into_iter().find(|rest| shared(rest))
    }
}

impl Country {
    /// With this country's code before it.
    fn number(&self, national: &str) -> Result<Number, NumberError> {
        let digits: u64 = national.parse().map_err(|_| NumberError::Length(national.len()))?;
        let scale = u32::try_from(national.len()).ok().and_then(|length| 10_u64.checked_pow(length));
        scale
            .and_then(|scale| u64::from(self.code).checked_mul(scale))
            .and_then(|code| code.checked_add(digits))
            .ok_or(NumberError::Length(national.len()))
            .and_then(Number::from_value)
    }

    /// Whether `national` can be a national number here.
    fn has(&self, national: &str) -> bool {
        (self.lengths.0..=self.lengths.1).contains(&national.len())
            && national.chars().next().is_some_and(|first| self.first.contains(first))
    }

    /// What follows this country's code.
    fn own_code<'a>(&self, written: &'a str) -> Option<&'a str> {
        after_code(self.code, written)
    }

    fn tells_bare_numbers(&self) -> bool {
        self.national.is_empty() || self.lengths.1 - self.lengths.0 <= 1
    }
}

/// What follows the country code `code`.
fn after_code(code: u16, written: &str) -> Option<&str> {
    let length = match code {
        0..=9 => 1,
        10..=99 => 2,
        100.. => 3,
    };
    let (head, rest) = written.split_at_checked(length)?;
    (head.parse() == Ok(code)).then_some(rest)
}

/// Whether some country can have this number.
fn is_international(written: &str) -> bool {
    let known =
        COUNTRIES.iter().any(|country| country.own_code(written).is_some_and(|rest| country.has(rest)));
    let global = |code: &u16| after_code(*code, written).is_some_and(|rest| (5..=12).contains(&rest.len()));
    known || GLOBAL.iter().any(global)
}

impl fmt::Display for UnknownCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no dialling plan for country {:?}; use an ISO 3166 code such as \"RU\"", self.0)
    }
}

impl std::error::Error for UnknownCountry {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(country: &str, text: &str) -> Result<u64, NumberError> {
        Plan::of(country).unwrap().parse(text).map(Number::as_u64)
    }

    #[test]
    fn numbers_are_written_as_each_country_wants_them_and_read_back() {
        let write = |country: &str, digits: u64, form| {
            let plan = Plan::of(country).unwrap();
            let text = plan.write(Number::from_value(digits).unwrap(), form);
            assert_eq!(plan.parse(&text).map(Number::as_u64), Ok(digits), "{text}");
            text
        };
        for (country, digits, written) in [
            ("RU", 79_991_112_233, ["+79991112233", "79991112233", "89991112233", "9991112233"]),
            ("RU", 442_079_460_958, ["+442079460958", "442079460958", "810442079460958", "810442079460958"]),
            ("US", 12_025_550_123, ["+12025550123", "12025550123", "12025550123", "2025550123"]),
            ("DK", 4_532_123_456, ["+4532123456", "4532123456", "32123456", "32123456"]),
        ] {
            let forms = [Form::Plus, Form::Digits, Form::National, Form::Significant];
            assert_eq!(forms.map(|form| write(country, digits, form)), written);
        }
    }

    #[test]
    fn numbers_are_read_as_each_country_writes_them() {
        for (country, text, number) in [
            ("RU", "+7 999 111-22-33", 79_991_112_233),
            ("RU", "79991112233", 79_991_112_233),
            ("RU", "8 (999) 111-22-33", 79_991_112_233),
            ("RU", "9991112233", 79_991_112_233),
            ("RU", "88005553535", 78_005_553_535),
            ("RU", "8005553535", 78_005_553_535),
            ("RU", "87011234567", 77_011_234_567),
            ("RU", "77011234567", 77_011_234_567),
            ("RU", "0079991112233", 79_991_112_233),
            ("RU", "8 10 49 30 123456", 4_930_123_456),
            ("RU", "0049 30 123456", 4_930_123_456),
            ("RU", "380501234567", 380_501_234_567),
            ("KZ", "8 701 123 45 67", 77_011_234_567),
            ("KZ", "7011234567", 77_011_234_567),
            ("KZ", "77011234567", 77_011_234_567),
            ("KZ", "79991112233", 79_991_112_233),
            ("DE", "030/1234567", 49_301_234_567),
            ("DE", "0151 23456789", 4_915_123_456_789),
            ("DE", "493012345678", 493_012_345_678),
            ("DE", "0079991112233", 79_991_112_233),
            ("GB", "020 7946 0958", 442_079_460_958),
            ("GB", "07911 123456", 447_911_123_456),
            ("GB", "7911123456", 447_911_123_456),
            ("GB", "442079460958", 442_079_460_958),
            ("GB", "0333 123 4567", 443_331_234_567),
            ("US", "(212) 555-0123", 12_125_550_123),
            ("US", "1-212-555-0123", 12_125_550_123),
            ("US", "011 7 999 1112233", 79_991_112_233),
            ("US", "79991112233", 79_991_112_233),
            ("IT", "06 1234 5678", 390_612_345_678),
            ("IT", "390612345678", 390_612_345_678),
            ("IT", "391 123 4567", 393_911_234_567),
            ("IT", "393911234567", 393_911_234_567),
            ("IT", "0044 20 7946 0958", 442_079_460_958),
            ("CN", "13800138000", 8_613_800_138_000),
            ("CN", "8613800138000", 8_613_800_138_000),
            ("CN", "010-12345678", 861_012_345_678),
            ("CN", "0755 12345678", 8_675_512_345_678),
            ("FR", "06 12 34 56 78", 33_612_345_678),
            ("FR", "612345678", 33_612_345_678),
            ("FR", "33612345678", 33_612_345_678),
            ("FR", "00 33 6 12 34 56 78", 33_612_345_678),
            ("HU", "06 1 234 5678", 3_612_345_678),
            ("LT", "8 612 34567", 37_061_234_567),
            ("LT", "0 612 34567", 37_061_234_567),
            ("JP", "010 7 999 111 2233", 79_991_112_233),
            ("HK", "001 44 20 7946 0958", 442_079_460_958),
            ("HK", "00 1 212 555 0123", 12_125_550_123),
            ("SG", "00 800 1234 5678", 80_012_345_678),
        ] {
            assert_eq!(read(country, text), Ok(number), "{country} {text}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        for (country, text, error) in [
            ("DE", "79991112233", NumberError::Ambiguous),
            ("DE", "301234567", NumberError::Ambiguous),
            ("RU", "112", NumberError::Form),
            ("RU", "8 999 111", NumberError::Form),
            ("RU", "7011234567", NumberError::Form),
            ("RU", "8 099 111 22 33", NumberError::Form),
            ("RU", "99999999999999", NumberError::Form),
            ("RU", "00 0 999", NumberError::Form),
            ("RU", "00 7", NumberError::Length(1)),
            ("RU", "8101234567890123456", NumberError::Form),
            ("RU", "+12", NumberError::Length(2)),
            ("RU", "+0999", NumberError::Zero),
            ("RU", "anonymous", NumberError::Withheld),
            ("RU", "", NumberError::Empty),
            ("RU", "sip:1", NumberError::Character('s')),
        ] {
            assert_eq!(read(country, text), Err(error), "{country} {text}");
        }
    }

    #[test]
    fn countries_are_found_in_either_case_and_only_by_their_code() {
        assert_eq!(Plan::of("ru"), Plan::of("RU"));
        assert_eq!(Plan::of("XX"), Err(UnknownCountry("XX".to_owned())));
        assert_eq!(Plan::of(""), Err(UnknownCountry(String::new())));
    }

    #[test]
    fn the_table_is_sorted_and_each_row_holds_together() {
        assert!(COUNTRIES.is_sorted_by(|one, other| one.iso < other.iso));
        for country in &COUNTRIES {
            let code_length = country.code.ilog10() as usize + 1;
            assert!(country.lengths.0 <= country.lengths.1, "{}", country.iso);
            assert!(country.lengths.1 + code_length <= 15, "{}", country.iso);
            assert!(!country.international.is_empty() && !country.first.is_empty(), "{}", country.iso);
            // A bare number would lose its first digit.
            assert!(!country.national.contains(&"0") || !country.first.contains('0'), "{}", country.iso);
        }
    }

    #[test]
    fn every_country_reads_its_own_numbers_in_every_form() {
        for country in &COUNTRIES {
            let plan = Plan { country };
            let first = country.first.chars().next_back().unwrap();
            let national: String = std::iter::once(first).chain("123456789012345".chars()).collect();
            let national = &national[..country.lengths.1];
            let expected = Number::parse(&format!("{}{national}", country.code));
            assert_eq!(plan.parse(&format!("+{}{national}", country.code)), expected, "{}", country.iso);
            for prefix in country.international.iter().chain(["00"].iter()) {
                let dialled = format!("{prefix}{}{national}", country.code);
                assert_eq!(plan.parse(&dialled), expected, "{} {dialled}", country.iso);
            }
            for prefix in country.national {
                assert_eq!(plan.parse(&format!("{prefix}{national}")), expected, "{}", country.iso);
            }
        }
    }
}
