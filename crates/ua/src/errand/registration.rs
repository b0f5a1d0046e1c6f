//! Being registered at a trunk (RFC 3261 §10.2): our address is bound there until it expires, and renewed before.

use std::sync::Arc;
use std::time::Duration;

use sip::{Compose, Flow, Headers, Method, Name, NameAddr, Response, Status, Uri};

use super::{Input, Wires};
use crate::chance::Token;
use crate::compose::{CSeq, HOPS, via};
use crate::digest::{self, Digest};
use crate::interface::{ErrandCommand, ErrandEvent, Letter, Registering, TrunkId};
use crate::place::Place;
use crate::transaction::{Sent, Start, User};

/// The first pause after a failure, doubled with each further one (RFC 5626 §4.5).
const PAUSE: Duration = Duration::from_secs(30);
/// The longest pause. RFC 5626 §4.5 lets it be 30 minutes; who waits for calls does not wait that long for them.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The longest that a registrar may tell us to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// The longest binding that a registrar may insist on (423).
const LONGEST: u32 = 86_400;
/// How long the answer to our leaving is waited for.
const FAREWELL: Duration = Duration::from_secs(3);
/// Within this a binding is renewed whose connection is gone. Not at once: a registrar that restarts has many to serve.
const RENEWED_WITHIN: Duration = Duration::from_secs(5);
/// Most routes of a Service-Route that are taken.
const ROUTES: usize = 8;

#[derive(Debug)]
pub(crate) struct Registration {
    wanted: Registering,
    registrar: Uri,
    aor: Uri,
    /// The user of our Contact: random, so that a request for it can only come from where we registered it.
    contact: Token,
    call_id: Token,
    tag: Token,
    sequence: u32,
    digest: Option<Digest>,
    /// Which of the flows is used.
    at: usize,
    /// Seconds that are asked for: what was wanted, or what a registrar insisted on.
    expires: u32,
    /// What was said last: bound or not.
    said: Option<bool>,
    routes: Vec<String>,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// A REGISTER waits for its answer.
    Asking { attempt: Attempt, is_leaving: bool },
    /// The address is bound.
    Bound,
    /// It could not be bound, or is not known to be any more: another attempt follows.
    Pausing { failures: u32 },
    /// The REGISTER that ends the binding waits for its answer.
    Leaving,
}

/// What has happened since the registration was last as it should be.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    failures: u32,
    /// A 423 was heeded.
    is_raised: bool,
}

impl Registration {
    /// Sends the first REGISTER; `None` where there is nowhere to send it or no address in what is wanted.
    pub(crate) fn begin(wanted: Registering, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        let (registrar, aor) = (Uri::parse(&wanted.registrar).ok()?, Uri::parse(&wanted.aor).ok()?);
        let mut registration = Box::new(Self {
            registrar,
            aor,
            contact: wires.chance.token(),
            call_id: wires.chance.token(),
            tag: wires.chance.token(),
            sequence: wires.chance.first_sequence(),
            digest: None,
            at: 0,
            expires: wanted.expires,
            said: None,
            routes: Vec::new(),
            wanted,
            state: State::Bound,
        });
        registration.choose(0)?;
        registration.ask(Attempt::default(), wires);
        Some(registration)
    }

    /// The trunk this is about, if `contact` is the user of our Contact. Whoever leaves takes no more calls: the trunk
    /// may be gone already.
    pub(crate) fn trunk_of(&self, contact: Token) -> Option<TrunkId> {
        let is_leaving = matches!(self.state, State::Leaving | State::Asking { is_leaving: true, .. });
        (self.contact == contact && !is_leaving).then_some(self.wanted.trunk)
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        match input {
            Input::Command(ErrandCommand::Register(wanted)) => self.change(*wanted, wires),
            Input::Command(ErrandCommand::Ask(_)) => {}
            Input::Command(ErrandCommand::Stop) => return self.leave(wires),
            // An answer to a request before this one says nothing any more.
            Input::Response(response, from) if response.headers().cseq().number == self.sequence => {
                return self.answered(&response, from, wires);
            }
            Input::Response(..) => {}
            Input::Unanswered => return self.failed(None, None, wires),
            Input::Fired(Letter::Errand) => return self.due(wires),
            Input::Fired(Letter::Expiry) => {
                if !matches!(self.state, State::Leaving) {
                    self.unbound(None, wires);
                }
            }
            Input::Fired(_) => {}
            Input::FlowLost(lost) => self.lost(lost, wires),
        }
        Some(self)
    }

    /// Takes what may change while the binding stays: where the registrar is, and which trunk it counts for.
    fn change(&mut self, wanted: Registering, wires: &mut Wires<'_>) {
        let flow = self.flow();
        if wanted.flows.is_empty() {
            return;
        }
        self.wanted = wanted;
        let same = self.wanted.flows.iter().position(|other| *other == flow);
        match (same, self.state) {
            (Some(at), _) => self.at = at,
            // Where the registrar was it is no more.
            (None, State::Bound | State::Pausing { .. }) if self.choose(0).is_some() => {
                self.ask(Attempt::default(), wires);
            }
            (None, _) => {
                let _ = self.choose(0);
            }
        }
    }

    fn flow(&self) -> Flow {
        self.wanted.flows[self.at]
    }

    /// From now on by this flow. Credentials are for one address: another learns them anew.
    fn choose(&mut self, at: usize) -> Option<()> {
        let flow = *self.wanted.flows.get(at)?;
        self.at = at;
        self.digest = self.wanted.credentials.as_ref().map(|credentials| Digest::new(credentials, flow));
        Some(())
    }

    /// A new attempt.
    fn ask(&mut self, attempt: Attempt, wires: &mut Wires<'_>) {
        self.state = State::Asking { attempt, is_leaving: false };
        self.begin_request(self.expires, wires);
    }

    fn begin_request(&mut self, expires: u32, wires: &mut Wires<'_>) {
        if let Some(digest) = &mut self.digest {
            digest.begin();
        }
        self.send(expires, wires);
    }

    fn send(&mut self, expires: u32, wires: &mut Wires<'_>) {
        let flow = self.flow();
        let Some(place) = wires.settings.place(flow.listener).map(Arc::clone) else { return };
        self.sequence += 1;
        let branch = wires.chance.token();
        let method = Method::Register;
        let lines = self
            .digest
            .as_mut()
            .map(|digest| digest.lines(&method, self.registrar.as_str(), b"", flow, wires.chance));
        let address = |tag| NameAddr { display: None, uri: self.aor.parts(), tag };
        let compose = Compose::request(&method, &self.registrar)
            .header(Name::Via, via(&place, &branch))
            .header(Name::MaxForwards, HOPS)
            .header(Name::From, address(Some(self.tag.as_str())))
            .header(Name::To, address(None))
            .header(Name::CallId, self.call_id.as_str())
            .header(Name::CSeq, CSeq(self.sequence, &method))
            .header(Name::Contact, format_args!("<{}>;expires={expires}", self.address(&place)))
            .header(Name::Expires, expires)
            .maybe(Name::UserAgent, wires.settings.product.as_deref());
        let bytes = digest::with(compose, &lines.unwrap_or_default()).end();
        let user = User::Errand(wires.errand);
        let start = Start { user, flow, place, method: Sent::Register, branch, bytes };
        wires.transactions.request(start, wires.settings.timing, wires.out);
    }

    /// Our Contact: the listener's, with our user in it.
    fn address(&self, place: &Place) -> String {
        place.contact.replacen(':', &format!(":{}@", self.contact.as_str()), 1)
    }

    fn answered(
        mut self: Box<Self>,
        response: &Response,
        from: Flow,
        wires: &mut Wires<'_>,
    ) -> Option<Box<Self>> {
        let status = response.status();
        if status.is_provisional() {
            return Some(self);
        }
        if self.digest.as_mut().is_some_and(|digest| digest.learn(response, from)) {
            let expires = if matches!(self.state, State::Leaving) { 0 } else { self.expires };
            self.send(expires, wires);
            return Some(self);
        }
        let State::Asking { attempt, is_leaving } = self.state else {
            return self.left(wires);
        };
        if status.is_success() {
            return match self.granted(response.headers()) {
                // A binding of no length is none.
                0 => self.failed(None, None, wires),
                seconds => {
                    self.bound(seconds, response.headers(), wires);
                    if is_leaving { self.leave(wires) } else { Some(self) }
                }
            };
        }
        let least =
            response.headers().min_expires().filter(|least| (self.expires + 1..=LONGEST).contains(least));
        match least {
            Some(least) if status == Status::INTERVAL_TOO_BRIEF && !attempt.is_raised && !is_leaving => {
                self.expires = least;
                self.ask(Attempt { is_raised: true, ..attempt }, wires);
                Some(self)
            }
            Some(_) | None => {
                let pause =
                    response.headers().retry_after().map(|seconds| Duration::from_secs(seconds.into()));
                self.failed(Some(status), pause, wires)
            }
        }
    }

    /// Seconds our own binding was granted: what stands at it, else what the response says of all, else what we asked
    /// for (§10.2.4).
    fn granted(&self, headers: &Headers) -> u32 {
        let mut contacts = headers.addresses(Name::Contact);
        let own = contacts.find(|contact| contact.uri().user() == Some(self.contact.as_str()));
        let text = own.and_then(|contact| contact.params().get("expires"));
        let own = text.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        own.or_else(|| headers.expires()).unwrap_or(self.expires)
    }

    fn bound(&mut self, seconds: u32, headers: &Headers, wires: &mut Wires<'_>) {
        let expires = Duration::from_secs(seconds.into());
        let routes: Vec<String> = headers
            .addresses(Name::ServiceRoute)
            .map(|route| route.uri().as_str().to_owned())
            .take(ROUTES)
            .collect();
        let is_news = self.said != Some(true) || self.routes != routes;
        self.state = State::Bound;
        wires.arm(Letter::Expiry, expires);
        // Early enough for more than one attempt, and not when everybody does.
        let renewed = wires.chance.between(expires / 2, expires * 3 / 4);
        wires.arm(Letter::Errand, renewed);
        if is_news {
            self.routes.clone_from(&routes);
            self.said = Some(true);
            wires.say(ErrandEvent::Registered { expires, routes });
        }
    }

    /// The binding is no more, or never was.
    fn unbound(&mut self, status: Option<Status>, wires: &mut Wires<'_>) {
        wires.disarm(Letter::Expiry);
        self.routes.clear();
        if self.said.replace(false) != Some(false) {
            wires.say(ErrandEvent::Unregistered { status: status.map(|status| status.code()) });
        }
    }

    fn failed(
        mut self: Box<Self>,
        status: Option<Status>,
        retry_after: Option<Duration>,
        wires: &mut Wires<'_>,
    ) -> Option<Box<Self>> {
        let State::Asking { attempt, is_leaving } = self.state else {
            return self.left(wires);
        };
        let failures = attempt.failures.saturating_add(1);
        // A binding outlives a registrar that does not answer, but not one that refuses.
        let is_refused = status.is_some_and(|status| !matches!(status.code(), 408 | 500..600));
        if is_refused || self.said.is_none() {
            self.unbound(status, wires);
        }
        if is_leaving {
            return if self.said == Some(true) { self.leave(wires) } else { self.left(wires) };
        }
        let others = self.wanted.flows.len();
        let next = (self.at + 1) % others.max(1);
        let _ = self.choose(next);
        // Each address of the registrar gets its chance before there is a pause.
        let rounds = failures / u32::try_from(others).unwrap_or(u32::MAX).max(1);
        if !is_refused && next != 0 && retry_after.is_none() {
            self.ask(Attempt { failures, ..attempt }, wires);
            return Some(self);
        }
        let most = LONGEST_PAUSE.min(PAUSE * 2_u32.saturating_pow(rounds.saturating_sub(1).min(16)));
        let pause = wires.chance.between(most / 2, most);
        let told = retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.state = State::Pausing { failures };
        wires.arm(Letter::Errand, pause.max(told));
        Some(self)
    }

    /// The timer: a binding is to be renewed, a pause is over, or nobody answers our farewell.
    fn due(mut self: Box<Self>, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        match self.state {
            State::Bound => self.ask(Attempt::default(), wires),
            State::Pausing { failures } => self.ask(Attempt { failures, is_raised: false }, wires),
            State::Leaving => return self.left(wires),
            State::Asking { is_leaving: true, .. } => return self.left(wires),
            State::Asking { is_leaving: false, .. } => {}
        }
        Some(self)
    }

    fn lost(&mut self, lost: Flow, wires: &mut Wires<'_>) {
        let own = self.flow();
        let is_own = lost.connection.is_some() && (lost.listener, lost.peer) == (own.listener, own.peer);
        if is_own && matches!(self.state, State::Bound) {
            let pause = wires.chance.between(Duration::ZERO, RENEWED_WITHIN);
            wires.arm(Letter::Errand, pause);
        }
    }

    /// Ends the binding (§10.2.2). A request that waits for its answer gets it first (§10.2).
    fn leave(mut self: Box<Self>, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        match self.state {
            State::Asking { attempt, .. } => {
                self.state = State::Asking { attempt, is_leaving: true };
                wires.arm(Letter::Errand, FAREWELL);
                Some(self)
            }
            State::Pausing { .. } if self.said != Some(true) => self.left(wires),
            // A binding that could not be renewed may still hold.
            State::Bound | State::Pausing { .. } => {
                self.state = State::Leaving;
                wires.disarm(Letter::Expiry);
                wires.arm(Letter::Errand, FAREWELL);
                self.begin_request(0, wires);
                Some(self)
            }
            State::Leaving => Some(self),
        }
    }

    /// Nothing is left to be done.
    fn left(mut self: Box<Self>, wires: &mut Wires<'_>) -> Option<Box<Self>> {
        wires.disarm(Letter::Errand);
        if self.said == Some(true) {
            self.unbound(None, wires);
        }
        None
    }
}
