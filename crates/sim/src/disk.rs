//! What outlives the node: the store writes what it is given after a moment, and what was not written is lost with the node.

use std::collections::{BTreeMap, BTreeSet};

use b2bua::snapshot::Snapshot;
use b2bua::{CallId, Output, Tallied};
use clock::Instant;

/// The disk.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Calls that are going on, as they were kept last.
    kept: BTreeMap<CallId, Snapshot>,
    /// Calls whose record is written.
    over: BTreeSet<CallId>,
    /// How often what was dialled.
    tallied: Vec<Tallied>,
    /// What is on its way, and when it is there.
    writes: Vec<(Instant, Write)>,
}

#[derive(Debug)]
enum Write {
    Checkpoint(Box<Snapshot>),
    Record(CallId),
    Tally(Tallied),
}

impl Disk {
    /// Takes what is to be kept; it is there `at` this time.
    pub(crate) fn take(&mut self, at: Instant, output: &Output) {
        match output {
            Output::Checkpoint(kept) => self.writes.push((at, Write::Checkpoint(kept.clone()))),
            Output::Record(record) => self.writes.push((at, Write::Record(record.call))),
            Output::Send { .. }
            | Output::Heard(_)
            | Output::Leg { .. }
            | Output::Media { .. }
            | Output::Find { .. }
            | Output::Verify { .. }
            | Output::Consult(_)
            | Output::Called { .. }
            | Output::Uncalled { .. }
            | Output::Tallied(_)
            | Output::PairCalled { .. }
            | Output::Notice(_)
            | Output::Trunk(_)
            | Output::Shedding(_)
            | Output::Counted(_)
            | Output::Fault(_) => {}
        }
    }

    /// Takes how often something was dialled.
    pub(crate) fn tally(&mut self, at: Instant, tallied: Tallied) {
        self.writes.push((at, Write::Tally(tallied)));
    }

    /// How often what was dialled.
    pub(crate) fn tallied(&self) -> Vec<Tallied> {
        self.tallied.clone()
    }

    /// The node dies: what has not been written never will be.
    pub(crate) fn cut(&mut self, now: Instant) {
        for (at, write) in self.writes.drain(..) {
            match write {
                _ if at > now => {}
                Write::Checkpoint(kept) if !self.over.contains(&kept.record.call) => {
                    self.kept.insert(kept.record.call, *kept);
                }
                Write::Checkpoint(_) => {}
                Write::Tally(tallied) => {
                    self.tallied.retain(|before| before.of != tallied.of);
                    self.tallied.push(tallied);
                }
                Write::Record(call) => {
                    self.kept.remove(&call);
                    self.over.insert(call);
                }
            }
        }
    }

    /// The calls that were going on.
    pub(crate) fn unfinished(&self) -> Vec<Snapshot> {
        self.kept.values().cloned().collect()
    }

    /// Whether anything is known of this call.
    pub(crate) fn knows(&self, call: CallId) -> bool {
        self.kept.contains_key(&call) || self.over.contains(&call)
    }

    /// Whether its record is written.
    pub(crate) fn is_over(&self, call: CallId) -> bool {
        self.over.contains(&call)
    }
}
