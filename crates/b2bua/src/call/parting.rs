//! The caller hears why not; then we hang up.

use std::time::Duration;

use ivr::Prompt;

use super::{Core, Event, State, Timer, Whose, dialling, directed};
use crate::config::Blocked;
use crate::desk::Desk;
use crate::interface::{Callee, Happening, Role};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// How long after they heard why not a caller may ask for the operator.
const OPERATOR_WITHIN: Duration = Duration::from_secs(8);

/// A caller who hears why not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parting {
    pub(crate) outcome: Outcome,
    /// Whether `#` reaches the operator meanwhile.
    offers_operator: bool,
}

fn say(prompt: Prompt, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.record.answered.is_none() {
        return core.turn_away(outcome, desk);
    }
    core.say(prompt, desk);
    State::Parting(Parting { outcome, offers_operator: false })
}

/// Says that the callee is not to be had.
pub(crate) fn begin(callee: Callee, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match callee {
        // Nobody else is there to be told.
        Callee::First => core.finish(outcome, desk),
        Callee::Named => directed::resume(outcome, core, desk),
        Callee::Party(Role::Courier) => say(Prompt::CourierUnavailable, outcome, core, desk),
        Callee::Party(Role::Client) | Callee::Second => say(Prompt::ClientUnavailable, outcome, core, desk),
        Callee::Party(Role::A | Role::B) | Callee::Fallback => say(Prompt::Unavailable, outcome, core, desk),
        Callee::Operator => {
            let cause = Cause::OperatorUnavailable;
            let outcome = Outcome { cause, side: Side::Callee, ..outcome };
            say(Prompt::OperatorUnavailable, outcome, core, desk)
        }
    }
}

/// Says that the number connects this caller with nobody.
pub(crate) fn not_connected(core: &mut Core, desk: &mut Desk<'_>) -> State {
    say(Prompt::NotConnected, outcome::ours(Cause::NotConnected), core, desk)
}

/// Says that a rule of ours forbids it: which, the record says.
pub(crate) fn refused(cause: Cause, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let is_passing = matches!(cause, Cause::TooManyCalls);
    let prompt = if is_passing { Prompt::TryLater } else { Prompt::NotPermitted };
    say(prompt, outcome::ours(cause), core, desk)
}

/// The two are blocked from each other; a caller who is heard out does not learn it.
pub(crate) fn blocked(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match core.line.blocked {
        Blocked::Refuse => refused(Cause::Blocked, core, desk),
        Blocked::HearOut => begin(callee, outcome::ours(Cause::Blocked), core, desk),
    }
}

/// The other party is left in peace; an operator may help.
pub(crate) fn quiet(core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.record.answered.is_none() {
        return core.turn_away(outcome::ours(Cause::QuietHours), desk);
    }
    let offers_operator = core.line.operator.is_some();
    let hint = offers_operator.then_some(Prompt::OperatorHint);
    let prompts: Vec<Prompt> = std::iter::once(Prompt::QuietHours).chain(hint).collect();
    core.play(Whose::Caller, core.language, &prompts, false, desk);
    State::Parting(Parting { outcome: outcome::ours(Cause::QuietHours), offers_operator })
}

impl Parting {
    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Finished(Whose::Caller) if self.offers_operator => {
                desk.arm(Timer::Script(ivr::Timer::Input), OPERATOR_WITHIN);
                State::Parting(self)
            }
            Event::Digit(Whose::Caller, '#') if self.offers_operator => {
                desk.disarm(Timer::Script(ivr::Timer::Input));
                core.record.operator_asked = true;
                desk.notice(core.id(), Happening::Operator);
                dialling::dial(Callee::Operator, core, desk)
            }
            Event::Finished(Whose::Caller) | Event::Fired(Timer::Script(ivr::Timer::Input)) => {
                core.finish(self.outcome, desk)
            }
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(Whose::Callee | Whose::Tried(_))
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Parting(self),
        }
    }
}
