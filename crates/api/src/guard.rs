//! What stands before every route: a place among the requests under way, somebody who may, the whole body.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, Collected};

use tokio::sync::OwnedSemaphorePermit;

use crate::audit::{About, Note, Subject};
use crate::gate::Gate;
use crate::interface::Settings;
use crate::origin::{Origin, Peer};
use crate::problem::{Fault, Problem};
use crate::router::Takes;
use crate::sign_in::{self, Person};
use crate::token::{self, Caller, Role};
use crate::{body, idempotency};

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) roles: Option<&'static [Role]>,
    pub(crate) takes: Takes,
}

/// Lets a request through to its route, or says why not.
pub(crate) async fn admit(
    State((gate, rule)): State<(Gate, Rule)>,
    request: Request,
    next: Next,
) -> Response {
    match pass(&gate, rule, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn pass(gate: &Gate, rule: Rule, mut request: Request, next: Next) -> Result<Response, Problem> {
    let settings = gate.settings();
    let peer = request.extensions().get::<Peer>().copied();
    let peer = peer.ok_or_else(|| Problem::new(Fault::Internal, "the connection is not known"))?;
    let origin = Origin::of(peer, request.headers(), &settings.proxies);
    request.extensions_mut().insert(origin.clone());
    let Some(roles) = rule.roles else {
        // Open routes are what orchestrators ask to learn whether we live: they are not queued behind others.
        let _place = if rule.takes == Takes::Nothing { None } else { Some(place(gate)?) };
        return Ok(next.run(whole(rule.takes, request).await?).await);
    };
    let person = authenticate(gate, &settings, &origin, &mut request).await?;
    let caller = person.caller;
    admitted(caller, roles)?;
    if let Some(per_second) = person.requests_per_second {
        gate.rates().take(caller.digest, per_second).map_err(|wait| too_often(per_second, wait))?;
    }
    let pattern = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let note = pattern.and_then(|pattern| Note::of(gate, request.method(), &pattern, request.uri(), caller));
    let answered = answer(gate, rule, caller, request, next).await;
    if let Some(note) = note {
        let status = answered.as_ref().map_or_else(|problem| problem.fault.status(), Response::status);
        let told = answered.as_ref().ok().map(Response::extensions);
        let about = told.and_then(|told| told.get::<About>()).map(|about| about.0);
        let subject = told.and_then(|told| told.get::<Subject>()).cloned();
        note.about(about).of_subject(subject).write(gate, person.name.to_string(), status).await?;
    }
    answered
}

fn place(gate: &Gate) -> Result<OwnedSemaphorePermit, Problem> {
    gate.place().ok_or_else(|| Problem::new(Fault::Overloaded, "try again shortly"))
}

/// What a route answers to someone who may ask.
async fn answer(
    gate: &Gate,
    rule: Rule,
    caller: Caller,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let _place = place(gate)?;
    request.extensions_mut().insert(caller);
    let request = whole(rule.takes, request).await?;
    let key = if matches!(rule.takes, Takes::Whole(_)) { idempotency::key(request.headers())? } else { None };
    let Some(key) = key.map(str::to_owned) else { return Ok(next.run(request).await) };
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let print = idempotency::fingerprint(&head.method, &head.uri, &body);
    let request = Request::from_parts(head, Body::from(body));
    idempotency::once(gate, caller, &key, print, next.run(request)).await
}

/// The request with its body read to the end, where the route wants it so.
async fn whole(takes: Takes, request: Request) -> Result<Request, Problem> {
    let (Takes::Whole(limit) | Takes::Question(limit)) = takes else { return Ok(request) };
    let (head, body) = request.into_parts();
    let body = body::collect(body, limit).await?;
    Ok(Request::from_parts(head, Body::from(body)))
}

/// Who asks: by a token, or by the cookie of whoever signed in, which counts only from a page of ours.
async fn authenticate(
    gate: &Gate,
    settings: &Settings,
    origin: &Origin,
    request: &mut Request,
) -> Result<Person, Problem> {
    if let Some(value) = request.headers().get(header::AUTHORIZATION) {
        let token = bearer(value).and_then(|presented| token::find(&settings.tokens, presented));
        let unknown = || {
            unauthorized("this token is not known here", "Bearer realm=\"bauta\", error=\"invalid_token\"")
        };
        let person = token.map(Person::of_token).ok_or_else(unknown)?;
        request.extensions_mut().insert(person.right());
        return Ok(person);
    }
    let Some(signed_in) = sign_in::find(gate, request.headers()).await? else {
        let detail = "send Authorization: Bearer <token>, or sign in by POST /v1/session";
        return Err(unauthorized(detail, "Bearer realm=\"bauta\""));
    };
    origin.check_site(request.headers())?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        signed_in.check_csrf(request.headers())?;
    }
    let person = signed_in.person.clone();
    request.extensions_mut().insert(signed_in.right());
    request.extensions_mut().insert(signed_in);
    Ok(person)
}

fn admitted(caller: Caller, roles: &[Role]) -> Result<(), Problem> {
    if roles.contains(&caller.role) {
        return Ok(());
    }
    let may: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let detail = format!("whoever asks has role {}; needed: {}", caller.role, may.join(" or "));
    let challenge = HeaderValue::from_static("Bearer realm=\"bauta\", error=\"insufficient_scope\"");
    Err(Problem::new(Fault::Forbidden, detail).with_header(header::WWW_AUTHENTICATE, challenge))
}

/// RFC 6585 §4.
fn too_often(per_second: u32, wait: Duration) -> Problem {
    let seconds = HeaderValue::from(wait.as_secs() + 1);
    let detail = format!("this token may ask {per_second} times in a second");
    Problem::new(Fault::RateLimited, detail).with_header(header::RETRY_AFTER, seconds)
}

/// RFC 6750 §2.1; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unauthorized(detail: &str, challenge: &'static str) -> Problem {
    Problem::new(Fault::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}
