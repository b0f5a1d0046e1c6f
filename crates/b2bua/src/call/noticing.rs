//! Somebody is told that the call is recorded, and may refuse; what they say until then is not.

use std::time::Duration;

use ivr::Prompt;

use super::{Core, Event, State, Timer, Whose, consulting};
use crate::config::RecordNotice;
use crate::desk::Desk;
use crate::record::Side;

/// How long after the notice a key counts as refusal: its last word names the key.
pub(crate) const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// What is said of the recording, and by which key it is refused.
pub(crate) fn prompts(core: &Core) -> Vec<Prompt> {
    let mut prompts = vec![Prompt::RecordingNotice];
    if let Some(digit) = core.line.record_refuse.and_then(|key| key.to_digit(10)) {
        prompts.push(Prompt::RecordingChoice);
        prompts.push(Prompt::Digit(u8::try_from(digit).expect("a decimal digit")));
    }
    prompts
}

/// The caller is told.
#[derive(Debug)]
pub(crate) struct Noticing {
    /// Digits keyed meanwhile count.
    keyed: Vec<char>,
}

impl Noticing {
    /// The caller is answered: first the notice, where there is one.
    pub(crate) fn begin(core: &mut Core, desk: &mut Desk<'_>) -> State {
        if core.line.record_notice == RecordNotice::Off || !core.is_to_be_recorded() {
            return consulting::consult(Vec::new(), core, desk);
        }
        core.is_noticed = true;
        let prompts = prompts(core);
        core.play(Whose::Caller, core.language, &prompts, false, desk);
        State::Noticing(Self { keyed: Vec::new() })
    }

    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Digit(Whose::Caller, digit) if core.line.record_refuse == Some(digit) => {
                core.record.recording_refused = Some(Side::Caller);
                core.checkpoint(desk);
                core.stop(Whose::Caller, desk);
                self.over(core, desk)
            }
            Event::Digit(Whose::Caller, digit) => {
                if self.keyed.len() < ivr::Code::LONGEST {
                    self.keyed.push(digit);
                }
                State::Noticing(self)
            }
            Event::Finished(Whose::Caller) if core.line.record_refuse.is_some() && self.keyed.is_empty() => {
                desk.arm(Timer::Refusal(Whose::Caller), REFUSED_WITHIN);
                State::Noticing(self)
            }
            Event::Finished(Whose::Caller) | Event::Fired(Timer::Refusal(_)) => self.over(core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(Whose::Callee | Whose::Tried(_), _)
            | Event::Finished(Whose::Callee | Whose::Tried(_))
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Noticing(self),
        }
    }

    fn over(self, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Refusal(Whose::Caller));
        if core.line.record_notice == RecordNotice::Caller {
            core.begin_recording(desk);
        }
        consulting::consult(self.keyed, core, desk)
    }
}
