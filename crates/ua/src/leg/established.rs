//! The call is up: RFC 3261 §12.2, §14, §15; RFC 3311. An offer of theirs may wait for our decision and a 2xx of ours
//! for its ACK, independently of each other.

use bytes::Bytes;
use sip::{Flow, Name, Request, Response, Status};

use super::awaiting::Awaiting;
use super::forks::Forks;
use super::offered::refusing;
use super::pending::Pending;
use super::reliable::Owed;
use super::upkeep::{Fate, Upkeep};
use super::{HangingUp, Input, Leaving, Mark, Over, State, ordinary};
use crate::dialog::Dialog;
use crate::interface::{Ending, LegCommand, LegEvent, Letter, Refusal, Why};
use crate::screen::Kind;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::transaction::{Part, TransactionId};
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Established {
    dialog: Dialog,
    awaiting: Option<Awaiting>,
    /// A provisional response that was not acknowledged before we answered: it still may be (RFC 3262 §3).
    owed: Option<Owed>,
    /// A re-INVITE, or an UPDATE with a session description, that waits for our decision.
    reoffer: Option<Box<Pending>>,
    forks: Option<Box<Forks>>,
    upkeep: Upkeep,
}

impl Established {
    /// We have answered.
    pub(crate) fn answered(dialog: Dialog, awaiting: Awaiting, owed: Option<Owed>, upkeep: Upkeep) -> State {
        State::Established(Box::new(Self {
            dialog,
            awaiting: Some(awaiting),
            owed,
            reoffer: None,
            forks: None,
            upkeep,
        }))
    }

    /// They have answered; an offer that they made before that may still wait.
    pub(crate) fn reached(
        dialog: Dialog,
        forks: Forks,
        reoffer: Option<Box<Pending>>,
        upkeep: Upkeep,
    ) -> State {
        State::Established(Box::new(Self {
            dialog,
            awaiting: None,
            owed: None,
            reoffer,
            forks: Some(Box::new(forks)),
            upkeep,
        }))
    }

    /// It was up before.
    pub(crate) fn restored(dialog: Dialog, upkeep: Upkeep) -> State {
        State::Established(Box::new(Self {
            dialog,
            awaiting: None,
            owed: None,
            reoffer: None,
            forks: None,
            upkeep,
        }))
    }

    pub(crate) fn snapshot(&self, settings: &Settings) -> Snapshot {
        self.dialog.snapshot(self.upkeep.kept(), settings)
    }

    pub(crate) fn mark(&self) -> Mark {
        let open = (self.reoffer.is_some(), self.upkeep.is_open());
        Mark { sequences: self.dialog.sequences(), flow: self.dialog.flow(), open, is_up: true }
    }

    pub(crate) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Command(command) => return self.command(command, wires),
            Input::Request(kind, request) => return self.request(kind, request, wires),
            Input::Fired(Letter::Ack) => return self.never_acknowledged(wires),
            Input::Fired(Letter::Unrefreshed) => return self.lost(Ending::Unrefreshed, wires),
            Input::Unanswered(Part::Refresh) => return self.lost(Ending::Gone, wires),
            Input::Response(Part::Refresh, response, flow) => {
                return self.refresh_answered(&response, flow, wires);
            }
            Input::Fired(Letter::Refresh) => {
                let is_busy = self.reoffer.is_some() || self.awaiting.is_some();
                self.upkeep.due(&mut self.dialog, is_busy, wires);
            }
            Input::Ack(ack, flow) => self.acknowledged(&ack, flow, wires),
            Input::Cancel(transaction) => self.withdraw(transaction, Some(Status::REQUEST_TERMINATED), wires),
            Input::Unanswerable(transaction) => self.withdraw(transaction, None, wires),
            Input::Response(Part::Invite, response, flow) => {
                if let Some(forks) = self.forks.as_mut().filter(|_| response.status().is_success()) {
                    forks.another(&response, flow, wires);
                }
            }
            Input::Settled => self.forks = None,
            Input::Fired(Letter::Retransmit2xx) => {
                if let Some(awaiting) = &mut self.awaiting {
                    awaiting.resend(wires);
                }
            }
            Input::ConnectionLost => self.dialog.lose_connection(),
            Input::Response(Part::Bye | Part::Prack | Part::Unattended, ..)
            | Input::Unanswered(_)
            | Input::Fired(_) => {}
        }
        State::Established(self)
    }

    fn command(mut self: Box<Self>, command: LegCommand, wires: &mut Wires<'_>) -> State {
        match command {
            LegCommand::Accept(sdp) => self.accept(&sdp, wires),
            LegCommand::Refuse(refusal) => self.refuse(refusal, wires),
            LegCommand::End(why) => return self.end(why, wires),
            LegCommand::Invite(_) | LegCommand::Ring | LegCommand::Progress(_) => {}
        }
        State::Established(self)
    }

    fn accept(&mut self, sdp: &Bytes, wires: &mut Wires<'_>) {
        let Some(reoffer) = self.reoffer.take() else { return };
        self.upkeep.describe(sdp, reoffer.description());
        let granted = self.upkeep.grant(&reoffer.request, wires);
        let response = wires.description(&reoffer, Status::OK, self.dialog.place(), Some(sdp), granted);
        if reoffer.is_invite() {
            let offers = reoffer.description().is_none();
            self.awaiting = Some(Awaiting::begin(&reoffer, response, false, offers, wires));
        } else {
            wires.respond(&reoffer, Status::OK, response);
        }
    }

    fn refuse(&mut self, refusal: Refusal, wires: &mut Wires<'_>) {
        let Some(reoffer) = self.reoffer.take() else { return };
        let status = refusing(refusal.status);
        let response = wires.answer(&reoffer, status).maybe(Name::RetryAfter, refusal.retry_after).end();
        wires.respond(&reoffer, status, response);
    }

    fn end(mut self: Box<Self>, why: Why, wires: &mut Wires<'_>) -> State {
        self.terminate(wires);
        match self.awaiting.take() {
            // No BYE before the ACK of the 2xx that made the dialog (§15).
            Some(awaiting) if awaiting.is_first => Leaving::begin(self.dialog, awaiting, why),
            awaiting => {
                if awaiting.is_some() {
                    Awaiting::stop(wires);
                }
                HangingUp::begin(self.dialog, self.forks, why, wires)
            }
        }
    }

    fn request(mut self: Box<Self>, kind: Kind, request: Box<Pending>, wires: &mut Wires<'_>) -> State {
        if !self.dialog.follow(&request.request, request.flow, wires.place(request.flow)) {
            wires.reply(&request, Status::SERVER_INTERNAL_ERROR);
            return State::Established(self);
        }
        match kind {
            Kind::Bye => return self.hung_up(&request, wires),
            Kind::Invite => self.reinvited(request, wires),
            Kind::Update => self.updated(request, wires),
            Kind::Options => ordinary::options(&request, self.dialog.place(), wires),
            Kind::Info => ordinary::info(&request, wires),
            Kind::Prack => {
                let owed = self.owed.take_if(|owed| owed.is_for(&request.request));
                wires.reply(&request, owed.map_or(Status::CALL_DOES_NOT_EXIST, |_| Status::OK));
            }
        }
        State::Established(self)
    }

    fn hung_up(mut self: Box<Self>, bye: &Pending, wires: &mut Wires<'_>) -> State {
        wires.reply(bye, Status::OK);
        self.terminate(wires);
        if self.awaiting.is_some() {
            Awaiting::stop(wires);
        }
        wires.ended(Ending::HungUp { q850: bye.request.headers().q850() });
        Over::begin(&self.dialog, self.forks, wires)
    }

    /// A re-INVITE (§14.2).
    fn reinvited(&mut self, invite: Box<Pending>, wires: &mut Wires<'_>) {
        if self.reoffer.is_some() {
            return wires.not_now(&invite);
        }
        if self.upkeep.offers() {
            return wires.reply(&invite, Status::REQUEST_PENDING);
        }
        match self.awaiting.take() {
            // Our own offer is still open: a true crossing.
            Some(awaiting) if awaiting.offers => {
                self.awaiting = Some(awaiting);
                return wires.reply(&invite, Status::REQUEST_PENDING);
            }
            // Nobody starts another INVITE before the first is done (§14.1), so they have our 2xx and only their
            // ACK is lost (RFC 5407 §3.1.5).
            Some(_) => {
                Awaiting::stop(wires);
                wires.say(LegEvent::Confirmed { sdp: None });
            }
            None => {}
        }
        wires.trying(&invite);
        self.reoffered(invite, wires);
    }

    /// An UPDATE (RFC 3311 §5.2).
    fn updated(&mut self, update: Box<Pending>, wires: &mut Wires<'_>) {
        // One after the other, whatever they bring.
        if self.reoffer.as_ref().is_some_and(|reoffer| !reoffer.is_invite()) {
            return wires.not_now(&update);
        }
        if update.description().is_none() {
            self.dialog.retarget(update.request.headers());
            let granted = self.upkeep.grant(&update.request, wires);
            return ordinary::refresh(&update, self.dialog.place(), granted, wires);
        }
        if self.reoffer.is_some() {
            return wires.not_now(&update);
        }
        if self.upkeep.offers() || self.awaiting.as_ref().is_some_and(|awaiting| awaiting.offers) {
            return wires.reply(&update, Status::REQUEST_PENDING);
        }
        self.reoffered(update, wires);
    }

    fn reoffered(&mut self, request: Box<Pending>, wires: &mut Wires<'_>) {
        self.dialog.retarget(request.request.headers());
        wires.say(LegEvent::Reoffered { offer: request.description() });
        self.reoffer = Some(request);
    }

    fn acknowledged(&mut self, ack: &Request, flow: Flow, wires: &mut Wires<'_>) {
        let Some(awaiting) = self.awaiting.take_if(|awaiting| awaiting.is_for(ack)) else { return };
        self.dialog.hear(flow, wires.place(flow));
        Awaiting::stop(wires);
        let sdp = awaiting.answer(ack);
        self.upkeep.hear(sdp.as_ref());
        wires.say(LegEvent::Confirmed { sdp });
    }

    fn never_acknowledged(self: Box<Self>, wires: &mut Wires<'_>) -> State {
        if self.awaiting.is_none() {
            return State::Established(self);
        }
        self.lost(Ending::NeverAcknowledged, wires)
    }

    /// The other side is not there any more, or does not do what it must.
    fn lost(mut self: Box<Self>, ending: Ending, wires: &mut Wires<'_>) -> State {
        if self.awaiting.take().is_some() {
            Awaiting::stop(wires);
        }
        self.terminate(wires);
        wires.bye(&mut self.dialog, None, Part::Unattended);
        wires.ended(ending);
        Over::begin(&self.dialog, self.forks, wires)
    }

    /// A response to a refresh of ours.
    fn refresh_answered(
        mut self: Box<Self>,
        response: &Response,
        flow: Flow,
        wires: &mut Wires<'_>,
    ) -> State {
        match self.upkeep.answered(response, flow, &mut self.dialog, wires) {
            Fate::Kept => {}
            Fate::Changed(sdp) => wires.say(LegEvent::Confirmed { sdp: Some(sdp) }),
            Fate::Gone => return self.lost(Ending::Gone, wires),
        }
        State::Established(self)
    }

    /// What still waits for a decision when the call ends gets one (§15.1.2), and nothing is kept up any more.
    fn terminate(&mut self, wires: &mut Wires<'_>) {
        self.upkeep.stop(wires);
        if let Some(reoffer) = self.reoffer.take() {
            wires.reply(&reoffer, Status::REQUEST_TERMINATED);
        }
    }

    /// The offer that waits is taken back, or cannot be answered any more. The session stays as it was.
    fn withdraw(&mut self, transaction: TransactionId, status: Option<Status>, wires: &mut Wires<'_>) {
        let withdrawn = self.reoffer.take_if(|reoffer| reoffer.transaction == transaction);
        if let (Some(reoffer), Some(status)) = (withdrawn, status) {
            wires.reply(&reoffer, status);
        }
    }
}
