//! `/v1/webhooks`: what was never told, and telling it once more.

use std::time::SystemTime;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use store::{DeadLetter, Event, Store, Timestamp, Ulid};

use crate::body;
use crate::gate::Gate;
use crate::page::{self, Listed};
use crate::parameters::Parameters;
use crate::problem::{Fault, Problem};

/// Most events named for one replay; all of them can be replayed without naming any.
const NAMED: usize = 1000;

/// How a webhook's queue stands.
#[derive(Debug, Serialize)]
pub(crate) struct WebhookView {
    name: String,
    waiting: u64,
    in_flight: u64,
    oldest: Option<Ulid>,
    dead_letters: u64,
    dropped: u64,
    last_error: Option<String>,
}

/// `GET /v1/webhooks`
pub(crate) async fn list(State(gate): State<Gate>) -> Result<Json<Listed<WebhookView>>, Problem> {
    let names = gate.settings().webhooks.clone();
    let view = |name: String| {
        let status = gate.outbox_status(&name);
        WebhookView {
            name,
            waiting: status.waiting,
            in_flight: status.in_flight,
            oldest: status.oldest,
            dead_letters: status.dead,
            dropped: status.dropped,
            last_error: status.last_error,
        }
    };
    Ok(Json(Listed { items: names.into_iter().map(view).collect(), next_cursor: None }))
}

/// An event that was given up.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetterView {
    event: Event,
    attempts: u32,
    error: String,
    given_up_at: Timestamp,
}

impl DeadLetterView {
    fn of(letter: DeadLetter) -> Self {
        let DeadLetter { event, attempts, error, at } = letter;
        Self { event, attempts, error, given_up_at: at }
    }
}

/// `GET /v1/webhooks/{name}/dead-letters`
pub(crate) async fn dead_letters(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Listed<DeadLetterView>>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["limit", "cursor"])?;
    known(&gate, &name)?;
    let (limit, cursor) = (parameters.limit()?, parameters.text("cursor").map(str::to_owned));
    let read = move |store: &Store| {
        page::filled(cursor, limit, |cursor, limit| store.dead_letters(&name, cursor, limit))
    };
    let page = gate.store(read).await?;
    Ok(Json(Listed::of(page, DeadLetterView::of)))
}

/// Which dead letters to try once more.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// Ids of their events; all if absent.
    events: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Replayed {
    replayed: usize,
}

/// `POST /v1/webhooks/{name}/dead-letters/replay`
pub(crate) async fn replay(
    State(gate): State<Gate>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Replayed>, Problem> {
    known(&gate, &name)?;
    let body: ReplayBody = if body.is_empty() { ReplayBody::default() } else { body::json(&headers, &body)? };
    let now = Timestamp::from(SystemTime::now());
    let replayed = match body.events {
        None => gate.store(move |store| store.replay_all(&name, now)).await?,
        Some(events) => {
            let events = ids(&events)?;
            let named = events.len();
            let replayed = gate.store(move |store| store.replay(&name, &events, now)).await?;
            if replayed == 0 && named > 0 {
                return Err(Problem::new(Fault::DeadLetterUnknown, "none of these is a dead letter here"));
            }
            replayed
        }
    };
    gate.bus().nudge();
    Ok(Json(Replayed { replayed }))
}

fn ids(events: &[String]) -> Result<Vec<Ulid>, Problem> {
    if events.len() > NAMED {
        let detail = format!("at most {NAMED}; leave events out to replay all");
        return Err(Problem::new(Fault::WrongType, detail).at("events"));
    }
    let read = |(place, id): (usize, &String)| {
        Ulid::from_string(id)
            .map_err(|_| Problem::new(Fault::WrongType, "the id of an event").at(format!("events[{place}]")))
    };
    events.iter().enumerate().map(read).collect()
}

fn known(gate: &Gate, name: &str) -> Result<(), Problem> {
    if gate.settings().webhooks.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(Problem::new(Fault::WebhookUnknown, "GET /v1/webhooks lists them"))
}
