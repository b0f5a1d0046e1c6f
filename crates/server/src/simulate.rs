//! What would happen to a call, and why: the real switchboard in a virtual world where the store answers truly, prompts
//! take as long as they take, and the callee is never called.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use api::{Dialled, Simulation, Step, Trial};
use b2bua::{
    Choice, Config, Finding, Forbidden, Happening, Input, Network, Output, Query, Switchboard, Target, Trust,
};
use bytes::Bytes;
use clock::Instant;
use rtp::{Command, PlayId, PromptId, Report, SessionId, Sound};
use sip::{Flow, Message};

/// From the first prompt's first word to the first key, and from key to key.
const FIRST_KEY: Duration = Duration::from_secs(1);
const NEXT_KEY: Duration = Duration::from_millis(300);
/// However patient the settings: a simulated caller hangs up then.
const PATIENCE: Duration = Duration::from_secs(600);

/// What the real world knows.
pub(crate) struct Knowledge<'a> {
    /// The store.
    pub(crate) find: &'a mut dyn FnMut(Query) -> Finding,
    /// How long a prompt is.
    pub(crate) length: &'a dyn Fn(PromptId) -> Duration,
    /// A prompt's key.
    pub(crate) key: &'a dyn Fn(PromptId) -> &'static str,
}

/// Thinks one call through.
pub(crate) fn simulate(mut config: Config, trial: &Trial, knowledge: &mut Knowledge<'_>) -> Simulation {
    let Some(line) = config.lines.iter().find(|line| line.number == trial.to) else {
        let what = "the number dialled is no line of this server: refused with 404".to_owned();
        let step = Step { at_ms: 0, state: "arriving".to_owned(), what, prompt: None };
        return Simulation { outcome: "unknown-line".to_owned(), dialled: None, steps: vec![step] };
    };
    let trunk = match &line.trunks {
        Choice::InOrder(trunks) => trunks.first().copied(),
        Choice::ByWeight(weights) => {
            weights.iter().max_by_key(|(_, weight)| *weight).map(|(trunk, _)| *trunk)
        }
    };
    let trunk = usize::from(trunk.expect("a line has a trunk").0);
    let peer = config.trunks[trunk].allow.first().map_or(IpAddr::from([192, 0, 2, 1]), |range| range.address);
    let flow = Flow {
        listener: 0,
        transport: config.ua.listeners[0].transport,
        peer: SocketAddr::new(peer, 5060),
        connection: None,
    };
    for trunk in &mut config.trunks {
        trunk.targets = vec![Target { flow, priority: 0, weight: 0 }];
        // Nothing is done for trunks in a call that is only thought through.
        (trunk.registration, trunk.ping) = (None, None);
        trunk.verify = b2bua::Verify::default();
        // Whoever asks what would happen has proved enough.
        trunk.inbound = false;
        trunk.certificate.clear();
    }
    if config.trunks[trunk].allow.is_empty() {
        config.trunks[trunk].allow.push(Network { address: peer, prefix: 32 });
    }
    let (trust, name) = (config.trunks[trunk].trust, config.trunks[trunk].name.to_string());
    let invite = invite(trial, trust, peer);
    let board = Switchboard::new(config, [0; 32]);
    let walk = Walk {
        board,
        flow,
        trunk: name,
        now: Instant::ZERO,
        due: BTreeMap::new(),
        sequence: 0,
        caller: None,
        acknowledged: false,
        state: "arriving",
        keys: trial.digits.chars().collect(),
        dialled: None,
        outcome: None,
        steps: Vec::new(),
    };
    walk.run(invite, knowledge)
}

fn invite(trial: &Trial, trust: Trust, peer: IpAddr) -> Bytes {
    let from = trial.from.map_or("anonymous".to_owned(), |number| number.to_string());
    let host = if peer.is_ipv6() { format!("[{peer}]") } else { peer.to_string() };
    let family = if peer.is_ipv6() { "IP6" } else { "IP4" };
    let identity = match trust {
        Trust::Asserted => format!("P-Asserted-Identity: <sip:{from}@{host}>\r\n"),
        Trust::RemoteParty => format!("Remote-Party-ID: <sip:{from}@{host}>;party=calling\r\n"),
        Trust::From => String::new(),
    };
    let to = trial.to;
    let sdp = format!(
        "v=0\r\no=- 1 1 IN {family} {peer}\r\ns=-\r\nc=IN {family} {peer}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    );
    Bytes::from(format!(
        "INVITE sip:{to}@{host} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bKsimulated\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{from}@{host}>;tag=simulated\r\nTo: <sip:{to}@{host}>\r\n\
         Call-ID: simulated\r\nCSeq: 1 INVITE\r\nContact: <sip:{host}:5060>\r\n{identity}\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    ))
}

/// What will happen by itself.
#[derive(Debug, Clone)]
enum Due {
    Finished(SessionId, PlayId),
    Key(char),
}

struct Walk {
    board: Switchboard,
    flow: Flow,
    trunk: String,
    now: Instant,
    due: BTreeMap<(Instant, u32), Due>,
    sequence: u32,
    caller: Option<SessionId>,
    acknowledged: bool,
    state: &'static str,
    keys: VecDeque<char>,
    dialled: Option<Dialled>,
    outcome: Option<String>,
    steps: Vec<Step>,
}

impl Walk {
    fn run(mut self, invite: Bytes, knowledge: &mut Knowledge<'_>) -> Simulation {
        let mut next = Some(Input::Message { flow: self.flow, bytes: invite });
        while self.outcome.is_none() {
            let input = match next.take() {
                Some(input) => input,
                None => match self.wait() {
                    Some(input) => input,
                    None => break,
                },
            };
            let mut inputs = VecDeque::from([input]);
            while let Some(input) = inputs.pop_front() {
                let mut out = Vec::new();
                self.board.handle(self.now, input, &mut out);
                for output in out {
                    inputs.extend(self.perform(output, knowledge));
                }
            }
        }
        let outcome = self.outcome.unwrap_or_else(|| "hung-up".to_owned());
        Simulation { outcome, dialled: self.dialled, steps: self.steps }
    }

    /// Moves on to whatever comes first.
    fn wait(&mut self) -> Option<Input> {
        let own = self.due.keys().next().map(|(at, _)| *at);
        let wake = self.board.next_wake();
        let at = own.into_iter().chain(wake).min().filter(|at| at.0 <= PATIENCE)?;
        self.now = self.now.max(at);
        if own != Some(at) {
            return Some(Input::Wake);
        }
        let (_, due) = self.due.pop_first()?;
        Some(Input::Report(match due {
            Due::Finished(session, play) => Report::Finished { session, play },
            Due::Key(digit) => {
                self.say(format!("the caller keys {digit}"), None);
                Report::Digit { session: self.caller?, digit }
            }
        }))
    }

    fn later(&mut self, after: Duration, due: Due) {
        self.sequence += 1;
        self.due.insert((self.now + after, self.sequence), due);
    }

    fn say(&mut self, what: String, prompt: Option<&'static str>) {
        let at_ms = u64::try_from(self.now.0.as_millis()).unwrap_or(u64::MAX);
        let (state, prompt) = (self.state.to_owned(), prompt.map(str::to_owned));
        self.steps.push(Step { at_ms, state, what, prompt });
    }

    fn perform(&mut self, output: Output, knowledge: &mut Knowledge<'_>) -> Option<Input> {
        match output {
            Output::Send { bytes, .. } => self.sent(&bytes),
            Output::Media { command, .. } => {
                self.media(command, knowledge);
                None
            }
            Output::Find { call, query } => {
                let finding = (knowledge.find)(query);
                self.found(&query, &finding);
                Some(Input::Found { call, finding })
            }
            Output::Checkpoint(kept) => Some(Input::Begun { call: kept.record.call, kept: true }),
            Output::Record(record) => {
                if let Some(outcome) = record.outcome {
                    self.say(format!("the call ends: {}", outcome.cause.word()), None);
                    self.outcome = Some(outcome.cause.word().to_owned());
                }
                None
            }
            Output::Notice(notice) => {
                self.notice(notice.what);
                None
            }
            Output::Consult(asked) => {
                self.state = "consulting";
                self.say(format!("the hook {:?} is asked, which is not done here", asked.hook), None);
                self.outcome = Some("hook".to_owned());
                None
            }
            // Whoever is simulated is who they say.
            Output::Verify { .. }
            | Output::Heard(_)
            | Output::Leg { .. }
            | Output::Called { .. }
            | Output::Uncalled { .. }
            | Output::Tallied(_)
            | Output::PairCalled { .. }
            | Output::Trunk(_)
            | Output::Shedding(_)
            | Output::Counted(_)
            | Output::Fault(_) => None,
        }
    }

    /// Our 200 is acknowledged; an INVITE of ours ends the walk: the callee is not called.
    fn sent(&mut self, bytes: &Bytes) -> Option<Input> {
        match sip::parse(bytes.clone()).ok()? {
            Message::Request(request) if *request.method() == sip::Method::Invite => {
                let callee = self.dialled.as_ref().map_or("operator", |dialled| dialled.callee.as_str());
                let outcome = if callee == "operator" { "operator" } else { "connected" };
                self.say(format!("the {callee} is called; on answer both are joined"), None);
                self.outcome = Some(outcome.to_owned());
                None
            }
            Message::Response(response) if response.status().code() == 200 && !self.acknowledged => {
                self.acknowledged = true;
                let to = response.headers().first(sip::Name::To)?.to_vec();
                let mut ack = b"ACK sip:simulated SIP/2.0\r\nVia: SIP/2.0/UDP simulated;branch=z9hG4bKack\r\n\
                    From: <sip:simulated@simulated>;tag=simulated\r\nCall-ID: simulated\r\nCSeq: 1 ACK\r\nTo: "
                    .to_vec();
                ack.extend(to);
                ack.extend(b"\r\nContent-Length: 0\r\n\r\n");
                Some(Input::Message { flow: self.flow, bytes: ack.into() })
            }
            Message::Request(_) | Message::Response(_) => None,
        }
    }

    fn media(&mut self, command: Command, knowledge: &Knowledge<'_>) {
        match command {
            Command::Open { session, .. } => {
                if self.caller.is_none() {
                    self.caller = Some(session);
                    self.state = "asking";
                    self.say("answered at once".to_owned(), None);
                }
            }
            Command::Play { session, play, prompts, repeat } => {
                self.due.retain(|_, due| !matches!(due, Due::Finished(s, _) if *s == session));
                for prompt in &prompts {
                    let key = match prompt {
                        Sound::Prompt(prompt) => Some((knowledge.key)(*prompt)),
                        Sound::Made(_) => None,
                    };
                    self.say("the caller hears a prompt".to_owned(), key);
                }
                if !repeat {
                    let length = prompts.iter().map(|prompt| match prompt {
                        Sound::Prompt(prompt) => (knowledge.length)(*prompt),
                        Sound::Made(prompt) => prompt.length(),
                    });
                    let length = length.sum();
                    self.later(length, Due::Finished(session, play));
                }
                self.key();
            }
            Command::Stop { session } => {
                self.due.retain(|_, due| !matches!(due, Due::Finished(s, _) if *s == session));
            }
            Command::Update { .. }
            | Command::Bridge { .. }
            | Command::Unbridge { .. }
            | Command::PauseRecording { .. }
            | Command::Press { .. }
            | Command::Record { .. }
            | Command::Close { .. } => {}
        }
    }

    /// The keys are pressed one after the other once the first prompt plays.
    fn key(&mut self) {
        let keys = std::mem::take(&mut self.keys);
        for (key, place) in keys.into_iter().zip(0..) {
            self.later(FIRST_KEY + NEXT_KEY * place, Due::Key(key));
        }
    }

    fn found(&mut self, query: &Query, finding: &Finding) {
        self.state = "finding";
        let asked = match query {
            Query::Code { code, .. } => format!("the store is asked for order {}", code.as_str()),
            Query::Party { .. } => "the store is asked for the caller's only live order".to_owned(),
            Query::Redial { .. } => "the store is asked who called the caller last".to_owned(),
            Query::Pair { .. } => "the store is asked for the caller's pair at this number".to_owned(),
            Query::Caller { .. } => "the store is asked whether the caller is blocked".to_owned(),
            Query::Permit { .. } => "the store is asked whether the other party may be called now".to_owned(),
            Query::Nothing => "nothing is looked up: the caller is locked out".to_owned(),
        };
        let answer = match finding {
            Finding::Nothing if matches!(query, Query::Pair { .. }) => "there is none",
            Finding::Nothing => "no live order",
            Finding::Several => "several live orders",
            Finding::Order(_) | Finding::Pair(_) => "found",
            Finding::Permitted => "nothing is against it",
            Finding::Forbidden(Forbidden::Blocked) => "blocked",
            Finding::Forbidden(Forbidden::Quiet) => "not at this hour",
            Finding::Forbidden(Forbidden::UsedUp) => "the order has had its calls",
            Finding::Failed => "the store failed",
        };
        self.say(format!("{asked}: {answer}"), None);
    }

    fn notice(&mut self, what: Happening) {
        match what {
            Happening::Arrived { caller, .. } => {
                let known = if caller.is_some() { "can be told" } else { "cannot be told" };
                let trunk = &self.trunk;
                let what = format!("the call comes by trunk {trunk:?}; the caller's number {known}");
                self.say(what, None);
            }
            Happening::Asked => self.state = "asking",
            Happening::Code { found, .. } => {
                self.state = "matching";
                if found {
                    self.say("the order is live; is the caller one of its parties?".to_owned(), None);
                }
            }
            Happening::Matched { caller, .. } => {
                self.state = "matching";
                let (role, other) = (caller.word(), caller.other().word());
                self.say(format!("the caller is the {role}: the {other} will be called"), None);
            }
            Happening::Paired { caller, .. } => {
                self.state = "matching";
                self.say(format!("the caller is party {} of the pair", caller.word()), None);
            }
            Happening::Operator => self.say("the caller asked for the operator".to_owned(), None),
            Happening::Dialling { callee, number, shown } => {
                self.state = "dialling";
                self.dialled = Some(Dialled {
                    callee: callee.word().to_owned(),
                    number: number.map(|number| number.to_string()),
                    shown: shown.to_string(),
                    trunk: self.trunk.clone(),
                });
            }
            Happening::Originated { .. }
            | Happening::FirstAnswered { .. }
            | Happening::SecondAnswered { .. }
            | Happening::Ringing
            | Happening::Bridged
            | Happening::Restored(_)
            | Happening::HookFailed { .. }
            | Happening::RecordingPaused
            | Happening::RecordingResumed
            | Happening::Ended { .. } => {}
        }
    }
}
