//! What stands before every route: a place among the requests under way, a token that may, the whole body.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::gate::Gate;
use crate::idempotency;
use crate::problem::{Fault, Problem};
use crate::router::Takes;
use crate::token::{self, Caller, Role};
use crate::{Token, body};

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
    let Some(roles) = rule.roles else {
        // Open routes are what orchestrators ask to learn whether we live: they are not queued behind others.
        return Ok(next.run(request).await);
    };
    let caller = authenticate(&gate.settings().tokens, request.headers(), roles)?;
    let _place = gate.place().ok_or_else(|| Problem::new(Fault::Overloaded, "try again shortly"))?;
    request.extensions_mut().insert(caller);
    let Takes::Whole(limit) = rule.takes else { return Ok(next.run(request).await) };
    let (head, body) = request.into_parts();
    let body = body::collect(body, limit).await?;
    let Some(key) = idempotency::key(&head.headers)?.map(str::to_owned) else {
        return Ok(next.run(Request::from_parts(head, Body::from(body))).await);
    };
    let print = idempotency::fingerprint(&head.method, &head.uri, &body);
    let request = Request::from_parts(head, Body::from(body));
    idempotency::once(gate, caller, &key, print, next.run(request)).await
}

fn authenticate(tokens: &[Token], headers: &HeaderMap, roles: &[Role]) -> Result<Caller, Problem> {
    let caller = match headers.get(header::AUTHORIZATION) {
        None => return Err(unauthorized("send Authorization: Bearer <token>", "Bearer realm=\"bauta\"")),
        Some(value) => {
            bearer(value).and_then(|presented| token::find(tokens, presented)).ok_or_else(|| {
                unauthorized(
                    "this token is not known here",
                    "Bearer realm=\"bauta\", error=\"invalid_token\"",
                )
            })?
        }
    };
    if roles.contains(&caller.role) {
        return Ok(caller);
    }
    let may: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let detail = format!("the token has role {}; needed: {}", caller.role, may.join(" or "));
    let challenge = HeaderValue::from_static("Bearer realm=\"bauta\", error=\"insufficient_scope\"");
    Err(Problem::new(Fault::Forbidden, detail).with_header(header::WWW_AUTHENTICATE, challenge))
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
