//! `/v1/pairs`: two people who reach each other through numbers of the pool.

use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use number::Number;
use serde::Serialize;
use store::{Member, Mode, Pair, PairDirection, PairFilter, PairRefusal, Timestamp, Ulid};

use crate::body;
use crate::gate::Gate;
use crate::page::{self, Listed};
use crate::pair_draft::{ChangeBody, PairBody, ReopenBody};
use crate::parameters::Parameters;
use crate::privacy::{last4, mask_json, shown_text};
use crate::problem::{Fault, Problem};
use crate::token::{Caller, Role};

/// A pair as it is answered.
#[derive(Debug, Serialize)]
pub(crate) struct PairView {
    id: Ulid,
    version: u64,
    state: &'static str,
    mode: &'static str,
    direction: &'static str,
    a: MemberView,
    b: Option<MemberView>,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    sliding: bool,
    ttl_seconds: Option<u64>,
    cool_off_seconds: u64,
    fallback: Option<String>,
    fallback_seconds: Option<u64>,
    max_call_seconds: Option<u64>,
    ring_timeout_seconds: Option<u64>,
    record: Option<bool>,
    last_caller: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    data: Option<store::Json>,
}

#[derive(Debug, Serialize)]
struct MemberView {
    number: String,
    name: Option<String>,
    language: Option<Box<str>>,
    /// Our number.
    dials: String,
}

impl PairView {
    pub(crate) fn of(pair: Pair, caller: Caller, now: Timestamp) -> Self {
        let masks = caller.role == Role::Operator;
        let number = |number: Number| if masks { last4(number) } else { number.to_string() };
        let member = |member: Member| MemberView {
            number: number(member.party.number),
            name: member.party.name.map(|name| shown_text(&name, masks)),
            language: member.party.language,
            dials: member.dials.to_string(),
        };
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs());
        Self {
            id: pair.id,
            version: pair.version,
            state: state(&pair, now),
            mode: match pair.mode {
                Mode::OneNumber => "one-number",
                Mode::TwoNumbers => "two-numbers",
            },
            direction: match pair.direction {
                PairDirection::Both => "both",
                PairDirection::AToB => "a-to-b",
                PairDirection::BToA => "b-to-a",
            },
            expires_at: pair.expires_at,
            ended_at: (!pair.is_live(now)).then(|| pair.ends_at()),
            a: member(pair.a),
            b: pair.b.map(member),
            sliding: pair.sliding.is_some(),
            ttl_seconds: seconds(pair.sliding),
            cool_off_seconds: pair.cool_off.as_secs(),
            fallback: pair.fallback.map(|fallback| number(fallback.number)),
            fallback_seconds: pair.fallback.map(|fallback| fallback.within.as_secs()),
            max_call_seconds: seconds(pair.max_call),
            ring_timeout_seconds: seconds(pair.ring_timeout),
            record: pair.record,
            last_caller: pair.last_caller.map(number),
            created_at: pair.created_at,
            updated_at: pair.updated_at,
            data: pair.data.map(|data| if masks { mask_json(&data) } else { data }),
        }
    }
}

fn state(pair: &Pair, now: Timestamp) -> &'static str {
    match pair.ended {
        _ if pair.is_live(now) => "live",
        Some(ended) if ended.closed => "closed",
        Some(_) | None => "expired",
    }
}

/// With its version as the entity tag (RFC 9110 §8.8.3).
fn answered(status: StatusCode, pair: Pair, caller: Caller, now: Timestamp) -> Response {
    let tag = format!("\"{}\"", pair.version);
    let tag = HeaderValue::from_str(&tag).expect("digits in quotes can stand in a header");
    (status, [(header::ETAG, tag)], Json(PairView::of(pair, caller, now))).into_response()
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// `POST /v1/pairs`
pub(crate) async fn create(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let body: PairBody = body::json(&headers, &body)?;
    let now = now();
    let asked = body.check(&gate.settings(), now)?;
    let pair = gate.store(move |store| store.create_pair(asked, now)).await?.map_err(refused)?;
    let location = HeaderValue::from_str(&format!("/v1/pairs/{}", pair.id));
    let location = location.expect("letters and digits can stand in a header");
    let mut response = answered(StatusCode::CREATED, pair, caller, now);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

/// `GET /v1/pairs/{id}`
pub(crate) async fn get(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    Ok(answered(StatusCode::OK, find(&gate, &id).await?, caller, now()))
}

/// A pair that is kept.
pub(crate) async fn find(gate: &Gate, id: &str) -> Result<Pair, Problem> {
    let id = read_id(id)?;
    gate.store(move |store| store.pair(id)).await?.ok_or_else(unknown)
}

/// `PATCH /v1/pairs/{id}`
pub(crate) async fn change(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let (id, version) = (read_id(&id)?, if_match(&headers)?);
    let body: ChangeBody = body::json(&headers, &body)?;
    let now = now();
    let change = body.check(&gate.settings(), now)?;
    let changed = gate.store(move |store| store.change_pair(id, change, version, now)).await?;
    Ok(answered(StatusCode::OK, changed.map_err(refused)?, caller, now))
}

/// `DELETE /v1/pairs/{id}`
pub(crate) async fn close(
    State(gate): State<Gate>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    Parameters::read(query.as_deref(), &[])?;
    let (id, version) = (read_id(&id)?, if_match(&headers)?);
    let now = now();
    let closed = gate.store(move |store| store.close_pair(id, version, now)).await?;
    closed.map(|_| StatusCode::NO_CONTENT).map_err(refused)
}

/// `POST /v1/pairs/{id}:reopen`
pub(crate) async fn reopen(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Some(id) = named.strip_suffix(":reopen") else {
        return Err(Problem::new(Fault::NoSuchPath, "GET /openapi.json lists what there is"));
    };
    Parameters::read(query.as_deref(), &[])?;
    let (id, version) = (read_id(id)?, if_match(&headers)?);
    let body: ReopenBody = if body.is_empty() { ReopenBody::default() } else { body::json(&headers, &body)? };
    let now = now();
    let expires_at = body.check(now)?;
    let opened = gate.store(move |store| store.reopen_pair(id, expires_at, version, now)).await?;
    Ok(answered(StatusCode::OK, opened.map_err(refused)?, caller, now))
}

/// `GET /v1/pairs`
pub(crate) async fn list(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<PairView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["number", "state", "limit", "cursor"])?;
    let live = match parameters.text("state") {
        None => None,
        Some("live") => Some(true),
        Some("ended") => Some(false),
        Some(_) => {
            return Err(Problem::new(Fault::ParameterInvalid, "\"live\" or \"ended\"").at("state"));
        }
    };
    let number = parameters.number("number", &gate.settings().plan)?;
    let (filter, limit) = (PairFilter { number, live }, parameters.limit()?);
    let cursor = parameters.text("cursor").map(str::to_owned);
    let now = now();
    let page = gate
        .store(move |store| {
            page::filled(cursor, limit, |cursor, limit| store.pairs(&filter, now, cursor, limit))
        })
        .await?;
    Ok(Json(Listed::of(page, |pair| PairView::of(pair, caller, now))))
}

fn read_id(text: &str) -> Result<Ulid, Problem> {
    Ulid::from_string(text).map_err(|_| unknown())
}

/// The version whoever asks knows (RFC 9110 §13.1.1); `None`: any.
fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(given) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = given.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let version = quoted.and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| {
        let detail = "the ETag of the answer you know, as it was: a number in quotes";
        Problem::new(Fault::ParameterInvalid, detail).at("If-Match")
    })
}

fn unknown() -> Problem {
    Problem::new(Fault::PairUnknown, "no pair has this id; ended ones are forgotten after pool.keep")
}

fn refused(refusal: PairRefusal) -> Problem {
    match refusal {
        PairRefusal::Unknown => unknown(),
        PairRefusal::Changed(version) => {
            let detail = format!("its version is {version} now: read it again and send that as If-Match");
            Problem::new(Fault::PairChanged, detail).at("If-Match")
        }
        PairRefusal::Ended => {
            Problem::new(Fault::PairEnded, "open it again first, by POST to …:reopen, or make another")
        }
        PairRefusal::Live => Problem::new(Fault::PairLive, "it need not be opened; PATCH moves its end"),
        PairRefusal::NoNumber => {
            let detail = "every number serves one of them in another pair, rests, or does not begin as asked; \
                          GET /v1/numbers?phone=… tells how many are left for a phone";
            Problem::new(Fault::NoNumberFree, detail)
        }
        PairRefusal::NotInPool(_) => {
            Problem::new(Fault::NumberNotInPool, "GET /v1/numbers lists the numbers of the pool")
        }
        PairRefusal::NumberBusy(_) => {
            let detail = "it serves one of them in another pair, or rests after one; \
                          GET /v1/pairs?number=… lists the pairs of a number";
            Problem::new(Fault::NumberBusy, detail)
        }
        PairRefusal::SameNumber => {
            let detail = "a and b need numbers of their own, or neither could be told from the other";
            Problem::new(Fault::SameNumber, detail).at("b.number")
        }
        PairRefusal::PartyInPool(_) => {
            Problem::new(Fault::NumberOurs, "a party is a number of the pool; give the party's own number")
        }
        PairRefusal::NeedsB => Problem::new(Fault::PartyNeeded, "give b, or mode \"one-number\"").at("b"),
    }
}
