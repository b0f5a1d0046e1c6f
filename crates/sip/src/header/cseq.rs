//! CSeq (RFC 3261 §20.16).

use bytes::Bytes;

use crate::grammar::{Class, number, take_lws, trim};
use crate::method::Method;

/// The place of a request in its dialog.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number. RFC 3261 §8.1.1.5 wants it below 2^31; all 32 bits are read.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    pub(crate) fn read(line: &[u8], of: &Bytes) -> Option<Self> {
        let (digits, method) = split(line)?;
        Some(Self { number: number(digits)?, method: Method::slice(method, of)? })
    }
}

/// Splits a number from the method after it.
pub(super) fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, rest) = Class::DIGIT.take(trim(line));
    let (blank, method) = take_lws(rest);
    (!blank.is_empty()).then_some((digits, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &'static str) -> Option<(u32, String)> {
        let line = Bytes::from_static(line.as_bytes());
        CSeq::read(&line, &line).map(|cseq| (cseq.number, cseq.method.to_string()))
    }

    #[test]
    fn number_and_method_are_told_apart_by_blanks() {
        assert_eq!(read("0009   INVITE"), Some((9, "INVITE".into())));
        assert_eq!(read("4294967295 x"), Some((u32::MAX, "x".into())));
        for bad in [
            "",
            "1",
            "1INVITE",
            "INVITE",
            "-1 INVITE",
            "4294967296 INVITE",
            "1 IN VITE",
            "1 INVITE;x",
            " INVITE",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
