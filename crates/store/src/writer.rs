//! The one thread that writes. Batches that wait at the same time become one write to the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use ulid::Ulid;

use crate::batch::Write;
use crate::changes::Changes;
use crate::event_log::EventLog;
use crate::history::History;
use crate::shared::Shared;
use crate::statistics::Traffic;
use crate::{Batch, Event, Outcome, StoreError};

/// Once a group has so many writes it takes no further batch. Readers wait while sled applies it (not while the disk
/// works), so it is kept short: 128 orders take two or three milliseconds.
const GROUP: usize = 128;

pub(crate) type Done = Box<dyn FnOnce(Result<Vec<Outcome>, StoreError>) + Send>;

pub(crate) struct Job {
    pub(crate) batch: Batch,
    pub(crate) done: Done,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    log: EventLog,
    history: History,
    traffic: Traffic,
}

/// Writes that become one: what they change, and what is to be known once they are safe.
pub(crate) struct Group<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) changes: Changes<'a>,
    pub(crate) log: &'a mut EventLog,
    pub(crate) history: &'a mut History,
    pub(crate) traffic: &'a mut Traffic,
    /// Events appended.
    pub(crate) events: Vec<Event>,
    /// Calls whose record was written.
    pub(crate) records: Vec<Ulid>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>) -> Result<Self, StoreError> {
        let log = EventLog::read(&shared.disk)?;
        let history = History::read(&shared.disk)?;
        let traffic = Traffic::read(&shared.disk)?;
        let mut safe = shared.safe();
        safe.event = log.last();
        safe.records = history.place();
        drop(safe);
        Ok(Self { shared, log, history, traffic })
    }

    /// Until every [`crate::Store`] is gone.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            let mut writes = group[0].batch.len();
            while writes < GROUP {
                let Ok(job) = jobs.try_recv() else { break };
                writes += job.batch.len();
                group.push(job);
            }
            self.write(group);
        }
    }

    fn write(&mut self, mut jobs: Vec<Job>) {
        let written = match self.shared.fault.get() {
            Some(fault) => Err(fault.clone()),
            None => catch_unwind(AssertUnwindSafe(|| self.try_write(&mut jobs)))
                .unwrap_or_else(|_| Err(StoreError::Failed("a fault of ours, see the log".to_owned()))),
        };
        match written {
            Ok((outcomes, events)) => {
                self.tell(&events);
                for (job, outcomes) in jobs.into_iter().zip(outcomes) {
                    answer(job, Ok(outcomes));
                }
            }
            Err(error) => {
                let fault = self.shared.fault.get_or_init(|| stopped(error));
                for job in jobs {
                    answer(job, Err(fault.clone()));
                }
            }
        }
    }

    fn try_write(&mut self, jobs: &mut [Job]) -> Result<(Vec<Vec<Outcome>>, Vec<Event>), StoreError> {
        let shared = Arc::clone(&self.shared);
        let writing = shared.orders.writing();
        let mut group = Group {
            shared: &shared,
            changes: Changes::over(&shared.disk),
            log: &mut self.log,
            history: &mut self.history,
            traffic: &mut self.traffic,
            events: Vec::new(),
            records: Vec::new(),
        };
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            let done: Result<Vec<Outcome>, StoreError> =
                job.batch.writes.iter_mut().map(|write| group.perform(write)).collect();
            outcomes.push(done?);
        }
        group.write_tallies();
        let Group { changes, events, records, .. } = group;
        shared.safe().settling.extend(&records);
        changes.apply()?;
        drop(writing);
        shared.note_names();
        let mut safe = shared.safe();
        safe.event = self.log.last();
        safe.records = self.history.place();
        safe.settling.clear();
        drop(safe);
        Ok((outcomes, events))
    }

    fn tell(&self, events: &[Event]) {
        let Some(listener) = self.shared.listener().filter(|_| !events.is_empty()) else { return };
        if catch_unwind(AssertUnwindSafe(|| listener(events))).is_err() {
            tracing::error!("the listener for events panicked; the store goes on");
        }
    }
}

impl Group<'_> {
    fn perform(&mut self, write: &mut Write) -> Result<Outcome, StoreError> {
        match write {
            Write::PutOrder { order, now, announce, precondition } => {
                self.put_order(order, *now, *announce, *precondition).map(Outcome::Put)
            }
            Write::RemoveOrder { line, code, precondition, now } => {
                self.remove_order(*line, code, *now, *precondition).map(Outcome::RemovedOrder)
            }
            Write::NoteCalled { line, callee, code, at } => self.note_called(*line, *callee, code, *at),
            Write::ReserveCall { line, code, now } => {
                self.reserve_call(*line, code, *now).map(Outcome::Reserved)
            }
            Write::ReleaseCall { line, code, now } => self.release_call(*line, code, *now),
            Write::Tally(tally) => self.tally(tally),
            Write::Checkpoint { call, trunks, json, snapshot } => {
                self.checkpoint(*call, trunks, json, snapshot)
            }
            Write::PutBlock(block) => self.put_block(block),
            Write::RemoveBlock(id) => self.take_block(*id).map(Outcome::Removed),
            Write::Audit(new) => Ok(self.audit(new)),
            Write::EraseOrders(erasure) => self.erase_orders(erasure, GROUP).map(Outcome::Erased),
            Write::Erase(piece) => self.erase(piece).map(Outcome::Erased),
            Write::Alive(now) => Ok(self.alive(*now)),
            Write::Finish { trace, shares, callback, json, events } => {
                if *callback {
                    self.callback_is_over(trace.call());
                }
                self.finish(trace, shares, json, events).map(Outcome::Finished)
            }
            Write::PutCallback { callback, event } => self.put_callback(callback, event),
            Write::EndCallback { id, end, event } => self.end_callback(*id, end, event).map(Outcome::Removed),
            Write::PutPlan { plan, wanted } => self.put_plan(plan, *wanted).map(Outcome::Plan),
            Write::RemovePlan { name, wanted } => self.remove_plan(name, *wanted).map(Outcome::Plan),
            Write::Event(event) => self.append(event).map(Outcome::Event),
            Write::Remember { claim, response, now } => self.remember(claim, response, *now),
            Write::Delivered(delivery) => self.delivered(delivery),
            Write::Failed { delivery, next_try_at, error } => self.failed(delivery, *next_try_at, error),
            Write::Dead { delivery, error, now } => self.dead(delivery, error, *now),
            Write::Replay { webhook, events, now } => {
                self.replay(webhook, events, *now).map(Outcome::Replayed)
            }
            Write::CreatePair { asked, now } => self.create_pair(asked, *now).map(Outcome::Pair),
            Write::ChangePair { id, change, version, now } => {
                self.change_pair(*id, change, *version, *now).map(Outcome::Pair)
            }
            Write::ClosePair { id, version, now } => self.close_pair(*id, *version, *now).map(Outcome::Pair),
            Write::ReopenPair { id, expires_at, version, now } => {
                self.reopen_pair(*id, *expires_at, *version, *now).map(Outcome::Pair)
            }
            Write::PairCalled { id, caller, now } => self.pair_called(*id, *caller, *now),
            Write::Contact(write) => self.contact(write).map(Outcome::Contact),
            Write::SweepPairs { now, limit } => self.sweep_pairs(*now, *limit).map(Outcome::PairsSwept),
            Write::PutSignIn(sign_in) => self.put_sign_in(sign_in),
            Write::UseSignIn { id, at } => self.use_sign_in(*id, *at),
            Write::EndSignIn(id) => self.end_sign_in(*id).map(Outcome::Removed),
            Write::Sweep { now, limit } => self.sweep(*now, *limit).map(Outcome::Swept),
        }
    }
}

fn stopped(error: StoreError) -> StoreError {
    let error = if let StoreError::Read(why) = error { StoreError::Failed(why) } else { error };
    tracing::error!(%error, "nothing more is written");
    error
}

fn answer(job: Job, outcomes: Result<Vec<Outcome>, StoreError>) {
    let Job { batch, done } = job;
    // What the batch holds (a delivery, a claim) is settled before its owner hears of it.
    drop(batch);
    if catch_unwind(AssertUnwindSafe(|| done(outcomes))).is_err() {
        tracing::error!("whoever waited for a write panicked on its answer; the store goes on");
    }
}
