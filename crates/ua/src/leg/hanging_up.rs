//! Our BYE waits for its answer (RFC 3261 §15.1.1).

use sip::Status;

use super::forks::Forks;
use super::{Input, Over, State, ordinary};
use crate::dialog::Dialog;
use crate::interface::{Ending, Why};
use crate::screen::Kind;
use crate::transaction::Part;
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct HangingUp {
    dialog: Dialog,
    forks: Option<Box<Forks>>,
    why: Why,
}

impl HangingUp {
    /// Sends the BYE.
    pub(crate) fn begin(
        mut dialog: Dialog,
        forks: Option<Box<Forks>>,
        why: Why,
        wires: &mut Wires<'_>,
    ) -> State {
        wires.bye(&mut dialog, Some(why), Part::Bye);
        State::HangingUp(Box::new(Self { dialog, forks, why }))
    }

    pub(crate) fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Response(Part::Bye, response, flow) if self.dialog.is_challenged(&response, flow) => {
                wires.bye_again(&mut self.dialog, Some(self.why), Part::Bye);
            }
            Input::Response(Part::Bye, response, _) if response.status().is_final() => {
                let ending = match response.status() {
                    // They know nothing of the dialog (§12.2.1.2).
                    Status::CALL_DOES_NOT_EXIST | Status::REQUEST_TIMEOUT => Ending::Gone,
                    _ => Ending::Ordered,
                };
                return self.over(ending, wires);
            }
            Input::Unanswered(Part::Bye) => return self.over(Ending::Unreachable, wires),
            Input::Request(kind, request) => {
                ordinary::farewell(kind, &request, wires);
                // Both hung up at once: theirs is answered, and ours need not be.
                if kind == Kind::Bye {
                    return self.over(Ending::Ordered, wires);
                }
            }
            Input::Response(Part::Invite, response, flow) => {
                if let Some(forks) = self.forks.as_mut().filter(|_| response.status().is_success()) {
                    forks.another(&response, flow, wires);
                }
            }
            Input::Settled => self.forks = None,
            Input::ConnectionLost => self.dialog.lose_connection(),
            Input::Command(_)
            | Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(..)
            | Input::Unanswered(_)
            | Input::Unanswerable(_)
            | Input::Fired(_) => {}
        }
        State::HangingUp(self)
    }

    fn over(self: Box<Self>, ending: Ending, wires: &mut Wires<'_>) -> State {
        wires.ended(ending);
        Over::begin(&self.dialog, self.forks, wires)
    }
}
