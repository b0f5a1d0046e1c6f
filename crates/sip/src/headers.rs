//! The header fields of a message that was read, found by name and read by type.

use bytes::Bytes;

use crate::grammar::{ascii, number, trim};
use crate::header::{
    Address, Addresses, Auth, CSeq, Items, KeptAddress, KeptVia, MediaType, RAck, Reason, Replaces,
    SessionExpires, Via, delta_seconds, is_star,
};
use crate::name::Name;
use crate::span::Span;

/// The header fields of one message. Values are octets, without the LWS around them and with folded lines joined.
#[derive(Debug, Clone)]
pub struct Headers {
    /// From the start line to the empty line.
    head: Bytes,
    lines: Vec<Line>,
    essentials: Essentials,
}

/// What every message has, once and well formed; read when the message was.
#[derive(Debug, Clone)]
pub(crate) struct Essentials {
    pub(crate) via: KeptVia,
    pub(crate) from: KeptAddress,
    pub(crate) to: KeptAddress,
    pub(crate) call_id: Span,
    pub(crate) cseq: CSeq,
}

/// Where a header field stands in the head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub(crate) name: Option<Name>,
    pub(crate) text: Span,
    pub(crate) value: Span,
}

impl Headers {
    pub(crate) fn new(head: Bytes, lines: Vec<Line>, essentials: Essentials) -> Self {
        Self { head, lines, essentials }
    }

    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// All header fields in the order of the message: names as written, values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.lines.iter().map(|line| (line.name_text(&self.head), line.value(&self.head)))
    }

    /// The values of all header fields of this name, in order; a comma list is one value.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &[u8]> + Clone {
        self.lines.iter().filter(move |line| line.name == Some(name)).map(|line| line.value(&self.head))
    }

    /// The value of the first header field of this name.
    #[must_use]
    pub fn first(&self, name: Name) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// Whether there is a header field of this name.
    #[must_use]
    pub fn has(&self, name: Name) -> bool {
        self.first(name).is_some()
    }

    /// The values of all header fields whose name is written like this, in any case: for names that are not in
    /// [`Name`], such as `X-Foo`.
    pub fn named<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> + Clone {
        self.lines
            .iter()
            .filter(move |line| line.name_text(&self.head).eq_ignore_ascii_case(name))
            .map(|line| line.value(&self.head))
    }

    /// The topmost Via: who sent the message to us, or, in a response, ourselves.
    #[must_use]
    pub fn via(&self) -> Via<'_> {
        Via::kept(&self.essentials.via, &self.head)
    }

    /// Every hop, the topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Via<'_>> {
        let mut lines = self.all(Name::Via);
        let mut rest: Option<&[u8]> = None;
        std::iter::from_fn(move || {
            let line = rest.take().or_else(|| lines.next())?;
            let (via, after) = Via::read(line).expect("checked when the message was read");
            rest = after;
            Some(via)
        })
    }

    /// From.
    #[must_use]
    pub fn from(&self) -> Address<'_> {
        Address::kept(&self.essentials.from, &self.head)
    }

    /// To.
    #[must_use]
    pub fn to(&self) -> Address<'_> {
        Address::kept(&self.essentials.to, &self.head)
    }

    /// Call-ID.
    #[must_use]
    pub fn call_id(&self) -> &str {
        ascii(self.essentials.call_id.in_head(&self.head))
    }

    /// CSeq.
    #[must_use]
    pub fn cseq(&self) -> &CSeq {
        &self.essentials.cseq
    }

    /// Max-Forwards. In a response it may be absent or nonsense, which is both `None`.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.first(Name::MaxForwards).and_then(number).and_then(|hops| u8::try_from(hops).ok())
    }

    /// The first Contact; `None` without one and for `*`.
    #[must_use]
    pub fn contact(&self) -> Option<Address<'_>> {
        self.addresses(Name::Contact).next()
    }

    /// Whether the Contact is `*` (RFC 3261 §10.2.2).
    #[must_use]
    pub fn contact_is_star(&self) -> bool {
        self.first(Name::Contact).is_some_and(is_star)
    }

    /// Every value of a header of addresses: Contact, Route, Record-Route, P-Asserted-Identity, Diversion and
    /// their like. Malformed values are passed over (RFC 3261 §8.2.2, §16.3); a request has none in Contact,
    /// Route and Record-Route.
    pub fn addresses(&self, name: Name) -> Addresses<'_, impl Iterator<Item = &[u8]> + Clone> {
        Addresses::new(self.all(name))
    }

    /// Every value of a header that is a comma list: Accept, Warning and their like, with their parameters.
    pub fn items(&self, name: Name) -> Items<'_, impl Iterator<Item = &[u8]> + Clone> {
        Items::new(self.all(name))
    }

    /// Every token of a header that is a comma list of tokens (Supported, Require, Allow); what is no ASCII text
    /// is passed over, parameters are cut off.
    pub fn tokens(&self, name: Name) -> impl Iterator<Item = &str> {
        self.items(name).filter_map(|item| {
            let end = memchr::memchr(b';', item).unwrap_or(item.len());
            let token = trim(&item[..end]);
            token.is_ascii().then(|| ascii(token))
        })
    }

    /// Whether a comma list of tokens has this one, in any case: `has_token(Name::Supported, "100rel")`.
    #[must_use]
    pub fn has_token(&self, name: Name, token: &str) -> bool {
        self.tokens(name).any(|other| other.eq_ignore_ascii_case(token))
    }

    /// Content-Type. In a response it may be nonsense, which is `None` too.
    #[must_use]
    pub fn content_type(&self) -> Option<MediaType<'_>> {
        self.first(Name::ContentType).and_then(MediaType::parse)
    }

    /// Reason (RFC 3326): every value that is well formed.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'_>> {
        self.items(Name::Reason).filter_map(Reason::read)
    }

    /// The first Q.850 cause of Reason, 1 to 127.
    #[must_use]
    pub fn q850(&self) -> Option<u8> {
        self.reasons().find_map(|reason| reason.q850())
    }

    /// Retry-After in seconds, if it is well formed.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        self.first(Name::RetryAfter).and_then(delta_seconds)
    }

    /// Expires in seconds, if it is well formed.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.first(Name::Expires).and_then(delta_seconds)
    }

    /// Min-Expires in seconds, if it is well formed.
    #[must_use]
    pub fn min_expires(&self) -> Option<u32> {
        self.first(Name::MinExpires).and_then(delta_seconds)
    }

    /// Session-Expires (RFC 4028), if it is well formed.
    #[must_use]
    pub fn session_expires(&self) -> Option<SessionExpires> {
        self.first(Name::SessionExpires).and_then(SessionExpires::read)
    }

    /// Min-SE in seconds (RFC 4028), if it is well formed.
    #[must_use]
    pub fn min_se(&self) -> Option<u32> {
        self.first(Name::MinSe).and_then(delta_seconds)
    }

    /// RSeq (RFC 3262), if it is well formed.
    #[must_use]
    pub fn rseq(&self) -> Option<u32> {
        self.first(Name::RSeq).and_then(number)
    }

    /// RAck (RFC 3262), if it is well formed.
    #[must_use]
    pub fn rack(&self) -> Option<RAck> {
        self.first(Name::RAck).and_then(|line| RAck::read(line, &self.head))
    }

    /// Replaces (RFC 3891), if it is well formed.
    #[must_use]
    pub fn replaces(&self) -> Option<Replaces<'_>> {
        self.first(Name::Replaces).and_then(Replaces::read)
    }

    /// Every challenge or every credentials in header fields of this name that is well formed: WWW-Authenticate,
    /// Proxy-Authenticate, Authorization, Proxy-Authorization.
    pub fn auths(&self, name: Name) -> impl Iterator<Item = Auth<'_>> {
        self.all(name).filter_map(Auth::read)
    }

    /// The values of Privacy (RFC 3323 §4.2), which semicolons divide; peers use commas too.
    pub fn privacy(&self) -> impl Iterator<Item = &str> {
        self.all(Name::Privacy)
            .flat_map(|line| line.split(|octet| matches!(octet, b';' | b',')))
            .map(trim)
            .filter(|value| !value.is_empty() && value.is_ascii())
            .map(ascii)
    }
}

impl Line {
    pub(crate) fn value<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        self.value.in_head(head)
    }

    fn name_text<'h>(&self, head: &'h [u8]) -> &'h str {
        ascii(self.text.in_head(head))
    }
}
