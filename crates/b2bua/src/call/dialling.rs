//! The callee is being called; the caller hears music.

use std::collections::VecDeque;
use std::time::Duration;

use ivr::Prompt;
use number::{Form, Number};
use rtp::Media;
use sdp::Local;
use sip::Flow;
use ua::{Ending, Invite, LegCommand, LegId};

use super::screening::Permitting;
use super::whispering::Whispering;
use super::{Core, Event, Leg, State, Timer, directed, parting, talking};
use crate::config::{EarlyMedia, Operator, Sender, SrtpPolicy, Trunk};
use crate::desk::{Desk, Told};
use crate::guards;
use crate::interface::{Across, Callee, Code, Happening, Order, Output, Party, Query, Role};
use crate::media::{self, Session};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};
use crate::trunks::{Room, Way};

/// A callee being called.
#[derive(Debug)]
pub(crate) struct Dialling {
    callee: Callee,
    rings: bool,
    whom: Whom,
    /// The way that is being tried.
    way: Road,
    /// Those that are left, the best first.
    left: VecDeque<Road>,
}

/// Whom to call: composed, never copied.
#[derive(Debug, Clone)]
enum Whom {
    Number(Number),
    /// An exchange of our own.
    Uri(Box<str>),
}

/// By which way: a trunk's, or straight to an exchange of our own, which no trunk's rule is about.
#[derive(Debug, Clone, Copy)]
enum Road {
    Trunk(Way),
    Straight(Flow),
}

impl Road {
    fn flow(self) -> Flow {
        match self {
            Self::Trunk(way) => way.flow,
            Self::Straight(flow) => flow,
        }
    }
}

/// Calls the callee if they may be called: of a party the store is asked that.
pub(crate) fn dial(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let Some((callee_number, code)) = called_party(callee, core) else { return call(callee, core, desk) };
    let (line, caller) = (core.line.number, core.record.caller);
    let query = Query::Permit { line, caller, callee: callee_number, code };
    Permitting::begin(callee, query, core, desk)
}

/// The number of a party, or of whoever is there in their place, and on which order; `None`: it is an operator of ours.
fn called_party(callee: Callee, core: &Core) -> Option<(Number, Option<Code>)> {
    match callee {
        Callee::Party(role @ (Role::Courier | Role::Client)) => {
            core.order.as_deref().map(|order| (party_of(order, role).number, Some(order.code)))
        }
        Callee::Party(Role::A | Role::B) | Callee::Fallback => match core.pair.as_deref()?.across {
            Across::Party { party, .. } => Some((party.number, None)),
            Across::Fallback(number) => Some((number, None)),
            Across::Nobody => None,
        },
        Callee::Named => core.connecting().map(|connect| (connect.number, None)),
        Callee::Operator => None,
    }
}

fn party_of(order: &Order, role: Role) -> Party {
    match role {
        Role::Courier | Role::A => order.courier,
        Role::Client | Role::B => order.client,
    }
}

/// Calls the callee while the caller is told and hears music, unless a rule forbids the number.
pub(crate) fn call(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if let Err(cause) = guard(callee, core, desk) {
        if callee == Callee::Named {
            return directed::resume(outcome::ours(cause), core, desk);
        }
        return parting::refused(cause, core, desk);
    }
    let prompt = match callee {
        Callee::Party(Role::Courier) => Prompt::WaitCourier,
        Callee::Party(Role::Client) => Prompt::WaitClient,
        Callee::Party(Role::A | Role::B) | Callee::Fallback => Prompt::Wait,
        Callee::Operator => Prompt::OperatorConnecting,
        // What they hear is for the hook to say.
        Callee::Named => Prompt::Music,
    };
    let prompts = [prompt, Prompt::Music];
    let prompts = if prompt == Prompt::Music { &prompts[1..] } else { &prompts };
    core.play(super::Whose::Caller, core.language, prompts, true, desk);
    let unreachable = outcome::callee(Cause::Unreachable, None, 38);
    let Some((whom, roads)) = roads(callee, core, desk).filter(|(_, roads)| !roads.is_empty()) else {
        return parting::begin(callee, unreachable, core, desk);
    };
    let (number, shown) = (core.record.callee, core.shown.number);
    desk.notice(core.id(), Happening::Dialling { callee, number, shown });
    // Where every trunk is full there was no room.
    match attempt(callee, &whom, roads, outcome::ours(Cause::Overloaded), core, desk) {
        Ok((way, left)) => {
            desk.arm(Timer::Ring, core.ring_timeout());
            core.checkpoint(desk);
            State::Dialling(Box::new(Dialling { callee, rings: false, whom, way, left }))
        }
        Err(outcome) => parting::begin(callee, outcome, core, desk),
    }
}

/// Counts the leg, unless it must not be: no rule is about an exchange of our own.
fn guard(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Result<(), Cause> {
    let leg = match callee {
        Callee::Party(_) | Callee::Fallback | Callee::Named => called_party(callee, core)
            .map(|(callee, _)| guards::Leg { callee, caller: core.record.caller, is_party: true }),
        Callee::Operator => match core.line.operator {
            Some(Operator::Number(callee)) => Some(guards::Leg { callee, caller: None, is_party: false }),
            Some(Operator::Uri { .. }) | None => None,
        },
    };
    let Some(leg) = leg else { return Ok(()) };
    let dialled = desk.counts.take(desk.now, leg, &core.line.dial, &core.config.guards)?;
    core.dialled.push(dialled);
    Ok(())
}

/// Sends an INVITE by the first way that has room, and says which it is and which are left; `otherwise`: none has.
fn attempt(
    callee: Callee,
    whom: &Whom,
    mut roads: VecDeque<Road>,
    otherwise: Outcome,
    core: &mut Core,
    desk: &mut Desk<'_>,
) -> Result<(Road, VecDeque<Road>), Outcome> {
    while let Some(road) = roads.pop_front() {
        if let Road::Trunk(way) = road {
            let trunk = &core.config.trunks[usize::from(way.trunk.0)];
            if desk.trunks.take(desk.now, trunk) == Room::Full {
                continue;
            }
            core.callee_trunk = Some(trunk.name.clone());
        }
        core.record.callee_trunk.clone_from(&core.callee_trunk);
        let leg = invite(whom, road, core, desk)?;
        desk.out.push(Output::Leg { call: core.id(), leg, callee: Some(callee) });
        if let (Road::Trunk(way), false) = (road, roads.is_empty()) {
            let patience = core.config.trunks[usize::from(way.trunk.0)].attempt_timeout;
            desk.arm(Timer::Attempt, patience);
        }
        return Ok((road, roads));
    }
    Err(otherwise)
}

fn invite(whom: &Whom, road: Road, core: &mut Core, desk: &mut Desk<'_>) -> Result<LegId, Outcome> {
    let overloaded = outcome::ours(Cause::Overloaded);
    let flow = road.flow();
    let trunk = match road {
        Road::Trunk(way) => Some(&core.config.trunks[usize::from(way.trunk.0)]),
        Road::Straight(_) => None,
    };
    let address = desk.ports.address_for(flow.peer.ip()).ok_or(overloaded)?;
    let worker = core.caller.port.worker;
    let port = desk.ports.take_beside(desk.now, address, worker).ok_or(overloaded)?;
    let public = core.config.media[usize::from(address)].public;
    let local = Local { address: public, port: port.number, session: desk.ids.number(), version: 1 };
    let security = media::security(trunk.map_or(SrtpPolicy::Off, |trunk| trunk.srtp), desk.ids);
    let description = Session::offering(
        local,
        &core.config.codecs,
        Some(&core.caller.description),
        security,
        core.config.xr,
    );
    let (media, offer) = (description.media(), description.said());
    let host = &core.config.ua.listeners[usize::from(flow.listener)].public;
    let uri = match (whom, trunk) {
        (Whom::Number(number), Some(trunk)) => called(*number, trunk),
        (Whom::Number(number), None) => format!("sip:{number}@{};user=phone", flow.peer),
        (Whom::Uri(uri), _) => uri.to_string(),
    };
    let (from, own) = presented(core.shown.number, trunk, host);
    let invite = Invite {
        flow,
        to: uri.clone(),
        uri,
        from,
        own,
        shown: trunk.map(|trunk| trunk.profile.shown.clone()).unwrap_or_default(),
        withheld: trunk.is_some_and(|trunk| trunk.profile.withheld),
        offer,
        hops: core.hops.saturating_sub(1),
        credentials: trunk.and_then(|trunk| trunk.credentials.clone()),
        routes: trunk.map(|trunk| desk.trunks.routes(&trunk.name)).unwrap_or_default(),
    };
    let (leg, session) = ((desk.next_leg)(), desk.ids.session());
    let mut callee = Leg::new(leg, session, port, description);
    callee.open(media, desk);
    core.callee = Some(callee);
    desk.told.push(Told::Callee(leg, session));
    desk.leg(leg, LegCommand::Invite(Box::new(invite)));
    Ok(leg)
}

/// The callee as this trunk wants it written. What is no international number is no telephone number to others
/// (RFC 3261 §19.1.6).
fn called(number: Number, trunk: &Trunk) -> String {
    let profile = &trunk.profile;
    let prefix = profile.prefix.replace('#', "%23");
    let is_global = prefix.is_empty() && profile.form == Form::Plus;
    let kind = if is_global { ";user=phone" } else { "" };
    format!("sip:{prefix}{}@{}{kind}", profile.write(number), trunk.host)
}

/// From, and our number for other headers.
fn presented(line: Number, trunk: Option<&Trunk>, host: &str) -> (String, String) {
    let Some(trunk) = trunk else {
        let own = format!("sip:{line}@{host}");
        return (own.clone(), own);
    };
    let number = trunk.profile.write(line);
    let own = match trunk.profile.from {
        Sender::Own => format!("sip:{number}@{host}"),
        Sender::AtCarrier | Sender::Account(_) => format!("sip:{number}@{}", trunk.domain),
    };
    let from = match &trunk.profile.from {
        // RFC 3323 §4.1.1.3.
        _ if trunk.profile.withheld => "sip:anonymous@anonymous.invalid".to_owned(),
        Sender::Own | Sender::AtCarrier => own.clone(),
        Sender::Account(aor) => aor.to_string(),
    };
    (from, own)
}

/// Whom to call, and every way there, the best first.
fn roads(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Option<(Whom, VecDeque<Road>)> {
    let number = match callee {
        Callee::Party(role @ (Role::Courier | Role::Client)) => {
            let order = core.order.as_deref()?;
            let (party, line, code) = (party_of(order, role), core.line.number, order.code);
            desk.out.push(Output::Called { line, callee: party.number, code });
            party.number
        }
        Callee::Party(Role::A | Role::B) | Callee::Fallback | Callee::Named => called_party(callee, core)?.0,
        Callee::Operator => match core.line.operator.as_ref()? {
            Operator::Number(number) => *number,
            Operator::Uri { uri, flow } => {
                return flow.map(|flow| (Whom::Uri(uri.clone()), VecDeque::from([Road::Straight(flow)])));
            }
        },
    };
    core.record.callee = Some(number);
    let ways = desk.trunks.ways(desk.now, &core.shown.trunks, &core.config, desk.ids);
    Some((Whom::Number(number), ways.into_iter().map(Road::Trunk).collect()))
}

impl Dialling {
    pub(crate) fn handle(mut self: Box<Self>, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Trying => {
                desk.disarm(Timer::Attempt);
                State::Dialling(self)
            }
            Event::Ringing => {
                self.ring(core, desk);
                State::Dialling(self)
            }
            Event::Progressed(sdp) => {
                self.ring(core, desk);
                hear_early(core.callee.as_ref().and_then(|leg| leg.description.hear_early(&sdp)), core, desk);
                State::Dialling(self)
            }
            Event::Renewed => {
                hear_early(core.callee.as_ref().map(|leg| leg.description.media()), core, desk);
                State::Dialling(self)
            }
            Event::Quiet => {
                core.hush_callee(desk);
                State::Dialling(self)
            }
            Event::Answered(sdp) => self.answered(sdp.as_deref(), core, desk),
            Event::CalleeEnded(ending) => {
                let outcome = match ending {
                    // A callee who answers and is gone before we could join them was not reached.
                    Ending::HungUp { q850 } => outcome::callee(Cause::Declined, None, q850.unwrap_or(16)),
                    Ending::Cancelled
                    | Ending::Refused { .. }
                    | Ending::Unreachable
                    | Ending::NeverAcknowledged
                    | Ending::Gone
                    | Ending::Unrefreshed
                    | Ending::Ordered => outcome::ending(Side::Callee, ending),
                };
                match ways_fault(ending) {
                    Some(pause) if !self.rings => self.next_way(pause, outcome, core, desk),
                    Some(_) | None => self.failed(outcome, core, desk),
                }
            }
            Event::Fired(Timer::Attempt) => {
                let outcome = outcome::ending(Side::Callee, Ending::Unreachable);
                self.next_way(None, outcome, core, desk)
            }
            Event::Fired(Timer::Ring) => self.failed(outcome::callee(Cause::NoAnswer, None, 19), core, desk),
            Event::Begun
            | Event::Confirmed
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Dialling(self),
        }
    }

    /// Whatever comes from there says that the callee is being called.
    fn ring(&mut self, core: &Core, desk: &mut Desk<'_>) {
        if !std::mem::replace(&mut self.rings, true) {
            desk.notice(core.id(), Happening::Ringing);
        }
    }

    /// The way did not take the call: the next one, while there is one. `outcome`: what it came to if there is none.
    fn next_way(
        mut self: Box<Self>,
        pause: Option<Duration>,
        outcome: Outcome,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        desk.disarm(Timer::Attempt);
        if let (Road::Trunk(way), Some(name)) = (self.way, &core.callee_trunk) {
            desk.trunks.shun(desk.now, name, way.flow, pause);
        }
        if self.left.is_empty() {
            return self.failed(outcome, core, desk);
        }
        core.leave_way(outcome::why(&outcome), desk);
        match attempt(self.callee, &self.whom, std::mem::take(&mut self.left), outcome, core, desk) {
            Ok((way, left)) => {
                (self.way, self.left) = (way, left);
                State::Dialling(self)
            }
            Err(outcome) => self.failed(outcome, core, desk),
        }
    }

    fn answered(&self, sdp: Option<&[u8]>, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Ring);
        desk.disarm(Timer::Attempt);
        let is_known = match sdp {
            Some(sdp) => core.learn(super::Whose::Callee, sdp, desk),
            None => core.settle_callee(desk),
        };
        core.hush_callee(desk);
        if !is_known {
            return self.failed(outcome::callee(Cause::NotAcceptable, None, 88), core, desk);
        }
        match self.callee {
            Callee::Operator | Callee::Fallback => talking::begin(self.callee, core, desk),
            Callee::Party(_) | Callee::Named => Whispering::begin(self.callee, core, desk),
        }
    }

    fn failed(&self, outcome: Outcome, core: &mut Core, desk: &mut Desk<'_>) -> State {
        desk.disarm(Timer::Ring);
        desk.disarm(Timer::Attempt);
        core.end_callee(outcome::why(&outcome), desk);
        parting::begin(self.callee, outcome, core, desk)
    }
}

/// The caller hears what comes from the callee's side, where the line has it so; `None`: there is nothing both can speak.
fn hear_early(media: Option<Media>, core: &mut Core, desk: &mut Desk<'_>) {
    match (core.line.early_media, media) {
        (EarlyMedia::Ours, _) => {}
        (EarlyMedia::Pass, Some(media)) => core.hear_callee_early(media, desk),
        (EarlyMedia::Pass, None) => core.hush_callee(desk),
    }
}

/// Whether this end says something of the way and nothing of the callee; and how long the way is not to be taken, where
/// it says that.
fn ways_fault(ending: Ending) -> Option<Option<Duration>> {
    match ending {
        Ending::Unreachable => Some(None),
        // Whoever refuses us, is out of order, or has no room: 4xx and 6xx else are about the callee (RFC 3398 §8.2.6.1).
        Ending::Refused { status: 401 | 407 | 500 | 503 | 504, retry_after, .. } => Some(retry_after),
        Ending::Refused { .. }
        | Ending::HungUp { .. }
        | Ending::Cancelled
        | Ending::NeverAcknowledged
        | Ending::Gone
        | Ending::Unrefreshed
        | Ending::Ordered => None,
    }
}
