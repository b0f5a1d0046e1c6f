//! The session description a message carries: its body, or a part of a multipart body, as trunks send that also
//! speak ISUP (RFC 3204, RFC 5621).

use bytes::Bytes;
use memchr::memmem;
use sip::{Headers, MediaType, Name};

/// What the body of a message is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing, or something that may be passed over.
    None,
    /// A session description.
    Description(Bytes),
    /// Something that must be understood and is not.
    Unsupported,
    /// Something packed in a way that must be understood and is not.
    Encoded,
}

impl Body {
    pub(crate) fn read(headers: &Headers, body: &Bytes) -> Self {
        if body.is_empty() {
            return Self::None;
        }
        if headers.tokens(Name::ContentEncoding).any(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Self::Encoded;
        }
        let description = headers.content_type().and_then(|media| description(&media, body));
        match description {
            Some(description) => Self::Description(description),
            None if is_optional(headers) => Self::None,
            None => Self::Unsupported,
        }
    }

    /// The session description, if it is one.
    pub(crate) fn description(self) -> Option<Bytes> {
        match self {
            Self::Description(sdp) => Some(sdp),
            Self::None | Self::Unsupported | Self::Encoded => None,
        }
    }
}

fn description(media: &MediaType<'_>, body: &Bytes) -> Option<Bytes> {
    if media.is("application", "sdp") {
        return Some(body.clone());
    }
    if !media.kind.eq_ignore_ascii_case("multipart") {
        return None;
    }
    let boundary = media.params.get("boundary")?;
    parts(body, &boundary).find_map(|part| {
        let end = memmem::find(&part, b"\r\n\r\n")?;
        let media = part_type(&part[..end])?;
        media.is("application", "sdp").then(|| part.slice(end + 4..))
    })
}

/// `handling=optional`: whoever does not understand the body may pass it over (RFC 3261 §20.11).
fn is_optional(headers: &Headers) -> bool {
    let Some(disposition) = headers.first(Name::ContentDisposition) else { return false };
    let mut params = disposition.split(|octet| *octet == b';').skip(1);
    params.any(|param| {
        let text: Vec<u8> = param.iter().filter(|octet| !octet.is_ascii_whitespace()).copied().collect();
        text.eq_ignore_ascii_case(b"handling=optional")
    })
}

/// The parts between the boundaries, with their header fields (RFC 2046 §5.1.1).
fn parts<'b>(body: &'b Bytes, boundary: &[u8]) -> impl Iterator<Item = Bytes> + use<'b> {
    let mut delimiter = b"--".to_vec();
    delimiter.extend_from_slice(boundary);
    let starts: Vec<usize> = memmem::find_iter(body, &delimiter).take(PARTS + 1).collect();
    let length = delimiter.len();
    let ends: Vec<usize> = starts.iter().skip(1).copied().collect();
    starts.into_iter().zip(ends).filter_map(move |(start, end)| {
        let start = start + length;
        let line = memmem::find(&body[start..end], b"\r\n")?;
        let end = end.checked_sub(2).filter(|end| body[*end..].starts_with(b"\r\n"))?;
        // The line end after a boundary may be the one before an empty header.
        (start + line <= end).then(|| body.slice((start + line + 2).min(end)..end))
    })
}

/// Most parts of a body that are looked at.
const PARTS: usize = 16;

fn part_type(head: &[u8]) -> Option<MediaType<'_>> {
    head.split(|octet| *octet == b'\n').find_map(|line| {
        let colon = line.iter().position(|octet| *octet == b':')?;
        let is_type = Name::parse(line[..colon].trim_ascii()) == Some(Name::ContentType);
        is_type.then(|| MediaType::parse(line[colon + 1..].trim_ascii()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str, body: &str) -> Body {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let message = sip::parse(text.into()).unwrap();
        Body::read(message.headers(), message.body())
    }

    fn sdp(text: &'static str) -> Body {
        Body::Description(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_description_is_taken_by_its_type_in_any_case() {
        assert_eq!(read("Content-Type: application/sdp\r\n", "v=0\r\n"), sdp("v=0\r\n"));
        assert_eq!(read("c: Application/SDP;charset=utf-8\r\n", "v=0\r\n"), sdp("v=0\r\n"));
        assert_eq!(read("Content-Type: application/sdp\r\n", ""), Body::None);
    }

    #[test]
    fn other_types_are_unsupported_unless_they_are_optional() {
        assert_eq!(read("Content-Type: application/isup\r\n", "x"), Body::Unsupported);
        assert_eq!(read("", "v=0\r\n"), Body::Unsupported);
        let optional = "Content-Type: text/plain\r\nContent-Disposition: render; handling = Optional\r\n";
        assert_eq!(read(optional, "x"), Body::None);
    }

    #[test]
    fn a_coding_must_be_identity() {
        assert_eq!(read("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", "x"), Body::Encoded);
        assert_eq!(read("Content-Type: application/sdp\r\ne: identity\r\n", "v=0\r\n"), sdp("v=0\r\n"));
    }

    #[test]
    fn a_description_is_found_among_the_parts() {
        let body = "preamble\r\n--b-1\r\nContent-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x02\r\n--b-1\r\nContent-Length: 5\r\nc:application/sdp\r\n\r\nv=0\r\ns=-\r\n\r\n--b-1--\r\n";
        assert_eq!(read("Content-Type: multipart/mixed;boundary=\"b-1\"\r\n", body), sdp("v=0\r\ns=-\r\n"));
    }

    #[test]
    fn a_broken_multipart_is_unsupported() {
        for body in [
            "--b",
            "--b\r\n--b--",
            "--b--b--b",
            "--b\r\nContent-Type: application/sdp\r\n\r\nv=0",
            "\r\n--b\r\n\r\n--b--",
            "x",
        ] {
            assert_eq!(
                read("Content-Type: multipart/mixed;boundary=b\r\n", body),
                Body::Unsupported,
                "{body:?}"
            );
        }
        assert_eq!(read("Content-Type: multipart/mixed\r\n", "--b\r\n\r\nx\r\n--b--"), Body::Unsupported);
    }
}
