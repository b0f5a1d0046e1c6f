//! `/v1/records`.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};
use store::{Json, LegRecord, Record, Timestamp, Ulid};

use crate::world::{Answer, World};

const NOON: u64 = 1_795_176_000_000;

/// The record of a call that came so many seconds after noon.
pub(crate) fn record(after: u64) -> Record {
    let at = |seconds: u64| Some(Timestamp(NOON + (after + seconds) * 1000));
    let leg = LegRecord {
        packets_received: 100,
        codec: Some("PCMA".into()),
        srtp: Some("AES_CM_128_HMAC_SHA1_80".into()),
        mos: Some(4.3),
        ..LegRecord::default()
    };
    Record {
        id: Ulid::from_parts(NOON + after * 1000, u128::from(after)),
        node: "a".into(),
        line: Some("+74950000001".into()),
        dialled: "74950000001".into(),
        trunk: "carrier".into(),
        caller: Some("+79991111111".into()),
        callee: Some("+79992222222".into()),
        started_at: Timestamp(NOON + after * 1000),
        answered_at: at(0),
        bridged_at: at(10),
        ended_at: at(70),
        duration_seconds: 70.0,
        talk_seconds: 60.0,
        ended_by: Some("callee".into()),
        cause: Some("hung-up".into()),
        sip_status: None,
        q850: Some(16),
        code: Some("12345".into()),
        attempts: 1,
        order_found: true,
        number_found: true,
        caller_role: Some("courier".into()),
        callee_reached: true,
        data: Some(Json::parse(r#"{"phone":"+79993333333","shop":7}"#).unwrap()),
        caller_leg: Some(leg.clone()),
        callee_leg: Some(leg),
        ..Record::default()
    }
}

async fn csv(world: &World, role: Role, query: &str) -> Answer {
    let request = world.ask(role, Method::GET, &format!("/v1/records{query}"));
    world.send(request.header("accept", "text/csv")).await
}

#[tokio::test]
async fn a_record_is_read_by_the_id_of_its_call() {
    let world = World::new().await;
    let kept = record(0);
    world.store.finish(&kept, vec![]).unwrap();
    let answer = world.get(Role::App, &format!("/v1/records/{}", kept.id)).await;
    let expected: Value = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    assert_eq!(answer.json(), expected);
    for id in [record(1).id.to_string(), "nonsense".to_owned()] {
        let answer = world.get(Role::App, &format!("/v1/records/{id}")).await;
        assert_eq!(answer.problem(), (404, "record-unknown".into(), None));
    }
}

#[tokio::test]
async fn an_operator_reads_records_masked_also_as_csv() {
    let world = World::new().await;
    world.store.finish(&record(0), vec![]).unwrap();
    let one = world.get(Role::Operator, &format!("/v1/records/{}", record(0).id)).await;
    let list = world.get(Role::Operator, "/v1/records").await;
    let rows = csv(&world, Role::Operator, "").await;
    for answer in [one, list, rows] {
        let text = answer.text();
        assert!(text.contains("***1111") && text.contains("***2222") && text.contains("***3333"), "{text}");
        assert!(!text.contains("9991111111") && !text.contains("9992222222") && !text.contains("9993333333"));
    }
}

#[tokio::test]
async fn records_are_filtered_and_come_newest_first_by_pages() {
    let world = World::new().await;
    for after in 0..5 {
        let mut kept = record(after);
        if after == 3 {
            kept.cause = Some("no-answer".into());
            kept.code = Some("54321".into());
            kept.caller = Some("+79994444444".into());
        }
        world.store.finish(&kept, vec![]).unwrap();
    }
    let ids = async |query: &str| {
        let page = world.get(Role::App, &format!("/v1/records?{query}")).await.json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let expected =
        |places: &[u64]| places.iter().map(|place| record(*place).id.to_string()).collect::<Vec<_>>();
    assert_eq!(ids("").await, expected(&[4, 3, 2, 1, 0]));
    assert_eq!(ids("cause=no-answer").await, expected(&[3]));
    assert_eq!(ids("code=54321").await, expected(&[3]));
    assert_eq!(ids("number=89994444444").await, expected(&[3]));
    assert_eq!(ids("number=79992222222").await, expected(&[4, 3, 2, 1, 0]));
    let (from, to) = (record(1).started_at, record(3).started_at);
    assert_eq!(ids(&format!("from={from}&to={to}")).await, expected(&[2, 1]));
    let first = world.get(Role::App, "/v1/records?limit=2").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&format!("limit=2&cursor={cursor}")).await, expected(&[2, 1]));
    for (query, code, field) in [
        ("from=yesterday", "parameter-invalid", "from"),
        ("cause=boredom", "parameter-invalid", "cause"),
        ("code=abc", "code-invalid", "code"),
        ("cursor=x", "cursor-invalid", "cursor"),
        ("status=1", "unknown-parameter", "status"),
    ] {
        let (_, is, at) = world.get(Role::App, &format!("/v1/records?{query}")).await.problem();
        assert_eq!((is.as_str(), at.as_deref()), (code, Some(field)), "{query}");
    }
}

#[tokio::test]
async fn numbers_are_searched_in_the_form_records_have_them() {
    let world = World::new().await;
    let privacy = api::Privacy::Hashed(b"key".as_slice().into());
    let mut kept = record(0);
    kept.caller = Some(privacy.show(number::Number::parse("79991111111").unwrap()));
    world.store.finish(&kept, vec![]).unwrap();
    world.gate.configure(api::Settings { privacy, ..crate::world::settings(world.dir.path()) }).await;
    let page = world.get(Role::App, "/v1/records?number=89991111111").await.json();
    assert_eq!(page["items"][0]["id"], kept.id.to_string());
}

#[tokio::test]
async fn an_export_has_every_row_and_no_formula() {
    let world = World::new().await;
    for after in 0..1203 {
        let mut kept = record(after);
        if after == 0 {
            kept.trunk = "=HYPERLINK(\"http://x\")".into();
        }
        world.store.finish(&kept, vec![]).unwrap();
    }
    let answer = csv(&world, Role::App, "").await;
    assert!(answer.header("content-type").starts_with("text/csv"));
    let mut reader = csv::Reader::from_reader(answer.text().as_bytes());
    let heads = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1203);
    let cell = |row: usize, name: &str| {
        let place = heads.iter().position(|head| head == name).unwrap();
        rows[row].get(place).unwrap().to_owned()
    };
    assert_eq!(cell(0, "id"), record(1202).id.to_string());
    assert_eq!(cell(0, "caller"), "+79991111111");
    assert_eq!(cell(0, "callee_leg.codec"), "PCMA");
    assert_eq!(cell(1202, "trunk"), "'=HYPERLINK(\"http://x\")");
    let some = csv(&world, Role::App, "?limit=7").await;
    assert_eq!(some.text().lines().count(), 8);
    let none = csv(&world, Role::App, "?cause=busy").await;
    assert_eq!(none.text().lines().count(), 1);
    let wrong = csv(&world, Role::App, "?cursor=x").await;
    assert_eq!(wrong.problem(), (400, "cursor-invalid".into(), Some("cursor".into())));
}

#[tokio::test]
async fn json_is_answered_unless_csv_is_named_first() {
    let world = World::new().await;
    let request =
        world.ask(Role::App, Method::GET, "/v1/records").header("accept", "application/json, text/csv");
    let answer: Value = world.send(request).await.json();
    assert_eq!(answer, json!({"items": [], "next_cursor": null}));
}
