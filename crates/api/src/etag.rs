//! Entity tags (RFC 9110 §8.8.3, §13.1): of two who change the same order or plan, the second learns that there was a first.

use axum::http::{HeaderMap, HeaderValue, header};
use store::{Order, Precondition};

use crate::problem::{Fault, Problem};

/// The tag of an order.
pub(crate) fn of(order: &Order) -> HeaderValue {
    of_version(order.version())
}

/// The tag of what has versions.
pub(crate) fn of_version(version: u64) -> HeaderValue {
    HeaderValue::from_str(&text(version)).expect("digits and quotes can stand in a header")
}

fn text(version: u64) -> String {
    format!("\"{version:016x}\"")
}

/// What a write asks to be so: `If-Match` with a tag or `*`, `If-None-Match: *`.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let if_match = headers.get(header::IF_MATCH).map(HeaderValue::as_bytes);
    let if_none_match = headers.get(header::IF_NONE_MATCH).map(HeaderValue::as_bytes);
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (Some(b"*"), None) => Ok(Precondition::Exists),
        (None, Some(b"*")) => Ok(Precondition::Absent),
        (Some(tag), None) => version(tag).map(Precondition::Is).ok_or_else(|| {
            Problem::new(Fault::ParameterInvalid, "send the ETag of an answer, or *").at("If-Match")
        }),
        (_, Some(_)) => {
            let detail = "a write knows If-Match with one tag or *, or If-None-Match: *";
            Err(Problem::new(Fault::ParameterInvalid, detail).at("If-None-Match"))
        }
    }
}

fn version(tag: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(tag).ok()?.strip_prefix('"')?.strip_suffix('"')?;
    let plain = digits.len() == 16 && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| plain)
}

/// Whether whoever reads has this order already.
pub(crate) fn is_known(headers: &HeaderMap, order: &Order) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let tag = text(order.version());
    let weak = |candidate: &str| candidate.trim().trim_start_matches("W/") == tag;
    known.is_some_and(|known| known.trim() == "*" || known.split(',').any(weak))
}

/// What was to be so is not.
pub(crate) fn failed() -> Problem {
    let detail = "somebody changed it, made it or took it away meanwhile: read it again";
    Problem::new(Fault::PreconditionFailed, detail)
}
