//! The world: whose turn it is, and what time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Duration;

use b2bua::{CallId, Callback, Config, Control, Finding, Input, Output, Recording, Switchboard};
use bytes::Bytes;
use clock::Instant;
use rtp::{Report, SessionId};
use sip::{Compose, Flow, Message, Method, Name, Status, Transport};
use stir::{Question, Verification};

use crate::audit::Audit;
use crate::callee::{Callee, CalleePlan, Reaction};
use crate::caller::{Caller, CallerPlan, port};
use crate::config::{CARRIER_IN, CARRIER_OUT};
use crate::dialog::Act;
use crate::disk::Disk;
use crate::hooks::{self, Hooks};
use crate::media::Relay;
use crate::network::{Datagram, Mishap, Network, Weather};
use crate::orders::Orders;

/// How long the store takes.
const STORE: Duration = Duration::from_millis(2);
/// How long a hook takes.
const HOOK: Duration = Duration::from_millis(200);
/// More than anyone waits for a hook.
const LATE: Duration = Duration::from_secs(60);
/// A node that was dead for longer finds nobody who still waits for it.
const SILENCE: Duration = Duration::from_secs(30);
/// In [`World::played`]: a prompt made for one call.
pub const MADE: u16 = u16::MAX;
/// A world that is not quiet by then never will be.
const HORIZON: Duration = Duration::from_secs(6 * 3600);

/// A switchboard and everything around it.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub now: Instant,
    /// What is under test.
    pub board: Switchboard,
    /// The store.
    pub orders: Orders,
    /// Whoever is asked what to do.
    pub hooks: Hooks,
    /// What must hold.
    pub audit: Audit,
    /// Everything the relay was told.
    pub commands: Vec<rtp::Command>,
    /// Every message each peer was sent.
    pub received: BTreeMap<SocketAddr, Vec<Bytes>>,
    disk: Disk,
    config: Config,
    seeds: [u8; 32],
    /// Since when the node is dead, and until when.
    dead: Option<(Instant, Instant)>,
    network: Network,
    relay: Relay,
    flow: Flow,
    callers: Vec<Caller>,
    callees: Vec<Callee>,
    plans: BTreeMap<String, CalleePlan>,
    carriers: BTreeMap<SocketAddr, CalleePlan>,
    there: BTreeSet<SocketAddr>,
    /// Who stands in a caller's place when called.
    firsts: BTreeSet<String>,
    starts: BTreeMap<(Instant, usize), usize>,
    due: BTreeMap<(Instant, u64), Input>,
    sequence: u64,
    inputs: usize,
    store_is_silent: bool,
    /// What whoever verifies callers answers; `None`: nothing.
    verification: Option<Verification>,
    /// What it was asked.
    pub questions: Vec<Question>,
    trace: DefaultHasher,
    last_call: Option<CallId>,
    /// Sessions to which something was played and nobody is known to listen yet.
    unheard: Vec<SessionId>,
}

impl World {
    /// A world in which nothing has happened. Everything that will follows from `seed`.
    #[must_use]
    pub fn new(config: Config, weather: Weather, seed: u64) -> Self {
        let reliable = config.ua.listeners[0].transport == Transport::Tcp;
        let flow = Flow {
            listener: 0,
            transport: config.ua.listeners[0].transport,
            peer: CARRIER_IN.parse().expect("an address"),
            connection: reliable.then_some(1),
        };
        let mut seeds = [0; 32];
        seeds[..8].copy_from_slice(&seed.to_le_bytes());
        Self {
            now: Instant::ZERO,
            board: Switchboard::new(config.clone(), seeds),
            orders: Orders::default(),
            hooks: Hooks::default(),
            audit: Audit::default(),
            commands: Vec::new(),
            received: BTreeMap::new(),
            disk: Disk::default(),
            config,
            seeds,
            dead: None,
            network: Network::new(weather, reliable, seed),
            relay: Relay::default(),
            flow,
            callers: Vec::new(),
            callees: Vec::new(),
            plans: BTreeMap::new(),
            carriers: BTreeMap::new(),
            there: BTreeSet::new(),
            firsts: BTreeSet::new(),
            starts: BTreeMap::new(),
            due: BTreeMap::new(),
            sequence: 0,
            inputs: 0,
            store_is_silent: false,
            verification: None,
            questions: Vec::new(),
            trace: DefaultHasher::new(),
            last_call: None,
            unheard: Vec::new(),
        }
    }

    /// Whoever has this number will do this when called; others ring for ever.
    pub fn callee(&mut self, number: &str, plan: CalleePlan) {
        self.plans.insert(number.to_owned(), plan);
    }

    /// A carrier at this address does this with every call, whoever is called.
    pub fn carrier(&mut self, address: &str, plan: CalleePlan) {
        self.carriers.insert(address.parse().expect("an address"), plan);
    }

    /// Whether the carrier at this address answers who asks whether it is there, and registers whoever wants that.
    pub fn set_there(&mut self, address: &str, is_there: bool) {
        let address = address.parse().expect("an address");
        if is_there {
            self.there.insert(address)
        } else {
            self.there.remove(&address)
        };
    }

    /// Whoever verifies callers says this of each; without it, it never answers.
    pub fn verify(&mut self, verification: Verification) {
        self.verification = Some(verification);
    }

    /// Someone will call, so long from now.
    pub fn caller(&mut self, after: Duration, plan: CallerPlan) {
        let place = self.callers.len();
        let here = self.flow.peer;
        let media = 30_000 + u16::try_from(2 * place).unwrap_or(0);
        let call_id = format!("in-{place}@canary-caller.example");
        self.callers.push(Caller::new(plan, here, "canary-caller", call_id, media));
        self.starts.insert((self.now + after, place), place);
    }

    /// We will begin this call ourselves, so long from now.
    pub fn callback(&mut self, after: Duration, callback: Callback) {
        let firsts = callback.first.candidates.iter().map(|candidate| candidate.number.to_string());
        self.firsts.extend(firsts);
        self.sequence += 1;
        let input = Input::Control(Control::Originate(Box::new(callback)));
        self.due.insert((self.now + after, self.sequence), input);
    }

    /// How many inputs the switchboard has had.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// What has happened, as one number: the same seed gives the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.trace.finish()
    }

    /// The final status each caller got to its INVITE.
    #[must_use]
    pub fn statuses(&self) -> Vec<Option<u16>> {
        self.callers.iter().map(|caller| caller.status).collect()
    }

    /// Everything played, as places in the language's part of the library; what was made for one call is [`MADE`].
    #[must_use]
    pub fn played(&self) -> Vec<Vec<u16>> {
        let place = |sound: &rtp::Sound| match sound {
            rtp::Sound::Prompt(prompt) => prompt.0,
            rtp::Sound::Made(_) => MADE,
        };
        self.relay.played.iter().map(|(_, prompts)| prompts.iter().map(place).collect()).collect()
    }

    /// How often two were joined.
    #[must_use]
    pub fn bridges(&self) -> usize {
        self.relay.bridged
    }

    /// Runs until nothing is due any more.
    ///
    /// # Panics
    /// If that never happens.
    pub fn run_until_quiet(&mut self) {
        while self.step() {}
    }

    /// Runs until the switchboard has had so many inputs, or nothing is due any more.
    pub fn run_until(&mut self, inputs: usize) {
        while self.inputs < inputs && self.step() {}
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.next().is_some_and(|at| at <= end) && self.step() {}
        self.now = end;
    }

    /// When the next thing is due.
    fn next(&self) -> Option<Instant> {
        let phones = self.callers.iter().filter_map(Caller::next_wake);
        let phones = phones.chain(self.callees.iter().filter_map(Callee::next_wake)).min();
        let starts = self.starts.keys().next().map(|(at, _)| *at);
        let due = self.due.keys().next().map(|(at, _)| *at);
        let all = [
            phones,
            starts,
            due,
            self.network.next_arrival(),
            self.relay.next_report(),
            self.board.next_wake(),
            self.dead.map(|(_, until)| until),
        ];
        all.into_iter().flatten().min()
    }

    /// Does whatever comes first; `false` if nothing does.
    fn step(&mut self) -> bool {
        let Some(at) = self.next() else { return false };
        self.now = self.now.max(at);
        assert!(self.now.0 < HORIZON, "never quiet: {:?}", self.board.gauges());
        self.happen();
        true
    }

    fn happen(&mut self) {
        let now = self.now;
        if self.dead.is_some_and(|(_, until)| until <= now) {
            self.rise();
        } else if let Some(datagram) = self.network.arrive(now) {
            self.arrive(datagram);
        } else if let Some(report) = self.relay.report(now) {
            self.feed(Input::Report(report));
        } else if let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let input = entry.remove();
            self.feed(input);
        } else if let Some(entry) = self.starts.first_entry().filter(|entry| entry.key().0 <= now) {
            let place = entry.remove();
            let mut said = Vec::new();
            self.callers[place].begin(now, &mut said);
            self.say(self.flow.peer, said);
        } else if self.board.next_wake().is_some_and(|at| at <= now) {
            self.feed(Input::Wake);
        } else {
            self.tick();
        }
    }

    fn tick(&mut self) {
        let now = self.now;
        for place in 0..self.callers.len() {
            let mut said = Vec::new();
            self.callers[place].tick(now, &mut said);
            self.say(self.callers[place].dialog.here, said);
        }
        for place in 0..self.callees.len() {
            let mut said = Vec::new();
            self.callees[place].tick(now, &mut said);
            self.say(self.callees[place].dialog.here, said);
        }
    }

    fn say(&mut self, peer: SocketAddr, said: Vec<Bytes>) {
        for bytes in said {
            self.network.send(self.now, Datagram { peer, inward: true, bytes });
        }
    }

    fn arrive(&mut self, datagram: Datagram) {
        let Datagram { peer, inward, bytes } = datagram;
        if inward && self.dead.is_some() {
            return;
        }
        if inward {
            self.audit.inward(&bytes);
            self.feed(Input::Message { flow: Flow { peer, ..self.flow }, bytes });
            return;
        }
        self.received.entry(peer).or_default().push(bytes.clone());
        let Ok(message) = sip::parse(bytes) else { return };
        let mut said = Vec::new();
        self.deliver(peer, &message, &mut said);
        self.say(peer, said);
    }

    fn deliver(&mut self, peer: SocketAddr, message: &Message, said: &mut Vec<Bytes>) {
        let now = self.now;
        let call_id = message.headers().call_id();
        if let Some(caller) = self.callers.iter_mut().find(|caller| caller.dialog.call_id == call_id) {
            caller.hear(now, message, said);
            return;
        }
        if !self.callees.iter().any(|callee| callee.dialog.call_id == call_id) {
            self.meet(peer, message, said);
        }
        for callee in self.callees.iter_mut().filter(|callee| callee.dialog.call_id == call_id) {
            if callee.owns(message) {
                callee.hear(now, message, said);
            }
        }
    }

    fn meet(&mut self, peer: SocketAddr, message: &Message, said: &mut Vec<Bytes>) {
        let Message::Request(invite) = message else { return };
        if *invite.method() != Method::Invite {
            if self.there.contains(&peer) && matches!(invite.method(), Method::Options | Method::Register) {
                let yes = Compose::answer(invite, Status::OK, Some("there"), self.flow.peer);
                said.push(yes.copied(invite, Name::Contact).end());
            }
            return;
        }
        let number = invite.uri().user().unwrap_or_default().to_owned();
        let plan = self.carriers.get(&peer).or_else(|| self.plans.get(&number)).cloned();
        let plan = plan.unwrap_or_else(|| CalleePlan::new(Reaction::Ring));
        let media = 40_000 + u16::try_from(2 * self.callees.len()).unwrap_or(0);
        let mark = if self.firsts.contains(&number) { "canary-caller" } else { "canary-callee" };
        let callee = Callee::new(plan.clone(), peer, mark, invite, media);
        self.callees.push(callee);
        if let Reaction::Fork(after) | Reaction::ForkEarly(after) = plan.reaction {
            let second = Callee::new(plan, peer, mark, invite, media + 1000);
            self.callees.push(second.forked(Duration::from_secs(1) + after));
        }
    }

    /// The node dies, and is back after a while. What comes meanwhile nobody hears.
    pub fn die(&mut self, down: Duration) {
        self.disk.cut(self.now);
        self.audit.forget(&self.disk);
        self.relay.die();
        self.due.clear();
        self.unheard.clear();
        // Another node: nothing it says by chance has been said before.
        self.seeds[31] = self.seeds[31].wrapping_add(1);
        self.board = Switchboard::new(self.config.clone(), self.seeds);
        self.dead = Some((self.now, self.now + down));
    }

    /// The node is back, now and with another configuration.
    pub fn rise_with(&mut self, config: Config) {
        self.config = config;
        self.board = Switchboard::new(self.config.clone(), self.seeds);
        self.rise();
    }

    fn rise(&mut self) {
        let Some((since, _)) = self.dead.take() else { return };
        for tallied in self.disk.tallied() {
            self.board.remember(tallied);
        }
        let can_go_on = self.now.since(since) <= SILENCE;
        for kept in self.disk.unfinished() {
            let mut out = Vec::new();
            self.board.restore(self.now, kept, can_go_on, &mut out);
            self.follow(out);
        }
    }

    /// The switchboard handles one input; what it says takes effect.
    pub fn feed(&mut self, input: Input) {
        if self.dead.is_some() {
            return;
        }
        self.inputs += 1;
        let mut out = Vec::new();
        self.note(&input);
        self.board.handle(self.now, input, &mut out);
        self.follow(out);
    }

    fn follow(&mut self, out: Vec<Output>) {
        for output in out {
            self.note(&output);
            self.audit.output(&output);
            self.disk.take(self.now + STORE, &output);
            self.perform(output);
        }
    }

    fn note(&mut self, what: &impl Debug) {
        format!("{what:?}").hash(&mut self.trace);
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { flow, bytes, .. } => {
                self.audit.outward(&bytes);
                self.overhear(&bytes);
                self.network.send(self.now, Datagram { peer: flow.peer, inward: false, bytes });
            }
            Output::Media { worker, command } => {
                let hears = match &command {
                    rtp::Command::Play { session, .. } => Some(*session),
                    rtp::Command::Open { .. }
                    | rtp::Command::Update { .. }
                    | rtp::Command::Stop { .. }
                    | rtp::Command::Bridge { .. }
                    | rtp::Command::Unbridge { .. }
                    | rtp::Command::PauseRecording { .. }
                    | rtp::Command::Press { .. }
                    | rtp::Command::Record { .. }
                    | rtp::Command::Close { .. } => None,
                };
                self.commands.push(command.clone());
                self.relay.command(self.now, worker, command);
                self.unheard.extend(hears);
                self.press();
            }
            Output::Find { call, query } => {
                let finding = self.orders.find(query);
                self.answer(Input::Found { call, finding });
            }
            Output::Verify { call, question } => {
                self.last_call = Some(call);
                self.questions.push(*question);
                if let Some(verification) = self.verification {
                    self.answer(Input::Verified { call, verification });
                }
            }
            Output::Consult(consultation) => {
                let call = consultation.call;
                if let Some(advice) = self.hooks.answer(*consultation) {
                    self.later(HOOK, Input::Advised { call, advice: Box::new(advice) });
                }
            }
            Output::Checkpoint(kept) => {
                self.last_call = Some(kept.record.call);
                if kept.record.answered.is_none() && kept.record.tried.is_empty() {
                    self.answer(Input::Begun { call: kept.record.call, kept: true });
                }
            }
            Output::Called { line, callee, code } => self.orders.called(line, callee, code),
            Output::Tallied(tallied) => self.disk.tally(self.now + STORE, tallied),
            Output::Uncalled { code, .. } => self.orders.uncalled.push(code),
            Output::PairCalled { pair, caller } => self.orders.connected.push((pair, caller)),
            Output::Record(_)
            | Output::Heard(_)
            | Output::Leg { .. }
            | Output::Notice(_)
            | Output::Trunk(_)
            | Output::Shedding(_)
            | Output::Counted(_)
            | Output::Fault(_) => {}
        }
    }

    fn answer(&mut self, input: Input) {
        if !self.store_is_silent {
            self.later(STORE, input);
        }
    }

    fn later(&mut self, after: Duration, input: Input) {
        self.sequence += 1;
        self.due.insert((self.now + after, self.sequence), input);
    }

    /// Whoever hears a prompt for the first time begins to press their keys. Who that is, our answer's port says, which may
    /// come after the prompt.
    fn press(&mut self) {
        let mut keys = Vec::new();
        self.unheard.retain(|session| {
            let is_here =
                |port: Option<u16>| port.and_then(|number| self.relay.session_at(number)) == Some(*session);
            let callers = self.callers.iter_mut().map(|caller| (caller.their_port, &mut caller.plan.keys));
            let callees = self.callees.iter_mut().map(|callee| (callee.their_port, &mut callee.plan.keys));
            let Some((_, plan)) = callers.chain(callees).find(|(port, _)| is_here(*port)) else {
                return true;
            };
            keys.extend(plan.drain(..).map(|(after, key)| (after, *session, key)));
            false
        });
        for (after, session, key) in keys {
            self.relay.press(self.now + after, session, key);
        }
    }

    /// A caller learns our port from the answer; the world knows it as soon as it is written.
    fn overhear(&mut self, bytes: &Bytes) {
        let Ok(Message::Response(response)) = sip::parse(bytes.clone()) else { return };
        let call_id = response.headers().call_id();
        if let Some(caller) = self.callers.iter_mut().find(|caller| caller.dialog.call_id == call_id) {
            caller.their_port = caller.their_port.or_else(|| port(response.body()));
        }
        self.press();
    }

    /// The caller does something now.
    pub fn caller_acts(&mut self, act: Act) {
        let now = self.now;
        for place in 0..self.callers.len() {
            let mut said = Vec::new();
            self.callers[place].act(now, act, &mut said);
            self.say(self.callers[place].dialog.here, said);
        }
        self.called_act(true, act);
    }

    /// The callee does something now.
    pub fn callee_acts(&mut self, act: Act) {
        self.called_act(false, act);
    }

    fn called_act(&mut self, first: bool, act: Act) {
        let now = self.now;
        for place in 0..self.callees.len() {
            if self.firsts.contains(&self.callees[place].dialog.number) != first {
                continue;
            }
            let mut said = Vec::new();
            self.callees[place].act(now, act, &mut said);
            self.say(self.callees[place].dialog.here, said);
        }
    }

    pub(crate) fn mishap(&mut self, mishap: Mishap) {
        self.network.next = Some(mishap);
    }

    pub(crate) fn lose_flow(&mut self, out: bool) {
        let peer: SocketAddr = if out { CARRIER_OUT } else { CARRIER_IN }.parse().expect("an address");
        self.feed(Input::FlowLost(Flow { peer, ..self.flow }));
    }

    /// The store says nothing any more, nor does whoever verifies callers.
    pub fn silence_store(&mut self) {
        self.store_is_silent = true;
        let is_answer = |input: &Input| {
            matches!(input, Input::Found { .. } | Input::Begun { .. } | Input::Verified { .. })
        };
        self.due.retain(|_, input| !is_answer(input));
    }

    /// The store fails at whatever it was asked last.
    pub fn fail_store(&mut self) {
        for input in self.due.values_mut() {
            match input {
                Input::Found { finding, .. } => *finding = Finding::Failed,
                Input::Begun { kept, .. } => *kept = false,
                Input::Verified { .. }
                | Input::Advised { .. }
                | Input::Message { .. }
                | Input::Proved { .. }
                | Input::FlowLost(_)
                | Input::Report(_)
                | Input::Control(_)
                | Input::Behind(_)
                | Input::Wake => {}
            }
        }
    }

    /// Hooks say nothing any more.
    pub fn silence_hooks(&mut self) {
        self.hooks.silence();
        self.due.retain(|_, input| !matches!(input, Input::Advised { .. }));
    }

    /// What a hook says comes when nobody waits for it any more.
    pub fn delay_hooks(&mut self) {
        let late = self.due.extract_if(.., |_, input| matches!(input, Input::Advised { .. }));
        for (_, input) in late.collect::<Vec<_>>() {
            self.later(LATE, input);
        }
    }

    /// What a hook says is not what it was asked for.
    pub fn confuse_hooks(&mut self) {
        for input in self.due.values_mut() {
            if let Input::Advised { advice, .. } = input {
                **advice = hooks::wrong(advice);
            }
        }
    }

    /// The relay says nothing any more.
    pub fn silence_relay(&mut self) {
        self.relay.silent = true;
    }

    /// No media comes to any session.
    pub fn lose_media(&mut self) {
        for session in self.relay.open_sessions() {
            self.relay.stale(self.now, session);
            self.feed(Input::Report(Report::Silent { session }));
        }
    }

    /// The last call of which something is known.
    #[must_use]
    pub fn last_call(&self) -> Option<CallId> {
        self.last_call
    }

    /// An operator ends the last call.
    pub fn hang_up(&mut self) {
        if let Some(call) = self.last_call {
            self.feed(Input::Control(Control::HangUp(call)));
        }
    }

    /// A shop's program pauses or resumes the recording of the last call; what it came to.
    pub fn pause_recording(&mut self, paused: bool) -> Option<Recording> {
        let call = self.last_call?;
        self.feed(Input::Control(Control::PauseRecording { call, paused }));
        self.board.recording(call)
    }

    /// The same questions after every scenario.
    ///
    /// # Panics
    /// With every answer that is wrong.
    pub fn assert_clean(&self) {
        let mut wrong = self.audit.verdict();
        wrong.extend(self.relay.wrong.iter().cloned());
        let gauges = self.board.gauges();
        if gauges != (b2bua::Gauges { calls: 0, legs: 0, transactions: 0, ports: 0, timers: 0, errands: 0 }) {
            wrong.push(format!("left behind: {gauges:?}"));
        }
        if !self.relay.silent && !self.relay.open_sessions().is_empty() {
            wrong.push(format!("sessions left open: {:?}", self.relay.open_sessions()));
        }
        for caller in &self.callers {
            if !caller.dialog.over && caller.status.is_some() {
                wrong.push(format!("caller {} was never told that it is over", caller.dialog.call_id));
            }
        }
        for callee in &self.callees {
            if !callee.is_over() {
                wrong.push(format!("callee {} was never told that it is over", callee.dialog.call_id));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
