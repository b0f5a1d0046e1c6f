//! Somebody answered and alone hears who calls, or what a callback is about; the other side, if it is there, hears music.

use std::time::Duration;

use ivr::Prompt;
use rtp::Sound;
use ua::Ending;

use super::core::place;
use super::dialling::Dialling;
use super::noticing::{self, REFUSED_WITHIN};
use super::{Core, Event, State, Timer, Whose, consulting, dialling, directed, parting};
use crate::config::RecordNotice;
use crate::desk::Desk;
use crate::interface::{Across, Callee, Happening, Language, Role};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// How long they have for pressing 1 where the line does not say.
const CONFIRM_WITHIN: Duration = Duration::from_secs(8);

/// What somebody who answered hears before they are joined, and what they say to it.
#[derive(Debug)]
pub(crate) struct Whisper {
    whose: Whose,
    /// How long they have for pressing 1, which accepts the call; `None`: nothing need be pressed.
    confirm: Option<Duration>,
    /// Whether they are told that the call is recorded, and may refuse.
    may_refuse: bool,
}

/// What a whisper has come to.
pub(crate) enum Reply {
    /// They still hear it, or have not said anything.
    None(Whisper),
    /// They take the call.
    Accepted,
    /// They do not press the key.
    Missed,
}

/// What is said.
struct Said {
    language: Language,
    sounds: Vec<Sound>,
    confirm: Option<Duration>,
}

impl Whisper {
    /// Says it; `None`: there is nothing to be said.
    pub(crate) fn begin(whose: Whose, callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Option<Self> {
        let Said { language, mut sounds, confirm } = said(callee, core)?;
        let is_told = is_told(callee.place(), core);
        if is_told {
            let notice = noticing::prompts(core);
            sounds.extend(notice.into_iter().map(|prompt| Sound::from(place(language, prompt))));
        }
        if confirm.is_some() {
            sounds.push(place(language, Prompt::Confirm).into());
        }
        if sounds.is_empty() {
            return None;
        }
        core.hear(whose, sounds, false, desk);
        let may_refuse = is_told && core.line.record_refuse.is_some();
        Some(Self { whose, confirm, may_refuse })
    }

    pub(crate) fn handle(mut self, event: &Event, core: &mut Core, desk: &mut Desk<'_>) -> Reply {
        let whose = self.whose;
        match event {
            Event::Finished(who) if *who == whose => match self.confirm {
                Some(within) => {
                    desk.arm(Timer::Confirm(whose), within);
                    Reply::None(self)
                }
                None if self.may_refuse => {
                    desk.arm(Timer::Refusal(whose), REFUSED_WITHIN);
                    Reply::None(self)
                }
                None => Reply::Accepted,
            },
            Event::Fired(Timer::Refusal(who)) if *who == whose => Reply::Accepted,
            Event::Digit(who, digit)
                if *who == whose && self.may_refuse && core.line.record_refuse == Some(*digit) =>
            {
                core.record.recording_refused = Some(Side::from(core.place_of(whose)));
                core.checkpoint(desk);
                self.may_refuse = false;
                desk.disarm(Timer::Refusal(whose));
                if self.confirm.is_some() { Reply::None(self) } else { Reply::Accepted }
            }
            Event::Digit(who, '1') if *who == whose && self.confirm.is_some() => {
                desk.disarm(Timer::Confirm(whose));
                Reply::Accepted
            }
            Event::Fired(Timer::Confirm(who)) if *who == whose => Reply::Missed,
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => Reply::None(self),
        }
    }
}

/// What came of it when nobody pressed the key.
pub(crate) fn missed() -> Outcome {
    outcome::callee(Cause::NoAnswer, None, 19)
}

/// Somebody stands in their place and hears it.
#[derive(Debug)]
pub(crate) struct Whispering {
    /// Who else may be called.
    others: Box<Dialling>,
    whisper: Whisper,
}

impl Whispering {
    /// To whom `others` has reached.
    pub(crate) fn begin(others: Box<Dialling>, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let callee = others.callee();
        match Whisper::begin(callee.place(), callee, core, desk) {
            Some(whisper) => State::Whispering(Self { others, whisper }),
            None => accepted(callee, core, desk),
        }
    }

    /// Whose place they stand in.
    pub(crate) fn place(&self) -> Whose {
        self.others.callee().place()
    }

    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        if let Event::CalleeEnded(ending) = event {
            return self.left(ending, core, desk);
        }
        let Self { others, whisper } = self;
        match whisper.handle(&event, core, desk) {
            Reply::None(whisper) => State::Whispering(Self { others, whisper }),
            Reply::Accepted => accepted(others.callee(), core, desk),
            Reply::Missed => failed(others, missed(), core, desk),
        }
    }

    /// They have hung up.
    pub(crate) fn left(self, ending: Ending, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let place = self.place();
        desk.disarm(Timer::Confirm(place));
        desk.disarm(Timer::Refusal(place));
        failed(self.others, outcome::ending(Side::Callee, ending), core, desk)
    }
}

/// They are not to be had: others are called, where there are any.
fn failed(others: Box<Dialling>, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let callee = others.callee();
    let outcome = match outcome.side {
        Side::Callee => Outcome { side: Side::from(callee.place()), ..outcome },
        Side::Caller | Side::Us => outcome,
    };
    core.give_up_standing(callee.place(), outcome, desk);
    if others.has_more() {
        core.vacate(callee.place(), &outcome, desk);
        return others.instead(outcome, core, desk);
    }
    core.end_callee(outcome::why(&outcome), desk);
    parting::begin(callee, outcome, core, desk)
}

/// Whether whoever takes this place is told that the call is recorded. Who is called first stands for a caller.
fn is_told(place: Whose, core: &Core) -> bool {
    let is_told = match core.line.record_notice {
        RecordNotice::Off => false,
        RecordNotice::Caller => place == Whose::Caller,
        RecordNotice::Both => true,
    };
    is_told && core.is_to_be_recorded()
}

fn said(callee: Callee, core: &Core) -> Option<Said> {
    match callee {
        Callee::Operator | Callee::Fallback => None,
        Callee::First | Callee::Second => {
            let side = core.sides.as_deref()?.side(callee)?;
            let language = core.line.language;
            let sounds = directed::sounds(side.calling.prompt.as_slice(), language);
            let within = core.line.confirm.unwrap_or(CONFIRM_WITHIN);
            let confirm = side.calling.confirm.then_some(within);
            Some(Said { language, sounds, confirm })
        }
        Callee::Named => {
            let (connect, language) = (core.connecting()?, core.shown.language);
            let confirm = connect.confirm.then(|| core.line.confirm.unwrap_or(CONFIRM_WITHIN));
            let sounds = directed::sounds(&connect.whisper, language);
            Some(Said { language, sounds, confirm })
        }
        // One of a pair knows by the number they see.
        Callee::Party(Role::A | Role::B) => {
            let Across::Party { party, .. } = core.pair.as_deref()?.across else { return None };
            let language = party.language.unwrap_or(core.line.language);
            Some(Said { language, sounds: Vec::new(), confirm: core.line.confirm })
        }
        Callee::Party(role @ (Role::Courier | Role::Client)) => {
            let order = core.order.as_deref()?;
            let (party, prompt) = match role {
                Role::Courier | Role::A => (order.courier, Prompt::ClientCalling),
                Role::Client | Role::B => (order.client, Prompt::CourierCalling),
            };
            let mut prompts = Vec::new();
            if core.line.whisper {
                prompts.push(prompt);
                prompts.extend(order.code.as_str().bytes().map(|digit| Prompt::Digit(digit - b'0')));
            }
            let language = party.language.unwrap_or(core.line.language);
            let sounds = prompts.into_iter().map(|prompt| place(language, prompt).into()).collect();
            Some(Said { language, sounds, confirm: core.line.confirm })
        }
    }
}

/// They take the call.
pub(crate) fn accepted(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match callee {
        Callee::First => {
            desk.notice(core.id(), Happening::FirstAnswered { number: core.record.caller });
            if core.line.record_notice != RecordNotice::Both {
                core.begin_recording(desk);
            }
            return dialling::dial(Callee::Second, core, desk);
        }
        Callee::Second => {
            desk.notice(core.id(), Happening::SecondAnswered { number: core.record.callee });
        }
        Callee::Party(_) | Callee::Fallback | Callee::Named | Callee::Operator => {}
    }
    consulting::answer_and_join(callee, core, desk)
}
