//! A hook is asked whether the caller may be connected to the other party.

use ivr::Prompt;
use number::Number;

use super::{Core, Event, State, Timer, Whose, dialling, directed, parting};
use crate::desk::Desk;
use crate::hook::{Advice, Advised, Consultation, Matter};
use crate::interface::{Callee, Output, Role};
use crate::outcome;
use crate::record::Cause;

/// What waits for the answer.
#[derive(Debug)]
pub(crate) struct Approving {
    hook: Box<str>,
    is_open: bool,
    caller: Role,
}

/// Calls the party across, if the line's hook has nothing against it.
pub(crate) fn begin(caller: Role, callee: Number, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let Some(approval) = core.line.hooks.approval.clone() else {
        return dialling::dial(Callee::Party(caller.other()), core, desk);
    };
    let consultation = Consultation {
        call: core.id(),
        hook: approval.hook.clone(),
        matter: Matter::Approval { caller, callee },
        record: core.record.clone(),
        language: core.language,
    };
    desk.out.push(Output::Consult(Box::new(consultation)));
    desk.arm(Timer::Advice, directed::ADVISED_WITHIN);
    core.play(Whose::Caller, core.language, &[Prompt::Music], true, desk);
    State::Approving(Approving { hook: approval.hook, is_open: approval.is_open, caller })
}

impl Approving {
    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Advised(advice) => self.advised(advice, core, desk),
            Event::Fired(Timer::Advice) => {
                self.advised(Advice::failed("nobody said anything in time"), core, desk)
            }
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Fired(_) => State::Approving(self),
        }
    }

    fn advised(self, advice: Advice, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Advice);
        let callee = Callee::Party(self.caller.other());
        let (verdict, fault) = match advice.verdict {
            Advised::Do(_) => (Advised::Nothing, Some("it was asked whether, and said what to do".into())),
            verdict @ (Advised::Approved | Advised::Vetoed(_) | Advised::Nothing) => (verdict, advice.fault),
        };
        directed::note(&self.hook, fault, core, desk);
        match verdict {
            Advised::Approved => dialling::dial(callee, core, desk),
            Advised::Nothing | Advised::Do(_) if self.is_open => dialling::dial(callee, core, desk),
            Advised::Nothing | Advised::Do(_) => {
                parting::begin(callee, outcome::ours(Cause::HookFailed), core, desk)
            }
            Advised::Vetoed(cause) => {
                core.record.hook_fault = cause;
                parting::begin(callee, outcome::ours(Cause::Refused), core, desk)
            }
        }
    }
}
