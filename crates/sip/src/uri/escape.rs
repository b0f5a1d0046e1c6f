//! `%` escapes (RFC 3261 §19.1.2).

use std::borrow::Cow;

/// Takes the octets at `i` as one, escaped or plain; returns it and where the next begins.
fn octet(text: &[u8], at: usize) -> (u8, usize) {
    let digit = |at: usize| text.get(at).and_then(|octet| char::from(*octet).to_digit(16));
    if text[at] == b'%'
        && let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2))
    {
        let octet = u8::try_from(high * 16 + low).expect("two hexadecimal digits are one octet");
        return (octet, at + 3);
    }
    (text[at], at + 1)
}

/// The octets a text stands for.
pub(super) fn octets(text: &[u8]) -> impl Iterator<Item = u8> + use<'_> {
    let mut at = 0;
    std::iter::from_fn(move || {
        (at < text.len()).then(|| {
            let (octet, next) = octet(text, at);
            at = next;
            octet
        })
    })
}

/// The octets a text stands for, copied only where something is escaped.
pub(super) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    if text.contains(&b'%') { Cow::Owned(octets(text).collect()) } else { Cow::Borrowed(text) }
}

/// Whether two texts stand for the same octets.
pub(super) fn same(one: &str, other: &str) -> bool {
    one == other || octets(one.as_bytes()).eq(octets(other.as_bytes()))
}

/// Whether two texts stand for the same octets in any case.
pub(super) fn same_ignoring_case(one: &str, other: &str) -> bool {
    let lower = |text: &str| unescape(text.as_bytes()).to_ascii_lowercase();
    one.eq_ignore_ascii_case(other)
        || ((one.contains('%') || other.contains('%')) && lower(one) == lower(other))
}

/// Whether each `%` is followed by two hexadecimal digits.
pub(super) fn is_well_escaped(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).all(
        |at| matches!(text.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_any_octet() {
        assert_eq!(unescape(b"sips%3Auser%40example.com"), &b"sips:user@example.com"[..]);
        assert_eq!(unescape(b"null-%00-null%fF"), &b"null-\0-null\xff"[..]);
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_percent_sign_needs_two_hexadecimal_digits() {
        for (text, good) in
            [("", true), ("%41", true), ("a%4", false), ("%", false), ("%G0", false), ("%41%zz", false)]
        {
            assert_eq!(is_well_escaped(text.as_bytes()), good, "{text}");
        }
    }
}
