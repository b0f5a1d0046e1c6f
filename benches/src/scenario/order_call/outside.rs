//! All that is around the switchboard in one call: the carrier with both phones behind it, the store, the relay.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use b2bua::{CallId, Code, Finding, Input, Order, Output, Party};
use bytes::Bytes;
use number::Number;
use rtp::{Command, PlayId, Report, SessionId, Statistics};
use sip::{Compose, Flow, Message, Method, Name, Request, Response, Status, Transport};

pub(super) const CARRIER: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 5060));
const SWITCHBOARD: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 4), 5060));
pub(super) const LINE: &str = "+74950000001";
const COURIER: &str = "+79991112233";
const CLIENT: &str = "+79992222222";
const CODE: &str = "12345";

/// The courier's INVITE; what tells one call from another is put in its place.
const INVITE: &str = include_str!("../../../messages/invite.sip");
const INVITE_BRANCH: &str = "3f1c5e7a9b2d4c60";
const INVITE_TAG: &str = "8f14e45fceea167a";
const INVITE_CALL_ID: &str = "2f7d1c9b-5e3a-4b86-9d0f-6a1e8c4b7d35";

/// What the client's phone answers.
const DESCRIPTION: &[u8] = b"v=0\r\no=- 1700000001 1 IN IP4 203.0.113.21\r\ns=-\r\nc=IN IP4 203.0.113.21\r\nt=0 0\r\n\
m=audio 30500 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
a=sendrecv\r\n";

/// One thing that happens to the switchboard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Invite,
    Begun,
    /// Nothing is against the caller, or the party who is called.
    Permitted,
    Ack,
    Digit(char),
    Found,
    Ringing,
    Answer,
    Whispered,
    Bye,
    ByeAnswered,
    CallerClosed,
    CalleeClosed,
    Recorded,
}

/// A call from its INVITE to its record.
pub(super) const STEPS: [Step; 19] = [
    Step::Invite,
    Step::Begun,
    Step::Permitted,
    Step::Ack,
    Step::Digit('1'),
    Step::Digit('2'),
    Step::Digit('3'),
    Step::Digit('4'),
    Step::Digit('5'),
    Step::Found,
    Step::Permitted,
    Step::Ringing,
    Step::Answer,
    Step::Whispered,
    Step::Bye,
    Step::ByeAnswered,
    Step::CallerClosed,
    Step::CalleeClosed,
    Step::Recorded,
];

/// One call as seen from outside: what the switchboard said that must be echoed.
#[derive(Debug)]
pub(super) struct Outside {
    place: usize,
    call: Option<CallId>,
    /// The caller's session, then the callee's.
    sessions: Vec<SessionId>,
    /// What the callee hears before the two are joined.
    whisper: Option<PlayId>,
    /// The 200 to the caller's INVITE.
    answer: Option<Response>,
    /// The INVITE to the callee.
    invite: Option<Request>,
    /// The BYE to the callee.
    bye: Option<Request>,
    bridges: usize,
    records: usize,
}

impl Outside {
    pub(super) fn new(place: usize) -> Self {
        Self {
            place,
            call: None,
            sessions: Vec::new(),
            whisper: None,
            answer: None,
            invite: None,
            bye: None,
            bridges: 0,
            records: 0,
        }
    }

    /// What happens next.
    pub(super) fn say(&self, step: Step) -> Input {
        let closed = |session| Input::Report(Report::Closed { session, statistics: Statistics::default() });
        match step {
            Step::Invite => message(self.courier_invites().into()),
            Step::Begun => Input::Begun { call: self.call(), kept: true },
            Step::Permitted => Input::Found { call: self.call(), finding: Finding::Permitted },
            Step::Ack => message(self.courier_requests("ACK", 1)),
            Step::Digit(digit) => Input::Report(Report::Digit { session: self.caller(), digit }),
            Step::Found => Input::Found { call: self.call(), finding: Finding::Order(Box::new(order())) },
            Step::Ringing => message(self.client_answers(self.invite.as_ref(), Status::RINGING).end()),
            Step::Answer => {
                let answer = self.client_answers(self.invite.as_ref(), Status::OK);
                message(answer.body("application/sdp", DESCRIPTION))
            }
            Step::Whispered => {
                let play = self.whisper.expect("the callee hears who calls");
                Input::Report(Report::Finished { session: self.callee(), play })
            }
            Step::Bye => message(self.courier_requests("BYE", 2)),
            Step::ByeAnswered => message(self.client_answers(self.bye.as_ref(), Status::OK).end()),
            Step::CallerClosed => closed(self.caller()),
            Step::CalleeClosed => closed(self.callee()),
            Step::Recorded => Input::Report(Report::Recorded { session: self.caller(), fault: None }),
        }
    }

    /// What the switchboard says to it.
    pub(super) fn hear(&mut self, output: Output) {
        match output {
            Output::Send { bytes, .. } => match sip::parse(bytes).expect("what we write can be read") {
                Message::Request(request) if *request.method() == Method::Invite => {
                    self.invite = Some(request);
                }
                Message::Request(request) if *request.method() == Method::Bye => self.bye = Some(request),
                Message::Response(response) if response.headers().cseq().method == Method::Invite => {
                    self.answer = Some(response);
                }
                Message::Request(_) | Message::Response(_) => {}
            },
            Output::Media { command, .. } => self.command(&command),
            Output::Checkpoint(kept) => self.call = Some(kept.record.call),
            Output::Record(_) => self.records += 1,
            Output::Fault(fault) => panic!("{fault:?}"),
            Output::Find { .. }
            | Output::Verify { .. }
            | Output::Consult(_)
            | Output::Uncalled { .. }
            | Output::Tallied(_)
            | Output::PairCalled { .. }
            | Output::Heard(_)
            | Output::Leg { .. }
            | Output::Called { .. }
            | Output::Notice(_)
            | Output::Trunk(_)
            | Output::Shedding(_)
            | Output::Counted(_) => {}
        }
    }

    /// That it was a whole call, with nothing missing and nothing twice.
    pub(super) fn assert_complete(&self) {
        assert_eq!((self.sessions.len(), self.bridges, self.records), (2, 1, 1), "{self:?}");
    }

    fn command(&mut self, command: &Command) {
        match command {
            Command::Open { session, .. } => self.sessions.push(*session),
            Command::Play { session, play, .. } if self.sessions.get(1) == Some(session) => {
                self.whisper = Some(*play);
            }
            Command::Bridge { .. } => self.bridges += 1,
            Command::Play { .. }
            | Command::Update { .. }
            | Command::Stop { .. }
            | Command::Unbridge { .. }
            | Command::Record { .. }
            | Command::PauseRecording { .. }
            | Command::Press { .. }
            | Command::Close { .. } => {}
        }
    }

    fn call(&self) -> CallId {
        self.call.expect("the call has begun")
    }

    fn caller(&self) -> SessionId {
        self.sessions[0]
    }

    fn callee(&self) -> SessionId {
        self.sessions[1]
    }

    /// What the courier's phone chose, different in each call.
    fn own(&self, chosen: &str) -> String {
        format!("{}{:02}", &chosen[..chosen.len() - 2], self.place)
    }

    fn courier_invites(&self) -> String {
        [INVITE_BRANCH, INVITE_TAG, INVITE_CALL_ID]
            .into_iter()
            .fold(INVITE.to_owned(), |text, chosen| text.replace(chosen, &self.own(chosen)))
    }

    /// A request inside the dialog that the 200 made.
    fn courier_requests(&self, method: &str, cseq: u32) -> Bytes {
        let headers = self.answer.as_ref().expect("the courier's INVITE was answered").headers();
        let line = |name| String::from_utf8_lossy(headers.first(name).unwrap_or_default());
        let contact = headers.contact().expect("a 200 to INVITE names a contact");
        let (target, from, to, call_id) =
            (contact.uri().as_str(), line(Name::From), line(Name::To), headers.call_id());
        Bytes::from(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};branch=z9hG4bK-{method}-{branch};rport\r\n\
             Max-Forwards: 67\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             User-Agent: SBC\r\nContent-Length: 0\r\n\r\n",
            branch = self.own(INVITE_BRANCH),
        ))
    }

    fn client_answers(&self, request: Option<&Request>, status: Status) -> Compose {
        let request = request.expect("the client's phone was sent the request");
        Compose::answer(request, status, Some(&self.own("c9f0f895fb98ab91")), SWITCHBOARD)
            .header(Name::Contact, format_args!("<sip:{CARRIER}>"))
            .header(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO")
            .header(Name::Server, "SBC")
    }
}

fn order() -> Order {
    let party = |text| Party { number: Number::parse(text).expect("parties have numbers"), language: None };
    let code = Code::parse(CODE).expect("five digits are a code");
    Order { code, courier: party(COURIER), client: party(CLIENT), data: None }
}

fn message(bytes: Bytes) -> Input {
    let flow = Flow { listener: 0, transport: Transport::Udp, peer: CARRIER, connection: None };
    Input::Message { flow, bytes }
}
