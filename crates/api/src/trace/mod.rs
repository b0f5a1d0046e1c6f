//! `/v1/calls/{id}/trace`: the SIP messages of a call, for programs, for people, and for Wireshark.

mod ladder;
mod pcap;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use b2bua::{Attestation, IdentityFault, Verification};
use serde::Serialize;
use store::{Timestamp, Ulid};

use crate::calls::call_id;
use crate::gate::Gate;
use crate::interface::{Ask, Trace, TracedMessage};
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// The IANA type of what tcpdump writes.
const PCAP: &str = "application/vnd.tcpdump.pcap";

/// A trace in JSON.
#[derive(Debug, Serialize)]
struct Shown {
    call: Ulid,
    lost: u64,
    identity: Option<Identity>,
    messages: Vec<Line>,
}

/// What became of verifying who calls.
#[derive(Debug, Serialize)]
struct Identity {
    verdict: &'static str,
    attestation: Option<&'static str>,
    fault: Option<&'static str>,
}

impl From<Verification> for Identity {
    fn from(verification: Verification) -> Self {
        Self {
            verdict: verification.verdict().word(),
            attestation: verification.attestation().map(Attestation::word),
            fault: verification.fault().map(IdentityFault::word),
        }
    }
}

/// One message of it.
#[derive(Debug, Serialize)]
struct Line {
    at: Timestamp,
    leg: String,
    direction: &'static str,
    transport: &'static str,
    from: String,
    to: String,
    method: String,
    status: Option<u16>,
    text: String,
}

impl From<TracedMessage> for Line {
    fn from(message: TracedMessage) -> Self {
        let (ours, theirs) = (message.ours.to_string(), message.theirs.to_string());
        let (direction, from, to) =
            if message.incoming { ("in", theirs, ours) } else { ("out", ours, theirs) };
        Self {
            at: Timestamp(message.at_us / 1000),
            leg: message.leg.to_string(),
            direction,
            transport: message.transport,
            from,
            to,
            method: message.method,
            status: message.status,
            text: message.text,
        }
    }
}

/// `GET /v1/calls/{id}/trace`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let call = call_id(&id).ok_or_else(unknown)?;
    let plain = caller.role != Role::Admin;
    if plain && wanted(&headers) == Form::Pcap {
        return Err(Problem::new(
            Fault::Forbidden,
            "a capture is for the role admin; others have JSON and text",
        ));
    }
    let trace = gate.ask(|reply| Ask::Trace { call, plain, reply }).await?.ok_or_else(unknown)?;
    let vary = [(header::VARY, "accept")];
    Ok(match wanted(&headers) {
        Form::Json => (vary, Json(shown(Ulid(call.0), trace))).into_response(),
        Form::Ladder => (vary, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], ladder::draw(&trace))
            .into_response(),
        Form::Pcap => {
            let name = format!("attachment; filename=\"{id}.pcap\"");
            let about = [(header::CONTENT_TYPE, PCAP.to_owned()), (header::CONTENT_DISPOSITION, name)];
            (vary, about, pcap::write(&trace)).into_response()
        }
    })
}

fn shown(call: Ulid, trace: Trace) -> Shown {
    let messages = trace.messages.into_iter().map(Line::from).collect();
    Shown { call, lost: trace.lost, identity: trace.identity.map(Identity::from), messages }
}

fn unknown() -> Problem {
    Problem::new(
        Fault::CallUnknown,
        "nothing is kept of a call with this id; [trace] says of how many, and for how long",
    )
}

/// In which form a trace is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Ladder,
    Pcap,
}

/// The first type named in `Accept` that there is.
fn wanted(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = |part: &str| match part.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "text/plain" => Some(Form::Ladder),
        PCAP => Some(Form::Pcap),
        "application/json" => Some(Form::Json),
        _ => None,
    };
    accept.split(',').find_map(form).unwrap_or(Form::Json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::TraceLeg;

    /// A call, an answer, and an INVITE to the other party by IPv6.
    pub(super) fn trace() -> Trace {
        let message = |at_us: u64, leg, incoming, method: &str, status, text: &str| TracedMessage {
            at_us: 1_795_162_530_250_000 + at_us,
            leg,
            incoming,
            transport: "UDP",
            ours: if leg == TraceLeg::Caller { "192.0.2.1:5060" } else { "[2001:db8::1]:5060" }
                .parse()
                .unwrap(),
            theirs: if leg == TraceLeg::Caller { "198.51.100.7:5080" } else { "[2001:db8::7]:5060" }
                .parse()
                .unwrap(),
            method: method.to_owned(),
            status,
            text: text.to_owned(),
        };
        let invite = "INVITE sip:a@b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n";
        let messages = vec![
            message(0, TraceLeg::Caller, true, "INVITE", None, invite),
            message(1_234, TraceLeg::Caller, false, "INVITE", Some(200), "SIP/2.0 200 OK\r\n\r\n"),
            message(2_000_000, TraceLeg::Callee(1), false, "INVITE", None, invite),
        ];
        Trace { messages, lost: 2, identity: Some(Verification::Passed(Some(Attestation::Full))) }
    }

    #[test]
    fn the_first_known_type_decides() {
        for (accept, form) in [
            ("", Form::Json),
            ("*/*", Form::Json),
            ("text/plain", Form::Ladder),
            ("text/html, Text/Plain;q=0.9", Form::Ladder),
            ("application/json, text/plain", Form::Json),
            (PCAP, Form::Pcap),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            assert_eq!(wanted(&headers), form, "{accept}");
        }
    }
}
