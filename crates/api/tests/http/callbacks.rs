//! `/v1/callbacks` and `/v1/callback-plans`.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};
use store::{CallbackEnd, Record, TriedRecord, Ulid};

use crate::desk::UNSPEAKABLE;
use crate::world::{LINE, SHORT_LINE, World};

const PATH: &str = "/v1/callbacks";
const PLAN: &str = "/v1/callback-plans/desk";

fn both() -> Value {
    json!({ "line": LINE, "first": "8 999 111-11-11", "second": "+79992222222" })
}

async fn created(world: &World, body: &Value) -> String {
    let answer = world.post(Role::App, PATH, body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("{PATH}/{id}"));
    id
}

#[tokio::test]
async fn a_callback_is_taken_kept_and_read_back() {
    let world = World::new().await;
    let body = json!({
        "line": LINE,
        "first": { "numbers": ["+79991111111", { "number": "+79993333333", "ring_seconds": 15 }],
                   "strategy": "at-once", "ring_seconds": 30, "confirm": true, "prompt": "start" },
        "second": ["+79992222222"],
        "max_seconds": 600, "record": true, "data": { "ticket": 17 },
    });
    let id = created(&world, &body).await;
    let read = world.get(Role::App, &format!("{PATH}/{id}")).await.json();
    assert_eq!((&read["state"], &read["line"]), (&json!("waiting"), &json!(LINE)));
    let numbers = json!([
        { "number": "+79991111111", "ring_seconds": 30 },
        { "number": "+79993333333", "ring_seconds": 15 },
    ]);
    assert_eq!(read["first"]["numbers"], numbers);
    assert_eq!((&read["first"]["strategy"], &read["first"]["line"]), (&json!("at-once"), &json!(LINE)));
    assert_eq!(
        (&read["second"]["strategy"], &read["second"]["confirm"]),
        (&json!("in-order"), &json!(false))
    );
    assert_eq!((&read["data"], &read["cause"]), (&json!({ "ticket": 17 }), &Value::Null));
    let events = world.store.events_after(None, 10).unwrap().events;
    assert_eq!((events.len(), &*events[0].kind), (1, "callback.created"));
    assert_eq!(events[0].call.map(|call| call.to_string()), Some(id));
}

fn with_text(prompt: Value) -> Value {
    let mut body = both();
    body["second"] = json!({ "numbers": ["+79992222222"], "prompt": prompt });
    body
}

#[tokio::test]
async fn a_text_is_kept_as_it_was_said_and_one_that_cannot_be_spoken_is_refused() {
    let world = World::new().await;
    let said = json!({ "text": "Заказ +7 999 111-22-33 готов", "language": "ru" });
    let id = created(&world, &with_text(said.clone())).await;
    let read = async |role| world.get(role, &format!("{PATH}/{id}")).await.json()["second"]["prompt"].clone();
    assert_eq!(read(Role::App).await, said);
    let shown = read(Role::Operator).await["text"].as_str().unwrap().to_owned();
    assert_eq!(shown, "Заказ +* *** ***-**-** готов");
    // The longest there may be, on both sides, with as many numbers and as much data as there may be.
    let longest = |first: u32| {
        let numbers: Vec<String> = (first..first + 5).map(|n| format!("+7999{n:07}")).collect();
        json!({ "numbers": numbers, "prompt": { "text": "\u{1F600}".repeat(500), "language": "ru" } })
    };
    let mut body = both();
    (body["first"], body["second"], body["data"]) = (longest(10), longest(20), json!("x".repeat(510)));
    created(&world, &body).await;
    let unspeakable = with_text(json!({ "text": UNSPEAKABLE }));
    let refused = world.post(Role::App, PATH, &unspeakable).await;
    let field = Some("second.prompt.text".to_owned());
    assert_eq!(refused.problem(), (503, "speech-failed".to_owned(), field));
    assert_eq!(world.store.waiting_callbacks().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_wrong_with_a_callback_is_named() {
    let world = World::new().await;
    let with = |name: &str, value: Value| {
        let mut body = both();
        body[name] = value;
        body
    };
    let six: Vec<String> = (0..6).map(|n| format!("+7999111111{n}")).collect();
    let far = "2099-01-01T00:00:00Z";
    let long = "x".repeat(600);
    for (body, code, field) in [
        (with("first", json!("nobody")), "number-invalid", "first.numbers[0]"),
        (with("first", json!(LINE)), "number-invalid", "first.numbers[0]"),
        (with("first", json!([])), "out-of-range", "first.numbers"),
        (with("second", json!(six)), "out-of-range", "second.numbers"),
        (with("second", json!("+79991111111")), "same-number", "second"),
        (with("second", json!(["+79992222222", "+79992222222"])), "same-number", "second.numbers[1]"),
        (with("line", json!("+74959999999")), "unknown-line", "line"),
        (
            with("first", json!({ "numbers": ["+79991111111"], "line": "+74959999999" })),
            "unknown-line",
            "first.line",
        ),
        (
            with("first", json!({ "numbers": ["+79991111111"], "prompt": "none" })),
            "unknown-prompt",
            "first.prompt",
        ),
        (with_text(json!({ "text": " " })), "text-invalid", "second.prompt.text"),
        (with_text(json!({ "text": "x".repeat(501) })), "text-invalid", "second.prompt.text"),
        (with_text(json!({ "text": "a\u{7}b" })), "text-invalid", "second.prompt.text"),
        (
            with_text(json!({ "text": "Hello", "language": "tlh" })),
            "unknown-language",
            "second.prompt.language",
        ),
        (
            with("second", json!({ "numbers": ["+79992222222"], "ring_seconds": 500 })),
            "out-of-range",
            "second.ring_seconds",
        ),
        (with("max_seconds", json!(0)), "out-of-range", "max_seconds"),
        (with("at", json!(far)), "out-of-range", "at"),
        (with("at", json!("2001-01-01T00:00:00Z")), "out-of-range", "at"),
        (with("at", json!("tomorrow")), "wrong-type", "at"),
        (with("plan", json!("none")), "unknown-plan", "plan"),
        (with("window", json!("9-21")), "window-invalid", "window"),
        (with("time_zone", json!("UTC")), "window-invalid", "time_zone"),
        (with("data", json!(long)), "data-too-large", "data"),
        (with("colour", json!("red")), "unknown-field", "colour"),
        (json!({ "first": "+79991111111", "second": "+79992222222" }), "missing-field", "line"),
    ] {
        let answer = world.post(Role::App, PATH, &body).await;
        assert_eq!(answer.problem(), (422, code.to_owned(), Some(field.to_owned())), "{body}");
    }
    assert!(world.store.waiting_callbacks().unwrap().is_empty());
}

#[tokio::test]
async fn what_became_of_a_callback_is_told_number_by_number() {
    let world = World::new().await;
    let id = created(&world, &both()).await;
    let call = Ulid::from_string(&id).unwrap();
    let tried = |side: &str, number: &str, cause: Option<&str>| TriedRecord {
        side: side.into(),
        number: Some(number.into()),
        rang_seconds: Some(1.0),
        waiting_seconds: 2.5,
        answered_seconds: Some(60.0),
        cause: cause.map(str::to_owned),
        ..TriedRecord::default()
    };
    let mut record = Record {
        id: call,
        callback: true,
        tried: vec![tried("caller", "+79991111111", None)],
        ..Record::default()
    };
    let state = async || world.get(Role::App, &format!("{PATH}/{id}")).await.json()["state"].clone();
    world.store.checkpoint(&record, &[]).unwrap();
    assert_eq!(state().await, "first-answered");
    record.bridged_at = Some(record.started_at);
    world.store.checkpoint(&record, &[]).unwrap();
    assert_eq!(state().await, "talking");
    record.tried = vec![
        tried("caller", "+79991111111", Some("hung-up")),
        tried("callee", "+79992222222", Some("hung-up")),
    ];
    (record.cause, record.ended_by) = (Some("hung-up".into()), Some("caller".into()));
    record.talk_seconds = 57.5;
    world.store.finish(&record, vec![]).unwrap();
    let read = world.get(Role::App, &format!("{PATH}/{id}")).await.json();
    assert_eq!((&read["state"], &read["cause"]), (&json!("ended"), &json!("hung-up")));
    assert_eq!(read["tried"][1]["waiting_seconds"], 2.5);
    assert_eq!(read["talk_seconds"], 57.5);
    let masked = world.get(Role::Operator, &format!("{PATH}/{id}")).await.text().to_owned();
    assert!(!masked.contains("9991111111") && masked.contains("***1111"), "{masked}");
}

#[tokio::test]
async fn a_callback_is_cancelled_and_what_was_found_is_told() {
    let world = World::new().await;
    let id = created(&world, &both()).await;
    let cancel = async |when: &str| {
        let answer = world.delete(Role::App, &format!("{PATH}/{id}?when={when}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    world.desk.lock().unwrap().stage = Some(b2bua::Stage::Ringing);
    assert_eq!(cancel("not-ringing").await, json!({ "cancelled": false, "found": "ringing" }));
    assert_eq!(cancel("not-answered").await, json!({ "cancelled": true, "found": "ringing" }));
    world.desk.lock().unwrap().stage = None;
    assert_eq!(cancel("any").await, json!({ "cancelled": false, "found": "ended" }));
    let wrong = world.delete(Role::App, &format!("{PATH}/{id}?when=now")).await;
    assert_eq!(wrong.problem(), (400, "parameter-invalid".to_owned(), Some("when".to_owned())));
    for path in [format!("{PATH}/01KB2M3N4P5Q6R7S8T9V0W1X2Y"), format!("{PATH}/x")] {
        let unknown = world.delete(Role::App, &path).await;
        assert_eq!(unknown.problem().1, "callback-unknown");
        assert_eq!(world.get(Role::App, &path).await.problem().1, "callback-unknown");
    }
}

#[tokio::test]
async fn callbacks_are_listed_by_page_and_number_and_one_that_never_began_says_why() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let mut body = both();
        body["second"] = json!(format!("+7999222222{n}"));
        ids.push(created(&world, &body).await);
    }
    let end = CallbackEnd { at: std::time::SystemTime::now().into(), cause: "missed".into() };
    let event = store::NewEvent {
        kind: "callback.ended".into(),
        at: end.at,
        call: None,
        data: store::Json::parse("{}").unwrap(),
    };
    world.store.end_callback(Ulid::from_string(&ids[2]).unwrap(), end, event).unwrap();
    let page = world.get(Role::App, &format!("{PATH}?limit=2")).await.json();
    let names = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    let mut all = names(&page);
    assert_eq!((&page["items"][0]["state"], &page["items"][0]["cause"]), (&json!("ended"), &json!("missed")));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = world.get(Role::App, &format!("{PATH}?cursor={cursor}")).await.json();
    all.extend(names(&rest));
    all.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    ids.sort();
    assert_eq!((all, &rest["next_cursor"]), (ids.iter().map(|id| json!(id)).collect(), &Value::Null));
    let of = world.get(Role::App, &format!("{PATH}?number=%2B79992222221")).await.json();
    assert_eq!(of["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.get(Role::App, &format!("{PATH}?cursor=x")).await.problem().1, "cursor-invalid");
}

#[tokio::test]
async fn a_plan_says_what_a_callback_does_not() {
    let world = World::new().await;
    let plan = json!({
        "line": LINE, "max_seconds": 300, "record": true,
        "first": { "strategy": "at-once", "ring_seconds": 20, "line": SHORT_LINE },
        "second": { "prompt": { "text": "Вас ждут" }, "confirm": true },
    });
    let put = world.put(PLAN, &plan).await;
    assert_eq!((put.status, put.header("etag").is_empty()), (201, false));
    let body = json!({
        "plan": "desk",
        "first": { "numbers": ["+79991111111"], "strategy": "random" },
        "second": "+79992222222",
        "record": false,
    });
    let id = created(&world, &body).await;
    let read = world.get(Role::App, &format!("{PATH}/{id}")).await.json();
    let first = json!({
        "numbers": [{ "number": "+79991111111", "ring_seconds": 20 }],
        "strategy": "random", "line": SHORT_LINE, "prompt": null, "confirm": false,
    });
    assert_eq!(read["first"], first);
    assert_eq!(
        (&read["second"]["prompt"], &read["second"]["line"]),
        (&json!({ "text": "Вас ждут", "language": null }), &json!(LINE))
    );
    assert_eq!((&read["max_seconds"], &read["record"]), (&json!(300), &json!(false)));
    assert_eq!(read["plan"], "desk");
}

/// Hours that begin an hour after this moment of some day, UTC, and end half an hour later.
fn hours_from_now() -> String {
    let minutes = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 60;
    let text = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    format!("{}-{}", text(minutes + 60), text(minutes + 90))
}

#[tokio::test]
async fn a_callback_waits_for_its_hours_and_says_so() {
    let world = World::new().await;
    let hours = hours_from_now();
    let plan = json!({ "line": LINE, "window": hours, "time_zone": "UTC" });
    assert_eq!(world.put(PLAN, &plan).await.status, 201);
    assert_eq!(world.get(Role::App, PLAN).await.json()["window"], json!(hours));
    let mut body = json!({ "plan": "desk", "first": "+79991111111", "second": "+79992222222" });
    let waits = world.post(Role::App, PATH, &body).await.json();
    assert_eq!((&waits["window"], &waits["time_zone"]), (&json!(hours), &json!("UTC")));
    assert_eq!(waits["state"], "waiting");
    let time = |name: &str| waits[name].as_str().unwrap().parse::<store::Timestamp>().unwrap();
    let waiting = time("begins_at").since(time("at")).as_secs();
    assert!((59 * 60..=60 * 60).contains(&waiting), "{waits:#}");
    let told = world.store.events_after(None, 1).unwrap().events;
    assert!(told[0].data.as_str().contains(waits["begins_at"].as_str().unwrap()), "{told:?}");
    // What a callback says of its hours it says in place of its plan.
    body["window"] = json!("00:00-23:59");
    body["time_zone"] = json!("Etc/GMT-14");
    let own = world.post(Role::App, PATH, &body).await.json();
    assert_eq!((&own["window"], &own["time_zone"]), (&body["window"], &body["time_zone"]));
}

#[tokio::test]
async fn of_two_who_change_a_plan_only_one_who_has_read_it_does() {
    let world = World::new().await;
    let put = async |name: &'static str, value: &str, record: bool| {
        let request = world.ask(Role::App, Method::PUT, PLAN).header(name, value);
        world.send(request.json(&json!({ "record": record }))).await
    };
    let first = put("if-none-match", "*", true).await;
    assert_eq!(first.status, 201);
    assert_eq!(put("if-none-match", "*", true).await.problem().1, "precondition-failed");
    let tag = first.header("etag").to_owned();
    assert_eq!(world.get(Role::App, PLAN).await.header("etag"), tag);
    assert_eq!(put("if-match", &tag, false).await.status, 200);
    assert_eq!(put("if-match", &tag, true).await.status, 412);
    assert_eq!(put("if-match", "\"x\"", true).await.problem().1, "parameter-invalid");
    let plan = world.get(Role::App, PLAN).await.json();
    assert_eq!((&plan["record"], &plan["first"]["strategy"]), (&json!(false), &Value::Null));
    let list = world.get(Role::Operator, "/v1/callback-plans?limit=1").await.json();
    assert_eq!(list["items"][0]["name"], "desk");
    let stale = world.ask(Role::App, Method::DELETE, PLAN).header("if-match", &tag);
    assert_eq!(world.send(stale).await.status, 412);
    assert_eq!(world.delete(Role::App, PLAN).await.status, 204);
    assert_eq!(world.delete(Role::App, PLAN).await.problem().1, "plan-unknown");
    assert_eq!(world.get(Role::App, PLAN).await.problem().1, "plan-unknown");
}

#[tokio::test]
async fn a_plan_that_cannot_be_is_refused() {
    let world = World::new().await;
    for (path, body, code) in [
        (PLAN, json!({ "first": { "strategy": "never" } }), "wrong-type"),
        (PLAN, json!({ "second": { "numbers": ["+79991111111"] } }), "unknown-field"),
        (PLAN, json!({ "line": "+74959999999" }), "unknown-line"),
        (PLAN, json!({ "window": "09:00-21:00", "time_zone": "Mars/Olympus" }), "window-invalid"),
        (PLAN, json!({ "first": { "prompt": { "text": "" } } }), "text-invalid"),
        (PLAN, json!({ "first": { "prompt": 7 } }), "wrong-type"),
        ("/v1/callback-plans/Desk", json!({}), "out-of-range"),
    ] {
        assert_eq!(world.put(path, &body).await.problem().1, code, "{body}");
    }
}

#[tokio::test]
async fn a_callback_sent_twice_with_one_key_is_one() {
    let world = World::new().await;
    let send = async || {
        let request = world.ask(Role::App, Method::POST, PATH).header("idempotency-key", "k1").json(&both());
        world.send(request).await.json()["id"].clone()
    };
    assert_eq!(send().await, send().await);
    assert_eq!(world.store.waiting_callbacks().unwrap().len(), 1);
}
