//! The dialog is over. For 64*T1 it still answers for itself: a second BYE, an INFO that crossed ours, a 2xx sent again.

use super::forks::Forks;
use super::{Input, State, ordinary};
use crate::dialog::Dialog;
use crate::interface::Letter;
use crate::transaction::Part;
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Over {
    call_id: Box<str>,
    remote_tag: Box<str>,
    forks: Option<Box<Forks>>,
}

impl Over {
    pub(crate) fn begin(dialog: &Dialog, forks: Option<Box<Forks>>, wires: &mut Wires<'_>) -> State {
        wires.arm(Letter::Tombstone, wires.settings.timing.patience());
        State::Over(Box::new(Self {
            call_id: dialog.call_id().into(),
            remote_tag: dialog.remote_tag().into(),
            forks,
        }))
    }

    pub(crate) fn knows(&self, call_id: &str, remote_tag: &str) -> bool {
        *self.call_id == *call_id && *self.remote_tag == *remote_tag
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Fired(Letter::Tombstone) => return State::Gone,
            Input::Request(kind, request) => ordinary::farewell(kind, &request, wires),
            Input::Response(Part::Invite, response, flow) => {
                if let Some(forks) = self.forks.as_mut().filter(|_| response.status().is_success()) {
                    forks.another(&response, flow, wires);
                }
            }
            Input::Settled => self.forks = None,
            Input::Command(_)
            | Input::Ack(..)
            | Input::Cancel(_)
            | Input::Response(Part::Bye | Part::Refresh | Part::Unattended, ..)
            | Input::Unanswered(_)
            | Input::Unanswerable(_)
            | Input::Fired(_)
            | Input::ConnectionLost => {}
        }
        State::Over(self)
    }
}
