//! `/healthz`, `/readyz`, `/metrics`: how the node is.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::gate::Gate;
use crate::interface::Ask;
use crate::metrics::{self, Family, Format, Kind, Sample, Value};
use crate::problem::Problem;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    /// Why not, one sentence each.
    reasons: Vec<String>,
    draining: bool,
    calls: usize,
}

/// `GET /healthz`: whoever answers lives.
pub(crate) async fn alive() -> Response {
    Json(Alive { status: "alive" }).into_response()
}

/// `GET /readyz`: whether calls can be taken. Open to everyone, so it tells no names.
pub(crate) async fn ready(State(gate): State<Gate>) -> Response {
    let (mut reasons, draining, calls) = match gate.ask(Ask::Health).await {
        Ok(health) => (health.faults, health.draining, health.calls),
        Err(_) => (vec!["the switchboard does not answer".to_owned()], false, 0),
    };
    if draining {
        reasons.push("the node drains: no new calls".to_owned());
    }
    if gate.store_fault().is_some() {
        reasons.push("the store does not write; the log says why".to_owned());
    }
    let (code, status) = match reasons.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not-ready"),
    };
    (code, Json(Ready { status, reasons, draining, calls })).into_response()
}

/// `GET /metrics`
pub(crate) async fn metrics(State(gate): State<Gate>, headers: HeaderMap) -> Result<Response, Problem> {
    let format = Format::accepted(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    let mut families = gate.ask(Ask::Metrics).await?;
    families.extend(gate.traffic().families());
    families.extend(gate.deliveries().families());
    families.extend(outboxes(&gate));
    let text = metrics::render(&families, format);
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// How the queues of the webhooks stand.
fn outboxes(gate: &Gate) -> [Family; 2] {
    let names = gate.settings().webhooks.clone();
    let sample = |name: &String, value: u64| Sample {
        labels: vec![("webhook", name.clone())],
        value: Value::Number(value as f64),
    };
    let (waiting, dead) = names
        .iter()
        .map(|name| {
            let status = gate.outbox_status(name);
            (sample(name, status.waiting), sample(name, status.dead))
        })
        .unzip();
    let family = |name, help, samples| Family { name, help, kind: Kind::Gauge, samples };
    [
        family("bauta_webhook_waiting", "Events waiting to be delivered.", waiting),
        family("bauta_webhook_dead_letters", "Events given up and kept.", dead),
    ]
}
