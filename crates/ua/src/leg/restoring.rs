//! A leg whose call is up, kept and taken up again.

use super::{Established, State, Upkeep};
use crate::dialog::Dialog;
use crate::settings::Settings;
use crate::snapshot::{InviteSnapshot, Snapshot};
use crate::wires::Wires;
use sip::Flow;

/// What is another whenever a snapshot would be: the numbers of the last requests, where the other side was heard, and
/// what is open both ways.
pub(crate) type Mark = ((u32, Option<u32>, Flow), bool, bool);

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
