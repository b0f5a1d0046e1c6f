//! INVITE server transaction: RFC 3261 §17.2.1, Figure 7, as amended by RFC 6026 §7.1 and §8.7.

use std::time::Duration;

use bytes::Bytes;

use super::{Effect, Pace};
use crate::interface::Letter;

/// What can happen to it.
#[derive(Debug)]
pub(crate) enum Input {
    /// A retransmission: the first INVITE made this transaction.
    Invite,
    Ack,
    /// The user answers: status and the whole response.
    Respond(u16, Bytes),
    Fired(Letter),
    TransportFailed,
}

/// The states of Figure 7, and Accepted of RFC 6026.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InviteServer {
    Proceeding {
        pace: Pace,
        last: Option<Bytes>,
    },
    /// Refused, and no ACK has come.
    Completed {
        pace: Pace,
        last: Bytes,
        g: Duration,
    },
    /// Refused and acknowledged.
    Confirmed,
    /// Accepted; resending the 2xx is the user's affair (§13.3.1.4).
    Accepted,
    Terminated,
}

impl InviteServer {
    #[must_use]
    pub(crate) fn start(pace: Pace) -> Self {
        Self::Proceeding { pace, last: None }
    }

    #[must_use]
    pub(crate) fn handle(self, input: Input, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::Proceeding { pace, last } => proceeding(pace, last, input, out),
            Self::Completed { pace, last, g } => completed(pace, last, g, input, out),
            Self::Confirmed => confirmed(&input, out),
            Self::Accepted => accepted(input, out),
            Self::Terminated => Self::Terminated,
        }
    }
}

fn proceeding(pace: Pace, last: Option<Bytes>, input: Input, out: &mut Vec<Effect>) -> InviteServer {
    match input {
        Input::Invite => {
            out.extend(last.clone().map(Effect::Send));
            out.push(Effect::Absorb);
            InviteServer::Proceeding { pace, last }
        }
        Input::Respond(status, response) => {
            out.push(Effect::Send(response.clone()));
            respond(pace, status, response, out)
        }
        Input::TransportFailed => {
            out.push(Effect::Failed);
            InviteServer::Terminated
        }
        Input::Ack | Input::Fired(_) => InviteServer::Proceeding { pace, last },
    }
}

fn respond(pace: Pace, status: u16, response: Bytes, out: &mut Vec<Effect>) -> InviteServer {
    match status {
        ..200 => InviteServer::Proceeding { pace, last: Some(response) },
        200..300 => {
            out.push(Effect::Arm(Letter::L, pace.patience()));
            InviteServer::Accepted
        }
        300.. => {
            pace.retransmit(Letter::G, out);
            out.push(Effect::Arm(Letter::H, pace.patience()));
            InviteServer::Completed { pace, last: response, g: pace.timing.t1 }
        }
    }
}

fn completed(pace: Pace, last: Bytes, g: Duration, input: Input, out: &mut Vec<Effect>) -> InviteServer {
    match input {
        Input::Invite => {
            out.push(Effect::Send(last.clone()));
            out.push(Effect::Absorb);
            InviteServer::Completed { pace, last, g }
        }
        Input::Fired(Letter::G) => {
            let g = pace.timing.t2.min(g * 2);
            out.push(Effect::Send(last.clone()));
            out.push(Effect::Arm(Letter::G, g));
            InviteServer::Completed { pace, last, g }
        }
        Input::Ack => {
            pace.settle(Letter::G, out);
            out.push(Effect::Disarm(Letter::H));
            let (stay, gone) = (InviteServer::Confirmed, InviteServer::Terminated);
            pace.linger(Letter::I, pace.timing.t4, stay, gone, out)
        }
        Input::Fired(Letter::H) => {
            pace.settle(Letter::G, out);
            out.push(Effect::TimedOut);
            InviteServer::Terminated
        }
        Input::TransportFailed => {
            pace.settle(Letter::G, out);
            out.push(Effect::Disarm(Letter::H));
            out.push(Effect::Failed);
            InviteServer::Terminated
        }
        Input::Respond(..) | Input::Fired(_) => InviteServer::Completed { pace, last, g },
    }
}

fn confirmed(input: &Input, out: &mut Vec<Effect>) -> InviteServer {
    match input {
        Input::Fired(Letter::I) => InviteServer::Terminated,
        Input::Invite | Input::Ack => {
            out.push(Effect::Absorb);
            InviteServer::Confirmed
        }
        Input::Respond(..) | Input::Fired(_) | Input::TransportFailed => InviteServer::Confirmed,
    }
}

fn accepted(input: Input, out: &mut Vec<Effect>) -> InviteServer {
    match input {
        Input::Fired(Letter::L) => InviteServer::Terminated,
        Input::Invite => {
            out.push(Effect::Absorb);
            InviteServer::Accepted
        }
        // An ACK to a 2xx has a branch of its own, except from those who knew no better (RFC 2543).
        Input::Ack => {
            out.push(Effect::Pass);
            InviteServer::Accepted
        }
        Input::Respond(200..300, response) => {
            out.push(Effect::Send(response));
            InviteServer::Accepted
        }
        // The user resends until the ACK, and on a lost connection another is opened for that (§18.2.2).
        Input::Respond(..) | Input::Fired(_) | Input::TransportFailed => InviteServer::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::{TCP, UDP, seconds};
    use super::{Effect::*, Input::*, InviteServer::*, *};

    const TRYING: Bytes = Bytes::from_static(b"100");
    const RINGING: Bytes = Bytes::from_static(b"180");
    const OK: Bytes = Bytes::from_static(b"200");
    const BUSY: Bytes = Bytes::from_static(b"486");

    fn step(state: InviteServer, input: Input) -> (InviteServer, Vec<Effect>) {
        let mut out = Vec::new();
        (state.handle(input, &mut out), out)
    }

    fn refused(pace: Pace) -> (InviteServer, Vec<Effect>) {
        step(InviteServer::start(pace), Respond(486, BUSY))
    }

    #[test]
    fn a_retransmitted_invite_gets_the_last_provisional_response_again() {
        let (s, out) = step(InviteServer::start(UDP), Invite);
        assert_eq!((&s, out), (&Proceeding { pace: UDP, last: None }, vec![Absorb]));
        let (s, out) = step(s, Respond(100, TRYING));
        assert_eq!(out, [Send(TRYING)]);
        let (s, out) = step(s, Invite);
        assert_eq!(out, [Send(TRYING), Absorb]);
        let (s, _) = step(s, Respond(180, RINGING));
        assert_eq!(step(s, Invite).1, [Send(RINGING), Absorb]);
    }

    #[test]
    fn a_refusal_is_resent_at_t1_doubling_to_t2_until_timer_h() {
        let (mut s, out) = refused(UDP);
        assert_eq!(out, [Send(BUSY), Arm(Letter::G, UDP.timing.t1), Arm(Letter::H, seconds(32))]);
        for pause in [1, 2, 4, 4] {
            let (next, out) = step(s, Fired(Letter::G));
            assert_eq!(out, [Send(BUSY), Arm(Letter::G, seconds(pause))]);
            s = next;
        }
        assert_eq!(step(s, Fired(Letter::H)), (Terminated, vec![Disarm(Letter::G), TimedOut]));
    }

    #[test]
    fn a_refusal_on_a_reliable_transport_is_sent_once_and_waits_for_timer_h() {
        let (s, out) = refused(TCP);
        assert_eq!(out, [Send(BUSY), Arm(Letter::H, seconds(32))]);
        assert_eq!(step(s, Ack), (Terminated, vec![Disarm(Letter::H)]));
        assert_eq!(step(refused(TCP).0, Fired(Letter::H)), (Terminated, vec![TimedOut]));
    }

    #[test]
    fn a_retransmitted_invite_gets_the_refusal_again() {
        let (s, out) = step(refused(UDP).0, Invite);
        assert_eq!(out, [Send(BUSY), Absorb]);
        assert_eq!(s, refused(UDP).0);
    }

    #[test]
    fn an_ack_confirms_the_refusal_and_timer_i_absorbs_further_acks() {
        let (s, out) = step(refused(UDP).0, Ack);
        assert_eq!(out, [Disarm(Letter::G), Disarm(Letter::H), Arm(Letter::I, seconds(5))]);
        let (s, out) = step(s, Ack);
        assert_eq!((&s, out), (&Confirmed, vec![Absorb]));
        let (s, out) = step(s, Invite);
        assert_eq!((&s, out), (&Confirmed, vec![Absorb]));
        assert_eq!(step(s, Fired(Letter::I)), (Terminated, vec![]));
    }

    #[test]
    fn a_success_is_not_resent_by_the_transaction_and_lingers_for_timer_l() {
        for pace in [UDP, TCP] {
            let (s, out) = step(InviteServer::start(pace), Respond(200, OK));
            assert_eq!(out, [Send(OK), Arm(Letter::L, seconds(32))]);
            let (s, out) = step(s, Invite);
            assert_eq!((&s, out), (&Accepted, vec![Absorb]));
            assert_eq!(step(s, Fired(Letter::L)), (Terminated, vec![]));
        }
    }

    #[test]
    fn the_user_resends_a_success_through_the_transaction_and_nothing_else() {
        assert_eq!(step(Accepted, Respond(200, OK)), (Accepted, vec![Send(OK)]));
        assert_eq!(step(Accepted, Respond(486, BUSY)), (Accepted, vec![]));
        assert_eq!(step(Accepted, Ack), (Accepted, vec![Pass]));
    }

    #[test]
    fn a_second_final_response_is_not_sent() {
        let (s, out) = step(refused(UDP).0, Respond(200, OK));
        assert_eq!((s, out), (refused(UDP).0, vec![]));
        assert_eq!(step(Confirmed, Respond(200, OK)), (Confirmed, vec![]));
    }

    #[test]
    fn a_failed_transport_is_reported_while_there_is_something_to_say() {
        assert_eq!(step(InviteServer::start(UDP), TransportFailed), (Terminated, vec![Failed]));
        let (s, out) = step(refused(UDP).0, TransportFailed);
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::G), Disarm(Letter::H), Failed]));
        let (s, out) = step(refused(TCP).0, TransportFailed);
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::H), Failed]));
        assert_eq!(step(Confirmed, TransportFailed), (Confirmed, vec![]));
        assert_eq!(step(Accepted, TransportFailed), (Accepted, vec![]));
    }

    #[test]
    fn a_timer_of_another_state_changes_nothing() {
        for letter in [Letter::A, Letter::J] {
            assert_eq!(step(InviteServer::start(UDP), Fired(letter)), (InviteServer::start(UDP), vec![]));
            assert_eq!(step(refused(UDP).0, Fired(letter)), (refused(UDP).0, vec![]));
            assert_eq!(step(Confirmed, Fired(letter)), (Confirmed, vec![]));
            assert_eq!(step(Accepted, Fired(letter)), (Accepted, vec![]));
            assert_eq!(step(Terminated, Fired(letter)), (Terminated, vec![]));
        }
    }
}
