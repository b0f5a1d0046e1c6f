//! `/v1/callback-plans`: everything of a callback but its numbers, under a name.

use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::{CallbackPlan, PlanPut, Timestamp};

use super::draft::PlanBody;
use crate::body;
use crate::etag;
use crate::gate::Gate;
use crate::page::Listed;
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};

/// A plan as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct PlanView {
    name: Box<str>,
    updated_at: Timestamp,
    #[serde(flatten)]
    settings: PlanBody,
}

impl PlanView {
    fn of(plan: CallbackPlan) -> Self {
        let settings = serde_json::from_str(plan.settings.as_str()).unwrap_or_default();
        Self { name: plan.name, updated_at: plan.updated_at, settings }
    }
}

/// `PUT /v1/callback-plans/{name}`
pub(crate) async fn put(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !(1..=CallbackPlan::LONGEST_NAME).contains(&name.len()) || !name.bytes().all(is_name) {
        let detail = format!("1 to {} of a-z, 0-9 and -", CallbackPlan::LONGEST_NAME);
        return Err(Problem::new(Fault::OutOfRange, detail).at("name"));
    }
    let settings: PlanBody = body::json(&headers, &body)?;
    settings.check(&gate.settings())?;
    let settings = store::Json::of(&settings).expect("texts and numbers have a JSON form");
    let updated_at = Timestamp::from(SystemTime::now());
    let plan = CallbackPlan { name: name.into(), version: 0, updated_at, settings };
    let wanted = etag::precondition(&headers)?;
    let done = gate.store(move |store| store.put_callback_plan(plan, wanted)).await?;
    let (status, plan) = match done {
        PlanPut::Created(plan) => (StatusCode::CREATED, plan),
        PlanPut::Replaced(plan) => (StatusCode::OK, plan),
        PlanPut::Changed | PlanPut::Removed | PlanPut::Unknown => return Err(etag::failed()),
    };
    Ok((status, [(header::ETAG, etag::of_version(plan.version))], Json(PlanView::of(plan))).into_response())
}

/// `GET /v1/callback-plans/{name}`
pub(crate) async fn get(State(gate): State<Gate>, Path(name): Path<String>) -> Result<Response, Problem> {
    let plan = gate.store(move |store| store.callback_plan(&name)).await?.ok_or_else(unknown)?;
    Ok(([(header::ETAG, etag::of_version(plan.version))], Json(PlanView::of(plan))).into_response())
}

/// `DELETE /v1/callback-plans/{name}`
pub(crate) async fn delete(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let wanted = etag::precondition(&headers)?;
    match gate.store(move |store| store.remove_callback_plan(&name, wanted)).await? {
        PlanPut::Removed => Ok(StatusCode::NO_CONTENT),
        PlanPut::Unknown => Err(unknown()),
        PlanPut::Changed | PlanPut::Created(_) | PlanPut::Replaced(_) => Err(etag::failed()),
    }
}

/// `GET /v1/callback-plans`
pub(crate) async fn list(
    State(gate): State<Gate>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<PlanView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let page = gate.store(move |store| store.callback_plans(cursor.as_deref(), limit)).await?;
    Ok(Json(Listed::of(page, PlanView::of)))
}

/// What a callback that names this plan is to be like.
pub(super) async fn named(gate: &Gate, name: String) -> Result<PlanBody, Problem> {
    let plan = gate.store(move |store| store.callback_plan(&name)).await?;
    let plan =
        plan.ok_or_else(|| Problem::new(Fault::UnknownPlan, "GET /v1/callback-plans lists them").at("plan"))?;
    Ok(serde_json::from_str(plan.settings.as_str()).unwrap_or_default())
}

fn unknown() -> Problem {
    Problem::new(Fault::PlanUnknown, "GET /v1/callback-plans lists them")
}
