//! The index: where each line is and what its name is.

use bytes::Bytes;
use memchr::{memchr, memchr2};

use super::Failure;
use crate::grammar::{Class, is_lws, trim_folded};
use crate::headers::Line;
use crate::limits;
use crate::malformed::Fault;
use crate::method::Method;
use crate::name::Name;
use crate::span::Span;
use crate::status::Status;

/// Lines of an ordinary message: more need one more allocation.
const ORDINARY: usize = 24;

/// A head, taken apart.
pub(super) struct Scan {
    pub(super) start: StartLine,
    pub(super) lines: Vec<Line>,
    /// Whether any line is folded.
    pub(super) folded: bool,
    /// Where the body begins.
    pub(super) body: usize,
}

/// The start line, with the octets where its text part is.
pub(super) enum StartLine {
    Request { method: Method, uri: Span },
    Response { status: Status, reason: Span },
}

pub(super) fn scan(octets: &Bytes) -> Result<Scan, Failure> {
    let mut at = octets.chunks_exact(2).take_while(|pair| pair == b"\r\n").count() * 2;
    if at == octets.len() {
        return Err((Fault::KeepAlive, at));
    }
    let end = line_end(octets, at)?;
    let start = start_line(octets, at, end)?;
    at = end + 2;
    let mut lines = Lines { lines: Vec::with_capacity(ORDINARY), counts: [0; Name::COUNT] };
    let mut folded = false;
    loop {
        let mut end = line_end(octets, at)?;
        if end == at {
            return Ok(Scan { start, lines: lines.lines, folded, body: end + 2 });
        }
        while octets.get(end + 2).is_some_and(|octet| is_lws(*octet)) {
            folded = true;
            end = line_end(octets, end + 2)?;
        }
        lines.add(octets, at, end)?;
        at = end + 2;
    }
}

/// Where the CRLF is that ends the line which begins at `at`.
fn line_end(octets: &[u8], at: usize) -> Result<usize, Failure> {
    let end = at + memchr2(b'\r', b'\n', &octets[at..]).ok_or((Fault::Unfinished, octets.len()))?;
    match octets[end..] {
        [b'\r', b'\n', ..] => Ok(end),
        [b'\r'] => Err((Fault::Unfinished, octets.len())),
        _ => Err((Fault::LineEnd, end)),
    }
}

fn start_line(octets: &Bytes, at: usize, end: usize) -> Result<StartLine, Failure> {
    if end - at > limits::LINE {
        return Err((Fault::LineTooLong, at));
    }
    let line = &octets[at..end];
    // Single spaces divide it, nothing else and nowhere else (RFC 3261 §7.1).
    let space = memchr(b' ', line).ok_or((Fault::StartLine, at))?;
    let (first, rest) = (&line[..space], &line[space + 1..]);
    if first.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        is_version(first).then_some(()).ok_or((Fault::Version, at))?;
        return status_line(rest, at + space + 1);
    }
    let method = Method::slice(first, octets).ok_or((Fault::StartLine, at))?;
    let uri = at + space + 1;
    let space = memchr(b' ', rest).ok_or((Fault::StartLine, uri))?;
    let version = &rest[space + 1..];
    if space == 0 || memchr(b' ', version).is_some() {
        return Err((Fault::StartLine, uri));
    }
    if !is_version(version) {
        return Err((Fault::Version, uri + space + 1));
    }
    Ok(StartLine::Request { method, uri: Span::new(uri, uri + space) })
}

fn is_version(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"SIP/2.0")
}

/// `rest` is what follows the version; it begins at octet `at` of the message.
fn status_line(rest: &[u8], at: usize) -> Result<StartLine, Failure> {
    let fault = (Fault::StatusCode, at);
    let (digits, reason) = rest.split_at_checked(3).ok_or(fault)?;
    // The space before an empty reason phrase is often left out.
    if !matches!(reason, [] | [b' ', ..]) {
        return Err(fault);
    }
    let code = crate::grammar::number(digits).and_then(|code| u16::try_from(code).ok());
    let status = code.and_then(Status::new).ok_or(fault)?;
    let start = at + 3 + reason.len().min(1);
    Ok(StartLine::Response { status, reason: Span::new(start, at + rest.len()) })
}

struct Lines {
    lines: Vec<Line>,
    counts: [u8; Name::COUNT],
}

impl Lines {
    fn add(&mut self, octets: &[u8], start: usize, end: usize) -> Result<(), Failure> {
        if end - start > limits::LINE {
            return Err((Fault::LineTooLong, start));
        }
        if self.lines.len() == limits::HEADERS {
            return Err((Fault::TooMany, start));
        }
        let line = &octets[start..end];
        let length = Class::TOKEN.run(line);
        // Before the colon only blanks may stand: a header that one reader sees and another does not starts there.
        let colon = length + line[length..].iter().take_while(|octet| is_lws(**octet)).count();
        if length == 0 || line.get(colon) != Some(&b':') {
            return Err((Fault::HeaderName, start));
        }
        let name = Name::of_token(&line[..length]);
        if let Some(name) = name {
            self.count(name, start)?;
        }
        let (text, value) =
            (Span::new(start, start + length), Span::of(trim_folded(&line[colon + 1..]), octets));
        self.lines.push(Line { name, text, value });
        Ok(())
    }

    fn count(&mut self, name: Name, at: usize) -> Result<(), Failure> {
        let count = &mut self.counts[name as usize];
        if *count > 0 && name.is_single() {
            return Err((Fault::Repeated(name), at));
        }
        if usize::from(*count) == limits::SAME_HEADERS {
            return Err((Fault::TooMany, at));
        }
        *count += 1;
        Ok(())
    }
}
