//! The callee is being called; the caller hears music.

use ivr::Prompt;
use sdp::Local;
use sip::Flow;
use ua::{Ending, Invite, LegCommand};

use super::whispering::Whispering;
use super::{Core, Event, Leg, State, Timer, parting, talking};
use crate::config::{Operator, SrtpPolicy};
use crate::desk::{Desk, Told};
use crate::interface::{Callee, Happening, Output, Role};
use crate::media::{self, Session};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};

/// A callee being called.
#[derive(Debug)]
pub(crate) struct Dialling {
    callee: Callee,
    rings: bool,
}

/// Whom to call, and how: composed, never copied.
struct Route {
    flow: Flow,
    uri: String,
    srtp: SrtpPolicy,
}

/// Calls the callee while the caller is told and hears music.
pub(crate) fn dial(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let prompt = match callee {
        Callee::Party(Role::Courier) => Prompt::WaitCourier,
        Callee::Party(Role::Client) => Prompt::WaitClient,
        Callee::Operator => Prompt::OperatorConnecting,
    };
    core.play(super::Whose::Caller, core.language, &[prompt, Prompt::Music], true, desk);
    match invite(callee, core, desk) {
        Ok(()) => {
            desk.arm(Timer::Ring, core.line.ring_timeout);
            core.checkpoint(desk);
            State::Dialling(Dialling { callee, rings: false })
        }
        Err(outcome) => parting::begin(callee, outcome, core, desk),
    }
}

fn invite(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Result<(), Outcome> {
    let unreachable = outcome::callee(Cause::Unreachable, None, 38);
    let route = route(callee, core, desk).ok_or(unreachable)?;
    let number = core.record.callee;
    desk.notice(core.id(), Happening::Dialling { callee, number });
    let overloaded = outcome::ours(Cause::Overloaded);
    let address = desk.ports.address_for(route.flow.peer.ip()).ok_or(overloaded)?;
    let worker = core.caller.port.worker;
    let port = desk.ports.take_beside(desk.now, address, worker).ok_or(overloaded)?;
    let public = core.config.media[usize::from(address)].public;
    let local = Local { address: public, port: port.number, session: desk.ids.number(), version: 1 };
    let liked = core.caller.description.codec();
    let security = media::security(route.srtp, desk.ids);
    let description = Session::offering(local, &core.config.codecs, liked, security, core.config.xr);
    let (media, offer) = (description.media(), description.said());
    let (leg, session) = ((desk.next_leg)(), desk.ids.session());
    let mut callee = Leg::new(leg, session, port, description);
    callee.open(media, desk);
    core.callee = Some(callee);
    desk.told.push(Told::Callee(leg, session));
    let trunk = &core.config.trunks[usize::from(core.line.trunk.0)];
    let host = &core.config.ua.listeners[usize::from(route.flow.listener)].public;
    let invite = Invite {
        flow: route.flow,
        to: route.uri.clone(),
        uri: route.uri,
        from: format!("sip:{}@{host}", core.line.number),
        asserted: trunk.asserted,
        offer,
        hops: core.hops.saturating_sub(1),
    };
    desk.leg(leg, LegCommand::Invite(Box::new(invite)));
    Ok(())
}

fn route(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Option<Route> {
    let number = match callee {
        Callee::Party(role) => {
            let order = core.order.as_deref()?;
            let (party, line, code) = match role {
                Role::Courier => (order.courier, core.line.number, order.code),
                Role::Client => (order.client, core.line.number, order.code),
            };
            desk.out.push(Output::Called { line, callee: party.number, code });
            party.number
        }
        Callee::Operator => match core.line.operator.as_ref()? {
            Operator::Number(number) => *number,
            Operator::Uri { uri, flow } => {
                // An exchange of our own, which no trunk's rule is about.
                return flow.map(|flow| Route { flow, uri: uri.to_string(), srtp: SrtpPolicy::Off });
            }
        },
    };
    core.record.callee = Some(number);
    let trunk = &core.config.trunks[usize::from(core.line.trunk.0)];
    let flow = desk.roads.get(&trunk.name).copied().flatten()?;
    Some(Route { flow, uri: format!("sip:{number}@{};user=phone", trunk.host), srtp: trunk.srtp })
}

impl Dialling {
    pub(crate) fn handle(mut self, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Ringing => {
                if !std::mem::replace(&mut self.rings, true) {
                    desk.notice(core.id(), Happening::Ringing);
                }
                State::Dialling(self)
            }
            Event::Answered(sdp) => self.answered(sdp.as_deref(), core, desk),
            Event::CalleeEnded(ending) => {
                desk.disarm(Timer::Ring);
                let outcome = match ending {
                    // A callee who answers and is gone before we could join them was not reached.
                    Ending::HungUp { q850 } => outcome::callee(Cause::Declined, None, q850.unwrap_or(16)),
                    Ending::Cancelled
                    | Ending::Refused { .. }
                    | Ending::Unreachable
                    | Ending::NeverAcknowledged
                    | Ending::Gone
                    | Ending::Ordered => outcome::ending(Side::Callee, ending),
                };
                self.failed(outcome, core, desk)
            }
            Event::Fired(Timer::Ring) => self.failed(outcome::callee(Cause::NoAnswer, None, 19), core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Fired(_) => State::Dialling(self),
        }
    }

    fn answered(self, sdp: Option<&[u8]>, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Ring);
        if !sdp.is_some_and(|sdp| core.learn(super::Whose::Callee, sdp, desk)) {
            return self.failed(outcome::callee(Cause::NotAcceptable, None, 88), core, desk);
        }
        match self.callee {
            Callee::Operator => talking::begin(self.callee, core, desk),
            Callee::Party(role) => Whispering::begin(role, core, desk),
        }
    }

    fn failed(self, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
        core.end_callee(outcome::why(&outcome), desk);
        parting::begin(self.callee, outcome, core, desk)
    }
}
