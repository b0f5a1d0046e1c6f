//! Messages that were read (RFC 3261 §7).

use bytes::Bytes;

use crate::headers::Headers;
use crate::method::Method;
use crate::span::Span;
use crate::status::Status;
use crate::uri::{KeptUri, UriRef};

/// A request or a response. The topmost Via, From, To, Call-ID and CSeq are there once and well formed.
#[derive(Debug, Clone)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

/// A request (RFC 3261 §7.1). Its CSeq names its method; its Contact, Route and Record-Route are well formed; its
/// Max-Forwards is 0 to 255; its Request-URI has no headers.
#[derive(Debug, Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) uri: KeptUri,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// A response (RFC 3261 §7.2).
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) status: Status,
    pub(crate) reason: Span,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

impl Message {
    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        match self {
            Self::Request(request) => &request.headers,
            Self::Response(response) => &response.headers,
        }
    }

    /// The body; empty without one.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        match self {
            Self::Request(request) => &request.body,
            Self::Response(response) => &response.body,
        }
    }
}

impl Request {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI. Any scheme: one that is not served is answered 416 (RFC 3261 §8.2.2.1).
    #[must_use]
    pub fn uri(&self) -> UriRef<'_> {
        UriRef::kept(&self.uri, self.headers.head())
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body; empty without one.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl Response {
    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The words the other side put beside the code. Not for repeating: they can carry anything.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        self.reason.in_head(self.headers.head())
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body; empty without one.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}
