//! Calls that we begin ourselves.

use std::sync::Arc;

use clock::Instant;

use super::{Switchboard, ended};
use crate::call::{self, Call, Core, Sides, State, Stuff, Timer};
use crate::callback::Callback;
use crate::desk::Alarm;
use crate::interface::{Happening, Manner, Notice, Output};
use crate::outcome;
use crate::record::{Cause, Record};

/// Hops that our own calls may take (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;

impl Switchboard {
    /// Begins a call, within the limits of those that come in. Nobody is called before it is kept.
    pub(super) fn originate(&mut self, now: Instant, callback: &Callback, out: &mut Vec<Output>) {
        if self.by_id.contains_key(&callback.call) {
            return;
        }
        let limits = self.config.limits;
        let is_open = !self.draining
            && !self.is_shedding
            && self.calls.len() < limits.calls
            && self.rate.admits(now, limits.calls_per_second);
        let mut record = Box::new(Record {
            callback: true,
            line: Some(callback.line),
            data: callback.data.clone(),
            ..Record::begin(callback.call, now)
        });
        let what = Happening::Originated { line: callback.line, data: callback.data.clone() };
        out.push(Output::Notice(Notice { call: callback.call, at: now, what }));
        let refused = match Sides::find(callback, &self.lines) {
            _ if !is_open => Cause::Overloaded,
            None => Cause::UnknownLine,
            Some((sides, line)) => {
                let (config, sides) = (Arc::clone(&self.config), Some(Box::new(sides)));
                // One more than what is written: as if it had come to us.
                let hops = HOPS + 1;
                let stuff = Stuff { config, line, caller: None, sides, record, hops, asked: None };
                let (max_call, record) = (callback.max_call, callback.record);
                let mut core = Core::new(stuff);
                core.manner = Manner { max_call, record, ring_timeout: None };
                let place = self.seat(Call { core, state: State::Arriving });
                self.stale.push(place);
                self.timers.arm(now, Alarm::Call(place, Timer::Store), call::STORE_WITHIN);
                return;
            }
        };
        record.ended = Some(now);
        record.outcome = Some(outcome::ours(refused));
        ended(now, &record, out);
        out.push(Output::Record(record));
    }
}
