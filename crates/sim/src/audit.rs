//! What must hold whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use b2bua::{CallId, Happening, Output, Record, TrunkHappening};
use bytes::Bytes;
use sip::{Message, Method};

use crate::disk::Disk;

/// Watches every message and every output.
#[derive(Debug, Default)]
pub struct Audit {
    /// Final responses by Call-ID, CSeq, method and branch of what was asked of the switchboard.
    finals: BTreeMap<Key, BTreeSet<u16>>,
    asked: BTreeSet<Key>,
    arrived: Vec<CallId>,
    /// Records, in order.
    pub records: Vec<Record>,
    /// Calls struck by a fault of ours.
    pub faults: Vec<CallId>,
    /// What went wrong on the wire.
    pub wrong: Vec<String>,
    /// What happened, in order.
    pub happened: Vec<Happening>,
    /// What happened to trunks, in order.
    pub trunks: Vec<(String, TrunkHappening)>,
}

type Key = (String, u32, String, String);

fn key(message: &Message) -> Key {
    let headers = message.headers();
    let cseq = headers.cseq();
    let branch = headers.via().branch().unwrap_or_default().to_owned();
    (headers.call_id().to_owned(), cseq.number, cseq.method.as_str().to_owned(), branch)
}

impl Audit {
    pub(crate) fn inward(&mut self, bytes: &Bytes) {
        if let Ok(message @ Message::Request(_)) = sip::parse(bytes.clone())
            && message.headers().cseq().method != Method::Ack
        {
            self.asked.insert(key(&message));
        }
    }

    pub(crate) fn outward(&mut self, bytes: &Bytes) {
        let message = match sip::parse(bytes.clone()) {
            Ok(message) => message,
            Err(malformed) => {
                self.wrong.push(format!("we wrote what we cannot read: {malformed:?}"));
                return;
            }
        };
        let Message::Response(response) = &message else { return };
        let (key, code) = (key(&message), response.status().code());
        let finals = self.finals.entry(key.clone()).or_default();
        if code < 200 && !finals.is_empty() {
            self.wrong.push(format!("{code} after a final response to {key:?}"));
        }
        if code >= 200 {
            finals.insert(code);
            if finals.len() > 1 {
                self.wrong.push(format!("several final responses {finals:?} to {key:?}"));
            }
        }
    }

    pub(crate) fn output(&mut self, output: &Output) {
        match output {
            Output::Record(record) => self.records.push((**record).clone()),
            Output::Fault(fault) => self.faults.push(fault.call),
            Output::Notice(notice) => {
                if let Happening::Arrived { .. } | Happening::Originated { .. } = notice.what {
                    self.arrived.push(notice.call);
                }
                self.happened.push(notice.what.clone());
            }
            Output::Trunk(notice) => self.trunks.push((notice.trunk.to_string(), notice.what)),
            Output::Send { .. }
            | Output::Heard(_)
            | Output::Leg { .. }
            | Output::Media { .. }
            | Output::Find { .. }
            | Output::Verify { .. }
            | Output::Consult(_)
            | Output::Checkpoint(_)
            | Output::Called { .. }
            | Output::Uncalled { .. }
            | Output::Tallied(_)
            | Output::PairCalled { .. }
            | Output::Shedding(_)
            | Output::Counted(_) => {}
        }
    }

    /// The node died, and with it what was not kept. Calls of which nothing is known were never answered; what was asked
    /// and not answered may be asked again, and then be answered otherwise.
    pub(crate) fn forget(&mut self, disk: &Disk) {
        self.arrived.retain(|call| disk.knows(*call));
        self.records.retain(|record| disk.is_over(record.call));
        self.asked.clear();
        self.finals.clear();
    }

    /// What does not hold at the end.
    pub(crate) fn verdict(&self) -> Vec<String> {
        let mut wrong = self.wrong.clone();
        for key in &self.asked {
            if !self.finals.contains_key(key) {
                wrong.push(format!("never answered: {key:?}"));
            }
        }
        for call in &self.arrived {
            let records: Vec<_> = self.records.iter().filter(|record| record.call == *call).collect();
            if records.len() != 1 {
                wrong.push(format!("{} records of call {call}", records.len()));
            }
        }
        for record in &self.records {
            if record.ended.is_none() || record.outcome.is_none() {
                wrong.push(format!("the record of call {} has no end", record.call));
            }
        }
        wrong
    }
}
