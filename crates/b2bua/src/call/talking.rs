//! Both talk. Their voices never pass here.

use ivr::Prompt;
use rtp::Command;

use super::{Core, Event, Span, State, Timer, Whose};
use crate::desk::Desk;
use crate::interface::{Callee, Happening};
use crate::outcome;
use crate::record::{Cause, Side};

/// Joins the two.
pub(crate) fn begin(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    core.stop(Whose::Caller, desk);
    core.stop(Whose::Callee, desk);
    let Some((first, second)) = core.caller.as_ref().zip(core.callee.as_ref()) else {
        return core.finish(outcome::ours(Cause::Fault), desk);
    };
    let join = Command::Bridge { first: first.session, second: second.session };
    let worker = first.port.worker;
    core.begin_recording(desk);
    desk.media(worker, join);
    core.record.bridged = Some(desk.now);
    match callee {
        Callee::Party(_) | Callee::Named | Callee::First | Callee::Second => {
            core.record.callee_reached = true;
        }
        Callee::Operator => core.record.operator_reached = true,
        Callee::Fallback => {}
    }
    let most = core.longest();
    let warning = core.line.warning;
    let warns = (warning < most).then(|| desk.now + (most - warning));
    watch(Span { warns, ends: desk.now + most }, core, desk);
    desk.notice(core.id(), Happening::Bridged);
    core.checkpoint(desk);
    State::Talking
}

/// Notes how long they may talk.
pub(crate) fn watch(span: Span, core: &mut Core, desk: &mut Desk<'_>) {
    desk.arm(Timer::Longest, span.ends.since(desk.now));
    if let Some(warns) = span.warns {
        desk.arm(Timer::Warn, warns.since(desk.now));
    }
    core.span = Some(span);
}

pub(crate) fn handle(event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match event {
        Event::Fired(Timer::Warn) => {
            core.span = core.span.map(|span| Span { warns: None, ..span });
            for whose in [Whose::Caller, Whose::Callee] {
                core.play(whose, core.line.language, &[Prompt::Beep], false, desk);
            }
            State::Talking
        }
        Event::Fired(Timer::Longest) => core.finish(outcome::ours(Cause::MaxDuration), desk),
        Event::CalleeEnded(ending) => core.finish(outcome::ending(Side::Callee, ending), desk),
        Event::Begun
        | Event::Confirmed
        | Event::Tried(..)
        | Event::Digit(..)
        | Event::Finished(_)
        | Event::Found(_)
        | Event::Advised(_)
        | Event::Fired(_) => State::Talking,
    }
}
