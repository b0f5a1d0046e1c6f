//! Server transaction of any request but INVITE and ACK: RFC 3261 §17.2.2, Figure 8.

use bytes::Bytes;

use super::{Effect, Pace};
use crate::interface::Letter;

/// What can happen to it.
#[derive(Debug)]
pub(crate) enum Input {
    /// A retransmission: the first request made this transaction.
    Request,
    /// The user answers: status and the whole response.
    Respond(u16, Bytes),
    Fired(Letter),
    TransportFailed,
}

/// The states of Figure 8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestServer {
    Trying { pace: Pace },
    Proceeding { pace: Pace, last: Bytes },
    Completed { last: Bytes },
    Terminated,
}

impl RequestServer {
    #[must_use]
    pub(crate) fn start(pace: Pace) -> Self {
        Self::Trying { pace }
    }

    #[must_use]
    pub(crate) fn handle(self, input: Input, out: &mut Vec<Effect>) -> Self {
        match self {
            Self::Trying { pace } => trying(pace, input, out),
            Self::Proceeding { pace, last } => proceeding(pace, last, input, out),
            Self::Completed { last } => completed(last, &input, out),
            Self::Terminated => Self::Terminated,
        }
    }
}

fn trying(pace: Pace, input: Input, out: &mut Vec<Effect>) -> RequestServer {
    match input {
        Input::Request => {
            out.push(Effect::Absorb);
            RequestServer::Trying { pace }
        }
        Input::Respond(status, response) => respond(pace, status, response, out),
        Input::TransportFailed => {
            out.push(Effect::Failed);
            RequestServer::Terminated
        }
        Input::Fired(_) => RequestServer::Trying { pace },
    }
}

fn proceeding(pace: Pace, last: Bytes, input: Input, out: &mut Vec<Effect>) -> RequestServer {
    match input {
        Input::Request => {
            out.push(Effect::Send(last.clone()));
            out.push(Effect::Absorb);
            RequestServer::Proceeding { pace, last }
        }
        Input::Respond(status, response) => respond(pace, status, response, out),
        Input::TransportFailed => {
            out.push(Effect::Failed);
            RequestServer::Terminated
        }
        Input::Fired(_) => RequestServer::Proceeding { pace, last },
    }
}

fn respond(pace: Pace, status: u16, response: Bytes, out: &mut Vec<Effect>) -> RequestServer {
    out.push(Effect::Send(response.clone()));
    match status {
        ..200 => RequestServer::Proceeding { pace, last: response },
        200.. => {
            let (stay, gone) = (RequestServer::Completed { last: response }, RequestServer::Terminated);
            pace.linger(Letter::J, pace.patience(), stay, gone, out)
        }
    }
}

fn completed(last: Bytes, input: &Input, out: &mut Vec<Effect>) -> RequestServer {
    match input {
        Input::Request => {
            out.push(Effect::Send(last.clone()));
            out.push(Effect::Absorb);
            RequestServer::Completed { last }
        }
        Input::Fired(Letter::J) => RequestServer::Terminated,
        Input::TransportFailed => {
            out.push(Effect::Disarm(Letter::J));
            out.push(Effect::Failed);
            RequestServer::Terminated
        }
        Input::Respond(..) | Input::Fired(_) => RequestServer::Completed { last },
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::{TCP, UDP, seconds};
    use super::{Effect::*, Input::*, RequestServer::*, *};

    const TRYING: Bytes = Bytes::from_static(b"100");
    const OK: Bytes = Bytes::from_static(b"200");

    fn step(state: RequestServer, input: Input) -> (RequestServer, Vec<Effect>) {
        let mut out = Vec::new();
        (state.handle(input, &mut out), out)
    }

    #[test]
    fn a_retransmitted_request_is_absorbed_before_there_is_an_answer() {
        assert_eq!(step(Trying { pace: UDP }, Request), (Trying { pace: UDP }, vec![Absorb]));
    }

    #[test]
    fn a_retransmitted_request_gets_the_last_response_again() {
        let (s, out) = step(Trying { pace: UDP }, Respond(100, TRYING));
        assert_eq!(out, [Send(TRYING)]);
        let (s, out) = step(s, Request);
        assert_eq!(out, [Send(TRYING), Absorb]);
        let (s, out) = step(s, Respond(200, OK));
        assert_eq!(out, [Send(OK), Arm(Letter::J, seconds(32))]);
        let (s, out) = step(s, Request);
        assert_eq!((&s, out), (&Completed { last: OK }, vec![Send(OK), Absorb]));
        assert_eq!(step(s, Fired(Letter::J)), (Terminated, vec![]));
    }

    #[test]
    fn a_second_final_response_is_not_sent() {
        assert_eq!(step(Completed { last: OK }, Respond(500, TRYING)), (Completed { last: OK }, vec![]));
    }

    #[test]
    fn a_reliable_transport_needs_no_timer_j() {
        assert_eq!(step(Trying { pace: TCP }, Respond(200, OK)), (Terminated, vec![Send(OK)]));
        let waiting = Proceeding { pace: TCP, last: TRYING };
        assert_eq!(step(waiting, Respond(200, OK)), (Terminated, vec![Send(OK)]));
    }

    #[test]
    fn a_failed_transport_is_reported_at_once() {
        assert_eq!(step(Trying { pace: UDP }, TransportFailed), (Terminated, vec![Failed]));
        let waiting = Proceeding { pace: UDP, last: TRYING };
        assert_eq!(step(waiting, TransportFailed), (Terminated, vec![Failed]));
        let (s, out) = step(Completed { last: OK }, TransportFailed);
        assert_eq!((s, out), (Terminated, vec![Disarm(Letter::J), Failed]));
    }

    #[test]
    fn a_timer_of_another_state_changes_nothing() {
        for letter in [Letter::F, Letter::E] {
            assert_eq!(step(Trying { pace: UDP }, Fired(letter)), (Trying { pace: UDP }, vec![]));
            let waiting = || Proceeding { pace: UDP, last: TRYING };
            assert_eq!(step(waiting(), Fired(letter)), (waiting(), vec![]));
            assert_eq!(step(Completed { last: OK }, Fired(letter)), (Completed { last: OK }, vec![]));
            assert_eq!(step(Terminated, Fired(letter)), (Terminated, vec![]));
        }
    }
}
