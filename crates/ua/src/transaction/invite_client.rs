//! INVITE client transaction: RFC 3261 §17.1.1, Figure 5, as amended by RFC 6026 §7.2 and §8.4.

use std::time::Duration;

use bytes::Bytes;

use super::{Effect, Pace};
use crate::interface::Letter;

/// The least Timer D may be on a transport that loses (RFC 3261 §17.1.1.2).
const D: Duration = Duration::from_secs(32);

/// What can happen to it.
#[derive(Debug)]
pub(crate) enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx.
    Success,
    /// A 3xx to 6xx, with the ACK that answers it.
    Refusal {
        ack: Bytes,
    },
    Fired(Letter),
    TransportFailed,
}

/// The states of Figure 5, and Accepted of RFC 6026.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InviteClient {
    Calling {
        pace: Pace,
        request: Bytes,
        a: Duration,
    },
    Proceeding {
        pace: Pace,
    },
    /// Refused and acknowledged: each retransmission of the refusal is acknowledged again.
    Completed {
        ack: Bytes,
    },
    /// Accepted: every 2xx goes to the user, which acknowledges each (§13.2.2.4).
    Accepted,
    Terminated,
}

impl InviteClient {
    /// Sends the INVITE.
    #[must_use]
    pub(crate) fn start(pace: Pace, request: Bytes, out: &mut Vec<Effect>) -> Self {
        out.push(Effect::Send(request.clone()));
        pace.retransmit(Letter::A, out);
        out.push(Effect::Arm(Letter::B, pace.patience()));
        Self::Calling { pace, request, a: pace.timing.t1 }
    }

    #[must_use]
    pub(crate) fn handle(self, input: Input, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::Calling { pace, request, a } => calling(pace, request, a, input, out),
            Self::Proceeding { pace } => proceeding(pace, input, out),
            Self::Completed { ack } => completed(ack, input, out),
            Self::Accepted => accepted(&input, out),
            Self::Terminated => Self::Terminated,
        }
    }
}

fn calling(pace: Pace, request: Bytes, a: Duration, input: Input, out: &mut Vec<Effect>) -> InviteClient {
    match input {
        Input::Fired(Letter::A) => {
            let a = a * 2;
            out.push(Effect::Send(request.clone()));
            out.push(Effect::Arm(Letter::A, a));
            return InviteClient::Calling { pace, request, a };
        }
        Input::Fired(Letter::B) => {
            pace.settle(Letter::A, out);
            out.push(Effect::TimedOut);
            return InviteClient::Terminated;
        }
        Input::Fired(_) => return InviteClient::Calling { pace, request, a },
        Input::Provisional | Input::Success | Input::Refusal { .. } | Input::TransportFailed => {}
    }
    pace.settle(Letter::A, out);
    out.push(Effect::Disarm(Letter::B));
    proceeding(pace, input, out)
}

fn proceeding(pace: Pace, input: Input, out: &mut Vec<Effect>) -> InviteClient {
    match input {
        Input::Provisional => {
            out.push(Effect::Pass);
            InviteClient::Proceeding { pace }
        }
        Input::Success => {
            out.push(Effect::Arm(Letter::M, pace.patience()));
            out.push(Effect::Pass);
            InviteClient::Accepted
        }
        Input::Refusal { ack } => {
            out.push(Effect::Send(ack.clone()));
            out.push(Effect::Pass);
            let (stay, gone) = (InviteClient::Completed { ack }, InviteClient::Terminated);
            pace.linger(Letter::D, D.max(pace.patience()), stay, gone, out)
        }
        Input::TransportFailed => {
            out.push(Effect::Failed);
            InviteClient::Terminated
        }
        Input::Fired(_) => InviteClient::Proceeding { pace },
    }
}

fn completed(ack: Bytes, input: Input, out: &mut Vec<Effect>) -> InviteClient {
    match input {
        Input::Refusal { .. } => {
            out.push(Effect::Send(ack.clone()));
            out.push(Effect::Absorb);
            InviteClient::Completed { ack }
        }
        Input::Provisional | Input::Success => {
            out.push(Effect::Absorb);
            InviteClient::Completed { ack }
        }
        Input::Fired(Letter::D) => InviteClient::Terminated,
        Input::TransportFailed => {
            out.push(Effect::Disarm(Letter::D));
            out.push(Effect::Failed);
            InviteClient::Terminated
        }
        Input::Fired(_) => InviteClient::Completed { ack },
    }
}

fn accepted(input: &Input, out: &mut Vec<Effect>) -> InviteClient {
    match input {
        Input::Success => {
            out.push(Effect::Pass);
            InviteClient::Accepted
        }
        Input::Provisional | Input::Refusal { .. } => {
            out.push(Effect::Absorb);
            InviteClient::Accepted
        }
        Input::Fired(Letter::M) => {
            out.push(Effect::Expired);
            InviteClient::Terminated
        }
        // The ACK belongs to the user: it may go another way than the INVITE went.
        Input::TransportFailed | Input::Fired(_) => InviteClient::Accepted,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::{TCP, UDP, seconds};
    use super::{Effect::*, Input::*, InviteClient::*, *};

    const INVITE: Bytes = Bytes::from_static(b"INVITE");
    const ACK: Bytes = Bytes::from_static(b"ACK");
    const OTHER_ACK: Bytes = Bytes::from_static(b"another ACK");

    fn start(pace: Pace) -> (InviteClient, Vec<Effect>) {
        let mut out = Vec::new();
        (InviteClient::start(pace, INVITE, &mut out), out)
    }

    fn step(state: InviteClient, input: Input) -> (InviteClient, Vec<Effect>) {
        let mut out = Vec::new();
        (state.handle(input, &mut out), out)
    }

    fn calling() -> InviteClient {
        start(UDP).0
    }

    #[test]
    fn an_invite_is_resent_at_t1_doubling_without_end_until_timer_b() {
        let (mut s, out) = start(UDP);
        assert_eq!(out, [Send(INVITE), Arm(Letter::A, UDP.timing.t1), Arm(Letter::B, seconds(32))]);
        for pause in [1, 2, 4, 8, 16, 32] {
            let (next, out) = step(s, Fired(Letter::A));
            assert_eq!(out, [Send(INVITE), Arm(Letter::A, seconds(pause))]);
            s = next;
        }
        assert_eq!(step(s, Fired(Letter::B)), (Terminated, vec![Disarm(Letter::A), TimedOut]));
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_a_and_no_timer_d() {
        let (s, out) = start(TCP);
        assert_eq!(out, [Send(INVITE), Arm(Letter::B, seconds(32))]);
        let (s, out) = step(s, Refusal { ack: ACK });
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::B), Send(ACK), Pass]));
    }

    #[test]
    fn a_provisional_response_ends_retransmission_and_patience() {
        let (s, out) = step(calling(), Provisional);
        assert_eq!(out, [Disarm(Letter::A), Disarm(Letter::B), Pass]);
        assert_eq!(s, Proceeding { pace: UDP });
        assert_eq!(step(s, Provisional), (Proceeding { pace: UDP }, vec![Pass]));
        assert_eq!(step(Proceeding { pace: UDP }, Fired(Letter::B)), (Proceeding { pace: UDP }, vec![]));
    }

    #[test]
    fn a_success_is_passed_from_calling_and_from_proceeding_and_lingers_for_timer_m() {
        let (s, out) = step(calling(), Success);
        assert_eq!(out, [Disarm(Letter::A), Disarm(Letter::B), Arm(Letter::M, seconds(32)), Pass]);
        assert_eq!(s, Accepted);
        for pace in [UDP, TCP] {
            let (s, out) = step(Proceeding { pace }, Success);
            assert_eq!((s, out), (Accepted, vec![Arm(Letter::M, seconds(32)), Pass]));
        }
    }

    #[test]
    fn every_further_success_is_passed_until_timer_m() {
        assert_eq!(step(Accepted, Success), (Accepted, vec![Pass]));
        assert_eq!(step(Accepted, Provisional), (Accepted, vec![Absorb]));
        assert_eq!(step(Accepted, Refusal { ack: ACK }), (Accepted, vec![Absorb]));
        assert_eq!(step(Accepted, TransportFailed), (Accepted, vec![]));
        assert_eq!(step(Accepted, Fired(Letter::M)), (Terminated, vec![Expired]));
    }

    #[test]
    fn a_refusal_is_acknowledged_each_time_with_the_same_ack_and_passed_once() {
        let (s, out) = step(calling(), Refusal { ack: ACK });
        assert_eq!(out, [Disarm(Letter::A), Disarm(Letter::B), Send(ACK), Pass, Arm(Letter::D, seconds(32))]);
        let (s, out) = step(s, Refusal { ack: OTHER_ACK });
        assert_eq!((&s, out), (&Completed { ack: ACK }, vec![Send(ACK), Absorb]));
        let (s, out) = step(s, Provisional);
        assert_eq!((&s, out), (&Completed { ack: ACK }, vec![Absorb]));
        assert_eq!(step(s, Fired(Letter::D)), (Terminated, vec![]));
    }

    #[test]
    fn a_success_after_a_refusal_is_absorbed() {
        assert_eq!(step(Completed { ack: ACK }, Success), (Completed { ack: ACK }, vec![Absorb]));
    }

    #[test]
    fn a_failed_transport_is_reported_at_once_in_every_state_that_still_sends() {
        let (s, out) = step(calling(), TransportFailed);
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::A), Disarm(Letter::B), Failed]));
        assert_eq!(step(Proceeding { pace: TCP }, TransportFailed), (Terminated, vec![Failed]));
        let (s, out) = step(Completed { ack: ACK }, TransportFailed);
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::D), Failed]));
    }

    #[test]
    fn a_timer_of_another_state_changes_nothing() {
        for letter in [Letter::A, Letter::B, Letter::E] {
            assert_eq!(step(Proceeding { pace: UDP }, Fired(letter)), (Proceeding { pace: UDP }, vec![]));
            assert_eq!(step(Completed { ack: ACK }, Fired(letter)), (Completed { ack: ACK }, vec![]));
            assert_eq!(step(Accepted, Fired(letter)), (Accepted, vec![]));
            assert_eq!(step(Terminated, Fired(letter)), (Terminated, vec![]));
        }
        assert_eq!(step(calling(), Fired(Letter::M)), (calling(), vec![]));
    }
}
