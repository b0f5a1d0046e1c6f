//! Content-Type (RFC 3261 §20.15).

use crate::grammar::{ascii, take_token, trim, trim_start};
use crate::params::Params;

/// The type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// `application` in `application/sdp`, as written.
    pub kind: &'a str,
    /// `sdp` in `application/sdp`, as written.
    pub subtype: &'a str,
    /// `;charset=…`, `;boundary=…`.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads a media type; also the media range of an Accept value, where `*` stands for any.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (kind, rest) = take_token(trim(value))?;
        let rest = trim_start(rest).strip_prefix(b"/")?;
        let (subtype, rest) = take_token(trim_start(rest))?;
        let (params, rest) = Params::read(rest)?;
        rest.is_empty().then(|| Self { kind: ascii(kind), subtype: ascii(subtype), params })
    }

    /// Whether it is this type, in any case.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// Whether this range, of an Accept value, holds the type (RFC 3261 §20.1).
    #[must_use]
    pub fn holds(&self, kind: &str, subtype: &str) -> bool {
        let any_subtype = self.subtype == "*" && (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind));
        any_subtype || self.is(kind, subtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_in_any_case_and_ranges_hold_types() {
        let sdp = MediaType::parse(b" Application / SDP ;charset=\"utf-8\" ").unwrap();
        assert!(sdp.is("application", "sdp"));
        assert_eq!(sdp.params.get("charset").as_deref(), Some(&b"utf-8"[..]));
        for (range, holds) in [
            ("*/*", true),
            ("application/*;q=0.1", true),
            ("application/sdp", true),
            ("text/*", false),
            ("*/sdp", false),
        ] {
            assert_eq!(
                MediaType::parse(range.as_bytes()).unwrap().holds("application", "sdp"),
                holds,
                "{range}"
            );
        }
        for bad in
            ["", "application", "application/", "/sdp", "application/sdp;;", "application/sdp, text/plain"]
        {
            assert!(MediaType::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
