//! `Idempotency-Key`.

use api::Role;
use axum::http::Method;
use serde_json::Value;

use crate::orders::order;
use crate::world::{Answer, World};

async fn put(world: &World, role: Role, key: &str, code: &str, body: &Value) -> Answer {
    let request = world.ask(role, Method::PUT, &format!("/v1/orders/{code}"));
    world.send(request.header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn the_same_write_twice_is_done_once_and_answered_the_same() {
    let world = World::new().await;
    let first = put(&world, Role::App, "k", "12345", &order()).await;
    let again = put(&world, Role::App, "k", "12345", &order()).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    let events = world.store.events_after(None, 100).unwrap().events;
    assert_eq!(events.iter().filter(|event| event.kind == "order.put").count(), 1);
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_token() {
    let world = World::new().await;
    put(&world, Role::App, "k", "12345", &order()).await;
    let mut other = order();
    other["ttl_seconds"] = 5.into();
    let reused = (422, "idempotency-key-reused".into(), Some("Idempotency-Key".into()));
    assert_eq!(put(&world, Role::App, "k", "12345", &other).await.problem(), reused);
    assert_eq!(put(&world, Role::App, "k", "12346", &order()).await.problem(), reused);
    let delete = world.ask(Role::App, Method::DELETE, "/v1/orders/12345").header("idempotency-key", "k");
    assert_eq!(world.send(delete).await.problem(), reused);
    assert_eq!(put(&world, Role::Admin, "k", "12346", &order()).await.status, 201);
}

#[tokio::test]
async fn refusals_are_remembered_and_failures_are_not() {
    let world = World::new().await;
    let mut wrong = order();
    wrong["ttl_seconds"] = 0.into();
    assert_eq!(put(&world, Role::App, "k", "12345", &wrong).await.status, 422);
    let again = put(&world, Role::App, "k", "12345", &wrong).await;
    assert_eq!(
        (again.problem().1.as_str(), again.header("idempotency-replayed")),
        ("expiry-out-of-range", "true")
    );

    let call = store::Ulid(7);
    world.desk.lock().unwrap().calls.insert(call.0);
    world.desk.lock().unwrap().silent = true;
    let hang_up = || {
        let request = world.ask(Role::Admin, Method::DELETE, &format!("/v1/calls/{call}"));
        world.send(request.header("idempotency-key", "h"))
    };
    assert_eq!(hang_up().await.status, 503);
    world.desk.lock().unwrap().silent = false;
    assert_eq!(hang_up().await.status, 202);
    assert_eq!(hang_up().await.status, 202);
    assert_eq!(world.desk.lock().unwrap().hung_up.len(), 1);
}

#[tokio::test]
async fn an_answer_is_remembered_over_a_restart() {
    let world = World::new().await;
    let first = put(&world, Role::App, "k", "12345", &order()).await;
    let world = World::over(world.stop().await, store::Options::default()).await;
    let again = put(&world, Role::App, "k", "12345", &order()).await;
    assert_eq!((again.status, again.body), (201, first.body));
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let world = World::new().await;
    for key in ["", "two words", "tab\there", "x".repeat(256).as_str()] {
        let refused = put(&world, Role::App, key, "12345", &order()).await;
        assert_eq!(
            refused.problem(),
            (400, "idempotency-key-invalid".into(), Some("Idempotency-Key".into()))
        );
    }
}
