//! The dialog is over. For 64*T1 it still answers for itself: a second BYE, an INFO that crossed ours, a 2xx sent again.

use sip::Status;

use super::forks::Forks;
use super::reliable::Owed;
use super::{Input, State, ordinary};
use crate::dialog::Dialog;
use crate::interface::Letter;
use crate::screen::Kind;
use crate::transaction::Part;
use crate::wires::Wires;

#[derive(Debug)]
pub(crate) struct Over {
    call_id: Box<str>,
    remote_tag: Box<str>,
    forks: Option<Box<Forks>>,
    /// A provisional response that was not acknowledged before we refused: it still may be (RFC 3262 §3).
    owed: Option<Owed>,
}

impl Over {
    pub(crate) fn begin(dialog: &Dialog, forks: Option<Box<Forks>>, wires: &mut Wires<'_>) -> State {
        wires.arm(Letter::Tombstone, wires.settings.timing.patience());
        State::Over(Box::new(Self {
            call_id: dialog.call_id().into(),
            remote_tag: dialog.remote_tag().into(),
            forks,
            owed: None,
        }))
    }

    /// We refused, and a provisional response of ours is not acknowledged yet.
    pub(crate) fn owing(dialog: &Dialog, owed: Owed, wires: &mut Wires<'_>) -> State {
        wires.arm(Letter::Tombstone, wires.settings.timing.patience());
        State::Over(Box::new(Self {
            call_id: dialog.call_id().into(),
            remote_tag: dialog.remote_tag().into(),
            forks: None,
            owed: Some(owed),
        }))
    }

    pub(crate) fn knows(&self, call_id: &str, remote_tag: &str) -> bool {
        *self.call_id == *call_id && *self.remote_tag == *remote_tag
    }

    pub(crate) fn handle(mut self: Box<Self>, input: Input, wires: &mut Wires<'_>) -> State {
        match input {
            Input::Fired(Letter::Tombstone) => return State::Gone,
            Input::Request(Kind::Prack, prack)
                if self.owed.is_some_and(|owed| owed.is_for(&prack.request)) =>
            {
                self.owed = None;
                wires.reply(&prack, Status::OK);
            }
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
            | Input::Response(Part::Bye | Part::Refresh | Part::Prack | Part::Unattended, ..)
            | Input::Unanswered(_)
            | Input::Unanswerable(_)
            | Input::Fired(_)
            | Input::ConnectionLost => {}
        }
        State::Over(self)
    }
}
