//! Whether a call may be: whether the caller is blocked, before it is answered; and whether the other party may be called, before
//! they are.

use super::{Core, Event, STORE_WITHIN, State, Timer, consulting, dialling, directed, parting};
use crate::config::Blocked;
use crate::desk::Desk;
use crate::interface::{Callee, Finding, Forbidden, Output, Query};
use crate::outcome;
use crate::record::Cause;

/// What a blocked caller is refused with (RFC 3261 §21.6.2).
const DECLINE: u16 = 603;

/// Asks whether the caller is blocked; whoever shows no number is not.
pub(crate) fn arrived(core: &mut Core, desk: &mut Desk<'_>) -> State {
    let Some(caller) = core.record.caller else { return consulting::receive(core, desk) };
    let query = Query::Caller { line: core.line.number, caller };
    desk.out.push(Output::Find { call: core.id(), query });
    desk.arm(Timer::Store, STORE_WITHIN);
    State::Screening
}

/// The caller is not answered yet.
pub(crate) fn handle(event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match event {
        Event::Found(Finding::Forbidden(_)) => {
            desk.disarm(Timer::Store);
            match core.line.blocked {
                Blocked::Refuse => core.refuse(DECLINE, outcome::ours(Cause::Blocked), desk),
                Blocked::HearOut => {
                    core.is_blocked = true;
                    consulting::receive(core, desk)
                }
            }
        }
        // A store that cannot be asked keeps nobody out.
        Event::Found(_) | Event::Fired(Timer::Store) => {
            desk.disarm(Timer::Store);
            consulting::receive(core, desk)
        }
        Event::Begun
        | Event::Confirmed
        | Event::Tried(..)
        | Event::CalleeEnded(_)
        | Event::Digit(..)
        | Event::Finished(_)
        | Event::Advised(_)
        | Event::Fired(_) => State::Screening,
    }
}

fn cause(forbidden: &Forbidden) -> Cause {
    match forbidden {
        Forbidden::Blocked => Cause::Blocked,
        Forbidden::Quiet => Cause::QuietHours,
        Forbidden::UsedUp => Cause::CallsUsedUp,
    }
}

/// A party who is called if nothing forbids it.
#[derive(Debug)]
pub(crate) struct Permitting {
    callee: Callee,
}

impl Permitting {
    /// Asks whether this party may be called.
    pub(crate) fn begin(callee: Callee, query: Query, core: &Core, desk: &mut Desk<'_>) -> State {
        desk.out.push(Output::Find { call: core.id(), query });
        desk.arm(Timer::Store, STORE_WITHIN);
        State::Permitting(Self { callee })
    }

    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Found(finding) => {
                desk.disarm(Timer::Store);
                if let (Callee::Named, Finding::Forbidden(forbidden)) = (self.callee, &finding) {
                    return directed::resume(outcome::ours(cause(forbidden)), core, desk);
                }
                match finding {
                    Finding::Permitted => dialling::call(self.callee, core, desk),
                    Finding::Forbidden(Forbidden::Blocked) => parting::blocked(self.callee, core, desk),
                    Finding::Forbidden(Forbidden::Quiet) => parting::quiet(core, desk),
                    Finding::Forbidden(Forbidden::UsedUp) => parting::refused(Cause::CallsUsedUp, core, desk),
                    Finding::Nothing
                    | Finding::Several
                    | Finding::Order(_)
                    | Finding::Pair(_)
                    | Finding::Failed => self.unknown(core, desk),
                }
            }
            Event::Fired(Timer::Store) => self.unknown(core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Permitting(self),
        }
    }

    /// Whoever may be somebody's stalker is not put through because we cannot tell.
    fn unknown(self, core: &mut Core, desk: &mut Desk<'_>) -> State {
        parting::begin(self.callee, outcome::ours(Cause::Fault), core, desk)
    }
}
