//! Client transaction of any request but INVITE and ACK: RFC 3261 §17.1.2, Figure 6.

use std::time::Duration;

use bytes::Bytes;

use super::{Effect, Pace};
use crate::interface::Letter;

/// What can happen to it.
#[derive(Debug)]
pub(crate) enum Input {
    /// A 1xx.
    Provisional,
    /// A 2xx to 6xx.
    Final,
    Fired(Letter),
    TransportFailed,
}

/// The states of Figure 6.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestClient {
    Trying { pace: Pace, request: Bytes, e: Duration },
    Proceeding { pace: Pace, request: Bytes },
    Completed,
    Terminated,
}

impl RequestClient {
    /// Sends the request.
    #[must_use]
    pub(crate) fn start(pace: Pace, request: Bytes, out: &mut Vec<Effect>) -> Self {
        out.push(Effect::Send(request.clone()));
        pace.retransmit(Letter::E, out);
        out.push(Effect::Arm(Letter::F, pace.patience()));
        Self::Trying { pace, request, e: pace.timing.t1 }
    }

    #[must_use]
    pub(crate) fn handle(self, input: Input, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::Trying { pace, request, e } => trying(pace, request, e, &input, out),
            Self::Proceeding { pace, request } => proceeding(pace, request, &input, out),
            Self::Completed => completed(&input, out),
            Self::Terminated => Self::Terminated,
        }
    }
}

fn trying(pace: Pace, request: Bytes, e: Duration, input: &Input, out: &mut Vec<Effect>) -> RequestClient {
    match input {
        Input::Fired(Letter::E) => {
            let e = pace.timing.t2.min(e * 2);
            out.push(Effect::Send(request.clone()));
            out.push(Effect::Arm(Letter::E, e));
            RequestClient::Trying { pace, request, e }
        }
        Input::Provisional => {
            out.push(Effect::Pass);
            RequestClient::Proceeding { pace, request }
        }
        Input::Final | Input::Fired(Letter::F) | Input::TransportFailed => finish(pace, input, out),
        Input::Fired(_) => RequestClient::Trying { pace, request, e },
    }
}

fn proceeding(pace: Pace, request: Bytes, input: &Input, out: &mut Vec<Effect>) -> RequestClient {
    match input {
        Input::Fired(Letter::E) => {
            out.push(Effect::Send(request.clone()));
            out.push(Effect::Arm(Letter::E, pace.timing.t2));
            RequestClient::Proceeding { pace, request }
        }
        Input::Provisional => {
            out.push(Effect::Pass);
            RequestClient::Proceeding { pace, request }
        }
        Input::Final | Input::Fired(Letter::F) | Input::TransportFailed => finish(pace, input, out),
        Input::Fired(_) => RequestClient::Proceeding { pace, request },
    }
}

/// The same way out of Trying and Proceeding.
fn finish(pace: Pace, input: &Input, out: &mut Vec<Effect>) -> RequestClient {
    pace.settle(Letter::E, out);
    match input {
        Input::Final => {
            out.push(Effect::Disarm(Letter::F));
            out.push(Effect::Pass);
            let (stay, gone) = (RequestClient::Completed, RequestClient::Terminated);
            pace.linger(Letter::K, pace.timing.t4, stay, gone, out)
        }
        Input::TransportFailed => {
            out.push(Effect::Disarm(Letter::F));
            out.push(Effect::Failed);
            RequestClient::Terminated
        }
        Input::Fired(_) | Input::Provisional => {
            out.push(Effect::TimedOut);
            RequestClient::Terminated
        }
    }
}

fn completed(input: &Input, out: &mut Vec<Effect>) -> RequestClient {
    match input {
        Input::Fired(Letter::K) => RequestClient::Terminated,
        Input::Provisional | Input::Final => {
            out.push(Effect::Absorb);
            RequestClient::Completed
        }
        Input::Fired(_) | Input::TransportFailed => RequestClient::Completed,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::{TCP, UDP, seconds};
    use super::{Effect::*, Input::*, RequestClient::*, *};

    const BYE: Bytes = Bytes::from_static(b"BYE");

    fn start(pace: Pace) -> (RequestClient, Vec<Effect>) {
        let mut out = Vec::new();
        (RequestClient::start(pace, BYE, &mut out), out)
    }

    fn step(state: RequestClient, input: Input) -> (RequestClient, Vec<Effect>) {
        let mut out = Vec::new();
        (state.handle(input, &mut out), out)
    }

    fn proceeding(pace: Pace) -> RequestClient {
        Proceeding { pace, request: BYE }
    }

    #[test]
    fn a_request_is_resent_at_t1_doubling_to_t2_until_timer_f() {
        let (mut s, out) = start(UDP);
        assert_eq!(out, [Send(BYE), Arm(Letter::E, UDP.timing.t1), Arm(Letter::F, seconds(32))]);
        for pause in [1, 2, 4, 4, 4] {
            let (next, out) = step(s, Fired(Letter::E));
            assert_eq!(out, [Send(BYE), Arm(Letter::E, seconds(pause))]);
            s = next;
        }
        assert_eq!(step(s, Fired(Letter::F)), (Terminated, vec![Disarm(Letter::E), TimedOut]));
    }

    #[test]
    fn a_provisional_response_slows_retransmission_to_t2_and_leaves_timer_f() {
        let (s, out) = step(start(UDP).0, Provisional);
        assert_eq!((&s, out), (&proceeding(UDP), vec![Pass]));
        for _ in 0..2 {
            assert_eq!(step(proceeding(UDP), Fired(Letter::E)).1, [Send(BYE), Arm(Letter::E, seconds(4))]);
        }
        assert_eq!(step(s, Provisional), (proceeding(UDP), vec![Pass]));
        let (s, out) = step(proceeding(UDP), Fired(Letter::F));
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::E), TimedOut]));
    }

    #[test]
    fn a_final_response_is_passed_once_and_lingers_for_timer_k() {
        for s in [start(UDP).0, proceeding(UDP)] {
            let (s, out) = step(s, Final);
            assert_eq!(out, [Disarm(Letter::E), Disarm(Letter::F), Pass, Arm(Letter::K, seconds(5))]);
            let (s, out) = step(s, Final);
            assert_eq!((&s, out), (&Completed, vec![Absorb]));
            let (s, out) = step(s, Provisional);
            assert_eq!((&s, out), (&Completed, vec![Absorb]));
            assert_eq!(step(s, Fired(Letter::K)), (Terminated, vec![]));
        }
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_e_and_no_timer_k() {
        let (s, out) = start(TCP);
        assert_eq!(out, [Send(BYE), Arm(Letter::F, seconds(32))]);
        assert_eq!(step(s, Final), (Terminated, vec![Disarm(Letter::F), Pass]));
        assert_eq!(step(proceeding(TCP), Final), (Terminated, vec![Disarm(Letter::F), Pass]));
        assert_eq!(step(proceeding(TCP), Fired(Letter::F)), (Terminated, vec![TimedOut]));
    }

    #[test]
    fn a_failed_transport_is_reported_at_once() {
        for s in [start(UDP).0, proceeding(UDP)] {
            let (s, out) = step(s, TransportFailed);
            assert_eq!((s, out), (Terminated, vec![Disarm(Letter::E), Disarm(Letter::F), Failed]));
        }
        assert_eq!(step(Completed, TransportFailed), (Completed, vec![]));
    }

    #[test]
    fn a_timer_of_another_state_changes_nothing() {
        for letter in [Letter::A, Letter::K] {
            assert_eq!(step(start(UDP).0, Fired(letter)), (start(UDP).0, vec![]));
            assert_eq!(step(proceeding(UDP), Fired(letter)), (proceeding(UDP), vec![]));
            assert_eq!(step(Terminated, Fired(letter)), (Terminated, vec![]));
        }
        assert_eq!(step(Completed, Fired(Letter::E)), (Completed, vec![]));
    }
}
