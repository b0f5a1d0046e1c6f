//! A leg whose call is up, kept and taken up again.

use sip::Flow;

use super::{Established, State, Upkeep};
use crate::dialog::Dialog;
use crate::settings::Settings;
use crate::snapshot::{InviteSnapshot, Snapshot};
use crate::wires::Wires;

/// What is another whenever a snapshot would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Of the last requests both ways.
    pub(crate) sequences: (u32, Option<u32>),
    /// Where the other side was heard, or is expected.
    pub(crate) flow: Flow,
    /// What waits for an answer of ours, and what for one of theirs.
    pub(crate) open: (bool, bool),
    /// Whether the call is up.
    pub(crate) is_up: bool,
}

impl State {
    /// Takes a leg up again, in this dialog.
    pub(crate) fn restored(dialog: Dialog, snapshot: &Snapshot, wires: &mut Wires<'_>) -> Self {
        let upkeep = Upkeep::restored(snapshot, wires);
        Established::restored(dialog, upkeep)
    }

    /// What is to be kept of a dialog, where there is one: also of one that is made with the answer we have not given yet, since
    /// what is kept must be there before that.
    pub(crate) fn snapshot(&self, settings: &Settings) -> Option<Snapshot> {
        match self {
            Self::Established(state) => Some(state.snapshot(settings)),
            Self::Offered(state) => Some(state.snapshot(settings)),
            Self::Inviting(_)
            | Self::Cancelling(_)
            | Self::Leaving(_)
            | Self::HangingUp(_)
            | Self::Over(_)
            | Self::Gone => None,
        }
    }

    /// What is to be kept of an INVITE of ours that has no final response.
    pub(crate) fn invite_snapshot(&self, settings: &Settings) -> Option<InviteSnapshot> {
        match self {
            Self::Inviting(state) => Some(state.snapshot(settings)),
            Self::Offered(_)
            | Self::Established(_)
            | Self::Cancelling(_)
            | Self::Leaving(_)
            | Self::HangingUp(_)
            | Self::Over(_)
            | Self::Gone => None,
        }
    }

    /// By what a change of the snapshot is noticed.
    pub(crate) fn mark(&self) -> Option<Mark> {
        match self {
            Self::Established(state) => Some(state.mark()),
            Self::Inviting(state) => Some(state.mark()),
            Self::Offered(_)
            | Self::Cancelling(_)
            | Self::Leaving(_)
            | Self::HangingUp(_)
            | Self::Over(_)
            | Self::Gone => None,
        }
    }
}
