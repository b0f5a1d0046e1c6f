//! One leg: our half of one dialog, from the first INVITE to the last BYE, as a table of states. Each state is a
//! type in a file of its own and owns what it needs.

mod awaiting;
mod cancelling;
mod early;
mod established;
mod forks;
mod hanging_up;
mod inviting;
mod leaving;
mod offered;
mod ordinary;
mod over;
mod pending;
mod reliable;
mod restoring;
mod upkeep;

use sip::{Flow, Request, Response};

use crate::dialog::Dialog;
use crate::interface::{LegCommand, Letter};
use crate::screen::Kind;
use crate::transaction::{Part, TransactionId};
use crate::wires::Wires;

pub(crate) use cancelling::Cancelling;
pub(crate) use established::Established;
pub(crate) use hanging_up::HangingUp;
pub(crate) use inviting::Inviting;
pub(crate) use leaving::Leaving;
pub(crate) use offered::{Offered, refusing};
pub(crate) use ordinary::refuse;
pub(crate) use over::Over;
pub(crate) use pending::Pending;
pub(crate) use restoring::Mark;
pub(crate) use upkeep::{Kept, Upkeep};

/// What can happen to a leg.
#[derive(Debug)]
pub(crate) enum Input {
    Command(LegCommand),
    /// A new request of its dialog, which must be answered.
    Request(Kind, Box<Pending>),
    /// An ACK of its dialog, and where it came from.
    Ack(Box<Request>, Flow),
    /// A CANCEL of this INVITE, which was not answered yet.
    Cancel(TransactionId),
    /// A new response to a request of ours, and where it came from.
    Response(Part, Box<Response>, Flow),
    /// No response to a request of ours came in time, or none can come.
    Unanswered(Part),
    /// No further 2xx to our INVITE will come.
    Settled,
    /// What we would answer here can no longer be said.
    Unanswerable(TransactionId),
    Fired(Letter),
    /// The connection we last heard the other side on is gone.
    ConnectionLost,
}

/// The states of a leg.
#[derive(Debug)]
pub(crate) enum State {
    /// A caller's INVITE waits for our decision.
    Offered(Box<Offered>),
    /// Our INVITE waits for a final response.
    Inviting(Box<Inviting>),
    /// So it does, but it is not wanted any more.
    Cancelling(Box<Cancelling>),
    /// The call is up.
    Established(Box<Established>),
    /// We want to end, and must wait for the ACK first.
    Leaving(Box<Leaving>),
    /// Our BYE waits for its answer.
    HangingUp(Box<HangingUp>),
    /// The dialog is over and still answers for itself.
    Over(Box<Over>),
    /// There is nothing left to remember.
    Gone,
}

impl State {
    #[must_use]
    pub(crate) fn handle(self, input: Input, wires: &mut Wires<'_>) -> Self {
        match self {
            Self::Offered(state) => state.handle(input, wires),
            Self::Inviting(state) => state.handle(input, wires),
            Self::Cancelling(state) => state.handle(input, wires),
            Self::Established(state) => state.handle(input, wires),
            Self::Leaving(state) => state.handle(input, wires),
            Self::HangingUp(state) => state.handle(input, wires),
            Self::Over(state) => state.handle(input, wires),
            Self::Gone => Self::Gone,
        }
    }

    /// Whether a request with this Call-ID and this tag of theirs is of its dialog, or of one of its early ones.
    pub(crate) fn knows(&self, call_id: &str, remote_tag: &str) -> bool {
        match self {
            Self::Inviting(state) => state.knows(call_id),
            Self::Cancelling(state) => state.knows(call_id),
            Self::Over(state) => state.knows(call_id, remote_tag),
            Self::Offered(_) | Self::Established(_) | Self::Leaving(_) | Self::HangingUp(_) | Self::Gone => {
                self.dialog().is_some_and(|dialog| dialog.is_of(call_id, remote_tag))
            }
        }
    }

    /// The connection that requests of ours would go by.
    pub(crate) fn connection(&self) -> Option<Flow> {
        self.dialog().map(Dialog::flow).filter(|flow| flow.connection.is_some())
    }

    fn dialog(&self) -> Option<&Dialog> {
        match self {
            Self::Offered(state) => Some(state.dialog()),
            Self::Established(state) => Some(state.dialog()),
            Self::Leaving(state) => Some(state.dialog()),
            Self::HangingUp(state) => Some(state.dialog()),
            Self::Inviting(_) | Self::Cancelling(_) | Self::Over(_) | Self::Gone => None,
        }
    }
}
