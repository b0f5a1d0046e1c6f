//! A hook says what becomes of the call, one action after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ivr::{Prompt, Timer as Patience};
use rtp::Sound;
use ua::LegCommand;

use super::core::place;
use super::{Core, Event, State, Timer, Whose, consulting, dialling};
use crate::config::Line;
use crate::desk::Desk;
use crate::hook::{
    Action, Advice, Advised, Connect, Consultation, Done, Gather, HookFailure, Matter, Speech,
};
use crate::interface::{Callee, Happening, Language, Manner, Output};
use crate::outcome;
use crate::record::{Cause, Outcome};

/// Patience with whoever asks hooks. They have a shorter one of their own, with hooks and with speech: this one ends only if they
/// are not there at all.
pub(crate) const ADVISED_WITHIN: Duration = Duration::from_secs(40);

/// A caller who is answered hears music if it takes longer.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// Questions in one call: a hook that always says the same does not go on for ever.
const QUESTIONS: u8 = 50;

/// What is left of what a hook said.
#[derive(Debug)]
pub(crate) struct Plan {
    hook: Box<str>,
    /// How often it was asked.
    questions: u8,
    left: VecDeque<Action>,
    last: Option<Done>,
    /// Why whoever was called last was not reached.
    missed: Option<Outcome>,
    /// Who is being called.
    connecting: Option<Box<Connect>>,
}

impl Plan {
    fn new(hook: Box<str>) -> Box<Self> {
        let left = VecDeque::new();
        Box::new(Self { hook, questions: 0, left, last: None, missed: None, connecting: None })
    }

    pub(crate) fn connecting(&self) -> Option<&Connect> {
        self.connecting.as_deref()
    }
}

/// What is being done.
#[derive(Debug)]
pub(crate) enum Directed {
    /// The hook is asked.
    Consulting,
    /// The caller hears something.
    Playing,
    /// The caller has the floor.
    Gathering(Gathering),
}

#[derive(Debug)]
pub(crate) struct Gathering {
    gather: Gather,
    keyed: String,
    is_saying: bool,
}

/// Hands a call to a hook. Who is not answered hears it ring meanwhile.
pub(crate) fn begin(hook: Box<str>, core: &mut Core, desk: &mut Desk<'_>) -> State {
    core.plan = Some(Plan::new(hook));
    if let Some(caller) = core.caller.as_ref().filter(|_| core.record.answered.is_none()) {
        desk.leg(caller.id, LegCommand::Ring);
    }
    ask(None, core, desk)
}

fn ask(digits: Option<Box<str>>, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let (call, language) = (core.id(), core.language);
    let is_answered = core.record.answered.is_some();
    let record = core.record.clone();
    let Some(plan) = &mut core.plan else { return core.finish(outcome::ours(Cause::Fault), desk) };
    plan.left.clear();
    if plan.questions == QUESTIONS {
        return failed(Advice::failed("it was asked too often in one call"), core, desk);
    }
    plan.questions += 1;
    let may_repeat = plan.questions == 1 && core.line.hooks.failure == HookFailure::LastGood;
    let matter = Matter::Directions { question: plan.questions, digits, last: plan.last, may_repeat };
    let consultation = Consultation { call, hook: plan.hook.clone(), matter, record, language };
    desk.out.push(Output::Consult(Box::new(consultation)));
    desk.arm(Timer::Advice, if is_answered { SILENT_FOR } else { ADVISED_WITHIN });
    State::Directed(Directed::Consulting)
}

/// Nothing that can be done: what the line says is done instead.
fn failed(advice: Advice, core: &mut Core, desk: &mut Desk<'_>) -> State {
    plan_note(advice.fault, core, desk);
    let has_operator = core.line.operator.is_some();
    match core.line.hooks.failure {
        HookFailure::Reserve | HookFailure::LastGood if has_operator => {
            if let Some(plan) = &mut core.plan {
                plan.left = VecDeque::from([Action::Operator]);
            }
            proceed(core, desk)
        }
        HookFailure::Reserve | HookFailure::LastGood | HookFailure::Refuse => {
            turn_away(503, Cause::HookFailed, core, desk)
        }
    }
}

/// What was wrong is in the record, and whoever wants to know is told.
pub(crate) fn note(hook: &str, fault: Option<Box<str>>, core: &mut Core, desk: &mut Desk<'_>) {
    if let Some(fault) = fault {
        desk.notice(core.id(), Happening::HookFailed { hook: hook.into(), fault: fault.clone() });
        core.record.hook_fault = Some(fault);
    }
}

/// As `note`, of the hook that says what is done.
fn plan_note(fault: Option<Box<str>>, core: &mut Core, desk: &mut Desk<'_>) {
    let hook = core.plan.as_ref().map(|plan| plan.hook.clone()).unwrap_or_default();
    note(&hook, fault, core, desk);
}

/// Refuses a caller who is not answered, and hangs up on one who is.
fn turn_away(status: u16, cause: Cause, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.record.answered.is_none() {
        core.refuse(status, outcome::ours(cause), desk)
    } else {
        core.finish(outcome::ours(cause), desk)
    }
}

/// The next action; after the last the call is over.
pub(crate) fn proceed(core: &mut Core, desk: &mut Desk<'_>) -> State {
    loop {
        let Some(plan) = &mut core.plan else { return core.finish(outcome::ours(Cause::Fault), desk) };
        let Some(action) = plan.left.pop_front() else {
            let missed = plan.missed.take();
            return match missed {
                Some(outcome) => core.finish(outcome, desk),
                None => turn_away(480, Cause::Ended, core, desk),
            };
        };
        if action.needs_answer() && core.record.answered.is_none() {
            plan.left.push_front(action);
            // From there it comes back here, at once or when the caller has said where they are.
            return consulting::answer(core, desk);
        }
        plan.last = Some(Done { action: action.word(), result: "done" });
        return match action {
            Action::Reject { status } => turn_away(status, Cause::Refused, core, desk),
            Action::HangUp => turn_away(480, Cause::Ended, core, desk),
            Action::Play(say) => {
                let sounds = sounds(&say, core.language);
                core.hear(Whose::Caller, sounds, false, desk);
                State::Directed(Directed::Playing)
            }
            Action::Gather(gather) => Gathering::begin(gather, core, desk),
            Action::Connect(connect) => {
                if let Some(line) = shown(&connect, core) {
                    core.shown = line;
                    let (max_call, ring_timeout) = (connect.max_call, connect.ring_timeout);
                    core.manner = Manner { max_call, ring_timeout, ..core.manner };
                    plan_mut(core, |plan| plan.connecting = Some(connect));
                    return dialling::dial(Callee::Named, core, desk);
                }
                plan_note(Some("it wants a number shown that is no line of ours".into()), core, desk);
                let refused = outcome::ours(Cause::Unreachable);
                missed(refused, core);
                continue;
            }
            Action::Record(records) => {
                if !core.record_from_now(records, desk) {
                    let fault = "it wants a call recorded of which the caller was not told so";
                    plan_note(Some(fault.into()), core, desk);
                }
                continue;
            }
            Action::Redirect(hook) => {
                plan.hook = hook;
                ask(None, core, desk)
            }
            Action::Operator => {
                core.record.operator_asked = true;
                desk.notice(core.id(), Happening::Operator);
                dialling::dial(Callee::Operator, core, desk)
            }
        };
    }
}

/// The line whose number a callee sees.
fn shown(connect: &Connect, core: &Core) -> Option<Arc<Line>> {
    let Some(shown) = connect.shown.filter(|shown| *shown != core.line.number) else {
        return Some(Arc::clone(&core.line));
    };
    core.config.lines.iter().find(|line| line.number == shown).cloned().map(Arc::new)
}

fn plan_mut(core: &mut Core, change: impl FnOnce(&mut Plan)) {
    if let Some(plan) = &mut core.plan {
        change(plan);
    }
}

fn missed(outcome: Outcome, core: &mut Core) {
    plan_mut(core, |plan| {
        plan.last = Some(Done { action: "connect", result: outcome.cause.word() });
        plan.missed = Some(outcome);
        plan.connecting = None;
    });
    core.shown = Arc::clone(&core.line);
    core.manner = Manner { record: core.manner.record, ..Manner::default() };
}

/// Whoever the hook named was not reached: what follows is done.
pub(crate) fn resume(outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
    missed(outcome, core);
    core.stop(Whose::Caller, desk);
    core.vacate(Whose::Callee, &outcome, desk);
    // What its legs count for is free for the next.
    for dialled in core.dialled.drain(..) {
        desk.counts.give(&dialled);
    }
    proceed(core, desk)
}

/// What is to be said, in this language where it is not said in which.
pub(crate) fn sounds(say: &[Speech], language: Language) -> Vec<Sound> {
    let sound = |speech: &Speech| match speech {
        Speech::Prompt(prompt, own) => place(own.unwrap_or(language), *prompt).into(),
        Speech::Made(prompt) => Sound::Made(Arc::clone(prompt)),
    };
    say.iter().map(sound).collect()
}

impl Directed {
    pub(crate) fn handle(self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match (self, event) {
            (Self::Consulting, Event::Advised(advice)) => advised(advice, core, desk),
            (Self::Consulting, Event::Fired(Timer::Advice)) => patience(core, desk),
            (Self::Playing, Event::Finished(Whose::Caller)) => proceed(core, desk),
            (Self::Gathering(gathering), Event::Finished(Whose::Caller)) => gathering.said(desk),
            (Self::Gathering(gathering), Event::Digit(Whose::Caller, digit)) => {
                gathering.key(digit, core, desk)
            }
            (Self::Gathering(gathering), Event::Fired(Timer::Script(Patience::Input))) => {
                gathering.over("timeout", core, desk)
            }
            (
                directed,
                Event::Begun
                | Event::Confirmed
                | Event::Tried(..)
                | Event::CalleeEnded(_)
                | Event::Digit(..)
                | Event::Finished(_)
                | Event::Found(_)
                | Event::Advised(_)
                | Event::Fired(_),
            ) => State::Directed(directed),
        }
    }
}

/// A caller who hears nothing hears music from now on; one who does already has waited in vain.
fn patience(core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.record.answered.is_some() && core.caller.as_ref().is_some_and(|caller| caller.play.is_none()) {
        core.play(Whose::Caller, core.language, &[Prompt::Music], true, desk);
        desk.arm(Timer::Advice, ADVISED_WITHIN);
        return State::Directed(Directed::Consulting);
    }
    advised(Advice::failed("nobody said anything in time"), core, desk)
}

fn advised(advice: Advice, core: &mut Core, desk: &mut Desk<'_>) -> State {
    desk.disarm(Timer::Advice);
    core.stop(Whose::Caller, desk);
    match advice.verdict {
        Advised::Do(actions) => {
            plan_note(advice.fault, core, desk);
            plan_mut(core, |plan| {
                plan.left = actions.into();
                plan.missed = None;
            });
            proceed(core, desk)
        }
        Advised::Approved | Advised::Vetoed(_) => {
            failed(Advice::failed("it was asked what to do, and said whether"), core, desk)
        }
        Advised::Nothing => failed(advice, core, desk),
    }
}

impl Gathering {
    fn begin(gather: Gather, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let sounds = sounds(&gather.say, core.language);
        let is_saying = !sounds.is_empty();
        if is_saying {
            core.hear(Whose::Caller, sounds, false, desk);
        } else {
            desk.arm(Timer::Script(Patience::Input), gather.timeout);
        }
        State::Directed(Directed::Gathering(Self { gather, keyed: String::new(), is_saying }))
    }

    fn said(mut self, desk: &mut Desk<'_>) -> State {
        self.is_saying = false;
        desk.arm(Timer::Script(Patience::Input), self.gather.timeout);
        State::Directed(Directed::Gathering(self))
    }

    fn key(mut self, digit: char, core: &mut Core, desk: &mut Desk<'_>) -> State {
        if self.is_saying {
            if !self.gather.barge_in {
                return State::Directed(Directed::Gathering(self));
            }
            core.stop(Whose::Caller, desk);
            self.is_saying = false;
        }
        if self.gather.finish == Some(digit) {
            return self.over("digits", core, desk);
        }
        self.keyed.push(digit);
        if self.keyed.len() >= usize::from(self.gather.count) {
            return self.over("digits", core, desk);
        }
        desk.arm(Timer::Script(Patience::Input), self.gather.timeout);
        State::Directed(Directed::Gathering(self))
    }

    fn over(self, result: &'static str, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Script(Patience::Input));
        plan_mut(core, |plan| plan.last = Some(Done { action: "gather", result }));
        ask(Some(self.keyed.into()), core, desk)
    }
}
