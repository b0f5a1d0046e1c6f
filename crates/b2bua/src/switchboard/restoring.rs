//! Calls are kept as they stand, and taken up again by the switchboard that comes after.

use std::sync::Arc;

use clock::Instant;
use ua::{LegCommand, LegId};

use super::{Place, Switchboard, ended};
use crate::call::{self, Call, Core, Leg, Span, State, Stuff};
use crate::config::Trunk;
use crate::guards;
use crate::interface::{Callee, Output, Tallied};
use crate::media::Session;
use crate::outcome;
use crate::record::{Cause, Outcome, Record};
use crate::snapshot::{BROKEN_OFF, DialogSnapshot, InviteSnapshot, Joined, MediaSnapshot, Snapshot};

/// What of a call can be taken up at all: its dialogs.
struct Dialogs {
    caller: Option<LegId>,
    callee: Option<LegId>,
    /// Of those who stand in nobody's place.
    others: Vec<LegId>,
}

impl Switchboard {
    /// Takes up a call that was going on when the node died. Two that talked talk on, if that `can_go_on`: it was not for so
    /// long that nobody is there any more. All others, and those for whom something is missing that they had, are ended on both
    /// sides, and their record says so. Before this switchboard has been given anything else.
    pub fn restore(&mut self, now: Instant, kept: Snapshot, can_go_on: bool, out: &mut Vec<Output>) {
        let Snapshot { mut record, caller, callee, inviting, hearing, callee_trunk, joined } = kept;
        if self.by_id.contains_key(&record.call) {
            return;
        }
        record.restored = record.restored.saturating_add(1);
        if record.recording.is_some() && record.recording_fault.is_none() {
            record.recording_fault = Some(BROKEN_OFF.to_owned());
        }
        let callers_trunk = Some(&*record.trunk).filter(|_| record.callback);
        let others =
            hearing.iter().filter_map(|kept| self.take_up(now, &kept.dialog, kept.trunk.as_deref(), out));
        let others = others.collect();
        let dialogs = Dialogs {
            others,
            caller: caller.as_deref().and_then(|kept| self.take_up(now, kept, callers_trunk, out)),
            callee: callee.as_deref().and_then(|kept| self.take_up(now, kept, callee_trunk.as_deref(), out)),
        };
        for invite in &inviting {
            self.take_back(now, invite, out);
        }
        self.name(&record, &dialogs, out);
        let outcome = match &joined {
            Some(joined) if can_go_on && joined.ends <= now => outcome::ours(Cause::MaxDuration),
            Some(_) | None => outcome::ours(Cause::NodeLost),
        };
        let again = joined.filter(|joined| can_go_on && joined.ends > now).and_then(|joined| {
            let span = Span { warns: joined.warns.filter(|at| *at > now), ends: joined.ends };
            let legs = [(dialogs.caller?, caller?.own), (dialogs.callee?, callee?.own)];
            Some((self.rejoin(&record, callee_trunk, *joined, legs)?, span))
        });
        match again {
            Some((place, span)) => self.tell_call(now, place, call::Input::Restored(span), out),
            None => self.give_up(now, record, &dialogs, outcome, out),
        }
        self.settle(now, out);
        self.keep(out);
    }

    /// Goes on with what was counted before the node died; what is over by then counts for nothing. Before this switchboard has been
    /// given anything else.
    pub fn remember(&mut self, tallied: Tallied) {
        self.counts.remember(tallied);
    }

    /// Says what is to be kept of the calls that have changed.
    pub(super) fn keep(&mut self, out: &mut Vec<Output>) {
        while let Some(place) = self.stale.pop() {
            self.stale.retain(|other| *other != place);
            let kept = self.calls.get(place).and_then(|call| call.snapshot(&self.agent));
            out.extend(kept.map(|kept| Output::Checkpoint(Box::new(kept))));
        }
    }

    fn take_up(
        &mut self,
        now: Instant,
        kept: &DialogSnapshot,
        trunk: Option<&str>,
        out: &mut Vec<Output>,
    ) -> Option<LegId> {
        let credentials = trunk.and_then(|name| self.trunk(name)?.credentials.clone());
        let mut said = Vec::new();
        let leg = self.agent.restore(kept, credentials.as_ref(), &mut said);
        for say in said {
            self.hear_agent(now, say, out);
        }
        leg
    }

    /// The callee is not to be rung any more.
    fn take_back(&mut self, now: Instant, invite: &InviteSnapshot, out: &mut Vec<Output>) {
        let why = outcome::why(&outcome::ours(Cause::NodeLost));
        let mut said = Vec::new();
        let _ = self.agent.withdraw(invite, why, &mut said);
        for say in said {
            self.hear_agent(now, say, out);
        }
    }

    fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.config.trunks.iter().find(|trunk| *trunk.name == *name)
    }

    /// Says whose legs these are.
    fn name(&self, record: &Record, dialogs: &Dialogs, out: &mut Vec<Output>) {
        let party = record.caller_role.map_or(Callee::Operator, |role| Callee::Party(role.other()));
        let party = if record.callback { Callee::Second } else { party };
        let callee = if record.operator_asked { Callee::Operator } else { party };
        let callers = record.callback.then_some(Callee::First);
        for (leg, callee) in [(dialogs.caller, callers), (dialogs.callee, Some(callee))] {
            out.extend(leg.map(|leg| Output::Leg { call: record.call, leg, callee }));
        }
    }

    /// The call as it was, with nothing open yet. `None`: its line, a trunk of it or a port is not there any more.
    fn rejoin(
        &mut self,
        record: &Record,
        callee_trunk: Option<Box<str>>,
        joined: Joined,
        dialogs: [(LegId, bytes::Bytes); 2],
    ) -> Option<Place> {
        let line = self.lines.get(&record.line?).cloned()?;
        let trunks = std::iter::once(&record.trunk).chain(&callee_trunk);
        if !trunks.into_iter().all(|name| self.trunk(name).is_some()) {
            return None;
        }
        let media = [joined.caller, joined.callee];
        let address = |media: &MediaSnapshot| {
            let at = self.config.media.iter().position(|address| address.local == media.local)?;
            Some((u8::try_from(at).ok()?, media.port))
        };
        let [Some(first), Some(second)] = [address(&media[0]), address(&media[1])] else { return None };
        let ports = self.ports.take_again([first, second])?;
        let config = Arc::clone(&self.config);
        let mut legs = dialogs.into_iter().zip(ports).zip(media).map(|(((leg, said), port), media)| {
            let public = config.media[usize::from(port.address)].public;
            Leg::new(leg, self.ids.session(), port, Session::restored(media, public, said))
        });
        let (caller, callee) = (legs.next(), legs.next());
        drop(legs);
        for trunk in std::iter::once(&record.trunk).chain(&callee_trunk) {
            self.trunks.take_again(trunk);
        }
        let record = Box::new(record.clone());
        let stuff = Stuff { config, line, caller, sides: None, record, hops: 0, asked: None };
        let mut core = Core::new(stuff);
        (core.callee, core.callee_trunk) = (callee, callee_trunk);
        let record = &core.record;
        let first = record.caller.filter(|_| record.callback);
        let first = first.map(|callee| guards::Leg { callee, caller: None, is_party: true });
        let is_party = !record.operator_reached;
        let caller = record.caller.filter(|_| is_party);
        let second = record.callee.map(|callee| guards::Leg { callee, caller, is_party });
        for leg in first.into_iter().chain(second) {
            core.dialled.push(self.counts.hold(leg, &self.config.guards));
        }
        Some(self.seat(Call { core, state: State::Talking }))
    }

    /// Ends what is left of a call. Nothing stays of it but its legs, which end by themselves.
    fn give_up(
        &mut self,
        now: Instant,
        mut record: Box<Record>,
        dialogs: &Dialogs,
        outcome: Outcome,
        out: &mut Vec<Output>,
    ) {
        let standing = dialogs.caller.into_iter().chain(dialogs.callee);
        for leg in standing.chain(dialogs.others.iter().copied()) {
            self.tell_agent(ua::Input::Command(leg, LegCommand::End(outcome::why(&outcome))));
        }
        for tried in record.tried.iter_mut().filter(|tried| tried.ended.is_none()) {
            (tried.ended, tried.outcome) = (Some(now), Some(outcome));
        }
        record.ended = Some(now);
        record.outcome = Some(outcome);
        ended(now, &record, out);
        out.push(Output::Record(record));
    }
}
