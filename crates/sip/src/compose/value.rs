//! What can be written as the value of a header field.

use std::borrow::Cow;
use std::fmt;

use crate::flow::Transport;
use crate::header::{CSeq, MAGIC_COOKIE};
use crate::method::Method;
use crate::uri::{Uri, UriRef};

/// Something that can be the value of a header field, or a part of one.
pub trait Value {
    /// Writes it.
    fn write(&self, to: &mut ValueWriter<'_>);
}

/// Where a value is written. Whatever is written, the header field stays one line.
#[derive(Debug)]
pub struct ValueWriter<'o> {
    out: &'o mut Vec<u8>,
}

impl<'o> ValueWriter<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes a part. Returns itself, so that parts can be chained.
    pub fn put(&mut self, part: impl Value) -> &mut Self {
        part.write(self);
        self
    }
}

/// A name-addr, always in brackets, with a tag where there is one (RFC 3261 §20.20, §20.39).
#[derive(Debug, Clone, Copy)]
pub struct NameAddr<'a> {
    /// The display name, unquoted; it is quoted and escaped in writing.
    pub display: Option<&'a str>,
    /// The URI.
    pub uri: UriRef<'a>,
    /// The tag: a token.
    pub tag: Option<&'a str>,
}

impl Value for NameAddr<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        if let Some(display) = self.display {
            to.out.push(b'"');
            for octet in display.bytes() {
                if matches!(octet, b'"' | b'\\') {
                    to.out.push(b'\\');
                }
                to.out.push(octet);
            }
            to.put("\" ");
        }
        to.put("<").put(self.uri).put(">");
        if let Some(tag) = self.tag {
            to.put(";tag=").put(tag);
        }
    }
}

/// Our own Via, which asks for `rport` (RFC 3581 §3).
#[derive(Debug, Clone, Copy)]
pub struct ViaHop<'a> {
    /// The transport the request is sent by.
    pub transport: Transport,
    /// Host and port, `192.0.2.1:5060`.
    pub sent_by: &'a str,
    /// The branch without the magic cookie, which is put before it.
    pub branch: &'a str,
}

impl Value for ViaHop<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put("SIP/2.0/").put(self.transport.as_str()).put(" ").put(self.sent_by);
        to.put(";branch=").put(MAGIC_COOKIE).put(self.branch).put(";rport");
    }
}

impl Value for CSeq {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.number).put(" ").put(&self.method);
    }
}

impl Value for Method {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.as_str());
    }
}

impl Value for UriRef<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.as_str());
    }
}

impl Value for Uri {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.as_str());
    }
}

impl Value for [u8] {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.out.extend_from_slice(self);
    }
}

impl Value for str {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.out.extend_from_slice(self.as_bytes());
    }
}

impl Value for String {
    fn write(&self, to: &mut ValueWriter<'_>) {
        self.as_str().write(to);
    }
}

impl<T: Value + ToOwned + ?Sized> Value for Cow<'_, T> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        self.as_ref().write(to);
    }
}

/// `format_args!("{seconds};refresher=uac")`.
impl Value for fmt::Arguments<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        let written = fmt::Write::write_fmt(to, *self);
        debug_assert!(written.is_ok(), "only a Display that fails by itself can fail here");
    }
}

impl fmt::Write for ValueWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        Ok(())
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn write(&self, to: &mut ValueWriter<'_>) {
        (**self).write(to);
    }
}

macro_rules! decimal {
    ($($number:ty)*) => {
        $(impl Value for $number {
            fn write(&self, to: &mut ValueWriter<'_>) {
                write_decimal(u64::from(*self), to.out);
            }
        })*
    };
}

decimal! { u8 u16 u32 u64 }

/// Writes a number in decimal digits.
pub(super) fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    loop {
        out.push(b'0' + u8::try_from(number % 10).expect("a remainder of 10 is one digit"));
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[start..].reverse();
}
