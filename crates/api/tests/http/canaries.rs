//! By no route, in no form and in no error does somebody who sees numbers masked get a whole one.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use store::{
    Block, CallbackNumber, CallbackSide, Direction, IdentityRecord, Json, NewEvent, Record, Timestamp,
    TriedRecord, Ulid,
};

use crate::contract::document;
use crate::records::record;
use crate::sign_in::{Browser, named, sign_in, world};
use crate::world::{LINE, World};

/// Digits of every number of which nothing but the end may be seen.
const CANARY: &str = "916234";

fn canary(last: u16) -> String {
    format!("+7{CANARY}{last:04}")
}

fn number(last: u16) -> number::Number {
    number::Number::parse(&canary(last)).unwrap()
}

/// What was kept, by which it can be asked about.
struct Kept {
    call: Ulid,
    pair: String,
    block: Ulid,
    contact: String,
}

fn kept_record(call: Ulid) -> Record {
    let tried = |last| TriedRecord {
        side: "callee".into(),
        number: Some(canary(last)),
        dialled_at: record(0).started_at,
        rang_seconds: Some(1.0),
        waiting_seconds: 2.0,
        answered_seconds: None,
        cause: Some("no-answer".into()),
        sip_status: None,
    };
    Record {
        id: call,
        caller: Some(canary(1)),
        callee: Some(canary(2)),
        callback: true,
        tried: vec![tried(3), tried(4)],
        identity: Some(IdentityRecord {
            verdict: "failed".into(),
            claimed: Some(canary(5)),
            ..IdentityRecord::default()
        }),
        data: Some(Json::parse(&data()).unwrap()),
        ..record(0)
    }
}

/// What a shop attaches, with numbers as people write them.
fn data() -> String {
    format!(
        r#"{{"phones":["8 (916) 234-00-06", 7{CANARY}0007],"shop":{{"tel":"{}"}},"to do":"ring {} at 18:00, ask for Anna"}}"#,
        canary(8),
        canary(12)
    )
}

fn side(last: u16) -> CallbackSide {
    CallbackSide {
        numbers: vec![CallbackNumber { number: number(last), ring_seconds: None }],
        strategy: "in-order".into(),
        line: number::Number::parse(LINE).unwrap(),
        prompt: None,
        confirm: false,
    }
}

/// Everything there is, with canaries wherever a number can stand.
async fn furnish(world: &World) -> Kept {
    let call = record(0).id;
    let order = json!({"courier": {"number": canary(1)}, "client": {"number": canary(2)},
        "data": serde_json::from_str::<Value>(&data()).unwrap()});
    assert_eq!(world.put("/v1/orders/12345", &order).await.status, 201);
    let pair = json!({"a": {"number": canary(1)}, "b": {"number": canary(2)}, "fallback": canary(9), "data": order["data"]});
    let pair = world.post(api::Role::App, "/v1/pairs", &pair).await.json();
    let pair = pair["id"].as_str().unwrap().to_owned();
    let dialled = format!(r#"{{"callee":"{}","callee_role":"client"}}"#, canary(2));
    for (kind, data) in [
        ("call.arrived", format!(r#"{{"line":"{LINE}","trunk":"t","caller":"{}"}}"#, canary(1))),
        ("call.matched", format!(r#"{{"code":"12345","caller_role":"courier","data":{}}}"#, data())),
        ("call.dialling", dialled),
    ] {
        world.happen(kind, Some(call), &data);
    }
    world.store.finish(&kept_record(call), vec![]).unwrap();
    std::fs::write(world.recordings().join(format!("{call}.wav")), b"RIFF0123").unwrap();
    let at = record(0).started_at;
    let callback = store::Callback {
        window: None,
        id: call,
        created_at: at,
        at,
        plan: None,
        line: number::Number::parse(LINE).unwrap(),
        first: side(1),
        second: side(2),
        max_seconds: None,
        record: None,
        data: Some(Json::parse(&data()).unwrap()),
        end: None,
    };
    let created =
        NewEvent { kind: "callback.created".into(), at, call: None, data: callback.data.clone().unwrap() };
    world.store.put_callback(callback, created).unwrap();
    let block = Ulid(77);
    let kept = Block {
        id: block,
        number: number(1),
        other: Some(number(2)),
        direction: Direction::Both,
        line: None,
        reason: Some("threats".into()),
        created_at: Timestamp(1),
        expires_at: None,
    };
    world.store.put_block(kept).unwrap();
    world.desk.lock().unwrap().calls.insert(call.0);
    let contact = json!({"name": "Anna", "number": canary(10), "note": canary(11), "data": order["data"]});
    let contact = world.post(api::Role::App, "/v1/contacts", &contact).await.json();
    let contact = contact["id"].as_str().unwrap().to_owned();
    Kept { call, pair, block, contact }
}

/// Fails where anything of an answer tells more of a number than its end.
fn look(whose: &str, text: &str) {
    for form in [CANARY, "(916) 234", "916 234", "916-234"] {
        assert!(!text.contains(form), "{whose}: {text}");
    }
}

async fn look_at(whose: &str, request: reqwest::RequestBuilder) -> u16 {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    look(whose, &format!("{:?}", response.headers()));
    look(whose, &String::from_utf8_lossy(&response.bytes().await.unwrap()));
    status
}

/// The paths to ask at: of each kind of thing the one there is, and one there is not.
fn paths(pattern: &str, kept: &Kept) -> Vec<String> {
    let id = match pattern {
        _ if pattern.starts_with("/v1/pairs") => kept.pair.clone(),
        _ if pattern.starts_with("/v1/blocks") => kept.block.to_string(),
        _ if pattern.starts_with("/v1/contacts") => kept.contact.clone(),
        _ => kept.call.to_string(),
    };
    let filled = |id: &str, code: &str| {
        let names =
            [("{code}", code), ("{id}", id), ("{name}", "shop"), ("{language}", "en"), ("{key}", "start")];
        names.into_iter().fold(pattern.to_owned(), |path, (name, value)| path.replace(name, value))
    };
    vec![filled(&id, "12345"), filled("01KB8Q2RQ0000000000000000F", "99999")]
}

/// A body with every number in it a canary.
fn baited(value: &mut Value, next: &mut u16) {
    let is_number = |text: &str| {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let plain = text.bytes().all(|octet| octet.is_ascii_digit() || b"+ ()-".contains(&octet));
        plain && digits >= 10 && text != LINE
    };
    match value {
        Value::String(text) if is_number(text) => {
            *next += 1;
            *text = canary(*next);
        }
        Value::Array(items) => items.iter_mut().for_each(|item| baited(item, next)),
        Value::Object(members) => members.values_mut().for_each(|member| baited(member, next)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What an operation is asked with: its example, and what is wrong in several ways.
fn bodies(operation: &Value) -> Vec<Value> {
    let examples = operation.pointer("/requestBody/content/application~1json/examples");
    let examples = examples.and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let mut bodies: Vec<Value> = examples.map(|example| example["value"].clone()).collect();
    bodies.iter_mut().for_each(|body| baited(body, &mut 100));
    let whole = canary(1);
    bodies.push(json!({"courier": {"number": whole, "language": whole}, "client": {"number": whole}}));
    bodies.push(json!({"number": [whole], "a": {"number": {"x": whole}}, "data": whole}));
    bodies.push(
        json!({"from": whole, "to": whole, "digits": whole, "first": {"numbers": [{"number": whole}]}}),
    );
    bodies.push(Value::String(whole));
    bodies
}

async fn ask_all(world: &World, anna: &Browser, kept: &Kept) -> BTreeSet<String> {
    let mut good = BTreeSet::new();
    for (pattern, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let is_operators =
                operation["x-roles"].as_array().is_some_and(|all| all.contains(&json!("operator")));
            let streams = ["/v1/events", "/v1/ws"].contains(&pattern.as_str());
            let leaves = pattern == "/v1/session" && method == "delete";
            if !is_operators || streams || leaves || ["delete"].contains(&method.as_str()) {
                continue;
            }
            let verb: Method = method.to_uppercase().parse().unwrap();
            for path in paths(pattern, kept) {
                let name = format!("{verb} {path}");
                let ask = |query: &str| anna.ask(world, verb.clone(), &format!("{path}{query}"));
                if verb == Method::GET {
                    for accept in
                        ["application/json", "text/csv", "text/plain", "application/vnd.tcpdump.pcap"]
                    {
                        let status = look_at(&name, ask("").header("accept", accept)).await;
                        good.extend((status < 300).then(|| format!("{verb} {pattern}")));
                    }
                    let whole = canary(1).replace('+', "%2B");
                    for query in ["number", "cursor", "limit", "line", "code", "from", "query"] {
                        look_at(&name, ask(&format!("?{query}={whole}"))).await;
                    }
                    continue;
                }
                for body in bodies(operation) {
                    let status = look_at(&name, ask("").json(&body)).await;
                    good.extend((status < 300).then(|| format!("{verb} {pattern}")));
                }
                let csv = format!("code,courier_number,client_number\n54321,{0},{0}\nx,{0},1\n", canary(1));
                look_at(&name, ask("").header("content-type", "text/csv").body(csv)).await;
            }
        }
    }
    good
}

#[tokio::test]
async fn an_operator_gets_a_whole_number_by_no_route() {
    let world = world().await;
    let kept = furnish(&world).await;
    let anna = sign_in(&world, &named("anna")).await;
    let good = ask_all(&world, &anna, &kept).await;
    // It is no proof to be refused everywhere.
    for had in [
        "GET /v1/orders",
        "GET /v1/orders/{code}",
        "PATCH /v1/orders/{code}",
        "PUT /v1/orders/{code}",
        "GET /v1/pairs",
        "GET /v1/pairs/{id}",
        "POST /v1/pairs",
        "GET /v1/calls",
        "GET /v1/calls/{id}",
        "GET /v1/records",
        "GET /v1/records/{id}",
        "GET /v1/callbacks",
        "GET /v1/callbacks/{id}",
        "POST /v1/callbacks",
        "GET /v1/blocks",
        "GET /v1/blocks/{id}",
        "POST /v1/blocks",
        "POST /v1/simulate",
        "GET /v1/session",
        "GET /v1/numbers",
        "GET /v1/contacts",
        "GET /v1/contacts/{id}",
        "POST /v1/contacts",
        "PATCH /v1/contacts/{id}",
    ] {
        assert!(good.contains(had), "{had} was never answered: {good:?}");
    }
    // Events, by both ways, from the first on.
    let events = anna.bare(&world, Method::GET, "/v1/events?last_event_id=00000000000000000000000000");
    let mut events = events.send().await.unwrap();
    let mut heard = String::new();
    let marker = world.happen("trunk.up", None, "{}").to_string();
    while !heard.contains(&marker) {
        heard += std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap();
    }
    assert!(heard.contains("***0001"), "{heard}");
    look("GET /v1/events", &heard);
    // What others may do is refused without a word of what there is.
    for (method, path) in [
        (Method::GET, format!("/v1/people/%2B7{CANARY}0001")),
        (Method::GET, "/v1/audit".to_owned()),
        (Method::GET, "/v1/webhooks/shop/dead-letters".to_owned()),
    ] {
        assert_eq!(look_at(&path, anna.ask(&world, method, &path)).await, 403, "{path}");
    }
    for kind in ["call", "record", "order", "pair", "callback", "contact"] {
        let body = json!({"kind": kind, "id": kept.call.to_string()});
        let refused = anna.ask(&world, Method::POST, "/v1/reveals").json(&body);
        assert_eq!(look_at(kind, refused).await, 403, "{kind}");
    }
}
