//! Contacts, and names.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{LINE, World};

const ANN: &str = "+79991111111";

async fn contact(world: &World, name: &str, number: &str) -> Value {
    let body = json!({"name": name, "number": number, "note": format!("also {number}"), "data": {"phone": number, "crm": 7}});
    let answer = world.post(Role::Operator, "/v1/contacts", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn an_operator_keeps_contacts_and_sees_no_whole_number_of_any() {
    let world = World::new().await;
    let kept = contact(&world, " Ann +7 (999) 111-11-11 ", "8 999 111-11-11").await;
    assert_eq!(kept["name"], "Ann ***1111");
    assert_eq!((&kept["number"], &kept["note"]), (&json!("***1111"), &json!("also ***1111")));
    assert_eq!(kept["data"], json!({"phone": "***1111", "crm": 7}));
    let path = format!("/v1/contacts/{}", kept["id"].as_str().unwrap());
    let whole = world.get(Role::App, &path).await.json();
    assert_eq!((&whole["number"], &whole["name"]), (&json!(ANN), &json!("Ann +7 (999) 111-11-11")));

    let patch = |body: Value, tag: &str| {
        world.ask(Role::Operator, Method::PATCH, &path).header("if-match", tag).json(&body)
    };
    let tag = world.get(Role::Operator, &path).await.header("etag").to_owned();
    let changed = world.send(patch(json!({"name": "Anna", "note": null}), &tag)).await;
    assert_eq!((changed.status, &changed.json()["note"]), (200, &Value::Null));
    let late = world.send(patch(json!({"name": "Anne"}), &tag)).await;
    assert_eq!(late.problem(), (412, "precondition-failed".into(), None));
    let whole = world.get(Role::App, &path).await.json();
    assert_eq!(
        (&whole["number"], &whole["name"]),
        (&json!(ANN), &json!("Anna")),
        "what was not named stayed"
    );

    let again = world.post(Role::App, "/v1/contacts", &json!({"name": "B", "number": ANN})).await;
    assert_eq!(again.problem(), (409, "contact-exists".into(), Some("number".into())));
    assert_eq!(world.delete(Role::Operator, &path).await.status, 204);
    assert_eq!(world.delete(Role::Operator, &path).await.problem().1, "contact-unknown");
    assert_eq!(world.get(Role::Operator, "/v1/contacts/x").await.problem().1, "contact-unknown");
    assert_eq!(world.get(Role::Metrics, "/v1/contacts").await.status, 403);
}

#[tokio::test]
async fn contacts_are_found_by_name_or_whole_number_and_by_no_part_of_one() {
    let world = World::new().await;
    for (name, number) in [("Яна", ANN), ("Борис", "+79992222222"), ("Tel +79993334444", "+79993334445")]
    {
        contact(&world, name, number).await;
    }
    let found = async |role, query: &str| {
        let answer = world.get(role, &format!("/v1/contacts?query={query}")).await.json();
        answer["items"].as_array().unwrap().iter().map(|item| item["number"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(Role::App, "").await.len(), 3);
    assert_eq!(found(Role::Operator, "БОР").await, ["***2222"]);
    assert_eq!(found(Role::Operator, "%2B79991111111").await, ["***1111"]);
    assert_eq!(found(Role::Operator, "89991111111").await, ["***1111"]);
    assert_eq!(found(Role::Operator, "1111").await, ["***1111"]);
    assert_eq!(found(Role::App, "79993").await, ["+79993334445"], "who sees it may search for it");
    assert!(found(Role::Operator, "79993").await.is_empty(), "what is masked is not searched");
    assert!(found(Role::Operator, "99911").await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_a_contact_is_named() {
    let world = World::new().await;
    for (body, code, field) in [
        (json!({"name": "", "number": ANN}), "name-invalid", "name"),
        (json!({"name": "x".repeat(101), "number": ANN}), "name-invalid", "name"),
        (json!({"name": "a\u{1}", "number": ANN}), "name-invalid", "name"),
        (json!({"name": "a", "number": "1"}), "number-invalid", "number"),
        (json!({"name": "a", "number": LINE}), "number-ours", "number"),
        (json!({"name": "a", "number": ANN, "note": "x".repeat(501)}), "out-of-range", "note"),
        (json!({"name": "a", "number": ANN, "data": "x".repeat(2047)}), "data-too-large", "data"),
        (json!({"name": "a"}), "missing-field", "number"),
    ] {
        let problem = world.post(Role::App, "/v1/contacts", &body).await.problem();
        assert_eq!(problem, (422, code.into(), Some(field.into())), "{body}");
    }
}

#[tokio::test]
async fn parties_have_names_and_orders_are_searched_by_them() {
    let world = World::new().await;
    let order =
        |name: &str| json!({"courier": {"number": ANN, "name": name}, "client": {"number": "+79992222222"}});
    for (code, name) in [("12345", "Ivan"), ("12999", "Пётр 8 999 111 11 11"), ("77777", "Ann")] {
        assert_eq!(world.put(&format!("/v1/orders/{code}"), &order(name)).await.status, 201);
    }
    let codes = async |role, query: &str| {
        let answer = world.get(role, &format!("/v1/orders?{query}")).await.json();
        answer["items"].as_array().unwrap().iter().map(|item| item["code"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(codes(Role::Operator, "code=12").await, ["12345", "12999"]);
    assert_eq!(codes(Role::Operator, "name=пё").await, ["12999"]);
    assert_eq!(codes(Role::Operator, "name=iv&code=12").await, ["12345"]);
    assert_eq!(codes(Role::App, "name=999").await, ["12999"]);
    assert!(codes(Role::Operator, "name=999").await.is_empty(), "what is masked is not searched");
    let shown = world.get(Role::Operator, "/v1/orders/12999").await.json();
    assert_eq!(shown["courier"]["name"], "Пётр ***1111");
    assert_eq!(world.get(Role::App, "/v1/orders?code=1x").await.problem().1, "code-invalid");
    let long = world.put("/v1/orders/12345", &order(&"x".repeat(101))).await.problem();
    assert_eq!(long, (422, "name-invalid".into(), Some("courier.name".into())));

    let csv = "code,courier,courier_name,client\n55555,89991111111,\"Мария, утро\",89992222222\n";
    let import = world.ask(Role::App, Method::POST, "/v1/orders:import").header("content-type", "text/csv");
    assert_eq!(world.send(import.body(csv)).await.json()["created"], 1);
    assert_eq!(codes(Role::Operator, "name=мария").await, ["55555"]);

    let pair =
        json!({"a": {"number": ANN, "name": "Ann"}, "b": {"number": "+79992222222", "name": "+79992222222"}});
    let pair = world.post(Role::App, "/v1/pairs", &pair).await;
    assert_eq!((pair.status, &pair.json()["b"]["name"]), (201, &json!("+79992222222")));
    let path = pair.header("location").to_owned();
    let shown = world.get(Role::Operator, &path).await.json();
    assert_eq!((&shown["a"]["name"], &shown["b"]["name"]), (&json!("Ann"), &json!("***2222")));
}

#[tokio::test]
async fn a_callback_calls_a_contact_wherever_a_number_may_stand() {
    let world = World::new().await;
    let ann = contact(&world, "Ann", ANN).await["id"].clone();
    let bob = contact(&world, "Bob", "+79992222222").await["id"].clone();
    let numbers = |answer: &Value, side: &str| {
        let numbers = answer[side]["numbers"].as_array().unwrap().iter();
        numbers.map(|one| one["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ask = |first: Value, second: Value| json!({"line": LINE, "first": first, "second": second});
    let body = ask(json!({"contact": ann}), json!(["89993333333", {"contact": bob, "ring_seconds": 20}]));
    let made = world.post(Role::App, "/v1/callbacks", &body).await;
    assert_eq!(made.status, 202, "{made:?}");
    assert_eq!(numbers(&made.json(), "first"), [ANN]);
    assert_eq!(numbers(&made.json(), "second"), ["+79993333333", "+79992222222"]);
    assert_eq!(made.json()["second"]["numbers"][1]["ring_seconds"], 20);
    let body = ask(json!({"numbers": [{"contact": ann}]}), json!({"contact": ann}));
    assert_eq!(world.post(Role::App, "/v1/callbacks", &body).await.problem().1, "same-number");
    let body = ask(json!({"contact": "x"}), json!({"contact": ann}));
    let problem = world.post(Role::App, "/v1/callbacks", &body).await.problem();
    assert_eq!(problem, (422, "unknown-contact".into(), Some("first.contact".into())));
}
