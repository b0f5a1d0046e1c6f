//! The callee answered and alone hears who calls; the caller still hears music.

use ivr::Prompt;

use super::noticing::{self, REFUSED_WITHIN};
use super::{Core, Event, State, Timer, Whose, parting, talking};
use crate::config::RecordNotice;
use crate::desk::Desk;
use crate::interface::{Across, Callee, Language, Role};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// What the callee hears before they are joined.
#[derive(Debug)]
pub(crate) struct Whispering {
    role: Role,
    /// Whether they are told that the call is recorded, and may refuse.
    may_refuse: bool,
}

impl Whispering {
    /// `role` is the callee's.
    pub(crate) fn begin(role: Role, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let (language, mut prompts) = introduction(role, core);
        let is_told = core.line.record_notice == RecordNotice::Both && core.is_to_be_recorded();
        if is_told {
            prompts.extend(noticing::prompts(core));
        }
        if core.line.confirm.is_some() {
            prompts.push(Prompt::Confirm);
        }
        if prompts.is_empty() {
            return talking::begin(Callee::Party(role), core, desk);
        }
        let language = language.unwrap_or(core.line.language);
        core.play(Whose::Callee, language, &prompts, false, desk);
        let may_refuse = is_told && core.line.record_refuse.is_some();
        State::Whispering(Self { role, may_refuse })
    }

    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let callee = Callee::Party(self.role);
        match event {
            Event::Finished(Whose::Callee) => match core.line.confirm {
                Some(within) => {
                    desk.arm(Timer::Confirm, within);
                    State::Whispering(self)
                }
                None if self.may_refuse => {
                    desk.arm(Timer::Refusal, REFUSED_WITHIN);
                    State::Whispering(self)
                }
                None => talking::begin(callee, core, desk),
            },
            Event::Fired(Timer::Refusal) => talking::begin(callee, core, desk),
            Event::Digit(Whose::Callee, digit)
                if self.may_refuse && core.line.record_refuse == Some(digit) =>
            {
                core.record.recording_refused = Some(Side::Callee);
                self.may_refuse = false;
                desk.disarm(Timer::Refusal);
                match core.line.confirm {
                    Some(_) => State::Whispering(self),
                    None => talking::begin(callee, core, desk),
                }
            }
            Event::Digit(Whose::Callee, '1') if core.line.confirm.is_some() => {
                desk.disarm(Timer::Confirm);
                talking::begin(callee, core, desk)
            }
            Event::Fired(Timer::Confirm) => {
                self.failed(outcome::callee(Cause::NoAnswer, None, 19), core, desk)
            }
            Event::CalleeEnded(ending) => {
                desk.disarm(Timer::Confirm);
                desk.disarm(Timer::Refusal);
                self.failed(outcome::ending(Side::Callee, ending), core, desk)
            }
            Event::Begun
            | Event::Confirmed
            | Event::Trying
            | Event::Ringing
            | Event::Progressed(_)
            | Event::Renewed
            | Event::Quiet
            | Event::Answered(_)
            | Event::Digit(..)
            | Event::Finished(Whose::Caller)
            | Event::Found(_)
            | Event::Fired(_) => State::Whispering(self),
        }
    }

    fn failed(self, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
        core.end_callee(outcome::why(&outcome), desk);
        parting::begin(Callee::Party(self.role), outcome, core, desk)
    }
}

/// How the callee is told who calls, and in which language they hear it. One of a pair knows by the number they see.
fn introduction(role: Role, core: &Core) -> (Option<Language>, Vec<Prompt>) {
    let across = core.pair.as_deref().map(|pair| pair.across);
    if let Some(Across::Party { party, .. }) = across {
        return (party.language, Vec::new());
    }
    let Some(order) = core.order.as_deref() else { return (None, Vec::new()) };
    let (party, prompt) = match role {
        Role::Courier | Role::A => (order.courier, Prompt::ClientCalling),
        Role::Client | Role::B => (order.client, Prompt::CourierCalling),
    };
    let code = order.code.as_str().bytes().map(|digit| Prompt::Digit(digit - b'0'));
    let prompts = if core.line.whisper { std::iter::once(prompt).chain(code).collect() } else { Vec::new() };
    (party.language, prompts)
}
