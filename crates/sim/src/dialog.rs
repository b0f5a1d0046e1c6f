//! One side of a dialog as a plain phone keeps it: what it retransmits, what it answers, when it hangs up. Written apart from
//! the user agent under test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use sip::{Method, Name, Request, Response};

const T1: Duration = Duration::from_millis(500);
const T2: Duration = Duration::from_secs(4);

/// What a phone does of its own will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// BYE, or CANCEL before the answer.
    HangUp,
    /// A re-INVITE that offers.
    Reinvite,
    /// A re-INVITE that offers voice in the clear.
    ReinviteInTheClear,
    /// A re-INVITE that holds.
    Hold,
    /// A re-INVITE without an offer.
    ReinviteLate,
    /// An UPDATE that offers.
    Update,
    /// A transfer (REFER).
    Refer,
    /// A key by INFO.
    Info(char),
    /// An OPTIONS inside the dialog.
    Options,
    /// Its battery is empty: not a word more.
    Vanish,
}

/// How a phone's descriptions have its voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// In the clear.
    Plain,
    /// In the clear, with a key beside (RFC 8643).
    Beside,
    /// Encrypted (RFC 4568).
    Encrypted,
    /// Encrypted, by a key that cannot be used.
    Unusable,
}

/// What a phone says and where its dialog stands.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) here: SocketAddr,
    /// Marks planted in everything this phone sends.
    pub(crate) mark: String,
    pub(crate) number: String,
    pub(crate) call_id: String,
    pub(crate) local: String,
    pub(crate) remote: String,
    pub(crate) target: String,
    pub(crate) cseq: u32,
    branches: u32,
    pub(crate) media_port: u16,
    /// Requests without a final response, by branch.
    pending: BTreeMap<String, Pending>,
    /// Our answers by branch and method, to be said again.
    answered: BTreeMap<(String, String), Bytes>,
    /// Our INVITE responses that wait for an ACK, by CSeq.
    unacknowledged: BTreeMap<u32, Pending>,
    /// Provisional responses of ours that wait for a PRACK, by RSeq.
    reliable: BTreeMap<u32, Pending>,
    /// The RSeq that was acknowledged last.
    rseq: Option<u32>,
    /// ACKs by CSeq, for 2xx that come again.
    acks: BTreeMap<u32, Bytes>,
    /// Both sides have agreed to end.
    pub(crate) over: bool,
    /// A BYE was sent or answered.
    pub(crate) ended: bool,
    pub(crate) confirmed: bool,
    /// It says nothing any more.
    vanished: bool,
    /// Its descriptions have telephone-events.
    pub(crate) events: bool,
    /// How its descriptions have its voice.
    pub(crate) voice: Voice,
}

#[derive(Debug, Clone)]
struct Pending {
    bytes: Bytes,
    at: Instant,
    interval: Duration,
    until: Instant,
    method: Method,
    answered: bool,
}

impl Dialog {
    pub(crate) fn new(here: SocketAddr, mark: &str, number: &str, call_id: String, media_port: u16) -> Self {
        Self {
            here,
            mark: mark.to_owned(),
            number: number.to_owned(),
            local: format!("tag-{mark}-{call_id}"),
            call_id,
            remote: String::new(),
            target: String::new(),
            cseq: 0,
            branches: 0,
            media_port,
            pending: BTreeMap::new(),
            answered: BTreeMap::new(),
            unacknowledged: BTreeMap::new(),
            reliable: BTreeMap::new(),
            rseq: None,
            acks: BTreeMap::new(),
            over: false,
            ended: false,
            confirmed: false,
            vanished: false,
            events: true,
            voice: Voice::Plain,
        }
    }

    pub(crate) fn branch(&mut self) -> String {
        self.branches += 1;
        let own = self.local.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!("z9hG4bK-{own}-{}", self.branches)
    }

    /// The lines that every message of this phone carries: its marks.
    pub(crate) fn marks(&self) -> String {
        let mark = &self.mark;
        format!(
            "User-Agent: {mark} Phone 1.0\r\nX-{mark}: {mark}\r\nSubject: {mark}\r\nOrganization: {mark}\r\n\
             Call-Info: <http://{mark}.example/card>\r\nReply-To: <sip:{mark}@{mark}.example>\r\n\
             Diversion: <sip:{mark}@{mark}.example>;reason=unconditional\r\nSession-ID: {mark}\r\n"
        )
    }

    pub(crate) fn sdp(&self, direction: &str) -> String {
        self.sdp_with(self.voice, direction)
    }

    fn sdp_with(&self, voice: Voice, direction: &str) -> String {
        // Forty letters of the mark are a key as good as any.
        let key: String = self.mark.chars().filter(char::is_ascii_alphanumeric).cycle().take(40).collect();
        let line = |rest| format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}{rest}\r\n");
        let (transport, crypto) = match voice {
            Voice::Plain => ("RTP/AVP", String::new()),
            Voice::Beside => ("RTP/AVP", line("")),
            Voice::Encrypted => ("RTP/SAVP", line("")),
            Voice::Unusable => ("RTP/SAVP", line("|2^20|1:4")),
        };
        let (ip, port, mark) = (self.here.ip(), self.media_port, &self.mark);
        let family = if ip.is_ipv6() { "IP6" } else { "IP4" };
        let (event_type, events) = if self.events {
            (" 101", "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n")
        } else {
            ("", "")
        };
        format!(
            "v=0\r\no={mark} 77 1 IN {family} {ip}\r\ns={mark}\r\ni={mark}\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
             a=tool:{mark}\r\nm=audio {port} {transport} 8 0{event_type}\r\na=rtpmap:8 PCMA/8000\r\n\
             {events}{crypto}a=ssrc:1 cname:{mark}\r\na={direction}\r\n"
        )
    }

    /// A request of ours, sent again until it is answered.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        method: &Method,
        extra: &str,
        body: Option<(&str, &str)>,
        out: &mut Vec<Bytes>,
    ) {
        self.cseq += 1;
        let branch = self.branch();
        let bytes = self.write(method, self.cseq, &branch, extra, body);
        let pending = Pending {
            bytes: bytes.clone(),
            at: now + T1,
            interval: T1,
            until: now + T1 * 64,
            method: method.clone(),
            answered: false,
        };
        self.pending.insert(branch, pending);
        out.push(bytes);
    }

    pub(crate) fn write(
        &self,
        method: &Method,
        cseq: u32,
        branch: &str,
        extra: &str,
        body: Option<(&str, &str)>,
    ) -> Bytes {
        let (here, number, marks) = (self.here, &self.number, self.marks());
        let (kind, body) = body.unwrap_or(("", ""));
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let (method, target, local, remote, call_id) =
            (method.as_str(), &self.target, &self.local, &self.remote, &self.call_id);
        let remote_tag = if remote.is_empty() { String::new() } else { format!(";tag={remote}") };
        Bytes::from(format!(
            "{method} {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch={branch};rport\r\nMax-Forwards: 70\r\n\
             From: \"{mark}\" <sip:{number}@{here}>;tag={local}\r\nTo: <{target}>{remote_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:{mark}@{here}>;+sip.instance=\"{mark}\"\r\n\
             {marks}{extra}{kind}Content-Length: {}\r\n\r\n{body}",
            body.len(),
            mark = self.mark,
        ))
    }

    /// The CANCEL of the first INVITE, whose URI, branch and number it has, and no tag of theirs (RFC 3261 §9.1).
    pub(crate) fn cancel(&mut self, uri: &str, branch: &str) -> Bytes {
        let remote = std::mem::take(&mut self.remote);
        let target = std::mem::replace(&mut self.target, uri.to_owned());
        let bytes = self.write(&Method::Cancel, 1, branch, "", None);
        (self.remote, self.target) = (remote, target);
        bytes
    }

    /// The body and type of an act that offers.
    pub(crate) fn act(&mut self, now: Instant, act: Act, out: &mut Vec<Bytes>) {
        const SDP: &str = "application/sdp";
        match act {
            Act::HangUp => {
                self.ended = true;
                self.request(now, &Method::Bye, "", None, out);
            }
            Act::Reinvite => {
                let sdp = self.sdp("sendrecv");
                self.request(now, &Method::Invite, "", Some((SDP, &sdp)), out);
            }
            Act::ReinviteInTheClear => {
                let sdp = self.sdp_with(Voice::Plain, "sendrecv");
                self.request(now, &Method::Invite, "", Some((SDP, &sdp)), out);
            }
            Act::Hold => {
                let sdp = self.sdp("sendonly");
                self.request(now, &Method::Invite, "", Some((SDP, &sdp)), out);
            }
            Act::ReinviteLate => self.request(now, &Method::Invite, "", None, out),
            Act::Update => {
                let sdp = self.sdp("sendrecv");
                self.request(now, &Method::Update, "", Some((SDP, &sdp)), out);
            }
            Act::Refer => {
                self.request(
                    now,
                    &Method::Refer,
                    "Refer-To: <sip:+79990000000@elsewhere.example>\r\n",
                    None,
                    out,
                );
            }
            Act::Info(key) => {
                let body = format!("Signal={key}\r\nDuration=160\r\n");
                self.request(now, &Method::Info, "", Some(("application/dtmf-relay", &body)), out);
            }
            Act::Vanish => {
                self.vanished = true;
                self.over = true;
                self.pending.clear();
                self.unacknowledged.clear();
                self.reliable.clear();
            }
            Act::Options => self.request(now, &Method::Options, "", None, out),
        }
    }

    /// Whether a request of this method still waits for its final response.
    pub(crate) fn waits_for(&self, method: &Method) -> bool {
        self.pending.values().any(|pending| pending.method == *method)
    }

    /// A response: whether it is the first final one to a request of ours.
    pub(crate) fn response(&mut self, response: &Response, out: &mut Vec<Bytes>) -> bool {
        let headers = response.headers();
        let branch = headers.via().branch().unwrap_or_default().to_owned();
        let (code, cseq) = (response.status().code(), headers.cseq().number);
        let invite = headers.cseq().method == Method::Invite;
        if code < 200 {
            if let Some(pending) = self.pending.get_mut(&branch) {
                pending.answered = true;
            }
            return false;
        }
        if invite {
            self.acknowledge(response, &branch, out);
        }
        let first = self.pending.remove(&branch).is_some();
        if first && headers.cseq().method == Method::Bye {
            self.over = true;
        }
        if first && invite && code >= 300 && !self.confirmed {
            self.over = true;
        }
        let _ = cseq;
        first
    }

    fn acknowledge(&mut self, response: &Response, branch: &str, out: &mut Vec<Bytes>) {
        let (code, cseq) = (response.status().code(), response.headers().cseq().number);
        if let Some(ack) = self.acks.get(&cseq).filter(|_| code < 300) {
            out.push(ack.clone());
            return;
        }
        if code < 300 {
            let tag = response.headers().to().tag().unwrap_or_default().to_owned();
            self.remote = tag;
            if let Some(contact) = response.headers().contact() {
                self.target = contact.uri().as_str().to_owned();
            }
            let late = !self.acks.contains_key(&cseq) && self.offered_nothing(branch);
            let branch = self.branch();
            let sdp = self.sdp("sendrecv");
            let body = (late && !response.body().is_empty()).then_some(("application/sdp", sdp.as_str()));
            let ack = self.write(&Method::Ack, cseq, &branch, "", body);
            self.acks.insert(cseq, ack.clone());
            self.confirmed = true;
            out.push(ack);
        } else {
            // RFC 3261 §17.1.1.3: the ACK to a refusal has the INVITE's branch and the response's To.
            let to = response.headers().to().tag().unwrap_or_default().to_owned();
            let before = std::mem::replace(&mut self.remote, to);
            out.push(self.write(&Method::Ack, cseq, branch, "", None));
            self.remote = before;
        }
    }

    /// The PRACK to a reliable provisional response, in its turn (RFC 3262 §4).
    pub(crate) fn acknowledge_reliable(&mut self, now: Instant, response: &Response, out: &mut Vec<Bytes>) {
        let headers = response.headers();
        let Some(rseq) = headers.rseq().filter(|_| headers.has_token(Name::Require, "100rel")) else {
            return;
        };
        if self.rseq.is_some_and(|last| rseq != last + 1) {
            return;
        }
        self.rseq = Some(rseq);
        headers.to().tag().unwrap_or_default().clone_into(&mut self.remote);
        if let Some(contact) = headers.contact() {
            contact.uri().as_str().clone_into(&mut self.target);
        }
        let rack = format!("RAck: {rseq} {} INVITE\r\n", headers.cseq().number);
        self.request(now, &Method::Prack, &rack, None, out);
    }

    fn offered_nothing(&self, branch: &str) -> bool {
        self.pending.get(branch).is_some_and(|pending| pending.bytes.ends_with(b"\r\n\r\n"))
    }

    /// Our answer to a request, kept for its retransmissions. A final one to INVITE is said until the ACK.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        request: &Request,
        status: u16,
        sdp: Option<&str>,
        out: &mut Vec<Bytes>,
    ) {
        if status >= 200 && *request.method() == Method::Invite {
            // A final response ends what waits for a PRACK (RFC 3262 §3).
            self.reliable.clear();
        }
        self.answer_with(now, request, (status, ""), sdp, out);
    }

    /// A provisional response that is said again until its PRACK comes.
    pub(crate) fn answer_reliably(
        &mut self,
        now: Instant,
        request: &Request,
        (status, rseq): (u16, u32),
        sdp: Option<&str>,
        out: &mut Vec<Bytes>,
    ) {
        self.answer_with(now, request, (status, &format!("Require: 100rel\r\nRSeq: {rseq}\r\n")), sdp, out);
        let bytes = out.last().cloned().unwrap_or_default();
        let until = now + T1 * 64;
        let method = Method::Prack;
        self.reliable
            .insert(rseq, Pending { bytes, at: now + T1, interval: T1, until, method, answered: false });
    }

    /// Whether something waits for a PRACK.
    pub(crate) fn waits_for_prack(&self) -> bool {
        !self.reliable.is_empty()
    }

    fn answer_with(
        &mut self,
        now: Instant,
        request: &Request,
        (status, lines): (u16, &str),
        sdp: Option<&str>,
        out: &mut Vec<Bytes>,
    ) {
        let headers = request.headers();
        let mut text = format!("SIP/2.0 {status} {}\r\n", self.mark);
        for via in headers.all(Name::Via) {
            text += &format!("Via: {}\r\n", String::from_utf8_lossy(via));
        }
        for route in headers.all(Name::RecordRoute) {
            text += &format!("Record-Route: {}\r\n", String::from_utf8_lossy(route));
        }
        let line = |name| String::from_utf8_lossy(headers.first(name).unwrap_or_default()).into_owned();
        let to = line(Name::To);
        let tag =
            if to.contains("tag=") || status == 100 { String::new() } else { format!(";tag={}", self.local) };
        // Who knows of session timers grants what is asked for, and leaves it to whoever asked (RFC 4028 §9).
        let session = match headers.session_expires().filter(|_| status == 200) {
            Some(asked) => format!("Session-Expires: {};refresher=uac\r\nRequire: timer\r\n", asked.seconds),
            None => String::new(),
        };
        let body = sdp.unwrap_or_default();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text += &format!(
            "From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:{mark}@{}>\r\n{}{lines}{session}{kind}\
             P-Asserted-Identity: <sip:{}@{mark}.example>\r\nContent-Length: {}\r\n\r\n{body}",
            line(Name::From),
            self.call_id,
            line(Name::CSeq),
            self.here,
            self.marks(),
            self.number,
            body.len(),
            mark = self.mark,
        );
        let bytes = Bytes::from(text);
        let branch = headers.via().branch().unwrap_or_default().to_owned();
        let method = request.method().clone();
        self.answered.insert((branch, method.as_str().to_owned()), bytes.clone());
        if method == Method::Invite && status >= 200 {
            let pending = Pending {
                bytes: bytes.clone(),
                at: now + T1,
                interval: T1,
                until: now + T1 * 64,
                method,
                answered: false,
            };
            self.unacknowledged.insert(headers.cseq().number, pending);
        }
        out.push(bytes);
    }

    /// A request that came before: what was answered then is said again.
    pub(crate) fn again(&self, request: &Request, out: &mut Vec<Bytes>) -> bool {
        let branch = request.headers().via().branch().unwrap_or_default().to_owned();
        let known = self.answered.get(&(branch, request.method().as_str().to_owned()));
        if self.vanished {
            return true;
        }
        out.extend(known.cloned());
        known.is_some()
    }

    /// What any phone answers inside a dialog. `false`: not a request for here.
    pub(crate) fn inside(&mut self, now: Instant, request: &Request, out: &mut Vec<Bytes>) {
        match request.method() {
            Method::Ack => {
                self.unacknowledged.remove(&request.headers().cseq().number);
            }
            Method::Bye => {
                self.ended = true;
                self.over = true;
                self.unacknowledged.clear();
                self.answer(now, request, 200, None, out);
            }
            Method::Invite => {
                let sdp = self.sdp("sendrecv");
                self.answer(now, request, 200, Some(&sdp), out);
            }
            Method::Prack => {
                let rack = request.headers().rack();
                let known = rack.is_some_and(|rack| self.reliable.remove(&rack.rseq).is_some());
                self.answer(now, request, if known { 200 } else { 481 }, None, out);
            }
            Method::Cancel
            | Method::Options
            | Method::Update
            | Method::Info
            | Method::Register
            | Method::Refer
            | Method::Subscribe
            | Method::Notify
            | Method::Message
            | Method::Publish
            | Method::Other(_) => self.answer(now, request, 200, None, out),
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let all = self.pending.values().chain(self.unacknowledged.values()).chain(self.reliable.values());
        all.map(|pending| pending.at.min(pending.until)).min()
    }

    /// Says again what nobody answered; gives up in the end, which ends the dialog.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        let mut given_up = false;
        for table in [
            &mut self.pending.values_mut().collect::<Vec<_>>(),
            &mut self.unacknowledged.values_mut().collect(),
            &mut self.reliable.values_mut().collect(),
        ] {
            for pending in table.iter_mut() {
                if now >= pending.until {
                    given_up = true;
                } else if now >= pending.at {
                    let quiet = pending.method == Method::Invite && pending.answered;
                    if !quiet {
                        out.push(pending.bytes.clone());
                    }
                    pending.interval = if quiet { T2 } else { T2.min(pending.interval * 2) };
                    pending.at = now + pending.interval;
                }
            }
        }
        if given_up {
            self.pending.retain(|_, pending| now < pending.until);
            self.reliable.retain(|_, pending| now < pending.until);
            let unheard = self.unacknowledged.len();
            self.unacknowledged.retain(|_, pending| now < pending.until);
            if unheard > self.unacknowledged.len() && !self.ended {
                self.act(now, Act::HangUp, out);
            } else if self.pending.is_empty() {
                self.over = true;
            }
        }
    }
}
