//! `/v1/blocks`: numbers, and pairs of numbers, whose calls are refused.

use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use store::{Block, Direction, Store, Timestamp, Ulid};

use crate::audit::About;
use crate::body;
use crate::draft::{self, NumberText};
use crate::gate::Gate;
use crate::interface::Settings;
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::privacy::last4;
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// The body of `POST /v1/blocks`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockBody {
    number: NumberText,
    other: Option<NumberText>,
    direction: Option<Direction>,
    line: Option<NumberText>,
    reason: Option<String>,
    ttl_seconds: Option<i64>,
    expires_at: Option<String>,
}

/// A block as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct BlockView {
    id: Ulid,
    number: String,
    other: Option<String>,
    direction: Direction,
    line: Option<String>,
    reason: Option<Box<str>>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl BlockView {
    pub(crate) fn of(block: Block, caller: Caller) -> Self {
        let show = |number: number::Number| {
            if caller.role == Role::Operator { last4(number) } else { number.to_string() }
        };
        Self {
            id: block.id,
            number: show(block.number),
            other: block.other.map(show),
            direction: block.direction,
            line: block.line.map(|line| line.to_string()),
            reason: block.reason,
            created_at: block.created_at,
            expires_at: block.expires_at,
        }
    }
}

fn check(body: BlockBody, settings: &Settings, now: Timestamp) -> Result<Block, Problem> {
    let number = |text: &NumberText, field: &str| {
        let read = settings.plan.parse(&text.0);
        read.map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(field))
    };
    let of = number(&body.number, "number")?;
    let other = body.other.as_ref().map(|other| number(other, "other")).transpose()?;
    if other == Some(of) {
        return Err(Problem::new(Fault::SameNumber, "nobody calls themselves").at("other"));
    }
    let line = body.line.map(|line| draft::check_line(&line.0, settings)).transpose()?;
    if body.reason.as_ref().is_some_and(|reason| reason.len() > Block::LONGEST_REASON) {
        let detail = format!("at most {} bytes", Block::LONGEST_REASON);
        return Err(Problem::new(Fault::DataTooLarge, detail).at("reason"));
    }
    let has_end = body.ttl_seconds.is_some() || body.expires_at.is_some();
    let end = || draft::check_expiry(body.ttl_seconds, body.expires_at.as_deref(), now);
    Ok(Block {
        id: Ulid::generate(),
        number: of,
        other,
        direction: body.direction.unwrap_or(Direction::From),
        line,
        reason: body.reason.map(Into::into),
        created_at: now,
        expires_at: has_end.then(end).transpose()?,
    })
}

/// `POST /v1/blocks`
pub(crate) async fn put(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let body: BlockBody = body::json(&headers, &body)?;
    let block = check(body, &gate.settings(), SystemTime::now().into())?;
    let kept = block.clone();
    gate.store(move |store| store.put_block(kept)).await?;
    let location = format!("/v1/blocks/{}", block.id);
    let location = HeaderValue::from_str(&location).expect("letters and digits can stand in a header");
    let about = About(block.number);
    let answer = (StatusCode::CREATED, [(header::LOCATION, location)], Json(BlockView::of(block, caller)));
    let mut response = answer.into_response();
    response.extensions_mut().insert(about);
    Ok(response)
}

/// `GET /v1/blocks/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<BlockView>, Problem> {
    let id = Ulid::from_string(&id).map_err(|_| unknown())?;
    let block = gate.store(move |store| store.block(id, SystemTime::now().into())).await?;
    block.map(|block| Json(BlockView::of(block, caller))).ok_or_else(unknown)
}

/// `DELETE /v1/blocks/{id}`
pub(crate) async fn delete(State(gate): State<Gate>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    let id = Ulid::from_string(&id).map_err(|_| unknown())?;
    let removed = gate.store(move |store| store.remove_block(id)).await?;
    if removed { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// `GET /v1/blocks`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<BlockView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["number", "limit", "cursor"])?;
    let number = parameters.number("number", &gate.settings().plan)?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let now = Timestamp::from(SystemTime::now());
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| store.blocks(number, now, cursor, limit))
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, |block| BlockView::of(block, caller))))
}

fn unknown() -> Problem {
    Problem::new(Fault::BlockUnknown, "no block in force has this id")
}
