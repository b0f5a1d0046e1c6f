//! A user agent in virtual time, and peers that write SIP as text. Nothing in here uses the crate's own reading or
//! writing of messages.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use crate::peer::{Callee, Caller, respond, sdp, with_body};
use bytes::Bytes;
use sip::{Flow, Transport};
use ua::{
    Config, Counted, Credentials, ErrandEvent, Input, Invite, InviteSnapshot, LegCommand, LegEvent, LegId,
    Listener, Output, Refusal, Shown, Snapshot, Source, Timer, Timing, TrunkId, UserAgent, Why,
};

pub(crate) const T1: Duration = Duration::from_millis(500);
/// 64*T1.
pub(crate) const PATIENCE: Duration = Duration::from_secs(32);
pub(crate) const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\n";
pub(crate) const ANSWER: &str = "v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
pub(crate) const WHY: Why = Why { q850: 16, status: 480 };
pub(crate) const BUSY: Refusal = Refusal { status: 486, retry_after: None };

/// The trunk's address.
pub(crate) const TRUNK: &str = "198.51.100.7:5060";
/// Our own addresses, by listener.
pub(crate) const LISTENERS: [(Transport, &str); 3] = [
    (Transport::Udp, "192.0.2.1:5060"),
    (Transport::Tcp, "192.0.2.1:5060"),
    (Transport::Udp, "[2001:db8::1]:5060"),
];

pub(crate) fn config() -> Config {
    let listeners = LISTENERS.map(|(transport, public)| Listener { transport, public: public.to_owned() });
    Config {
        timing: Timing::default(),
        listeners: listeners.into(),
        product: "Bauta".to_owned(),
        transactions: 1000,
        sessions: None,
        accounts: Vec::new(),
        realm: String::new(),
    }
}

pub(crate) fn udp(peer: &str) -> Flow {
    Flow { listener: 0, transport: Transport::Udp, peer: address(peer), connection: None }
}

pub(crate) fn tcp(peer: &str, connection: u32) -> Flow {
    Flow { listener: 1, transport: Transport::Tcp, peer: address(peer), connection: Some(connection) }
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A message that was sent, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    pub(crate) fn start(&self) -> &str {
        self.0.split("\r\n").next().unwrap()
    }

    /// The status, or 0 of a request.
    pub(crate) fn status(&self) -> u16 {
        self.start().strip_prefix("SIP/2.0 ").map_or(0, |rest| rest[..3].parse().unwrap())
    }

    /// The method, or the one CSeq names.
    pub(crate) fn method(&self) -> &str {
        match self.status() {
            0 => self.start().split(' ').next().unwrap(),
            _ => self.header("CSeq").split(' ').nth(1).unwrap(),
        }
    }

    pub(crate) fn uri(&self) -> &str {
        assert_eq!(self.status(), 0, "{self:?}");
        self.start().split(' ').nth(1).unwrap()
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap();
        let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} of {self:?}");
        all[0]
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// A parameter of a header.
    pub(crate) fn param(&self, name: &str, param: &str) -> Option<&str> {
        let value = self.header(name).split('>').next_back().unwrap();
        value.split(';').skip(1).find_map(|part| part.strip_prefix(param)?.strip_prefix('='))
    }

    pub(crate) fn tag(&self, name: &str) -> &str {
        self.param(name, "tag").unwrap_or_else(|| panic!("no tag in {name} of {self:?}"))
    }

    pub(crate) fn branch(&self) -> &str {
        let via = self.all("Via")[0];
        via.split(';').find_map(|part| part.strip_prefix("branch=")).unwrap()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }
}

/// One message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    pub(crate) leg: Option<LegId>,
    pub(crate) flow: Flow,
    pub(crate) text: Text,
}

pub(crate) struct World {
    pub(crate) ua: UserAgent,
    pub(crate) now: Duration,
    timers: BTreeMap<Timer, Duration>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) events: Vec<(LegId, LegEvent)>,
    pub(crate) counted: Vec<Counted>,
    /// Whose each message was.
    pub(crate) whose: Vec<LegId>,
    /// Legs of which something else is to be kept.
    pub(crate) changed: Vec<LegId>,
    pub(crate) errands: Vec<ErrandEvent>,
    /// How often a leg said that something came back to its INVITE.
    pub(crate) heard_back: usize,
    branches: u32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            ua: UserAgent::new(config, [42; 32]),
            now: Duration::ZERO,
            timers: BTreeMap::new(),
            sent: Vec::new(),
            events: Vec::new(),
            counted: Vec::new(),
            whose: Vec::new(),
            changed: Vec::new(),
            errands: Vec::new(),
            heard_back: 0,
            branches: 0,
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        let mut out = Vec::new();
        self.ua.handle(input, &mut out);
        self.follow(out);
    }

    fn follow(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Send { leg, flow, bytes } => {
                    let text = Text(String::from_utf8_lossy(&bytes).into_owned());
                    self.sent.push(Sent { at: self.now, leg, flow, text });
                }
                Output::Arm(timer, after) => {
                    self.timers.insert(timer, self.now + after);
                }
                Output::Disarm(timer) => {
                    self.timers.remove(&timer);
                }
                // Whether something came back at all has a test of its own; in all others it goes without saying.
                Output::Event(_, LegEvent::Trying) => self.heard_back += 1,
                Output::Event(leg, event) => self.events.push((leg, event)),
                Output::Errand(_, event) => self.errands.push(event),
                Output::Heard(leg) => self.whose.push(leg),
                Output::Changed(leg) => self.changed.push(leg),
                Output::Counted(counted) => self.counted.push(counted),
            }
        }
    }

    /// A message from the trunk, by UDP.
    pub(crate) fn hear(&mut self, text: &str) {
        self.hear_on(udp(TRUNK), Some(TrunkId(0)), text);
    }

    /// A message from an address no trunk allows.
    pub(crate) fn hear_stranger(&mut self, peer: &str, text: &str) {
        self.hear_on(udp(peer), None, text);
    }

    pub(crate) fn hear_on(&mut self, flow: Flow, trunk: Option<TrunkId>, text: &str) {
        self.hear_octets(flow, trunk, text.as_bytes());
    }

    pub(crate) fn hear_octets(&mut self, flow: Flow, trunk: Option<TrunkId>, octets: &[u8]) {
        self.hear_from(flow, trunk.into(), octets);
    }

    pub(crate) fn hear_from(&mut self, flow: Flow, source: Source, octets: &[u8]) {
        self.input(Input::Message { flow, source, bytes: Bytes::copy_from_slice(octets) });
    }

    pub(crate) fn tell(&mut self, leg: LegId, command: LegCommand) {
        self.input(Input::Command(leg, command));
    }

    /// Lets time pass, firing what falls due in order.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((timer, at)) =
            self.timers.iter().map(|(timer, at)| (*timer, *at)).min_by_key(|(_, at)| *at)
        {
            if at > end {
                break;
            }
            self.timers.remove(&timer);
            self.now = at;
            self.input(Input::Fired(timer));
        }
        self.now = end;
    }

    /// Takes up a leg again that another world kept.
    pub(crate) fn restore(
        &mut self,
        kept: &Snapshot,
        credentials: Option<&Arc<Credentials>>,
    ) -> Option<LegId> {
        let mut out = Vec::new();
        let leg = self.ua.restore(kept, credentials, &mut out);
        self.follow(out);
        leg
    }

    /// Takes back an INVITE that another world sent.
    pub(crate) fn withdraw(&mut self, kept: &InviteSnapshot) -> Option<LegId> {
        let mut out = Vec::new();
        let leg = self.ua.withdraw(kept, WHY, &mut out);
        self.follow(out);
        leg
    }

    pub(crate) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// What was sent since the last look.
    pub(crate) fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// The one message that was sent since the last look.
    #[track_caller]
    pub(crate) fn only(&mut self) -> Text {
        self.only_sent().text
    }

    #[track_caller]
    pub(crate) fn only_sent(&mut self) -> Sent {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1, "{sent:#?}");
        sent.remove(0)
    }

    /// The statuses (or methods) of what was sent since the last look.
    pub(crate) fn said(&mut self) -> Vec<String> {
        self.take()
            .iter()
            .map(|sent| match sent.text.status() {
                0 => sent.text.method().to_owned(),
                status => format!("{status} {}", sent.text.method()),
            })
            .collect()
    }

    #[track_caller]
    pub(crate) fn silent(&mut self) {
        assert_eq!(self.take(), []);
    }

    /// The events since the last look, of whatever leg.
    pub(crate) fn heard(&mut self) -> Vec<LegEvent> {
        std::mem::take(&mut self.events).into_iter().map(|(_, event)| event).collect()
    }

    #[track_caller]
    pub(crate) fn only_event(&mut self) -> LegEvent {
        let mut events = self.heard();
        assert_eq!(events.len(), 1, "{events:#?}");
        events.remove(0)
    }

    /// After everything has run out nothing may be left.
    #[track_caller]
    pub(crate) fn assert_clean(&mut self) {
        self.pass(PATIENCE * 4);
        assert_eq!(
            (self.ua.legs(), self.ua.transactions(), self.timers()),
            (0, 0, 0),
            "legs, transactions, timers"
        );
    }

    pub(crate) fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bKpeer{}", self.branches)
    }

    /// A caller of the trunk whose INVITE has come, by UDP.
    pub(crate) fn caller(&mut self) -> (Caller, LegId) {
        self.caller_with("", Some(OFFER))
    }

    pub(crate) fn caller_with(&mut self, lines: &str, offer: Option<&str>) -> (Caller, LegId) {
        let mut caller = Caller::new(self);
        let invite = caller.invite(self, lines, offer);
        self.hear(&invite);
        let leg = self.offered();
        assert_eq!(self.only().status(), 100);
        (caller, leg)
    }

    /// The leg that was offered.
    #[track_caller]
    pub(crate) fn offered(&mut self) -> LegId {
        let events = std::mem::take(&mut self.events);
        match events.as_slice() {
            [(leg, LegEvent::Offered(_))] => *leg,
            other => panic!("{other:#?}"),
        }
    }

    /// A caller whose call is up.
    pub(crate) fn talking(&mut self) -> (Caller, LegId) {
        let (mut caller, leg) = self.caller();
        self.tell(leg, LegCommand::Accept(Bytes::from_static(ANSWER.as_bytes())));
        caller.learn(&self.only());
        let ack = caller.ack(self, "");
        self.hear(&ack);
        assert_eq!(self.only_event(), LegEvent::Confirmed { sdp: None });
        (caller, leg)
    }

    /// A callee whose INVITE has gone out, by UDP.
    pub(crate) fn callee(&mut self) -> (Callee, LegId) {
        self.callee_on(udp(TRUNK))
    }

    pub(crate) fn callee_on(&mut self, flow: Flow) -> (Callee, LegId) {
        let leg = self.ua.next_leg();
        self.tell(leg, LegCommand::Invite(Box::new(invite(flow))));
        let sent = self.only_sent();
        assert_eq!(sent.flow, flow);
        (Callee { invite: sent.text, flow }, leg)
    }

    /// A callee who has answered with the tag `b1`.
    pub(crate) fn reached(&mut self) -> (Callee, LegId) {
        let (callee, leg) = self.callee();
        self.hear(&callee.respond(200, "b1", CONTACT, Some(OFFER)));
        assert_eq!(self.only_event(), LegEvent::Answered { sdp: Some(Bytes::from_static(OFFER.as_bytes())) });
        assert_eq!(self.only().method(), "ACK");
        (callee, leg)
    }
}

/// The Contact of our peers: the address they really have.
pub(crate) const CONTACT: &str = "Contact: <sip:peer@198.51.100.7:5060>\r\n";

pub(crate) fn invite(flow: Flow) -> Invite {
    Invite {
        flow,
        uri: "sip:+79992222222@198.51.100.7:5060;user=phone".to_owned(),
        to: "sip:+79992222222@198.51.100.7:5060;user=phone".to_owned(),
        from: "sip:+74951234567@192.0.2.1:5060".to_owned(),
        routes: Vec::new(),
        own: "sip:+74951234567@192.0.2.1:5060".to_owned(),
        shown: vec![Shown::Asserted],
        withheld: false,
        offer: Bytes::from_static(ANSWER.as_bytes()),
        hops: 69,
        credentials: None,
    }
}
