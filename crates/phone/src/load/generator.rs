//! The carrier itself: what it says by itself, and what it answers.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Message, Method, Request, Response};

use super::call::{self, Asked, Call, PATIENCE, Said, Stage, T1, T2};
use super::sockets::{Sockets, Which};
use super::text::{self, Party};
use super::{Load, Outcome, Progress};

/// How long a call may take for one step before it counts as failed.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// Between one key and the next.
const KEY_PAUSE: Duration = Duration::from_millis(50);
/// A packet of the caller's until one comes through to the callee.
const PACKET: Duration = Duration::from_millis(20);
/// Between one look of who watches and the next.
const WATCH: Duration = Duration::from_millis(100);

/// What a call does by itself.
#[derive(Debug, Clone, Copy)]
enum Due {
    AskAgain(usize, Asked),
    AnswerAgain(usize),
    Key(usize),
    Packet(usize),
    HangUp(usize),
    Expire(usize, Stage),
    /// Whatever the server still says of it, it is over.
    Leave(usize),
    Forget(usize),
}

pub(super) struct Generator<'a> {
    load: &'a Load,
    party: Party,
    sockets: Sockets,
    /// Those that are not over, and those that were not long ago.
    calls: HashMap<usize, Call>,
    by_callee: HashMap<String, usize>,
    /// Calls that wait for their callee's INVITE, by order, oldest first.
    dialling: HashMap<usize, VecDeque<usize>>,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    placed: usize,
    open: usize,
    joined: usize,
    first: Option<Instant>,
    outcome: Outcome,
}

impl<'a> Generator<'a> {
    pub(super) fn new(load: &'a Load) -> io::Result<Self> {
        let sockets = Sockets::bind(load)?;
        Ok(Self {
            load,
            party: Party::of(load, &sockets),
            sockets,
            calls: HashMap::new(),
            by_callee: HashMap::new(),
            dialling: HashMap::new(),
            due: BTreeMap::new(),
            sequence: 0,
            placed: 0,
            open: 0,
            joined: 0,
            first: None,
            outcome: Outcome::default(),
        })
    }

    pub(super) fn run(mut self, watch: &mut dyn FnMut(Progress) -> ControlFlow<()>) -> io::Result<Outcome> {
        let began = Instant::now();
        let mut watched = began;
        let mut ended = None;
        let apart = Duration::from_secs_f64(1.0 / self.load.rate.max(0.001));
        let start = |placed: usize| began + apart * u32::try_from(placed).unwrap_or(u32::MAX);
        loop {
            let now = Instant::now();
            while self.placed < self.load.calls && start(self.placed) <= now {
                self.place(now);
            }
            while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
                let due = entry.remove();
                self.perform(now, due);
            }
            self.listen(now);
            let over = self.placed == self.load.calls && self.open == 0;
            if over && ended.is_none() {
                ended = Some(now);
            }
            if over || now - watched > WATCH {
                watched = now;
                let (elapsed, placed, joined) = (now - began, self.placed, self.joined);
                let enough = watch(Progress { elapsed, placed, joined, over });
                if over && enough.is_break() {
                    break;
                }
            }
            let next = self.due.keys().next().map(|(at, _)| *at);
            let start = (self.placed < self.load.calls).then(|| start(self.placed));
            let wake = next.into_iter().chain(start).min().unwrap_or(now + PACKET);
            self.sockets.wait(wake.saturating_duration_since(Instant::now()).min(PACKET))?;
        }
        self.outcome.took = ended.map_or(Duration::ZERO, |ended| ended - began);
        self.outcome.placed = self.placed;
        self.outcome.thrown_away = self.sockets.thrown_away();
        Ok(self.outcome)
    }

    fn later(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    fn ask(&mut self, now: Instant, place: usize, asked: Asked, request: Bytes) {
        self.sockets.send(Which::CallerSip, self.load.server, &request);
        if let Some(call) = self.calls.get_mut(&place) {
            call.waiting = Some((asked, Said::new(request, now)));
            self.later(now + T1, Due::AskAgain(place, asked));
        }
    }

    fn place(&mut self, now: Instant) {
        let place = self.placed;
        let (caller, code) = &self.load.orders[place % self.load.orders.len()];
        let invite = self.party.invite(place, caller);
        self.outcome.placing = now - *self.first.get_or_insert(now);
        self.placed += 1;
        self.open += 1;
        self.calls.insert(place, Call::new(now, code.clone()));
        self.ask(now, place, Asked::Invite, invite);
        self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Calling));
    }

    fn perform(&mut self, now: Instant, due: Due) {
        match due {
            Due::AskAgain(place, asked) => self.ask_again(now, place, asked),
            Due::AnswerAgain(place) => self.answer_again(now, place),
            Due::Key(place) => self.key(now, place),
            Due::Packet(place) => self.packet(now, place),
            Due::HangUp(place) => self.hang_up(now, place),
            Due::Expire(place, stage) => {
                if self.calls.get(&place).is_some_and(|call| call.stage == stage) {
                    self.fail(now, place, stage.name());
                }
            }
            Due::Leave(place) => self.over(now, place),
            Due::Forget(place) => {
                if let Some(call) = self.calls.remove(&place) {
                    self.by_callee.remove(&call.callee_id);
                }
                let order = place % self.load.orders.len();
                if let Some(waiting) = self.dialling.get_mut(&order) {
                    waiting.retain(|other| *other != place);
                    if waiting.is_empty() {
                        self.dialling.remove(&order);
                    }
                }
            }
        }
    }

    fn ask_again(&mut self, now: Instant, place: usize, asked: Asked) {
        let Some(call) = self.calls.get_mut(&place) else { return };
        let Some((_, said)) = call.waiting.as_mut().filter(|(waiting, _)| *waiting == asked) else { return };
        let most = if asked == Asked::Invite { PATIENCE } else { T2 };
        if let Some(pause) = said.pause(now, most) {
            self.sockets.send(Which::CallerSip, self.load.server, &said.bytes);
            self.outcome.retransmissions += 1;
            self.later(now + pause, Due::AskAgain(place, asked));
        } else {
            call.waiting = None;
        }
    }

    fn answer_again(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get_mut(&place) else { return };
        let Some(said) = &mut call.answer else { return };
        if let Some(pause) = said.pause(now, T2) {
            self.sockets.send(Which::CalleeSip, self.load.server, &said.bytes);
            self.outcome.retransmissions += 1;
            self.later(now + pause, Due::AnswerAgain(place));
        } else {
            call.answer = None;
        }
    }

    fn hang_up(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| call.stage == Stage::Joined) else {
            return;
        };
        self.joined -= 1;
        call.stage = Stage::Ending;
        let bye = self.party.in_dialog("BYE", place, 2, call);
        self.ask(now, place, Asked::Bye, bye);
        self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Ending));
    }

    /// Counts a call as failed, and takes down what is up of it.
    fn fail(&mut self, now: Instant, place: usize, why: &str) {
        let Some(call) = self.calls.get_mut(&place) else { return };
        if matches!(call.stage, Stage::Leaving | Stage::Over) {
            return;
        }
        *self.outcome.failed.entry(why.to_owned()).or_default() += 1;
        if call.stage == Stage::Joined {
            self.joined -= 1;
        }
        let before = std::mem::replace(&mut call.stage, Stage::Leaving);
        let up = call.is_up();
        let (asks, provisional) = (before != Stage::Ending, call.provisional);
        if call.bye_answered {
            self.over(now, place);
            return;
        }
        self.later(now + PATIENCE, Due::Leave(place));
        if up && asks {
            let bye = self.party.in_dialog("BYE", place, 2, &self.calls[&place]);
            self.ask(now, place, Asked::Bye, bye);
        } else if !up && provisional {
            self.cancel(now, place);
        }
    }

    fn cancel(&mut self, now: Instant, place: usize) {
        let cancel = self.party.of_invite("CANCEL", place, None);
        self.ask(now, place, Asked::Cancel, cancel);
    }

    /// Nothing more is expected of it. For a while it still answers for itself.
    fn over(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| call.stage != Stage::Over) else { return };
        call.stage = Stage::Over;
        call.waiting = None;
        self.open -= 1;
        self.later(now + PATIENCE, Due::Forget(place));
    }

    fn key(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get_mut(&place).filter(|call| call.stage == Stage::Keying) else {
            return;
        };
        let (Some(to), Some(key)) = (call.caller_media, call.code.as_bytes().get(call.keyed).copied()) else {
            return;
        };
        for packet in call.press(key - b'0') {
            self.sockets.send(Which::CallerMedia, to, &packet);
        }
        call.keyed += 1;
        if call.keyed < call.code.len() {
            self.later(now + KEY_PAUSE, Due::Key(place));
        } else {
            call.keyed_at = now;
            call.stage = Stage::Dialling;
            self.dialling.entry(place % self.load.orders.len()).or_default().push_back(place);
            self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Dialling));
        }
    }

    /// Before they are joined the caller's packets feel for the way; afterwards they are the media.
    fn packet(&mut self, now: Instant, place: usize) {
        let media = self.load.media;
        let Some(call) = self.calls.get_mut(&place) else { return };
        let feels = call.stage == Stage::Answered;
        if !(feels || media && call.stage == Stage::Joined) {
            return;
        }
        if let Some(to) = call.caller_media {
            self.sockets.send(Which::CallerMedia, to, &call.voice(place));
        }
        if let (Some(to), false) = (call.callee_media, feels) {
            self.sockets.send(Which::CalleeMedia, to, &call.voice(place));
        }
        self.later(now + PACKET, Due::Packet(place));
    }

    fn listen(&mut self, now: Instant) {
        while let Some((which, from, bytes)) = self.sockets.take() {
            match which {
                Which::CallerSip | Which::CalleeSip => self.message(now, which, from, bytes),
                Which::CalleeMedia => self.heard(now, &bytes),
                Which::CallerMedia => {
                    self.outcome.packets += 1;
                    if let Some(call) = call::place_in(&bytes).and_then(|place| self.calls.get_mut(&place)) {
                        call.hears(now, true);
                    }
                }
            }
        }
    }

    /// The callee hears the caller: the two are joined.
    fn heard(&mut self, now: Instant, bytes: &[u8]) {
        self.outcome.packets += 1;
        let Some(place) = call::place_in(bytes) else { return };
        let Some(call) = self.calls.get_mut(&place) else { return };
        call.hears(now, false);
        if call.stage != Stage::Answered {
            return;
        }
        call.stage = Stage::Joined;
        self.joined += 1;
        self.outcome.most_joined = self.outcome.most_joined.max(self.joined);
        self.later(now + self.load.hold, Due::HangUp(place));
    }

    fn message(&mut self, now: Instant, which: Which, from: SocketAddr, bytes: Bytes) {
        match sip::parse(bytes) {
            Ok(Message::Response(response)) => self.response(now, &response),
            Ok(Message::Request(request)) => self.request(now, which, from, &request),
            Err(_) => *self.outcome.failed.entry("unreadable".to_owned()).or_default() += 1,
        }
    }

    fn response(&mut self, now: Instant, response: &Response) {
        let headers = response.headers();
        let Some(place) = text::place_of(headers.call_id()) else { return };
        let status = response.status().code();
        let cseq = headers.cseq();
        let method = &cseq.method;
        if *method == Method::Invite {
            match status {
                ..200 => self.provisional(now, place),
                200..300 => self.answered(now, place, response),
                300.. => {
                    let ack = self.party.of_invite("ACK", place, headers.first(sip::Name::To));
                    self.sockets.send(Which::CallerSip, self.load.server, &ack);
                    self.fail(now, place, &format!("refused with {status}"));
                    self.over(now, place);
                }
            }
        } else if status >= 200 && *method == Method::Cancel {
            self.settle(place, Asked::Cancel);
        } else if status >= 200 && *method == Method::Bye {
            self.settle(place, Asked::Bye);
            if let Some(call) = self.calls.get_mut(&place) {
                call.bye_answered = true;
                self.end(now, place);
            }
        }
    }

    /// A request has its answer.
    fn settle(&mut self, place: usize, asked: Asked) {
        if let Some(call) = self.calls.get_mut(&place)
            && call.waiting.as_ref().is_some_and(|(waiting, _)| *waiting == asked)
        {
            call.waiting = None;
        }
    }

    /// A provisional response stops the INVITE's retransmission (RFC 3261 §17.1.1.2).
    fn provisional(&mut self, now: Instant, place: usize) {
        self.settle(place, Asked::Invite);
        let Some(call) = self.calls.get_mut(&place) else { return };
        let first = !std::mem::replace(&mut call.provisional, true);
        if first && call.stage == Stage::Leaving && !call.is_up() {
            self.cancel(now, place);
        }
    }

    fn answered(&mut self, now: Instant, place: usize, response: &Response) {
        self.settle(place, Asked::Invite);
        let Some(call) = self.calls.get_mut(&place) else { return };
        let first = !call.is_up();
        if first {
            call.learn(response);
        }
        let stage = call.stage;
        let ack = self.party.in_dialog("ACK", place, 1, call);
        self.sockets.send(Which::CallerSip, self.load.server, &ack);
        if first && stage == Stage::Calling {
            call.stage = Stage::Keying;
            self.outcome.answer_delays.add(now - call.began);
            self.later(now + self.load.think, Due::Key(place));
            let late = now + self.load.think + STEP_WITHIN;
            self.later(late, Due::Expire(place, Stage::Keying));
        } else if first && stage == Stage::Leaving {
            let bye = self.party.in_dialog("BYE", place, 2, call);
            self.ask(now, place, Asked::Bye, bye);
        }
    }

    fn request(&mut self, now: Instant, which: Which, from: SocketAddr, request: &Request) {
        let (call_id, method) = (request.headers().call_id(), request.method());
        if *method == Method::Invite {
            self.invited(now, from, request);
        } else if *method == Method::Ack {
            let Some(place) = self.by_callee.get(call_id).copied() else { return };
            let Some(call) = self.calls.get_mut(&place) else { return };
            call.answer = None;
            if call.stage == Stage::Dialling {
                call.stage = Stage::Answered;
                self.later(now, Due::Packet(place));
                self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Answered));
            }
        } else {
            self.sockets.send(which, from, &text::answer(request, 200, "", None));
            if *method == Method::Bye {
                self.hung_up(now, call_id);
            }
        }
    }

    fn hung_up(&mut self, now: Instant, call_id: &str) {
        if let Some(place) = self.by_callee.get(call_id).copied() {
            if let Some(call) = self.calls.get_mut(&place) {
                call.callee_gone = true;
                // Who hangs up knows that we are here: there is no ACK to wait for.
                call.answer = None;
                self.end(now, place);
            }
        } else if let Some(place) = text::place_of(call_id) {
            self.fail(now, place, "hung up on");
            self.over(now, place);
        }
    }

    /// The callee answers at once. Which call this is, the order of arrival cannot say: the callee's number does.
    fn invited(&mut self, now: Instant, from: SocketAddr, request: &Request) {
        let call_id = request.headers().call_id();
        let known = self.by_callee.get(call_id).copied();
        let place = known.or_else(|| self.waiting_for(request.uri().user()?));
        let Some((place, call)) = place.and_then(|place| Some((place, self.calls.get_mut(&place)?))) else {
            self.sockets.send(Which::CalleeSip, from, &text::answer(request, 404, "lost", None));
            return;
        };
        let answer = text::answer(request, 200, &format!("c{place}"), Some(self.party.callee_sdp()));
        self.sockets.send(Which::CalleeSip, from, &answer);
        if known.is_none() {
            call_id.clone_into(&mut call.callee_id);
            call.callee_media = text::media_of(request.body());
            call.answer = Some(Said::new(answer, now));
            self.outcome.dial_delays.add(now - call.keyed_at);
            self.by_callee.insert(call_id.to_owned(), place);
            self.later(now + T1, Due::AnswerAgain(place));
        }
    }

    /// The oldest call that waits for this callee.
    fn waiting_for(&mut self, callee: &str) -> Option<usize> {
        let order = self.party.caller_of(callee)?;
        let waiting = self.dialling.get_mut(&order)?;
        let found = std::iter::from_fn(|| waiting.pop_front())
            .find(|place| self.calls.get(place).is_some_and(|call| call.stage == Stage::Dialling));
        if waiting.is_empty() {
            self.dialling.remove(&order);
        }
        found
    }

    fn end(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get(&place) else { return };
        if call.stage == Stage::Leaving && call.bye_answered {
            self.over(now, place);
        } else if call.stage == Stage::Ending && call.bye_answered && call.callee_gone {
            self.outcome.completed += 1;
            if self.load.media {
                self.outcome.gaps.add(call.gap);
            }
            self.over(now, place);
        }
    }
}
