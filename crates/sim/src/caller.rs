//! A phone that calls in through the trunk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use sip::{Message, Method, Request};

use crate::dialog::{Act, Dialog, Voice};

/// What a caller will do.
#[derive(Debug, Clone)]
pub struct CallerPlan {
    /// Whom it says it is: the user part of From.
    pub number: String,
    /// What it dials.
    pub to: String,
    /// Header lines of its INVITE besides the usual ones, each with its end.
    pub lines: String,
    /// Whether its INVITE offers; otherwise it answers in the ACK.
    pub offers: bool,
    /// Whether it sends and takes telephone-events; otherwise its keys are tones in its audio.
    pub events: bool,
    /// How its descriptions have its voice.
    pub voice: Voice,
    /// Whether it requires reliable provisional responses (RFC 3262).
    pub requires_reliable: bool,
    /// Whether it acknowledges.
    pub acknowledges: bool,
    /// Keys pressed, counted from the first prompt it hears.
    pub keys: Vec<(Duration, char)>,
    /// What it does, counted from its INVITE.
    pub acts: Vec<(Duration, Act)>,
}

impl CallerPlan {
    /// Dials, offers, keys these digits 300 ms apart from a second into the first prompt.
    #[must_use]
    pub fn keying(number: &str, to: &str, digits: &str) -> Self {
        let at = |place: u32| Duration::from_secs(1) + Duration::from_millis(300) * place;
        Self {
            number: number.to_owned(),
            to: to.to_owned(),
            lines: String::new(),
            offers: true,
            requires_reliable: false,
            events: true,
            voice: Voice::Plain,
            acknowledges: true,
            keys: digits.chars().zip(0..).map(|(key, place)| (at(place), key)).collect(),
            acts: Vec::new(),
        }
    }

    /// With this header line in its INVITE.
    #[must_use]
    pub fn saying(mut self, line: &str) -> Self {
        self.lines += &format!("{line}\r\n");
        self
    }

    /// Does this, so long after its INVITE.
    #[must_use]
    pub fn doing(mut self, after: Duration, act: Act) -> Self {
        self.acts.push((after, act));
        self
    }
}

#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) plan: CallerPlan,
    pub(crate) dialog: Dialog,
    due: BTreeMap<(Instant, usize), Act>,
    invite_branch: String,
    rung: bool,
    /// It wants to end but got no response yet: CANCEL must wait (RFC 3261 §9.1).
    leaving: bool,
    cancelled: bool,
    /// Where our media goes, by the answer.
    pub(crate) their_port: Option<u16>,
    pub(crate) status: Option<u16>,
}

impl Caller {
    pub(crate) fn new(plan: CallerPlan, here: SocketAddr, mark: &str, call_id: String, media: u16) -> Self {
        let mut dialog = Dialog::new(here, mark, &plan.number, call_id, media);
        dialog.target = format!("sip:{}@198.51.100.1:5060", plan.to);
        dialog.events = plan.events;
        dialog.voice = plan.voice;
        Self {
            plan,
            dialog,
            due: BTreeMap::new(),
            invite_branch: String::new(),
            rung: false,
            leaving: false,
            cancelled: false,
            their_port: None,
            status: None,
        }
    }

    pub(crate) fn begin(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        for (place, (after, act)) in self.plan.acts.iter().enumerate() {
            self.due.insert((now + *after, place), *act);
        }
        let sdp = self.dialog.sdp("sendrecv");
        let body = self.plan.offers.then_some(("application/sdp", sdp.as_str()));
        let reliable = if self.plan.requires_reliable {
            "Require: 100rel\r\nSupported: timer, replaces\r\n"
        } else {
            "Supported: 100rel, timer, replaces\r\n"
        };
        let lines = format!("{reliable}{}", self.plan.lines);
        self.dialog.request(now, &Method::Invite, &lines, body, out);
        if let Some(Ok(Message::Request(request))) = out.last().map(|bytes| sip::parse(bytes.clone())) {
            request.headers().via().branch().unwrap_or_default().clone_into(&mut self.invite_branch);
        }
    }

    pub(crate) fn hear(&mut self, now: Instant, message: &Message, out: &mut Vec<Bytes>) {
        match message {
            Message::Request(request) => self.request(now, request, out),
            Message::Response(response) => {
                let before = out.len();
                let invite = response.headers().cseq().method == Method::Invite;
                let first = self.dialog.response(response, out);
                if invite && response.status().code() < 200 {
                    self.rung = true;
                    self.dialog.acknowledge_reliable(now, response, out);
                }
                let answered =
                    invite && response.status().code() == 200 && response.headers().cseq().number == 1;
                if answered && !self.plan.acknowledges {
                    out.truncate(before);
                }
                if first && invite {
                    self.status = self.status.or(Some(response.status().code()));
                }
                if self.leaving {
                    self.leave(now, out);
                }
            }
        }
    }

    fn request(&mut self, now: Instant, request: &Request, out: &mut Vec<Bytes>) {
        if !self.dialog.again(request, out) {
            self.dialog.inside(now, request, out);
        }
    }

    pub(crate) fn act(&mut self, now: Instant, act: Act, out: &mut Vec<Bytes>) {
        if self.dialog.over || self.dialog.ended {
            return;
        }
        if act == Act::HangUp {
            self.leaving = true;
            self.leave(now, out);
        } else if self.dialog.confirmed {
            self.dialog.act(now, act, out);
        }
    }

    fn leave(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        if self.dialog.over || self.dialog.ended {
            return;
        }
        if self.dialog.confirmed {
            self.dialog.act(now, Act::HangUp, out);
        } else if self.rung && !self.cancelled && self.dialog.waits_for(&Method::Invite) {
            self.cancelled = true;
            let uri = format!("sip:{}@198.51.100.1:5060", self.plan.to);
            out.push(self.dialog.cancel(&uri, &self.invite_branch));
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let own = self.due.keys().next().map(|(at, _)| *at);
        own.into_iter().chain(self.dialog.next_wake()).min()
    }

    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let act = entry.remove();
            self.act(now, act, out);
        }
        self.dialog.tick(now, out);
    }
}

/// The audio port of a session description.
pub(crate) fn port(sdp: &[u8]) -> Option<u16> {
    let text = String::from_utf8_lossy(sdp);
    let line = text.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    line.split(' ').next()?.parse().ok()
}
