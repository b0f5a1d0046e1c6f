//! What a call may reach for while it handles one input.

use clock::{Instant, Timers};
use rtp::Command;
use ua::{LegCommand, LegId};

use crate::call::{Timer, Whose};
use crate::guards::Counts;
use crate::ids::Ids;
use crate::interface::{CallId, Happening, Notice, Output};
use crate::lockout::Lockouts;
use crate::ports::Ports;
use crate::trunks::Trunks;

/// A call's place in the switchboard's table.
pub(crate) type Place = usize;

/// Timers of the switchboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// One of the user agent's.
    Agent(ua::Timer),
    /// One of a call's.
    Call(Place, Timer),
    /// The relay did not say in time that a session has closed that was left.
    Left(rtp::SessionId),
}

/// What is shared by all calls, lent to one while it handles one input.
pub(crate) struct Desk<'a> {
    pub(crate) now: Instant,
    /// The call that has the desk.
    pub(crate) place: Place,
    pub(crate) ids: &'a mut Ids,
    pub(crate) ports: &'a mut Ports,
    pub(crate) lockouts: &'a mut Lockouts,
    pub(crate) counts: &'a mut Counts,
    pub(crate) timers: &'a mut Timers<Alarm>,
    pub(crate) trunks: &'a mut Trunks,
    /// Said to legs once the call has handled its input.
    pub(crate) told: &'a mut Vec<Told>,
    /// The next callee leg's name.
    pub(crate) next_leg: &'a mut dyn FnMut() -> LegId,
    pub(crate) out: &'a mut Vec<Output>,
}

/// What the switchboard does for a call once it has handled its input.
#[derive(Debug)]
pub(crate) enum Told {
    /// Tell a leg.
    Leg(LegId, LegCommand),
    /// This leg and session are this call's, and stand in this place.
    Stands(Whose, LegId, rtp::SessionId),
    /// What is kept of this call is not up to date.
    Stale,
    /// They are no more: another is called, or has answered. The port is free once the relay says that it has closed.
    Left(LegId, rtp::SessionId, rtp::Port),
}

impl Desk<'_> {
    pub(crate) fn leg(&mut self, leg: LegId, command: LegCommand) {
        self.told.push(Told::Leg(leg, command));
    }

    pub(crate) fn media(&mut self, worker: u16, command: Command) {
        self.out.push(Output::Media { worker, command });
    }

    pub(crate) fn notice(&mut self, call: CallId, what: Happening) {
        self.out.push(Output::Notice(Notice { call, at: self.now, what }));
    }

    pub(crate) fn arm(&mut self, timer: Timer, after: std::time::Duration) {
        self.timers.arm(self.now, Alarm::Call(self.place, timer), after);
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.timers.disarm(Alarm::Call(self.place, timer));
    }
}
