//! Writing a message, front to back, into one buffer.

mod value;

use std::net::SocketAddr;

use bytes::Bytes;

pub use value::{NameAddr, Value, ValueWriter, ViaHop};

use crate::grammar::Class;
use crate::message::Request;
use crate::method::Method;
use crate::name::Name;
use crate::status::Status;
use crate::uri::UriRef;

/// A message being written.
///
/// No value can end its line: every control octet in it except the tab becomes a space, so CR, LF and NUL never get
/// out, wherever the value came from. Start lines are made of types that hold none. Content-Length is written last.
#[derive(Debug)]
#[must_use = "ends with body() or end()"]
pub struct Compose {
    out: Vec<u8>,
}

/// Room for an ordinary message.
const ORDINARY: usize = 1024;

impl Compose {
    /// Begins a request.
    pub fn request<'u>(method: &Method, uri: impl Into<UriRef<'u>>) -> Self {
        let mut out = Vec::with_capacity(ORDINARY);
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(uri.into().as_str().as_bytes());
        out.extend_from_slice(b" SIP/2.0\r\n");
        Self { out }
    }

    /// Begins a response, with our words beside the code.
    pub fn response(status: Status) -> Self {
        let mut out = Vec::with_capacity(ORDINARY);
        out.extend_from_slice(b"SIP/2.0 ");
        value::write_decimal(u64::from(status.code()), &mut out);
        out.push(b' ');
        out.extend_from_slice(status.reason().as_bytes());
        out.extend_from_slice(b"\r\n");
        Self { out }
    }

    /// Begins the response to a request with what RFC 3261 §8.2.6 copies: every Via (the topmost with `received` and
    /// `rport` as §18.2.1 and RFC 3581 §4 fill them in from the source address), From, To, Call-ID, CSeq, and in a
    /// 100 Timestamp. `to_tag` is added where the request has none in To; only a 100 may go without.
    pub fn answer(request: &Request, status: Status, to_tag: Option<&str>, source: SocketAddr) -> Self {
        let headers = request.headers();
        let mut answer = Self::response(status);
        for (place, line) in headers.all(Name::Via).enumerate() {
            answer.field(Name::Via.as_str(), |out| match crate::header::Via::read(line) {
                Some((top, rest)) if place == 0 => {
                    top.write_answered(source, out);
                    if let Some(rest) = rest {
                        out.extend_from_slice(b",");
                        out.extend_from_slice(rest);
                    }
                }
                Some(_) | None => out.extend_from_slice(line),
            });
        }
        answer = answer.copied(request, Name::From);
        answer.field(Name::To.as_str(), |out| {
            out.extend_from_slice(headers.first(Name::To).unwrap_or_default());
            if let (None, Some(tag)) = (headers.to().tag(), to_tag) {
                out.extend_from_slice(b";tag=");
                out.extend_from_slice(tag.as_bytes());
            }
        });
        answer = answer.copied(request, Name::CallId).copied(request, Name::CSeq);
        if status == Status::TRYING { answer.copied(request, Name::Timestamp) } else { answer }
    }

    /// Copies every header field of this name from a request: Record-Route into the responses that make a dialog
    /// (RFC 3261 §12.1.1).
    pub fn copied(mut self, from: &Request, name: Name) -> Self {
        for line in from.headers().all(name) {
            self.field(name.as_str(), |out| out.extend_from_slice(line));
        }
        self
    }

    /// Writes a header field. Content-Length, which [`body`](Self::body) and [`end`](Self::end) write, is passed over.
    pub fn header(mut self, name: Name, value: impl Value) -> Self {
        if name != Name::ContentLength {
            self.field(name.as_str(), |out| value.write(&mut ValueWriter::new(out)));
        }
        self
    }

    /// Writes a header field if there is a value.
    pub fn maybe(self, name: Name, value: Option<impl Value>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Writes a header field whose name is not in [`Name`]. Octets that cannot stand in a name become `-`.
    pub fn extension(mut self, name: &str, value: impl Value) -> Self {
        let name: String = name.chars().map(|c| if is_name(c) { c } else { '-' }).collect();
        self.field(&name, |out| value.write(&mut ValueWriter::new(out)));
        self
    }

    /// Ends the message with a body.
    #[must_use]
    pub fn body(self, content_type: impl Value, body: &[u8]) -> Bytes {
        let mut message = self.header(Name::ContentType, content_type);
        message.field(Name::ContentLength.as_str(), |out| value::write_decimal(body.len() as u64, out));
        message.out.extend_from_slice(b"\r\n");
        message.out.extend_from_slice(body);
        message.out.into()
    }

    /// Ends the message without a body.
    #[must_use]
    pub fn end(mut self) -> Bytes {
        self.out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        self.out.into()
    }

    fn field(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        let start = self.out.len();
        write(&mut self.out);
        for octet in &mut self.out[start..] {
            if octet.is_ascii_control() && *octet != b'\t' {
                *octet = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

fn is_name(c: char) -> bool {
    u8::try_from(c).is_ok_and(|octet| Class::TOKEN.has(octet))
}
