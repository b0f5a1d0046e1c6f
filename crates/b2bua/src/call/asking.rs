//! The caller has the floor: the script asks, the store answers.

use ivr::{Decision, Input as Heard, Output as Said, Prompt, Script, Verdict};

use super::consulting::{STORE_WITHIN, connect, role_of};
use super::{Core, Event, State, Timer, Whose, dialling, directed, parting};
use crate::desk::Desk;
use crate::interface::{Callee, Code, Finding, Happening, Order, Output, Query};
use crate::outcome;
use crate::record::Cause;

/// A conversation under way.
#[derive(Debug)]
pub(crate) struct Asking {
    script: Script,
    /// The order on which the caller was called last.
    redial: Option<Box<Order>>,
    /// The code being looked up.
    looking: Option<Code>,
}

impl Asking {
    pub(crate) fn begin(
        redial: Option<Box<Order>>,
        keyed: &[char],
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        let Some(settings) = core.line.service.orders().map(|orders| orders.script) else {
            return core.finish(outcome::ours(Cause::Fault), desk);
        };
        desk.notice(core.id(), Happening::Asked);
        let mut said = Vec::new();
        let mut script = Script::start(settings, redial.is_some(), &mut said);
        for digit in keyed {
            script = script.handle(Heard::Digit(*digit), &mut said);
        }
        Self { script, redial, looking: None }.perform(said, core, desk)
    }

    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let heard = match event {
            Event::Digit(Whose::Caller, digit) => Heard::Digit(digit),
            Event::Finished(Whose::Caller) => Heard::Finished,
            Event::Fired(Timer::Script(timer)) => Heard::Fired(timer),
            Event::Found(finding) => self.found(finding, core, desk),
            Event::Fired(Timer::Store) => self.found(Finding::Failed, core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(Whose::Callee | Whose::Tried(_), _)
            | Event::Finished(Whose::Callee | Whose::Tried(_))
            | Event::Advised(_)
            | Event::Fired(_) => return State::Asking(self),
        };
        let mut said = Vec::new();
        self.script = self.script.handle(heard, &mut said);
        self.perform(said, core, desk)
    }

    fn found(&mut self, finding: Finding, core: &mut Core, desk: &mut Desk<'_>) -> Heard {
        desk.disarm(Timer::Store);
        let order = finding.order();
        let record = &mut core.record;
        record.order_found = order.is_some();
        if let Some(code) = self.looking.take() {
            let found = order.is_some();
            desk.notice(core.id(), Happening::Code { code, found });
        }
        let verdict = match &order {
            None => Verdict::Unknown,
            Some(order) if role_of(order, core).is_some() => Verdict::Party,
            Some(_) => Verdict::Stranger,
        };
        core.order = order;
        Heard::Found(verdict)
    }

    fn perform(mut self, said: Vec<Said>, core: &mut Core, desk: &mut Desk<'_>) -> State {
        for say in said {
            match say {
                Said::Play(prompt) => {
                    // Whoever is no party of anything may be somebody else's to look after.
                    let hook = core.line.hooks.strangers.clone();
                    if let Some(hook) = hook.filter(|_| prompt == Prompt::NumberUnknown) {
                        return directed::begin(hook, core, desk);
                    }
                    core.say(prompt, desk);
                }
                Said::Stop => core.stop(Whose::Caller, desk),
                Said::Find(code) => {
                    self.looking = Some(code);
                    look_up(code, core, desk);
                }
                Said::Arm(timer, after) => desk.arm(Timer::Script(timer), after),
                Said::Disarm(timer) => desk.disarm(Timer::Script(timer)),
                Said::Decided(decision) => return self.decided(decision, core, desk),
            }
        }
        State::Asking(self)
    }

    fn decided(self, decision: Decision, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let order = match decision {
            Decision::Connect => core.order.take(),
            Decision::Redial => self.redial,
            Decision::Operator => {
                core.record.operator_asked = true;
                desk.notice(core.id(), Happening::Operator);
                if core.is_blocked {
                    return parting::begin(Callee::Operator, outcome::ours(Cause::Blocked), core, desk);
                }
                return dialling::dial(Callee::Operator, core, desk);
            }
            Decision::NoInput => return core.finish(outcome::ours(Cause::NoInput), desk),
            Decision::NothingChosen => return core.finish(outcome::ours(Cause::NothingChosen), desk),
        };
        match order {
            Some(order) => connect(order, core, desk),
            None => core.finish(outcome::ours(Cause::Fault), desk),
        }
    }
}

fn look_up(code: Code, core: &mut Core, desk: &mut Desk<'_>) {
    core.record.code = Some(code);
    core.record.attempts = core.record.attempts.saturating_add(1);
    let is_kept_out = core.record.locked_out || core.is_blocked;
    let query = if is_kept_out { Query::Nothing } else { Query::Code { line: core.line.number, code } };
    desk.out.push(Output::Find { call: core.id(), query });
    desk.arm(Timer::Store, STORE_WITHIN);
}
