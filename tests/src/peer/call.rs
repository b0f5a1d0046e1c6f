//! One dialog of a peer (RFC 3261 §12), moved on by the test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::message::{self, Message};
use super::{Shared, session};
use super::{media::Media, session::Voice};
use crate::wait;

/// What to dial and how.
#[derive(Debug, Clone)]
pub struct Dial {
    /// The number dialled, in digits.
    pub to: String,
    /// Our number, in digits; none: anonymous (RFC 3323 §4.1.1.3).
    pub from: Option<String>,
    /// Our voice.
    pub voice: Voice,
    /// Whether the INVITE carries an offer; else the answer to theirs goes into the ACK.
    pub offer: bool,
    /// More headers, whole lines.
    pub headers: Vec<String>,
}

impl Dial {
    /// A plain call from one number to another.
    #[must_use]
    pub fn new(from: &str, to: &str) -> Self {
        Self {
            to: to.to_owned(),
            from: Some(from.to_owned()),
            voice: Voice::default(),
            offer: true,
            headers: Vec::new(),
        }
    }

    /// A call without a number.
    #[must_use]
    pub fn anonymous(to: &str) -> Self {
        Self { from: None, ..Self::new("", to) }
    }
}

/// One dialog.
#[derive(Debug)]
pub struct Call {
    shared: Arc<Shared>,
    inbox: Receiver<Message>,
    /// The voice of this call.
    pub media: Media,
    voice: Voice,
    server: SocketAddr,
    call_id: String,
    /// Our side of From and To, with tag.
    local: String,
    /// Theirs; with tag once there is one.
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    branches: u32,
    version: u32,
    /// The INVITE received, until it is answered for good.
    pub invite: Option<Message>,
    /// What we asked and was not yet answered.
    pending: Option<Pending>,
    tag: String,
}

#[derive(Debug)]
struct Pending {
    method: String,
    branch: String,
    uri: String,
}

impl Call {
    pub(crate) fn dial(shared: &Arc<Shared>, server: SocketAddr, dial: &Dial) -> Self {
        let number = shared.next_call();
        let call_id = format!("canary-{}-{number}-{}", shared.name, std::process::id());
        let tag = format!("canary-{}-tag-{number}", shared.name);
        let host = shared.address.ip();
        let (display, uri) = match &dial.from {
            Some(from) => (format!("canary-{}", shared.name), format!("sip:+{from}@{}", shared.address)),
            None => ("Anonymous".to_owned(), "sip:anonymous@anonymous.invalid".to_owned()),
        };
        let target = format!("sip:+{}@{}", dial.to, server);
        let mut call = Self {
            inbox: shared.open_inbox(&call_id),
            media: Media::open(&shared.name, host, &shared.link),
            shared: Arc::clone(shared),
            voice: dial.voice.clone(),
            server,
            call_id,
            local: format!("\"{display}\" <{uri}>;tag={tag}"),
            remote: format!("<{target}>"),
            target,
            routes: Vec::new(),
            cseq: 0,
            branches: 0,
            version: 0,
            invite: None,
            pending: None,
            tag,
        };
        shared.keep_media(call.media.shared());
        let mut headers = dial.headers.clone();
        match &dial.from {
            Some(_) => headers.push(format!("P-Asserted-Identity: \"{display}\" <{uri}>")),
            None => headers.push("Privacy: id".to_owned()),
        }
        let body = if dial.offer { call.describe() } else { String::new() };
        call.ask("INVITE", &headers, &body);
        call
    }

    pub(crate) fn incoming(shared: &Arc<Shared>, invite: Message) -> Self {
        let number = shared.next_call();
        let tag = format!("canary-{}-tag-{number}", shared.name);
        let media = Media::open(&shared.name, shared.address.ip(), &shared.link);
        shared.keep_media(media.shared());
        let value =
            |name: &str| invite.header(name).unwrap_or_else(|| panic!("INVITE without {name}")).to_owned();
        Self {
            inbox: shared.open_inbox(invite.call_id()),
            media,
            shared: Arc::clone(shared),
            voice: Voice::default(),
            server: invite.from,
            call_id: invite.call_id().to_owned(),
            local: format!("{};tag={tag}", value("to")),
            remote: value("from"),
            target: invite.contact().expect("an INVITE has a Contact (RFC 3261 §8.1.1.8)").to_owned(),
            routes: invite.all("record-route").map(str::to_owned).collect(),
            cseq: 100,
            branches: 0,
            version: 0,
            invite: Some(invite),
            pending: None,
            tag,
        }
    }

    /// Speaks as told from the next description on.
    pub fn set_voice(&mut self, voice: Voice) {
        self.voice = voice;
    }

    /// Call-ID, as the other side knows it.
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    fn describe(&mut self) -> String {
        self.version += 1;
        self.voice.describe(&self.shared.name, self.version, self.media.address())
    }

    /// What this peer says of itself in every message.
    fn own(&self) -> Vec<String> {
        let name = &self.shared.name;
        let address = self.shared.address;
        let transport = if self.shared.wire.name() == "TCP" { ";transport=tcp" } else { "" };
        vec![
            format!(
                "Contact: \"canary-{name}\" <sip:canary-{name}@{address}{transport}>;+sip.instance=\"<urn:canary-{name}>\""
            ),
            format!("User-Agent: canary-{name}/1.0"),
            format!("Server: canary-{name}/1.0"),
            format!("Subject: canary-{name}"),
            format!("Organization: canary-{name}"),
            format!("Call-Info: <http://canary-{name}/card>;purpose=card"),
            format!("X-Origin: canary-{name}"),
            format!("Session-ID: canary-{name}"),
            format!("User-to-User: canary-{name};encoding=hex"),
            format!("P-Charging-Vector: icid-value=canary-{name};icid-generated-at={address}"),
            format!("Warning: 399 canary-{name} \"canary-{name}\""),
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE".to_owned(),
        ]
    }

    fn compose(
        &self,
        method: &str,
        uri: &str,
        branch: &str,
        cseq: u32,
        headers: &[String],
        body: &str,
    ) -> Vec<u8> {
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/{} {};rport;branch={branch}", self.shared.wire.name(), self.shared.address),
            format!("From: {}", self.local),
            format!("To: {}", self.remote),
            format!("Call-ID: {}", self.call_id),
            format!("CSeq: {cseq} {method}"),
            "Max-Forwards: 70".to_owned(),
        ];
        lines.extend(self.routes.iter().map(|route| format!("Route: {route}")));
        let text = lines.iter().map(|line| format!("{line}\r\n")).collect();
        message::finish(text, &[self.own().as_slice(), headers].concat(), body)
    }

    fn branch(&mut self) -> String {
        self.branches += 1;
        format!("z9hG4bK-canary-{}-{}-{}", self.shared.name, self.tag, self.branches)
    }

    /// Sends a request and remembers it until it is answered.
    fn ask(&mut self, method: &str, headers: &[String], body: &str) {
        self.cseq += 1;
        let branch = self.branch();
        let uri = self.target.clone();
        let bytes = self.compose(method, &uri, &branch, self.cseq, headers, body);
        self.shared.ask(self.server, method, &self.call_id, self.cseq, bytes);
        self.pending = Some(Pending { method: method.to_owned(), branch, uri });
    }

    /// The next message.
    fn next(&mut self, what: &str, patience: Duration) -> Message {
        self.inbox
            .recv_timeout(patience)
            .unwrap_or_else(|_| panic!("{} waited in vain for {what}", self.shared.name))
    }

    /// Waits for a response to what was asked, of at least this status; earlier ones are passed over. A final one
    /// other than 2xx to an INVITE is acknowledged.
    pub fn response(&mut self, least: u16) -> Message {
        let method = self.pending.as_ref().expect("something was asked").method.clone();
        let what = format!("a response of {least} or more to {method}");
        let response = loop {
            let message = self.next(&what, wait::LATER);
            if message.answers(&method) && message.status() >= Some(least) {
                break message;
            }
        };
        if response.status() >= Some(200) {
            let pending = self.pending.take().expect("something was asked");
            if method == "INVITE" && response.status() >= Some(300) {
                let tagged = response.header("to").expect("a response has To").to_owned();
                let ours = std::mem::replace(&mut self.remote, tagged);
                let ack = self.compose("ACK", &pending.uri, &pending.branch, self.cseq, &[], "");
                self.remote = ours;
                self.shared.acknowledge(&response, self.server, ack);
            }
        }
        response
    }

    /// Waits for 200 to our INVITE, acknowledges it and speaks.
    pub fn answered(&mut self) -> Message {
        let response = self.response(200);
        assert_eq!(response.status(), Some(200), "{}", response.start);
        self.establish(&response);
        let remote = session::read(&response.body).expect("audio is accepted");
        self.media.connect(remote);
        let body = if self.version == 0 { self.describe() } else { String::new() };
        let (branch, uri) = (self.branch(), self.target.clone());
        let ack = self.compose("ACK", &uri, &branch, self.cseq, &[], &body);
        self.shared.acknowledge(&response, self.server, ack);
        response
    }

    fn establish(&mut self, response: &Message) {
        assert!(response.to_tag().is_some(), "a 2xx has a To tag (RFC 3261 §12.1.1)");
        let known = self.remote.contains(";tag=");
        self.remote = response.header("to").expect("a response has To").to_owned();
        self.target = response.contact().expect("a 2xx has a Contact (RFC 3261 §12.1.1)").to_owned();
        // The route set stays what it was when the dialog began (RFC 3261 §12.2).
        if !known {
            self.routes = response.all("record-route").map(str::to_owned).collect();
            self.routes.reverse();
        }
    }

    /// Waits for the refusal of our INVITE and tells its status.
    pub fn refused(&mut self) -> u16 {
        let response = self.response(300);
        response.status().expect("a response has a status")
    }

    /// Asks something inside the dialog and waits for the final response.
    pub fn request(&mut self, method: &str, headers: &[String], body: &str) -> Message {
        self.ask(method, headers, body);
        self.response(200)
    }

    /// Offers our description anew and waits until it is accepted.
    pub fn reinvite(&mut self) -> Message {
        let body = self.describe();
        self.ask("INVITE", &[], &body);
        self.answered()
    }

    /// Moves to other ports, as a phone does that changes networks, and says so.
    pub fn move_voice(&mut self) -> Message {
        self.media = Media::open(&self.shared.name, self.shared.address.ip(), &self.shared.link);
        self.shared.keep_media(self.media.shared());
        self.reinvite()
    }

    /// Hangs up.
    ///
    /// # Panics
    /// If the other side does not say 200.
    pub fn hang_up(&mut self) {
        let reason = format!("Reason: Q.850;cause=16;text=\"canary-{}\"", self.shared.name);
        let response = self.request("BYE", &[reason], "");
        assert_eq!(response.status(), Some(200), "{}", response.start);
    }

    /// Gives up an unanswered INVITE (RFC 3261 §9.1). Tells how the INVITE ended.
    pub fn cancel(&mut self) -> u16 {
        let invite = self.pending.as_ref().expect("an INVITE is open");
        let cancel = self.compose("CANCEL", &invite.uri, &invite.branch, self.cseq, &[], "");
        self.shared.wire.send(self.server, &cancel);
        self.refused()
    }

    /// Answers the open INVITE with a provisional response.
    pub fn provisional(&mut self, status: &str) {
        let invite = self.invite.clone().expect("an INVITE is open");
        let response = invite.answered(status, Some(&self.tag), &self.own(), "");
        self.shared.respond(&invite, response);
    }

    /// Answers the open INVITE with a description, early or for good.
    pub fn accept(&mut self, status: &str) {
        let invite = self.invite.clone().expect("an INVITE is open");
        let remote = session::read(&invite.body).expect("audio is offered");
        self.media.connect(session::Remote { events: self.voice.events.and(remote.events), ..remote });
        // An answer keeps the offer's number for the same format (RFC 3264 §6.1).
        self.voice.events = self.voice.events.and(remote.events);
        let body = self.describe();
        let response = invite.answered(status, Some(&self.tag), &self.own(), &body);
        if status.starts_with('1') {
            self.shared.respond(&invite, response);
        } else {
            self.shared.conclude(&invite, response);
        }
    }

    /// Answers the call and waits until that is acknowledged.
    pub fn answer(&mut self) {
        self.accept("200 OK");
        self.await_ack();
    }

    /// Refuses the call and waits until that is acknowledged. Further headers are whole lines.
    pub fn refuse(&mut self, status: &str, headers: &[String]) {
        let invite = self.invite.clone().expect("an INVITE is open");
        let response =
            invite.answered(status, Some(&self.tag), &[self.own().as_slice(), headers].concat(), "");
        self.shared.conclude(&invite, response);
        self.await_ack();
    }

    /// Waits until the response that ended the open INVITE is acknowledged.
    pub fn await_ack(&mut self) {
        self.invite.take().expect("an INVITE was open");
        let ack = self.next("ACK", wait::SOON);
        assert!(ack.is_request("ACK"), "{} instead of ACK", ack.start);
    }

    /// Waits for a request of the other side.
    pub fn expect(&mut self, method: &str) -> Message {
        self.expect_within(method, wait::LATER)
    }

    /// Waits so long for a request of the other side.
    ///
    /// # Panics
    /// If another comes, or none.
    pub fn expect_within(&mut self, method: &str, patience: Duration) -> Message {
        let message = self.next(method, patience);
        assert!(message.is_request(method), "{} instead of {method}", message.start);
        message
    }

    /// Waits for BYE and answers it.
    pub fn expect_bye(&mut self) -> Message {
        let bye = self.expect("BYE");
        self.shared.respond(&bye, bye.answered("200 OK", None, &self.own(), ""));
        bye
    }

    /// Waits for CANCEL, answers it and ends the INVITE with 487.
    pub fn expect_cancel(&mut self) {
        let cancel = self.expect("CANCEL");
        self.shared.respond(&cancel, cancel.answered("200 OK", Some(&self.tag), &self.own(), ""));
        self.refuse("487 Request Terminated", &[]);
    }

    /// Answers the BYE of a fork of this call, whose To tag is not ours.
    pub fn end_fork(&mut self, tag: &str) {
        loop {
            let message = self.next("the BYE of a fork", wait::SOON);
            assert_eq!(message.to_tag(), Some(tag), "{}", message.start);
            if message.is_request("BYE") {
                self.shared.respond(&message, message.answered("200 OK", None, &[], ""));
                return;
            }
        }
    }

    /// Whether anything came that was not yet looked at.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.inbox.try_recv().is_ok()
    }
}
