//! Cutting a stream into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

use crate::grammar::{is_lws, number, trim, trim_folded};
use crate::limits;
use crate::name::Name;

/// Gathers the octets of one connection and gives whole messages back.
///
/// It holds at most one unfinished message and what was pushed with its end. After an error the connection has lost
/// its framing: it gives nothing more and must be closed.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// How far the buffer was searched for the end of the head.
    searched: usize,
    /// The length of the message at the front, once its head is there.
    message: Option<usize>,
    failed: Option<FramingError>,
    told: bool,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message, for [`parse`](crate::parse).
    Message(Bytes),
    /// Two line ends between messages: the other side asks for one in return, a pong (RFC 5626 §3.5.1).
    Ping,
}

/// Why a stream cannot be cut any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FramingError {
    /// A message is longer than [`limits::MESSAGE`](crate::limits::MESSAGE), or too much was pushed before the
    /// frames in it were taken.
    TooLong,
    /// A message has no Content-Length (RFC 3261 §18.3: on a stream it must).
    NoContentLength,
    /// A Content-Length is not a number, or there are two.
    ContentLength,
    /// A CR or LF in a head that is not half of a CRLF: where the head ends is anybody's guess.
    LineEnd,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "the message is too long",
            Self::NoContentLength => "no Content-Length on a stream",
            Self::ContentLength => "Content-Length is no number or is there twice",
            Self::LineEnd => "CR or LF alone",
        })
    }
}

impl std::error::Error for FramingError {}

const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";

impl Framer {
    /// A framer for a new connection. It takes no memory before octets come.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what was received, up to [`limits::MESSAGE`](crate::limits::MESSAGE) octets at a time; take all frames
    /// before pushing again.
    pub fn push(&mut self, octets: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.buffer.len() + octets.len() > 2 * limits::MESSAGE {
            self.fail(FramingError::TooLong);
            return;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// The next frame; `None` until more octets come. An error is given once.
    pub fn next_frame(&mut self) -> Option<Result<Frame, FramingError>> {
        let frame = if self.failed.is_none() { self.cut() } else { Ok(None) };
        if let Err(error) = frame {
            self.fail(error);
        }
        match self.failed {
            Some(_) if self.told => None,
            Some(error) => {
                self.told = true;
                Some(Err(error))
            }
            None => frame.transpose(),
        }
    }

    /// Takes one line end that stands alone: the answer to a ping of ours (RFC 5626 §3.5.1). Only who waits for one may
    /// take it; to everyone else it is the first half of a ping.
    pub fn take_pong(&mut self) -> bool {
        let is_pong = *self.buffer == *LINE_END;
        if is_pong {
            self.buffer.clear();
        }
        is_pong
    }

    /// Whether a message has begun that is not whole: a connection that stays so is slow on purpose, or dead.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        !self.is_ping_begun()
    }

    /// Whether there is nothing but what a ping may begin with.
    fn is_ping_begun(&self) -> bool {
        HEAD_END.starts_with(&self.buffer)
    }

    fn fail(&mut self, error: FramingError) {
        self.failed = Some(error);
        self.buffer = BytesMut::new();
    }

    fn cut(&mut self) -> Result<Option<Frame>, FramingError> {
        if self.message.is_none() {
            if self.skip_line_ends() {
                return Ok(Some(Frame::Ping));
            }
            self.message = self.measure()?;
        }
        let Some(length) = self.message.filter(|length| *length <= self.buffer.len()) else {
            return Ok(None);
        };
        self.message = None;
        self.searched = 0;
        Ok(Some(Frame::Message(self.buffer.split_to(length).freeze())))
    }

    /// Takes line ends off the front; whether two of them made a ping. A single one before a message, or alone, is a
    /// pong or padding (RFC 3261 §7.5).
    fn skip_line_ends(&mut self) -> bool {
        if self.buffer.starts_with(HEAD_END) {
            self.buffer.advance(HEAD_END.len());
            return true;
        }
        // One line end may be the first half of a ping: it waits for what comes after it.
        if self.buffer.starts_with(LINE_END) && !self.is_ping_begun() {
            self.buffer.advance(LINE_END.len());
        }
        false
    }

    /// The length of the message at the front; `None` until its head is there.
    fn measure(&mut self) -> Result<Option<usize>, FramingError> {
        if self.is_ping_begun() {
            return Ok(None);
        }
        let from = self.searched.saturating_sub(HEAD_END.len() - 1);
        let Some(end) = memmem::find(&self.buffer[from..], HEAD_END) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() >= limits::MESSAGE { Err(FramingError::TooLong) } else { Ok(None) };
        };
        let head = from + end + HEAD_END.len();
        let length = head + content_length(&self.buffer[..head - LINE_END.len()])?;
        if length > limits::MESSAGE { Err(FramingError::TooLong) } else { Ok(Some(length)) }
    }
}

/// Content-Length of a head whose every line ends in CRLF. Two of them are refused even where they agree: the next
/// reader may choose the other.
fn content_length(head: &[u8]) -> Result<usize, FramingError> {
    let mut found = None;
    let mut rest = head;
    while !rest.is_empty() {
        let (line, after) = logical_line(rest)?;
        rest = after;
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if Name::parse(trim(&line[..colon])) == Some(Name::ContentLength) {
            let length =
                number(trim_folded(&line[colon + 1..])).and_then(|length| usize::try_from(length).ok());
            if found.replace(length.ok_or(FramingError::ContentLength)?).is_some() {
                return Err(FramingError::ContentLength);
            }
        }
    }
    found.ok_or(FramingError::NoContentLength)
}

/// Splits off a line with its continuations.
fn logical_line(head: &[u8]) -> Result<(&[u8], &[u8]), FramingError> {
    let mut end = 0;
    loop {
        end += memchr::memchr2(b'\r', b'\n', &head[end..]).ok_or(FramingError::LineEnd)?;
        if !head[end..].starts_with(LINE_END) {
            return Err(FramingError::LineEnd);
        }
        let next = end + LINE_END.len();
        if !head.get(next).is_some_and(|octet| is_lws(*octet)) {
            return Ok((&head[..end], &head[next..]));
        }
        end = next;
    }
}
