//! A 2xx of ours that waits for its ACK: RFC 3261 §13.3.1.4. It is resent on every transport, since the last hop
//! may be a reliable one and the next not.

use std::time::Duration;

use bytes::Bytes;
use sip::{Request, Status};

use super::pending::Pending;
use crate::body::Body;
use crate::interface::Letter;
use crate::transaction::TransactionId;
use crate::wires::Wires;

/// The 2xx, and how long until it is sent again.
#[derive(Debug)]
pub(crate) struct Awaiting {
    transaction: TransactionId,
    response: Bytes,
    sequence: u32,
    pause: Duration,
    /// Whether it answers the INVITE that made the leg.
    pub(crate) is_first: bool,
    /// Whether it made an offer, so that the ACK brings the answer (§13.2.1).
    pub(crate) offers: bool,
}

impl Awaiting {
    /// Accepts an INVITE; `offers`: with an offer, as the INVITE made none.
    pub(crate) fn begin(
        invite: &Pending,
        response: Bytes,
        is_first: bool,
        offers: bool,
        wires: &mut Wires<'_>,
    ) -> Self {
        let timing = wires.settings.timing;
        wires.respond(invite, Status::OK, response.clone());
        wires.arm(Letter::Retransmit2xx, timing.t1);
        wires.arm(Letter::Ack, timing.patience());
        Self {
            transaction: invite.transaction,
            response,
            sequence: invite.sequence(),
            pause: timing.t1,
            is_first,
            offers,
        }
    }

    /// Sends it again.
    pub(crate) fn resend(&mut self, wires: &mut Wires<'_>) {
        self.pause = wires.settings.timing.t2.min(self.pause * 2);
        wires.transactions.respond(self.transaction, Status::OK.code(), self.response.clone(), wires.out);
        wires.arm(Letter::Retransmit2xx, self.pause);
    }

    /// Whether this is the ACK it waits for.
    pub(crate) fn is_for(&self, ack: &Request) -> bool {
        ack.headers().cseq().number == self.sequence
    }

    /// The answer the ACK brings, where the 2xx made the offer.
    pub(crate) fn answer(&self, ack: &Request) -> Option<Bytes> {
        if self.offers { Body::read(ack.headers(), ack.body()).description() } else { None }
    }

    /// Waits no more.
    pub(crate) fn stop(wires: &mut Wires<'_>) {
        wires.disarm(Letter::Retransmit2xx);
        wires.disarm(Letter::Ack);
    }
}
