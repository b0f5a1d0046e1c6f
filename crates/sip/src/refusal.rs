//! The response to a request that could not be read, composed from the lines that could (RFC 3261 §8.2.6, §8.2.7).

use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;

use bytes::Bytes;
use memchr::memmem;

use crate::compose::Compose;
use crate::grammar::{Class, is_lws, trim};
use crate::header::{Address, Via};
use crate::limits;
use crate::name::Name;
use crate::status::Status;

/// The response, or `None` where the octets are no request, or an ACK, or have no Via. Of From, To, Call-ID and
/// CSeq those are copied that are there: a request without them is best answered all the same (RFC 4475 §3.3.1).
pub(crate) fn compose(octets: &[u8], status: Status, source: SocketAddr) -> Option<Bytes> {
    let octets = &octets[..octets.len().min(limits::MESSAGE)];
    let head = memmem::find(octets, b"\r\n\r\n").map_or(octets, |end| &octets[..end]);
    let mut lines = logical_lines(head);
    let start = lines.find(|line| !line.is_empty())?;
    if !is_answerable(&start) {
        return None;
    }
    let fields: Vec<Field> = lines.take(limits::HEADERS).filter_map(field).collect();
    let first = |name| fields.iter().find(|field| field.name == name).map(|field| &field.value[..]);
    let mut response = Compose::response(status);
    for (place, via) in fields.iter().filter(|field| field.name == Name::Via).enumerate() {
        let mut value = Vec::with_capacity(via.value.len() + 64);
        match Via::read(&via.value) {
            Some((top, rest)) if place == 0 => {
                top.write_answered(source, &mut value);
                if let Some(rest) = rest {
                    value.push(b',');
                    value.extend_from_slice(rest);
                }
            }
            Some(_) | None => value.extend_from_slice(&via.value),
        }
        response = response.header(Name::Via, &value[..]);
    }
    first(Name::Via)?;
    for name in [Name::From, Name::CallId, Name::CSeq] {
        if let Some(value) = first(name) {
            response = response.header(name, value);
        }
    }
    if let Some(to) = first(Name::To) {
        response = response.header(Name::To, &tagged(to, &fields)[..]);
    }
    Some(response.end())
}

/// A header field with its name and its lines joined.
struct Field {
    name: Name,
    value: Vec<u8>,
}

fn is_answerable(start: &[u8]) -> bool {
    let method = start.split(|octet| *octet == b' ').next().unwrap_or_default();
    Class::TOKEN.is_all_of(method) && method != b"ACK"
}

fn field(line: Vec<u8>) -> Option<Field> {
    let colon = memchr::memchr(b':', &line)?;
    let name = Name::parse(trim(&line[..colon]))?;
    Some(Field { name, value: trim(&line[colon + 1..]).to_vec() })
}

fn logical_lines(head: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = head;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut logical = Vec::new();
        loop {
            let end = memmem::find(rest, b"\r\n").unwrap_or(rest.len());
            logical.extend_from_slice(&rest[..end]);
            rest = rest.get(end + 2..).unwrap_or_default();
            if !rest.first().is_some_and(|octet| is_lws(*octet)) {
                return Some(logical);
            }
        }
    })
}

/// To with a tag. A response made without state must have the same tag each time the request comes
/// (RFC 3261 §8.2.7), so the tag is made of what stays the same.
fn tagged(to: &[u8], fields: &[Field]) -> Vec<u8> {
    let mut value = to.to_vec();
    let has_tag = match Address::read(to) {
        Some((address, _)) => address.params().has("tag"),
        None => memmem::find(&to.to_ascii_lowercase(), b"tag=").is_some(),
    };
    if !has_tag {
        let mut hasher = DefaultHasher::new();
        for field in fields {
            hasher.write(&field.value);
        }
        value.extend_from_slice(format!(";tag={:016x}", hasher.finish()).as_bytes());
    }
    value
}
