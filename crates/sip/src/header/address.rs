//! name-addr and addr-spec with parameters: From, To, Contact, Route, P-Asserted-Identity and their like
//! (RFC 3261 §20.10).

use std::borrow::Cow;

use crate::grammar::{Class, ascii, is_lws, take_quoted, trim, trim_start};
use crate::params::{Params, is_blank, is_text, unquote};
use crate::span::Span;
use crate::uri::{KeptUri, UriRef};

/// A URI with what a header says about it.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    display: &'a [u8],
    uri: UriRef<'a>,
    params: Params<'a>,
    /// The value of the tag; empty where it has none.
    tag: Option<&'a [u8]>,
}

/// From or To of a message, kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptAddress {
    display: Span,
    uri: KeptUri,
    params: Span,
    tag: Option<Span>,
}

impl<'a> Address<'a> {
    /// Reads the first value of a line. Returns it and what follows its comma.
    pub(crate) fn read(line: &'a [u8]) -> Option<(Self, Option<&'a [u8]>)> {
        let line = trim_start(line);
        let (display, rest) = match line {
            [b'"', ..] => take_quoted(line)?,
            _ => Class::DISPLAY.take(line),
        };
        let (display, uri, rest) = match trim_start(rest) {
            [b'<', rest @ ..] => {
                let (uri, rest) = UriRef::take(rest)?;
                (trim(display), uri, rest.strip_prefix(b">")?)
            }
            // Without brackets the URI ends at the first semicolon, comma or blank, and a question mark would
            // be anybody's (RFC 3261 §20).
            _ => {
                let ends = |octet: &u8| is_lws(*octet) || matches!(octet, b';' | b',');
                let (uri, rest) = line.split_at(line.iter().position(ends).unwrap_or(line.len()));
                let uri = (!uri.contains(&b'?')).then_some(uri)?;
                (&line[..0], UriRef::parse(uri).ok()?, rest)
            }
        };
        let mut tag = None;
        let (params, rest) = Params::read_each(rest, |param| {
            if param.is("tag") {
                tag = Some(param.value_or_end());
            }
        })?;
        Some((Self { display, uri, params, tag }, rest.strip_prefix(b",")))
    }

    /// Reads a line that holds one value, with a tag that is one or none at all.
    pub(crate) fn read_sole(line: &'a [u8]) -> Option<Self> {
        let (address, rest) = Self::read(line)?;
        let sound = address.tag.is_none_or(is_text);
        (rest.is_none() && sound).then_some(address)
    }

    pub(crate) fn keep(&self, head: &[u8]) -> KeptAddress {
        let span = |part| Span::of(part, head);
        KeptAddress {
            display: span(self.display),
            uri: self.uri.keep(head),
            params: span(self.params.as_bytes()),
            tag: self.tag.map(span),
        }
    }

    pub(crate) fn kept(address: &KeptAddress, head: &'a [u8]) -> Self {
        Self {
            display: address.display.in_head(head),
            uri: UriRef::kept(&address.uri, head),
            params: Params::checked(address.params.in_head(head)),
            tag: address.tag.map(|tag| tag.in_head(head)),
        }
    }

    /// The display name without quotes; empty without one. Octets as received: UTF-8, Latin-1 or worse.
    #[must_use]
    pub fn display(&self) -> Cow<'a, [u8]> {
        unquote(self.display)
    }

    /// The URI.
    #[must_use]
    pub fn uri(&self) -> UriRef<'a> {
        self.uri
    }

    /// The parameters of the header, not of the URI.
    #[must_use]
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The tag of From and To (RFC 3261 §19.3).
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.tag.filter(|tag| is_text(tag)).map(ascii)
    }
}

/// The values of header fields that are lists of addresses, in the order of the message, over comma lists and
/// repeated lines alike. What follows a malformed value on its line is passed over.
#[derive(Debug, Clone)]
pub struct Addresses<'a, L> {
    lines: L,
    rest: Option<&'a [u8]>,
}

impl<'a, L: Iterator<Item = &'a [u8]>> Addresses<'a, L> {
    pub(crate) fn new(lines: L) -> Self {
        Self { lines, rest: None }
    }
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for Addresses<'a, L> {
    type Item = Address<'a>;

    fn next(&mut self) -> Option<Address<'a>> {
        loop {
            let line = match self.rest.take() {
                Some(rest) => rest,
                None => self.lines.next()?,
            };
            if let Some((address, rest)) = Address::read(line) {
                self.rest = rest;
                return Some(address);
            }
        }
    }
}

/// Whether the line is a list of addresses from end to end.
pub(crate) fn is_address_list(line: &[u8]) -> bool {
    let mut rest = Some(line);
    while let Some(line) = rest {
        match Address::read(line) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// Whether the line is the `*` of a Contact (RFC 3261 §10.2.2).
pub(crate) fn is_star(line: &[u8]) -> bool {
    matches!(trim_start(line), [b'*', rest @ ..] if is_blank(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Address<'_> {
        Address::read_sole(line.as_bytes()).unwrap()
    }

    #[test]
    fn brackets_decide_whose_the_parameters_are() {
        let inside = read("<sip:a@b;user=phone>;tag=1");
        assert_eq!((inside.uri().as_str(), inside.tag()), ("sip:a@b;user=phone", Some("1")));
        let outside = read("sip:a@b;user=phone;tag=1");
        assert_eq!((outside.uri().as_str(), outside.tag()), ("sip:a@b", Some("1")));
        assert!(outside.params().has("user"));
    }

    #[test]
    fn lws_may_stand_around_the_tag() {
        assert_eq!(read("sip:v@h ;   tag    = 1918181833n").tag(), Some("1918181833n"));
        assert_eq!(read("\"J\"       <sip:j@h>  ;  tag = 98asjd8").tag(), Some("98asjd8"));
    }

    #[test]
    fn display_names_are_octets() {
        assert_eq!(read(r#""a \"b\" > c, d" <sip:a@b>"#).display(), &br#"a "b" > c, d"#[..]);
        assert_eq!(read("caller<sip:a@b>").display(), &b"caller"[..]);
        assert_eq!(
            read("token1~` token2'+_ token3*%!.- <sip:a@b>").display(),
            &b"token1~` token2'+_ token3*%!.-"[..]
        );
        let (latin, _) = Address::read(b"\"J\xf6rg\" <sip:a@b>").unwrap();
        assert_eq!(latin.display(), &b"J\xf6rg"[..]);
        let (bare, _) = Address::read(b"J\xf6rg <sip:a@b>").unwrap();
        assert_eq!(bare.display(), &b"J\xf6rg"[..]);
        assert_eq!(read("<tel:+79991112233>").display(), &b""[..]);
    }

    #[test]
    fn one_line_may_hold_several() {
        let lines = [&br#""Bell, A" <sip:a@b>;q=1 , sip:c@d"#[..], b"<sip:e@f,g>"];
        let uris: Vec<_> = Addresses::new(lines.into_iter()).map(|address| address.uri().as_str()).collect();
        assert_eq!(uris, ["sip:a@b", "sip:c@d"], "the comma of the last line is not one of a sip URI's host");
    }

    #[test]
    fn malformed_addresses_are_not_read() {
        for line in [
            "",
            "\"open <sip:a@b>",
            "< sip:a@b >",
            "<sip:a@b",
            "sip:a@b>",
            "Bell, Alexander <sip:a@b>;tag=43",
            "\"Joe\" <sip:joe@example.org>;;;;",
            "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
            "sip:a@b sip:c@d",
            "<sip:a@b> <sip:c@d>",
            "sip:a@b, sip:c@d",
            "sip:evil@x <sip:a@b>",
            "sip:a@b;tag=",
            "sip:a@b;tag",
            "sip:a@b;tag=\"x\"",
            "alan@jasomi.com",
        ] {
            assert!(Address::read_sole(line.as_bytes()).is_none(), "{line}");
        }
    }
}
