//! From the INVITE to the first prompt.

use std::sync::Arc;

use ua::LegCommand;

use super::asking::Asking;
use super::noticing::Noticing;
use super::{Core, Event, State, Timer, approving, dialling, directed, pairing, parting, screening, talking};
use crate::config::{Answer, RecordNotice};
use crate::desk::Desk;
use crate::interface::{Callee, Finding, Happening, Order, Output, Query, Role};
use crate::outcome;
use crate::record::{Cause, Side};
use crate::service::{Orders, Service, Strangers};

/// Patience with the store: a caller who waits longer is asked as if it had said nothing.
pub(crate) const STORE_WITHIN: std::time::Duration = std::time::Duration::from_secs(3);

/// The first checkpoint is on its way to the disk.
pub(crate) fn arriving(event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match event {
        Event::Begun => {
            desk.disarm(Timer::Store);
            match core.caller {
                Some(_) => screening::arrived(core, desk),
                None => dialling::dial(Callee::First, core, desk),
            }
        }
        Event::Fired(Timer::Store) => core.overloaded(desk),
        Event::Confirmed
        | Event::Tried(..)
        | Event::CalleeEnded(_)
        | Event::Digit(..)
        | Event::Finished(_)
        | Event::Found(_)
        | Event::Advised(_)
        | Event::Fired(_) => State::Arriving,
    }
}

/// Nothing is against the caller: whom they reach by a number of the pool is found out, and they are answered.
pub(crate) fn receive(core: &mut Core, desk: &mut Desk<'_>) -> State {
    match &core.line.service {
        Service::Pairs(strangers) if !core.is_blocked => {
            let (line, number, strangers) = (core.line.number, core.record.caller, *strangers);
            desk.out.push(Output::Find { call: core.id(), query: Query::Pair { line, number } });
            desk.arm(Timer::Store, STORE_WITHIN);
            State::Consulting(Consulting::Pair(strangers))
        }
        Service::Hook(line) if !line.answers_first && !core.is_blocked => {
            directed::begin(line.hook.clone(), core, desk)
        }
        Service::Orders(_) | Service::Pairs(_) | Service::Hook(_) | Service::Reserve => ring(core, desk),
    }
}

/// It rings for the caller, where the line has it so, and they are answered; or the callee is called first.
pub(crate) fn ring(core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.line.answer == Answer::WhenAnswered {
        return consult(Vec::new(), core, desk);
    }
    if let Some(caller) = core.caller.as_ref().filter(|_| !core.line.answer_after.is_zero()) {
        desk.leg(caller.id, LegCommand::Ring);
    } else {
        return answer(core, desk);
    }
    desk.arm(Timer::Answer, core.line.answer_after);
    State::Ringing
}

/// It rings for the caller. What is kept of the call may become durable again meanwhile: that is no news.
pub(crate) fn ringing(event: &Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if matches!(event, Event::Fired(Timer::Answer)) { answer(core, desk) } else { State::Ringing }
}

pub(crate) fn answer(core: &mut Core, desk: &mut Desk<'_>) -> State {
    match accept(core, desk) {
        Some(true) => Noticing::begin(core, desk),
        Some(false) => State::Answering(None),
        None => core.finish(outcome::ours(Cause::Fault), desk),
    }
}

/// The callee has taken the call: a caller who was not answered before is now, and the two are joined.
pub(crate) fn answer_and_join(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.record.answered.is_some() {
        return talking::begin(callee, core, desk);
    }
    match accept(core, desk) {
        Some(true) => talking::begin(callee, core, desk),
        Some(false) => State::Answering(Some(callee)),
        None => core.finish(outcome::ours(Cause::Fault), desk),
    }
}

/// Answers the caller; whether it is known where they are. `None`: there is none.
fn accept(core: &mut Core, desk: &mut Desk<'_>) -> Option<bool> {
    let caller = core.caller.as_mut()?;
    let (media, sdp) = (caller.description.media(), caller.description.said());
    caller.open(media, desk);
    desk.leg(caller.id, LegCommand::Accept(sdp));
    core.record.answered = Some(desk.now);
    if core.line.record_notice == RecordNotice::Off {
        core.begin_recording(desk);
    }
    Some(media.remote.is_some())
}

/// The caller offered nothing: where they are we learn from the ACK.
pub(crate) fn answering(waits: Option<Callee>, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
    match event {
        Event::Confirmed => match waits {
            Some(callee) => talking::begin(callee, core, desk),
            None => Noticing::begin(core, desk),
        },
        Event::CalleeEnded(ending) => core.finish(outcome::ending(Side::Callee, ending), desk),
        Event::Begun
        | Event::Tried(..)
        | Event::Digit(..)
        | Event::Finished(_)
        | Event::Found(_)
        | Event::Advised(_)
        | Event::Fired(_) => State::Answering(waits),
    }
}

/// What the store is asked before the caller is.
#[derive(Debug)]
pub(crate) enum Consulting {
    /// Whom a caller of the pool reaches; they are not answered yet.
    Pair(Strangers),
    /// Whether the caller is party to exactly one order.
    Party {
        /// Digits keyed meanwhile count.
        keyed: Vec<char>,
    },
    /// Who called the caller last.
    Redial {
        /// As above.
        keyed: Vec<char>,
    },
}

/// Finds the call's route, or asks the store before the caller is asked, where that can spare them the code. Digits keyed so far
/// count.
pub(crate) fn consult(keyed: Vec<char>, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if core.plan.is_some() {
        return directed::proceed(core, desk);
    }
    let line = Arc::clone(&core.line);
    match &line.service {
        Service::Orders(orders) => consult_orders(orders, keyed, core, desk),
        // Nobody is called for whoever is blocked.
        Service::Pairs(_) if core.is_blocked => {
            parting::begin(Callee::Fallback, outcome::ours(Cause::Blocked), core, desk)
        }
        Service::Hook(_) | Service::Reserve if core.is_blocked => {
            parting::begin(Callee::Operator, outcome::ours(Cause::Blocked), core, desk)
        }
        Service::Pairs(strangers) => pairing::connect(*strangers, core, desk),
        Service::Hook(line) => directed::begin(line.hook.clone(), core, desk),
        Service::Reserve => dialling::dial(Callee::Operator, core, desk),
    }
}

fn consult_orders(orders: &Orders, keyed: Vec<char>, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let (line, caller) = (core.line.number, core.record.caller);
    let locked = desk.lockouts.is_locked(desk.now, caller);
    core.record.locked_out = locked;
    let asked = caller.filter(|_| !locked && !core.is_blocked).and_then(|number| {
        if orders.ask_when_needed {
            Some((Query::Party { line, number }, true))
        } else {
            let within = orders.redial?;
            Some((Query::Redial { line, number, within }, false))
        }
    });
    let Some((query, is_party)) = asked else { return Asking::begin(None, &keyed, core, desk) };
    let consulting = if is_party { Consulting::Party { keyed } } else { Consulting::Redial { keyed } };
    desk.out.push(Output::Find { call: core.id(), query });
    desk.arm(Timer::Store, STORE_WITHIN);
    State::Consulting(consulting)
}

impl Consulting {
    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            // Whether the caller is blocked was answered too late.
            Event::Found(Finding::Permitted | Finding::Forbidden(_)) => State::Consulting(self),
            Event::Found(finding) => self.found(finding, core, desk),
            Event::Fired(Timer::Store) => self.found(Finding::Failed, core, desk),
            Event::Digit(super::Whose::Caller, digit) => {
                if let Self::Party { keyed } | Self::Redial { keyed } = &mut self
                    && keyed.len() < ivr::Code::LONGEST
                {
                    keyed.push(digit);
                }
                State::Consulting(self)
            }
            Event::Begun
            | Event::Confirmed
            | Event::Tried(..)
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Consulting(self),
        }
    }

    fn found(self, finding: Finding, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Store);
        match self {
            Self::Pair(strangers) => pairing::found(finding, strangers, core, desk),
            Self::Party { keyed } => match finding.order() {
                Some(order) if keyed.is_empty() => connect(order, core, desk),
                Some(_) | None => Asking::begin(None, &keyed, core, desk),
            },
            Self::Redial { keyed } => Asking::begin(finding.order(), &keyed, core, desk),
        }
    }
}

/// The caller is a party of this order: call the other one.
pub(crate) fn connect(order: Box<Order>, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let Some(role) = role_of(&order, core) else {
        return core.finish(outcome::ours(Cause::Fault), desk);
    };
    let ours = match role {
        Role::Courier | Role::A => order.courier,
        Role::Client | Role::B => order.client,
    };
    core.language = ours.language.unwrap_or(core.line.language);
    let record = &mut core.record;
    record.code = Some(order.code);
    record.order_found = true;
    record.number_found = true;
    record.caller_role = Some(role);
    record.data.clone_from(&order.data);
    let matched = Happening::Matched { code: order.code, caller: role, data: order.data.clone() };
    desk.notice(core.id(), matched);
    let theirs = match role {
        Role::Courier | Role::A => order.client,
        Role::Client | Role::B => order.courier,
    };
    core.order = Some(order);
    approving::begin(role, theirs.number, core, desk)
}

/// Which party of the order the caller is.
pub(crate) fn role_of(order: &Order, core: &Core) -> Option<Role> {
    let caller = core.record.caller?;
    if order.courier.number == caller {
        Some(Role::Courier)
    } else if order.client.number == caller {
        Some(Role::Client)
    } else {
        None
    }
}
