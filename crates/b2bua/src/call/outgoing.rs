//! Those who are being called: each has a leg that stands in nobody's place until it has answered.

use bytes::Bytes;
use ua::{Ending, LegCommand, LegEvent};

use super::leg::Hold;
use super::{Core, Leg, Timer, Whose};
use crate::desk::{Desk, Told};
use crate::outcome;
use crate::record::{Outcome, Side, Tried};

/// Numbers called in one call: each has its place in the record, which has an end, and a hook could ask for more and more. Both sides
/// of a callback are fewer.
const MOST_TRIED: usize = 12;

/// One who is being called.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The place in `Record::tried`.
    pub(crate) name: u8,
    /// In whose place it will stand.
    pub(crate) place: Whose,
    pub(crate) leg: Leg,
    /// The trunk it goes by, where it has taken a place there.
    pub(crate) trunk: Option<Box<str>>,
}

/// What becomes of somebody who is being called.
#[derive(Debug)]
pub(crate) enum Progress {
    Trying,
    Ringing,
    /// Their side described a session before the answer.
    Progressed(Bytes),
    /// It described another, which was answered.
    Renewed,
    /// Nothing came from there for long.
    Quiet,
    Answered(Option<Bytes>),
    Ended(Ending),
}

impl Progress {
    /// What a leg says, as far as it concerns whoever dials.
    pub(crate) fn of(event: LegEvent) -> Option<Self> {
        match event {
            LegEvent::Trying => Some(Self::Trying),
            LegEvent::Ringing => Some(Self::Ringing),
            LegEvent::Progressed { sdp } => Some(Self::Progressed(sdp)),
            LegEvent::Answered { sdp } => Some(Self::Answered(sdp)),
            LegEvent::Ended(ending) => Some(Self::Ended(ending)),
            LegEvent::Offered(_)
            | LegEvent::Reoffered { .. }
            | LegEvent::Confirmed { .. }
            | LegEvent::Digit(_) => None,
        }
    }
}

impl Core {
    /// Somebody is called by this leg.
    pub(crate) fn call(&mut self, outgoing: Outgoing, desk: &mut Desk<'_>) {
        let (name, leg, session) = (outgoing.name, outgoing.leg.id, outgoing.leg.session);
        self.outgoing.push(outgoing);
        desk.told.push(Told::Stands(Whose::Tried(name), leg, session));
    }

    /// Somebody who was called stands in the caller's or the callee's place from now on, whether or not they answered.
    pub(crate) fn stand(&mut self, name: u8, desk: &mut Desk<'_>) {
        let Some(outgoing) = self.take(name, desk) else { return };
        let Outgoing { place, leg, trunk, .. } = outgoing;
        desk.told.push(Told::Stands(place, leg.id, leg.session));
        let number = self.tried(name).and_then(|tried| tried.number);
        match place {
            Whose::Caller => {
                self.record.trunk = trunk.unwrap_or_default();
                self.record.caller = number;
                self.caller = Some(leg);
            }
            Whose::Callee | Whose::Tried(_) => {
                self.record.callee_trunk.clone_from(&trunk);
                self.record.callee = number;
                self.callee_trunk = trunk;
                self.callee = Some(leg);
            }
        }
    }

    /// Leaves the way to somebody that is being tried: the leg ends by itself, and its media.
    pub(crate) fn leave_way(&mut self, name: u8, outcome: &Outcome, desk: &mut Desk<'_>) {
        let Some(mut outgoing) = self.take(name, desk) else { return };
        part(&mut outgoing.leg, self.caller.as_ref(), desk);
        leave(outgoing.leg, outgoing.trunk, outcome, desk);
    }

    /// Whoever stands there is not to be had after all, and others are called: what `leave_way` is to one who did not answer.
    pub(crate) fn vacate(&mut self, place: Whose, outcome: &Outcome, desk: &mut Desk<'_>) {
        desk.disarm(Timer::Play(place));
        let (leg, trunk) = match place {
            Whose::Caller => (self.caller.take(), Some(std::mem::take(&mut self.record.trunk))),
            Whose::Callee | Whose::Tried(_) => (self.callee.take(), self.callee_trunk.take()),
        };
        if let Some(leg) = leg {
            leave(leg, trunk.filter(|name| !name.is_empty()), outcome, desk);
        }
    }

    /// Nobody is called any more. The last stands where it was to, so that the record has what its media was like.
    pub(crate) fn leave_all(&mut self, outcome: &Outcome, desk: &mut Desk<'_>) {
        if let Some(last) = self.outgoing.last() {
            let (name, place) = (last.name, last.place);
            let is_free = match place {
                Whose::Caller => self.caller.is_none(),
                Whose::Callee | Whose::Tried(_) => self.callee.is_none(),
            };
            if is_free {
                self.hush(name, desk);
                self.stand(name, desk);
            }
        }
        while let Some(name) = self.outgoing.last().map(|outgoing| outgoing.name) {
            self.leave_way(name, outcome, desk);
        }
    }

    /// The caller does not hear their side any more. `false`: it did not before.
    pub(crate) fn hush(&mut self, name: u8, desk: &mut Desk<'_>) -> bool {
        let outgoing = self.outgoing.iter_mut().find(|outgoing| outgoing.name == name);
        outgoing.is_some_and(|outgoing| part(&mut outgoing.leg, self.caller.as_ref(), desk))
    }

    /// What is noted of a number that was called.
    pub(crate) fn tried(&mut self, name: u8) -> Option<&mut Tried> {
        self.record.tried.get_mut(usize::from(name))
    }

    /// Whose session may change before they have answered, as far as this is somebody's who is being called.
    pub(crate) fn early(&self, whose: Whose) -> Option<u8> {
        let Whose::Tried(name) = whose else { return None };
        let tried = self.record.tried.get(usize::from(name));
        tried.is_none_or(|tried| tried.answered.is_none()).then_some(name)
    }

    /// In whose place somebody stands, or will.
    pub(crate) fn place_of(&self, whose: Whose) -> Whose {
        let outgoing = self.outgoing.iter().find(|outgoing| Whose::Tried(outgoing.name) == whose);
        outgoing.map_or(whose, |outgoing| outgoing.place)
    }

    /// Notes a number that is called now; `None`: there were as many as one call may have.
    pub(crate) fn try_number(
        &mut self,
        place: Whose,
        number: Option<number::Number>,
        desk: &Desk<'_>,
    ) -> Option<u8> {
        let name = Some(self.record.tried.len()).filter(|tried| *tried < MOST_TRIED)?;
        let name = u8::try_from(name).expect("so few fit");
        self.record.tried.push(Tried {
            side: Side::from(place),
            number,
            dialled: desk.now,
            rang: None,
            answered: None,
            ended: None,
            outcome: None,
        });
        Some(name)
    }

    /// Notes that it is over with a number.
    pub(crate) fn give_up(&mut self, name: u8, outcome: Outcome, desk: &Desk<'_>) {
        if let Some(tried) = self.tried(name).filter(|tried| tried.ended.is_none()) {
            tried.ended = Some(desk.now);
            tried.outcome = Some(outcome);
        }
    }

    /// Notes that it is over with whoever stands there.
    pub(crate) fn give_up_standing(&mut self, place: Whose, outcome: Outcome, desk: &Desk<'_>) {
        let side = Side::from(place);
        let stands = |tried: &Tried| tried.side == side && tried.answered.is_some() && tried.ended.is_none();
        if let Some(name) = self.record.tried.iter().position(stands) {
            self.give_up(u8::try_from(name).unwrap_or(u8::MAX), outcome, desk);
        }
    }

    fn take(&mut self, name: u8, desk: &mut Desk<'_>) -> Option<Outgoing> {
        desk.disarm(Timer::Ring(name));
        desk.disarm(Timer::Attempt(name));
        let whose = Whose::Tried(name);
        for timer in [Timer::Play(whose), Timer::Confirm(whose), Timer::Refusal(whose)] {
            desk.disarm(timer);
        }
        let place = self.outgoing.iter().position(|outgoing| outgoing.name == name)?;
        Some(self.outgoing.remove(place))
    }
}

/// Ends a leg and its media; the call goes on.
fn leave(mut leg: Leg, trunk: Option<Box<str>>, outcome: &Outcome, desk: &mut Desk<'_>) {
    if std::mem::take(&mut leg.up) {
        desk.leg(leg.id, LegCommand::End(outcome::why(outcome)));
    }
    leg.release(desk);
    if leg.hold == Hold::Closing {
        desk.told.push(Told::Left(leg.id, leg.session, leg.port));
    }
    if let Some(trunk) = trunk {
        desk.trunks.give(&trunk);
    }
}

/// The caller hears nothing of this leg's side any more. `false`: it did not before.
fn part(leg: &mut Leg, caller: Option<&Leg>, desk: &mut Desk<'_>) -> bool {
    let was_heard = std::mem::take(&mut leg.heard_early);
    if let (true, Some(caller)) = (was_heard, caller) {
        let unbridge = rtp::Command::Unbridge { first: caller.session, second: leg.session };
        desk.media(caller.port.worker, unbridge);
    }
    was_heard
}
