//! The caller hears why not; then we hang up.

use ivr::Prompt;

use super::{Core, Event, State, Whose};
use crate::desk::Desk;
use crate::interface::{Callee, Role};
use crate::record::{Cause, Outcome, Side};

/// Says that the callee is not to be had.
pub(crate) fn begin(callee: Callee, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let (prompt, outcome) = match callee {
        Callee::Party(Role::Courier) => (Prompt::CourierUnavailable, outcome),
        Callee::Party(Role::Client) => (Prompt::ClientUnavailable, outcome),
        // Nobody else is there to be told.
        Callee::First => return core.finish(outcome, desk),
        Callee::Second => (Prompt::ClientUnavailable, outcome),
        Callee::Operator => {
            let cause = Cause::OperatorUnavailable;
            (Prompt::OperatorUnavailable, Outcome { cause, side: Side::Callee, ..outcome })
        }
    };
    core.say(prompt, desk);
    State::Parting(outcome)
}

pub(crate) fn handle(outcome: Outcome, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match event {
        Event::Finished(Whose::Caller) => core.finish(outcome, desk),
        Event::Begun
        | Event::Confirmed
        | Event::Tried(..)
        | Event::CalleeEnded(_)
        | Event::Digit(..)
        | Event::Finished(Whose::Callee | Whose::Tried(_))
        | Event::Found(_)
        | Event::Fired(_) => State::Parting(outcome),
    }
}
