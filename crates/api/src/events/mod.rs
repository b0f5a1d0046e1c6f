//! `GET /v1/events`: events as they happen, by server-sent events (WHATWG HTML §9.2), resumed without loss; and `GET /v1/ws`, the same by
//! WebSocket.

mod listener;
mod socket;

use std::convert::Infallible;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};

use self::listener::{Listener, Told};
pub(crate) use self::socket::socket;
use crate::gate::Gate;
use crate::problem::Problem;
use crate::sign_in::Right;
use crate::token::Caller;

/// What every stream begins with: how soon a client comes back, milliseconds.
const GREETING: &str = "retry: 2000\n\n";

/// `GET /v1/events`
pub(crate) async fn stream(
    State(gate): State<Gate>,
    Extension(caller): Extension<Caller>,
    Extension(right): Extension<Right>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let listener = Listener::new(gate, caller, right, query.as_deref(), &headers)?;
    let told = stream::unfold(listener, |mut listener| async move {
        let text = text(listener.next().await)?;
        Some((text, listener))
    });
    let pieces = stream::iter([GREETING.to_owned()]).chain(told);
    let pieces = pieces.map(|text| Ok::<_, Infallible>(Bytes::from(text)));
    let headers = [
        (header::CONTENT_TYPE.as_str(), "text/event-stream"),
        // nginx holds answers back unless told not to.
        ("x-accel-buffering", "no"),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// As it goes over the wire; `None` ends the stream, and the client comes back with the last id.
fn text(told: Told) -> Option<String> {
    match told {
        Told::Event { id, kind, json } => Some(format!("id: {id}\nevent: {kind}\ndata: {json}\n\n")),
        Told::Gap(after) => {
            let after = after.map(|after| after.to_string());
            Some(format!("event: gap\ndata: {}\n\n", serde_json::json!({"after": after})))
        }
        Told::Quiet => Some(": still here\n\n".to_owned()),
        Told::Over(_) => None,
    }
}
