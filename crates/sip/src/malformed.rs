//! What is wrong with a message that was not read.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::name::Name;
use crate::refusal;
use crate::status::Status;

/// Octets that are no SIP message, and why.
#[derive(Clone)]
pub struct Malformed {
    fault: Fault,
    at: usize,
    octets: Bytes,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing but line ends or nothing at all: keeps a NAT binding open (RFC 5626 §3.5.1), is no message.
    KeepAlive,
    /// Longer than [`limits::MESSAGE`](crate::limits::MESSAGE).
    TooLong,
    /// The start line is neither a Request-Line nor a Status-Line.
    StartLine,
    /// Another version than SIP/2.0.
    Version,
    /// The Request-URI cannot be read, or has headers (RFC 3261 §19.1.1).
    RequestUri,
    /// The status code is not 100 to 699.
    StatusCode,
    /// A CR or LF that is not half of a CRLF.
    LineEnd,
    /// The empty line after the header fields is missing.
    Unfinished,
    /// A start line or header field longer than [`limits::LINE`](crate::limits::LINE).
    LineTooLong,
    /// More header fields than [`limits`](crate::limits) allows, of one name or in all.
    TooMany,
    /// A header field without a name, with octets in it that a name cannot have, or without a colon.
    HeaderName,
    /// Fewer octets than Content-Length says.
    Short,
    /// A header field that must be there is not.
    Missing(Name),
    /// A header field is there twice that may be there once.
    Repeated(Name),
    /// A header field that matters cannot be read.
    Invalid(Name),
    /// CSeq names another method than the request has.
    CSeqMethod,
}

impl Malformed {
    pub(crate) fn new(fault: Fault, at: usize, octets: Bytes) -> Self {
        Self { fault, at, octets }
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Where, in octets from the start of what was given to the parser.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The status a request at fault is answered with.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.fault {
            Fault::Version => Status::VERSION_NOT_SUPPORTED,
            Fault::TooLong => Status::MESSAGE_TOO_LARGE,
            Fault::KeepAlive
            | Fault::StartLine
            | Fault::RequestUri
            | Fault::StatusCode
            | Fault::LineEnd
            | Fault::Unfinished
            | Fault::LineTooLong
            | Fault::TooMany
            | Fault::HeaderName
            | Fault::Short
            | Fault::Missing(_)
            | Fault::Repeated(_)
            | Fault::Invalid(_)
            | Fault::CSeqMethod => Status::BAD_REQUEST,
        }
    }

    /// The whole response to send back, without keeping state (RFC 3261 §8.2.7), to where the octets came from.
    /// `None` where none may be sent or none would be understood: to a response, to an ACK, to what has no Via, and
    /// where line ends are not what they seem. Equal octets are given equal responses.
    #[must_use]
    pub fn refusal(&self, source: SocketAddr) -> Option<Bytes> {
        match self.fault {
            Fault::KeepAlive | Fault::LineEnd | Fault::StatusCode => None,
            Fault::TooLong
            | Fault::StartLine
            | Fault::Version
            | Fault::RequestUri
            | Fault::Unfinished
            | Fault::LineTooLong
            | Fault::TooMany
            | Fault::HeaderName
            | Fault::Short
            | Fault::Missing(_)
            | Fault::Repeated(_)
            | Fault::Invalid(_)
            | Fault::CSeqMethod => refusal::compose(&self.octets, self.status(), source),
        }
    }
}

/// Without the octets: they can hold anybody's number.
impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Malformed").field("fault", &self.fault).field("at", &self.at).finish_non_exhaustive()
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (octet {})", self.fault, self.at)
    }
}

impl std::error::Error for Malformed {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeepAlive => f.write_str("nothing but line ends"),
            Self::TooLong => f.write_str("the message is too long"),
            Self::StartLine => f.write_str("no start line of a request or a response"),
            Self::Version => f.write_str("a version other than SIP/2.0"),
            Self::RequestUri => f.write_str("the Request-URI cannot be read"),
            Self::StatusCode => f.write_str("the status code is not 100 to 699"),
            Self::LineEnd => f.write_str("CR or LF alone"),
            Self::Unfinished => f.write_str("no empty line after the header fields"),
            Self::LineTooLong => f.write_str("a line is too long"),
            Self::TooMany => f.write_str("too many header fields"),
            Self::HeaderName => f.write_str("a header field without a proper name and colon"),
            Self::Short => f.write_str("fewer octets than Content-Length says"),
            Self::Missing(name) => write!(f, "{name} is missing"),
            Self::Repeated(name) => write!(f, "{name} is there twice"),
            Self::Invalid(name) => write!(f, "{name} cannot be read"),
            Self::CSeqMethod => f.write_str("CSeq names another method"),
        }
    }
}
