//! Our INVITE is not wanted any more: RFC 3261 §9.1. A CANCEL must wait for a provisional response, and a 2xx may cross it.

use std::sync::Arc;

use sip::{Flow, Response, Status};

use super::early::EarlyDialogs;
use super::inviting::OwnInvite;
use super::{HangingUp, Input, State, ordinary};
use crate::body::Body;
use crate::interface::{Ending, Letter, Why};
use crate::transaction::{Part, Sent, Start, User};
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Cancelling {
    call: OwnInvite,
    early: EarlyDialogs,
    why: Why,
    /// The CANCEL is sent.
    is_sent: bool,
}

impl Cancelling {
    pub(crate) fn begin(
        call: OwnInvite,
        mut early: EarlyDialogs,
        is_proceeding: bool,
        why: Why,
        wires: &mut Wires<'_>,
    ) -> State {
        early.end(wires);
        let mut state = Self { call, early, why, is_sent: false };
        if is_proceeding {
            state.cancel(wires);
        }
        State::Cancelling(Box::new(state))
    }

    pub(crate) fn knows(&self, call_id: &str) -> bool {
        *self.call.heading.call_id == *call_id
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Response(Part::Invite, response, flow) => return self.response(&response, flow, wires),
            Input::Response(Part::Prack, response, flow) => {
                self.early.answered(&response, flow, &mut self.call, wires);
            }
            Input::Unanswered(Part::Invite) => return self.ended(Ending::Unreachable, wires),
            Input::Fired(Letter::Cancelled) => {
                wires.transactions.abandon(self.call.transaction);
                self.is_sent = false;
                return self.ended(Ending::Ordered, wires);
            }
            Input::Request(kind, request) => ordinary::farewell(kind, &request, wires),
            Input::Command(_)
            | Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(..)
            | Input::Unanswered(_)
            | Input::Settled
            | Input::Unanswerable(_)
            | Input::Fired(_)
            | Input::ConnectionLost => {}
        }
        State::Cancelling(self)
    }

    fn response(mut self: Box<Self>, response: &Response, flow: Flow, wires: &mut Wires<'_>) -> State {
        let status = response.status();
        if status.is_provisional() {
            if !self.is_sent {
                self.cancel(wires);
            }
            if status != Status::TRYING {
                // Whoever waits for a PRACK may hold back what they have to say to our CANCEL.
                let sdp = Body::read(response.headers(), response.body()).description();
                self.early.hear(response, flow, sdp.as_ref(), &mut self.call, wires);
            }
            return State::Cancelling(self);
        }
        if !status.is_success() {
            return self.ended(Ending::Ordered, wires);
        }
        // It crossed our CANCEL: the call is up, and is hung up.
        if self.is_sent {
            wires.disarm(Letter::Cancelled);
        }
        let mut begun = self.early.reached(response.headers().to().tag().unwrap_or_default(), wires);
        let (dialog, forks) = self.call.answered(response, flow, &mut begun, wires);
        HangingUp::begin(dialog, Some(Box::new(forks)), self.why, wires)
    }

    fn cancel(&mut self, wires: &mut Wires<'_>) {
        let heading = &self.call.heading;
        let start = Start {
            user: User::Leg(wires.leg, Part::Unattended),
            flow: self.call.home,
            place: Arc::clone(&heading.place),
            method: Sent::Cancel,
            branch: heading.branch,
            bytes: heading.cancel(self.why),
        };
        let timing = wires.settings.timing;
        wires.transactions.request(start, timing, wires.out);
        wires.arm(Letter::Cancelled, timing.patience());
        self.is_sent = true;
    }

    fn ended(&self, ending: Ending, wires: &mut Wires<'_>) -> State {
        if self.is_sent {
            wires.disarm(Letter::Cancelled);
        }
        wires.ended(ending);
        State::Gone
    }
}
