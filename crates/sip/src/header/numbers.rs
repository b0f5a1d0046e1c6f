//! Headers that are numbers with little around them: Session-Expires, Min-SE (RFC 4028), RAck (RFC 3262),
//! Retry-After (RFC 3261 §20.33), Expires.

use bytes::Bytes;

use super::cseq::split;
use crate::grammar::{Class, is_lws, number, trim, trim_start};
use crate::method::Method;
use crate::params::Params;

/// Session-Expires (RFC 4028 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval in seconds.
    pub seconds: u32,
    /// Who refreshes, where it is said.
    pub refresher: Option<Refresher>,
}

/// Who sends the refreshes of a session, by their role in the transaction that set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

impl SessionExpires {
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let (digits, rest) = Class::DIGIT.take(trim_start(line));
        let seconds = number(digits)?;
        let mut who = None;
        let (_, rest) = Params::read_each(rest, |param| {
            if param.is("refresher") {
                who = Some(param.value_or_end());
            }
        })?;
        let refresher = match who {
            None => None,
            Some(who) if who.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            Some(_) => return None,
        };
        if !rest.is_empty() {
            return None;
        }
        Some(Self { seconds, refresher })
    }
}

/// RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RAck {
    /// The RSeq of the response.
    pub rseq: u32,
    /// The CSeq number of the response.
    pub cseq: u32,
    /// The method of the CSeq of the response.
    pub method: Method,
}

impl RAck {
    pub(crate) fn read(line: &[u8], of: &Bytes) -> Option<Self> {
        let (rseq, rest) = split(line)?;
        let (cseq, method) = split(rest)?;
        Some(Self { rseq: number(rseq)?, cseq: number(cseq)?, method: Method::slice(method, of)? })
    }
}

/// The seconds of Retry-After, Expires, Min-Expires or Min-SE, whatever comment and parameters follow them.
pub(crate) fn delta_seconds(line: &[u8]) -> Option<u32> {
    let (digits, rest) = Class::DIGIT.take(trim(line));
    let ends = rest.first().is_none_or(|octet| is_lws(*octet) || matches!(octet, b';' | b'('));
    if ends { number(digits) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_interval_may_name_its_refresher() {
        let read = |line: &str| SessionExpires::read(line.as_bytes()).map(|se| (se.seconds, se.refresher));
        assert_eq!(read("1800"), Some((1800, None)));
        assert_eq!(read(" 90 ; Refresher=UAS"), Some((90, Some(Refresher::Uas))));
        assert_eq!(read("90;x=y;refresher=uac"), Some((90, Some(Refresher::Uac))));
        for bad in ["", "x", "90;refresher=me", "90;;", "90 90", "4294967296"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn retry_after_is_read_before_its_comment() {
        assert_eq!(delta_seconds(b"120 (in a meeting);duration=3600"), Some(120));
        assert_eq!(delta_seconds(b"5(x)"), Some(5));
        assert_eq!(delta_seconds(b"18000;duration=3600"), Some(18000));
        for bad in ["", "soon", "949302838503028349304023988", "1x", "-1"] {
            assert_eq!(delta_seconds(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn rack_names_a_response() {
        let line = Bytes::from_static(b"776656 1 INVITE");
        let expected = RAck { rseq: 776_656, cseq: 1, method: Method::Invite };
        assert_eq!(RAck::read(&line, &line), Some(expected));
        for bad in [&b"1 INVITE"[..], b"1 2", b"1 2 3 INVITE"] {
            let bad = Bytes::from_static(bad);
            assert_eq!(RAck::read(&bad, &bad), None, "{bad:?}");
        }
    }
}
