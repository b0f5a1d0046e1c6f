//! One owner of all legs and transactions. Whatever comes in is given to the one it is for; what is for nobody is
//! answered or dropped here.

use std::sync::Arc;

use bytes::Bytes;
use sip::{Compose, Fault, Flow, Malformed, Message, Method, Name, Request, Response, Status};

use crate::challenge::{Claimant, Guard, Verdict};
use crate::chance::{Chance, Token};
use crate::compose::{ALLOW, Contact, Heading, SDP};
use crate::dialog::Dialog;
use crate::digest::Credentials;
use crate::errand::{self, Errands};
use crate::interface::{
    Config, Counted, ErrandId, Input, Invite, LegCommand, LegId, Output, Owner, Refusal, RetryAfter, Source,
    Timer, TrunkId, Why,
};
use crate::leg::{self, Inviting, Offered, Pending, State};
use crate::legs::Legs;
use crate::place::Place;
use crate::screen::{Kind, screen};
use crate::settings::Settings;
use crate::snapshot::{InviteSnapshot, Snapshot};
use crate::transaction::{Key, Received, Report, TransactionId, Transactions, User};
use crate::wires::Wires;

/// All legs and transactions of one switchboard, as a value: it reads no clock, opens no socket, waits for nothing.
#[derive(Debug)]
pub struct UserAgent {
    settings: Settings,
    chance: Chance,
    legs: Legs,
    transactions: Transactions,
    errands: Errands,
    guard: Guard,
    unavailable: Option<RetryAfter>,
    shed: Option<Refusal>,
    last_leg: u64,
}

/// Where a request from a trunk came from, and the listener of ours it came to.
struct Origin {
    flow: Flow,
    trunk: TrunkId,
    place: Arc<Place>,
}

/// When to try again where the table of transactions is full.
const FULL: RetryAfter = RetryAfter(5);

impl UserAgent {
    /// A user agent without legs. Tags, branches and Call-IDs follow from `seed` and the inputs alone, so that a
    /// run replays; in production the seed comes from the system's randomness.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut chance = Chance::new(seed);
        let guard = Guard::new(&mut chance);
        Self {
            settings: Settings::new(&config),
            chance,
            guard,
            legs: Legs::default(),
            transactions: Transactions::default(),
            errands: Errands::default(),
            unavailable: None,
            shed: None,
            last_leg: 0,
        }
    }

    /// A name for a leg that is about to be told `LegCommand::Invite`.
    pub fn next_leg(&mut self) -> LegId {
        self.last_leg += 1;
        LegId(self.last_leg)
    }

    /// Takes one input and appends what must be done, in that order. It cannot fail and cannot wait.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Message { flow, source, bytes } => self.message(flow, source, bytes, out),
            Input::FlowLost(flow) => self.flow_lost(flow, out),
            Input::Fired(timer) => self.fired(timer, out),
            Input::Command(leg, LegCommand::Invite(invite)) => self.invite(leg, &invite, out),
            Input::Command(leg, command) => self.tell(leg, leg::Input::Command(command), out),
            Input::Errand(errand, command) => self.run(errand, errand::Input::Command(command), out),
            Input::Unavailable(pause) => self.unavailable = pause,
            Input::Shed(refusal) => self.shed = refusal,
            Input::Configure(config) => self.settings = Settings::new(&config),
        }
    }

    /// How many legs there are, those included that are over and still answer for themselves (64*T1 after the end).
    #[must_use]
    pub fn legs(&self) -> usize {
        self.legs.len()
    }

    /// What must be kept of a leg so that it outlives us; `None`: it has no dialog, or one that ends.
    #[must_use]
    pub fn snapshot(&self, leg: LegId) -> Option<Snapshot> {
        self.legs.snapshot(leg, &self.settings)
    }

    /// As `snapshot`, of a callee's leg that was not answered yet.
    #[must_use]
    pub fn invite_snapshot(&self, leg: LegId) -> Option<InviteSnapshot> {
        self.legs.invite_snapshot(leg, &self.settings)
    }

    /// Takes back an INVITE that was sent by whom we come after. The leg says nothing but that it has ended. `None`: it cannot be
    /// read, or the listener it went out by is not there any more.
    pub fn withdraw(&mut self, kept: &InviteSnapshot, why: Why, out: &mut Vec<Output>) -> Option<LegId> {
        let (place, home) = self.settings.hop(&kept.home)?;
        let Ok(Message::Request(invite)) = sip::parse(kept.invite.clone()) else { return None };
        let heading = Heading::of(&invite, place)?;
        let (leg, tag, bytes) = (self.next_leg(), heading.tag, kept.invite.clone());
        let mut wires = self.wires(leg, out);
        let state = Inviting::withdrawing(heading, home, &invite, bytes, why, &mut wires);
        self.legs.insert(leg, tag, state);
        Some(leg)
    }

    /// Takes a leg up again that was kept; challenges to it are answered with `credentials`. `None`: it cannot be read, or
    /// the listener it used is not there any more.
    pub fn restore(
        &mut self,
        snapshot: &Snapshot,
        credentials: Option<&Arc<Credentials>>,
        out: &mut Vec<Output>,
    ) -> Option<LegId> {
        let dialog = Dialog::restored(snapshot, &self.settings, credentials)?;
        let tag = Token::read(snapshot.local_tag.as_bytes())?;
        let leg = self.next_leg();
        let state = State::restored(dialog, snapshot, &mut self.wires(leg, out));
        self.legs.insert(leg, tag, state);
        Some(leg)
    }

    /// How many errands there are.
    #[must_use]
    pub fn errands(&self) -> usize {
        self.errands.len()
    }

    /// How many transactions there are.
    #[must_use]
    pub fn transactions(&self) -> usize {
        self.transactions.len()
    }

    fn message(&mut self, flow: Flow, source: Source, bytes: Bytes, out: &mut Vec<Output>) {
        match sip::parse(bytes) {
            Ok(Message::Request(request)) => self.request(flow, source, request, out),
            Ok(Message::Response(response)) => self.response(flow, response, out),
            Err(malformed) => refuse_malformed(&malformed, flow, source.near(), out),
        }
    }

    fn response(&mut self, flow: Flow, response: Response, out: &mut Vec<Output>) {
        match self.transactions.responded(&response, out) {
            Received::New(User::Leg(leg, part)) => {
                self.tell(leg, leg::Input::Response(part, Box::new(response), flow), out);
            }
            Received::New(User::Errand(errand)) => {
                self.run(errand, errand::Input::Response(Box::new(response), flow), out);
            }
            Received::Absorbed => {}
            Received::Stray => out.push(Output::Counted(Counted::Stray)),
        }
    }

    fn request(&mut self, flow: Flow, source: Source, request: Request, out: &mut Vec<Output>) {
        // Nothing can be said where there is no listener to say it.
        let Some(place) = self.settings.place(flow.listener).cloned() else { return };
        let leg = self.legs.of(&request);
        let known = self.transactions.find(&request);
        let Some(trunk) = self.whose(flow, source, &request, leg.is_some(), known, out) else { return };
        out.extend(leg.map(|(leg, _)| leg).or_else(|| self.asked(known, &request)).map(Output::Heard));
        match (request.method(), known) {
            (Method::Ack, _) => self.ack(flow, leg.map(|(leg, _)| leg), known, request, out),
            (_, Some(transaction)) => self.transactions.repeated(transaction, out),
            (Method::Cancel, None) => self.cancel(flow, request, out),
            (_, None) => match (leg, trunk) {
                (Some((leg, tag)), _) => self.inside(leg, tag, flow, request, out),
                (None, Some(trunk)) => self.outside(Origin { flow, trunk, place }, request, out),
                (None, None) => {}
            },
        }
    }

    /// The trunk a request is of; `None` within, where that does not matter; `None`: nothing else is to be done with it.
    fn whose(
        &mut self,
        flow: Flow,
        source: Source,
        request: &Request,
        is_inside: bool,
        known: Option<TransactionId>,
        out: &mut Vec<Output>,
    ) -> Option<Option<TrunkId>> {
        let registered = self.errands.trunk_of(request);
        let (of, near, at) = match source {
            Source::Unproved { of, near, at } => (of, near, at),
            // Nobody but a trunk learns that there is anybody here, unless it is in a dialog with us.
            Source::Stranger | Source::Trunk(_) => {
                let trunk = source.near().or(registered);
                if trunk.is_none() && !is_inside {
                    out.push(Output::Counted(Counted::Stranger));
                    return None;
                }
                return Some(trunk);
            }
        };
        // Whoever is registered at knows our Contact, which nobody else does, and answers no challenge.
        if registered.is_some() {
            return Some(registered);
        }
        // What belongs to something of ours was proved before, and neither ACK nor CANCEL can be challenged (§22.1).
        let is_ours = is_inside
            || known.is_some()
            || (*request.method() == Method::Cancel && self.transactions.cancelled(request).is_some());
        let calls = *request.method() == Method::Invite && request.headers().to().tag().is_none();
        if is_ours || (!calls && near.is_some()) {
            return Some(near);
        }
        if !calls {
            out.push(Output::Counted(Counted::Stranger));
            return None;
        }
        let claimant = Claimant { of: &of, is_near: near.is_some(), address: flow.peer.ip(), at };
        let (accounts, realm) = (&self.settings.accounts, &self.settings.realm);
        match self.guard.look(request, claimant, accounts, realm, &mut self.chance) {
            Verdict::Proved(trunk) => Some(Some(trunk)),
            Verdict::Ask { challenges, wrong } => {
                out.extend(wrong.then_some(Output::Counted(Counted::Unproved)));
                let explain = |compose| challenges.write(compose).end();
                self.answer(flow, request, Status::UNAUTHORIZED, explain, out);
                None
            }
            Verdict::Silence { wrong } => {
                let counted = if wrong { Counted::Unproved } else { Counted::Stranger };
                out.push(Output::Counted(counted));
                None
            }
        }
    }

    /// Whose a request is that names no dialog: it came before, or takes back what did.
    fn asked(&mut self, known: Option<TransactionId>, request: &Request) -> Option<LegId> {
        let known = known.or_else(|| {
            (*request.method() == Method::Cancel).then(|| self.transactions.cancelled(request)).flatten()
        });
        Some(self.transactions.asked(known?)?.leg)
    }

    /// An ACK is never answered, whatever it is (RFC 3261 §17).
    fn ack(
        &mut self,
        flow: Flow,
        leg: Option<LegId>,
        known: Option<TransactionId>,
        request: Request,
        out: &mut Vec<Output>,
    ) {
        let (leg, is_passed) = match known {
            // The ACK to a 2xx has a branch of its own; one that has not comes from those who know only RFC 2543.
            Some(transaction) => {
                let asked = self.transactions.asked(transaction).map(|asked| asked.leg);
                (asked, self.transactions.acknowledged(transaction, out))
            }
            None => (leg, true),
        };
        match leg {
            Some(leg) if is_passed => self.tell(leg, leg::Input::Ack(Box::new(request), flow), out),
            Some(_) => {}
            None => out.push(Output::Counted(Counted::Stray)),
        }
    }

    /// A CANCEL is answered by itself, and ends the INVITE it names if that has no final response (§9.2).
    fn cancel(&mut self, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let invite = self.transactions.cancelled(&request);
        let Some((invite, asked)) =
            invite.and_then(|invite| Some((invite, self.transactions.asked(invite)?)))
        else {
            return self.answer(flow, &request, Status::CALL_DOES_NOT_EXIST, Compose::end, out);
        };
        let Some(pending) = self.open(request, flow, asked.leg, asked.tag, true, out) else { return };
        self.wires(asked.leg, out).reply(&pending, Status::OK);
        if asked.unanswered {
            self.tell(asked.leg, leg::Input::Cancel(invite), out);
        }
    }

    /// A new request that belongs to a leg.
    fn inside(&mut self, leg: LegId, tag: Token, flow: Flow, request: Request, out: &mut Vec<Output>) {
        let Some(pending) = self.open(request, flow, leg, tag, true, out) else { return };
        match screen(&pending.request, flow.transport, true, &self.settings) {
            Ok(kind) => self.tell(leg, leg::Input::Request(kind, Box::new(pending)), out),
            Err(refused) => {
                leg::refuse(&pending, &refused, &mut self.wires(leg, out));
                out.push(Output::Counted(Counted::Answered(refused.status.code())));
            }
        }
    }

    /// A request from a trunk that belongs to no leg.
    fn outside(&mut self, from: Origin, request: Request, out: &mut Vec<Output>) {
        let flow = from.flow;
        let kind = match screen(&request, flow.transport, false, &self.settings) {
            Ok(kind) => kind,
            Err(refused) => {
                let explain = |compose| refused.explain(compose).end();
                return self.answer(flow, &request, refused.status, explain, out);
            }
        };
        if request.headers().to().tag().is_some() {
            return self.answer(flow, &request, Status::CALL_DOES_NOT_EXIST, Compose::end, out);
        }
        match (kind, self.unavailable) {
            (Kind::Bye | Kind::Info | Kind::Update | Kind::Prack, _) => {
                self.answer(flow, &request, Status::CALL_DOES_NOT_EXIST, Compose::end, out);
            }
            (Kind::Options, Some(pause)) => self.refuse_for_now(flow, &request, pause, out),
            (Kind::Options, None) => self.options(&from, &request, out),
            (Kind::Invite, _) => match self.shed {
                Some(refusal) => self.shed(flow, &request, refusal, out),
                None => self.offered(from, request, out),
            },
        }
    }

    fn options(&mut self, from: &Origin, request: &Request, out: &mut Vec<Output>) {
        let supported = self.settings.supported();
        let can = |compose: Compose| {
            let compose = compose
                .header(Name::Contact, Contact::beside(&from.place, &request.uri()))
                .header(Name::Allow, ALLOW);
            compose.header(Name::Accept, SDP).header(Name::Supported, supported).end()
        };
        self.answer(from.flow, request, Status::OK, can, out);
    }

    fn offered(&mut self, from: Origin, request: Request, out: &mut Vec<Output>) {
        let Origin { flow, trunk, place } = from;
        if self.transactions.is_merged(&request) {
            return self.answer(flow, &request, Status::LOOP_DETECTED, Compose::end, out);
        }
        let (leg, tag) = (self.next_leg(), self.chance.token());
        let Some(invite) = self.open(request, flow, leg, tag, false, out) else { return };
        out.push(Output::Heard(leg));
        let state = Offered::begin(invite, trunk, place, &mut self.wires(leg, out));
        self.legs.insert(leg, tag, state);
    }

    /// Makes a transaction for a request, while there is room. Those of calls that there are may take as much again
    /// as those of new ones, so that calls can end.
    fn open(
        &mut self,
        request: Request,
        flow: Flow,
        leg: LegId,
        tag: Token,
        is_known: bool,
        out: &mut Vec<Output>,
    ) -> Option<Pending> {
        let shares = if is_known { 2 } else { 1 };
        if self.transactions.len() >= self.settings.transactions.saturating_mul(shares) {
            self.refuse_for_now(flow, &request, FULL, out);
            return None;
        }
        let transaction = self.transactions.open(&request, flow, leg, tag, self.settings.timing);
        Some(Pending { transaction, request, flow, tag })
    }

    fn shed(&mut self, flow: Flow, request: &Request, refusal: Refusal, out: &mut Vec<Output>) {
        let status = leg::refusing(refusal.status);
        let explain = |compose: Compose| compose.maybe(Name::RetryAfter, refusal.retry_after).end();
        self.answer(flow, request, status, explain, out);
        out.push(Output::Counted(Counted::Shed));
    }

    fn refuse_for_now(&mut self, flow: Flow, request: &Request, pause: RetryAfter, out: &mut Vec<Output>) {
        let explain = |compose: Compose| compose.header(Name::RetryAfter, pause).end();
        self.answer(flow, request, Status::SERVICE_UNAVAILABLE, explain, out);
    }

    /// Answers without keeping state (RFC 3261 §8.2.7): the same request again gets the same response again.
    fn answer(
        &mut self,
        flow: Flow,
        request: &Request,
        status: Status,
        end: impl FnOnce(Compose) -> Bytes,
        out: &mut Vec<Output>,
    ) {
        let mut key = Key::default();
        key.of_transaction(request);
        let tag = self.chance.tag_for(key.octets());
        let compose = Compose::answer(request, status, Some(&tag), flow.peer);
        let bytes = end(compose.maybe(Name::Server, self.settings.product.as_deref()));
        let flow = crate::flow::answering(flow, &request.headers().via());
        out.push(Output::Send { leg: None, flow, bytes });
        out.push(Output::Counted(Counted::Answered(status.code())));
    }

    fn invite(&mut self, leg: LegId, invite: &Invite, out: &mut Vec<Output>) {
        if self.legs.has(leg) {
            return;
        }
        let tag = self.chance.token();
        let state = Inviting::begin(invite, tag, &mut self.wires(leg, out));
        self.legs.insert(leg, tag, state);
        out.push(Output::Changed(leg));
    }

    fn fired(&mut self, timer: Timer, out: &mut Vec<Output>) {
        match timer.owner {
            Owner::Leg(leg) => self.tell(leg, leg::Input::Fired(timer.letter), out),
            Owner::Errand(errand) => self.run(errand, errand::Input::Fired(timer.letter), out),
            Owner::Transaction(id) => {
                if let Some(report) = self.transactions.fired(TransactionId(id), timer.letter, out) {
                    self.report(report, out);
                }
            }
        }
    }

    fn flow_lost(&mut self, flow: Flow, out: &mut Vec<Output>) {
        if flow.connection.is_some() {
            for leg in self.legs.on(flow) {
                self.tell(leg, leg::Input::ConnectionLost, out);
            }
            for errand in self.errands.ids() {
                self.run(errand, errand::Input::FlowLost(flow), out);
            }
        }
        for report in self.transactions.flow_lost(flow, out) {
            self.report(report, out);
        }
    }

    fn report(&mut self, report: Report, out: &mut Vec<Output>) {
        match report {
            Report::Unanswered(User::Leg(leg, part)) => self.tell(leg, leg::Input::Unanswered(part), out),
            Report::Unanswered(User::Errand(errand)) => self.run(errand, errand::Input::Unanswered, out),
            Report::Settled(leg) => self.tell(leg, leg::Input::Settled, out),
            Report::Unanswerable(leg, transaction) => {
                self.tell(leg, leg::Input::Unanswerable(transaction), out);
            }
        }
    }

    /// Gives an input to a leg, if it is still there.
    fn tell(&mut self, leg: LegId, input: leg::Input, out: &mut Vec<Output>) {
        let Some(state) = self.legs.take(leg) else { return };
        let before = state.mark();
        let state: State = state.handle(input, &mut self.wires(leg, out));
        let now = state.mark();
        if now.is_some() && now != before {
            out.push(Output::Changed(leg));
        }
        self.legs.put(leg, state);
    }

    /// Gives an input to an errand.
    fn run(&mut self, errand: ErrandId, input: errand::Input, out: &mut Vec<Output>) {
        let mut wires = errand::Wires {
            errand,
            transactions: &mut self.transactions,
            chance: &mut self.chance,
            settings: &self.settings,
            out,
        };
        self.errands.tell(input, &mut wires);
    }

    fn wires<'a>(&'a mut self, leg: LegId, out: &'a mut Vec<Output>) -> Wires<'a> {
        Wires {
            leg,
            transactions: &mut self.transactions,
            chance: &mut self.chance,
            settings: &self.settings,
            out,
        }
    }
}

/// What cannot be read is answered where that makes sense, and only to trunks.
fn refuse_malformed(malformed: &Malformed, flow: Flow, trunk: Option<TrunkId>, out: &mut Vec<Output>) {
    if malformed.fault() == Fault::KeepAlive {
        return;
    }
    match malformed.refusal(flow.peer).filter(|_| trunk.is_some()) {
        Some(bytes) => {
            out.push(Output::Send { leg: None, flow, bytes });
            out.push(Output::Counted(Counted::Answered(malformed.status().code())));
        }
        None => out.push(Output::Counted(Counted::Garbage)),
    }
}
