//! Header parameters: `;name`, `;name=value`, `;name="quoted"` (RFC 3261 §25.1 generic-param).

use std::borrow::Cow;

use crate::grammar::{Class, ascii, is_lws, take_quoted, take_token, trim_start};
use crate::limits;

/// The parameters after a header value. Known to be well formed, and no name comes twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Params<'a>(&'a [u8]);

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    name: &'a [u8],
    value: Option<&'a [u8]>,
}

impl<'a> Param<'a> {
    /// Its name, as written.
    #[must_use]
    pub fn name(&self) -> &'a str {
        ascii(self.name)
    }

    /// Its value, quotes included; `None` where there is no `=`.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// Its value, if that is ASCII text without quotes.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.value.filter(|value| is_text(value)).map(ascii)
    }

    /// Its value; without one, the empty place after the name.
    pub(crate) fn value_or_end(&self) -> &'a [u8] {
        self.value.unwrap_or(&self.name[self.name.len()..])
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Whether a value is ASCII text without quotes, and not empty.
pub(crate) fn is_text(value: &[u8]) -> bool {
    value.first().is_some_and(|first| *first != b'"') && value.is_ascii()
}

impl<'a> Params<'a> {
    /// Reads parameters up to the end or a comma. Returns them and the rest, which begins with the comma.
    pub(crate) fn read(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        Self::read_each(text, |_| ())
    }

    /// The same, and shows each parameter as it is read.
    pub(crate) fn read_each(text: &'a [u8], mut each: impl FnMut(&Param<'a>)) -> Option<(Self, &'a [u8])> {
        let mut rest = trim_start(text);
        let mut starts = [0; limits::PARAMS];
        let mut count = 0;
        while let [b';', ..] = rest {
            let start = text.len() - rest.len();
            let (param, after) = take_param(rest)?;
            // No name may come twice (RFC 3261 §7.3.1): of two tags another reader may take the other.
            let same = |start: &u16| {
                take_name(&text[usize::from(*start)..])
                    .is_some_and(|(name, _)| name.eq_ignore_ascii_case(param.name))
            };
            if starts[..count].iter().any(same) {
                return None;
            }
            *starts.get_mut(count)? = u16::try_from(start).ok()?;
            count += 1;
            each(&param);
            rest = after;
        }
        let params = Self(&text[..text.len() - rest.len()]);
        matches!(rest, [] | [b',', ..]).then_some((params, rest))
    }

    /// Parameters that were read before.
    pub(crate) fn checked(text: &'a [u8]) -> Self {
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The value of the first parameter of this name, in any case, without quotes; empty where it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.find(name).map(|param| unquote(param.value.unwrap_or_default()))
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The first parameter of this name, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Param<'a>> {
        self.iter().find(|param| param.is(name))
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = trim_start(self.0);
        std::iter::from_fn(move || {
            let (param, after) = take_param(rest)?;
            rest = after;
            Some(param)
        })
    }
}

/// Splits off a semicolon and the name after it.
fn take_name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    take_token(trim_start(text.strip_prefix(b";")?))
}

/// Splits off one parameter with its semicolon and the LWS after it.
fn take_param(text: &[u8]) -> Option<(Param<'_>, &[u8])> {
    let (name, rest) = take_name(text)?;
    let rest = trim_start(rest);
    let [b'=', rest @ ..] = rest else {
        return Some((Param { name, value: None }, rest));
    };
    let rest = trim_start(rest);
    let (value, rest) = match rest {
        [b'"', ..] => take_quoted(rest)?,
        _ => Class::BARE_VALUE.take(rest),
    };
    if value.is_empty() {
        return None;
    }
    Some((Param { name, value: Some(value) }, trim_start(rest)))
}

/// The text of a `quoted-string` without quotes and backslashes; any other text as it is.
pub(crate) fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = text else { return Cow::Borrowed(text) };
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut octets = inner.iter();
    while let Some(octet) = octets.next() {
        let octet = if *octet == b'\\' { octets.next().unwrap_or(octet) } else { octet };
        plain.push(*octet);
    }
    Cow::Owned(plain)
}

/// Whether the text is only LWS.
pub(crate) fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|octet| is_lws(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<Param<'_>>> {
        let (params, rest) = Params::read(text.as_bytes())?;
        assert!(rest.is_empty());
        Some(params.iter().collect())
    }

    #[test]
    fn lws_may_stand_around_every_sign() {
        let params = read(" ; a ;b = 1;\tc=\"x;y, \\\"z\" ").unwrap();
        let expected = [("a", None), ("b", Some(&b"1"[..])), ("c", Some(&b"\"x;y, \\\"z\""[..]))];
        assert_eq!(params, expected.map(|(name, value): (&str, _)| Param { name: name.as_bytes(), value }));
    }

    #[test]
    fn names_are_compared_in_any_case_and_quotes_are_taken_off() {
        let (params, rest) = Params::read(b";Tag=\"a\\\"b\";lr, next").unwrap();
        assert_eq!(params.get("tag").as_deref(), Some(&b"a\"b"[..]));
        assert_eq!(params.get("LR").as_deref(), Some(&b""[..]));
        assert!(!params.has("received"));
        assert_eq!(rest, b", next");
    }

    #[test]
    fn parameters_are_counted() {
        let params = |count: usize| (0..count).map(|i| format!(";p{i}")).collect::<String>();
        assert!(read(&params(limits::PARAMS)).is_some());
        assert!(read(&params(limits::PARAMS + 1)).is_none());
    }

    #[test]
    fn empty_and_repeated_parameters_and_open_quotes_are_malformed() {
        for text in [";;", ";", ";a;", ";a=", ";=b", ";a=\"open", ";a b", ";a=b c", "x", ";a=1;A=2"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
