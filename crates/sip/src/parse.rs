//! Reading a message: one pass over the head makes an index of its lines, then what must hold is checked.

mod check;
mod scan;

use bytes::{Bytes, BytesMut};

use crate::grammar::number;
use crate::headers::{Headers, Line};
use crate::limits;
use crate::malformed::{Fault, Malformed};
use crate::message::{Message, Request, Response};
use crate::name::Name;
use scan::{Scan, StartLine};

/// A fault and the octet it is at.
type Failure = (Fault, usize);

/// Reads one message: a datagram, or what a [`Framer`](crate::Framer) cut out of a stream. Line ends before it are
/// skipped (RFC 3261 §7.5), octets after Content-Length are cut off, and without Content-Length the body goes to the
/// end (§18.3).
///
/// # Errors
/// What is wrong, with the response to send where one may be sent.
pub fn parse(octets: Bytes) -> Result<Message, Malformed> {
    read(&octets).map_err(|(fault, at)| Malformed::new(fault, at, octets))
}

fn read(octets: &Bytes) -> Result<Message, Failure> {
    if octets.len() > limits::MESSAGE {
        return Err((Fault::TooLong, limits::MESSAGE));
    }
    let scan = scan::scan(octets)?;
    let head = if scan.folded { joined(octets, &scan) } else { octets.slice(..scan.body) };
    let body = body(octets, &scan, &head)?;
    let essentials = check::every_message(&head, &scan.lines)?;
    Ok(match scan.start {
        StartLine::Request { method, uri } => {
            let uri = check::request(&head, &scan.lines, &method, uri, &essentials.cseq)?;
            Message::Request(Request {
                method,
                uri,
                headers: Headers::new(head, scan.lines, essentials),
                body,
            })
        }
        StartLine::Response { status, reason } => Message::Response(Response {
            status,
            reason,
            headers: Headers::new(head, scan.lines, essentials),
            body,
        }),
    })
}

/// A copy of the head in which each folded line is one: the CRLF before a continuation counts as the blanks it
/// stands for (RFC 3261 §7.3.1), so that every offset stays true.
fn joined(octets: &Bytes, scan: &Scan) -> Bytes {
    let mut head = BytesMut::from(&octets[..scan.body]);
    for Line { value, .. } in &scan.lines {
        for octet in &mut head[value.start()..value.end()] {
            if matches!(octet, b'\r' | b'\n') {
                *octet = b' ';
            }
        }
    }
    head.freeze()
}

fn body(octets: &Bytes, scan: &Scan, head: &[u8]) -> Result<Bytes, Failure> {
    let Some(line) = scan.lines.iter().find(|line| line.name == Some(Name::ContentLength)) else {
        return Ok(octets.slice(scan.body..));
    };
    let length = number(line.value(head)).and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or((Fault::Invalid(Name::ContentLength), line.value.start()))?;
    if octets.len() - scan.body < length {
        return Err((Fault::Short, octets.len()));
    }
    Ok(octets.slice(scan.body..scan.body + length))
}
