//! Provisional responses of ours that are said again until they are acknowledged, one after the other (RFC 3262 §3).

use std::time::Duration;

use bytes::Bytes;
use sip::{Name, Request, Status};

use super::pending::Pending;
use crate::compose::{RELIABLE, SDP};
use crate::interface::Letter;
use crate::place::Place;
use crate::wires::Wires;

/// What of an INVITE of theirs is said reliably.
#[derive(Debug, Default)]
pub(crate) struct Reliable {
    /// Of the last response; 0 before there is one.
    rseq: u32,
    waiting: Option<Waiting>,
    /// What is said once the one that waits is acknowledged: the last of all that came meanwhile.
    next: Option<(Status, Option<Bytes>)>,
    /// A session description of ours was said and acknowledged.
    is_settled: bool,
}

/// A response that waits for its PRACK.
#[derive(Debug)]
struct Waiting {
    owed: Owed,
    status: Status,
    response: Bytes,
    pause: Duration,
    describes: bool,
}

/// What a PRACK must name (§7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owed {
    rseq: u32,
    sequence: u32,
}

impl Owed {
    /// Whether this is its PRACK.
    pub(crate) fn is_for(self, prack: &Request) -> bool {
        prack.headers().rack().is_some_and(|rack| {
            (rack.rseq, rack.cseq) == (self.rseq, self.sequence) && rack.method == sip::Method::Invite
        })
    }
}

/// Whether a caller can acknowledge at all, and whether it wants to hear nothing else (§3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knows {
    Nothing,
    Supports,
    Requires,
}

impl Knows {
    pub(crate) fn of(invite: &Request) -> Self {
        let headers = invite.headers();
        if headers.has_token(Name::Require, RELIABLE) {
            Self::Requires
        } else if headers.has_token(Name::Supported, RELIABLE) {
            Self::Supports
        } else {
            Self::Nothing
        }
    }
}

/// What a PRACK acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// A response without a session description.
    Plain,
    /// One with our answer, or our offer.
    Described,
}

impl Reliable {
    /// Says it, or keeps it until what was said before is acknowledged.
    pub(crate) fn say(
        &mut self,
        invite: &Pending,
        status: Status,
        sdp: Option<Bytes>,
        place: &Place,
        wires: &mut Wires<'_>,
    ) {
        if self.waiting.is_some() {
            self.next = Some((status, sdp));
            return;
        }
        // An answer is given once (RFC 3261 §13.2.1).
        let sdp = sdp.filter(|_| !self.is_settled);
        // Where they offered nothing the first that is reliable must offer (RFC 3261 §13.2.1).
        if sdp.is_none() && !self.is_settled && invite.description().is_none() {
            return;
        }
        // Any number to begin with, so that it tells nothing (§3).
        self.rseq = if self.rseq == 0 { wires.chance.first_sequence() } else { self.rseq + 1 };
        let compose = wires.in_dialog(invite, status, place);
        let compose = compose.header(Name::Require, RELIABLE).header(Name::RSeq, self.rseq);
        let response = match &sdp {
            Some(sdp) => compose.body(SDP, sdp),
            None => compose.end(),
        };
        let timing = wires.settings.timing;
        wires.respond(invite, status, response.clone());
        wires.arm(Letter::Retransmit1xx, timing.t1);
        wires.arm(Letter::Prack, timing.patience());
        let owed = Owed { rseq: self.rseq, sequence: invite.sequence() };
        self.waiting = Some(Waiting { owed, status, response, pause: timing.t1, describes: sdp.is_some() });
    }

    /// Says it again, each time after twice as long.
    pub(crate) fn resend(&mut self, invite: &Pending, wires: &mut Wires<'_>) {
        let Some(waiting) = &mut self.waiting else { return };
        waiting.pause *= 2;
        wires.respond(invite, waiting.status, waiting.response.clone());
        wires.arm(Letter::Retransmit1xx, waiting.pause);
    }

    /// Whether this is the PRACK that is waited for; `None`: it is not.
    pub(crate) fn is_for(&self, prack: &Request) -> Option<Acknowledged> {
        let waiting = self.waiting.as_ref().filter(|waiting| waiting.owed.is_for(prack))?;
        Some(if waiting.describes { Acknowledged::Described } else { Acknowledged::Plain })
    }

    /// It is acknowledged: what comes next, if anything.
    pub(crate) fn acknowledged(&mut self, wires: &mut Wires<'_>) -> Option<(Status, Option<Bytes>)> {
        let waiting = self.waiting.take()?;
        stop(wires);
        self.is_settled |= waiting.describes;
        self.next.take()
    }

    /// Whether a session description of ours waits to be acknowledged: no 2xx before that (§3).
    pub(crate) fn holds_back(&self) -> bool {
        self.waiting.as_ref().is_some_and(|waiting| waiting.describes)
    }

    /// Whether offer and answer have been exchanged.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// There is a final response, or nobody to hear one: nothing is said again, and what was is still acknowledged.
    pub(crate) fn stop(&mut self, wires: &mut Wires<'_>) -> Option<Owed> {
        self.next = None;
        let waiting = self.waiting.take()?;
        stop(wires);
        Some(waiting.owed)
    }
}

fn stop(wires: &mut Wires<'_>) {
    wires.disarm(Letter::Retransmit1xx);
    wires.disarm(Letter::Prack);
}
