//! A caller's INVITE that waits for our decision (RFC 3261 §13.3.1). Its dialog is early as soon as we have said
//! something with our tag.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Name, Status};

use super::awaiting::Awaiting;
use super::pending::Pending;
use super::{Established, Input, Kept, Over, State, Upkeep, ordinary};
use crate::compose::Q850;
use crate::dialog::Dialog;
use crate::identity;
use crate::interface::{Ending, LegCommand, LegEvent, Letter, Refusal, TrunkId, Why};
use crate::place::Place;
use crate::screen::{Kind, RELIABLE};
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::wires::Wires;

/// How often a provisional response is said again, so that no proxy gives up (§13.3.1.1).
const REFRESH: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Offered {
    dialog: Dialog,
    invite: Pending,
    /// The last provisional response with our tag.
    said: Option<(Status, Bytes)>,
}

impl Offered {
    /// Takes a new INVITE from a trunk.
    pub(crate) fn begin(invite: Pending, trunk: TrunkId, place: Arc<Place>, wires: &mut Wires<'_>) -> State {
        wires.trying(&invite);
        let dialog = Dialog::answering(&invite.request, invite.tag, invite.flow, place, wires.chance);
        let incoming = identity::incoming(&invite.request, invite.description(), invite.flow, trunk);
        wires.say(LegEvent::Offered(Box::new(incoming)));
        State::Offered(Box::new(Self { dialog, invite, said: None }))
    }

    pub(crate) fn snapshot(&self, settings: &Settings) -> Snapshot {
        self.dialog.snapshot(Kept::default(), settings)
    }

    pub(crate) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Command(command) => self.command(command, wires),
            Input::Request(kind, request) => self.request(kind, &request, wires),
            Input::Cancel(transaction) if transaction == self.invite.transaction => {
                self.withdrawn(Ending::Cancelled, wires)
            }
            Input::Unanswerable(transaction) if transaction == self.invite.transaction => {
                self.quiet(wires);
                wires.ended(Ending::Unreachable);
                State::Gone
            }
            Input::Fired(Letter::Refresh1xx) => {
                if let Some((status, response)) = self.said.clone() {
                    self.provisional(status, response, wires);
                }
                State::Offered(self)
            }
            Input::ConnectionLost => {
                self.dialog.lose_connection();
                State::Offered(self)
            }
            Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(..)
            | Input::Unanswered(_)
            | Input::Settled
            | Input::Unanswerable(_)
            | Input::Fired(_) => State::Offered(self),
        }
    }

    fn command(mut self: Box<Self>, command: LegCommand, wires: &mut Wires<'_>) -> State {
        match command {
            LegCommand::Ring => {
                let response =
                    wires.description(&self.invite, Status::RINGING, self.dialog.place(), None, None);
                self.provisional(Status::RINGING, response, wires);
                State::Offered(self)
            }
            LegCommand::Progress(sdp) => {
                let status = Status::SESSION_PROGRESS;
                let response = wires.description(&self.invite, status, self.dialog.place(), Some(&sdp), None);
                self.provisional(status, response, wires);
                State::Offered(self)
            }
            LegCommand::Accept(sdp) => {
                self.quiet(wires);
                let invite = &self.invite;
                let mut upkeep = Upkeep::new(invite.request.headers(), sdp.clone(), invite.description());
                let granted = upkeep.grant(&invite.request, wires);
                let response =
                    wires.description(invite, Status::OK, self.dialog.place(), Some(&sdp), granted);
                let awaiting = Awaiting::begin(&self.invite, response, true, wires);
                Established::answered(self.dialog, awaiting, upkeep)
            }
            LegCommand::Refuse(refusal) => self.refuse(refusal, None, wires),
            LegCommand::End(why) => {
                let refusal = Refusal { status: why.status, retry_after: None };
                self.refuse(refusal, Some(why), wires)
            }
            LegCommand::Invite(_) => State::Offered(self),
        }
    }

    fn refuse(&self, refusal: Refusal, why: Option<Why>, wires: &mut Wires<'_>) -> State {
        self.quiet(wires);
        let status = refusing(refusal.status);
        let response = wires
            .answer(&self.invite, status)
            .maybe(Name::RetryAfter, refusal.retry_after)
            .maybe(Name::Reason, why.and_then(Q850::of))
            .end();
        wires.respond(&self.invite, status, response);
        wires.ended(Ending::Ordered);
        State::Gone
    }

    fn request(mut self: Box<Self>, kind: Kind, request: &Pending, wires: &mut Wires<'_>) -> State {
        if !self.dialog.follow(&request.request, request.flow, wires.place(request.flow)) {
            wires.reply(request, Status::SERVER_INTERNAL_ERROR);
            return State::Offered(self);
        }
        match kind {
            // The caller may hang up an early dialog by BYE instead of CANCEL (§15).
            Kind::Bye => {
                wires.reply(request, Status::OK);
                return self.withdrawn(Ending::HungUp { q850: request.request.headers().q850() }, wires);
            }
            // A second offer while the first is not answered (§14.2, RFC 3311 §5.2).
            Kind::Invite => wires.not_now(request),
            Kind::Update if request.description().is_some() => wires.not_now(request),
            Kind::Update => {
                self.dialog.retarget(request.request.headers());
                ordinary::refresh(request, self.dialog.place(), None, wires);
            }
            Kind::Options => ordinary::options(request, self.dialog.place(), wires),
            Kind::Info => ordinary::info(request, wires),
            // Nothing reliable was said that it could acknowledge (RFC 3262 §3).
            Kind::Prack => wires.reply(request, Status::CALL_DOES_NOT_EXIST),
        }
        State::Offered(self)
    }

    /// The caller does not want it any more (§9.2, §15.1.2).
    fn withdrawn(self: Box<Self>, ending: Ending, wires: &mut Wires<'_>) -> State {
        self.quiet(wires);
        wires.reply(&self.invite, Status::REQUEST_TERMINATED);
        wires.ended(ending);
        Over::begin(&self.dialog, None, wires)
    }

    /// Where only what is reliable may be said nothing is, until there is a final response (RFC 3262 §3).
    fn provisional(&mut self, status: Status, response: Bytes, wires: &mut Wires<'_>) {
        if self.invite.request.headers().has_token(Name::Require, RELIABLE) {
            return;
        }
        wires.respond(&self.invite, status, response.clone());
        wires.arm(Letter::Refresh1xx, REFRESH);
        self.said = Some((status, response));
    }

    fn quiet(&self, wires: &mut Wires<'_>) {
        if self.said.is_some() {
            wires.disarm(Letter::Refresh1xx);
        }
    }
}

/// A status that refuses, whatever was said.
pub(crate) fn refusing(status: u16) -> Status {
    Status::new(status).filter(|status| status.code() >= 300).unwrap_or(Status::TEMPORARILY_UNAVAILABLE)
}
