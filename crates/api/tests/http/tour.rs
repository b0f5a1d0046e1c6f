//! The examples of the document are sent, and every good answer it describes is had once: `contract` then compares
//! the schemas, which leave no member out and allow none besides.

use std::collections::BTreeSet;

use api::Role;
use axum::http::Method;
use reqwest::RequestBuilder;
use serde_json::Value;

use crate::contract::{self, document};
use crate::records::record;
use crate::world::World;

/// Everything that is asked about, in place.
async fn furnished() -> World {
    let world = World::new().await;
    let mut kept = record(0);
    let name = format!("{}.wav", kept.id);
    let files = recording::Settings::wav(world.recordings());
    let mut said = recording::Recording::create(&files, &name).unwrap();
    said.add(&[[100, -100]; 800]).unwrap();
    said.finish().unwrap().sync().unwrap();
    kept.recording = Some(name);
    world.desk.lock().unwrap().calls.insert(kept.id.0);
    world.desk.lock().unwrap().recorded.insert(kept.id.0);
    let arrived = r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111"}"#;
    world.happen("call.arrived", Some(kept.id), arrived);
    world.store.finish(&kept, vec![]).unwrap();
    let callback = callback(kept.id, kept.started_at);
    let created = r#"{"line":"+74950000001","at":"2026-11-20T08:15:30.250Z","begins_at":"2026-11-20T08:15:30.250Z","data":null}"#;
    let data = store::Json::parse(created).unwrap();
    let event = store::NewEvent { kind: "callback.created".into(), at: kept.started_at, call: None, data };
    world.store.put_callback(callback, event).unwrap();
    world
}

fn callback(id: store::Ulid, at: store::Timestamp) -> store::Callback {
    let side = |text: &str| store::CallbackSide {
        numbers: vec![store::CallbackNumber {
            number: number::Number::parse(text).unwrap(),
            ring_seconds: None,
        }],
        strategy: "in-order".into(),
        line: number::Number::parse(crate::world::LINE).unwrap(),
        prompt: None,
        confirm: false,
    };
    store::Callback {
        id,
        created_at: at,
        at,
        window: None,
        plan: None,
        line: number::Number::parse(crate::world::LINE).unwrap(),
        first: side("+79991111111"),
        second: side("+79992222222"),
        max_seconds: None,
        record: None,
        data: None,
        end: None,
    }
}

/// The example of an operation's body, if it takes one.
fn with_example(request: RequestBuilder, operation: &Value, kind: &str) -> RequestBuilder {
    let example = &operation["requestBody"]["content"][kind]["examples"]["one"]["value"];
    match example.as_str() {
        _ if example.is_null() => request,
        Some(text) => request.header("content-type", kind).body(text.to_owned()),
        None => request.json(example),
    }
}

const BLOCK: &str = "/v1/blocks/{id}";
const CONTACT: &str = "/v1/contacts/{id}";
const PROMPT: &str = "/v1/prompts/{language}/{key}";

/// Method, path, type of the example, header.
type Asked = (Method, &'static str, &'static str, Option<(&'static str, &'static str)>);

/// What is asked, with an example of which kind, and with which header.
#[rustfmt::skip]
fn asked() -> Vec<Asked> {
    [desired(), happened(), kept_up()].concat()
}

/// What shops want to be done.
#[rustfmt::skip]
fn desired() -> Vec<Asked> {
    let (json, order, block) = ("application/json", "/v1/orders/{code}", BLOCK);
    let (callback, plan) = ("/v1/callbacks/{id}", "/v1/callback-plans/{name}");
    vec![
        (Method::PUT, order, json, None),
        (Method::PUT, order, json, None),
        (Method::GET, order, json, None),
        (Method::GET, order, json, Some(("if-none-match", ""))),
        (Method::PATCH, order, json, None),
        (Method::POST, "/v1/reveals", json, None),
        (Method::GET, "/v1/orders", json, None),
        (Method::DELETE, order, json, None),
        (Method::POST, "/v1/orders:import", "text/csv", None),
        (Method::POST, "/v1/orders:import", "application/x-ndjson", None),
        (Method::POST, "/v1/pairs", json, None),
        (Method::GET, "/v1/pairs", json, None),
        (Method::GET, "/v1/pairs/{id}", json, None),
        (Method::PATCH, "/v1/pairs/{id}", json, None),
        (Method::DELETE, "/v1/pairs/{id}", json, None),
        (Method::POST, "/v1/pairs/{id}:reopen", json, None),
        (Method::GET, "/v1/numbers", json, None),
        (Method::GET, "/v1/numbers/plan", json, None),
        (Method::PUT, plan, json, None),
        (Method::PUT, plan, json, None),
        (Method::GET, plan, json, None),
        (Method::GET, "/v1/callback-plans", json, None),
        (Method::DELETE, plan, json, None),
        (Method::POST, "/v1/callbacks", json, None),
        (Method::GET, "/v1/callbacks", json, None),
        (Method::GET, callback, json, None),
        (Method::DELETE, callback, json, None),
        (Method::GET, "/v1/blocks", json, None),
        (Method::POST, "/v1/blocks", json, None),
        (Method::GET, block, json, None),
        (Method::DELETE, block, json, None),
        (Method::POST, "/v1/contacts", json, None),
        (Method::GET, "/v1/contacts", json, None),
        (Method::GET, CONTACT, json, None),
        (Method::PATCH, CONTACT, json, None),
        (Method::DELETE, CONTACT, json, None),
    ]
}

/// What happens and happened.
#[rustfmt::skip]
fn happened() -> Vec<Asked> {
    let json = "application/json";
    vec![
        (Method::GET, "/v1/people/{number}", json, None),
        (Method::DELETE, "/v1/people/{number}", json, None),
        (Method::GET, "/v1/audit", json, None),
        (Method::GET, "/v1/calls", json, None),
        (Method::GET, "/v1/calls/{id}", json, None),
        (Method::POST, "/v1/calls/{id}/recording", json, None),
        (Method::GET, "/v1/calls/{id}/trace", json, None),
        (Method::GET, "/v1/calls/{id}/trace", json, Some(("accept", "text/plain"))),
        (Method::GET, "/v1/calls/{id}/trace", json, Some(("accept", "application/vnd.tcpdump.pcap"))),
        (Method::DELETE, "/v1/calls/{id}", json, None),
        (Method::GET, "/v1/records", json, None),
        (Method::GET, "/v1/records", json, Some(("accept", "text/csv"))),
        (Method::GET, "/v1/records/{id}", json, None),
        (Method::GET, "/v1/recordings/{id}", json, None),
        (Method::GET, "/v1/recordings/{id}", json, Some(("range", "bytes=0-1"))),
        (Method::GET, "/v1/recordings/{id}", json, Some(("if-none-match", ""))),
        (Method::GET, "/v1/recordings/{id}/peaks", json, None),
        (Method::DELETE, "/v1/recordings/{id}", json, None),
        (Method::GET, "/v1/statistics", json, None),
    ]
}

/// How the program is, and what it does by.
#[rustfmt::skip]
fn kept_up() -> Vec<Asked> {
    let (json, prompt) = ("application/json", PROMPT);
    let letters = "/v1/webhooks/{name}/dead-letters";
    let replay = "/v1/webhooks/{name}/dead-letters/replay";
    vec![
        (Method::GET, "/v1/settings", json, None),
        (Method::GET, "/v1/trunks", json, None),
        (Method::GET, "/v1/prompts", json, None),
        (Method::GET, prompt, json, None),
        (Method::PUT, prompt, json, None),
        (Method::PUT, prompt, "audio/wav", None),
        (Method::POST, "/v1/prompts:preview", json, None),
        (Method::DELETE, prompt, json, None),
        (Method::POST, "/v1/simulate", json, None),
        (Method::GET, "/v1/webhooks", json, None),
        (Method::GET, letters, json, None),
        (Method::POST, replay, json, None),
        (Method::GET, "/healthz", json, None),
        (Method::GET, "/readyz", json, None),
        (Method::GET, "/metrics", json, None),
        (Method::GET, "/openapi.json", json, None),
    ]
}

#[tokio::test]
async fn every_example_is_taken_and_every_good_answer_is_as_described() {
    let world = furnished().await;
    let id = record(0).id.to_string();
    let paths = &document()["paths"];
    let mut had = BTreeSet::new();
    let (mut made, mut pair) = (String::new(), String::new());
    for (method, pattern, kind, header) in asked() {
        let operation = &paths[pattern][method.as_str().to_lowercase()];
        let is_made = [BLOCK, CONTACT].contains(&pattern);
        let path = if is_made { made.clone() } else { filled(pattern, &id, &pair) };
        let mut request = with_example(world.ask(Role::Admin, method.clone(), &path), operation, kind);
        if kind == "audio/wav" {
            request = request.header("content-type", kind).body("RIFF");
        }
        if let Some((name, value)) = header {
            let tag = if name == "if-none-match" { tag(&world, &path).await } else { value.to_owned() };
            request = request.header(name, tag);
        }
        let answer = world.send(request).await;
        assert!(answer.status < 400, "{method} {path}: {answer:?}");
        if pattern == "/v1/pairs" && method == Method::POST {
            pair = answer.json()["id"].as_str().unwrap().to_owned();
        }
        if ["/v1/blocks", "/v1/contacts"].contains(&pattern) && method == Method::POST {
            made = answer.header("location").to_owned();
        }
        had.insert((method.to_string(), pattern.to_owned(), answer.status));
    }
    had.extend(crate::sign_in::toured(&world).await);
    // A stream has no end to be read to; its tests are in `events` and `sockets`.
    had.insert(("GET".into(), "/v1/events".into(), 200));
    had.insert(("GET".into(), "/v1/ws".into(), 101));
    assert_eq!(had, described());
}

/// A path of this pattern, about this call or this pair.
fn filled(pattern: &str, call: &str, pair: &str) -> String {
    let id = if pattern.starts_with("/v1/pairs") { pair } else { call };
    let names = [
        ("{code}", "12345"),
        ("{id}", id),
        ("{name}", "shop"),
        ("{language}", "en"),
        ("{key}", "start"),
        ("{number}", "+79993333333"),
    ];
    let filled = names.into_iter().fold(pattern.to_owned(), |path, (name, value)| path.replace(name, value));
    filled.replace("/plan", "/plan?pairs_per_phone=3")
}

async fn tag(world: &World, path: &str) -> String {
    world.get(Role::Admin, path).await.header("etag").to_owned()
}

/// Method, pattern and status of every good answer in the document.
fn described() -> BTreeSet<(String, String, u16)> {
    let mut all = BTreeSet::new();
    for (pattern, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let statuses =
                operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap());
            let good = statuses.filter(|status| *status < 400);
            all.extend(good.map(|status| (method.to_uppercase(), pattern.clone(), status)));
        }
    }
    all
}

#[test]
fn every_example_of_a_schema_fits_it_and_every_answer_in_json_has_one() {
    let document = document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        for example in schema.get("examples").and_then(Value::as_array).into_iter().flatten() {
            contract::check_json(&contract::schema(name), example.to_string().as_bytes(), name);
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let reference = answer.pointer("/content/application~1json/schema/$ref");
                let Some(name) = reference.and_then(Value::as_str).and_then(|text| text.rsplit('/').next())
                else {
                    continue;
                };
                assert!(schemas[name].get("examples").is_some(), "{method} {path} {status}: {name}");
            }
        }
    }
}
