//! `/v1/callbacks`: calls that the node begins itself.

mod draft;
mod plans;
mod view;

use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use b2bua::{CallId, Stage, When};
use serde::Serialize;
use serde_json::json;
use store::{FoundCallback, NewEvent, Store, Timestamp, Ulid};

use self::draft::{CallbackBody, PlanBody};
use self::view::CallbackView;
use crate::SPEECH_TIMEOUT;
use crate::body;
use crate::calls::call_id;
use crate::contacts;
use crate::gate::Gate;
use crate::interface::{Ask, CallbackRefusal};
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};
use crate::token::Caller;

pub(crate) use plans::{delete as delete_plan, get as get_plan, list as list_plans, put as put_plan};

/// `POST /v1/callbacks`
pub(crate) async fn create(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let body: CallbackBody = body::json(&headers, &body)?;
    let plan = match body.plan.clone() {
        None => PlanBody::default(),
        Some(name) => plans::named(&gate, name).await?,
    };
    let now = Timestamp::from(SystemTime::now());
    let known = match body.contacts() {
        none if none.is_empty() => draft::Known::new(),
        contacts => contacts::numbers(&gate, contacts).await?,
    };
    let callback = draft::check(body, plan, &known, &gate.settings(), now)?;
    let data = json!({
        "line": callback.line.to_string(),
        "at": callback.at,
        "begins_at": callback.begins_at(),
        "data": callback.data,
    });
    let data = store::Json::of(&data).expect("texts have a JSON form");
    let event = NewEvent { kind: "callback.created".to_owned(), at: now, call: Some(callback.id), data };
    let kept = callback.clone();
    let ask = |reply| Ask::Callback { callback: Box::new(kept), event, reply };
    let accepted = gate.ask_within(SPEECH_TIMEOUT, ask).await?;
    accepted.map_err(|refusal| match refusal {
        CallbackRefusal::Store(why) => Problem::new(Fault::StoreFailed, why.to_string()),
        CallbackRefusal::Unspoken { side, why } => {
            Problem::new(Fault::SpeechFailed, why).at(format!("{side}.prompt.text"))
        }
    })?;
    let location = format!("/v1/callbacks/{}", callback.id);
    let location = HeaderValue::from_str(&location).expect("letters and digits can stand in a header");
    let view = CallbackView::of(FoundCallback { callback, record: None }, caller);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(view)).into_response())
}

/// `GET /v1/callbacks/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<CallbackView>, Problem> {
    let found = find(&gate, &id).await?;
    Ok(Json(CallbackView::of(found, caller)))
}

/// `GET /v1/callbacks`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<CallbackView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["number", "limit", "cursor"])?;
    let number = parameters.number("number", &gate.settings().plan)?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| store.callbacks(number, cursor, limit))
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, |found| CallbackView::of(found, caller))))
}

/// What became of the wish to cancel a callback.
#[derive(Debug, Serialize)]
pub(crate) struct Cancelled {
    /// Whether it is being ended.
    cancelled: bool,
    /// How far it had come.
    found: &'static str,
}

/// `DELETE /v1/callbacks/{id}`
pub(crate) async fn cancel(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Cancelled>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["when"])?;
    let when = match parameters.text("when") {
        None => When::Any,
        Some(word) => When::ALL.into_iter().find(|when| when.word() == word).ok_or_else(|| {
            let words = When::ALL.map(When::word).join(", ");
            Problem::new(Fault::ParameterInvalid, format!("one of {words}")).at("when")
        })?,
    };
    let callback = find(&gate, &id).await?.callback.id;
    let call = CallId(callback.0);
    let found = gate.ask(|reply| Ask::CancelCallback { call, when, reply }).await?;
    // What is not going on any more is over.
    let found = found.unwrap_or(Stage::Ended);
    Ok(Json(Cancelled { cancelled: when.allows(found), found: found.word() }))
}

/// A callback that is kept, and what became of it.
pub(crate) async fn find(gate: &Gate, id: &str) -> Result<FoundCallback, Problem> {
    let unknown = || Problem::new(Fault::CallbackUnknown, "GET /v1/callbacks lists them");
    let id = Ulid(call_id(id).ok_or_else(unknown)?.0);
    gate.store(move |store| store.callback(id)).await?.ok_or_else(unknown)
}
