//! Somebody is being called: the callee, while the caller hears music, or one side of a callback. One number, or several: one after
//! the other, or all at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ivr::Prompt;
use number::{Form, Number};
use sdp::Local;
use sip::Flow;
use ua::{Ending, Invite, LegCommand};

use super::outgoing::{Outgoing, Progress};
use super::screening::Permitting;
use super::whispering::{self, Reply, Whisper, Whispering};
use super::{Core, Event, Leg, State, Timer, Whose, directed, parting};
use crate::callback::Strategy;
use crate::config::{EarlyMedia, Line, Operator, Sender, SrtpPolicy, Trunk};
use crate::desk::Desk;
use crate::guards;
use crate::interface::{Across, Callee, Code, Happening, Order, Output, Party, Query, Role};
use crate::media::{self, Session};
use crate::outcome;
use crate::record::{Cause, Outcome, Side};
use crate::trunks::{Room, Way};

/// Who is being called, and who may be.
#[derive(Debug)]
pub(crate) struct Dialling {
    callee: Callee,
    /// The line they see.
    shown: Arc<Line>,
    /// Whether all are called at the same time.
    at_once: bool,
    /// Those who have not been called yet, the first to be called first.
    waiting: VecDeque<Wanted>,
    tries: Vec<Try>,
}

/// Somebody to be called.
#[derive(Debug)]
struct Wanted {
    whom: Whom,
    patience: Duration,
}

/// Somebody who is being called.
#[derive(Debug)]
struct Try {
    /// The place in `Record::tried`.
    name: u8,
    whom: Whom,
    rings: bool,
    /// The way that is being tried.
    way: Road,
    /// Those that are left, the best first.
    left: VecDeque<Road>,
    /// They have answered and hear what it is about, while the others go on ringing: whoever presses the key first takes the call.
    whisper: Option<Whisper>,
}

/// Whom to call: composed, never copied.
#[derive(Debug, Clone)]
enum Whom {
    Number(Number),
    /// An exchange of our own, and where it is.
    Uri(Box<str>, Flow),
}

impl Whom {
    fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Uri(..) => None,
        }
    }
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

/// Calls somebody if they may be called: of a party the store is asked that.
pub(crate) fn dial(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    let Some((callee_number, code)) = called_party(callee, core) else { return call(callee, core, desk) };
    let (line, caller) = (core.line.number, core.record.caller);
    let query = Query::Permit { line, caller, callee: callee_number, code };
    Permitting::begin(callee, query, core, desk)
}

/// Who is to be called, and by which code; `None`: no one number, or one that is no party's.
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
        Callee::Operator | Callee::First | Callee::Second => None,
    }
}

fn party_of(order: &Order, role: Role) -> Party {
    match role {
        Role::Courier | Role::A => order.courier,
        Role::Client | Role::B => order.client,
    }
}

/// Counts the leg, unless it must not be: no rule is about an exchange of our own, and those of a side of a callback are looked at
/// number by number.
fn guard(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> Result<(), Cause> {
    let leg = match callee {
        Callee::Party(_) | Callee::Fallback | Callee::Named => called_party(callee, core)
            .map(|(callee, _)| guards::Leg { callee, caller: core.record.caller, is_party: true }),
        Callee::Operator => match core.line.operator {
            Some(Operator::Number(callee)) => Some(guards::Leg { callee, caller: None, is_party: false }),
            Some(Operator::Uri { .. }) | None => None,
        },
        Callee::First | Callee::Second => None,
    };
    let Some(leg) = leg else { return Ok(()) };
    let line = Arc::clone(&core.line);
    count(leg, &line, core, desk)
}

/// Counts a leg, unless it must not be dialled by this line's rules.
fn count(leg: guards::Leg, line: &Line, core: &mut Core, desk: &mut Desk<'_>) -> Result<(), Cause> {
    let dialled = desk.counts.take(desk.now, leg, &line.dial, &core.config.guards)?;
    desk.out.extend(desk.counts.news().map(Output::Tallied));
    core.dialled.push(dialled);
    Ok(())
}

/// Calls somebody, unless a rule forbids the number; the caller, if there is one, is told and hears music.
pub(crate) fn call(callee: Callee, core: &mut Core, desk: &mut Desk<'_>) -> State {
    if let Err(cause) = guard(callee, core, desk) {
        if let Some((_, Some(code))) = called_party(callee, core) {
            desk.out.push(Output::Uncalled { line: core.line.number, code });
        }
        if callee == Callee::Named {
            return directed::resume(outcome::ours(cause), core, desk);
        }
        return parting::refused(cause, core, desk);
    }
    let heard: &[Prompt] = match callee {
        Callee::Party(Role::Courier) => &[Prompt::WaitCourier, Prompt::Music],
        Callee::Party(Role::Client) => &[Prompt::WaitClient, Prompt::Music],
        Callee::Party(Role::A | Role::B) | Callee::Fallback => &[Prompt::Wait, Prompt::Music],
        Callee::Operator => &[Prompt::OperatorConnecting, Prompt::Music],
        // What else they hear is for the hook, or the callback, to say.
        Callee::Second | Callee::Named => &[Prompt::Music],
        // Nobody is there yet.
        Callee::First => &[],
    };
    if !heard.is_empty() {
        core.play(Whose::Caller, core.language, heard, true, desk);
    }
    match Dialling::of(callee, core, desk) {
        Some(dialling) => Box::new(dialling).instead(unreachable(callee), core, desk),
        None => parting::begin(callee, unreachable(callee), core, desk),
    }
}

fn unreachable(callee: Callee) -> Outcome {
    Outcome { side: Side::from(callee.place()), ..outcome::callee(Cause::Unreachable, None, 38) }
}

impl Dialling {
    /// Whom this callee stands for; `None`: for nobody.
    fn of(callee: Callee, core: &Core, desk: &mut Desk<'_>) -> Option<Self> {
        let shown = match core.sides.as_deref().and_then(|sides| sides.side(callee)) {
            Some(side) => Arc::clone(&side.shown),
            None => Arc::clone(&core.shown),
        };
        let one = |whom| VecDeque::from([Wanted { whom, patience: core.ring_timeout() }]);
        let (waiting, strategy) = match callee {
            Callee::Party(role @ (Role::Courier | Role::Client)) => {
                let order = core.order.as_deref()?;
                let party = party_of(order, role);
                let (line, code) = (core.line.number, order.code);
                desk.out.push(Output::Called { line, callee: party.number, code });
                (one(Whom::Number(party.number)), Strategy::InOrder)
            }
            Callee::Party(Role::A | Role::B) | Callee::Fallback | Callee::Named => {
                (one(Whom::Number(called_party(callee, core)?.0)), Strategy::InOrder)
            }
            Callee::Operator => match core.line.operator.as_ref()? {
                Operator::Number(number) => (one(Whom::Number(*number)), Strategy::InOrder),
                Operator::Uri { uri, flow } => (one(Whom::Uri(uri.clone(), (*flow)?)), Strategy::InOrder),
            },
            Callee::First | Callee::Second => {
                let calling = &core.sides.as_deref()?.side(callee)?.calling;
                let wanted = calling.candidates.iter().map(|candidate| Wanted {
                    whom: Whom::Number(candidate.number),
                    patience: candidate.ring_timeout.unwrap_or(core.line.ring_timeout),
                });
                let mut wanted: Vec<(u64, Wanted)> = wanted.map(|wanted| (0, wanted)).collect();
                if calling.strategy == Strategy::Random {
                    for (place, _) in &mut wanted {
                        *place = desk.ids.number();
                    }
                    wanted.sort_by_key(|(place, _)| *place);
                }
                (wanted.into_iter().map(|(_, wanted)| wanted).collect(), calling.strategy)
            }
        };
        let at_once = strategy == Strategy::AtOnce;
        Some(Self { callee, shown, at_once, waiting, tries: Vec::new() })
    }

    pub(crate) fn callee(&self) -> Callee {
        self.callee
    }

    /// Whether somebody else may be called.
    pub(crate) fn has_more(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Calls whoever is next, or all at once. `outcome`: what it came to if there is nobody.
    pub(crate) fn instead(
        mut self: Box<Self>,
        mut outcome: Outcome,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        while self.tries.is_empty() || self.at_once {
            let Some(wanted) = self.waiting.pop_front() else { break };
            match self.begin(wanted, core, desk) {
                Ok(begun) => self.tries.push(begun),
                Err(why) => outcome = why,
            }
        }
        if self.tries.is_empty() {
            return parting::begin(self.callee, outcome, core, desk);
        }
        core.checkpoint(desk);
        State::Dialling(self)
    }

    /// Calls one.
    fn begin(&self, wanted: Wanted, core: &mut Core, desk: &mut Desk<'_>) -> Result<Try, Outcome> {
        let Wanted { whom, patience } = wanted;
        let place = self.callee.place();
        let number = whom.number();
        let overloaded = outcome::ours(Cause::Overloaded);
        let too_many = outcome::ours(Cause::TooManyCalls);
        let name = core.try_number(place, number, desk).ok_or(too_many)?;
        match place {
            Whose::Caller => core.record.caller = number,
            Whose::Callee | Whose::Tried(_) => core.record.callee = number,
        }
        if let Err(cause) = self.permitted(number, core, desk) {
            let outcome = outcome::ours(cause);
            core.give_up(name, outcome, desk);
            return Err(outcome);
        }
        let roads: VecDeque<Road> = match &whom {
            Whom::Uri(_, flow) => VecDeque::from([Road::Straight(*flow)]),
            Whom::Number(_) => {
                let ways = desk.trunks.ways(desk.now, &self.shown.trunks, &core.config, desk.ids);
                ways.into_iter().map(Road::Trunk).collect()
            }
        };
        if roads.is_empty() {
            let outcome = unreachable(self.callee);
            core.give_up(name, outcome, desk);
            return Err(outcome);
        }
        desk.notice(core.id(), Happening::Dialling { callee: self.callee, number, shown: self.shown.number });
        // Where every trunk is full there was no room.
        match self.attempt(name, &whom, roads, overloaded, core, desk) {
            Ok((way, left)) => {
                desk.arm(Timer::Ring(name), patience);
                Ok(Try { name, whom, rings: false, way, left, whisper: None })
            }
            Err(outcome) => {
                core.give_up(name, outcome, desk);
                Err(outcome)
            }
        }
    }

    /// Counts a number of a side of a callback, unless it must not be called.
    fn permitted(&self, number: Option<Number>, core: &mut Core, desk: &mut Desk<'_>) -> Result<(), Cause> {
        let caller = match self.callee {
            Callee::First => None,
            Callee::Second => core.record.caller,
            Callee::Party(_) | Callee::Fallback | Callee::Named | Callee::Operator => return Ok(()),
        };
        let Some(callee) = number else { return Ok(()) };
        let leg = guards::Leg { callee, caller, is_party: true };
        count(leg, &self.shown, core, desk)
    }

    /// Sends an INVITE by the first way that has room, and says which it is and which are left; `otherwise`: none has.
    fn attempt(
        &self,
        name: u8,
        whom: &Whom,
        mut roads: VecDeque<Road>,
        otherwise: Outcome,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> Result<(Road, VecDeque<Road>), Outcome> {
        let place = self.callee.place();
        while let Some(road) = roads.pop_front() {
            let mut seat = None;
            if let Road::Trunk(way) = road {
                let trunk = &core.config.trunks[usize::from(way.trunk.0)];
                if desk.trunks.take(desk.now, trunk) == Room::Full {
                    continue;
                }
                seat = Some(trunk.name.clone());
            }
            if place == Whose::Callee {
                core.record.callee_trunk.clone_from(&seat);
            }
            let leg = match self.invite(whom, road, core, desk) {
                Ok(leg) => leg,
                Err(outcome) => {
                    if let Some(seat) = seat {
                        desk.trunks.give(&seat);
                    }
                    return Err(outcome);
                }
            };
            desk.out.push(Output::Leg { call: core.id(), leg: leg.id, callee: Some(self.callee) });
            core.call(Outgoing { name, place, leg, trunk: seat }, desk);
            if let (Road::Trunk(way), false) = (road, roads.is_empty()) {
                let patience = core.config.trunks[usize::from(way.trunk.0)].attempt_timeout;
                desk.arm(Timer::Attempt(name), patience);
            }
            return Ok((road, roads));
        }
        Err(otherwise)
    }

    fn invite(&self, whom: &Whom, road: Road, core: &mut Core, desk: &mut Desk<'_>) -> Result<Leg, Outcome> {
        let overloaded = outcome::ours(Cause::Overloaded);
        let flow = road.flow();
        let trunk = match road {
            Road::Trunk(way) => Some(&core.config.trunks[usize::from(way.trunk.0)]),
            Road::Straight(_) => None,
        };
        let address = desk.ports.address_for(flow.peer.ip()).ok_or(overloaded)?;
        let port = match core.worker() {
            Some(worker) => desk.ports.take_beside(desk.now, address, worker),
            None => desk.ports.take(desk.now, address),
        };
        let port = port.ok_or(overloaded)?;
        let public = core.config.media[usize::from(address)].public;
        let local = Local { address: public, port: port.number, session: desk.ids.number(), version: 1 };
        let security = media::security(trunk.map_or(SrtpPolicy::Off, |trunk| trunk.srtp), desk.ids);
        let other = core.caller.as_ref().map(|caller| &caller.description);
        let description = Session::offering(local, &core.config.codecs, other, security, core.config.xr);
        let (media, offer) = (description.media(), description.said());
        let host = &core.config.ua.listeners[usize::from(flow.listener)].public;
        let uri = match (whom, trunk) {
            (Whom::Number(number), Some(trunk)) => called(*number, trunk),
            (Whom::Number(number), None) => format!("sip:{number}@{};user=phone", flow.peer),
            (Whom::Uri(uri, _), _) => uri.to_string(),
        };
        let (from, own) = presented(self.shown.number, trunk, host);
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
        let (id, session) = ((desk.next_leg)(), desk.ids.session());
        let mut leg = Leg::new(id, session, port, description);
        leg.open(media, desk);
        desk.leg(id, LegCommand::Invite(Box::new(invite)));
        Ok(leg)
    }

    pub(crate) fn handle(self: Box<Self>, event: Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        match event {
            Event::Tried(name, progress) => self.progress(name, progress, core, desk),
            Event::Fired(Timer::Attempt(name)) => {
                let outcome = outcome::ending(Side::Callee, Ending::Unreachable);
                self.next_way(name, None, outcome, core, desk)
            }
            Event::Fired(Timer::Ring(name)) => {
                self.failed(name, outcome::callee(Cause::NoAnswer, None, 19), core, desk)
            }
            Event::Digit(Whose::Tried(name), _)
            | Event::Finished(Whose::Tried(name))
            | Event::Fired(Timer::Confirm(Whose::Tried(name)) | Timer::Refusal(Whose::Tried(name))) => {
                self.replied(name, &event, core, desk)
            }
            Event::Begun
            | Event::Confirmed
            | Event::CalleeEnded(_)
            | Event::Digit(..)
            | Event::Finished(_)
            | Event::Found(_)
            | Event::Advised(_)
            | Event::Fired(_) => State::Dialling(self),
        }
    }

    /// Somebody who has answered hears what it is about, or says something to it.
    fn replied(mut self: Box<Self>, name: u8, event: &Event, core: &mut Core, desk: &mut Desk<'_>) -> State {
        let one = self.tries.iter_mut().find(|one| one.name == name);
        let Some((one, whisper)) = one.and_then(|one| one.whisper.take().map(|whisper| (one, whisper)))
        else {
            return State::Dialling(self);
        };
        match whisper.handle(event, core, desk) {
            Reply::None(whisper) => {
                one.whisper = Some(whisper);
                State::Dialling(self)
            }
            Reply::Accepted => {
                self.takes(name, core, desk);
                core.checkpoint(desk);
                whispering::accepted(self.callee, core, desk)
            }
            Reply::Missed => self.failed(name, whispering::missed(), core, desk),
        }
    }

    /// Whether somebody has answered here and hears what it is about.
    fn whispers_to(&self, name: u8) -> bool {
        self.tries.iter().any(|one| one.name == name && one.whisper.is_some())
    }

    fn progress(
        mut self: Box<Self>,
        name: u8,
        progress: Progress,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        let description = core.leg_mut(Whose::Tried(name)).map(|leg| &leg.description);
        match progress {
            Progress::Trying => desk.disarm(Timer::Attempt(name)),
            Progress::Ringing => self.ring(name, core, desk),
            Progress::Progressed(sdp) => {
                let media = description.and_then(|description| description.hear_early(&sdp));
                self.ring(name, core, desk);
                self.hear_early(name, media, core, desk);
            }
            Progress::Renewed => {
                let media = description.map(Session::media);
                self.hear_early(name, media, core, desk);
            }
            Progress::Quiet if self.whispers_to(name) => {
                return self.failed(name, outcome::silent(Side::Callee), core, desk);
            }
            Progress::Quiet => core.hush_early(name, desk),
            Progress::Answered(sdp) => return self.answered(name, sdp.as_deref(), core, desk),
            Progress::Ended(ending) => return self.ended(name, ending, core, desk),
        }
        State::Dialling(self)
    }

    fn ended(self: Box<Self>, name: u8, ending: Ending, core: &mut Core, desk: &mut Desk<'_>) -> State {
        if self.whispers_to(name) {
            return self.failed(name, outcome::ending(Side::Callee, ending), core, desk);
        }
        let outcome = match ending {
            // Whoever answers and is gone before we could join them was not reached.
            Ending::HungUp { q850 } => outcome::callee(Cause::Declined, None, q850.unwrap_or(16)),
            Ending::Cancelled
            | Ending::Refused { .. }
            | Ending::Unreachable
            | Ending::NeverAcknowledged
            | Ending::Gone
            | Ending::Unrefreshed
            | Ending::Ordered => outcome::ending(Side::Callee, ending),
        };
        let rings = self.tries.iter().any(|one| one.name == name && one.rings);
        match ways_fault(ending) {
            Some(pause) if !rings => self.next_way(name, pause, outcome, core, desk),
            Some(_) | None => self.failed(name, outcome, core, desk),
        }
    }

    /// Whatever comes from there says that somebody is being called.
    fn ring(&mut self, name: u8, core: &mut Core, desk: &mut Desk<'_>) {
        let Some(one) = self.tries.iter_mut().find(|one| one.name == name) else { return };
        if std::mem::replace(&mut one.rings, true) {
            return;
        }
        let is_first = core.record.tried.iter().all(|tried| tried.rang.is_none());
        if let Some(tried) = core.tried(name) {
            tried.rang = Some(desk.now);
        }
        // It rings for a caller who is not answered yet.
        if let Some(caller) = core.caller.as_ref().filter(|_| is_first && core.record.answered.is_none()) {
            desk.leg(caller.id, LegCommand::Ring);
        }
        desk.notice(core.id(), Happening::Ringing);
        // Whoever looks at a callback sees how far it has come.
        if core.record.callback {
            core.checkpoint(desk);
        }
    }

    /// The way did not take the call: the next one, while there is one. `outcome`: what it came to if there is none.
    fn next_way(
        mut self: Box<Self>,
        name: u8,
        pause: Option<Duration>,
        outcome: Outcome,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        let Some(place) = self.tries.iter().position(|one| one.name == name) else {
            return State::Dialling(self);
        };
        let trunk = core.outgoing.iter().find(|outgoing| outgoing.name == name);
        let trunk = trunk.and_then(|outgoing| outgoing.trunk.as_deref());
        if let (Road::Trunk(way), Some(name)) = (self.tries[place].way, trunk) {
            desk.trunks.shun(desk.now, name, way.flow, pause);
        }
        if self.tries[place].left.is_empty() {
            return self.failed(name, outcome, core, desk);
        }
        let mut one = self.tries.remove(place);
        core.leave_way(name, &outcome, desk);
        match self.attempt(name, &one.whom, std::mem::take(&mut one.left), outcome, core, desk) {
            Ok((way, left)) => {
                (one.way, one.left) = (way, left);
                self.tries.insert(place, one);
                State::Dialling(self)
            }
            Err(outcome) => self.failed(name, outcome, core, desk),
        }
    }

    fn answered(
        mut self: Box<Self>,
        name: u8,
        sdp: Option<&[u8]>,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        desk.disarm(Timer::Ring(name));
        desk.disarm(Timer::Attempt(name));
        let is_known = match sdp {
            Some(sdp) => core.learn(Whose::Tried(name), sdp, desk),
            None => core.settle_early(name, desk),
        };
        core.hush_early(name, desk);
        if !is_known {
            return self.failed(name, outcome::callee(Cause::NotAcceptable, None, 88), core, desk);
        }
        if let Some(tried) = core.tried(name) {
            tried.answered = Some(desk.now);
        }
        if self.callee == Callee::First {
            core.record.answered.get_or_insert(desk.now);
        }
        if self.is_contested(core)
            && let Some(whisper) = Whisper::begin(Whose::Tried(name), self.callee, core, desk)
            && let Some(one) = self.tries.iter_mut().find(|one| one.name == name)
        {
            one.whisper = Some(whisper);
            core.checkpoint(desk);
            return State::Dialling(self);
        }
        self.takes(name, core, desk);
        core.checkpoint(desk);
        Whispering::begin(self, core, desk)
    }

    /// Whether others ring, and it is a key that takes the call.
    fn is_contested(&self, core: &Core) -> bool {
        let side = core.sides.as_deref().and_then(|sides| sides.side(self.callee));
        self.at_once && self.tries.len() > 1 && side.is_some_and(|side| side.calling.confirm)
    }

    /// They stand in their place from now on, and the others are rung no more.
    fn takes(&mut self, name: u8, core: &mut Core, desk: &mut Desk<'_>) {
        let elsewhere = outcome::ours(Cause::AnsweredElsewhere);
        for other in std::mem::take(&mut self.tries) {
            if other.name != name {
                core.leave_way(other.name, &elsewhere, desk);
                core.give_up(other.name, elsewhere, desk);
            }
        }
        core.stand(name, desk);
    }

    /// One of them is not to be had.
    fn failed(
        mut self: Box<Self>,
        name: u8,
        outcome: Outcome,
        core: &mut Core,
        desk: &mut Desk<'_>,
    ) -> State {
        let outcome = match outcome.side {
            Side::Callee => Outcome { side: Side::from(self.callee.place()), ..outcome },
            Side::Caller | Side::Us => outcome,
        };
        core.give_up(name, outcome, desk);
        self.tries.retain(|one| one.name != name);
        if self.has_more() || !self.tries.is_empty() {
            core.leave_way(name, &outcome, desk);
            return self.instead(outcome, core, desk);
        }
        core.hush(name, desk);
        core.stand(name, desk);
        if self.callee.place() == Whose::Callee {
            core.end_callee(outcome::why(&outcome), desk);
        }
        parting::begin(self.callee, outcome, core, desk)
    }

    /// The caller hears what comes from their side, where the line has it so and there is but one; `None`: there is nothing both can
    /// speak.
    fn hear_early(&self, name: u8, media: Option<rtp::Media>, core: &mut Core, desk: &mut Desk<'_>) {
        let is_only = !self.at_once && self.callee.place() == Whose::Callee && core.record.answered.is_some();
        match (core.line.early_media, media) {
            (EarlyMedia::Ours, _) => {}
            (EarlyMedia::Pass, Some(media)) if is_only => core.hear_early(name, media, desk),
            (EarlyMedia::Pass, Some(_)) => {}
            (EarlyMedia::Pass, None) => core.hush_early(name, desk),
        }
    }
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
