//! `/v1/calls`: what is going on now.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use b2bua::{CallId, Recording};
use serde::{Deserialize, Serialize};
use store::Ulid;

use crate::body;
use crate::gate::Gate;
use crate::interface::Ask;
use crate::live::{Live, LiveCall};
use crate::page::Listed;
use crate::parameters::Parameters;
use crate::privacy::{mask_text, masked};
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// A page of `GET /v1/calls`.
#[derive(Debug, Serialize)]
pub(crate) struct CallPage {
    #[serde(flatten)]
    page: Listed<LiveCall>,
    /// The page tells what there was after this event and before the next.
    last_event: Ulid,
}

/// `GET /v1/calls`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<CallPage>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = parameters.limit()?;
    let after = match parameters.text("cursor") {
        None => None,
        Some(cursor) => Some(Ulid::from_string(cursor).map_err(|_| {
            Problem::new(Fault::CursorInvalid, "use next_cursor of the page before").at("cursor")
        })?),
    };
    let read = |live: &Live| {
        let calls: Vec<LiveCall> = live.after(after).take(limit + 1).cloned().collect();
        (calls, live.last_event())
    };
    let (mut calls, last_event) = gate.bus().live(read);
    let more = calls.len() > limit;
    calls.truncate(limit);
    let next_cursor = calls.last().filter(|_| more).map(|call| call.id.to_string());
    let items = calls.into_iter().map(|call| shown(call, caller)).collect();
    Ok(Json(CallPage { page: Listed { items, next_cursor }, last_event }))
}

/// `GET /v1/calls/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<LiveCall>, Problem> {
    Ok(Json(shown(find(&gate, &id)?, caller)))
}

/// A call that is going on.
pub(crate) fn find(gate: &Gate, id: &str) -> Result<LiveCall, Problem> {
    let id = call_id(id).ok_or_else(unknown)?;
    gate.bus().live(|live| live.call(Ulid(id.0)).cloned()).ok_or_else(unknown)
}

/// `DELETE /v1/calls/{id}`
pub(crate) async fn hang_up(State(gate): State<Gate>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let call = call_id(&id).ok_or_else(unknown)?;
    let found = gate.ask(|reply| Ask::HangUp { call, reply }).await?;
    if found { Ok(StatusCode::ACCEPTED) } else { Err(unknown()) }
}

/// Whether what is said is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Recorded {
    Recording,
    Paused,
}

/// What `POST /v1/calls/{id}/recording` takes and answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordingBody {
    state: Recorded,
}

/// `POST /v1/calls/{id}/recording`
pub(crate) async fn record(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<RecordingBody>, Problem> {
    let call = call_id(&id).ok_or_else(unknown)?;
    let RecordingBody { state } = body::json(&headers, &body)?;
    let paused = state == Recorded::Paused;
    let state =
        match gate.ask(|reply| Ask::PauseRecording { call, paused, reply }).await?.ok_or_else(unknown)? {
            Recording::Running => Recorded::Recording,
            Recording::Paused => Recorded::Paused,
            Recording::No => {
                let detail =
                    "its line does not record, it is not answered yet or over, or its recording broke off";
                return Err(Problem::new(Fault::NotRecorded, detail));
            }
        };
    Ok(Json(RecordingBody { state }))
}

/// A call's id in a path.
pub(crate) fn call_id(text: &str) -> Option<CallId> {
    text.parse().ok()
}

fn unknown() -> Problem {
    Problem::new(Fault::CallUnknown, "no call with this id is going on; ended ones are in /v1/records")
}

fn shown(mut call: LiveCall, caller: Caller) -> LiveCall {
    if caller.role == Role::Operator {
        call.caller = call.caller.as_deref().map(masked);
        call.callee = call.callee.as_deref().map(masked);
        call.caller_name = call.caller_name.as_deref().map(mask_text);
        call.callee_name = call.callee_name.as_deref().map(mask_text);
    }
    call
}
