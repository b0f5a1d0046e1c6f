//! The early dialogs of our INVITE, one for each tag of theirs (RFC 3261 §12.1, §13.2.2.4), and what is said reliably in
//! them (RFC 3262 §4): each such response is acknowledged by a PRACK of its dialog, in its turn and once.

use std::sync::Arc;

use bytes::Bytes;
use sip::{Flow, Method, Name, Response, Status};

use super::forks::FORKS;
use super::inviting::OwnInvite;
use super::ordinary;
use super::pending::Pending;
use crate::compose::{RAck, RELIABLE};
use crate::dialog::Dialog;
use crate::interface::{LegEvent, Refusal};
use crate::screen::Kind;
use crate::transaction::{Part, Sent, Start, TransactionId, User};
use crate::wires::Wires;

use super::offered::refusing;

/// All early dialogs of one INVITE.
#[derive(Debug, Default)]
pub(crate) struct EarlyDialogs {
    dialogs: Vec<Early>,
    reoffer: Option<Reoffer>,
}

/// One early dialog.
#[derive(Debug)]
struct Early {
    tag: Box<str>,
    /// Of their last request.
    sequence: Option<u32>,
    /// What they described last.
    sdp: Option<Bytes>,
    /// Once something was said reliably.
    reliable: Option<Box<Reliable>>,
}

/// What is reliable in an early dialog.
#[derive(Debug)]
struct Reliable {
    dialog: Dialog,
    /// Of the last response that was acknowledged.
    rseq: u32,
    /// Our offer was answered, so that another may be made (RFC 3311 §5.1).
    is_answered: bool,
    /// What we said to an offer of theirs since.
    said: Option<Bytes>,
}

/// An UPDATE with a session description that waits for our decision.
#[derive(Debug)]
struct Reoffer {
    tag: Box<str>,
    update: Box<Pending>,
}

/// What a 2xx goes on from.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Their session description: that of its early dialog, or, as some change their tag on the way, the last one there was.
    pub(crate) sdp: Option<Bytes>,
    /// What we said last, where an offer of theirs was accepted in this early dialog.
    pub(crate) said: Option<Bytes>,
    /// An offer of theirs that still waits.
    pub(crate) reoffer: Option<Box<Pending>>,
    sequence: Option<u32>,
    own_sequence: u32,
    /// How far we have counted in all of them, by their tags.
    pub(crate) sequences: Vec<(Box<str>, u32)>,
}

impl Begun {
    /// Makes the dialog go on where the early one was.
    pub(crate) fn resume(&self, dialog: &mut Dialog) {
        dialog.go_on(self.own_sequence, self.sequence);
    }
}

/// What a provisional response means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing: it was heard before, or comes before its turn (RFC 3262 §4).
    Old,
    /// It stands, and its session description, if any, is the one there was.
    Known,
    /// It stands, and has another session description than before.
    Described,
}

impl EarlyDialogs {
    /// A provisional response above 100: noted, and acknowledged where it asks for that.
    pub(crate) fn hear(
        &mut self,
        response: &Response,
        flow: Flow,
        sdp: Option<&Bytes>,
        call: &mut OwnInvite,
        wires: &mut Wires<'_>,
    ) -> News {
        let tag = response.headers().to().tag().unwrap_or_default();
        let rseq = rseq(response);
        let known = self.dialogs.iter().position(|early| *early.tag == *tag);
        if known.is_none() && self.dialogs.len() >= FORKS {
            // Whoever waits for a PRACK is left to find out by itself.
            return if rseq.is_some() { News::Old } else { News::Described };
        }
        let place = known.unwrap_or_else(|| {
            self.dialogs.push(Early { tag: tag.into(), sequence: None, sdp: None, reliable: None });
            self.dialogs.len() - 1
        });
        let early = &mut self.dialogs[place];
        if let Some(rseq) = rseq
            && !early.acknowledge(rseq, response, flow, sdp.is_some(), call, wires)
        {
            return News::Old;
        }
        let is_new = sdp.is_some() && early.sdp.as_ref() != sdp;
        if is_new {
            early.sdp = sdp.cloned();
        }
        if is_new { News::Described } else { News::Known }
    }

    /// A final response to a PRACK: where it was challenged and that can be answered, it goes out once more.
    pub(crate) fn answered(
        &mut self,
        response: &Response,
        flow: Flow,
        call: &mut OwnInvite,
        wires: &mut Wires<'_>,
    ) {
        let tag = response.headers().to().tag().unwrap_or_default();
        let early = self.dialogs.iter_mut().find(|early| *early.tag == *tag);
        let Some(reliable) = early.and_then(|early| early.reliable.as_deref_mut()) else { return };
        if reliable.dialog.lent(&mut call.retry.digest, |dialog| dialog.is_challenged(response, flow)) {
            reliable.send(false, call, wires);
        }
    }

    /// A request inside an early dialog.
    pub(crate) fn request(
        &mut self,
        kind: Kind,
        request: Box<Pending>,
        call: &OwnInvite,
        wires: &mut Wires<'_>,
    ) {
        let tag = request.request.headers().from().tag().unwrap_or_default();
        let Some(early) = self.dialogs.iter_mut().find(|early| *early.tag == *tag) else {
            return wires.reply(&request, Status::CALL_DOES_NOT_EXIST);
        };
        let number = request.sequence();
        if early.sequence.is_some_and(|last| number <= last) {
            return wires.reply(&request, Status::SERVER_INTERNAL_ERROR);
        }
        early.sequence = Some(number);
        let place = &call.heading.place;
        match kind {
            // Whoever is called does not end an early dialog by BYE (§15), and has nothing of ours to acknowledge.
            Kind::Bye | Kind::Prack => wires.reply(&request, Status::CALL_DOES_NOT_EXIST),
            // Our own offer is open: a true crossing (§14.2).
            Kind::Invite => wires.reply(&request, Status::REQUEST_PENDING),
            Kind::Update => self.updated(request, call, wires),
            Kind::Options => ordinary::options(&request, place, wires),
            Kind::Info => ordinary::info(&request, wires),
        }
    }

    /// An UPDATE (RFC 3311 §5.2).
    fn updated(&mut self, update: Box<Pending>, call: &OwnInvite, wires: &mut Wires<'_>) {
        if self.reoffer.is_some() {
            return wires.not_now(&update);
        }
        let tag = update.request.headers().from().tag().unwrap_or_default();
        let early = self.dialogs.iter_mut().find(|early| *early.tag == *tag);
        let reliable = early.and_then(|early| early.reliable.as_deref_mut());
        let offer = update.description();
        if offer.is_some() && !reliable.as_ref().is_some_and(|reliable| reliable.is_answered) {
            // The offer of our INVITE is open.
            return wires.reply(&update, Status::REQUEST_PENDING);
        }
        if let Some(reliable) = reliable {
            reliable.dialog.retarget(update.request.headers());
        }
        if offer.is_none() {
            return ordinary::refresh(&update, &call.heading.place, None, wires);
        }
        wires.say(LegEvent::Reoffered { offer });
        self.reoffer = Some(Reoffer { tag: tag.into(), update });
    }

    /// Accepts the offer that waits.
    pub(crate) fn accept(&mut self, sdp: Bytes, call: &OwnInvite, wires: &mut Wires<'_>) {
        let Some(Reoffer { tag, update }) = self.reoffer.take() else { return };
        let response = wires.description(&update, Status::OK, &call.heading.place, Some(&sdp), None);
        wires.respond(&update, Status::OK, response);
        if let Some(early) = self.dialogs.iter_mut().find(|early| early.tag == tag) {
            early.sdp = update.description();
            if let Some(reliable) = &mut early.reliable {
                reliable.said = Some(sdp);
            }
        }
    }

    /// Refuses it.
    pub(crate) fn refuse(&mut self, refusal: Refusal, wires: &mut Wires<'_>) {
        if let Some(Reoffer { update, .. }) = self.reoffer.take() {
            let status = refusing(refusal.status);
            let response = wires.answer(&update, status).maybe(Name::RetryAfter, refusal.retry_after).end();
            wires.respond(&update, status, response);
        }
    }

    /// It can no longer be answered.
    pub(crate) fn withdraw(&mut self, transaction: TransactionId) {
        self.reoffer.take_if(|reoffer| reoffer.update.transaction == transaction);
    }

    /// None of them goes on: what still waits for a decision gets one.
    pub(crate) fn end(&mut self, wires: &mut Wires<'_>) {
        if let Some(Reoffer { update, .. }) = self.reoffer.take() {
            wires.reply(&update, Status::REQUEST_TERMINATED);
        }
    }

    /// A 2xx with this tag: one of them goes on, and the others end.
    pub(crate) fn reached(mut self, tag: &str, wires: &mut Wires<'_>) -> Begun {
        let winner = self.dialogs.iter().position(|early| *early.tag == *tag);
        let reoffer = self.reoffer.take_if(|reoffer| *reoffer.tag == *tag).map(|reoffer| reoffer.update);
        self.end(wires);
        let sequences = self
            .dialogs
            .iter()
            .filter_map(|early| Some((early.tag.clone(), early.reliable.as_ref()?.dialog.sequence())));
        let sequences = sequences.collect();
        let last = || self.dialogs.iter().rev().find_map(|early| early.sdp.clone());
        let Some(early) = winner.map(|place| &self.dialogs[place]) else {
            return Begun { sdp: last(), sequences, ..Begun::default() };
        };
        let reliable = early.reliable.as_deref();
        Begun {
            sdp: early.sdp.clone().or_else(last),
            said: reliable.and_then(|reliable| reliable.said.clone()),
            reoffer,
            sequence: early.sequence,
            own_sequence: reliable.map_or(0, |reliable| reliable.dialog.sequence()),
            sequences,
        }
    }
}

impl Early {
    /// Acknowledges a reliable response. `false`: it was acknowledged before, or comes before its turn.
    fn acknowledge(
        &mut self,
        rseq: u32,
        response: &Response,
        flow: Flow,
        describes: bool,
        call: &mut OwnInvite,
        wires: &mut Wires<'_>,
    ) -> bool {
        let reliable = match &mut self.reliable {
            Some(known) if known.rseq.checked_add(1) != Some(rseq) => return false,
            Some(known) => {
                known.rseq = rseq;
                known.dialog.retarget(response.headers());
                known
            }
            None => {
                let dialog = Dialog::asking(&call.heading, response, call.home, flow, None);
                self.reliable.insert(Box::new(Reliable { dialog, rseq, is_answered: false, said: None }))
            }
        };
        reliable.is_answered |= describes;
        reliable.send(true, call, wires);
        true
    }
}

impl Reliable {
    /// The PRACK: for a response that `is_new`, or for one that was challenged.
    fn send(&mut self, is_new: bool, call: &mut OwnInvite, wires: &mut Wires<'_>) {
        let rack = RAck { rseq: self.rseq, sequence: call.heading.sequence };
        let chance = &mut *wires.chance;
        let outgoing = self.dialog.lent(&mut call.retry.digest, |dialog| {
            if is_new { dialog.request(&Method::Prack, chance) } else { dialog.again(&Method::Prack, chance) }
        });
        let product = wires.settings.product.as_deref();
        let start = Start {
            user: User::Leg(wires.leg, Part::Prack),
            flow: outgoing.flow,
            place: Arc::clone(self.dialog.place()),
            method: Sent::Prack,
            branch: outgoing.branch,
            bytes: outgoing.compose.header(Name::RAck, rack).maybe(Name::UserAgent, product).end(),
        };
        wires.transactions.request(start, wires.settings.timing, wires.out);
    }
}

/// The number of a provisional response that is to be acknowledged (RFC 3262 §4, §7.1). Without a tag there is no dialog to
/// do that in.
fn rseq(response: &Response) -> Option<u32> {
    let headers = response.headers();
    let is_reliable = headers.has_token(Name::Require, RELIABLE) && headers.to().tag().is_some();
    headers.rseq().filter(|rseq| is_reliable && *rseq > 0)
}
