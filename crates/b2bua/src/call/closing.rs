//! Nobody is there any more. The record waits for the relay's figures, not for long.

use rtp::Statistics;
use ua::{LegCommand, LegEvent, Refusal};

use super::core::Tape;
use super::leg::Hold;
use super::{Core, Input, State, Timer, Whose};
use crate::desk::Desk;
use crate::interface::Output;

pub(crate) fn handle(state: State, input: Input, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if matches!(state, State::Over) {
        return State::Over;
    }
    match input {
        Input::Closed(whose, statistics) => core.closed(whose, statistics, desk),
        Input::Recorded(fault) => core.recorded(fault, desk),
        Input::Fired(Timer::Close) => {
            for whose in [Whose::Caller, Whose::Callee] {
                core.closed(whose, Statistics::default(), desk);
            }
            if core.tape != Tape::No {
                core.recorded(Some("the relay did not say that it was written".to_owned()), desk);
            }
        }
        Input::Leg(whose, LegEvent::Reoffered { .. }) => {
            let leg = match whose {
                Whose::Caller => core.caller.as_ref().map(|leg| leg.id),
                Whose::Callee => core.callee.as_ref().map(|leg| leg.id),
                Whose::Tried(_) => None,
            };
            if let Some(leg) = leg {
                desk.leg(leg, LegCommand::Refuse(Refusal { status: 488, retry_after: None }));
            }
        }
        Input::Restored(_)
        | Input::Begun(_)
        | Input::Leg(..)
        | Input::Digit(..)
        | Input::Finished(..)
        | Input::Silent(_)
        | Input::Found(_)
        | Input::Advised(_)
        | Input::Verified(_)
        | Input::Fired(_)
        | Input::HangUp(_)
        | Input::PauseRecording(_) => {}
        #[cfg(feature = "faults")]
        Input::Panic => {}
    }
    advance(core, desk)
}

/// Writes the record once nothing is owed any more.
pub(crate) fn advance(core: &mut Core, desk: &mut Desk<'_>) -> State {
    let mut legs = core.caller.iter().chain(&core.callee);
    if core.tape != Tape::No || legs.any(|leg| leg.hold != Hold::Nothing) {
        return State::Closing;
    }
    desk.disarm(Timer::Close);
    desk.out.push(Output::Record(core.record.clone()));
    State::Over
}
