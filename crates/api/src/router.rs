//! Every path, in one table: who may call it, what body it takes, who answers. The OpenAPI document is held
//! against this table by a test.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on};
use futures_util::FutureExt;

use crate::gate::Gate;
use crate::guard::{self, Rule};
use crate::import;
use crate::origin::Peer;
use crate::problem::{Fault, Problem};
use crate::token::Role;
use crate::{
    audit, blocks, callbacks, calls, contacts, events, files, health, numbers, openapi, orders, pairs, peaks,
    people, prompts, recordings, records, reveals, settings, sign_in, simulate, statistics, trace, trunks,
    webhooks,
};

/// One method of one path.
pub(crate) struct Route {
    /// Also inside `answers`, from which it cannot be read.
    #[cfg(test)]
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// Who may; `None` for everyone, without a token.
    pub(crate) roles: Option<&'static [Role]>,
    pub(crate) takes: Takes,
    answers: MethodRouter<Gate>,
}

/// What body a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// None; one that comes is left unread.
    Nothing,
    /// At most so many bytes, read before the route answers. These are the writes: they know idempotency keys.
    Whole(usize),
    /// As that, of a question: nothing is changed, and what is answered is not to be remembered.
    Question(usize),
    /// As it comes; the route bounds it.
    Stream,
}

/// Manners of calling belong to shops' programs.
const WRITERS: &[Role] = &[Role::Admin, Role::App];
/// Who may reach whom, and who is called what, is for shops' programs and for people at the console to say.
const EDITORS: &[Role] = &[Role::Admin, Role::App, Role::Operator];
/// What became of calls is for everyone but collectors of metrics.
const READERS: &[Role] = &[Role::Admin, Role::App, Role::Operator];
/// Whoever is threatened calls the shop: its programs and its people block.
const BLOCKERS: &[Role] = &[Role::Admin, Role::App, Role::Operator];
/// Running calls are for those who watch them.
const WATCHERS: &[Role] = &[Role::Admin, Role::Operator];
/// Collectors of metrics.
const COLLECTORS: &[Role] = &[Role::Admin, Role::Metrics];
/// What changes the node for everyone.
const ADMIN: &[Role] = &[Role::Admin];

/// A JSON body: an order with its data, quoted generously.
const JSON: Takes = Takes::Whole(128 * 1024);
/// A write without a body; a few bytes are forgiven.
const EMPTY: Takes = Takes::Whole(1024);

/// The table.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = people_routes();
    routes.extend(node_routes());
    routes
}

/// Of the table what is about people and their calls.
fn people_routes() -> Vec<Route> {
    use Takes::Nothing;
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let (patch, pair) = (Method::PATCH, "/v1/pairs/{id}");
    let order = "/v1/orders/{code}";
    let (callback, plan) = ("/v1/callbacks/{id}", "/v1/callback-plans/{name}");
    let session = "/v1/session";
    vec![
        row(&post, session, None, Takes::Question(8 * 1024), sign_in::begin),
        row(&get, session, Some(WATCHERS), Nothing, sign_in::get),
        row(&delete, session, Some(WATCHERS), EMPTY, sign_in::end),
        row(&get, "/v1/orders", Some(READERS), Nothing, orders::list),
        row(&put, order, Some(EDITORS), JSON, orders::put),
        row(&patch, order, Some(EDITORS), JSON, orders::change),
        row(&get, order, Some(READERS), Nothing, orders::get),
        row(&delete, order, Some(EDITORS), EMPTY, orders::delete),
        row(&post, "/v1/orders:import", Some(EDITORS), Takes::Stream, import::import),
        row(&get, "/v1/pairs", Some(READERS), Nothing, pairs::list),
        row(&post, "/v1/pairs", Some(EDITORS), JSON, pairs::create),
        row(&get, pair, Some(READERS), Nothing, pairs::get),
        row(&patch, pair, Some(EDITORS), JSON, pairs::change),
        row(&delete, pair, Some(EDITORS), EMPTY, pairs::close),
        row(&post, "/v1/pairs/{id}:reopen", Some(EDITORS), JSON, pairs::reopen),
        row(&get, "/v1/numbers", Some(READERS), Nothing, numbers::list),
        row(&get, "/v1/numbers/plan", Some(READERS), Nothing, numbers::plan),
        row(&post, "/v1/callbacks", Some(EDITORS), JSON, callbacks::create),
        row(&get, "/v1/callbacks", Some(READERS), Nothing, callbacks::list),
        row(&get, callback, Some(READERS), Nothing, callbacks::get),
        row(&delete, callback, Some(EDITORS), EMPTY, callbacks::cancel),
        row(&get, "/v1/callback-plans", Some(READERS), Nothing, callbacks::list_plans),
        row(&put, plan, Some(WRITERS), JSON, callbacks::put_plan),
        row(&get, plan, Some(READERS), Nothing, callbacks::get_plan),
        row(&delete, plan, Some(WRITERS), EMPTY, callbacks::delete_plan),
        row(&get, "/v1/contacts", Some(EDITORS), Nothing, contacts::list),
        row(&post, "/v1/contacts", Some(EDITORS), JSON, contacts::create),
        row(&get, "/v1/contacts/{id}", Some(EDITORS), Nothing, contacts::get),
        row(&patch, "/v1/contacts/{id}", Some(EDITORS), JSON, contacts::change),
        row(&delete, "/v1/contacts/{id}", Some(EDITORS), EMPTY, contacts::delete),
        row(&get, "/v1/calls", Some(READERS), Nothing, calls::list),
        row(&get, "/v1/calls/{id}", Some(READERS), Nothing, calls::get),
        row(&delete, "/v1/calls/{id}", Some(WATCHERS), EMPTY, calls::hang_up),
        row(&get, "/v1/calls/{id}/trace", Some(WATCHERS), Nothing, trace::get),
        row(&post, "/v1/calls/{id}/recording", Some(WRITERS), JSON, calls::record),
        row(&get, "/v1/blocks", Some(READERS), Nothing, blocks::list),
        row(&post, "/v1/blocks", Some(BLOCKERS), JSON, blocks::put),
        row(&get, "/v1/blocks/{id}", Some(READERS), Nothing, blocks::get),
        row(&delete, "/v1/blocks/{id}", Some(BLOCKERS), EMPTY, blocks::delete),
        row(&get, "/v1/people/{number}", Some(ADMIN), Nothing, people::export),
        row(&delete, "/v1/people/{number}", Some(ADMIN), EMPTY, people::erase),
        row(&get, "/v1/audit", Some(ADMIN), Nothing, audit::list),
        row(&post, "/v1/reveals", Some(WATCHERS), Takes::Question(4 * 1024), reveals::reveal),
        row(&get, "/v1/records", Some(READERS), Nothing, records::list),
        row(&get, "/v1/records/{id}", Some(READERS), Nothing, records::get),
        row(&get, "/v1/recordings/{id}", Some(READERS), Nothing, recordings::get),
        row(&get, "/v1/recordings/{id}/peaks", Some(READERS), Nothing, peaks::get),
        row(&delete, "/v1/recordings/{id}", Some(ADMIN), EMPTY, recordings::delete),
    ]
}

/// Of the table what is about the node.
fn node_routes() -> Vec<Route> {
    use Takes::Nothing;
    let (get, put, post, delete) = (Method::GET, Method::PUT, Method::POST, Method::DELETE);
    let (prompt, dead_letters) = ("/v1/prompts/{language}/{key}", "/v1/webhooks/{name}/dead-letters");
    let wav = Takes::Whole(crate::MAX_PROMPT);
    vec![
        row(&get, "/v1/prompts", Some(READERS), Nothing, prompts::list),
        row(&get, prompt, Some(READERS), Nothing, prompts::get),
        row(&put, prompt, Some(ADMIN), wav, prompts::replace),
        row(&delete, prompt, Some(ADMIN), EMPTY, prompts::restore),
        row(&post, "/v1/prompts:preview", Some(ADMIN), JSON, prompts::preview),
        row(&get, "/v1/statistics", Some(READERS), Nothing, statistics::get),
        row(&get, "/v1/settings", Some(ADMIN), Nothing, settings::get),
        row(&get, "/v1/trunks", Some(READERS), Nothing, trunks::list),
        row(&post, "/v1/simulate", Some(READERS), JSON, simulate::simulate),
        row(&get, "/v1/events", Some(READERS), Nothing, events::stream),
        row(&get, "/v1/ws", Some(READERS), Nothing, events::socket),
        row(&get, "/v1/webhooks", Some(ADMIN), Nothing, webhooks::list),
        row(&get, dead_letters, Some(ADMIN), Nothing, webhooks::dead_letters),
        row(&post, "/v1/webhooks/{name}/dead-letters/replay", Some(ADMIN), JSON, webhooks::replay),
        row(&get, "/healthz", None, Nothing, health::alive),
        row(&get, "/readyz", None, Nothing, health::ready),
        row(&get, "/metrics", Some(COLLECTORS), Nothing, health::metrics),
        row(&get, "/openapi.json", None, Nothing, openapi::document),
    ]
}

fn row<H, T>(
    method: &Method,
    path: &'static str,
    roles: Option<&'static [Role]>,
    takes: Takes,
    handler: H,
) -> Route
where
    H: Handler<T, Gate>,
    T: 'static,
{
    let filter = MethodFilter::try_from(method.clone()).expect("the methods above are standard ones");
    Route {
        #[cfg(test)]
        method: method.clone(),
        path,
        roles,
        takes,
        answers: on(filter, handler),
    }
}

/// Everything answered here.
pub(crate) fn router(gate: Gate) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let rule = Rule { roles: route.roles, takes: route.takes };
        let guarded = middleware::from_fn_with_state((gate.clone(), rule), guard::admit);
        router = router.route(template(route.path), route.answers.route_layer(guarded));
    }
    // What browsers are given is no part of the interface, and so not of its description.
    let router = router.route("/", get(files::page)).route("/assets/{*path}", get(files::asset));
    dressed(router, gate)
}

/// A path as the router wants it: to it what follows a name is part of it, which the handler takes off.
fn template(path: &'static str) -> &'static str {
    path.rfind('}').map_or(path, |end| if path[end..].contains('/') { path } else { &path[..=end] })
}

/// With what goes around every answer.
fn dressed(router: Router<Gate>, gate: Gate) -> Router {
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(gate.clone(), around))
        .with_state(gate)
}

async fn nothing_here() -> Problem {
    Problem::new(Fault::NoSuchPath, "GET /openapi.json lists what there is")
}

async fn no_such_method() -> Problem {
    Problem::new(Fault::MethodNotAllowed, "the Allow header lists the methods of this path")
}

/// What goes around every answer: it is counted, carries headers that keep browsers careful, and is a problem
/// document if it is an error.
async fn around(State(gate): State<Gate>, request: Request<Body>, next: Next) -> Response {
    let began = tokio::time::Instant::now();
    let method = known_method(request.method());
    let tls = request.extensions().get::<Peer>().is_some_and(|peer| peer.tls);
    let pattern = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    // A panic of ours ends one request, not the connection with whatever else waits on it.
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = answered.map_or_else(|_| panicked(), as_problem);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if tls {
        // RFC 6797 §7.2: never in the clear.
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    gate.traffic().count(method, &pattern, response.status().as_u16(), began.elapsed());
    response
}

fn panicked() -> Response {
    tracing::error!("answering a request panicked");
    Problem::new(Fault::Internal, "the fault is logged").into_response()
}

/// Methods that may become a label: a stranger cannot invent others.
fn known_method(method: &Method) -> &'static str {
    ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}

/// An error the framework wrote in its own words (a path that is not UTF-8) becomes a problem document.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let plain = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|value| value.as_bytes().starts_with(b"text/plain"));
    if !plain || status.as_u16() < 400 {
        return response;
    }
    let problem = match status {
        StatusCode::BAD_REQUEST => Problem::new(Fault::ParameterInvalid, "the path cannot be read"),
        _ => Problem::new(Fault::Internal, "the request could not be answered"),
    };
    problem.into_response()
}

#[cfg(test)]
mod tests {
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;
    use crate::gate::tests::gate;

    async fn status(router: Router, path: &str) -> (u16, String) {
        let request = Request::builder().uri(path).header("authorization", "Bearer secret");
        let peer = Peer { address: [127, 0, 0, 1].into(), tls: false };
        let request = request.extension(peer).body(Body::empty()).unwrap();
        let response = TowerToHyperService::new(router).call(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    }

    #[tokio::test]
    async fn a_panic_is_answered() {
        async fn panics() -> &'static str {
            panic!("as a fault of ours would")
        }
        let (gate, _dir, _asked) = gate();
        let router = dressed(Router::new().route("/", axum::routing::get(panics)), gate);
        assert_eq!(status(router, "/").await, (500, "internal".into()));
    }

    #[tokio::test]
    async fn beyond_the_places_there_are_requests_are_turned_away_at_once_but_health_is_told() {
        let (gate, _dir, _asked) = gate();
        let places: Vec<_> = std::iter::from_fn(|| gate.place()).collect();
        let router = router(gate);
        assert_eq!(status(router.clone(), "/v1/orders").await, (503, "overloaded".into()));
        assert_eq!(status(router.clone(), "/healthz").await.0, 200);
        drop(places);
        assert_eq!(status(router, "/v1/orders").await.0, 200);
    }

    #[tokio::test]
    async fn beyond_the_streams_there_are_listeners_are_turned_away() {
        let (gate, _dir, _asked) = gate();
        let _streams: Vec<_> = std::iter::from_fn(|| gate.stream_place()).collect();
        assert_eq!(status(router(gate), "/v1/events").await, (503, "too-many-streams".into()));
    }
}
