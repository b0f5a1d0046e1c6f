//! `/healthz`, `/readyz`, `/metrics`, `/openapi.json`.

use api::Role;
use axum::http::Method;
use serde_json::json;

use crate::orders::order;
use crate::world::World;

#[tokio::test]
async fn a_node_that_takes_calls_is_ready() {
    let world = World::new().await;
    let alive = world.send(world.bare(Method::GET, "/healthz")).await;
    assert_eq!((alive.status, alive.json()), (200, json!({"status": "alive"})));
    let ready = world.send(world.bare(Method::GET, "/readyz")).await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json(), json!({"status": "ready", "reasons": [], "draining": false, "calls": 3}));
}

#[tokio::test]
async fn a_node_that_drains_or_fails_lives_and_is_not_ready() {
    let world = World::new().await;
    world.desk.lock().unwrap().health.draining = true;
    let draining = world.send(world.bare(Method::GET, "/readyz")).await;
    assert_eq!((draining.status, &draining.json()["draining"]), (503, &json!(true)));
    world.desk.lock().unwrap().health =
        api::Health { draining: false, calls: 0, faults: vec!["no ports".into()] };
    let faulty = world.send(world.bare(Method::GET, "/readyz")).await;
    assert_eq!((faulty.status, &faulty.json()["reasons"]), (503, &json!(["no ports"])));
    world.desk.lock().unwrap().silent = true;
    assert_eq!(world.send(world.bare(Method::GET, "/readyz")).await.status, 503);
    assert_eq!(world.send(world.bare(Method::GET, "/healthz")).await.status, 200);
}

#[tokio::test]
async fn metrics_count_requests_by_pattern_and_name_no_code() {
    let world = World::new().await;
    world.put("/v1/orders/12345", &order()).await;
    let plain = world.get(Role::Metrics, "/metrics").await;
    assert!(plain.header("content-type").starts_with("text/plain; version=0.0.4"));
    assert!(plain.text().contains("bauta_calls{line=\"one\"} 3\n"));
    assert!(
        plain.text().contains(
            "bauta_http_requests_total{method=\"PUT\",path=\"/v1/orders/{code}\",status=\"201\"} 1\n"
        )
    );
    assert!(plain.text().contains("bauta_webhook_waiting{webhook=\"shop\"} 0\n"));
    assert!(!plain.text().contains("12345") && !plain.text().contains("7999"));
    let request = world.ask(Role::Admin, Method::GET, "/metrics");
    let open = world.send(request.header("accept", "application/openmetrics-text; version=1.0.0")).await;
    assert!(open.header("content-type").starts_with("application/openmetrics-text"));
    assert!(open.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn trunks_are_listed_as_they_are() {
    let world = World::new().await;
    let told = world.get(Role::Operator, "/v1/trunks").await;
    let expected = json!({"next_cursor": null, "items": [
        {"name": "main", "up": true, "registered": null, "addresses": 2, "calls": 3},
        {"name": "backup", "up": null, "registered": false, "addresses": 2, "calls": 3},
    ]});
    assert_eq!((told.status, told.json()), (200, expected));
    world.desk.lock().unwrap().silent = true;
    assert_eq!(world.get(Role::App, "/v1/trunks").await.problem(), (503, "server-silent".into(), None));
}

#[tokio::test]
async fn the_document_is_served_as_it_is_checked_in() {
    let world = World::new().await;
    let served = world.send(world.bare(Method::GET, "/openapi.json")).await;
    assert_eq!(&served.json(), crate::contract::document());
}
