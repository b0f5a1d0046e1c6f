//! A dialog: what two user agents agree on to speak of one call (RFC 3261 §12).

use std::sync::Arc;

use sip::{Compose, Flow, Headers, Method, Name, NameAddr, Request, Response, Scheme, Uri, UriRef};

use crate::chance::{Chance, Token};
use crate::compose::{Heading, InDialog};
use crate::digest::{self, Credentials, Digest, Lines};
use crate::flow;
use crate::leg::Kept;
use crate::place::Place;
use crate::settings::Settings;
use crate::snapshot::{Hop, Snapshot};

/// More requests than a leg sends before the last of them is known to be kept.
const UNKNOWN: u32 = 32;

/// The state of one dialog (RFC 3261 §12.1), and where its other end was last heard.
#[derive(Debug)]
pub(crate) struct Dialog {
    call_id: Box<str>,
    local_tag: Token,
    /// Empty where the other side knows no tags (RFC 2543; §12.1.1).
    remote_tag: Box<str>,
    local: Uri,
    remote: Uri,
    target: Uri,
    routes: Box<[Uri]>,
    /// Of our last request.
    sequence: u32,
    /// Of their last request.
    remote_sequence: Option<u32>,
    flow: Flow,
    /// Where a connection can be opened when the one of `flow` is lost; `None`: where the next hop says.
    home: Option<Flow>,
    place: Arc<Place>,
    /// How requests of ours are answered for, where there is something to answer with.
    digest: Option<Digest>,
    /// Our last INVITE.
    invited: Invited,
}

/// What the ACK to a 2xx repeats of its INVITE (RFC 3261 §13.2.2.4).
#[derive(Debug)]
struct Invited {
    sequence: u32,
    credentials: Lines,
}

/// A request of ours, ready to be ended with its body.
pub(crate) struct Outgoing {
    pub(crate) compose: Compose,
    pub(crate) flow: Flow,
    pub(crate) branch: Token,
}

impl Dialog {
    /// Made by an INVITE we answer (RFC 3261 §12.1.1).
    pub(crate) fn answering(
        invite: &Request,
        tag: Token,
        flow: Flow,
        place: Arc<Place>,
        chance: &mut Chance,
    ) -> Self {
        let headers = invite.headers();
        Self {
            call_id: headers.call_id().into(),
            local_tag: tag,
            remote_tag: headers.from().tag().unwrap_or_default().into(),
            local: headers.to().uri().to_uri(),
            remote: headers.from().uri().to_uri(),
            // Without a Contact, which must be there, From is the best that is known.
            target: target(headers).unwrap_or_else(|| headers.from().uri().to_uri()),
            routes: routes(headers).collect(),
            sequence: chance.first_sequence(),
            remote_sequence: Some(headers.cseq().number),
            flow,
            home: None,
            place,
            // Whoever called us has no business to ask who we are.
            digest: None,
            invited: Invited { sequence: 0, credentials: Lines::new() },
        }
    }

    /// Made by a response to our INVITE that was sent to `home` (RFC 3261 §12.1.2).
    pub(crate) fn asking(
        heading: &Heading,
        response: &Response,
        home: Flow,
        heard: Flow,
        digest: Option<Digest>,
    ) -> Self {
        let headers = response.headers();
        let mut routes: Vec<Uri> = routes(headers).collect();
        routes.reverse();
        Self {
            call_id: heading.call_id.clone(),
            local_tag: heading.tag,
            remote_tag: headers.to().tag().unwrap_or_default().into(),
            local: heading.from.clone(),
            remote: headers.to().uri().to_uri(),
            target: target(headers).unwrap_or_else(|| heading.uri.clone()),
            routes: routes.into(),
            sequence: heading.sequence,
            remote_sequence: None,
            // A response proves a connection; a datagram can come from anywhere.
            flow: if home.transport.is_reliable() { heard } else { home },
            home: Some(home),
            place: Arc::clone(&heading.place),
            digest,
            invited: Invited { sequence: heading.sequence, credentials: heading.credentials.clone() },
        }
    }

    /// Goes on where its early dialog was: neither side begins to count anew (§12.2.1.1).
    pub(crate) fn go_on(&mut self, sequence: u32, remote_sequence: Option<u32>) {
        self.sequence = self.sequence.max(sequence);
        self.remote_sequence = remote_sequence;
    }

    /// Of our last request.
    pub(crate) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Does something with a way to answer challenges that is not its own: all early dialogs of an INVITE share one.
    pub(crate) fn lent<T>(&mut self, digest: &mut Option<Digest>, does: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.digest, digest);
        let done = does(self);
        std::mem::swap(&mut self.digest, digest);
        done
    }

    /// Where its other end is, by its own words.
    pub(crate) fn target(&self) -> &Uri {
        &self.target
    }

    /// Made before, and kept. `None`: it cannot be read, or there is no such listener any more. Requests of ours go on
    /// at a distance from the last that is known of, since others may have followed it. Their last one is taken once
    /// more if it is sent again: the transaction that knew it is gone.
    pub(crate) fn restored(
        snapshot: &Snapshot,
        settings: &Settings,
        credentials: Option<&Arc<Credentials>>,
    ) -> Option<Self> {
        let (place, flow) = settings.hop(&snapshot.heard)?;
        let home = snapshot.home.as_ref().and_then(|home| settings.hop(home)).map(|(_, flow)| flow);
        let uri = |text: &str| Uri::parse(text).ok();
        let mut dialog = Self {
            call_id: snapshot.call_id.clone(),
            local_tag: Token::read(snapshot.local_tag.as_bytes())?,
            remote_tag: snapshot.remote_tag.clone(),
            local: uri(&snapshot.local)?,
            remote: uri(&snapshot.remote)?,
            target: uri(&snapshot.target)?,
            routes: snapshot.routes.iter().map(|route| uri(route)).collect::<Option<_>>()?,
            sequence: snapshot.sequence.saturating_add(UNKNOWN),
            remote_sequence: snapshot.remote_sequence.and_then(|last| last.checked_sub(1)),
            flow,
            home,
            place,
            digest: credentials.zip(home).map(|(credentials, home)| Digest::new(credentials, home)),
            invited: Invited { sequence: snapshot.sequence, credentials: Lines::new() },
        };
        if flow.transport.is_reliable() {
            dialog.lose_connection();
        }
        Some(dialog)
    }

    /// What is to be kept of it, with what is known of its session.
    pub(crate) fn snapshot(&self, kept: Kept, settings: &Settings) -> Snapshot {
        let text = |uri: &Uri| Box::from(uri.as_str());
        Snapshot {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag.as_str().into(),
            remote_tag: self.remote_tag.clone(),
            local: text(&self.local),
            remote: text(&self.remote),
            target: text(&self.target),
            routes: self.routes.iter().map(text).collect(),
            sequence: self.sequence,
            remote_sequence: self.remote_sequence,
            heard: Hop { listener: self.place.listener(), peer: self.flow.peer },
            home: self.home.and_then(|home| {
                Some(Hop { listener: settings.place(home.listener)?.listener(), peer: home.peer })
            }),
            own: kept.own,
            takes_update: kept.takes_update,
            least: kept.least,
            terms: kept.terms,
        }
    }

    /// The numbers of our last request and of theirs.
    pub(crate) fn sequences(&self) -> (u32, Option<u32>) {
        (self.sequence, self.remote_sequence)
    }

    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
    }

    pub(crate) fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Whether a message with this Call-ID and their tag is of this dialog (§12.2.2); ours was looked up.
    pub(crate) fn is_of(&self, call_id: &str, remote_tag: &str) -> bool {
        *self.call_id == *call_id && *self.remote_tag == *remote_tag
    }

    /// Takes their next request; `false` if it is not later than the last (§12.2.2). It may come by a new flow.
    pub(crate) fn follow(&mut self, request: &Request, flow: Flow, place: Option<&Arc<Place>>) -> bool {
        let number = request.headers().cseq().number;
        if self.remote_sequence.is_some_and(|last| number <= last) {
            return false;
        }
        self.remote_sequence = Some(number);
        self.hear(flow, place);
        true
    }

    /// Notes where the other side speaks from.
    pub(crate) fn hear(&mut self, flow: Flow, place: Option<&Arc<Place>>) {
        if let Some(place) = place {
            self.flow = flow;
            self.place = Arc::clone(place);
        }
    }

    /// A target refresh: re-INVITE, UPDATE, or the 2xx to ours (§12.2.1.2, §12.2.2; RFC 3311 §5.2).
    pub(crate) fn retarget(&mut self, headers: &Headers) {
        if let Some(target) = target(headers) {
            self.target = target;
        }
    }

    /// The connection of `flow` is gone: the next request opens another.
    pub(crate) fn lose_connection(&mut self) {
        self.flow = self.home.unwrap_or_else(|| {
            let mut flow = Flow { connection: None, ..self.flow };
            // The port a connection came from is not one that listens.
            if flow.transport.is_reliable() {
                flow.peer.set_port(self.next_hop().port().unwrap_or(flow.transport.port()));
            }
            flow
        });
    }

    /// Begins our next request, which has no body.
    pub(crate) fn request(&mut self, method: &Method, chance: &mut Chance) -> Outgoing {
        if let Some(digest) = &mut self.digest {
            digest.begin();
        }
        self.again(method, chance)
    }

    /// As `request`, where the one before was challenged.
    pub(crate) fn again(&mut self, method: &Method, chance: &mut Chance) -> Outgoing {
        self.sequence += 1;
        let outgoing = self.outgoing(method, self.sequence, chance);
        let uri = self.route().0.as_str().to_owned();
        let Some(digest) = &mut self.digest else { return outgoing };
        let lines = digest.lines(method, &uri, b"", outgoing.flow, chance);
        Outgoing { compose: digest::with(outgoing.compose, &lines), ..outgoing }
    }

    /// Begins a re-INVITE with this body, and what its ACK must repeat; one that `is_new`, or one that was challenged.
    pub(crate) fn reinvite(&mut self, body: &[u8], is_new: bool, chance: &mut Chance) -> (Outgoing, Heading) {
        let method = Method::Invite;
        self.sequence += 1;
        let mut outgoing = self.outgoing(&method, self.sequence, chance);
        let (uri, routes) = self.route();
        let heading = Heading {
            uri: uri.clone(),
            place: Arc::clone(&self.place),
            branch: outgoing.branch,
            from: self.local.clone(),
            tag: self.local_tag,
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            sequence: self.sequence,
            credentials: Lines::new(),
            own: self.local.clone(),
            routes: routes.into_iter().cloned().collect(),
        };
        if let Some(digest) = &mut self.digest {
            if is_new {
                digest.begin();
            }
            let credentials = digest.lines(&method, heading.uri.as_str(), body, outgoing.flow, chance);
            outgoing.compose = digest::with(outgoing.compose, &credentials);
            self.invited.credentials = credentials;
        }
        self.invited.sequence = self.sequence;
        (outgoing, heading)
    }

    /// Whether we made the Call-ID: who calls does (§14.1).
    pub(crate) fn owns_call_id(&self) -> bool {
        self.home.is_some()
    }

    /// Whether a request that got this response is to be sent again.
    pub(crate) fn is_challenged(&mut self, response: &Response, from: Flow) -> bool {
        self.digest.as_mut().is_some_and(|digest| digest.learn(response, from))
    }

    /// The ACK to a 2xx: a request of its own with the number of the INVITE (§13.2.2.4).
    pub(crate) fn ack(&self, chance: &mut Chance) -> Outgoing {
        let outgoing = self.outgoing(&Method::Ack, self.invited.sequence, chance);
        Outgoing { compose: digest::with(outgoing.compose, &self.invited.credentials), ..outgoing }
    }

    fn outgoing(&self, method: &Method, sequence: u32, chance: &mut Chance) -> Outgoing {
        let branch = chance.token();
        let (uri, routes) = self.route();
        let lines = InDialog {
            uri,
            routes: &routes,
            place: &self.place,
            branch,
            local: NameAddr { display: None, uri: self.local.parts(), tag: Some(self.local_tag.as_str()) },
            remote: NameAddr {
                display: None,
                uri: self.remote.parts(),
                tag: (!self.remote_tag.is_empty()).then_some(&self.remote_tag),
            },
            call_id: &self.call_id,
            sequence,
        };
        Outgoing { compose: lines.begin(method), flow: flow::asking(&self.next_hop(), self.flow), branch }
    }

    fn next_hop(&self) -> UriRef<'_> {
        self.routes.first().unwrap_or(&self.target).parts()
    }

    /// Request-URI and Route (§12.2.1.1). Where the first hop is a strict router (RFC 2543) it finds itself in the
    /// Request-URI and the target last in Route.
    fn route(&self) -> (&Uri, Vec<&Uri>) {
        match self.routes.first() {
            Some(first) if !first.parts().params().has("lr") => {
                (first, self.routes[1..].iter().chain([&self.target]).collect())
            }
            Some(_) | None => (&self.target, self.routes.iter().collect()),
        }
    }
}

/// Their Contact, where it is an address that requests can be sent to.
fn target(headers: &Headers) -> Option<Uri> {
    let contact = headers.contact().map(|contact| contact.uri())?;
    match contact.scheme() {
        Scheme::Sip | Scheme::Sips => plain(contact),
        Scheme::Tel | Scheme::Other => None,
    }
}

fn routes(headers: &Headers) -> impl Iterator<Item = Uri> {
    headers.addresses(Name::RecordRoute).filter_map(|route| plain(route.uri()))
}

/// Without the headers of the URI, which no Request-URI may have (RFC 3261 §19.1.1, Table 1).
fn plain(uri: UriRef<'_>) -> Option<Uri> {
    Uri::parse(uri.as_str().split('?').next()?).ok()
}
