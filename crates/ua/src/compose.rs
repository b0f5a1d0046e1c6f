//! What is written into messages: from a closed list of headers and values, never from the other leg.

use std::sync::Arc;

use bytes::Bytes;
use sip::{
    Compose, Method, Name, NameAddr, Request, Response, Scheme, Uri, UriRef, Value, ValueWriter, ViaHop,
};

use crate::chance::Token;
use crate::digest::{self, Lines};
use crate::interface::{Invite, RetryAfter, Shown, Why};
use crate::place::Place;
use crate::session::Asked;

/// The methods we take (RFC 3261 §20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";
/// The option tag of reliable provisional responses (RFC 3262 §8.1).
pub(crate) const RELIABLE: &str = "100rel";
/// All extensions we know, where session timers are among them (RFC 3261 §20.37).
pub(crate) const ALL: &str = "100rel, timer";
/// The type of session descriptions.
pub(crate) const SDP: &str = "application/sdp";
/// What we take in an INFO.
pub(crate) const KEYS: &str = "application/dtmf-relay, application/dtmf";
/// Max-Forwards of requests inside a dialog (RFC 3261 §8.1.1.6).
pub(crate) const HOPS: u8 = 70;

/// Our address, in Contact: `sips` in a dialog that is (RFC 3261 §12.1.1).
pub(crate) struct Contact<'a> {
    place: &'a Place,
    scheme: Scheme,
}

impl<'a> Contact<'a> {
    /// Where whoever is asked by this URI, or was, is to answer.
    pub(crate) fn beside(place: &'a Place, uri: &UriRef<'_>) -> Self {
        Self { place, scheme: uri.scheme() }
    }
}

impl Value for Contact<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        let uri = match self.scheme {
            Scheme::Sips => &self.place.secure_contact,
            Scheme::Sip | Scheme::Tel | Scheme::Other => &self.place.contact,
        };
        to.put("<").put(&**uri).put(">");
    }
}

/// Reason: the number alone (RFC 3326; its text can say anything).
pub(crate) struct Q850(u8);

impl Q850 {
    /// The cause of `why`, if it is one of Q.850.
    pub(crate) fn of(why: Why) -> Option<Self> {
        (1..=127).contains(&why.q850).then_some(Self(why.q850))
    }
}

impl Value for Q850 {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put("Q.850;cause=").put(self.0);
    }
}

/// RAck: which reliable provisional response is acknowledged (RFC 3262 §7.2).
pub(crate) struct RAck {
    pub(crate) rseq: u32,
    /// Of the INVITE.
    pub(crate) sequence: u32,
}

impl Value for RAck {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.rseq).put(" ").put(CSeq(self.sequence, &Method::Invite));
    }
}

impl Value for RetryAfter {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.0);
    }
}

/// The lines of an INVITE that its ACK and its CANCEL repeat (RFC 3261 §17.1.1.3, §9.1).
#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) uri: Uri,
    pub(crate) place: Arc<Place>,
    pub(crate) branch: Token,
    pub(crate) from: Uri,
    pub(crate) tag: Token,
    pub(crate) to: Uri,
    pub(crate) call_id: Box<str>,
    pub(crate) sequence: u32,
    /// Credentials: the ACK to a 2xx repeats those of its INVITE (§22.1).
    pub(crate) credentials: Lines,
    /// Our number, as other headers than From show it.
    pub(crate) own: Uri,
    /// Route; its ACK and its CANCEL take the same way (§17.1.1.3, §9.1).
    pub(crate) routes: Vec<Uri>,
}

impl Heading {
    /// Of an INVITE of ours that was sent before, from this listener.
    pub(crate) fn of(invite: &Request, place: Arc<Place>) -> Option<Self> {
        let headers = invite.headers();
        let token = |text: Option<&str>| Token::read(text?.as_bytes());
        let from = headers.from().uri().to_uri();
        Some(Self {
            uri: invite.uri().to_uri(),
            place,
            branch: token(headers.via().branch().and_then(|branch| branch.strip_prefix(sip::MAGIC_COOKIE)))?,
            own: from.clone(),
            from,
            tag: token(headers.from().tag())?,
            to: headers.to().uri().to_uri(),
            call_id: headers.call_id().into(),
            sequence: headers.cseq().number,
            credentials: Lines::new(),
            routes: headers.addresses(Name::Route).map(|route| route.uri().to_uri()).collect(),
        })
    }

    fn begin(&self, method: &Method) -> Compose {
        let via = via(&self.place, &self.branch);
        let compose = Compose::request(method, &self.uri).header(Name::Via, via);
        self.routes.iter().fold(compose, |compose, route| compose.header(Name::Route, bare(route)))
    }

    fn identify(&self, compose: Compose, method: &Method, to: impl Value) -> Compose {
        compose
            .header(
                Name::From,
                NameAddr { display: None, uri: self.from.parts(), tag: Some(self.tag.as_str()) },
            )
            .header(Name::To, to)
            .header(Name::CallId, &*self.call_id)
            .header(Name::CSeq, CSeq(self.sequence, method))
    }

    /// The INVITE.
    pub(crate) fn invite(&self, invite: &Invite, asked: Option<Asked>, product: Option<&str>) -> Bytes {
        let method = Method::Invite;
        let compose = self.begin(&method).header(Name::MaxForwards, invite.hops);
        let compose = self.identify(compose, &method, bare(&self.to));
        let compose = compose.header(Name::Contact, Contact::beside(&self.place, &self.uri.parts()));
        let withheld = invite.withheld;
        let show = |compose: Compose, shown: &Shown| {
            let own = bare(&self.own);
            match shown {
                Shown::Asserted => compose.header(Name::PAssertedIdentity, own),
                Shown::Preferred => compose.header(Name::PPreferredIdentity, own),
                Shown::RemoteParty => {
                    compose.header(Name::RemotePartyId, Marked(own, ";party=calling;screen=yes", withheld))
                }
                Shown::Diversion => {
                    compose.header(Name::Diversion, Marked(own, ";reason=unconditional", withheld))
                }
            }
        };
        let compose = invite.shown.iter().fold(compose, show);
        let compose = compose.maybe(Name::Privacy, withheld.then_some("id"));
        let compose = digest::with(compose, &self.credentials);
        let compose = match asked {
            Some(asked) => asked.write(compose.header(Name::Supported, ALL)),
            None => compose.header(Name::Supported, RELIABLE),
        };
        compose
            .header(Name::Allow, ALLOW)
            .header(Name::Accept, SDP)
            .maybe(Name::UserAgent, product)
            .body(SDP, &invite.offer)
    }

    /// The ACK to a refusal: it belongs to the transaction and goes the way the INVITE went.
    pub(crate) fn ack(&self, refusal: &Response) -> Bytes {
        let method = Method::Ack;
        let compose = self.begin(&method).header(Name::MaxForwards, HOPS);
        let to = refusal.headers().first(Name::To).unwrap_or_default();
        self.identify(compose, &method, to).end()
    }

    /// The CANCEL.
    pub(crate) fn cancel(&self, why: Why) -> Bytes {
        let method = Method::Cancel;
        let compose = self.begin(&method).header(Name::MaxForwards, HOPS);
        let compose = self.identify(compose, &method, bare(&self.to));
        compose.maybe(Name::Reason, Q850::of(why)).end()
    }
}

/// An address with its parameters, and whether it is to be shown.
struct Marked<'a>(NameAddr<'a>, &'static str, bool);

impl Value for Marked<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        let privacy = if self.2 { ";privacy=full" } else { ";privacy=off" };
        to.put(self.0).put(self.1).put(privacy);
    }
}

fn bare(uri: &Uri) -> NameAddr<'_> {
    NameAddr { display: None, uri: uri.parts(), tag: None }
}

/// CSeq.
pub(crate) struct CSeq<'a>(pub(crate) u32, pub(crate) &'a Method);

impl Value for CSeq<'_> {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.0).put(" ").put(self.1);
    }
}

/// Our Via.
pub(crate) fn via<'a>(place: &'a Place, branch: &'a Token) -> ViaHop<'a> {
    ViaHop { transport: place.transport, sent_by: &place.public, branch: branch.as_str() }
}

/// The lines every request inside a dialog has (RFC 3261 §12.2.1.1).
pub(crate) struct InDialog<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) routes: &'a [&'a Uri],
    pub(crate) place: &'a Place,
    pub(crate) branch: Token,
    pub(crate) local: NameAddr<'a>,
    pub(crate) remote: NameAddr<'a>,
    pub(crate) call_id: &'a str,
    pub(crate) sequence: u32,
}

impl InDialog<'_> {
    pub(crate) fn begin(&self, method: &Method) -> Compose {
        let compose = Compose::request(method, self.uri).header(Name::Via, via(self.place, &self.branch));
        let compose =
            self.routes.iter().fold(compose, |compose, route| compose.header(Name::Route, bare(route)));
        compose
            .header(Name::MaxForwards, HOPS)
            .header(Name::From, self.local)
            .header(Name::To, self.remote)
            .header(Name::CallId, self.call_id)
            .header(Name::CSeq, CSeq(self.sequence, method))
    }
}
