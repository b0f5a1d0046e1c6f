//! Any of the four transactions, as the table holds them.

use bytes::Bytes;

use super::{Effect, InviteClient, InviteServer, RequestClient, RequestServer};
use super::{invite_client, invite_server, request_client, request_server};
use crate::interface::Letter;

/// One transaction.
#[derive(Debug)]
pub(crate) enum Machine {
    InviteClient(InviteClient),
    InviteServer(InviteServer),
    RequestClient(RequestClient),
    RequestServer(RequestServer),
}

impl Machine {
    pub(crate) fn is_terminated(&self) -> bool {
        match self {
            Self::InviteClient(machine) => *machine == InviteClient::Terminated,
            Self::InviteServer(machine) => *machine == InviteServer::Terminated,
            Self::RequestClient(machine) => *machine == RequestClient::Terminated,
            Self::RequestServer(machine) => *machine == RequestServer::Terminated,
        }
    }

    /// Whether our final response is still to come.
    pub(crate) fn is_unanswered(&self) -> bool {
        match self {
            Self::InviteServer(machine) => matches!(machine, InviteServer::Proceeding { .. }),
            Self::RequestServer(machine) => {
                matches!(machine, RequestServer::Trying { .. } | RequestServer::Proceeding { .. })
            }
            Self::InviteClient(_) | Self::RequestClient(_) => false,
        }
    }

    #[must_use]
    pub(crate) fn fired(self, letter: Letter, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteClient(machine) => {
                Self::InviteClient(machine.handle(invite_client::Input::Fired(letter), out))
            }
            Self::InviteServer(machine) => {
                Self::InviteServer(machine.handle(invite_server::Input::Fired(letter), out))
            }
            Self::RequestClient(machine) => {
                Self::RequestClient(machine.handle(request_client::Input::Fired(letter), out))
            }
            Self::RequestServer(machine) => {
                Self::RequestServer(machine.handle(request_server::Input::Fired(letter), out))
            }
        }
    }

    #[must_use]
    pub(crate) fn transport_failed(self, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteClient(machine) => {
                Self::InviteClient(machine.handle(invite_client::Input::TransportFailed, out))
            }
            Self::InviteServer(machine) => {
                Self::InviteServer(machine.handle(invite_server::Input::TransportFailed, out))
            }
            Self::RequestClient(machine) => {
                Self::RequestClient(machine.handle(request_client::Input::TransportFailed, out))
            }
            Self::RequestServer(machine) => {
                Self::RequestServer(machine.handle(request_server::Input::TransportFailed, out))
            }
        }
    }

    /// A request that made a server transaction came again.
    #[must_use]
    pub(crate) fn repeated(self, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteServer(machine) => {
                Self::InviteServer(machine.handle(invite_server::Input::Invite, out))
            }
            Self::RequestServer(machine) => {
                Self::RequestServer(machine.handle(request_server::Input::Request, out))
            }
            client @ (Self::InviteClient(_) | Self::RequestClient(_)) => client,
        }
    }

    /// An ACK with the branch of its INVITE came.
    #[must_use]
    pub(crate) fn acknowledged(self, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteServer(machine) => Self::InviteServer(machine.handle(invite_server::Input::Ack, out)),
            other @ (Self::InviteClient(_) | Self::RequestClient(_) | Self::RequestServer(_)) => other,
        }
    }

    /// The user of a server transaction answers.
    #[must_use]
    pub(crate) fn respond(self, status: u16, response: Bytes, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteServer(machine) => {
                Self::InviteServer(machine.handle(invite_server::Input::Respond(status, response), out))
            }
            Self::RequestServer(machine) => {
                Self::RequestServer(machine.handle(request_server::Input::Respond(status, response), out))
            }
            client @ (Self::InviteClient(_) | Self::RequestClient(_)) => client,
        }
    }

    /// A response to a client transaction came; `ack` makes the ACK to a refusal of an INVITE.
    #[must_use]
    pub(crate) fn responded(self, status: u16, ack: impl FnOnce() -> Bytes, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::InviteClient(machine) => {
                let input = match status {
                    ..200 => invite_client::Input::Provisional,
                    200..300 => invite_client::Input::Success,
                    300.. => invite_client::Input::Refusal { ack: ack() },
                };
                Self::InviteClient(machine.handle(input, out))
            }
            Self::RequestClient(machine) => {
                let input = match status {
                    ..200 => request_client::Input::Provisional,
                    200.. => request_client::Input::Final,
                };
                Self::RequestClient(machine.handle(input, out))
            }
            server @ (Self::InviteServer(_) | Self::RequestServer(_)) => server,
        }
    }
}
