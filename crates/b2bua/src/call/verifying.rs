//! Before a call arrives: whether the caller is who they say.

use std::time::Duration;

use clock::Instant;
use stir::{Fault, Verification};
use ua::TrunkId;

use super::{Core, Event, STORE_WITHIN, State, Timer};
use crate::belief;
use crate::desk::Desk;
use crate::interface::{Happening, Notice, Output};
use crate::outcome;
use crate::record::{Cause, Record};

/// Patience with whoever verifies: nothing is fetched, so that only a machine that is far behind takes so long.
pub(crate) const VERIFIED_WITHIN: Duration = Duration::from_secs(1);

/// What is known meanwhile.
#[derive(Debug)]
pub(crate) struct Verifying {
    /// What the carrier says.
    pub(crate) said: Verification,
    /// By which trunk the call came.
    pub(crate) trunk: TrunkId,
}

impl Verifying {
    pub(crate) fn verified(self, verification: Verification, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Store);
        match belief::settle(&mut core.record, &core.line, self.said.and(verification)) {
            Ok(()) => {
                arrived(desk.now, &core.record, self.trunk, desk.out);
                core.checkpoint(desk);
                desk.arm(Timer::Store, STORE_WITHIN);
                State::Arriving
            }
            Err(status) => core.refuse(status, outcome::ours(Cause::Unverified), desk),
        }
    }

    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Fired(Timer::Store) => self.verified(Fault::Late.into(), core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Verifying(self),
        }
    }
}

/// A call is there: whoever wants to know is told.
pub(crate) fn arrived(now: Instant, record: &Record, trunk: TrunkId, out: &mut Vec<Output>) {
    if let Some(line) = record.line {
        let Record { caller, verification, claimed, .. } = *record;
        let what = Happening::Arrived { line, trunk, caller, verification, claimed };
        out.push(Output::Notice(Notice { call: record.call, at: now, what }));
    }
}
