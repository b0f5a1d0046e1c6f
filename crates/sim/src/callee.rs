//! A phone that is called through the trunk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use sip::{Message, Method, Request};

use crate::caller::port;
use crate::dialog::{Act, Dialog, Voice};

/// What a callee does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// Rings, then answers after this long.
    Answer(Duration),
    /// Answers without ringing, with early media before (183), so long after it.
    Progress(Duration),
    /// Rings, then refuses with this status after this long.
    Refuse(Duration, u16),
    /// Rings for ever.
    Ring,
    /// Says nothing at all.
    Silent,
    /// Does not ring: refuses with this status at once.
    Reject(u16),
    /// Says that it has the call (100), and answers after this long without ringing.
    Hesitate(Duration),
    /// Rings; answers 200 to the INVITE when CANCEL comes.
    AnswerOnCancel,
    /// Two phones behind a fork: both answer, the second so long after the first.
    Fork(Duration),
    /// As above, and each sends early media of its own before, the second after the first.
    ForkEarly(Duration),
    /// Says these one after the other, a second between them, each reliable one until it is acknowledged (RFC 3262), and then
    /// does the last.
    Stages(&'static [Stage], Last),
}

/// One provisional response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// 101 to 199.
    pub status: u16,
    /// Whether it must be acknowledged.
    pub reliable: bool,
    /// The session it describes.
    pub early: Early,
    /// An UPDATE that offers follows at once.
    pub update: bool,
}

/// Which session a provisional response describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Early {
    /// None.
    No,
    /// That of the answer.
    Answer,
    /// One at another port.
    Elsewhere,
    /// One in which nothing is said.
    Hushed,
}

/// How a callee that goes by stages ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// It answers.
    Answer,
    /// It refuses with this status.
    Refuse(u16),
    /// It goes on ringing.
    Ring,
    /// It goes on ringing, and answers as it is cancelled.
    AnswerOnCancel,
}

/// What a callee will do.
#[derive(Debug, Clone)]
pub struct CalleePlan {
    /// What it does with the call.
    pub reaction: Reaction,
    /// Whether it sends and takes telephone-events; otherwise its keys are tones in its audio.
    pub events: bool,
    /// How its descriptions have its voice.
    pub voice: Voice,
    /// Keys pressed, counted from the first thing it hears.
    pub keys: Vec<(Duration, char)>,
    /// What it does, counted from its answer.
    pub acts: Vec<(Duration, Act)>,
}

impl CalleePlan {
    /// Reacts, and leaves it to the caller to hang up.
    #[must_use]
    pub fn new(reaction: Reaction) -> Self {
        Self { reaction, events: true, voice: Voice::Plain, keys: Vec::new(), acts: Vec::new() }
    }

    /// Does this, so long after its answer.
    #[must_use]
    pub fn doing(mut self, after: Duration, act: Act) -> Self {
        self.acts.push((after, act));
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Answer,
    Refuse(u16),
    Stage(usize),
    Act(Act),
}

#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) plan: CalleePlan,
    pub(crate) dialog: Dialog,
    invite: Option<Request>,
    answered: bool,
    due: BTreeMap<(Instant, usize), Due>,
    pub(crate) their_port: Option<u16>,
    /// The second phone of a fork, once it answers.
    fork: bool,
}

impl Callee {
    pub(crate) fn new(plan: CalleePlan, here: SocketAddr, mark: &str, invite: &Request, media: u16) -> Self {
        let headers = invite.headers();
        let number = headers.to().uri().user().unwrap_or_default().to_owned();
        let mut dialog = Dialog::new(here, mark, &number, headers.call_id().to_owned(), media);
        headers.from().tag().unwrap_or_default().clone_into(&mut dialog.remote);
        dialog.events = plan.events;
        dialog.voice = plan.voice;
        if let Some(contact) = headers.contact() {
            contact.uri().as_str().clone_into(&mut dialog.target);
        }
        Self {
            plan,
            dialog,
            invite: None,
            answered: false,
            due: BTreeMap::new(),
            their_port: None,
            fork: false,
        }
    }

    /// As the second phone of a fork.
    pub(crate) fn forked(mut self, after: Duration) -> Self {
        self.fork = true;
        self.dialog.local += "-fork";
        let early = matches!(self.plan.reaction, Reaction::ForkEarly(_));
        self.plan = CalleePlan::new(if early { Reaction::Progress(after) } else { Reaction::Answer(after) });
        self
    }

    /// Whether a message of this dialog is for this phone, not for the other one behind a fork.
    pub(crate) fn owns(&self, message: &Message) -> bool {
        let headers = message.headers();
        let ours = match message {
            Message::Request(_) => headers.to().tag(),
            Message::Response(_) => headers.from().tag(),
        };
        ours.is_none_or(|tag| tag == self.dialog.local)
    }

    pub(crate) fn hear(&mut self, now: Instant, message: &Message, out: &mut Vec<Bytes>) {
        match message {
            Message::Request(request) => self.request(now, request, out),
            Message::Response(response) => {
                self.dialog.response(response, out);
            }
        }
    }

    fn request(&mut self, now: Instant, request: &Request, out: &mut Vec<Bytes>) {
        let method = request.method();
        let begins = *method == Method::Invite && request.headers().to().tag().is_none();
        if self.dialog.again(request, out) {
            return;
        }
        if begins {
            // Said again while we say nothing, it is nothing new.
            if self.invite.is_none() {
                self.invited(now, request, out);
            }
        } else if *method == Method::Cancel {
            self.cancelled(now, request, out);
        } else {
            self.dialog.inside(now, request, out);
            if *method == Method::Ack && !self.answered {
                self.dialog.over = true;
            }
        }
    }

    fn invited(&mut self, now: Instant, request: &Request, out: &mut Vec<Bytes>) {
        self.their_port = port(request.body());
        let ring =
            |callee: &mut Self, out: &mut Vec<Bytes>| callee.dialog.answer(now, request, 180, None, out);
        match self.plan.reaction {
            Reaction::Answer(after) | Reaction::Fork(after) => {
                ring(self, out);
                let after = if matches!(self.plan.reaction, Reaction::Fork(_)) {
                    Duration::from_secs(1)
                } else {
                    after
                };
                self.due.insert((now + after, 0), Due::Answer);
            }
            Reaction::ForkEarly(_) => {
                let sdp = self.dialog.sdp("sendrecv");
                self.dialog.answer(now, request, 183, Some(&sdp), out);
                self.due.insert((now + Duration::from_millis(500), 0), Due::Answer);
            }
            Reaction::Stages(..) => {
                self.due.insert((now, 0), Due::Stage(0));
            }
            Reaction::Progress(after) => {
                let sdp = self.dialog.sdp("sendrecv");
                self.dialog.answer(now, request, 183, Some(&sdp), out);
                self.due.insert((now + after, 0), Due::Answer);
            }
            Reaction::Refuse(after, status) => {
                ring(self, out);
                self.due.insert((now + after, 0), Due::Refuse(status));
            }
            Reaction::Ring | Reaction::AnswerOnCancel => ring(self, out),
            Reaction::Silent => {}
            Reaction::Reject(status) => {
                self.due.insert((now, 0), Due::Refuse(status));
            }
            Reaction::Hesitate(after) => {
                self.dialog.answer(now, request, 100, None, out);
                self.due.insert((now + after, 0), Due::Answer);
            }
        }
        self.invite = Some(request.clone());
    }

    fn cancelled(&mut self, now: Instant, cancel: &Request, out: &mut Vec<Bytes>) {
        if self.plan.reaction == Reaction::Silent {
            return;
        }
        self.dialog.answer(now, cancel, 200, None, out);
        if self.answered || self.dialog.over {
            return;
        }
        self.due.clear();
        let answers = Reaction::AnswerOnCancel == self.plan.reaction
            || matches!(self.plan.reaction, Reaction::Stages(_, Last::AnswerOnCancel));
        if answers {
            self.answer(now, out);
        } else {
            self.refuse(now, 487, out);
        }
    }

    /// The next of its stages, or what comes after them.
    fn stage(&mut self, now: Instant, place: usize, out: &mut Vec<Bytes>) {
        let Reaction::Stages(stages, last) = self.plan.reaction else { return };
        if self.dialog.waits_for_prack() {
            self.due.insert((now + Duration::from_millis(100), 0), Due::Stage(place));
            return;
        }
        let Some(stage) = stages.get(place) else {
            return match last {
                Last::Answer => self.answer(now, out),
                Last::Refuse(status) => self.refuse(now, status, out),
                Last::Ring | Last::AnswerOnCancel => {}
            };
        };
        let Some(invite) = self.invite.clone() else { return };
        let port = self.dialog.media_port;
        let sdp = match stage.early {
            Early::No => None,
            Early::Answer => Some(self.dialog.sdp("sendrecv")),
            Early::Hushed => Some(self.dialog.sdp("inactive")),
            Early::Elsewhere => {
                self.dialog.media_port = port + 500;
                Some(self.dialog.sdp("sendrecv"))
            }
        };
        self.dialog.media_port = port;
        if stage.reliable {
            let number = u32::try_from(place).unwrap_or(0) + 100;
            self.dialog.answer_reliably(now, &invite, (stage.status, number), sdp.as_deref(), out);
        } else {
            self.dialog.answer(now, &invite, stage.status, sdp.as_deref(), out);
        }
        if stage.update {
            self.dialog.act(now, Act::Update, out);
        }
        self.due.insert((now + Duration::from_secs(1), 0), Due::Stage(place + 1));
    }

    fn answer(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        let Some(invite) = self.invite.clone() else { return };
        self.answered = true;
        self.dialog.confirmed = true;
        let sdp = self.dialog.sdp("sendrecv");
        self.dialog.answer(now, &invite, 200, Some(&sdp), out);
        for (place, (after, act)) in self.plan.acts.iter().enumerate() {
            self.due.insert((now + *after, place + 1), Due::Act(*act));
        }
    }

    fn refuse(&mut self, now: Instant, status: u16, out: &mut Vec<Bytes>) {
        if let Some(invite) = self.invite.clone() {
            self.dialog.answer(now, &invite, status, None, out);
        }
        self.answered = false;
        self.dialog.over = true;
    }

    pub(crate) fn act(&mut self, now: Instant, act: Act, out: &mut Vec<Bytes>) {
        if self.dialog.over || self.dialog.ended {
            return;
        }
        if self.answered {
            self.dialog.act(now, act, out);
        } else if act == Act::HangUp && self.plan.reaction != Reaction::Silent {
            self.due.clear();
            self.refuse(now, 603, out);
        }
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let own = self.due.keys().next().map(|(at, _)| *at);
        own.into_iter().chain(self.dialog.next_wake()).min()
    }

    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Bytes>) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Due::Answer => self.answer(now, out),
                Due::Stage(place) => self.stage(now, place, out),
                Due::Refuse(status) => self.refuse(now, status, out),
                Due::Act(act) => self.act(now, act, out),
            }
        }
        self.dialog.tick(now, out);
    }

    /// Whether nobody waits for this phone any more.
    pub(crate) fn is_over(&self) -> bool {
        let never_took_it = !self.answered
            && matches!(
                self.plan.reaction,
                Reaction::Silent
                    | Reaction::Ring
                    | Reaction::Refuse(..)
                    | Reaction::Reject(_)
                    | Reaction::AnswerOnCancel
                    | Reaction::Stages(..)
            );
        self.dialog.over || never_took_it || (self.fork && !self.answered)
    }
}
