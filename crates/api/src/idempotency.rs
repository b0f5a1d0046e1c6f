//! A write sent twice is done once: the answer to an `Idempotency-Key` is remembered for a day.

use std::future::Future;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::Response;
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::Idempotency;

use crate::gate::Gate;
use crate::problem::{Fault, Problem};
use crate::token::Caller;
use crate::webhooks::hex;

/// Longest key.
const LONGEST: usize = 255;

/// The key of a request, if it has one: 1 to 255 printable ASCII characters.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    if (1..=LONGEST).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Some(key));
    }
    let detail = format!("1 to {LONGEST} printable ASCII characters without blanks");
    Err(Problem::new(Fault::IdempotencyKeyInvalid, detail).at("Idempotency-Key"))
}

/// What tells one request from another: method, target and body.
pub(crate) fn fingerprint(method: &Method, target: &Uri, body: &[u8]) -> [u8; 32] {
    let mut hash = begun(method, target);
    hash.update(body);
    hash.finalize().into()
}

/// A fingerprint to which the body is still to be added.
pub(crate) fn begun(method: &Method, target: &Uri) -> Sha256 {
    // Neither a method nor a target has a line end in it.
    Sha256::new()
        .chain_update(method.as_str())
        .chain_update("\n")
        .chain_update(target.to_string())
        .chain_update("\n")
}

/// What of an answer is remembered beside its status and body; written before the body, on a line of its own.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Head {
    content_type: Option<String>,
    location: Option<String>,
    #[serde(default)]
    etag: Option<String>,
}

/// Does the work unless it was done before, and then answers the same.
pub(crate) async fn once(
    gate: &Gate,
    caller: Caller,
    key: &str,
    print: [u8; 32],
    work: impl Future<Output = Response>,
) -> Result<Response, Problem> {
    // Two tokens may choose the same key.
    let name = format!("{}:{key}", hex(&caller.digest));
    let known = gate.store(move |store| store.idempotent(&name, print, SystemTime::now().into())).await?;
    let claim = match known {
        Idempotency::New(claim) => claim,
        Idempotency::InProgress => {
            return Err(Problem::new(Fault::IdempotencyKeyBusy, "ask again when it is done"));
        }
        Idempotency::Done(answer) => return Ok(replayed(answer)),
        Idempotency::Mismatch => {
            let detail = "this key was used for another request; choose a new one for each";
            return Err(Problem::new(Fault::IdempotencyKeyReused, detail).at("Idempotency-Key"));
        }
    };
    let (head, body) = work.await.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    // What failed by our fault may be tried again with the same key.
    if !head.status.is_server_error() {
        let answer = remembered(head.status, &head.headers, &body);
        if answer.body.len() <= store::Response::LONGEST {
            gate.store(move |store| store.remember(claim, answer, SystemTime::now().into())).await?;
        } else {
            tracing::warn!("an answer was too long to be remembered for its idempotency key");
        }
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

fn remembered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> store::Response {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let head = Head {
        content_type: text(header::CONTENT_TYPE),
        location: text(header::LOCATION),
        etag: text(header::ETAG),
    };
    let mut kept = serde_json::to_vec(&head).expect("texts have a JSON form");
    kept.push(b'\n');
    kept.extend_from_slice(body);
    store::Response { status: status.as_u16(), body: kept }
}

fn replayed(answer: store::Response) -> Response {
    let end = answer.body.iter().position(|byte| *byte == b'\n').unwrap_or(answer.body.len());
    let head: Head = serde_json::from_slice(&answer.body[..end]).unwrap_or_default();
    let body = answer.body.get(end + 1..).unwrap_or_default().to_vec();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    for (name, text) in [
        (header::CONTENT_TYPE, head.content_type),
        (header::LOCATION, head.location),
        (header::ETAG, head.etag),
    ] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    response
}
