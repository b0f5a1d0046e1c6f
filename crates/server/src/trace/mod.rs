//! The SIP messages of the last calls, kept in a bounded memory: whoever looks for why a call went as it did reads them
//! there. They are kept as they were; what leaves goes through [`Shown`], which cuts and masks.

mod homer;
mod plain;
mod shown;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use api::TraceLeg;
use b2bua::{CallId, Callee, LegId, Verification};
use bytes::Bytes;
use clock::Instant;
use number::Number;
use sip::{Flow, Transport};

pub(crate) use homer::{Ear, Homer, Told, ear, run as tell_homer};
pub(crate) use shown::Shown;

/// Octets kept of one call at most; the oldest messages go first.
const OCTETS: usize = 256 * 1024;
/// Messages kept of legs that are no call's yet: an INVITE and our 100, before it is known which call that is.
const EARLY: usize = 64;

/// `[trace]`: what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Calls; none where nothing is to be kept.
    pub(crate) calls: usize,
    /// Messages of one call.
    pub(crate) messages: usize,
    /// How long after its end a call is kept.
    pub(crate) keep: Duration,
}

/// A message as it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) leg: TraceLeg,
    pub(crate) incoming: bool,
    pub(crate) transport: Transport,
    pub(crate) ours: SocketAddr,
    pub(crate) theirs: SocketAddr,
    pub(crate) bytes: Bytes,
}

/// What is kept of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) messages: VecDeque<Seen>,
    /// Messages that went to make room for later ones.
    pub(crate) lost: u64,
    /// What became of verifying who calls.
    pub(crate) identity: Option<Verification>,
    octets: usize,
    legs: Vec<LegId>,
    callees: u8,
    ended: Option<Instant>,
}

impl Kept {
    fn add(&mut self, seen: Seen, limits: Limits) {
        self.octets += seen.bytes.len();
        self.messages.push_back(seen);
        while self.messages.len() > limits.messages || self.octets > OCTETS {
            let Some(gone) = self.messages.pop_front() else { return };
            self.octets -= gone.bytes.len();
            self.lost += 1;
        }
    }
}

/// All that is kept.
#[derive(Debug)]
pub(crate) struct Trace {
    limits: Limits,
    /// Our listeners as peers see them, in the order `Flow::listener` counts them.
    ours: Vec<SocketAddr>,
    /// Oldest first: a call's id sorts by its arrival.
    calls: BTreeMap<CallId, Kept>,
    legs: HashMap<LegId, (CallId, TraceLeg)>,
    early: VecDeque<(LegId, Seen)>,
    /// Calls that are over, in the order of their ends.
    ended: VecDeque<(Instant, CallId)>,
    /// Who is told of each message besides.
    ear: Option<Ear>,
}

impl Trace {
    pub(crate) fn new(limits: Limits, ours: Vec<SocketAddr>, ear: Option<Ear>) -> Self {
        Self {
            ear,
            limits,
            ours,
            calls: BTreeMap::new(),
            legs: HashMap::new(),
            early: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    /// Whether anything is kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.limits.calls > 0 && self.limits.messages > 0
    }

    /// This leg is of this call.
    pub(crate) fn belongs(&mut self, leg: LegId, call: CallId, callee: Option<Callee>) {
        if !self.is_on() {
            return;
        }
        let kept = self.calls.entry(call).or_default();
        let who = match callee {
            None => TraceLeg::Caller,
            Some(Callee::Operator) => TraceLeg::Operator,
            Some(Callee::Party(_) | Callee::Fallback | Callee::Named | Callee::First | Callee::Second) => {
                kept.callees = kept.callees.saturating_add(1);
                TraceLeg::Callee(kept.callees)
            }
        };
        kept.legs.push(leg);
        let (waiting, others) = self.early.drain(..).partition(|(other, _)| *other == leg);
        self.early = others;
        let waiting: VecDeque<(LegId, Seen)> = waiting;
        for (_, seen) in waiting {
            let seen = Seen { leg: who, ..seen };
            if let Some(ear) = &self.ear {
                ear.tell(call, &seen);
            }
            kept.add(seen, self.limits);
        }
        self.legs.insert(leg, (call, who));
        if self.calls.len() > self.limits.calls
            && let Some((_, oldest)) = self.calls.pop_first()
        {
            self.forget_legs(&oldest);
            if oldest.ended.is_some() {
                self.ended.retain(|(_, call)| self.calls.contains_key(call));
            }
        }
    }

    /// A message of this leg came.
    pub(crate) fn heard(&mut self, leg: LegId, at: Instant, flow: Flow, bytes: &Bytes) {
        // What came over a connection is a part of a larger buffer, which is not to be kept for it.
        self.add(leg, at, flow, true, || Bytes::copy_from_slice(bytes));
    }

    /// A message of this leg goes.
    pub(crate) fn sent(&mut self, leg: LegId, at: Instant, flow: Flow, bytes: &Bytes) {
        self.add(leg, at, flow, false, || bytes.clone());
    }

    fn add(&mut self, leg: LegId, at: Instant, flow: Flow, incoming: bool, bytes: impl FnOnce() -> Bytes) {
        let Some(ours) = self.ours.get(usize::from(flow.listener)).copied().filter(|_| self.is_on()) else {
            return;
        };
        let (transport, theirs) = (flow.transport, flow.peer);
        let seen = |who, bytes| Seen { at, leg: who, incoming, transport, ours, theirs, bytes };
        if let Some((call, who)) = self.legs.get(&leg) {
            if let Some(kept) = self.calls.get_mut(call) {
                let seen = seen(*who, bytes());
                if let Some(ear) = &self.ear {
                    ear.tell(*call, &seen);
                }
                kept.add(seen, self.limits);
            }
        } else {
            if self.early.len() == EARLY {
                self.early.pop_front();
            }
            self.early.push_back((leg, seen(TraceLeg::Caller, bytes())));
        }
    }

    /// What is known of who calls.
    pub(crate) fn verified(&mut self, call: CallId, identity: Option<Verification>) {
        if let Some(kept) = self.calls.get_mut(&call) {
            kept.identity = identity;
        }
    }

    /// A call is over. What its legs still say is kept with it.
    pub(crate) fn over(&mut self, call: CallId, at: Instant) {
        if let Some(kept) = self.calls.get_mut(&call) {
            kept.ended = Some(at);
            self.ended.push_back((at, call));
        }
    }

    /// When there will be something to forget.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.ended.front().map(|(at, _)| *at + self.limits.keep)
    }

    /// Forgets what has been kept for long enough, and what has become no call's by the end of a turn: it will not.
    pub(crate) fn forget(&mut self, now: Instant) {
        self.early.clear();
        while self.due().is_some_and(|due| due <= now)
            && let Some((_, call)) = self.ended.pop_front()
        {
            if let Some(gone) = self.calls.remove(&call) {
                self.forget_legs(&gone);
            }
        }
    }

    /// Forgets the calls in which a number stands, but for those that go on: they are told, and what was forgotten is counted.
    pub(crate) fn erase(&mut self, number: Number) -> (u64, Vec<CallId>) {
        const NATIONAL: usize = 9;
        let own = number.as_u64().to_string();
        // As it is dialled at home it stands there without its country.
        let end = &own.as_bytes()[own.len().saturating_sub(NATIONAL)..];
        let tells = |kept: &Kept| {
            let mut octets = kept.messages.iter().map(|seen| &seen.bytes);
            octets.any(|bytes| bytes.windows(end.len()).any(|window| window == end))
        };
        let theirs: Vec<CallId> =
            self.calls.iter().filter(|(_, kept)| tells(kept)).map(|(call, _)| *call).collect();
        let (mut gone, mut running) = (0, Vec::new());
        for call in theirs {
            if self.calls.get(&call).is_some_and(|kept| kept.ended.is_none()) {
                running.push(call);
            } else if let Some(kept) = self.calls.remove(&call) {
                self.forget_legs(&kept);
                gone += 1;
            }
        }
        self.ended.retain(|(_, call)| self.calls.contains_key(call));
        (gone, running)
    }

    /// What is kept of a call; nothing where there never was one or it is long over.
    pub(crate) fn of(&self, call: CallId) -> Option<Kept> {
        self.calls.get(&call).cloned()
    }

    fn forget_legs(&mut self, kept: &Kept) {
        for leg in &kept.legs {
            self.legs.remove(leg);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use b2bua::Role;

    const PARTY: Option<Callee> = Some(Callee::Party(Role::Client));

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    fn flow() -> Flow {
        let peer = "198.51.100.7:5060".parse().unwrap();
        Flow { listener: 0, transport: Transport::Udp, peer, connection: None }
    }

    fn trace(calls: usize, messages: usize) -> Trace {
        let limits = Limits { calls, messages, keep: Duration::from_secs(60) };
        Trace::new(limits, vec!["192.0.2.1:5060".parse().unwrap()], None)
    }

    fn words(trace: &Trace, call: u128) -> Vec<(TraceLeg, bool, String)> {
        let kept = trace.of(CallId(call)).expect("kept");
        let word = |seen: &Seen| String::from_utf8(seen.bytes.to_vec()).unwrap();
        kept.messages.iter().map(|seen| (seen.leg, seen.incoming, word(seen))).collect()
    }

    fn hear(trace: &mut Trace, leg: u64, text: &'static str) {
        trace.heard(LegId(leg), at(0), flow(), &Bytes::from_static(text.as_bytes()));
    }

    fn send(trace: &mut Trace, leg: u64, text: &'static str) {
        trace.sent(LegId(leg), at(0), flow(), &Bytes::from_static(text.as_bytes()));
    }

    #[test]
    fn messages_of_all_legs_stand_in_order_also_those_before_the_call_and_after_its_end() {
        let mut trace = trace(10, 10);
        hear(&mut trace, 1, "invite");
        hear(&mut trace, 9, "of another");
        send(&mut trace, 1, "trying");
        trace.belongs(LegId(1), CallId(7), None);
        for (leg, callee) in [(2, PARTY), (3, PARTY), (4, Some(Callee::Operator))] {
            trace.belongs(LegId(leg), CallId(7), callee);
            send(&mut trace, leg, "call");
        }
        trace.over(CallId(7), at(0));
        hear(&mut trace, 1, "ok");
        let told = words(&trace, 7);
        let told: Vec<_> = told.iter().map(|(leg, came, word)| (*leg, *came, word.as_str())).collect();
        assert_eq!(
            told,
            [
                (TraceLeg::Caller, true, "invite"),
                (TraceLeg::Caller, false, "trying"),
                (TraceLeg::Callee(1), false, "call"),
                (TraceLeg::Callee(2), false, "call"),
                (TraceLeg::Operator, false, "call"),
                (TraceLeg::Caller, true, "ok"),
            ]
        );
        let kept = trace.of(CallId(7)).unwrap();
        assert_eq!((kept.messages[0].ours, kept.lost), ("192.0.2.1:5060".parse().unwrap(), 0));
    }

    #[test]
    fn the_oldest_calls_messages_and_octets_go_first() {
        let mut trace = trace(2, 3);
        for call in 1..=3_u8 {
            trace.belongs(LegId(call.into()), CallId(call.into()), None);
        }
        assert_eq!((trace.of(CallId(1)), trace.calls.len(), trace.legs.len()), (None, 2, 2));
        trace.over(CallId(2), at(1));
        trace.over(CallId(1), at(2));
        trace.belongs(LegId(4), CallId(4), None);
        assert_eq!((trace.of(CallId(2)), trace.ended.len()), (None, 0));
        let mut trace = self::trace(2, 3);
        trace.belongs(LegId(2), CallId(2), None);
        trace.belongs(LegId(3), CallId(3), None);
        for text in ["a", "b", "c", "d"] {
            hear(&mut trace, 2, text);
        }
        assert_eq!(words(&trace, 2).iter().map(|(_, _, word)| word.as_str()).collect::<String>(), "bcd");
        assert_eq!(trace.of(CallId(2)).unwrap().lost, 1);
        let long = Bytes::from(vec![b'x'; OCTETS / 2]);
        for _ in 0..3 {
            trace.heard(LegId(3), at(0), flow(), &long);
        }
        let kept = trace.of(CallId(3)).unwrap();
        assert_eq!((kept.messages.len(), kept.octets, kept.lost), (2, OCTETS, 1));
        for leg in 100..1000 {
            hear(&mut trace, leg, "a leg that becomes no call's");
        }
        assert_eq!(trace.early.len(), EARLY);
        trace.forget(at(0));
        assert_eq!(trace.early.len(), 0);
    }

    #[test]
    fn a_call_is_kept_for_a_while_after_its_end() {
        let mut trace = trace(10, 10);
        trace.belongs(LegId(1), CallId(1), None);
        trace.belongs(LegId(2), CallId(2), None);
        assert_eq!(trace.due(), None);
        trace.over(CallId(1), at(5));
        assert_eq!(trace.due(), Some(at(65)));
        trace.forget(at(64));
        assert!(trace.of(CallId(1)).is_some());
        trace.forget(at(65));
        assert_eq!((trace.of(CallId(1)), trace.due()), (None, None));
        assert!(trace.of(CallId(2)).is_some(), "it still runs");
        assert_eq!(trace.legs.len(), 1);
    }

    #[test]
    fn what_tells_an_erased_number_is_forgotten_and_what_goes_on_is_told() {
        let mut trace = trace(10, 10);
        for (leg, text) in [
            (1, "INVITE sip:+74951234567@x\r\nFrom: <sip:89991112233@y>"),
            (2, "INVITE sip:+79991112234@x"),
            (3, "INVITE sip:+79991112233@x"),
        ] {
            trace.belongs(LegId(leg), CallId(u128::from(leg)), None);
            hear(&mut trace, leg, text);
        }
        trace.over(CallId(1), at(1));
        trace.over(CallId(2), at(2));
        let number = Number::parse("+79991112233").unwrap();
        assert_eq!(trace.erase(number), (1, vec![CallId(3)]));
        assert!(trace.of(CallId(1)).is_none() && trace.of(CallId(2)).is_some());
        assert_eq!((trace.legs.len(), trace.due()), (2, Some(at(62))));
        trace.over(CallId(3), at(3));
        assert_eq!(trace.erase(number), (1, vec![]));
        assert_eq!(trace.erase(number), (0, vec![]));
    }

    #[test]
    fn turned_off_it_keeps_nothing() {
        for mut trace in [trace(0, 10), trace(10, 0)] {
            hear(&mut trace, 1, "invite");
            trace.belongs(LegId(1), CallId(1), None);
            send(&mut trace, 1, "trying");
            assert_eq!((trace.of(CallId(1)), trace.early.len(), trace.legs.len()), (None, 0, 0));
        }
    }
}
