//! What becomes of each output of the switchboard. Nothing here waits.

use std::sync::Arc;

use b2bua::snapshot::Snapshot;
use b2bua::{Control, Counted, Finding, Gauges, Happening, Input, Output, TrunkHappening};
use clock::Instant;
use relay::Relay;
use sip::Flow;
use store::{Batch, Timestamp};

use crate::hook::Hooks;
use crate::keeper::Keeper;
use crate::known::{Met, People};
use crate::metrics::Metrics;
use crate::records::{Scribe, pair_ulid, ulid};
use crate::recovery::{self, SIGN_OF_LIFE};
use crate::signalling::Turn;
use crate::verifier::Verifier;

/// Everything the switchboard's outputs act on, the SIP sockets aside.
pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) keeper: Keeper,
    pub(crate) people: People,
    pub(crate) verifier: Verifier,
    pub(crate) hooks: Hooks,
    pub(crate) scribe: Scribe,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) turns: tokio::sync::mpsc::Sender<Turn>,
    /// When the store was last told that the node is alive.
    alive: Instant,
}

impl World {
    pub(crate) fn new(
        relay: Relay,
        (keeper, people): (Keeper, People),
        verifier: &Verifier,
        hooks: &Hooks,
        scribe: Scribe,
        metrics: &Arc<Metrics>,
        turns: tokio::sync::mpsc::Sender<Turn>,
    ) -> Self {
        let (verifier, hooks, metrics) = (verifier.clone(), hooks.clone(), Arc::clone(metrics));
        Self { relay, keeper, people, verifier, hooks, scribe, metrics, turns, alive: Instant::ZERO }
    }

    /// Counts what comes in, and learns the trunks' names as the switchboard does.
    pub(crate) fn heard(&mut self, input: &Input) {
        match input {
            Input::Message { .. } => self.metrics.messages_received.add(1),
            Input::Control(Control::Configure(config)) => {
                self.scribe.trunks = config.trunks.iter().map(|trunk| trunk.name.to_string()).collect();
            }
            Input::Begun { call, .. } => self.keeper.begun(*call),
            Input::Proved { .. }
            | Input::FlowLost(_)
            | Input::Report(_)
            | Input::Found { .. }
            | Input::Verified { .. }
            | Input::Advised { .. }
            | Input::Control(_)
            | Input::Behind(_)
            | Input::Wake => {}
        }
    }

    /// Keeps an event that is of no call of ours.
    pub(crate) fn tell(&mut self, event: store::NewEvent) {
        self.keeper.keep(Batch::new().event(event));
    }

    /// Who somebody is was found out; of a call that is over nobody is told.
    pub(crate) fn met(&mut self, now: Instant, met: &Met) {
        if self.people.met(met) {
            let event = self.scribe.met(now, met);
            self.keeper.keep(Batch::new().event(event));
        }
    }

    /// A message longer than is taken.
    pub(crate) fn too_long(&self) {
        self.metrics.counted(Counted::Garbage);
    }

    /// Counts what goes out.
    pub(crate) fn sent(&self, flow: Flow, bytes: &[u8]) {
        self.metrics.messages_sent.add(1);
        tracing::trace!(transport = ?flow.transport, octets = bytes.len(), "sent");
    }

    /// Does what the switchboard said.
    pub(crate) fn perform(&mut self, now: Instant, output: Output) {
        match output {
            // Sent and traced by the loop, which owns the sockets.
            Output::Send { .. } | Output::Heard(_) | Output::Leg { .. } => {}
            Output::Media { worker, command } => self.relay.send(worker, command),
            Output::Find { call, query } => {
                if !self.keeper.ask(call, query) {
                    let failed = Input::Found { call, finding: Finding::Failed };
                    let _ = self.turns.try_send(Turn::Board(failed));
                }
            }
            Output::Verify { call, question } => {
                if !self.verifier.ask(call, question) {
                    let late = Input::Verified { call, verification: b2bua::IdentityFault::Late.into() };
                    let _ = self.turns.try_send(Turn::Board(late));
                }
            }
            Output::Consult(asked) => self.hooks.ask(asked),
            Output::Checkpoint(snapshot) => self.checkpoint(now, &snapshot),
            Output::Record(record) => self.record(now, &record),
            Output::Called { line, callee, code } => {
                let at = Timestamp(self.scribe.clock.wall_ms(now));
                self.keeper.keep(Batch::new().note_called(line, callee, code.as_str(), at));
            }
            Output::Tallied(tallied) => {
                let until = Timestamp(self.scribe.clock.wall_ms_until(now, tallied.until));
                let tally = recovery::tally(tallied, until);
                self.keeper.keep(Batch::new().tally(tally));
            }
            Output::Uncalled { line, code } => {
                let at = Timestamp(self.scribe.clock.wall_ms(now));
                self.keeper.keep(Batch::new().release_call(line, code.as_str(), at));
            }
            Output::PairCalled { pair, caller } => {
                let at = Timestamp(self.scribe.clock.wall_ms(now));
                self.keeper.keep(Batch::new().pair_called(pair_ulid(pair), caller, at));
            }
            Output::Notice(notice) => {
                tracing::debug!(call = %notice.call, what = notice.what.name(), "call");
                if let Happening::Restored(_) = notice.what {
                    self.metrics.restored.add(1);
                }
                let event = self.scribe.event(&notice);
                self.keeper.keep(Batch::new().event(event));
                self.people.heard(&notice);
            }
            Output::Trunk(notice) => {
                let what = self.scribe.trunk_event(&notice);
                match notice.what {
                    TrunkHappening::Registered { .. } | TrunkHappening::Up => {
                        tracing::info!(trunk = %notice.trunk, what = what.kind, "trunk");
                    }
                    TrunkHappening::Unregistered { .. } | TrunkHappening::Down => {
                        tracing::warn!(trunk = %notice.trunk, what = what.kind, data = what.data.as_str(), "trunk");
                    }
                }
                self.keeper.keep(Batch::new().event(what));
            }
            Output::Shedding(true) => {
                self.metrics.shedding.set(1);
                tracing::warn!("too much to do: new calls are refused");
            }
            Output::Shedding(false) => {
                self.metrics.shedding.set(0);
                tracing::info!("new calls are taken again");
            }
            Output::Counted(counted) => self.metrics.counted(counted),
            Output::Fault(fault) => {
                self.metrics.faults.add(1);
                tracing::error!(call = %fault.call, input = fault.input, "a fault of ours ended this call");
            }
        }
    }

    fn checkpoint(&mut self, now: Instant, snapshot: &Snapshot) {
        let record = &snapshot.record;
        let mut kept = self.scribe.record(record);
        self.people.name(record.call, &mut kept);
        let rest = recovery::call::write(snapshot, self.scribe.clock.wall_us(Instant::ZERO));
        tracing::trace!(call = %record.call, octets = rest.len(), "kept");
        if record.answered.is_none() && record.tried.is_empty() {
            let what = if record.callback { "callback begins" } else { "call arrived" };
            tracing::info!(call = %record.call, trunk = %record.trunk, "{what}");
            self.keeper.begin(now, record.call, Batch::new().checkpoint(&kept, &rest));
        } else if !self.keeper.keep(Batch::new().checkpoint(&kept, &rest)) {
            self.keeper.keep(Batch::new().checkpoint(&kept.brief(), &rest));
        }
    }

    fn record(&mut self, now: Instant, record: &b2bua::Record) {
        self.metrics.ended(record);
        let mut kept = self.scribe.record(record);
        self.people.name(record.call, &mut kept);
        self.people.forget(record.call);
        tracing::info!(
            call = %record.call,
            cause = kept.cause.as_deref().unwrap_or_default(),
            ended_by = kept.ended_by.as_deref().unwrap_or_default(),
            talk_seconds = kept.talk_seconds,
            "call ended"
        );
        debug_assert_eq!(ulid(record.call), kept.id);
        let events = self.scribe.after(now, &kept);
        if !self.keeper.keep_soon(Batch::new().finish(&kept, events)) {
            let brief = kept.brief();
            let events = self.scribe.after(now, &brief);
            self.keeper.keep_soon(Batch::new().finish(&brief, events));
        }
    }

    /// When `flush` is wanted, though nothing happens.
    pub(crate) fn due(&self, gauges: &Gauges) -> Option<Instant> {
        let sign = (gauges.calls > 0).then(|| self.alive + SIGN_OF_LIFE);
        self.keeper.due().into_iter().chain(sign).min()
    }

    /// Hands on what was gathered while the switchboard handled its inputs.
    pub(crate) fn flush(&mut self, now: Instant, gauges: &Gauges) {
        self.relay.flush();
        if gauges.calls > 0 && now >= self.alive + SIGN_OF_LIFE {
            self.alive = now;
            let wall = Timestamp(self.scribe.clock.wall_ms(now));
            self.keeper.keep(Batch::new().alive(wall));
        }
        self.keeper.flush(now);
        self.metrics.gauges(gauges);
    }
}
