//! Blocks, erasure, who looked at what, writers that meet, and tokens that ask too often.

use api::{Role, Token};
use axum::http::Method;
use serde_json::{Value, json};
use store::Record;

use crate::records::record;
use crate::world::{World, secret, settings};

const COURIER: &str = "+79991111111";
const CLIENT: &str = "+79992222222";

fn order() -> Value {
    json!({"courier": {"number": COURIER}, "client": {"number": CLIENT}, "data": {"phone": "8 (999) 111-11-11"}})
}

#[tokio::test]
async fn a_block_is_made_read_listed_and_lifted() {
    let world = World::new().await;
    let body = json!({"number": "89991111111", "other": CLIENT, "direction": "both", "line": "+74950000001",
        "reason": "threats", "ttl_seconds": 60});
    let made = world.post(Role::Operator, "/v1/blocks", &body).await;
    assert_eq!(made.status, 201);
    let (block, place) = (made.json(), made.header("location").to_owned());
    assert_eq!((&block["number"], &block["direction"]), (&json!("***1111"), &json!("both")));
    let read = world.get(Role::App, &place).await.json();
    assert_eq!((&read["number"], &read["other"]), (&json!(COURIER), &json!(CLIENT)));
    let listed = |number: &str| format!("/v1/blocks?number={}", number.replace('+', "%2B"));
    for number in [COURIER, CLIENT] {
        assert_eq!(world.get(Role::Admin, &listed(number)).await.json()["items"][0], read);
    }
    assert_eq!(world.get(Role::Admin, &listed("+79993333333")).await.json()["items"], json!([]));
    assert_eq!(world.delete(Role::App, &place).await.status, 204);
    assert_eq!(world.delete(Role::App, &place).await.problem().1, "block-unknown");
    assert_eq!(world.get(Role::App, &place).await.problem().1, "block-unknown");
    assert_eq!(world.get(Role::App, "/v1/blocks/x").await.problem().1, "block-unknown");
}

#[tokio::test]
async fn a_block_that_cannot_be_is_told_by_its_field() {
    let world = World::new().await;
    for (body, code, field) in [
        (json!({"number": "12"}), "number-invalid", "number"),
        (json!({"number": COURIER, "other": COURIER}), "same-number", "other"),
        (json!({"number": COURIER, "other": "x"}), "number-invalid", "other"),
        (json!({"number": COURIER, "line": "+74950000009"}), "unknown-line", "line"),
        (json!({"number": COURIER, "direction": "up"}), "wrong-type", "direction"),
        (json!({"number": COURIER, "ttl_seconds": 0}), "expiry-out-of-range", "ttl_seconds"),
        (json!({"number": COURIER, "reason": "x".repeat(257)}), "data-too-large", "reason"),
        (json!({"other": COURIER}), "missing-field", "number"),
    ] {
        let problem = world.post(Role::App, "/v1/blocks", &body).await.problem();
        assert_eq!(problem, (422, code.to_owned(), Some(field.to_owned())), "{body}");
    }
}

#[tokio::test]
async fn limits_of_an_order_are_kept_and_told() {
    let world = World::new().await;
    let mut body = order();
    body["max_calls"] = json!(3);
    body["client"]["quiet"] = json!("22:00-08:00");
    body["client"]["time_zone"] = json!("Europe/Moscow");
    let put = world.put("/v1/orders/12345", &body).await.json();
    assert_eq!((&put["max_calls"], &put["client"]["quiet"]), (&json!(3), &json!("22:00-08:00")));
    assert_eq!(
        (&put["client"]["time_zone"], &put["courier"]["quiet"]),
        (&json!("Europe/Moscow"), &Value::Null)
    );
    for (quiet, zone, field) in [
        (json!("22-8"), Value::Null, "client.quiet"),
        (json!("22:00-08:00"), json!("Mars"), "client.time_zone"),
        (Value::Null, json!("Europe/Moscow"), "client.time_zone"),
    ] {
        body["client"]["quiet"] = quiet;
        body["client"]["time_zone"] = zone;
        let problem = world.put("/v1/orders/12345", &body).await.problem();
        assert_eq!(problem, (422, "quiet-invalid".into(), Some(field.into())));
    }
    let rows = "code,courier,client,max_calls,client_quiet,client_time_zone\n\
        54321,+79991111111,+79992222222,2,21:00-07:00,Europe/Berlin\n";
    let request = world.ask(Role::App, Method::POST, "/v1/orders:import");
    let imported = world.send(request.header("content-type", "text/csv").body(rows)).await;
    assert_eq!(imported.json()["created"], 1);
    let read = world.get(Role::App, "/v1/orders/54321").await.json();
    assert_eq!((&read["max_calls"], &read["client"]["quiet"]), (&json!(2), &json!("21:00-07:00")));
}

#[tokio::test]
async fn of_two_writers_the_second_learns_of_the_first() {
    let world = World::new().await;
    let put = |header: &'static str, value: String| {
        let request = world.ask(Role::App, Method::PUT, "/v1/orders/12345").json(&order());
        world.send(request.header(header, value))
    };
    assert_eq!(put("if-match", "*".into()).await.problem().1, "precondition-failed");
    let first = put("if-none-match", "*".into()).await;
    assert_eq!(first.status, 201);
    assert_eq!(put("if-none-match", "*".into()).await.problem().1, "precondition-failed");
    let tag = first.header("etag").to_owned();
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.header("etag"), tag);
    let known = world.ask(Role::App, Method::GET, "/v1/orders/12345").header("if-none-match", &tag);
    assert_eq!(world.send(known).await.status, 304);
    // Two in one millisecond would be the same order.
    let mut changed = order();
    changed["ttl_seconds"] = json!(100);
    let request = world.ask(Role::App, Method::PUT, "/v1/orders/12345").json(&changed);
    assert_eq!(world.send(request.header("if-match", &tag)).await.status, 200);
    assert_eq!(put("if-match", tag.clone()).await.problem().1, "precondition-failed");
    let delete = world.ask(Role::App, Method::DELETE, "/v1/orders/12345").header("if-match", &tag);
    assert_eq!(world.send(delete).await.problem().1, "precondition-failed");
    for (header, value) in [("if-match", "tag"), ("if-none-match", "\"0123456789abcdef\"")] {
        assert_eq!(put(header, value.into()).await.problem().1, "parameter-invalid");
    }
    let tag = world.get(Role::App, "/v1/orders/12345").await.header("etag").to_owned();
    let delete = world.ask(Role::App, Method::DELETE, "/v1/orders/12345").header("if-match", &tag);
    assert_eq!(world.send(delete).await.status, 204);
}

#[tokio::test]
async fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let world = World::new().await;
    let mut settings = settings(world.dir.path());
    settings.tokens.push(Token::new("slow", Role::App).limited(Some(1)));
    world.gate.configure(settings).await;
    let ask = || world.send(world.bare(Method::GET, "/v1/orders").bearer_auth("slow"));
    let mut refused = ask().await;
    for _ in 0..100 {
        if refused.status == 429 {
            break;
        }
        refused = ask().await;
    }
    assert_eq!(refused.problem().1, "rate-limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(world.get(Role::App, "/v1/orders").await.status, 200, "another token");
}

async fn noted(world: &World) -> Vec<(String, String, Value, Value, u64)> {
    let page = world.get(Role::Admin, "/v1/audit?limit=500").await.json();
    let entries = page["items"].as_array().unwrap().iter().rev().map(|entry| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        let status = entry["status"].as_u64().unwrap();
        (text("who"), text("what"), entry["subject"].clone(), entry["number"].clone(), status)
    });
    entries.collect()
}

#[tokio::test]
async fn whoever_looks_or_acts_is_written_down_and_whoever_sees_masked_numbers_is_not() {
    let world = World::new().await;
    let mut settings = settings(world.dir.path());
    settings.tokens = vec![
        Token::new(&secret(Role::Admin), Role::Admin).named("anna"),
        Token::new(&secret(Role::App), Role::App).named("shop"),
        Token::new(&secret(Role::Operator), Role::Operator).named("desk"),
    ];
    world.gate.configure(settings).await;
    world.put("/v1/orders/12345", &order()).await;
    world.get(Role::App, "/v1/orders/12345").await;
    world.get(Role::Operator, "/v1/orders/12345").await;
    world.get(Role::Admin, "/v1/records?number=%2B79991111111").await;
    world.get(Role::Operator, "/v1/recordings/00000000000000000000000000").await;
    world.post(Role::Operator, "/v1/blocks", &json!({"number": COURIER})).await;
    world.delete(Role::Operator, "/v1/calls/00000000000000000000000000").await;
    let call = json!("00000000000000000000000000");
    let entry = |who: &str, what: &str, subject: Value, number: Value, status: u64| {
        (who.to_owned(), what.to_owned(), subject, number, status)
    };
    let expected = [
        entry("shop", "order.read", json!("12345"), Value::Null, 200),
        entry("anna", "records.listed", Value::Null, json!("***1111"), 200),
        entry("desk", "recording.heard", call.clone(), Value::Null, 404),
        entry("desk", "block.put", Value::Null, json!("***1111"), 201),
        entry("desk", "call.hung-up", call, Value::Null, 404),
    ];
    assert_eq!(noted(&world).await, expected);
    assert_eq!(noted(&world).await.len(), 6, "that one looked at the log is in the log");
    let first = world.get(Role::Admin, "/v1/audit?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let next = world.get(Role::Admin, &format!("/v1/audit?limit=500&cursor={cursor}")).await.json();
    assert_eq!(next["items"].as_array().unwrap().len(), 5);
    assert_eq!(world.get(Role::Admin, "/v1/audit?cursor=x").await.problem().1, "cursor-invalid");
}

fn of_courier(world: &World, n: u64, recorded: bool) -> Record {
    let mut kept = record(n);
    kept.caller = Some(COURIER.into());
    kept.callee = Some(CLIENT.into());
    if recorded {
        let name = format!("{}.wav", kept.id);
        std::fs::write(world.recordings().join(&name), b"RIFF0123").unwrap();
        kept.recording = Some(name);
    }
    kept
}

/// A world in which the courier is everywhere.
async fn known() -> World {
    let world = World::new().await;
    let request = world.ask(Role::App, Method::PUT, "/v1/orders/12345").json(&order());
    world.send(request.header("idempotency-key", "once")).await;
    world.post(Role::App, "/v1/blocks", &json!({"number": COURIER})).await;
    for n in 0..40 {
        let kept = of_courier(&world, n, n == 7);
        let arrived = format!(r#"{{"line":"+74950000001","trunk":"t","caller":"{COURIER}"}}"#);
        world.happen("call.arrived", Some(kept.id), &arrived);
        let written = store::NewEvent {
            kind: "record.written".into(),
            at: kept.started_at,
            call: Some(kept.id),
            data: store::Json::of(&kept).unwrap(),
        };
        world.store.finish(&kept, vec![written]).unwrap();
    }
    let line = number::Number::parse("+74950000001").unwrap();
    let courier = number::Number::parse(COURIER).unwrap();
    let at = std::time::SystemTime::now().into();
    world.store.apply(store::Batch::new().note_called(line, courier, "12345", at)).unwrap();
    world
}

/// Every byte of the store's directory is looked through; sled writes into its file as it goes, so that what was is still
/// there until it is written over: what is looked at is what can be read.
fn readable(world: &World) -> String {
    let mut text = String::new();
    for event in world.store.events_after(None, 1_000).unwrap().events {
        text += &serde_json::to_string(&event).unwrap();
    }
    for record in world.store.records(&store::RecordFilter::default(), None, 1_000).unwrap().items {
        text += &serde_json::to_string(&record).unwrap();
    }
    text
}

#[tokio::test]
async fn what_is_kept_of_a_number_is_shown() {
    let world = known().await;
    let kept = world.get(Role::Admin, "/v1/people/+79991111111?limit=30").await.json();
    let count = |name: &str| kept[name].as_array().unwrap().len();
    assert_eq!([count("orders"), count("blocks"), count("redials"), count("records")], [1, 1, 1, 30]);
    let cursor = kept["next_cursor"].as_str().unwrap();
    let more = world.get(Role::Admin, &format!("/v1/people/89991111111?cursor={cursor}")).await.json();
    assert_eq!(more["records"].as_array().unwrap().len(), 10);
    assert_eq!(world.get(Role::Admin, "/v1/people/12").await.problem().1, "number-invalid");
}

#[tokio::test]
async fn an_erased_number_is_nowhere_and_the_other_partys_is_still_there() {
    let world = known().await;
    let running = of_courier(&world, 99, false);
    world.store.checkpoint(&running, &[]).unwrap();
    let report = world.delete(Role::Admin, "/v1/people/+79991111111").await.json();
    let erased = &report["erased"];
    let count = |name: &str| erased[name].as_u64().unwrap();
    assert_eq!([count("orders"), count("records"), count("recordings"), count("redials")], [1, 40, 1, 1]);
    assert_eq!([count("answers"), count("blocks")], [1, 0]);
    // Two of each call, and the order's, whose data told the number as people write it.
    assert_eq!(count("events"), 81);
    let kept: Vec<&str> =
        report["kept"].as_array().unwrap().iter().map(|kept| kept["what"].as_str().unwrap()).collect();
    // One by its record, one by its messages.
    assert_eq!((kept, count("traces")), (vec!["call", "call", "blocks", "audit"], 3));
    let left = readable(&world);
    assert!(!left.contains("9991111111") && left.contains(CLIENT), "{left}");
    assert!(std::fs::read_dir(world.recordings()).unwrap().next().is_none());
    let person = world.get(Role::Admin, "/v1/people/+79991111111").await.json();
    for what in ["orders", "records", "redials"] {
        assert_eq!(person[what], json!([]), "{what}");
    }
    let other = world.get(Role::Admin, "/v1/people/+79992222222").await.json();
    assert_eq!(other["records"].as_array().unwrap().len(), 40);
    // Records still to be written find their place.
    world.store.finish(&of_courier(&world, 41, false), vec![]).unwrap();
    let again =
        world.delete(Role::Admin, "/v1/people/+79991111111?records=delete&blocks=delete").await.json();
    assert_eq!((&again["erased"]["records"], &again["erased"]["blocks"]), (&json!(1), &json!(1)));
    let all = world.get(Role::Admin, "/v1/records?limit=500").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 40);
    let wrong = world.delete(Role::Admin, "/v1/people/+79991111111?records=burn").await;
    assert_eq!(wrong.problem().1, "parameter-invalid");
}
