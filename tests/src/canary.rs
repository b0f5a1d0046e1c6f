//! Marks that one side leaves in everything it says, and the search for them in everything the other side received.

use std::net::IpAddr;

/// One thing that must not cross.
#[derive(Debug, Clone)]
pub struct Canary {
    /// What it is, for the report.
    pub what: String,
    /// Every way it might be written; letters are searched in either case.
    pub forms: Vec<Vec<u8>>,
}

impl Canary {
    /// A word, a name, an identifier: as it is, in hex and in base64 at any alignment.
    #[must_use]
    pub fn text(what: &str, text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut forms = vec![bytes.to_vec(), hex(bytes).into_bytes()];
        forms.extend((0..3).filter_map(|skip| base64_core(bytes, skip)));
        Self { what: what.to_owned(), forms }
    }

    /// A telephone number in digits: also its national part, and in the two nibble orders of ISUP and TBCD
    /// (Q.763 §3.9).
    #[must_use]
    pub fn number(what: &str, digits: &str) -> Self {
        let national = &digits[1..];
        let mut canary = Self::text(what, national);
        for padded in [format!("{digits}F"), format!("{national}F"), national.to_owned()] {
            canary.forms.extend(nibbles(&padded));
        }
        canary
    }

    /// An address: in text, and its four or sixteen octets.
    #[must_use]
    pub fn address(what: &str, address: IpAddr) -> Self {
        let mut canary = Self::text(what, &address.to_string());
        canary.forms.push(match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        });
        canary
    }

    /// An SSRC: its four octets, and in text as `a=ssrc` writes it (RFC 5576).
    #[must_use]
    pub fn ssrc(what: &str, ssrc: u32) -> Self {
        Self {
            what: what.to_owned(),
            forms: vec![
                ssrc.to_be_bytes().to_vec(),
                ssrc.to_string().into_bytes(),
                format!("{ssrc:08x}").into_bytes(),
            ],
        }
    }

    /// Whether it is in there, and how it is written.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Option<&[u8]> {
        self.forms.iter().map(Vec::as_slice).find(|form| contains(bytes, form))
    }
}

/// Searches every message and packet for every canary.
///
/// # Panics
/// At the first found.
pub fn assert_absent<'a>(side: &str, received: impl IntoIterator<Item = &'a [u8]>, canaries: &[Canary]) {
    let mut count = 0;
    for bytes in received {
        count += 1;
        for canary in canaries {
            if let Some(form) = canary.found_in(bytes) {
                let (form, bytes) = (String::from_utf8_lossy(form), String::from_utf8_lossy(bytes));
                panic!("{side} learnt {} (as {form:?}) from:\n{bytes}", canary.what);
            }
        }
    }
    assert!(count > 0, "{side} received something to search");
}

fn contains(bytes: &[u8], form: &[u8]) -> bool {
    bytes.windows(form.len()).any(|window| window.eq_ignore_ascii_case(form))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The characters of the base64 of anything that holds `bytes` at an offset of `3n + skip`, those apart that also
/// hang on what lies around. `None` where too few are left to mean anything.
fn base64_core(bytes: &[u8], skip: usize) -> Option<Vec<u8>> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let first = (3 - skip) % 3;
    let core: Vec<u8> = bytes
        .get(first..)?
        .chunks_exact(3)
        .flat_map(|three| {
            let word = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(word >> shift & 63) as usize])
        })
        .collect();
    (core.len() >= 8).then_some(core)
}

/// Digits two to an octet, low nibble first and high nibble first.
fn nibbles(digits: &str) -> [Vec<u8>; 2] {
    let values: Vec<u8> = digits
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .filter_map(|value| u8::try_from(value).ok())
        .collect();
    let pack =
        |low: usize, high: usize| values.chunks_exact(2).map(|two| two[low] | two[high] << 4).collect();
    [pack(0, 1), pack(1, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "79991111117";

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let canary = Canary::number("the courier's number", NUMBER);
        let written: [&[u8]; 9] = [
            b"From: <sip:+79991111117@x>",
            b"tel:89991111117",
            b"x 9991111117 y",
            b"3739393931313131313137",
            b"eyJ0biI6Ijc5OTkxMTExMTE3In0=",
            b"k:Nzk5OTExMTExMTc=",
            &[0x97, 0x99, 0x11, 0x11, 0x11, 0xF7],
            &[0x79, 0x99, 0x11, 0x11, 0x11, 0x7F],
            &[1, 2, 0x99, 0x19, 0x11, 0x11, 0x71, 3],
        ];
        for bytes in written {
            assert!(canary.found_in(bytes).is_some(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn other_numbers_are_not_taken_for_it() {
        let canary = Canary::number("the courier's number", NUMBER);
        for text in ["sip:+79992222222@x", "999111111", "9991111118", "", "order 12345"] {
            assert_eq!(canary.found_in(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_found_in_any_case_and_an_address_in_octets() {
        let name = Canary::text("a name", "Canary-Phone/1");
        assert!(name.found_in(b"user-agent: cAnary-pHone/1\r\n").is_some());
        let address = Canary::address("the address", "127.3.4.11".parse().unwrap());
        assert!(address.found_in(&[0, 127, 3, 4, 11]).is_some());
        assert!(address.found_in(b"c=IN IP4 127.3.4.11\r\n").is_some());
        assert_eq!(address.found_in(b"c=IN IP4 127.3.4.12\r\n"), None);
        assert!(Canary::ssrc("ssrc", 0x1234_5678).found_in(&[0x80, 8, 0x12, 0x34, 0x56, 0x78]).is_some());
    }

    #[test]
    #[should_panic(expected = "the callee learnt a secret")]
    fn a_find_fails_the_test() {
        assert_absent("the callee", [b"a SECRET".as_slice()], &[Canary::text("a secret", "secret")]);
    }

    #[test]
    #[should_panic(expected = "received something")]
    fn a_search_of_nothing_fails_the_test() {
        assert_absent("the callee", [], &[Canary::text("a secret", "secret")]);
    }
}
