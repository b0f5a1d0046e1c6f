//! What must hold before anybody looks at a message. A header that decides nothing may be nonsense
//! (RFC 3261 §8.2.2); these decide.

use bytes::Bytes;

use super::Failure;
use crate::grammar::{Class, number};
use crate::header::{Address, CSeq, KeptVia, MediaType, Via, is_address_list, is_star};
use crate::headers::{Essentials, Line};
use crate::limits;
use crate::malformed::Fault;
use crate::method::Method;
use crate::name::Name;
use crate::span::Span;
use crate::uri::{KeptUri, UriRef};

/// Reads Via, From, To, Call-ID and CSeq.
pub(super) fn every_message(head: &Bytes, lines: &[Line]) -> Result<Essentials, Failure> {
    let via = vias(head, lines)?;
    let address = |name| {
        let line = sole(lines, name)?;
        let address = Address::read_sole(line.value(head)).ok_or_else(|| invalid(line, name))?;
        Ok(address.keep(head))
    };
    let (from, to) = (address(Name::From)?, address(Name::To)?);
    let call_id = sole(lines, Name::CallId)?;
    // More than the grammar has: it is only ever compared and sent back.
    let value = call_id.value(head);
    if !Class::GRAPHIC.is_all_of(value) {
        return Err(invalid(call_id, Name::CallId));
    }
    let line = sole(lines, Name::CSeq)?;
    let cseq = CSeq::read(line.value(head), head).ok_or_else(|| invalid(line, Name::CSeq))?;
    Ok(Essentials { via, from, to, call_id: call_id.value, cseq })
}

/// Checks what only requests have, or what only a request may be refused for; gives the Request-URI back.
pub(super) fn request(
    head: &Bytes,
    lines: &[Line],
    method: &Method,
    uri: Span,
    cseq: &CSeq,
) -> Result<KeptUri, Failure> {
    let kept = match UriRef::parse(uri.in_head(head)) {
        Ok(uri) if !uri.has_headers() => uri.keep(head),
        Ok(_) | Err(_) => return Err((Fault::RequestUri, uri.start())),
    };
    if cseq.method != *method {
        return Err((Fault::CSeqMethod, sole(lines, Name::CSeq)?.value.start()));
    }
    for line in lines {
        let Some(name) = line.name else { continue };
        let value = line.value(head);
        let sound = if name == Name::MaxForwards {
            number(value).is_some_and(|hops| hops <= u32::from(u8::MAX))
        } else if name == Name::Contact {
            is_address_list(value) || is_star(value)
        } else if name == Name::Route || name == Name::RecordRoute {
            is_address_list(value)
        } else if name == Name::ContentType {
            MediaType::parse(value).is_some()
        } else {
            true
        };
        if !sound {
            return Err(invalid(line, name));
        }
    }
    Ok(kept)
}

/// Reads every hop and gives the topmost back.
fn vias(head: &[u8], lines: &[Line]) -> Result<KeptVia, Failure> {
    let mut top = None;
    let mut hops = 0;
    for line in lines.iter().filter(|line| line.name == Some(Name::Via)) {
        let mut rest = Some(line.value(head));
        while let Some(text) = rest {
            let (via, after) = Via::read(text).ok_or_else(|| invalid(line, Name::Via))?;
            if hops == 0 {
                top = Some(via.is_sound().then(|| via.keep(head)).ok_or_else(|| invalid(line, Name::Via))?);
            }
            hops += 1;
            if hops > limits::SAME_HEADERS {
                return Err((Fault::TooMany, line.text.start()));
            }
            rest = after;
        }
    }
    top.ok_or((Fault::Missing(Name::Via), 0))
}

/// The one line of this name: a second one was refused when the index was made.
fn sole(lines: &[Line], name: Name) -> Result<&Line, Failure> {
    lines.iter().find(|line| line.name == Some(name)).ok_or((Fault::Missing(name), 0))
}

fn invalid(line: &Line, name: Name) -> Failure {
    (Fault::Invalid(name), line.value.start())
}
