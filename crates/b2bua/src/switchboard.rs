//! All calls as one value with one owner. It routes: what a message means the user agent knows, what a call does
//! the call knows.

mod originating;
mod restoring;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use clock::{Instant, Timers};
use number::Number;
use rtp::{Port, Report, SessionId};
use sip::Flow;
use slab::Slab;
use ua::{Incoming, LegCommand, LegEvent, LegId, Refusal, RetryAfter, Source, TrunkId, UserAgent};

use crate::admission::{Gate, Rate};
use crate::belief::Asked;
use crate::call::{self, Call, Core, State, Timer, Verifying, Whose};
use crate::callback::Stage;
use crate::config::{Config, Line, Trunk};
use crate::desk::{Alarm, Desk, Place, Told};
use crate::guards::Counts;
use crate::ids::Ids;
use crate::interface::{
    Behind, CallId, Control, Fault, Happening, Input, Notice, Output, Recording, TrunkNotice,
};
use crate::lockout::Lockouts;
use crate::ports::Ports;
use crate::record::{Cause, Record};
use crate::self_call::SelfCall;
use crate::trunks::{Commands, Room, TrunkStatus, Trunks};

/// What a refused caller is told to wait at least, in seconds.
const RETRY_AFTER: RetryAfter = RetryAfter(5);

/// All calls.
#[derive(Debug)]
pub struct Switchboard {
    config: Arc<Config>,
    lines: BTreeMap<Number, Arc<Line>>,
    trunks: Trunks,
    agent: UserAgent,
    calls: Slab<Call>,
    by_id: BTreeMap<CallId, Place>,
    by_leg: HashMap<LegId, (Place, Whose)>,
    by_session: HashMap<SessionId, (Place, Whose)>,
    /// The call from ourselves.
    own: Option<SelfCall>,
    /// Ports of sessions that were left, until the relay has closed them.
    left: HashMap<SessionId, Port>,
    /// Names that were proved, by connection.
    proved: HashMap<u32, Vec<Box<str>>>,
    timers: Timers<Alarm>,
    ids: Ids,
    ports: Ports,
    lockouts: Lockouts,
    counts: Counts,
    rate: Rate,
    draining: bool,
    is_shedding: bool,
    work: VecDeque<ua::Input>,
    said: Vec<ua::Output>,
    told: Vec<Told>,
    /// Calls of which what is kept is not up to date.
    stale: Vec<Place>,
}

/// How much a switchboard holds at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    /// Calls whose record is not written yet.
    pub calls: usize,
    /// Legs of the user agent, those included that only answer for themselves any more.
    pub legs: usize,
    /// SIP transactions.
    pub transactions: usize,
    /// Media ports in use.
    pub ports: usize,
    /// Timers set.
    pub timers: usize,
    /// What is done for trunks outside of calls: registrations and questions whether they are there.
    pub errands: usize,
}

impl Switchboard {
    /// A switchboard with no calls. All its chance comes from `seed`.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut ids = Ids::new(seed, config.epoch_ms);
        let ports = Ports::new(&config.media, config.limits.port_rest, || ids.number());
        let mut agent_seed = seed;
        agent_seed[0] ^= 0xA5;
        let mut board = Self {
            agent: UserAgent::new(config.ua.clone(), agent_seed),
            lockouts: Lockouts::new(config.limits.lockouts),
            counts: Counts::new(config.limits.lockouts),
            config: Arc::new(config),
            lines: BTreeMap::new(),
            trunks: Trunks::default(),
            calls: Slab::new(),
            by_id: BTreeMap::new(),
            by_leg: HashMap::new(),
            by_session: HashMap::new(),
            own: None,
            left: HashMap::new(),
            proved: HashMap::new(),
            timers: Timers::default(),
            ids,
            ports,
            rate: Rate::default(),
            draining: false,
            is_shedding: false,
            work: VecDeque::new(),
            said: Vec::new(),
            told: Vec::new(),
            stale: Vec::new(),
        };
        board.learn_config();
        board
    }

    /// One thing happened: does what is due, then what follows from it.
    pub fn handle(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        while let Some(alarm) = self.timers.pop_due(now) {
            match alarm {
                Alarm::Agent(timer) => self.tell_agent(ua::Input::Fired(timer)),
                Alarm::Call(place, timer) => self.tell_call(now, place, call::Input::Fired(timer), out),
                Alarm::Left(session) => self.closed(now, session),
            }
            self.settle(now, out);
        }
        self.take(now, input, out);
        self.settle(now, out);
        self.keep(out);
    }

    /// When something will be due; feed `Input::Wake` then.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How much is held at the moment.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            calls: self.calls.len(),
            legs: self.agent.legs(),
            transactions: self.agent.transactions(),
            ports: self.ports.taken(),
            timers: self.timers.len(),
            errands: self.agent.errands(),
        }
    }

    /// How each trunk is, in the order of the configuration.
    #[must_use]
    pub fn trunks(&self) -> Vec<TrunkStatus> {
        self.trunks.status(&self.config)
    }

    /// Whether this call is going on.
    #[must_use]
    pub fn has(&self, call: CallId) -> bool {
        self.by_id.contains_key(&call)
    }

    /// Whether what is said in this call is recorded; `None`: there is no such call.
    #[must_use]
    pub fn recording(&self, call: CallId) -> Option<Recording> {
        let core = &self.calls[*self.by_id.get(&call)?].core;
        Some(core.is_recorded())
    }

    /// How far this callback has come; `None`: it is not going on.
    #[must_use]
    pub fn stage(&self, call: CallId) -> Option<Stage> {
        let record = &self.calls[*self.by_id.get(&call)?].core.record;
        record.callback.then(|| record.stage())
    }

    fn take(&mut self, now: Instant, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Message { flow, bytes } => {
                let source = self.source_of(now, flow);
                self.tell_agent(ua::Input::Message { flow, source, bytes });
            }
            Input::Proved { flow, names } => {
                if let Some(connection) = flow.connection {
                    self.proved.insert(connection, names);
                }
            }
            Input::FlowLost(flow) => {
                if let Some(connection) = flow.connection {
                    self.proved.remove(&connection);
                }
                self.tell_agent(ua::Input::FlowLost(flow));
            }
            Input::Report(report) => self.report(now, report, out),
            Input::Found { call, finding } => {
                self.tell_named(now, call, call::Input::Found(finding), out);
            }
            Input::Verified { call, verification } => {
                self.tell_named(now, call, call::Input::Verified(verification), out);
            }
            Input::Advised { call, advice } => {
                self.tell_named(now, call, call::Input::Advised(advice), out);
            }
            Input::Begun { call, kept } => self.tell_named(now, call, call::Input::Begun(kept), out),
            Input::Control(control) => self.control(now, control, out),
            Input::Behind(behind) => self.behind(behind, out),
            Input::Wake => {}
        }
    }

    fn control(&mut self, now: Instant, control: Control, out: &mut Vec<Output>) {
        match control {
            Control::HangUp(call) => self.tell_named(now, call, call::Input::HangUp(Cause::Ended), out),
            Control::PauseRecording { call, paused } => {
                self.tell_named(now, call, call::Input::PauseRecording(paused), out);
            }
            Control::Originate(callback) => self.originate(now, &callback, out),
            Control::Cancel { call, when } => {
                if self.stage(call).is_some_and(|stage| when.allows(stage)) {
                    self.tell_named(now, call, call::Input::HangUp(Cause::Ended), out);
                }
            }
            Control::Drain => {
                self.draining = true;
                let commands = self.trunks.stop();
                self.errands(commands);
                self.tell_agent(ua::Input::Unavailable(Some(RETRY_AFTER)));
            }
            Control::EndAll => {
                let places: Vec<Place> = self.by_id.values().copied().collect();
                for place in places {
                    self.tell_call(now, place, call::Input::HangUp(Cause::Ended), out);
                }
            }
            Control::Configure(config) => {
                self.tell_agent(ua::Input::Configure(Box::new(config.ua.clone())));
                self.config = Arc::from(config);
                self.learn_config();
                for (trunk, what) in self.trunks.news() {
                    out.push(Output::Trunk(TrunkNotice { trunk, at: now, what }));
                }
            }
            Control::Resolved { trunk, targets } => {
                if !self.draining {
                    let commands = self.trunks.resolved(&self.config, trunk, targets);
                    self.errands(commands);
                }
            }
            #[cfg(feature = "faults")]
            Control::Panic(call) => self.tell_named(now, call, call::Input::Panic, out),
        }
    }

    fn behind(&mut self, behind: Behind, out: &mut Vec<Output>) {
        let limits = self.config.limits;
        let is_shedding =
            behind.messages.max(behind.relay) > limits.delay || behind.store > limits.store_delay;
        if is_shedding != self.is_shedding {
            self.is_shedding = is_shedding;
            let refusal = is_shedding.then(|| self.busy(limits.busy_status));
            self.tell_agent(ua::Input::Shed(refusal));
            out.push(Output::Shedding(is_shedding));
        }
    }

    /// Not all of those refused come back at the same time.
    fn busy(&mut self, status: u16) -> Refusal {
        let spread = u16::try_from(self.ids.number() % 8).expect("below 8");
        Refusal { status, retry_after: Some(RetryAfter(RETRY_AFTER.0 + spread)) }
    }

    fn learn_config(&mut self) {
        let config = &self.config;
        self.lines = config.lines.iter().map(|line| (line.number, Arc::new(line.clone()))).collect();
        if !self.draining {
            let commands = self.trunks.learn(config);
            self.errands(commands);
        }
    }

    fn errands(&mut self, commands: Commands) {
        for (errand, command) in commands {
            self.tell_agent(ua::Input::Errand(errand, command));
        }
    }

    /// Whose address or certificate this is; our own counts for the first trunk's; nobody's, if it is not to the letter what a trunk is known by. Where an account must be
    /// proved as well, or nothing else is known, there may be several.
    fn source_of(&self, now: Instant, flow: Flow) -> Source {
        if self.config.own == Some(flow.peer) {
            return Source::Trunk(TrunkId(0));
        }
        let peer = flow.peer.ip();
        let proved = flow.connection.and_then(|connection| self.proved.get(&connection));
        let allows = |trunk: &Trunk| {
            let here = trunk.allow.iter().any(|range| range.contains(peer));
            if trunk.certificate.is_empty() {
                return here;
            }
            let is_named =
                || proved.is_some_and(|names| names.iter().any(|name| trunk.certificate.contains(name)));
            (here || trunk.allow.is_empty()) && is_named()
        };
        let mut of = Vec::new();
        let mut near = None;
        for (trunk, place) in self.config.trunks.iter().zip(0..) {
            let id = TrunkId(place);
            let is_allowed = allows(trunk);
            if is_allowed && !trunk.inbound {
                return Source::Trunk(id);
            }
            let is_open = trunk.inbound && trunk.allow.is_empty() && trunk.certificate.is_empty();
            if is_allowed || is_open {
                of.push(id);
                near = near.or(Some(id).filter(|_| is_allowed));
            }
        }
        if of.is_empty() { Source::Stranger } else { Source::Unproved { of, near, at: now.0 } }
    }

    fn report(&mut self, now: Instant, report: Report, out: &mut Vec<Output>) {
        let (session, input): (_, fn(Whose, Report) -> call::Input) = match &report {
            Report::Digit { session, .. }
            | Report::Finished { session, .. }
            | Report::Silent { session }
            | Report::Closed { session, .. }
            | Report::Recorded { session, .. } => (*session, call::Input::reported),
        };
        if let Some((place, whose)) = self.by_session.get(&session).copied() {
            self.tell_call(now, place, input(whose, report), out);
        } else if let Report::Closed { .. } = report {
            self.timers.disarm(Alarm::Left(session));
            self.closed(now, session);
        }
    }

    /// A session that was left is closed: its port is free.
    fn closed(&mut self, now: Instant, session: SessionId) {
        if let Some(port) = self.left.remove(&session) {
            self.ports.give(now, port);
        }
    }

    fn tell_named(&mut self, now: Instant, call: CallId, input: call::Input, out: &mut Vec<Output>) {
        if let Some(place) = self.by_id.get(&call).copied() {
            self.tell_call(now, place, input, out);
        }
    }

    /// A call handles one input. A panic ends that call and no other: its state is gone, its core is whole.
    fn tell_call(&mut self, now: Instant, place: Place, input: call::Input, out: &mut Vec<Output>) {
        let Some(call) = self.calls.get_mut(place) else { return };
        let (agent, told) = (&mut self.agent, &mut self.told);
        let mut next_leg = || agent.next_leg();
        let mut desk = Desk {
            now,
            place,
            ids: &mut self.ids,
            ports: &mut self.ports,
            lockouts: &mut self.lockouts,
            counts: &mut self.counts,
            timers: &mut self.timers,
            trunks: &mut self.trunks,
            told,
            next_leg: &mut next_leg,
            out,
        };
        let name = input.name();
        if catch_unwind(AssertUnwindSafe(|| call.handle(input, &mut desk))).is_err() {
            desk.out.push(Output::Fault(Fault { call: call.core.id(), input: name }));
            call.fall(&mut desk);
        }
        let over = call.is_over();
        self.hear_call(now, place);
        if over {
            self.remove(place);
        }
    }

    fn hear_call(&mut self, now: Instant, place: Place) {
        for told in self.told.drain(..) {
            match told {
                Told::Leg(leg, command) => self.work.push_back(ua::Input::Command(leg, command)),
                Told::Stands(whose, leg, session) => {
                    self.by_leg.insert(leg, (place, whose));
                    self.by_session.insert(session, (place, whose));
                }
                Told::Stale => self.stale.push(place),
                Told::Left(leg, session, port) => {
                    self.by_leg.remove(&leg);
                    self.by_session.remove(&session);
                    self.left.insert(session, port);
                    self.timers.arm(now, Alarm::Left(session), call::CLOSE_WITHIN);
                }
            }
        }
    }

    fn remove(&mut self, place: Place) {
        let call = self.calls.remove(place);
        self.by_id.remove(&call.core.id());
        for seat in call.core.seats() {
            self.trunks.give(seat);
        }
        for dialled in &call.core.dialled {
            self.counts.give(dialled);
        }
        for leg in call.core.caller.iter().chain(&call.core.callee) {
            self.by_leg.remove(&leg.id);
            self.by_session.remove(&leg.session);
        }
        for timer in Timer::ALL {
            self.timers.disarm(Alarm::Call(place, timer));
        }
    }

    fn tell_agent(&mut self, input: ua::Input) {
        self.work.push_back(input);
    }

    /// Until the user agent and the calls have nothing more to say to each other.
    fn settle(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(input) = self.work.pop_front() {
            let mut said = std::mem::take(&mut self.said);
            self.agent.handle(input, &mut said);
            for say in said.drain(..) {
                self.hear_agent(now, say, out);
            }
            self.said = said;
        }
    }

    fn hear_agent(&mut self, now: Instant, said: ua::Output, out: &mut Vec<Output>) {
        match said {
            ua::Output::Send { leg, flow, bytes } => out.push(Output::Send { leg, flow, bytes }),
            ua::Output::Heard(leg) => out.push(Output::Heard(leg)),
            ua::Output::Arm(timer, after) => self.timers.arm(now, Alarm::Agent(timer), after),
            ua::Output::Disarm(timer) => self.timers.disarm(Alarm::Agent(timer)),
            ua::Output::Changed(leg) => self.stale.extend(self.by_leg.get(&leg).map(|(place, _)| *place)),
            ua::Output::Event(leg, LegEvent::Offered(incoming)) => self.offered(now, leg, &incoming, out),
            ua::Output::Event(leg, event) => self.leg_event(now, leg, event, out),
            ua::Output::Errand(errand, event) => {
                if let Some((trunk, what)) = self.trunks.said(errand, event) {
                    out.push(Output::Trunk(TrunkNotice { trunk, at: now, what }));
                }
            }
            ua::Output::Counted(counted) => out.push(Output::Counted(counted)),
        }
    }

    /// A new call, of which all that is said to its legs and sessions is from now on.
    fn seat(&mut self, call: Call) -> Place {
        let place = self.calls.insert(call);
        let core = &self.calls[place].core;
        self.by_id.insert(core.id(), place);
        for (leg, whose) in [(&core.caller, Whose::Caller), (&core.callee, Whose::Callee)] {
            if let Some(leg) = leg {
                self.by_leg.insert(leg.id, (place, whose));
                self.by_session.insert(leg.session, (place, whose));
            }
        }
        place
    }

    fn leg_event(&mut self, now: Instant, leg: LegId, event: LegEvent, out: &mut Vec<Output>) {
        if let Some((place, whose)) = self.by_leg.get(&leg).copied() {
            self.tell_call(now, place, call::Input::Leg(whose, event), out);
        } else if let LegEvent::Ended(_) = event
            && let Some(own) = self.own.take_if(|own| own.leg == leg)
        {
            let (session, port) = own.end(out);
            self.left.insert(session, port);
            self.timers.arm(now, Alarm::Left(session), call::CLOSE_WITHIN);
        }
    }

    /// Calls of our own come one after the other. The relay is asked for music, not the store for a checkpoint: a call that
    /// leaves nothing has nothing to keep.
    fn own_call(&mut self, now: Instant, leg: LegId, incoming: &Incoming, out: &mut Vec<Output>) {
        let config = Arc::clone(&self.config);
        let command = if self.draining || self.own.is_some() {
            LegCommand::Refuse(self.busy(config.limits.busy_status))
        } else {
            let shared = (&mut self.ids, &mut self.ports);
            match SelfCall::begin((now, leg), incoming, &config, shared, out) {
                Ok((own, answer)) => {
                    self.own = Some(own);
                    answer
                }
                Err(refusal) => LegCommand::Refuse(refusal),
            }
        };
        self.tell_agent(ua::Input::Command(leg, command));
    }

    fn offered(&mut self, now: Instant, leg: LegId, incoming: &Incoming, out: &mut Vec<Output>) {
        if self.config.own == Some(incoming.flow.peer) {
            return self.own_call(now, leg, incoming, out);
        }
        let limits = self.config.limits;
        let config = Arc::clone(&self.config);
        let trunk = &config.trunks[usize::from(incoming.trunk.0)];
        let is_open = !self.draining
            && self.calls.len() < limits.calls
            && self.rate.admits(now, limits.calls_per_second)
            && self.trunks.take(now, trunk) == Room::Taken;
        let (ids, ports) = (&mut self.ids, &mut self.ports);
        let mut gate = Gate { now, config: &config, lines: &self.lines, ids, ports };
        let taken = if is_open { gate.admit(leg, incoming) } else { Err(gate.overloaded(incoming)) };
        if is_open && taken.is_err() {
            self.trunks.give(&trunk.name);
        }
        match taken {
            Ok(mut stuff) => {
                let call = stuff.record.call;
                out.push(Output::Leg { call, leg, callee: None });
                let asked = stuff.asked.take();
                let is_known = asked.is_none();
                let (state, patience) = match asked {
                    Some(Asked { question, said, trunk }) => {
                        out.push(Output::Verify { call, question });
                        (State::Verifying(Verifying { said, trunk }), call::VERIFIED_WITHIN)
                    }
                    None => {
                        call::arrived(now, &stuff.record, incoming.trunk, out);
                        (State::Arriving, call::STORE_WITHIN)
                    }
                };
                let place = self.seat(Call { core: Core::new(stuff), state });
                if is_known {
                    self.stale.push(place);
                }
                self.timers.arm(now, Alarm::Call(place, Timer::Store), patience);
            }
            // Nothing stays of it but the transaction, which absorbs what is sent again: however many are refused,
            // no more is held than there may be transactions, and each has its one record.
            Err(rejected) => {
                out.push(Output::Leg { call: rejected.record.call, leg, callee: None });
                let retry_after = rejected.may_try_again.then_some(RETRY_AFTER);
                let refusal = Refusal { status: rejected.status, retry_after };
                self.tell_agent(ua::Input::Command(leg, LegCommand::Refuse(refusal)));
                ended(now, &rejected.record, out);
                out.push(Output::Record(rejected.record));
            }
        }
    }
}

fn ended(now: Instant, record: &Record, out: &mut Vec<Output>) {
    if let Some(outcome) = record.outcome {
        let what = Happening::Ended { outcome };
        out.push(Output::Notice(Notice { call: record.call, at: now, what }));
    }
}
