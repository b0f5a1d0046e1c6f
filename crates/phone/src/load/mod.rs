//! A carrier on both sides of a server, placing order calls at a steady rate: the load generator.
//!
//! It is one thread with four sockets, so that on a small machine it costs far less than what it measures: every caller's media
//! comes from one port and every callee's from another, which a server that knows its sessions by its own ports cannot tell
//! from a carrier's media gateway.

mod call;
mod sockets;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::{Message, Method, Request, Response};

use call::{Call, Stage};
use sockets::{Sockets, Which};
use text::Party;
pub use text::callee_of;

/// How long a call may take for one step before it counts as failed.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// T1: a request without an answer is said again then, doubling (RFC 3261 §17.1).
const T1: Duration = Duration::from_millis(500);
/// Between one key and the next.
const KEY_PAUSE: Duration = Duration::from_millis(50);
/// A packet of the caller's until one comes through to the callee.
const PACKET: Duration = Duration::from_millis(20);

/// What to place.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server's SIP address.
    pub server: SocketAddr,
    /// Where callers call from; must be a trunk's address.
    pub callers: IpAddr,
    /// Where callees are; the trunk's URI must point here, at `callee_port`.
    pub callees: IpAddr,
    /// SIP port of the callees.
    pub callee_port: u16,
    /// The line to call, `+` E.164.
    pub line: String,
    /// The caller of each call and the code they key, used in turn.
    pub orders: Vec<(String, String)>,
    /// New calls per second.
    pub rate: f64,
    /// How many calls in all.
    pub calls: usize,
    /// From the answer to the first key.
    pub think: Duration,
    /// How long the two stay joined.
    pub hold: Duration,
    /// Whether G.711 flows both ways, 50 packets per second, while they are joined.
    pub media: bool,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Calls placed.
    pub placed: usize,
    /// Calls joined and ended as they should.
    pub completed: usize,
    /// Calls that failed, by the step they failed at.
    pub failed: BTreeMap<String, usize>,
    /// Requests said again because nothing came back in time.
    pub retransmissions: usize,
    /// Most calls joined at once.
    pub most_joined: usize,
    /// Media packets that came through.
    pub packets: u64,
    /// From the last key to the INVITE at the callee, sorted.
    pub dial_delays: Vec<Duration>,
    /// From the caller's INVITE to our 200, sorted.
    pub answer_delays: Vec<Duration>,
    /// The longest that one side of each completed call heard nothing while they were joined, sorted; with media.
    pub gaps: Vec<Duration>,
    /// From the first call's INVITE to the last call's.
    pub placing: Duration,
    /// From the first INVITE to the last end.
    pub took: Duration,
}

impl Outcome {
    /// Calls placed in a second; `None` of fewer than two.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let between = u32::try_from(self.placed).ok()?.checked_sub(1).filter(|between| *between > 0)?;
        Some(f64::from(between) / self.placing.as_secs_f64().max(1e-3))
    }

    /// The delay that `share` (0 to 1) of `delays`, sorted, do not exceed.
    #[must_use]
    pub fn percentile(delays: &[Duration], share: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a list"
        )]
        let place = ((delays.len().saturating_sub(1)) as f64 * share).round() as usize;
        delays.get(place).copied().unwrap_or_default()
    }
}

/// Places the load and waits for its end. `watch` is called about ten times a second with the calls joined now.
///
/// # Errors
/// A socket cannot be had.
pub fn run(load: &Load, watch: &mut dyn FnMut(usize)) -> io::Result<Outcome> {
    let sockets = Sockets::bind(load)?;
    let mut generator = Generator {
        load,
        party: Party::of(load, &sockets),
        sockets,
        calls: Vec::with_capacity(load.calls),
        by_callee: HashMap::new(),
        due: BTreeMap::new(),
        sequence: 0,
        open: 0,
        joined: 0,
        outcome: Outcome::default(),
    };
    generator.run(watch)?;
    Ok(generator.outcome)
}

/// What a call does by itself.
#[derive(Debug, Clone, Copy)]
enum Due {
    Retransmit(usize),
    Key(usize),
    Packet(usize),
    HangUp(usize),
    Expire(usize, Stage),
}

struct Generator<'a> {
    load: &'a Load,
    party: Party,
    sockets: Sockets,
    calls: Vec<Call>,
    by_callee: HashMap<String, usize>,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    open: usize,
    joined: usize,
    outcome: Outcome,
}

impl Generator<'_> {
    fn run(&mut self, watch: &mut dyn FnMut(usize)) -> io::Result<()> {
        let began = Instant::now();
        let mut watched = began;
        let apart = Duration::from_secs_f64(1.0 / self.load.rate.max(0.001));
        while self.calls.len() < self.load.calls || self.open > 0 {
            let now = Instant::now();
            while self.calls.len() < self.load.calls {
                let place = self.calls.len();
                let at = began + apart * u32::try_from(place).unwrap_or(u32::MAX);
                if at > now {
                    break;
                }
                self.place(now);
            }
            while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
                let due = entry.remove();
                self.perform(now, due);
            }
            self.listen(now);
            if now - watched > Duration::from_millis(100) {
                watched = now;
                watch(self.joined);
            }
            let next = self.due.keys().next().map(|(at, _)| *at);
            let start = (self.calls.len() < self.load.calls)
                .then(|| began + apart * u32::try_from(self.calls.len()).unwrap_or(u32::MAX));
            let wake = next.into_iter().chain(start).min().unwrap_or(now + PACKET);
            self.sockets.wait(wake.saturating_duration_since(Instant::now()).min(PACKET))?;
        }
        self.outcome.took = began.elapsed();
        self.outcome.placed = self.calls.len();
        self.outcome.dial_delays.sort_unstable();
        self.outcome.answer_delays.sort_unstable();
        self.outcome.gaps.sort_unstable();
        Ok(())
    }

    fn later(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }

    fn place(&mut self, now: Instant) {
        let place = self.calls.len();
        let (caller, code) = &self.load.orders[place % self.load.orders.len()];
        let invite = self.party.invite(place, caller);
        if let Some(first) = self.calls.first() {
            self.outcome.placing = now - first.began;
        }
        self.calls.push(Call::new(now, code.clone(), invite.clone()));
        self.open += 1;
        self.sockets.send(Which::CallerSip, self.load.server, &invite);
        self.later(now + T1, Due::Retransmit(place));
        self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Calling));
    }

    fn perform(&mut self, now: Instant, due: Due) {
        match due {
            Due::Retransmit(place) => {
                let call = &mut self.calls[place];
                if let Some(waiting) = call.waiting.clone() {
                    call.retransmitted += 1;
                    self.outcome.retransmissions += 1;
                    let again = now + T1 * (1 << call.retransmitted.min(3));
                    self.sockets.send(Which::CallerSip, self.load.server, &waiting);
                    self.later(again, Due::Retransmit(place));
                }
            }
            Due::Key(place) => self.key(now, place),
            Due::Packet(place) => self.packet(now, place),
            Due::HangUp(place) => {
                let call = &mut self.calls[place];
                if call.stage == Stage::Joined {
                    self.joined -= 1;
                    call.stage = Stage::Ending;
                    call.retransmitted = 0;
                    let bye = self.party.in_dialog("BYE", place, 2, call);
                    call.waiting = Some(bye.clone());
                    self.sockets.send(Which::CallerSip, self.load.server, &bye);
                    self.later(now + T1, Due::Retransmit(place));
                    self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Ending));
                }
            }
            Due::Expire(place, stage) => {
                if self.calls[place].stage == stage {
                    self.fail(place, stage.name());
                }
            }
        }
    }

    fn fail(&mut self, place: usize, why: &str) {
        let call = &mut self.calls[place];
        if call.stage == Stage::Joined {
            self.joined -= 1;
        }
        call.stage = Stage::Over;
        call.waiting = None;
        self.open -= 1;
        *self.outcome.failed.entry(why.to_owned()).or_default() += 1;
    }

    fn key(&mut self, now: Instant, place: usize) {
        let call = &mut self.calls[place];
        if call.stage != Stage::Keying {
            return;
        }
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
            self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Dialling));
        }
    }

    /// Before they are joined the caller's packets feel for the way; afterwards they are the media.
    fn packet(&mut self, now: Instant, place: usize) {
        let media = self.load.media;
        let call = &mut self.calls[place];
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
                    if let Some(call) = call::place_in(&bytes).and_then(|place| self.calls.get_mut(place)) {
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
        let Some(call) = self.calls.get_mut(place) else { return };
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
        let (status, invite) = (response.status().code(), headers.cseq().method == Method::Invite);
        let Some(call) = self.calls.get_mut(place) else { return };
        if status < 200 {
            // A provisional response stops the INVITE's retransmission (RFC 3261 §17.1.1.2).
            call.waiting = None;
            return;
        }
        if invite && status == 200 {
            if call.stage == Stage::Calling {
                call.waiting = None;
                call.stage = Stage::Keying;
                call.learn(response);
                self.outcome.answer_delays.push(now - call.began);
                self.later(now + self.load.think, Due::Key(place));
                let late = now + self.load.think + STEP_WITHIN;
                self.later(late, Due::Expire(place, Stage::Keying));
            }
            let ack = self.party.in_dialog("ACK", place, 1, &self.calls[place]);
            self.sockets.send(Which::CallerSip, self.load.server, &ack);
        } else if invite {
            if call.stage == Stage::Calling {
                self.fail(place, &format!("refused with {status}"));
            }
        } else if call.stage == Stage::Ending {
            call.waiting = None;
            call.bye_answered = true;
            self.end(place);
        }
    }

    fn request(&mut self, now: Instant, which: Which, from: SocketAddr, request: &Request) {
        let (call_id, method) = (request.headers().call_id(), request.method());
        if *method == Method::Invite {
            self.invited(now, from, request);
        } else if *method == Method::Ack {
            let place = self.by_callee.get(call_id).copied();
            if let Some(place) = place.filter(|place| self.calls[*place].stage == Stage::Dialling) {
                self.calls[place].stage = Stage::Answered;
                self.later(now, Due::Packet(place));
                self.later(now + STEP_WITHIN, Due::Expire(place, Stage::Answered));
            }
        } else {
            self.sockets.send(which, from, &text::answer(request, 200, "", None));
            if *method == Method::Bye {
                self.hung_up(call_id);
            }
        }
    }

    fn hung_up(&mut self, call_id: &str) {
        if let Some(place) = self.by_callee.get(call_id).copied() {
            self.calls[place].callee_gone = true;
            self.end(place);
        } else if let Some(place) = text::place_of(call_id)
            && self.calls.get(place).is_some_and(|call| call.stage != Stage::Over)
        {
            self.fail(place, "hung up on");
        }
    }

    /// The callee answers at once. Which call this is, the order of arrival cannot say: the callee's number does.
    fn invited(&mut self, now: Instant, from: SocketAddr, request: &Request) {
        let call_id = request.headers().call_id().to_owned();
        let known = self.by_callee.get(&call_id).copied();
        let place = known.or_else(|| {
            let to = request.uri().user()?.to_owned();
            self.party.caller_of(&to).and_then(|caller| self.waiting_for(caller))
        });
        let Some(place) = place else {
            self.sockets.send(Which::CalleeSip, from, &text::answer(request, 404, "lost", None));
            return;
        };
        if known.is_none() {
            self.by_callee.insert(call_id, place);
            let delay = now - self.calls[place].keyed_at;
            self.outcome.dial_delays.push(delay);
            self.calls[place].callee_media = text::media_of(request.body());
        }
        let tag = format!("c{place}");
        let sdp = self.party.callee_sdp();
        self.sockets.send(Which::CalleeSip, from, &text::answer(request, 200, &tag, Some(&sdp)));
    }

    /// The oldest call of this caller that waits for its callee.
    fn waiting_for(&self, order: usize) -> Option<usize> {
        let every = self.load.orders.len();
        (order..self.calls.len()).step_by(every).find(|place| {
            self.calls[*place].stage == Stage::Dialling && self.calls[*place].callee_media.is_none()
        })
    }

    fn end(&mut self, place: usize) {
        let call = &mut self.calls[place];
        if call.stage == Stage::Ending && call.bye_answered && call.callee_gone {
            call.stage = Stage::Over;
            self.open -= 1;
            self.outcome.completed += 1;
            if self.load.media {
                self.outcome.gaps.push(call.gap);
            }
        }
    }
}
