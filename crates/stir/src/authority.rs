//! For which numbers a certificate speaks: its TN Authorization List (RFC 8226 §9).

use number::Number;
use x509_parser::asn1_rs::{Any, Class, FromDer as _, Integer, Tag};

/// Digits of a number in the list; more is none of E.164.
const LONGEST: usize = 15;

/// A TN Authorization List.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority(Vec<Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// A service provider: for which numbers it speaks is not in the certificate.
    Provider,
    /// From the first of them, so many.
    Numbers { first: u64, count: u64 },
}

impl Authority {
    /// Reads the value of the extension; `None` where it is not as the RFC has it.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut rest = whole(der, Tag::Sequence)?;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let (after, entry) = Any::from_der(rest).ok()?;
            entries.push(Entry::parse(&entry)?);
            rest = after;
        }
        (!entries.is_empty()).then_some(Self(entries))
    }

    /// Whether it speaks for this number.
    pub(crate) fn covers(&self, number: Number) -> bool {
        self.0.iter().any(|entry| match *entry {
            Entry::Provider => true,
            Entry::Numbers { first, count } => {
                number.as_u64().checked_sub(first).is_some_and(|place| place < count)
            }
        })
    }
}

impl Entry {
    /// Tags are explicit (RFC 8226 Appendix A).
    fn parse(entry: &Any<'_>) -> Option<Self> {
        if entry.class() != Class::ContextSpecific || !entry.header.is_constructed() {
            return None;
        }
        match entry.tag().0 {
            0 => whole(entry.data, Tag::Ia5String).map(|_| Self::Provider),
            1 => {
                let range = whole(entry.data, Tag::Sequence)?;
                let (rest, first) = Any::from_der(range).ok()?;
                let (rest, count) = Integer::from_der(rest).ok()?;
                let first = (first.tag() == Tag::Ia5String).then(|| digits(first.data))??;
                let count = count.as_u64().ok().filter(|count| *count >= 2 && rest.is_empty())?;
                Some(Self::Numbers { first, count })
            }
            2 => Some(Self::Numbers { first: digits(whole(entry.data, Tag::Ia5String)?)?, count: 1 }),
            _ => None,
        }
    }
}

/// The contents of the one value that fills all of it.
fn whole(der: &[u8], tag: Tag) -> Option<&[u8]> {
    let (rest, value) = Any::from_der(der).ok()?;
    (rest.is_empty() && value.class() == Class::Universal && value.tag() == tag).then_some(value.data)
}

/// A number as the list writes it, canonical (RFC 8226 §9: digits, `#` and `*`, which no E.164 number has).
fn digits(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| (1..=LONGEST).contains(&text.len()))?;
    text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
        let mut der = vec![tag, u8::try_from(contents.len()).unwrap()];
        der.extend_from_slice(contents);
        der
    }

    fn provider(code: &str) -> Vec<u8> {
        tlv(0xa0, &tlv(0x16, code.as_bytes()))
    }

    fn range(first: &str, count: &[u8]) -> Vec<u8> {
        tlv(0xa1, &tlv(0x30, &[tlv(0x16, first.as_bytes()), tlv(0x02, count)].concat()))
    }

    fn one(number: &str) -> Vec<u8> {
        tlv(0xa2, &tlv(0x16, number.as_bytes()))
    }

    fn covers(entries: &[Vec<u8>], number: &str) -> Option<bool> {
        let list = Authority::parse(&tlv(0x30, &entries.concat()))?;
        Some(list.covers(Number::parse(number).unwrap()))
    }

    #[test]
    fn a_list_speaks_for_its_numbers_and_ranges_and_no_other() {
        let list = [range("12155551000", &[100]), one("79991112233")];
        for (number, is_there) in [
            ("12155551000", true),
            ("12155551099", true),
            ("12155551100", false),
            ("12155550999", false),
            ("79991112233", true),
            ("79991112234", false),
            ("7999111223", false),
            ("121555510001", false),
        ] {
            assert_eq!(covers(&list, number), Some(is_there), "{number}");
        }
    }

    #[test]
    fn a_provider_speaks_for_numbers_that_are_not_written_there() {
        assert_eq!(covers(&[provider("709J")], "79991112233"), Some(true));
        assert_eq!(covers(&[one("79991112233"), provider("709J")], "12155551000"), Some(true));
    }

    #[test]
    fn the_list_of_a_certificate_in_use_is_read() {
        // As SHAKEN certificates have it: 30 08 a0 06 16 04 "709J".
        let der = [0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];
        assert_eq!(Authority::parse(&der), Some(Authority(vec![Entry::Provider])));
    }

    #[test]
    fn what_is_no_list_is_none() {
        let wrong = [
            vec![],
            tlv(0x30, &[]),
            tlv(0x31, &provider("709J")),
            [tlv(0x30, &provider("709J")), vec![0]].concat(),
            tlv(0x30, &tlv(0x80, b"709J")),
            tlv(0x30, &tlv(0xa3, &tlv(0x16, b"1"))),
            tlv(0x30, &tlv(0xa0, b"709J")),
            tlv(0x30, &one("")),
            tlv(0x30, &one("1215555#00")),
            tlv(0x30, &one("1234567890123456")),
            tlv(0x30, &range("12155551000", &[1])),
            tlv(0x30, &range("12155551000", &[0xff])),
            tlv(0x30, &range("12155551000", &[1, 0, 0, 0, 0, 0, 0, 0, 0])),
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            vec![0x30, 0x80, 0, 0],
        ];
        for der in wrong {
            assert_eq!(Authority::parse(&der), None, "{der:02x?}");
        }
    }
}
