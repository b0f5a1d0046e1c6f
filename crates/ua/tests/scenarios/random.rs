//! Random peers and random users. Whatever they do, every request of a trunk is answered once, every leg that is told
//! to end ends, a leg that has ended is silent, and in the end nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sip::Flow;
use ua::{
    Config, Credentials, Input, Invite, LegCommand, LegEvent, LegId, RetryAfter, Sessions, TrunkId, Why,
};

use crate::world::{
    ANSWER, CONTACT, Callee, Caller, OFFER, PATIENCE, TRUNK, Text, World, config, invite, respond, sdp, tcp,
    udp, with_body,
};

/// SplitMix64 (Steele, Lea and Flood): enough to be unpredictable to a test.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    /// The place of one of the last few of so many: those are the ones that live.
    fn late(&mut self, length: usize) -> Option<usize> {
        let few = length.min(4);
        (few > 0).then(|| length - few + self.roll(few))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() { None } else { Some(&from[self.roll(from.len())]) }
    }
}

/// What is known of a leg from outside.
#[derive(Debug, Default)]
struct Leg {
    told_to_end: bool,
    ended: bool,
    /// Since when an offer of theirs waits.
    undecided: Option<Duration>,
}

struct Game {
    world: World,
    dice: Dice,
    /// Nothing is lost, and everything is well formed: every request must be answered.
    fair: bool,
    callers: Vec<Caller>,
    callees: Vec<Callee>,
    /// Requests of ours that wait for an answer.
    asked: Vec<Text>,
    /// What peers said and when, to be said again.
    said: Vec<(Duration, String)>,
    legs: BTreeMap<LegId, Leg>,
    /// Requests of theirs by branch and method, with the time they were first sent.
    requests: BTreeMap<(String, String), Duration>,
    finals: BTreeMap<(String, String), Text>,
    /// Everything that was sent.
    log: Vec<(Duration, Flow, Text)>,
}

impl Game {
    fn new(seed: u64, fair: bool) -> Self {
        Self {
            world: World::with(Config { sessions: Some(Sessions { interval: 100, least: 90 }), ..config() }),
            dice: Dice(seed),
            fair,
            callers: Vec::new(),
            callees: Vec::new(),
            asked: Vec::new(),
            said: Vec::new(),
            legs: BTreeMap::new(),
            requests: BTreeMap::new(),
            finals: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    fn play(mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            self.look();
        }
        for leg in self.legs.iter().filter(|(_, leg)| !leg.ended).map(|(id, _)| *id).collect::<Vec<_>>() {
            self.tell(leg, LegCommand::End(Why { q850: 16, status: 480 }));
            self.look();
        }
        for _ in 0..200 {
            self.pass(Duration::from_secs(1));
        }
        for (id, leg) in &self.legs {
            assert!(leg.ended, "{id:?} never ended");
        }
        assert_eq!((self.world.ua.legs(), self.world.ua.transactions(), self.world.timers()), (0, 0, 0));
        if self.fair {
            for key in self.requests.keys() {
                assert!(self.finals.contains_key(key), "{key:?} was never answered");
            }
        }
    }

    fn step(&mut self) {
        match self.dice.roll(if self.fair { 20 } else { 23 }) {
            0 => self.call_in(),
            1..=4 => self.caller_asks(),
            5..=7 => self.caller_acknowledges(),
            8 => self.say_again(),
            9 => self.call_out(),
            10 | 11 => self.callee_answers(),
            12 | 13 => self.callee_asks(),
            14 => self.answer_ours(),
            15..=18 => self.command(),
            19 => {
                let time = Duration::from_millis(1 << self.dice.roll(13));
                self.pass(time);
                // Long enough for a session to want its refresh, and for what is said again to be new again.
                let seconds = if !self.fair && self.dice.roll(6) == 0 { 50 } else { 0 };
                for _ in 0..seconds {
                    self.pass(Duration::from_secs(1));
                }
            }
            20 => self.garble(),
            21 => {
                let flow = self.flow();
                self.world.input(Input::FlowLost(flow));
            }
            _ => {
                let pause = (self.dice.roll(4) == 0).then_some(RetryAfter(3));
                self.world.input(Input::Unavailable(pause));
            }
        }
    }

    fn flow(&mut self) -> Flow {
        if self.fair {
            return udp(TRUNK);
        }
        match self.dice.roll(5) {
            0 => tcp("198.51.100.7:33333", 1),
            1 => Flow { connection: None, ..tcp("198.51.100.7:5060", 0) },
            _ => udp(TRUNK),
        }
    }

    fn say(&mut self, text: String) {
        let (method, rest) = text.split_once(' ').unwrap_or_default();
        if !matches!(method, "ACK" | "SIP/2.0") && rest.contains("SIP/2.0\r\n") {
            let branch = Text(text.clone()).branch().to_owned();
            self.requests.entry((branch, method.to_owned())).or_insert(self.world.now);
        }
        let flow = self.flow();
        self.world.hear_on(flow, Some(TrunkId(0)), &text);
        self.said.push((self.world.now, text));
    }

    fn call_in(&mut self) {
        let mut caller = Caller::new(&mut self.world);
        let offer = (self.dice.roll(4) > 0).then_some(OFFER);
        let lines = *self
            .dice
            .pick(&[
                "",
                "",
                "Supported: timer\r\n",
                "Supported: timer\r\nAllow: UPDATE\r\nSession-Expires: 90;refresher=uas\r\n",
                "Session-Expires: 95\r\n",
                "Supported: timer\r\nSession-Expires: 89\r\n",
                "Require: x\r\n",
                "Require: 100rel\r\n",
                "Supported: 100rel\r\n",
                "Record-Route: <sip:203.0.113.1;lr>\r\n",
            ])
            .unwrap();
        let invite = caller.invite(&mut self.world, lines, offer);
        self.callers.push(caller);
        self.say(invite);
    }

    fn caller_asks(&mut self) {
        let Some(at) = self.dice.late(self.callers.len()) else { return };
        let methods = [
            "BYE", "INFO", "INFO", "OPTIONS", "UPDATE", "UPDATE", "INVITE", "INVITE", "INVITE", "REFER",
            "FROB", "CANCEL", "PRACK", "PRACK", "PRACK",
        ];
        let method = methods[self.dice.roll(methods.len())];
        let offer = (self.dice.roll(2) == 0).then_some(OFFER);
        let (caller, world) = (&mut self.callers[at], &mut self.world);
        let text = match method {
            "INVITE" => caller.invite(world, "", offer),
            "CANCEL" => caller.cancel(),
            "UPDATE" => caller.update(world, offer),
            "INFO" => {
                caller.request(world, "INFO", "Content-Type: application/dtmf\r\nContent-Length: 1\r\n\r\n5")
            }
            "PRACK" => {
                // As if it had heard the last response that asks for one, or one before or after it.
                let heard =
                    world.sent.iter().rev().find_map(|sent| sent.text.all("RSeq").first()?.parse().ok());
                let rseq: u32 = heard.unwrap_or(7) + *self.dice.pick(&[0, 0, 0, 0, 1]).unwrap();
                let rack = format!("RAck: {rseq} {} INVITE\r\n", caller.invite_sequence);
                caller.request(world, "PRACK", &with_body(&rack, offer))
            }
            method => caller.bare(world, method),
        };
        if self.dice.roll(8) == 0 {
            self.callers[at].sequence -= 3;
        }
        self.say(text);
    }

    fn caller_acknowledges(&mut self) {
        let Some(caller) = self.dice.late(self.callers.len()).map(|at| self.callers[at].clone()) else {
            return;
        };
        let text = match self.dice.roll(4) {
            0 => caller.ack_refusal(),
            1 => caller.ack(&mut self.world, &with_body("", Some(OFFER))),
            _ => caller.ack(&mut self.world, ""),
        };
        self.say(text);
    }

    fn say_again(&mut self) {
        // What comes again after its transaction is gone is new (RFC 3261 §17.2.1, Timer I).
        let now = self.world.now;
        let is_recent = |(at, _): &&(Duration, String)| now - *at < Duration::from_secs(4);
        let recent = self.said.iter().rev().take_while(is_recent).count();
        let from = if self.fair { self.said.len() - recent } else { 0 };
        if let Some((_, text)) = self.dice.pick(&self.said[from..]).cloned() {
            self.say(text);
        }
    }

    fn call_out(&mut self) {
        let leg = self.world.ua.next_leg();
        self.legs.insert(leg, Leg::default());
        let flow = Flow { connection: None, ..self.flow() };
        let known = Credentials { username: "u".into(), password: "p".into(), realm: None, md5: true };
        let credentials = (self.dice.roll(2) == 0).then(|| Arc::new(known));
        self.world.tell(leg, LegCommand::Invite(Box::new(Invite { credentials, ..invite(flow) })));
        let invite = self.world.sent.last().unwrap().clone();
        self.callees.push(Callee { invite: invite.text, flow });
    }

    fn callee_answers(&mut self) {
        let Some(at) = self.dice.late(self.callees.len()) else { return };
        let status = *self
            .dice
            .pick(&[100, 180, 180, 183, 183, 199, 200, 200, 200, 200, 302, 401, 407, 408, 422, 487])
            .unwrap();
        let tag = *self.dice.pick(&["b1", "b1", "b1", "b2", "b3"]).unwrap();
        let body = (self.dice.roll(2) == 0).then_some(OFFER);
        let lines = format!("{CONTACT}{}{}{}", self.challenge(status), self.terms(), self.reliably(status));
        let callee = &self.callees[at];
        let text = callee.respond(status, if status == 100 { "" } else { tag }, &lines, body);
        let call_id = callee.invite.header("Call-ID").to_owned();
        let before = self.world.sent.len();
        self.say(text);
        // Who answers a challenge sends another INVITE, and the callee goes on with that.
        let again = self.world.sent[before..].iter().find(|sent| sent.text.method() == "INVITE");
        if let Some(again) = again.filter(|sent| sent.text.header("Call-ID") == call_id) {
            self.callees[at].invite = again.text.clone();
        }
    }

    /// A challenge with a new nonce or one of a few old ones, where the status is one.
    fn challenge(&mut self, status: u16) -> String {
        let header = match status {
            401 => "WWW-Authenticate",
            407 => "Proxy-Authenticate",
            _ => return String::new(),
        };
        let stale = *self.dice.pick(&["", ", stale=true"]).unwrap();
        format!("{header}: Digest realm=\"r\", nonce=\"{}\", qop=\"auth\"{stale}\r\n", self.dice.roll(4))
    }

    /// Whether a provisional response is to be acknowledged.
    fn reliably(&mut self, status: u16) -> String {
        match self.dice.roll(2) {
            0 if status < 200 => format!("Require: 100rel\r\nRSeq: {}\r\n", 1 + self.dice.roll(3)),
            _ => String::new(),
        }
    }

    /// What a response may say of session timers.
    fn terms(&mut self) -> &'static str {
        self.dice
            .pick(&[
                "",
                "Session-Expires: 90;refresher=uac\r\n",
                "Session-Expires: 90;refresher=uac\r\nAllow: UPDATE\r\n",
                "Session-Expires: 90;refresher=uas\r\n",
                "Min-SE: 200\r\n",
            ])
            .unwrap()
    }

    fn callee_asks(&mut self) {
        let Some(callee) = self.dice.late(self.callees.len()).map(|at| self.callees[at].clone()) else {
            return;
        };
        let method = *self.dice.pick(&["BYE", "INFO", "OPTIONS", "UPDATE", "INVITE", "ACK"]).unwrap();
        let tag = *self.dice.pick(&["b1", "b1", "b2", "b4"]).unwrap();
        let sequence = 1 + self.dice.roll(1000) as u32;
        let rest = with_body(CONTACT, (self.dice.roll(2) == 0).then_some(OFFER));
        let text = callee.request(&mut self.world, method, tag, sequence, &rest);
        self.say(text);
    }

    fn answer_ours(&mut self) {
        let Some(request) = self.dice.pick(&self.asked).cloned() else { return };
        let status = *self.dice.pick(&[100, 200, 200, 200, 401, 407, 481, 408, 422, 491, 500]).unwrap();
        let lines = format!("{}{}", self.challenge(status), self.terms());
        let body = (self.dice.roll(2) == 0).then_some(OFFER);
        self.say(respond(&request, status, "x", &lines, body));
    }

    fn command(&mut self) {
        let up = self
            .legs
            .iter()
            .filter(|(_, leg)| !leg.ended || self.dice.0.is_multiple_of(8))
            .map(|(id, _)| *id);
        let legs: Vec<_> = up.collect();
        let Some(leg) = self.dice.late(legs.len()).map(|at| legs[at]) else { return };
        let command = match self.dice.roll(12) {
            0 => LegCommand::Ring,
            1 => LegCommand::Progress(sdp(ANSWER)),
            2..=7 => LegCommand::Accept(sdp(ANSWER)),
            8 => LegCommand::Refuse(crate::world::BUSY),
            9 => LegCommand::Invite(Box::new(invite(udp(TRUNK)))),
            _ => LegCommand::End(Why { q850: 16, status: 486 }),
        };
        // A leg that does not exist any more would be made anew.
        if matches!(command, LegCommand::Invite(_)) && self.legs[&leg].ended {
            return;
        }
        self.tell(leg, command);
    }

    fn garble(&mut self) {
        let Some((_, text)) = self.dice.pick(&self.said).cloned() else { return };
        let mut octets = text.into_bytes();
        for _ in 0..=self.dice.roll(4) {
            let at = self.dice.roll(octets.len().max(1));
            match self.dice.roll(3) {
                0 => octets.insert(at, self.dice.roll(256) as u8),
                1 => octets.truncate(at),
                _ => octets.insert(at, b'\n'),
            }
        }
        let flow = self.flow();
        let trunk = (self.dice.roll(2) == 0).then_some(TrunkId(0));
        self.world.hear_octets(flow, trunk, &octets);
    }

    fn tell(&mut self, leg: LegId, command: LegCommand) {
        let known = self.legs.get_mut(&leg).unwrap();
        match &command {
            LegCommand::End(_) => known.told_to_end |= !known.ended,
            LegCommand::Accept(_) | LegCommand::Refuse(_) => known.undecided = None,
            LegCommand::Invite(_) | LegCommand::Ring | LegCommand::Progress(_) => {}
        }
        self.world.tell(leg, command);
    }

    /// Lets time pass, and decides what has waited for long.
    fn pass(&mut self, time: Duration) {
        self.world.pass(time);
        self.look();
        let now = self.world.now;
        let late = |leg: &Leg| leg.undecided.is_some_and(|since| now - since > Duration::from_secs(10));
        for leg in self.legs.iter().filter(|(_, leg)| late(leg)).map(|(id, _)| *id).collect::<Vec<_>>() {
            self.tell(leg, LegCommand::Refuse(crate::world::BUSY));
            self.look();
        }
    }

    /// Takes note of what was sent and said.
    fn look(&mut self) {
        if self.fair {
            self.world.sent.iter().for_each(|sent| only_from_the_list(&sent.text));
        }
        for (id, event) in std::mem::take(&mut self.world.events) {
            let now = self.world.now;
            let leg = self.legs.entry(id).or_default();
            assert!(!leg.ended, "{event:?} after the end of {id:?}");
            if matches!(event, LegEvent::Ended(_)) {
                leg.ended = true;
                continue;
            }
            assert!(!leg.told_to_end, "{event:?} after End of {id:?}");
            if matches!(event, LegEvent::Offered(_) | LegEvent::Reoffered { .. }) {
                leg.undecided = Some(now);
            }
        }
        for sent in self.world.take() {
            self.log.push((sent.at, sent.flow, sent.text.clone()));
            match sent.text.status() {
                // The answer to a garbled request has what was left of it.
                _ if !["To", "Call-ID", "CSeq"].iter().all(|name| sent.text.has(name)) => assert!(!self.fair),
                0 if matches!(sent.text.method(), "BYE" | "CANCEL" | "UPDATE" | "PRACK") => {
                    self.asked.push(sent.text)
                }
                0 if sent.text.method() == "INVITE" && sent.text.param("To", "tag").is_some() => {
                    self.asked.push(sent.text);
                }
                0 => {}
                status => self.responded(status, sent.at, sent.text),
            }
        }
    }

    fn responded(&mut self, status: u16, at: Duration, text: Text) {
        assert!(!self.fair || text.method() != "ACK", "an ACK is never answered");
        for caller in &mut self.callers {
            if text.header("Call-ID") == caller.call_id && status > 100 && caller.our_tag.is_none() {
                caller.learn(&text);
            }
        }
        if status < 200 || !self.fair {
            return;
        }
        let key = (text.branch().to_owned(), text.method().to_owned());
        let asked = self.requests.get(&key).unwrap_or_else(|| panic!("nobody asked: {text:?}"));
        match self.finals.get(&key) {
            Some(first) => assert_eq!(*first, text, "two different answers to one request"),
            None => {
                assert!(at <= *asked + PATIENCE, "late: {text:?}");
                self.finals.insert(key, text);
            }
        }
    }
}

/// Every header we ever write.
const HEADERS: [&str; 28] = [
    "Accept",
    "Accept-Encoding",
    "Allow",
    "Authorization",
    "Call-ID",
    "Contact",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "From",
    "Max-Forwards",
    "Min-SE",
    "P-Asserted-Identity",
    "RAck",
    "RSeq",
    "Proxy-Authorization",
    "Reason",
    "Record-Route",
    "Require",
    "Retry-After",
    "Route",
    "Server",
    "Session-Expires",
    "Supported",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
];

fn only_from_the_list(text: &Text) {
    let head = text.0.split("\r\n\r\n").next().unwrap();
    for line in head.split("\r\n").skip(1) {
        assert!(HEADERS.contains(&line.split(':').next().unwrap()), "{line}");
    }
    assert!(!text.start().contains("Whatever"), "the words beside a status are ours");
}

#[test]
fn every_request_of_a_trunk_is_answered_once_and_nothing_is_left() {
    for seed in 0..25 {
        Game::new(seed, true).play(300);
    }
}

#[test]
fn nothing_is_left_whatever_is_lost_and_garbled() {
    for seed in 1000..1025 {
        Game::new(seed, false).play(300);
    }
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    let run = || {
        let mut game = Game::new(7, false);
        for _ in 0..2000 {
            game.step();
            game.look();
        }
        game.log
    };
    let first = run();
    assert!(first.len() > 500, "{}", first.len());
    assert_eq!(first, run());
    let texts: BTreeSet<_> = first.iter().map(|(_, _, text)| text.start().to_owned()).collect();
    assert!(texts.iter().any(|text| text.starts_with("UPDATE ")), "sessions are refreshed");
    assert!(texts.len() > 10, "the game reaches many states: {texts:?}");
}
