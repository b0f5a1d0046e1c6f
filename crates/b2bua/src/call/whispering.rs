//! The callee answered and alone hears who calls; the caller still hears music.

use std::time::Duration;

use ivr::Prompt;
use rtp::Sound;

use super::core::place;
use super::noticing::{self, REFUSED_WITHIN};
use super::{Core, Event, State, Timer, Whose, directed, parting, talking};
use crate::config::RecordNotice;
use crate::desk::Desk;
use crate::interface::{Across, Callee, Language, Role};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// How long whoever a hook named has for accepting the call, where the line does not say.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(8);

/// What the callee hears before they are joined.
#[derive(Debug)]
pub(crate) struct Whispering {
    callee: Callee,
    /// How long they have for accepting the call, where they must.
    confirm: Option<Duration>,
    /// Whether they are told that the call is recorded, and may refuse.
    may_refuse: bool,
}

impl Whispering {
    pub(crate) fn begin(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let (mut sounds, language, confirm) = match callee {
            Callee::Party(role) => party(role, core),
            Callee::Named => named(core),
            Callee::Operator | Callee::Fallback => (Vec::new(), core.line.language, None),
        };
        let is_told = core.line.record_notice == RecordNotice::Both && core.is_to_be_recorded();
        if is_told {
            let notice = noticing::prompts(core);
            sounds.extend(notice.into_iter().map(|prompt| Sound::from(place(language, prompt))));
        }
        if confirm.is_some() {
            sounds.push(place(language, Prompt::Confirm).into());
        }
        if sounds.is_empty() {
            return talking::begin(callee, core, desk);
        }
        core.hear(Whose::Callee, sounds, false, desk);
        let may_refuse = is_told && core.line.record_refuse.is_some();
        State::Whispering(Self { callee, confirm, may_refuse })
    }

    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let callee = self.callee;
        match event {
            Event::Finished(Whose::Callee) => match self.confirm {
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
                core.checkpoint(desk);
                self.may_refuse = false;
                desk.disarm(Timer::Refusal);
                match self.confirm {
                    Some(_) => State::Whispering(self),
                    None => talking::begin(callee, core, desk),
                }
            }
            Event::Digit(Whose::Callee, '1') if self.confirm.is_some() => {
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
            | Event::Advised(_)
            | Event::Fired(_) => State::Whispering(self),
        }
    }

    fn failed(self, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
        core.end_callee(outcome::why(&outcome), desk);
        parting::begin(self.callee, outcome, core, desk)
    }
}

/// What they hear, in which language, and how long they have for accepting the call.
type Said = (Vec<Sound>, Language, Option<Duration>);

/// The other party, who hears who calls. One of a pair knows by the number they see.
fn party(role: Role, core: &Core) -> Said {
    let across = core.pair.as_deref().map(|pair| pair.across);
    if let Some(Across::Party { party, .. }) = across {
        return (Vec::new(), party.language.unwrap_or(core.line.language), core.line.confirm);
    }
    let Some(order) = core.order.as_deref() else { return (Vec::new(), core.line.language, None) };
    let (party, prompt) = match role {
        Role::Courier | Role::A => (order.courier, Prompt::ClientCalling),
        Role::Client | Role::B => (order.client, Prompt::CourierCalling),
    };
    let language = party.language.unwrap_or(core.line.language);
    let mut prompts = Vec::new();
    if core.line.whisper {
        prompts.push(prompt);
        prompts.extend(order.code.as_str().bytes().map(|digit| Prompt::Digit(digit - b'0')));
    }
    let sounds = prompts.into_iter().map(|prompt| place(language, prompt).into()).collect();
    (sounds, language, core.line.confirm)
}

/// Whoever a hook named, who hears what it says.
fn named(core: &Core) -> Said {
    let Some(connect) = core.connecting() else { return (Vec::new(), core.line.language, None) };
    let language = core.shown.language;
    let confirm = connect.confirm.then(|| core.line.confirm.unwrap_or(CONFIRMED_WITHIN));
    (directed::sounds(&connect.whisper, language), language, confirm)
}
