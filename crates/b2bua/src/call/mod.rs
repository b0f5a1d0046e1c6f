//! One call: what stays the same through it (`Core`) and where it stands (`State`). It sees no SIP header and no
//! packet, so it cannot leak one.

mod approving;
mod asking;
mod closing;
mod consulting;
mod core;
mod dialling;
mod directed;
mod leg;
mod noticing;
mod outgoing;
mod pairing;
mod parting;
mod restored;
mod screening;
mod sides;
mod talking;
mod verifying;
mod whispering;

use rtp::{PlayId, Report, Statistics};
use stir::Verification;
use ua::{Ending, LegEvent};

pub use self::core::PROMPTS_PER_LANGUAGE;
pub(crate) use self::core::{CLOSE_WITHIN, Core, Span, Stuff};
pub(crate) use consulting::STORE_WITHIN;
pub(crate) use leg::Leg;
pub(crate) use outgoing::Progress;
pub(crate) use sides::Sides;
pub(crate) use verifying::{VERIFIED_WITHIN, Verifying, arrived};

use crate::desk::Desk;
use crate::hook::Advice;
use crate::interface::{Callee, Finding};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// Which of the legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Whose {
    Caller,
    Callee,
    /// Somebody's who is being called and stands in nobody's place yet: by the place in `Record::tried`.
    Tried(u8),
}

/// The timers of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// The store did not answer in time, or whoever verifies callers.
    Store,
    /// The caller has heard it ring long enough.
    Answer,
    /// One of the script's.
    Script(ivr::Timer),
    /// The relay did not say in time that a prompt was heard.
    Play(Whose),
    /// Whoever is called rang too long. Armed while there is a leg that rings.
    Ring(u8),
    /// Nothing came back by the way that is being tried. Armed while there is a leg by that way.
    Attempt(u8),
    /// A hook did not answer in time.
    Advice,
    /// They did not confirm.
    Confirm(Whose),
    /// They did not refuse to be recorded.
    Refusal(Whose),
    /// They talk for long: warn them.
    Warn,
    /// They talked as long as they may.
    Longest,
    /// The relay did not close in time.
    Close,
}

impl Timer {
    /// All but those of numbers that are being called, which go with their legs.
    pub(crate) const ALL: [Self; 14] = [
        Self::Store,
        Self::Answer,
        Self::Script(ivr::Timer::Hint),
        Self::Script(ivr::Timer::Input),
        Self::Play(Whose::Caller),
        Self::Play(Whose::Callee),
        Self::Advice,
        Self::Confirm(Whose::Caller),
        Self::Confirm(Whose::Callee),
        Self::Refusal(Whose::Caller),
        Self::Refusal(Whose::Callee),
        Self::Warn,
        Self::Longest,
        Self::Close,
    ];
}

/// Everything that can happen to a call.
#[derive(Debug)]
pub(crate) enum Input {
    /// It was going on when the node died.
    Restored(Span),
    Begun(bool),
    Leg(Whose, LegEvent),
    Digit(Whose, char),
    Finished(Whose, PlayId),
    Silent(Whose),
    Closed(Whose, Statistics),
    Recorded(Option<String>),
    Found(Finding),
    Advised(Box<Advice>),
    Verified(Verification),
    Fired(Timer),
    HangUp(Cause),
    PauseRecording(bool),
    #[cfg(feature = "faults")]
    Panic,
}

impl Input {
    /// What the relay said, as it concerns a call.
    pub(crate) fn reported(whose: Whose, report: Report) -> Self {
        match report {
            Report::Digit { digit, .. } => Self::Digit(whose, digit),
            Report::Finished { play, .. } => Self::Finished(whose, play),
            Report::Silent { .. } => Self::Silent(whose),
            Report::Closed { statistics, .. } => Self::Closed(whose, statistics),
            Report::Recorded { fault, .. } => Self::Recorded(fault),
        }
    }

    /// Its name, for a log.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Restored(_) => "restored",
            Self::Begun(_) => "begun",
            Self::Leg(..) => "leg",
            Self::Digit(..) => "digit",
            Self::Finished(..) => "finished",
            Self::Silent(_) => "silent",
            Self::Closed(..) => "closed",
            Self::Recorded(_) => "recorded",
            Self::Found(_) => "found",
            Self::Advised(_) => "advised",
            Self::Verified(_) => "verified",
            Self::Fired(_) => "fired",
            Self::HangUp(_) => "hang up",
            Self::PauseRecording(_) => "pause recording",
            #[cfg(feature = "faults")]
            Self::Panic => "panic",
        }
    }
}

/// What reaches a state: the rest is the same in every state and handled before.
#[derive(Debug)]
pub(crate) enum Event {
    /// The first checkpoint is durable.
    Begun,
    /// The caller acknowledged our answer.
    Confirmed,
    /// Somebody who is being called.
    Tried(u8, Progress),
    CalleeEnded(Ending),
    Digit(Whose, char),
    Finished(Whose),
    Found(Finding),
    Advised(Advice),
    Fired(Timer),
}

/// Where a call stands.
#[derive(Debug)]
pub(crate) enum State {
    /// Whether the caller is who they say is being verified; nobody has been told of the call.
    Verifying(Verifying),
    /// The first checkpoint is not durable yet; the caller is not answered.
    Arriving,
    /// The store is asked whether the caller is blocked.
    Screening,
    /// The caller hears it ring, as the line has it, before we answer.
    Ringing,
    /// The caller is answered with our offer; their answer comes with the ACK. Who waits for them, if somebody does.
    Answering(Option<Callee>),
    /// The caller hears that the call is recorded.
    Noticing(noticing::Noticing),
    /// The store is asked whether the caller needs to be asked at all.
    Consulting(consulting::Consulting),
    /// A hook says what is done.
    Directed(directed::Directed),
    /// A hook is asked whether the caller may be connected.
    Approving(approving::Approving),
    /// The caller has the floor.
    Asking(asking::Asking),
    /// The store is asked whether the other party may be called.
    Permitting(screening::Permitting),
    /// The callee is being called; the caller hears music.
    Dialling(Box<dialling::Dialling>),
    /// The callee answered and hears who calls; the caller still hears music.
    Whispering(whispering::Whispering),
    /// Both talk.
    Talking,
    /// The caller hears why not; then we hang up.
    Parting(parting::Parting),
    /// Nobody is there any more; the relay still owes us its end.
    Closing,
    /// The record is written.
    Over,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) core: Core,
    pub(crate) state: State,
}

impl Call {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// One input. Should a state panic, the core is left whole and the state is `Closing`, from which `fall`
    /// ends the call.
    pub(crate) fn handle(&mut self, input: Input, desk: &mut Desk<'_>) {
        let state = std::mem::replace(&mut self.state, State::Closing);
        self.state = handle(state, input, &mut self.core, desk);
    }

    /// Ends the call after a fault of ours.
    pub(crate) fn fall(&mut self, desk: &mut Desk<'_>) {
        self.state = if self.core.record.outcome.is_some() {
            closing::advance(&mut self.core, desk)
        } else {
            self.core.finish(outcome::ours(Cause::Fault), desk)
        };
    }
}

fn handle(state: State, input: Input, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if let State::Closing | State::Over = state {
        return closing::handle(state, input, core, desk);
    }
    match input {
        Input::Restored(span) => restored::begin(span, core, desk),
        Input::Begun(true) => enter(state, Event::Begun, core, desk),
        Input::Begun(false) => core.overloaded(desk),
        Input::Leg(whose, event) => on_leg(state, whose, event, core, desk),
        Input::Digit(whose, digit) => enter(state, Event::Digit(whose, digit), core, desk),
        Input::Fired(Timer::Play(_)) => core.finish(verdict(&state, outcome::ours(Cause::MediaLost)), desk),
        Input::Finished(whose, play) if core.has_finished(whose, play, desk) => {
            enter(state, Event::Finished(whose), core, desk)
        }
        Input::Finished(..) => state,
        // Before the answer nobody need say anything.
        Input::Silent(Whose::Tried(name)) => enter(state, Event::Tried(name, Progress::Quiet), core, desk),
        Input::Silent(whose) => core.finish(verdict(&state, outcome::silent(whose.into())), desk),
        Input::Closed(whose, statistics) => {
            core.closed(whose, statistics, desk);
            state
        }
        Input::Recorded(fault) => {
            core.recorded(fault, desk);
            state
        }
        Input::Found(finding) => enter(state, Event::Found(finding), core, desk),
        Input::Advised(advice) => enter(state, Event::Advised(*advice), core, desk),
        Input::Verified(verification) => match state {
            State::Verifying(verifying) => verifying.verified(verification, core, desk),
            // It came too late.
            State::Arriving
            | State::Screening
            | State::Ringing
            | State::Answering(_)
            | State::Noticing(_)
            | State::Consulting(_)
            | State::Directed(_)
            | State::Approving(_)
            | State::Asking(_)
            | State::Permitting(_)
            | State::Dialling(_)
            | State::Whispering(_)
            | State::Talking
            | State::Parting(_)
            | State::Closing
            | State::Over => state,
        },
        Input::Fired(timer) => enter(state, Event::Fired(timer), core, desk),
        Input::HangUp(cause) => core.finish(verdict(&state, outcome::ours(cause)), desk),
        Input::PauseRecording(paused) => {
            core.pause_recording(paused, desk);
            state
        }
        #[cfg(feature = "faults")]
        Input::Panic => panic!("asked to"),
    }
}

/// A call that already failed keeps its first reason, whoever hangs up then.
fn verdict(state: &State, otherwise: Outcome) -> Outcome {
    match state {
        State::Parting(parting) => parting.outcome,
        State::Verifying(_)
        | State::Arriving
        | State::Screening
        | State::Ringing
        | State::Answering(_)
        | State::Noticing(_)
        | State::Consulting(_)
        | State::Directed(_)
        | State::Approving(_)
        | State::Asking(_)
        | State::Permitting(_)
        | State::Dialling(_)
        | State::Whispering(_)
        | State::Talking
        | State::Closing
        | State::Over => otherwise,
    }
}

fn on_leg(state: State, whose: Whose, event: LegEvent, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match (whose, event) {
        (whose, LegEvent::Reoffered { offer }) => {
            let early = core.early(whose);
            core.reoffered(whose, offer.as_deref(), early.is_some(), desk);
            match early {
                Some(name) => enter(state, Event::Tried(name, Progress::Renewed), core, desk),
                None => state,
            }
        }
        (whose, LegEvent::Confirmed { sdp }) => {
            if let Some(sdp) = sdp
                && !core.learn(whose, &sdp, desk)
            {
                return core.finish(outcome::ours(Cause::NotAcceptable), desk);
            }
            match whose {
                Whose::Caller => enter(state, Event::Confirmed, core, desk),
                Whose::Callee | Whose::Tried(_) => state,
            }
        }
        (whose, LegEvent::Digit(key)) => {
            core.press(whose, key.digit, desk);
            state
        }
        (Whose::Caller, LegEvent::Ended(ending)) => {
            core.is_down(whose);
            caller_ended(state, ending, core, desk)
        }
        (Whose::Callee, LegEvent::Ended(ending)) => {
            core.is_down(whose);
            enter(state, Event::CalleeEnded(ending), core, desk)
        }
        (Whose::Tried(name), event) => match Progress::of(event) {
            Some(progress) => {
                if let Progress::Ended(_) = progress {
                    core.is_down(whose);
                }
                enter(state, Event::Tried(name, progress), core, desk)
            }
            None => state,
        },
        (
            Whose::Caller | Whose::Callee,
            LegEvent::Trying
            | LegEvent::Ringing
            | LegEvent::Progressed { .. }
            | LegEvent::Answered { .. }
            | LegEvent::Offered(_),
        ) => state,
    }
}

fn caller_ended(state: State, ending: Ending, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let outcome = verdict(&state, outcome::ending(Side::Caller, ending));
    match state {
        // Whoever was called first and hears what it is about was not reached: others may be.
        State::Whispering(whispering) if whispering.place() == Whose::Caller => {
            whispering.left(ending, core, desk)
        }
        State::Verifying(_)
        | State::Arriving
        | State::Screening
        | State::Ringing
        | State::Answering(_)
        | State::Noticing(_)
        | State::Consulting(_)
        | State::Directed(_)
        | State::Approving(_)
        | State::Asking(_)
        | State::Permitting(_)
        | State::Dialling(_)
        | State::Whispering(_)
        | State::Talking
        | State::Parting(_)
        | State::Closing
        | State::Over => core.finish(outcome, desk),
    }
}

fn enter(state: State, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match state {
        State::Verifying(verifying) => verifying.handle(event, core, desk),
        State::Arriving => consulting::arriving(event, core, desk),
        State::Screening => screening::handle(event, core, desk),
        State::Ringing => consulting::ringing(&event, core, desk),
        State::Answering(waits) => consulting::answering(waits, event, core, desk),
        State::Noticing(noticing) => noticing.handle(event, core, desk),
        State::Consulting(consulting) => consulting.handle(event, core, desk),
        State::Directed(directed) => directed.handle(event, core, desk),
        State::Approving(approving) => approving.handle(event, core, desk),
        State::Asking(asking) => asking.handle(event, core, desk),
        State::Permitting(permitting) => permitting.handle(event, core, desk),
        State::Dialling(dialling) => dialling.handle(event, core, desk),
        State::Whispering(whispering) => whispering.handle(event, core, desk),
        State::Talking => talking::handle(event, core, desk),
        State::Parting(parting) => parting.handle(event, core, desk),
        State::Closing => State::Closing,
        State::Over => State::Over,
    }
}

impl From<Whose> for Side {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Caller => Self::Caller,
            Whose::Callee | Whose::Tried(_) => Self::Callee,
        }
    }
}
