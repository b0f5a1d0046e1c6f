//! `/v1/callback-plans`: everything of a callback but its numbers, under a name.

use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use store::{CallbackPlan, Match, PlanPut, Timestamp};

use super::draft::PlanBody;
use crate::body;
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
    let wanted = wanted(&headers)?;
    let done = gate.store(move |store| store.put_callback_plan(plan, wanted)).await?;
    let (status, plan) = match done {
        PlanPut::Created(plan) => (StatusCode::CREATED, plan),
        PlanPut::Replaced(plan) => (StatusCode::OK, plan),
        PlanPut::Changed | PlanPut::Removed | PlanPut::Unknown => return Err(changed()),
    };
    Ok((status, [tag(&plan)], Json(PlanView::of(plan))).into_response())
}

/// `GET /v1/callback-plans/{name}`
pub(crate) async fn get(State(gate): State<Gate>, Path(name): Path<String>) -> Result<Response, Problem> {
    let plan = gate.store(move |store| store.callback_plan(&name)).await?.ok_or_else(unknown)?;
    Ok(([tag(&plan)], Json(PlanView::of(plan))).into_response())
}

/// `DELETE /v1/callback-plans/{name}`
pub(crate) async fn delete(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let wanted = wanted(&headers)?;
    match gate.store(move |store| store.remove_callback_plan(&name, wanted)).await? {
        PlanPut::Removed => Ok(StatusCode::NO_CONTENT),
        PlanPut::Unknown => Err(unknown()),
        PlanPut::Changed | PlanPut::Created(_) | PlanPut::Replaced(_) => Err(changed()),
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

/// The version, as whoever puts the next one says that they know it (RFC 9110 §8.8.3).
fn tag(plan: &CallbackPlan) -> (HeaderName, HeaderValue) {
    let tag = format!("\"{}\"", plan.version);
    (header::ETAG, HeaderValue::from_str(&tag).expect("digits can stand in a header"))
}

/// What must be there for the write to be done (RFC 9110 §13.1).
fn wanted(headers: &HeaderMap) -> Result<Match, Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Match::Any),
        (None, Some("*")) => Ok(Match::Absent),
        // Whatever is no version of ours is no version there is.
        (Some(tag), None) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok());
            version.map(Match::Version).ok_or_else(changed)
        }
        (_, Some(_)) => Err(changed()),
    }
}

fn changed() -> Problem {
    Problem::new(Fault::PreconditionFailed, "somebody else was first: read it again and put that")
}

fn unknown() -> Problem {
    Problem::new(Fault::PlanUnknown, "GET /v1/callback-plans lists them")
}
