//! A request of theirs that waits for our answer.

use bytes::Bytes;
use sip::{Flow, Method, Request};

use crate::body::Body;
use crate::chance::Token;
use crate::transaction::TransactionId;

/// A request with its transaction. It is kept whole until it is answered, since the answer repeats parts of it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) transaction: TransactionId,
    pub(crate) request: Request,
    /// Where it came from.
    pub(crate) flow: Flow,
    /// The tag we answer with.
    pub(crate) tag: Token,
}

impl Pending {
    /// Its session description, if it has one.
    pub(crate) fn description(&self) -> Option<Bytes> {
        Body::read(self.request.headers(), self.request.body()).description()
    }

    /// Whether it is an INVITE, so that its 2xx waits for an ACK.
    pub(crate) fn is_invite(&self) -> bool {
        *self.request.method() == Method::Invite
    }

    /// Its sequence number.
    pub(crate) fn sequence(&self) -> u32 {
        self.request.headers().cseq().number
    }
}
