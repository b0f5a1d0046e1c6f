//! Addresses of people and machines: `sip:`, `sips:`, `tel:` and whatever else a message names
//! (RFC 3261 §19.1, RFC 3966, RFC 3986).

mod equality;
mod escape;
mod host;
mod read;

use std::borrow::Cow;
use std::fmt;

pub use host::Host;
pub use read::UriFault;

use crate::grammar::{ascii, port};
use crate::span::Span;

/// A URI as it was read. Everything is text of the message it came from; nothing is unescaped.
#[derive(Debug, Clone, Copy)]
pub struct UriRef<'a> {
    octets: &'a [u8],
    scheme: Scheme,
    places: Places,
}

/// A URI of a message, kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeptUri {
    span: Span,
    scheme: Scheme,
    places: Places,
}

/// Where the parts of a URI are, in octets of its text. What is absent has no length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Places {
    /// After the colon of the scheme.
    user: u16,
    /// The end of the user part: its `@`, the colon of its password, or the end of a tel number.
    user_end: u16,
    /// After the `@`.
    host: u16,
    host_end: u16,
    /// The first semicolon after host and port or after a tel number.
    params: u16,
    /// The question mark.
    headers: u16,
}

/// The scheme of a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// RFC 3261 §19.1.
    Sip,
    /// RFC 3261 §19.1, over TLS.
    Sips,
    /// RFC 3966.
    Tel,
    /// Any other: kept as text, answered 416 in a Request-URI.
    Other,
}

impl<'a> UriRef<'a> {
    /// Reads a URI that fills the whole text.
    ///
    /// # Errors
    /// The part at fault.
    pub fn parse(text: &'a [u8]) -> Result<Self, UriFault> {
        read::whole(text)
    }

    /// Splits off a URI that ends before the first octet that cannot stand in one.
    pub(crate) fn take(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        read::take(text).ok()
    }

    pub(crate) fn keep(&self, head: &[u8]) -> KeptUri {
        KeptUri { span: Span::of(self.octets, head), scheme: self.scheme, places: self.places }
    }

    pub(crate) fn kept(uri: &KeptUri, head: &'a [u8]) -> Self {
        Self { octets: uri.span.in_head(head), scheme: uri.scheme, places: uri.places }
    }

    /// The whole of it, as read.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        ascii(self.octets)
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The user part of a sip or sips URI with its parameters, or the number of a tel URI; still escaped.
    #[must_use]
    pub fn user(&self) -> Option<&'a str> {
        self.user_octets().map(ascii)
    }

    fn user_octets(&self) -> Option<&'a [u8]> {
        let has_user = match self.scheme {
            Scheme::Sip | Scheme::Sips => self.places.host > self.places.user,
            Scheme::Tel => true,
            Scheme::Other => false,
        };
        has_user.then(|| self.octets_of(self.places.user, self.places.user_end))
    }

    fn part(&self, start: u16, end: u16) -> &'a str {
        ascii(self.octets_of(start, end))
    }

    fn octets_of(&self, start: u16, end: u16) -> &'a [u8] {
        &self.octets[usize::from(start)..usize::from(end)]
    }

    /// The user part unescaped and without parameters of its own: of `+4930%31;npdi@host` it is `+49301`
    /// (RFC 3261 §19.1.6, RFC 4694). `None` without a user part.
    #[must_use]
    pub fn number(&self) -> Option<Cow<'a, [u8]>> {
        let user = self.user_octets()?;
        Some(escape::unescape(user.split(|octet| *octet == b';').next().unwrap_or_default()))
    }

    /// The user part unescaped, its parameters included.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'a, [u8]>> {
        self.user_octets().map(escape::unescape)
    }

    /// The parameters of the telephone number: those of a tel URI, or those inside the user part of a sip URI
    /// (`phone-context`, `npdi`, `rn`, `isub`, `ext`).
    #[must_use]
    pub fn number_params(&self) -> UriParams<'a> {
        match self.scheme {
            Scheme::Tel => self.params(),
            Scheme::Sip | Scheme::Sips => UriParams(
                self.user().and_then(|user| user.find(';').map(|at| &user[at..])).unwrap_or_default(),
            ),
            Scheme::Other => UriParams(""),
        }
    }

    /// The password of the user part, still escaped.
    #[must_use]
    pub fn password(&self) -> Option<&'a str> {
        let start = self.places.user_end + 1;
        (start < self.places.host).then(|| self.part(start, self.places.host - 1))
    }

    /// The host; `None` only where the scheme has none.
    #[must_use]
    pub fn host(&self) -> Option<Host<'a>> {
        let host = self.octets_of(self.places.host, self.places.host_end);
        (!host.is_empty()).then(|| Host::checked(host))
    }

    /// The port, if one is written.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        port(self.octets_of(self.places.host_end, self.places.params).strip_prefix(b":")?)
    }

    /// The parameters after the host (or after the number of a tel URI).
    #[must_use]
    pub fn params(&self) -> UriParams<'a> {
        UriParams(self.part(self.places.params, self.places.headers))
    }

    /// The headers after `?`, as names and values, still escaped.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let headers = ascii(self.octets.get(usize::from(self.places.headers) + 1..).unwrap_or_default());
        headers
            .split('&')
            .filter(|header| !header.is_empty())
            .map(|header| header.split_once('=').unwrap_or((header, "")))
    }

    /// Whether the URI has headers.
    #[must_use]
    pub fn has_headers(&self) -> bool {
        usize::from(self.places.headers) < self.octets.len()
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4). tel URIs and unknown schemes are compared as text.
    #[must_use]
    pub fn is_equivalent(&self, other: &UriRef<'_>) -> bool {
        equality::equivalent(self, other)
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_uri(&self) -> Uri {
        Uri { text: self.as_str().into(), scheme: self.scheme, places: self.places }
    }
}

impl fmt::Display for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The parameters of a URI: `;name`, `;name=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UriParams<'a>(&'a str);

impl<'a> UriParams<'a> {
    /// The value of the first parameter of this name, in any case, still escaped; empty where it has none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(other, _)| escape::same_ignoring_case(other, name))
            .map(|(_, value)| value.unwrap_or_default())
    }

    /// Whether there is a parameter of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All of them, in order, with their values where they have one.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        self.0.split(';').skip(1).map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
    }

    /// As written, from the first semicolon.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// A URI that owns its text. Equal when the text is; see [`UriRef::is_equivalent`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Uri {
    text: Box<str>,
    scheme: Scheme,
    places: Places,
}

impl Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// The part at fault.
    pub fn parse(text: &str) -> Result<Self, UriFault> {
        UriRef::parse(text.as_bytes()).map(|uri| uri.to_uri())
    }

    /// Its parts.
    #[must_use]
    pub fn parts(&self) -> UriRef<'_> {
        UriRef { octets: self.text.as_bytes(), scheme: self.scheme, places: self.places }
    }

    /// The whole of it, as read.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<'a> From<&'a Uri> for UriRef<'a> {
    fn from(uri: &'a Uri) -> Self {
        uri.parts()
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Uri {
    type Err = UriFault;

    fn from_str(text: &str) -> Result<Self, UriFault> {
        Self::parse(text)
    }
}
