//! `POST /v1/reveals`.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};
use store::{Record, TriedRecord};

use crate::orders::order;
use crate::records::record;
use crate::sign_in::{Browser, named, sign_in, with, world};
use crate::world::{Answer, World};

async fn reveal(world: &World, who: &Browser, body: Value) -> Answer {
    world.send(who.ask(world, Method::POST, "/v1/reveals").json(&body)).await
}

/// What was written down last of anyone's reveals: who, subject, status.
async fn noted(world: &World) -> Vec<(String, Option<String>, u64)> {
    let audit = world.get(Role::Admin, "/v1/audit").await.json();
    let entries =
        audit["items"].as_array().unwrap().iter().filter(|entry| entry["what"] == "number.revealed");
    let told = |entry: &Value| {
        let who = entry["who"].as_str().unwrap().to_owned();
        (who, entry["subject"].as_str().map(str::to_owned), entry["status"].as_u64().unwrap())
    };
    entries.map(told).collect()
}

#[tokio::test]
async fn whoever_may_sees_whole_numbers_and_each_time_is_written_down() {
    let world = world().await;
    assert_eq!(world.put("/v1/orders/12345", &order()).await.status, 201);
    let vera = sign_in(&world, &named("vera")).await;
    let answer = reveal(&world, &vera, json!({"kind": "order", "id": "12345"})).await;
    let numbers = json!([
        {"role": "courier", "number": "+79991111111"},
        {"role": "client", "number": "+79992222222"},
    ]);
    assert_eq!(answer.json(), json!({"numbers": numbers}));
    assert_eq!(noted(&world).await, [("vera".into(), Some("order/12345".into()), 200)]);
    // Elsewhere she sees them as before.
    let seen = world.send(vera.bare(&world, Method::GET, "/v1/orders/12345")).await;
    assert_eq!(seen.json()["courier"]["number"], "***1111");
    let root = sign_in(&world, &named("root")).await;
    assert_eq!(reveal(&world, &root, json!({"kind": "order", "id": "12345"})).await.status, 200);
    assert_eq!(noted(&world).await[0], ("root".into(), Some("order/12345".into()), 200));
    let anna = sign_in(&world, &named("anna")).await;
    let refused = reveal(&world, &anna, json!({"kind": "order", "id": "12345"})).await;
    assert_eq!(refused.problem().1, "forbidden");
    assert_eq!(noted(&world).await[0], ("anna".into(), None, 403));
    // A token of an operator is nobody of whom it is said that they may.
    let token = world.post(Role::Operator, "/v1/reveals", &json!({"kind": "order", "id": "12345"})).await;
    assert_eq!(token.problem().1, "forbidden");
}

#[tokio::test]
async fn everything_with_numbers_can_be_shown_whole() {
    let world = world().await;
    let vera = sign_in(&world, &named("vera")).await;
    let tried = TriedRecord {
        side: "callee".into(),
        number: Some("+79993333333".into()),
        dialled_at: record(0).started_at,
        rang_seconds: None,
        waiting_seconds: 1.0,
        answered_seconds: None,
        cause: Some("no-answer".into()),
        sip_status: None,
    };
    let kept = Record { tried: vec![tried.clone(), tried], ..record(0) };
    world.store.finish(&kept, vec![]).unwrap();
    let id = kept.id.to_string();
    let arrived = r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111"}"#;
    world.happen("call.arrived", Some(kept.id), arrived);
    let pair = json!({"a": {"number": "+79991111111"}, "b": {"number": "+79992222222"}});
    let pair = world.post(Role::App, "/v1/pairs", &pair).await.json()["id"].as_str().unwrap().to_owned();
    let callback = json!({"first": "+79991111111", "second": "+79992222222", "line": "+74950000001"});
    let callback = world.post(Role::App, "/v1/callbacks", &callback).await;
    assert!(callback.status < 300, "{callback:?}");
    let callback = callback.json()["id"].as_str().unwrap().to_owned();
    let contact = json!({"name": "Anna", "number": "+79991111111"});
    let contact =
        world.post(Role::App, "/v1/contacts", &contact).await.json()["id"].as_str().unwrap().to_owned();
    let (one, other, third) = ("+79991111111", "+79992222222", "+79993333333");
    for (kind, id, expected) in [
        ("call", &id, vec![("caller", one)]),
        ("record", &id, vec![("caller", one), ("callee", other), ("callee", third)]),
        ("pair", &pair, vec![("a", one), ("b", other)]),
        ("callback", &callback, vec![("first", one), ("second", other)]),
        ("contact", &contact, vec![("contact", one)]),
    ] {
        let answer = reveal(&world, &vera, json!({"kind": kind, "id": id})).await.json();
        let expected: Vec<Value> =
            expected.into_iter().map(|(role, number)| json!({"role": role, "number": number})).collect();
        assert_eq!(answer["numbers"], Value::Array(expected), "{kind}");
        assert_eq!(noted(&world).await[0].1, Some(format!("{kind}/{id}")));
    }
    for kind in ["call", "record", "order", "pair", "callback", "contact"] {
        let none = reveal(&world, &vera, json!({"kind": kind, "id": "99999"})).await.problem();
        assert_eq!((none.0, none.1), (404, format!("{kind}-unknown")));
    }
    let none = reveal(&world, &vera, json!({"kind": "person", "id": "1"})).await.problem();
    assert_eq!((none.0, none.2), (422, Some("kind".into())));
}

#[tokio::test]
async fn an_answer_that_shows_numbers_is_not_remembered() {
    let world = world().await;
    assert_eq!(world.put("/v1/orders/12345", &order()).await.status, 201);
    let vera = sign_in(&world, &named("vera")).await;
    let ask = async || {
        let request = vera.ask(&world, Method::POST, "/v1/reveals").header("idempotency-key", "k");
        world.send(request.json(&json!({"kind": "order", "id": "12345"}))).await
    };
    assert_eq!((ask().await.status, ask().await.header("idempotency-replayed")), (200, ""));
    assert_eq!(noted(&world).await.len(), 2);
    // Once she may no longer, she does not.
    with(&world, |settings| settings.users.retain(|user| !format!("{user:?}").contains("vera"))).await;
    assert_eq!(ask().await.status, 401);
}
