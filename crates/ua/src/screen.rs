//! What a request must hold to before anybody is asked about it (RFC 3261 §8.2).

use sip::{Compose, MediaType, Method, Name, Request, Scheme, Status, Transport};

use crate::body::Body;
use crate::compose::{ALLOW, KEYS, RELIABLE, SDP};
use crate::session::{self, TIMER};
use crate::settings::Settings;

/// The requests that are looked at further. CANCEL and ACK are not among them: they belong to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Invite,
    Bye,
    Options,
    Info,
    Update,
    Prack,
}

/// Why a request is refused without asking anybody, and what the response must say beside its status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: Status,
    hint: Hint,
}

#[derive(Debug, PartialEq, Eq)]
enum Hint {
    Nothing,
    /// The methods we take (§8.2.1).
    Methods,
    /// The bodies we take (§8.2.3).
    Types(&'static str),
    /// The codings we take (§8.2.3).
    Codings,
    /// What was required and is not known here (§8.2.2.3): the other side's own words.
    Extensions(String),
    /// The shortest interval of a session we take, in seconds (RFC 4028 §9).
    Interval(u32),
}

/// Most option tags of theirs that a 420 repeats.
const TAGS: usize = 16;

impl Refused {
    fn plain(status: Status) -> Self {
        Self { status, hint: Hint::Nothing }
    }

    /// An INFO of a type nobody here reads.
    pub(crate) fn info() -> Self {
        Self { status: Status::UNSUPPORTED_MEDIA_TYPE, hint: Hint::Types(KEYS) }
    }

    /// Adds what belongs beside the status.
    pub(crate) fn explain(&self, compose: Compose) -> Compose {
        match &self.hint {
            Hint::Nothing => compose,
            Hint::Methods => compose.header(Name::Allow, ALLOW),
            Hint::Types(types) => compose.header(Name::Accept, *types),
            Hint::Codings => compose.header(Name::AcceptEncoding, "identity"),
            Hint::Interval(least) => compose.header(Name::MinSe, *least),
            Hint::Extensions(tags) => compose.header(Name::Unsupported, tags),
        }
    }
}

/// Looks at a request in the order of RFC 3261 §8.2: method, headers, content. `inside` a dialog or not.
pub(crate) fn screen(
    request: &Request,
    transport: Transport,
    inside: bool,
    settings: &Settings,
) -> Result<Kind, Refused> {
    let kind = method(request, inside)?;
    match request.uri().scheme() {
        Scheme::Sip | Scheme::Tel => {}
        // sips promises TLS to the end (§26.2.2), and the end of this leg is here.
        Scheme::Sips if transport == Transport::Tls => {}
        Scheme::Sips | Scheme::Other => return Err(Refused::plain(Status::UNSUPPORTED_URI_SCHEME)),
    }
    required(request, settings)?;
    match kind {
        Kind::Invite => {
            if !inside {
                first_invite(request)?;
            }
            content(request)?;
            interval(request, settings)?;
        }
        Kind::Update => {
            content(request)?;
            interval(request, settings)?;
        }
        Kind::Prack => content(request)?,
        Kind::Bye | Kind::Options | Kind::Info => {}
    }
    Ok(kind)
}

fn method(request: &Request, inside: bool) -> Result<Kind, Refused> {
    match request.method() {
        Method::Invite => Ok(Kind::Invite),
        Method::Bye => Ok(Kind::Bye),
        Method::Options => Ok(Kind::Options),
        Method::Info => Ok(Kind::Info),
        Method::Update => Ok(Kind::Update),
        Method::Prack => Ok(Kind::Prack),
        // Inside a call a transfer is understood and declined (RFC 3515 §2.4.2).
        Method::Refer if inside => Err(Refused::plain(Status::DECLINE)),
        Method::Ack
        | Method::Cancel
        | Method::Register
        | Method::Message
        | Method::Refer
        | Method::Subscribe
        | Method::Notify
        | Method::Publish => Err(Refused { status: Status::METHOD_NOT_ALLOWED, hint: Hint::Methods }),
        Method::Other(_) => Err(Refused { status: Status::NOT_IMPLEMENTED, hint: Hint::Methods }),
    }
}

/// What of all that could be required is supported (§8.2.2.3): session timers, and reliable provisional responses
/// (RFC 3262). Proxy-Require is meant for those who route by this request: towards the
/// callee that is us.
fn required(request: &Request, settings: &Settings) -> Result<(), Refused> {
    let headers = request.headers();
    let tags = headers.tokens(Name::Require).chain(headers.tokens(Name::ProxyRequire));
    let is_known = |tag: &str| {
        tag.eq_ignore_ascii_case(RELIABLE) || settings.sessions.is_some() && tag.eq_ignore_ascii_case(TIMER)
    };
    let mut tags = tags.filter(|tag| !is_known(tag)).take(TAGS);
    let Some(first) = tags.next() else { return Ok(()) };
    let mut list = first.to_owned();
    for tag in tags {
        list.push_str(", ");
        list.push_str(tag);
    }
    Err(Refused { status: Status::BAD_EXTENSION, hint: Hint::Extensions(list) })
}

fn first_invite(request: &Request) -> Result<(), Refused> {
    let headers = request.headers();
    if headers.max_forwards() == Some(0) {
        return Err(Refused::plain(Status::TOO_MANY_HOPS));
    }
    // A call that would take another's place. Which calls there are is told to nobody: a 481 where none matches
    // and a 603 where one does (RFC 3891 §3) would tell.
    if headers.has(Name::Replaces) {
        return Err(Refused::plain(Status::DECLINE));
    }
    Ok(())
}

/// A session must not have to be refreshed too often (RFC 4028 §9).
fn interval(request: &Request, settings: &Settings) -> Result<(), Refused> {
    match settings.sessions.filter(|sessions| session::is_too_small(request.headers(), *sessions)) {
        Some(sessions) => {
            Err(Refused { status: Status::SESSION_INTERVAL_TOO_SMALL, hint: Hint::Interval(sessions.least) })
        }
        None => Ok(()),
    }
}

/// Session descriptions are all that is read and all that is written (§8.2.3, §20.1).
fn content(request: &Request) -> Result<(), Refused> {
    let headers = request.headers();
    match Body::read(headers, request.body()) {
        Body::None | Body::Description(_) => {}
        Body::Unsupported => {
            return Err(Refused { status: Status::UNSUPPORTED_MEDIA_TYPE, hint: Hint::Types(SDP) });
        }
        Body::Encoded => return Err(Refused { status: Status::UNSUPPORTED_MEDIA_TYPE, hint: Hint::Codings }),
    }
    let takes = |range: &[u8]| MediaType::parse(range).is_some_and(|range| range.holds("application", "sdp"));
    if headers.has(Name::Accept) && !headers.items(Name::Accept).any(takes) {
        return Err(Refused::plain(Status::NOT_ACCEPTABLE));
    }
    Ok(())
}
