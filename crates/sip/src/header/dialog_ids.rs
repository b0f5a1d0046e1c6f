//! Replaces and Join (RFC 3891 §6.1, RFC 3911).

use crate::grammar::{Class, ascii, trim};
use crate::params::Params;

/// A dialog of the receiver, named by its three parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a str,
    /// The receiver's tag.
    pub to_tag: &'a [u8],
    /// The other side's tag.
    pub from_tag: &'a [u8],
    /// Whether only an early dialog is meant.
    pub early_only: bool,
}

impl<'a> Replaces<'a> {
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let end = line.iter().position(|octet| *octet == b';').unwrap_or(line.len());
        let (call_id, rest) = (trim(&line[..end]), &line[end..]);
        let (params, rest) = Params::read(rest)?;
        if !Class::GRAPHIC.is_all_of(call_id) || !rest.is_empty() {
            return None;
        }
        let tag = |name| params.find(name)?.value();
        Some(Self {
            call_id: ascii(call_id),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_parts_are_needed() {
        let read = |line: &'static str| Replaces::read(line.as_bytes());
        let replaces = read("98732@sip.example.com ;from-tag=r33th4x0r ;to-tag=ff87ff;early-only").unwrap();
        assert_eq!(
            (replaces.call_id, replaces.to_tag, replaces.from_tag),
            ("98732@sip.example.com", &b"ff87ff"[..], &b"r33th4x0r"[..])
        );
        assert!(replaces.early_only);
        for bad in ["", "a;to-tag=1", "a;from-tag=1", "a;to-tag=1;from-tag", ";to-tag=1;from-tag=2"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
