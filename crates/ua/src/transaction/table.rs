//! All transactions of a user agent, found by id, by message and by flow. Retransmissions end here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use sip::{Flow, Method, Request, Response};
use slab::Slab;

use super::key::{ClientKey, Key, Sent};
use super::machine::Machine;
use super::{Effect, InviteClient, InviteServer, Pace, RequestClient, RequestServer};
use crate::chance::Token;
use crate::compose::Heading;
use crate::flow;
use crate::interface::{Counted, ErrandId, LegId, Letter, Output, Owner, Timer, Timing};
use crate::place::Place;

/// A place in the table, and in the upper half how many were in the table before, so that a late timer never
/// reaches whoever has the place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TransactionId(pub(crate) u64);

impl TransactionId {
    fn new(births: u32, place: usize) -> Self {
        Self(u64::from(births) << 32 | place as u64)
    }

    fn place(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }
}

/// What a client transaction is to its leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The INVITE that made the leg.
    Invite,
    /// The BYE that ends it.
    Bye,
    /// An UPDATE or a re-INVITE that refreshes the session.
    Refresh,
    /// A PRACK in an early dialog.
    Prack,
    /// A CANCEL, or a BYE to a fork that is not wanted: nobody waits for the answer.
    Unattended,
}

/// Who is told what becomes of a client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    Leg(LegId, Part),
    Errand(ErrandId),
}

impl User {
    fn leg(self) -> Option<LegId> {
        match self {
            Self::Leg(leg, _) => Some(leg),
            Self::Errand(_) => None,
        }
    }
}

/// A request of ours that starts a transaction.
pub(crate) struct Start {
    pub(crate) user: User,
    pub(crate) flow: Flow,
    pub(crate) place: Arc<Place>,
    pub(crate) method: Sent,
    pub(crate) branch: Token,
    pub(crate) bytes: Bytes,
}

/// What came of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It belongs to no transaction.
    Stray,
    /// It was seen before.
    Absorbed,
    /// It is new to this user.
    New(User),
}

/// What a transaction tells without having received anything.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// No response came in time, or none can come.
    Unanswered(User),
    /// No further 2xx to the INVITE will come.
    Settled(LegId),
    /// What the leg would answer can no longer be said.
    Unanswerable(LegId, TransactionId),
}

/// A request of theirs as its transaction knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) leg: LegId,
    /// The tag we answer with.
    pub(crate) tag: Token,
    /// Whether our final response is still to come.
    pub(crate) unanswered: bool,
}

#[derive(Debug)]
struct Entry {
    id: TransactionId,
    flow: Flow,
    machine: Machine,
    side: Side,
}

#[derive(Debug)]
enum Side {
    Client {
        key: ClientKey,
        place: Arc<Place>,
        user: User,
        /// Of an INVITE: what its ACK repeats.
        heading: Option<Arc<Heading>>,
    },
    Server {
        key: Box<[u8]>,
        origin: Option<Box<[u8]>>,
        leg: LegId,
        tag: Token,
        /// Where the other side listens, should its connection be lost (RFC 3261 §18.2.2).
        port: u16,
    },
}

/// What a step of a machine means to others.
enum Verdict {
    Passed,
    Absorbed,
    TimedOut,
    Failed,
    Expired,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    entries: Slab<Entry>,
    births: u32,
    servers: HashMap<Box<[u8]>, TransactionId>,
    origins: HashMap<Box<[u8]>, TransactionId>,
    clients: HashMap<ClientKey, TransactionId>,
    flows: BTreeSet<(Flow, TransactionId)>,
    key: Key,
    effects: Vec<Effect>,
}

impl Transactions {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The transaction this request belongs to, if it is not a new one.
    pub(crate) fn find(&mut self, request: &Request) -> Option<TransactionId> {
        self.key.of_transaction(request);
        self.servers.get(self.key.octets()).copied()
    }

    /// The INVITE this CANCEL is about (RFC 3261 §9.2).
    pub(crate) fn cancelled(&mut self, cancel: &Request) -> Option<TransactionId> {
        self.key.of_cancelled(cancel);
        self.servers.get(self.key.octets()).copied()
    }

    /// Whether this new request without a To tag is one that is being answered already (RFC 3261 §8.2.2.2).
    pub(crate) fn is_merged(&mut self, request: &Request) -> bool {
        self.key.of_origin(request);
        self.origins.contains_key(self.key.octets())
    }

    /// Who answers this request.
    pub(crate) fn asked(&self, id: TransactionId) -> Option<Asked> {
        let entry = self.entry(id)?;
        match entry.side {
            Side::Server { leg, tag, .. } => {
                Some(Asked { leg, tag, unanswered: entry.machine.is_unanswered() })
            }
            Side::Client { .. } => None,
        }
    }

    /// A new request, which `leg` will answer with `tag`.
    pub(crate) fn open(
        &mut self,
        request: &Request,
        flow: Flow,
        leg: LegId,
        tag: Token,
        timing: Timing,
    ) -> TransactionId {
        let pace = Pace { timing, reliable: flow.transport.is_reliable() };
        let is_invite = *request.method() == Method::Invite;
        let machine = if is_invite {
            Machine::InviteServer(InviteServer::start(pace))
        } else {
            Machine::RequestServer(RequestServer::start(pace))
        };
        self.key.of_transaction(request);
        let key: Box<[u8]> = self.key.octets().into();
        let is_first = is_invite && request.headers().to().tag().is_none();
        let origin = is_first.then(|| {
            self.key.of_origin(request);
            Box::from(self.key.octets())
        });
        let via = request.headers().via();
        let port = flow::sent_by_port(&via, flow.transport);
        let flow = flow::answering(flow, &via);
        let side = Side::Server { key: key.clone(), origin: origin.clone(), leg, tag, port };
        let id = self.insert(flow, machine, side);
        self.servers.insert(key, id);
        if let Some(origin) = origin {
            self.origins.insert(origin, id);
        }
        id
    }

    /// Sends an INVITE: the one that makes a leg, or a re-INVITE.
    pub(crate) fn invite(
        &mut self,
        (leg, part): (LegId, Part),
        flow: Flow,
        heading: &Arc<Heading>,
        bytes: Bytes,
        timing: Timing,
        out: &mut Vec<Output>,
    ) -> TransactionId {
        let pace = Pace { timing, reliable: flow.transport.is_reliable() };
        let start = Start {
            user: User::Leg(leg, part),
            flow,
            place: Arc::clone(&heading.place),
            method: Sent::Invite,
            branch: heading.branch,
            bytes: Bytes::new(),
        };
        let mut effects = std::mem::take(&mut self.effects);
        let machine = Machine::InviteClient(InviteClient::start(pace, bytes, &mut effects));
        self.started(start, machine, Some(Arc::clone(heading)), effects, out)
    }

    /// Sends anything but an INVITE.
    pub(crate) fn request(&mut self, start: Start, timing: Timing, out: &mut Vec<Output>) -> TransactionId {
        let pace = Pace { timing, reliable: start.flow.transport.is_reliable() };
        let mut effects = std::mem::take(&mut self.effects);
        let machine = Machine::RequestClient(RequestClient::start(pace, start.bytes.clone(), &mut effects));
        self.started(start, machine, None, effects, out)
    }

    fn started(
        &mut self,
        start: Start,
        machine: Machine,
        heading: Option<Arc<Heading>>,
        mut effects: Vec<Effect>,
        out: &mut Vec<Output>,
    ) -> TransactionId {
        let key = ClientKey { branch: start.branch, method: start.method };
        let side = Side::Client { key, place: start.place, user: start.user, heading };
        let id = self.insert(start.flow, machine, side);
        self.clients.insert(key, id);
        perform(id, start.user.leg(), start.flow, &mut effects, out);
        self.effects = effects;
        id
    }

    /// The leg answers a request.
    pub(crate) fn respond(&mut self, id: TransactionId, status: u16, response: Bytes, out: &mut Vec<Output>) {
        self.drive(id, |machine, effects| machine.respond(status, response, effects), out);
    }

    /// A request came again.
    pub(crate) fn repeated(&mut self, id: TransactionId, out: &mut Vec<Output>) {
        self.drive(id, Machine::repeated, out);
    }

    /// An ACK came that has the branch of an INVITE. `true` if it acknowledges a 2xx, so that it is the leg's.
    pub(crate) fn acknowledged(&mut self, id: TransactionId, out: &mut Vec<Output>) -> bool {
        matches!(self.drive(id, Machine::acknowledged, out), Some(Verdict::Passed))
    }

    /// A response came.
    pub(crate) fn responded(&mut self, response: &Response, out: &mut Vec<Output>) -> Received {
        let Some((id, user, heading)) = self.client(response) else { return Received::Stray };
        out.extend(user.leg().map(Output::Heard));
        let status = response.status().code();
        let ack = || heading.map(|heading| heading.ack(response)).unwrap_or_default();
        match self.drive(id, |machine, effects| machine.responded(status, ack, effects), out) {
            Some(Verdict::Passed) => Received::New(user),
            Some(Verdict::Absorbed | Verdict::TimedOut | Verdict::Failed | Verdict::Expired) | None => {
                Received::Absorbed
            }
        }
    }

    /// The transaction whose branch, sent-by and method a response has (RFC 3261 §17.1.3, §18.1.2). A response
    /// with a second Via was not for us (§8.1.3.3).
    fn client(&self, response: &Response) -> Option<(TransactionId, User, Option<Arc<Heading>>)> {
        let headers = response.headers();
        let mut vias = headers.vias();
        let via = vias.next().filter(|_| vias.next().is_none())?;
        let branch = Token::read(via.branch()?.strip_prefix("z9hG4bK")?.as_bytes())?;
        let method = Sent::from_method(&headers.cseq().method)?;
        let id = *self.clients.get(&ClientKey { branch, method })?;
        match &self.entry(id)?.side {
            Side::Client { place, user, heading, .. } if place.sent(&via) => {
                Some((id, *user, heading.clone()))
            }
            Side::Client { .. } | Side::Server { .. } => None,
        }
    }

    /// A timer is due.
    pub(crate) fn fired(
        &mut self,
        id: TransactionId,
        letter: Letter,
        out: &mut Vec<Output>,
    ) -> Option<Report> {
        let side = self.user(id)?;
        let verdict = self.drive(id, |machine, effects| machine.fired(letter, effects), out)?;
        report(id, side, &verdict)
    }

    /// Nothing can be sent on this flow any more, nor on any that any connection to its peer would have done for.
    pub(crate) fn flow_lost(&mut self, flow: Flow, out: &mut Vec<Output>) -> Vec<Report> {
        let mut lost: Vec<TransactionId> = self.on_flow(flow).collect();
        if flow.connection.is_some() {
            lost.extend(self.on_flow(Flow { connection: None, ..flow }));
        }
        let mut reports = Vec::new();
        for id in lost {
            let Some(side) = self.user(id) else { continue };
            if let Some(verdict) = self.drive(id, Machine::transport_failed, out) {
                reports.extend(report(id, side, &verdict));
            }
            self.reopen(id);
        }
        reports
    }

    fn on_flow(&self, flow: Flow) -> impl Iterator<Item = TransactionId> + '_ {
        let range = (flow, TransactionId(0))..=(flow, TransactionId(u64::MAX));
        self.flows.range(range).map(|(_, id)| *id)
    }

    /// What is still sent goes over a new connection to where the other side listens (RFC 3261 §18.2.2).
    fn reopen(&mut self, id: TransactionId) {
        let Some(entry) = self.entries.get_mut(id.place()).filter(|entry| entry.id == id) else { return };
        if let Side::Server { port, .. } = entry.side {
            self.flows.remove(&(entry.flow, id));
            entry.flow.connection = None;
            if entry.flow.transport.is_reliable() {
                entry.flow.peer.set_port(port);
            }
            self.flows.insert((entry.flow, id));
        }
    }

    /// Forgets an INVITE that was cancelled and never answered (RFC 3261 §9.1), or a question whose answer comes too late.
    pub(crate) fn abandon(&mut self, id: TransactionId) {
        if self.entry(id).is_some() {
            self.remove(id);
        }
    }

    fn entry(&self, id: TransactionId) -> Option<&Entry> {
        self.entries.get(id.place()).filter(|entry| entry.id == id)
    }

    fn user(&self, id: TransactionId) -> Option<Whose> {
        Some(match &self.entry(id)?.side {
            Side::Client { user, .. } => Whose::Client(*user),
            Side::Server { leg, .. } => Whose::Server(*leg),
        })
    }

    fn insert(&mut self, flow: Flow, machine: Machine, side: Side) -> TransactionId {
        self.births = self.births.wrapping_add(1);
        let vacant = self.entries.vacant_entry();
        let id = TransactionId::new(self.births, vacant.key());
        vacant.insert(Entry { id, flow, machine, side });
        self.flows.insert((flow, id));
        id
    }

    fn remove(&mut self, id: TransactionId) {
        let entry = self.entries.remove(id.place());
        self.flows.remove(&(entry.flow, id));
        match entry.side {
            Side::Client { key, .. } => {
                self.clients.remove(&key);
            }
            Side::Server { key, origin, .. } => {
                self.servers.remove(&key);
                if let Some(origin) = origin {
                    self.origins.remove(&origin);
                }
            }
        }
    }

    /// Lets a machine take one step, and performs what it wants done.
    fn drive(
        &mut self,
        id: TransactionId,
        step: impl FnOnce(Machine, &mut Vec<Effect>) -> Machine,
        out: &mut Vec<Output>,
    ) -> Option<Verdict> {
        let entry = self.entries.get_mut(id.place()).filter(|entry| entry.id == id)?;
        let vacant = Machine::RequestServer(RequestServer::Terminated);
        let machine = std::mem::replace(&mut entry.machine, vacant);
        entry.machine = step(machine, &mut self.effects);
        let (flow, over) = (entry.flow, entry.machine.is_terminated());
        let leg = match &entry.side {
            Side::Client { user, .. } => user.leg(),
            Side::Server { leg, .. } => Some(*leg),
        };
        let verdict = perform(id, leg, flow, &mut self.effects, out);
        if over {
            self.remove(id);
        }
        verdict
    }
}

/// Who is told of a transaction.
enum Whose {
    Client(User),
    Server(LegId),
}

fn report(id: TransactionId, whose: Whose, verdict: &Verdict) -> Option<Report> {
    match (whose, verdict) {
        (Whose::Client(User::Leg(_, Part::Unattended)), _) => None,
        (Whose::Client(user), Verdict::TimedOut | Verdict::Failed) => Some(Report::Unanswered(user)),
        (Whose::Client(User::Leg(leg, _)), Verdict::Expired) => Some(Report::Settled(leg)),
        (Whose::Server(leg), Verdict::Failed) => Some(Report::Unanswerable(leg, id)),
        // Timer H: a refusal was never acknowledged, and the leg is long over (RFC 3261 §17.2.1).
        (Whose::Server(_), Verdict::TimedOut | Verdict::Expired) => None,
        (Whose::Client(User::Errand(_)), Verdict::Expired) | (_, Verdict::Passed | Verdict::Absorbed) => None,
    }
}

fn perform(
    id: TransactionId,
    leg: Option<LegId>,
    flow: Flow,
    effects: &mut Vec<Effect>,
    out: &mut Vec<Output>,
) -> Option<Verdict> {
    let timer = |letter| Timer { owner: Owner::Transaction(id.0), letter };
    let mut verdict = None;
    for effect in effects.drain(..) {
        match effect {
            Effect::Send(bytes) => out.push(Output::Send { leg, flow, bytes }),
            Effect::Arm(letter, after) => out.push(Output::Arm(timer(letter), after)),
            Effect::Disarm(letter) => out.push(Output::Disarm(timer(letter))),
            Effect::Pass => verdict = Some(Verdict::Passed),
            Effect::Absorb => {
                out.push(Output::Counted(Counted::Retransmission));
                verdict = Some(Verdict::Absorbed);
            }
            Effect::TimedOut => verdict = Some(Verdict::TimedOut),
            Effect::Failed => verdict = Some(Verdict::Failed),
            Effect::Expired => verdict = Some(Verdict::Expired),
        }
    }
    verdict
}
