//! Octet classes and small readings of RFC 3261 §25.1. Folded lines are already joined when these run, so
//! that LWS is spaces and tabs.

/// A class of octets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Class(u8);

/// The classes of each octet, one bit each.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut octet = 0u8;
    loop {
        let graphic = octet > b' ' && octet != 0x7f;
        let uri = graphic && octet.is_ascii() && !matches!(octet, b'<' | b'>' | b'"');
        let alphanumeric = octet.is_ascii_alphanumeric();
        let mark = matches!(octet, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let enclosing = matches!(octet, b'"' | b'<' | b'>' | b',' | b';');
        let blank = octet == b' ' || octet == b'\t';
        let members = [
            (Class::TOKEN, alphanumeric || mark),
            (Class::BARE_VALUE, graphic && !enclosing),
            (Class::DISPLAY, blank || graphic && !enclosing && octet != b':' && octet != b'\\'),
            (Class::HOST, alphanumeric || matches!(octet, b'-' | b'.' | b'_')),
            (Class::URI, uri),
            (Class::PLAIN_URI, uri && !matches!(octet, b':' | b'@' | b'?' | b'%')),
            (Class::GRAPHIC, graphic && octet.is_ascii()),
            (Class::DIGIT, octet.is_ascii_digit()),
        ];
        let mut i = 0;
        while i < members.len() {
            if members[i].1 {
                classes[octet as usize] |= members[i].0.0;
            }
            i += 1;
        }
        if octet == u8::MAX {
            return classes;
        }
        octet += 1;
    }
}

impl Class {
    /// `token`.
    pub(crate) const TOKEN: Self = Self(1);
    /// A `gen-value` that is not quoted: more than `token / host`, because peers write IPv6 addresses and `/`, `@` and
    /// `=` there, but nothing that could end the parameter.
    pub(crate) const BARE_VALUE: Self = Self(1 << 1);
    /// A display name without quotes. The grammar has tokens and blanks; peers also write other signs and octets above
    /// ASCII. What could make two readers see two addresses stays out.
    pub(crate) const DISPLAY: Self = Self(1 << 2);
    /// A host name. The underscore is not in the grammar, but hosts are named with it.
    pub(crate) const HOST: Self = Self(1 << 3);
    /// A URI: printable ASCII without the signs that enclose one. More than the grammar has (`#`, `|`, `^` and such
    /// stand in real user parts), and nothing that can end a URI, a header field or a start line.
    pub(crate) const URI: Self = Self(1 << 4);
    /// Octets of a URI that neither divide its parts before the parameters, nor begin its headers or an escape.
    pub(crate) const PLAIN_URI: Self = Self(1 << 5);
    /// ASCII that is seen.
    pub(crate) const GRAPHIC: Self = Self(1 << 6);
    /// `DIGIT`.
    pub(crate) const DIGIT: Self = Self(1 << 7);

    /// Whether the octet belongs to it.
    #[inline]
    pub(crate) fn has(self, octet: u8) -> bool {
        CLASSES[usize::from(octet)] & self.0 != 0
    }

    /// How many octets at the start belong to it.
    #[inline]
    pub(crate) fn run(self, text: &[u8]) -> usize {
        text.iter().position(|octet| !self.has(*octet)).unwrap_or(text.len())
    }

    /// Splits off the longest start that belongs to it.
    #[inline]
    pub(crate) fn take(self, text: &[u8]) -> (&[u8], &[u8]) {
        text.split_at(self.run(text))
    }

    /// Whether all of a text belongs to it, and there is any.
    pub(crate) fn is_all_of(self, text: &[u8]) -> bool {
        !text.is_empty() && self.run(text) == text.len()
    }
}

/// `LWS` octets, once lines are joined.
pub(crate) fn is_lws(octet: u8) -> bool {
    octet == b' ' || octet == b'\t'
}

/// `LWS` octets while lines are still folded.
pub(crate) fn is_folded_lws(octet: u8) -> bool {
    is_lws(octet) || matches!(octet, b'\r' | b'\n')
}

/// The text without LWS before it.
#[inline]
pub(crate) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_lws(*first)
    {
        text = rest;
    }
    text
}

/// The text without LWS around it.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    trim_end(trim_start(text), is_lws)
}

/// The text without LWS around it, while lines are still folded.
pub(crate) fn trim_folded(text: &[u8]) -> &[u8] {
    let start = text.iter().take_while(|octet| is_folded_lws(**octet)).count();
    trim_end(&text[start..], is_folded_lws)
}

#[inline]
fn trim_end(mut text: &[u8], class: impl Fn(u8) -> bool) -> &[u8] {
    while let [rest @ .., last] = text
        && class(*last)
    {
        text = rest;
    }
    text
}

/// Splits off the LWS at the start.
pub(crate) fn take_lws(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.len() - trim_start(text).len())
}

/// Splits off a `token` of at least one octet.
pub(crate) fn take_token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (token, rest) = Class::TOKEN.take(text);
    (!token.is_empty()).then_some((token, rest))
}

/// Splits off a `quoted-string`, quotes included; `text` begins with the first quote.
pub(crate) fn take_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(text.split_at(at + 1)),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// `1*DIGIT` that fits.
pub(crate) fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u32, |sum, octet| {
        octet.is_ascii_digit().then_some(())?;
        sum.checked_mul(10)?.checked_add(u32::from(octet - b'0'))
    })
}

/// A port: up to five digits, at most 65535.
pub(crate) fn port(text: &[u8]) -> Option<u16> {
    if text.len() > 5 {
        return None;
    }
    number(text).and_then(|number| u16::try_from(number).ok())
}

/// Text whose octets were checked to be ASCII.
pub(crate) fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("only called on octets of an ASCII class")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_digits_only_and_fits_32_bits() {
        for (text, value) in [
            (&b"0"[..], Some(0)),
            (b"0068", Some(68)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"-1", None),
            (b"+1", None),
            (b"1 ", None),
            (b"", None),
        ] {
            assert_eq!(number(text), value, "{text:?}");
        }
    }

    #[test]
    fn a_quoted_string_ends_at_the_first_quote_that_is_not_escaped() {
        assert_eq!(take_quoted(br#""a\"b\\" c"#), Some((&br#""a\"b\\""#[..], &b" c"[..])));
        assert_eq!(take_quoted(br#""open"#), None);
        assert_eq!(take_quoted(br#""open\"#), None);
    }
}
