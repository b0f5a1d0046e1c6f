//! A caller's INVITE that waits for our decision (RFC 3261 §13.3.1). Its dialog is early as soon as we have said
//! something with our tag.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::{Name, Status};

use super::awaiting::Awaiting;
use super::pending::Pending;
use super::reliable::{Acknowledged, Knows, Owed, Reliable};
use super::{Established, Input, Kept, Over, State, Upkeep, ordinary};
use crate::compose::Q850;
use crate::dialog::Dialog;
use crate::identity;
use crate::interface::{Ending, LegCommand, LegEvent, Letter, Refusal, TrunkId, Why};
use crate::place::Place;
use crate::screen::Kind;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::wires::Wires;

/// How often a provisional response is said again, so that no proxy gives up (§13.3.1.1).
const REFRESH: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Offered {
    dialog: Dialog,
    invite: Pending,
    knows: Knows,
    reliable: Reliable,
    /// The last provisional response with our tag.
    said: Option<Said>,
    /// The answer that is held back until our description in a provisional response is acknowledged.
    accepting: Option<Bytes>,
    /// An UPDATE or a PRACK with an offer that waits for our decision.
    reoffer: Option<Box<Pending>>,
    /// What was agreed on by such a one: ours and theirs.
    renewed: Option<(Bytes, Option<Bytes>)>,
}

/// A provisional response, to be said again once a minute.
#[derive(Debug, Clone)]
enum Said {
    Plain(Status, Bytes),
    Reliably(Status),
}

impl Offered {
    /// Takes a new INVITE from a trunk.
    pub(crate) fn begin(invite: Pending, trunk: TrunkId, place: Arc<Place>, wires: &mut Wires<'_>) -> State {
        wires.trying(&invite);
        let dialog = Dialog::answering(&invite.request, invite.tag, invite.flow, place, wires.chance);
        let incoming = identity::incoming(&invite.request, invite.description(), invite.flow, trunk);
        wires.say(LegEvent::Offered(Box::new(incoming)));
        let knows = Knows::of(&invite.request);
        State::Offered(Box::new(Self {
            dialog,
            invite,
            knows,
            reliable: Reliable::default(),
            said: None,
            accepting: None,
            reoffer: None,
            renewed: None,
        }))
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
            Input::Request(kind, request) => self.request(kind, request, wires),
            Input::Cancel(transaction) if transaction == self.invite.transaction => {
                self.withdrawn(Ending::Cancelled, wires)
            }
            Input::Unanswerable(transaction) if transaction == self.invite.transaction => {
                self.quiet(wires);
                wires.ended(Ending::Unreachable);
                State::Gone
            }
            Input::Fired(Letter::Refresh1xx) => {
                match self.said.clone() {
                    Some(Said::Plain(status, response)) => self.plainly(status, response, wires),
                    Some(Said::Reliably(status)) => self.provisional(status, None, wires),
                    None => {}
                }
                State::Offered(self)
            }
            Input::Fired(Letter::Retransmit1xx) => {
                self.reliable.resend(&self.invite, wires);
                State::Offered(self)
            }
            Input::Fired(Letter::Prack) => self.never_acknowledged(wires),
            Input::Unanswerable(transaction) => {
                self.reoffer.take_if(|reoffer| reoffer.transaction == transaction);
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
            | Input::Fired(_) => State::Offered(self),
        }
    }

    fn command(mut self: Box<Self>, command: LegCommand, wires: &mut Wires<'_>) -> State {
        match command {
            LegCommand::Ring => {
                self.provisional(Status::RINGING, None, wires);
                State::Offered(self)
            }
            LegCommand::Progress(sdp) => {
                self.provisional(Status::SESSION_PROGRESS, Some(sdp), wires);
                State::Offered(self)
            }
            LegCommand::Accept(sdp) if self.reoffer.is_some() => {
                self.accept_reoffer(sdp, wires);
                self.go_on(wires)
            }
            LegCommand::Refuse(refusal) if self.reoffer.is_some() => {
                self.refuse_reoffer(refusal, wires);
                self.go_on(wires)
            }
            LegCommand::Accept(sdp) if self.reliable.holds_back() => {
                self.accepting = Some(sdp);
                State::Offered(self)
            }
            LegCommand::Accept(sdp) => self.accept(&sdp, wires),
            LegCommand::Refuse(refusal) => self.refuse(refusal, None, wires),
            LegCommand::End(why) => {
                let refusal = Refusal { status: why.status, retry_after: None };
                self.refuse(refusal, Some(why), wires)
            }
            LegCommand::Invite(_) => State::Offered(self),
        }
    }

    fn accept(mut self: Box<Self>, sdp: &Bytes, wires: &mut Wires<'_>) -> State {
        let owed = self.quiet(wires);
        let invite = &self.invite;
        let (own, theirs) = self.renewed.take().unwrap_or_else(|| (sdp.clone(), invite.description()));
        let mut upkeep = Upkeep::new(invite.request.headers(), own, theirs);
        let granted = upkeep.grant(&invite.request, wires);
        // Where offer and answer have been exchanged there is nothing left to say of the session (RFC 3261 §13.2.1).
        let said = Some(sdp).filter(|_| !self.reliable.is_settled());
        let response = wires.description(invite, Status::OK, self.dialog.place(), said, granted);
        let offers = said.is_some() && invite.description().is_none();
        let awaiting = Awaiting::begin(&self.invite, response, true, offers, wires);
        Established::answered(self.dialog, awaiting, owed, upkeep)
    }

    fn refuse(mut self: Box<Self>, refusal: Refusal, why: Option<Why>, wires: &mut Wires<'_>) -> State {
        let owed = self.quiet(wires);
        let status = refusing(refusal.status);
        let response = wires
            .answer(&self.invite, status)
            .maybe(Name::RetryAfter, refusal.retry_after)
            .maybe(Name::Reason, why.and_then(Q850::of))
            .end();
        wires.respond(&self.invite, status, response);
        wires.ended(Ending::Ordered);
        match owed {
            Some(owed) => Over::owing(&self.dialog, owed, wires),
            None => State::Gone,
        }
    }

    /// Nobody acknowledges what must be (RFC 3262 §3).
    fn never_acknowledged(mut self: Box<Self>, wires: &mut Wires<'_>) -> State {
        self.quiet(wires);
        wires.reply(&self.invite, Status::SERVER_TIMEOUT);
        wires.ended(Ending::NeverAcknowledged);
        Over::begin(&self.dialog, None, wires)
    }

    fn accept_reoffer(&mut self, sdp: Bytes, wires: &mut Wires<'_>) {
        let Some(reoffer) = self.reoffer.take() else { return };
        let response = wires.description(&reoffer, Status::OK, self.dialog.place(), Some(&sdp), None);
        wires.respond(&reoffer, Status::OK, response);
        self.renewed = Some((sdp, reoffer.description()));
    }

    fn refuse_reoffer(&mut self, refusal: Refusal, wires: &mut Wires<'_>) {
        let Some(reoffer) = self.reoffer.take() else { return };
        let status = refusing(refusal.status);
        let response = wires.answer(&reoffer, status).maybe(Name::RetryAfter, refusal.retry_after).end();
        wires.respond(&reoffer, status, response);
    }

    fn request(mut self: Box<Self>, kind: Kind, request: Box<Pending>, wires: &mut Wires<'_>) -> State {
        if !self.dialog.follow(&request.request, request.flow, wires.place(request.flow)) {
            wires.reply(&request, Status::SERVER_INTERNAL_ERROR);
            return State::Offered(self);
        }
        match kind {
            // The caller may hang up an early dialog by BYE instead of CANCEL (§15).
            Kind::Bye => {
                wires.reply(&request, Status::OK);
                return self.withdrawn(Ending::HungUp { q850: request.request.headers().q850() }, wires);
            }
            // A second offer while the first is not answered (§14.2).
            Kind::Invite => wires.not_now(&request),
            Kind::Update => self.updated(request, wires),
            Kind::Options => ordinary::options(&request, self.dialog.place(), wires),
            Kind::Info => ordinary::info(&request, wires),
            Kind::Prack => return self.acknowledged(request, wires),
        }
        State::Offered(self)
    }

    /// An UPDATE (RFC 3311 §5.2).
    fn updated(&mut self, update: Box<Pending>, wires: &mut Wires<'_>) {
        if self.reoffer.is_some() {
            return wires.not_now(&update);
        }
        if update.description().is_some() {
            if self.reliable.is_settled() {
                return self.reoffered(update, wires);
            }
            if self.reliable.holds_back() && self.invite.description().is_none() {
                // Our own offer is open: a true crossing.
                return wires.reply(&update, Status::REQUEST_PENDING);
            }
            // Theirs is.
            return wires.not_now(&update);
        }
        self.dialog.retarget(update.request.headers());
        ordinary::refresh(&update, self.dialog.place(), None, wires);
    }

    fn reoffered(&mut self, request: Box<Pending>, wires: &mut Wires<'_>) {
        self.dialog.retarget(request.request.headers());
        wires.say(LegEvent::Reoffered { offer: request.description() });
        self.reoffer = Some(request);
    }

    /// A PRACK (RFC 3262 §3, §5).
    fn acknowledged(mut self: Box<Self>, prack: Box<Pending>, wires: &mut Wires<'_>) -> State {
        let Some(acknowledged) = self.reliable.is_for(&prack.request) else {
            wires.reply(&prack, Status::CALL_DOES_NOT_EXIST);
            return State::Offered(self);
        };
        let sdp = prack.description();
        let has_offered = self.invite.description().is_some();
        match (acknowledged, sdp) {
            // A second offer while the first is not answered, or while another of theirs is not (RFC 3261 §14.2).
            (Acknowledged::Plain, Some(_)) if !self.reliable.is_settled() || self.reoffer.is_some() => {
                wires.not_now(&prack);
                return State::Offered(self);
            }
            (Acknowledged::Described, Some(answer)) if !has_offered => {
                wires.reply(&prack, Status::OK);
                wires.say(LegEvent::Confirmed { sdp: Some(answer) });
            }
            (_, Some(_)) => self.reoffered(prack, wires),
            (_, None) => wires.reply(&prack, Status::OK),
        }
        if let Some((status, sdp)) = self.reliable.acknowledged(wires) {
            self.provisional(status, sdp, wires);
        }
        self.go_on(wires)
    }

    /// What was held back is said, once nothing stands in its way.
    fn go_on(mut self: Box<Self>, wires: &mut Wires<'_>) -> State {
        let is_free = self.reoffer.is_none() && !self.reliable.holds_back();
        match self.accepting.take_if(|_| is_free) {
            Some(sdp) => self.accept(&sdp, wires),
            None => State::Offered(self),
        }
    }

    /// The caller does not want it any more (§9.2, §15.1.2).
    fn withdrawn(mut self: Box<Self>, ending: Ending, wires: &mut Wires<'_>) -> State {
        self.quiet(wires);
        wires.reply(&self.invite, Status::REQUEST_TERMINATED);
        wires.ended(ending);
        Over::begin(&self.dialog, None, wires)
    }

    /// Says it reliably where the caller wants nothing else, or where there is a session description in it and the caller
    /// can: what is agreed on then is agreed on for both (RFC 3262 §3, §5).
    fn provisional(&mut self, status: Status, sdp: Option<Bytes>, wires: &mut Wires<'_>) {
        let is_reliable = match self.knows {
            Knows::Nothing => false,
            Knows::Supports => sdp.is_some(),
            Knows::Requires => true,
        };
        if is_reliable {
            self.reliable.say(&self.invite, status, sdp, self.dialog.place(), wires);
            wires.arm(Letter::Refresh1xx, REFRESH);
            self.said = Some(Said::Reliably(status));
        } else {
            let response = wires.description(&self.invite, status, self.dialog.place(), sdp.as_ref(), None);
            self.plainly(status, response, wires);
        }
    }

    fn plainly(&mut self, status: Status, response: Bytes, wires: &mut Wires<'_>) {
        wires.respond(&self.invite, status, response.clone());
        wires.arm(Letter::Refresh1xx, REFRESH);
        self.said = Some(Said::Plain(status, response));
    }

    /// There is a final response. What still waits for a decision gets one; what must be acknowledged may still be.
    fn quiet(&mut self, wires: &mut Wires<'_>) -> Option<Owed> {
        if self.said.is_some() {
            wires.disarm(Letter::Refresh1xx);
        }
        if let Some(reoffer) = self.reoffer.take() {
            wires.reply(&reoffer, Status::REQUEST_TERMINATED);
        }
        self.reliable.stop(wires)
    }
}

/// A status that refuses, whatever was said.
pub(crate) fn refusing(status: u16) -> Status {
    Status::new(status).filter(|status| status.code() >= 300).unwrap_or(Status::TEMPORARILY_UNAVAILABLE)
}
