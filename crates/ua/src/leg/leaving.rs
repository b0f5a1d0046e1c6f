//! We want to end the call, and the ACK to the 2xx that made it has not come. Whoever answered may not send BYE before
//! that (RFC 3261 §15): the 2xx is resent until the ACK comes or its time is up.

use super::awaiting::Awaiting;
use super::{HangingUp, Input, Over, State, ordinary};
use crate::dialog::Dialog;
use crate::interface::{Ending, Letter, Why};
use crate::screen::Kind;
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Leaving {
    dialog: Dialog,
    awaiting: Awaiting,
    why: Why,
}

impl Leaving {
    pub(crate) fn begin(dialog: Dialog, awaiting: Awaiting, why: Why) -> State {
        State::Leaving(Box::new(Self { dialog, awaiting, why }))
    }

    pub(crate) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Ack(ack, _) if self.awaiting.is_for(&ack) => return self.leave(wires),
            Input::Fired(Letter::Ack) => return self.leave(wires),
            Input::Fired(Letter::Retransmit2xx) => self.awaiting.resend(wires),
            Input::Request(kind, request) => {
                ordinary::farewell(kind, &request, wires);
                match kind {
                    Kind::Bye => {
                        Awaiting::stop(wires);
                        wires.ended(Ending::Ordered);
                        return Over::begin(&self.dialog, None, wires);
                    }
                    // Whoever sends a re-INVITE has our 2xx, and only the ACK is lost (§14.1).
                    Kind::Invite => return self.leave(wires),
                    Kind::Options | Kind::Info | Kind::Update | Kind::Prack => {}
                }
            }
            Input::ConnectionLost => self.dialog.lose_connection(),
            Input::Command(_)
            | Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(..)
            | Input::Unanswered(_)
            | Input::Settled
            | Input::Unanswerable(_)
            | Input::Fired(_) => {}
        }
        State::Leaving(self)
    }

    fn leave(self: Box<Self>, wires: &mut Wires<'_>) -> State {
        Awaiting::stop(wires);
        HangingUp::begin(self.dialog, None, self.why, wires)
    }
}
