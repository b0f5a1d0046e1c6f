//! `/v1/pairs` and `/v1/numbers`.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, POOL, World};

const ANNA: &str = "+79991111111";
const BORIS: &str = "+79992222222";
const CLARA: &str = "+79993333333";

fn pair(a: &str, b: &str) -> Value {
    json!({"a": {"number": a}, "b": {"number": b}})
}

/// The same body with these members as well.
fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("members are an object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

async fn make(world: &World, body: &Value) -> Value {
    let made = world.post(Role::App, "/v1/pairs", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()
}

async fn patch(world: &World, pair: &Value, body: Value, version: Option<&str>) -> Answer {
    let path = format!("/v1/pairs/{}", pair["id"].as_str().unwrap());
    let request = world.ask(Role::App, Method::PATCH, &path).json(&body);
    world
        .send(match version {
            Some(version) => request.header("if-match", version),
            None => request,
        })
        .await
}

#[tokio::test]
async fn a_pair_is_made_read_changed_closed_and_opened_again() {
    let world = World::new().await;
    let body = json!({
        "a": {"number": "8 (999) 111-11-11", "language": "en"}, "b": {"number": BORIS},
        "ttl_seconds": 3600, "sliding": true, "fallback": "89995555555", "max_call_seconds": 600,
        "record": false, "data": {"ride": 7},
    });
    let made = world.post(Role::App, "/v1/pairs", &body).await;
    let first = made.json();
    let path = format!("/v1/pairs/{}", first["id"].as_str().unwrap());
    assert_eq!((made.status, made.header("location"), made.header("etag")), (201, path.as_str(), "\"1\""));
    let dials = first["a"]["dials"].as_str().unwrap();
    assert!(POOL.contains(&dials));
    assert_eq!(first["a"], json!({"number": ANNA, "name": null, "language": "en", "dials": dials}));
    assert_eq!(first["b"], json!({"number": BORIS, "name": null, "language": null, "dials": dials}));
    for (name, value) in [
        ("state", json!("live")),
        ("mode", json!("one-number")),
        ("direction", json!("both")),
        ("sliding", json!(true)),
        ("ttl_seconds", json!(3600)),
        ("cool_off_seconds", json!(60)),
        ("fallback", json!("+79995555555")),
        ("fallback_seconds", json!(86_400)),
        ("max_call_seconds", json!(600)),
        ("ring_timeout_seconds", Value::Null),
        ("record", json!(false)),
        ("data", json!({"ride": 7})),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(world.get(Role::App, &path).await.json(), first);

    let changed = patch(&world, &first, json!({"b": {"number": CLARA}, "record": null}), Some("\"1\"")).await;
    assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
    let second = changed.json();
    assert_eq!((&second["b"]["number"], &second["b"]["dials"]), (&json!(CLARA), &json!(dials)));
    assert_eq!((&second["record"], &second["data"]), (&Value::Null, &first["data"]));
    let late = patch(&world, &first, json!({"record": true}), Some("\"1\"")).await;
    assert_eq!(late.problem(), (412, "pair-changed".into(), Some("If-Match".into())));

    assert_eq!(world.delete(Role::App, &path).await.status, 204);
    let gone = world.get(Role::App, &path).await.json();
    assert_eq!((&gone["state"], gone["ended_at"].is_string()), (&json!("closed"), true));
    assert_eq!(world.delete(Role::App, &path).await.problem(), (409, "pair-ended".into(), None));
    let again = patch(&world, &first, json!({"record": true}), None).await;
    assert_eq!(again.problem(), (409, "pair-ended".into(), None));

    let reopen = format!("{path}:reopen");
    let opened = world.post(Role::App, &reopen, &json!({"ttl_seconds": 60})).await;
    assert_eq!((opened.status, &opened.json()["state"]), (200, &json!("live")));
    assert_eq!(opened.json()["a"]["dials"], json!(dials));
    assert_eq!(world.post(Role::App, &reopen, &json!({})).await.problem(), (409, "pair-live".into(), None));
    let kinds: Vec<String> =
        world.store.events_after(None, 9).unwrap().events.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["pair.created", "pair.changed", "pair.closed", "pair.changed"]);
}

#[tokio::test]
async fn each_fault_names_its_code_and_field() {
    let world = World::new().await;
    make(&world, &with(pair(ANNA, BORIS), json!({"number": POOL[0]}))).await;
    let both = pair(ANNA, CLARA);
    let rows = [
        (json!({"b": {"number": BORIS}}), 422, "missing-field", Some("a")),
        (pair("12", BORIS), 422, "number-invalid", Some("a.number")),
        (pair(ANNA, "+71111111111"), 422, "number-invalid", Some("b.number")),
        (pair(ANNA, "+4930123456"), 422, "country-not-allowed", Some("b.number")),
        (pair(ANNA, POOL[1]), 422, "number-ours", Some("b.number")),
        (pair(ANNA, ANNA), 422, "same-number", Some("b.number")),
        (with(both.clone(), json!({"number": POOL[0]})), 409, "number-busy", None),
        (with(both.clone(), json!({"number": "+78005550004"})), 422, "number-not-in-pool", None),
        (
            with(both.clone(), json!({"number": POOL[1], "mode": "two-numbers"})),
            422,
            "dials-invalid",
            Some("number"),
        ),
        (json!({"a": {"number": ANNA}, "mode": "two-numbers"}), 422, "party-needed", Some("b")),
        (with(both.clone(), json!({"sliding": true})), 422, "missing-field", Some("ttl_seconds")),
        (with(both.clone(), json!({"fallback_seconds": 9})), 422, "missing-field", Some("fallback")),
        (with(both.clone(), json!({"prefix_strict": true})), 422, "missing-field", Some("prefix")),
        (with(both.clone(), json!({"prefix": "west"})), 422, "number-invalid", Some("prefix")),
        (with(both.clone(), json!({"prefix": "+7495", "prefix_strict": true})), 409, "no-number-free", None),
        (with(both.clone(), json!({"max_call_seconds": 0})), 422, "out-of-range", Some("max_call_seconds")),
        (with(both.clone(), json!({"ttl_seconds": 0})), 422, "expiry-out-of-range", Some("ttl_seconds")),
        (with(both.clone(), json!({"mode": "three"})), 422, "wrong-type", Some("mode")),
        (with(both.clone(), json!({"colour": 1})), 422, "unknown-field", Some("colour")),
    ];
    for (body, status, code, field) in rows {
        let answer = world.post(Role::App, "/v1/pairs", &body).await;
        assert_eq!(answer.problem(), (status, code.into(), field.map(str::to_owned)), "{body}");
        assert!(!answer.text().contains("9991111111"), "{}", answer.text());
    }
    let nobody = "/v1/pairs/01KB2M3N4P5Q6R7S8T9V0W1X2Y";
    assert_eq!(world.get(Role::App, nobody).await.problem(), (404, "pair-unknown".into(), None));
    assert_eq!(world.get(Role::App, "/v1/pairs/7").await.problem().1, "pair-unknown");
    let other = world.post(Role::App, &format!("{nobody}:close"), &json!({})).await;
    assert_eq!(other.status, 404);
    let tag = world.ask(Role::App, Method::DELETE, nobody).header("if-match", "one");
    assert_eq!(world.send(tag).await.problem().2.as_deref(), Some("If-Match"));
}

#[tokio::test]
async fn pairs_are_listed_by_number_and_state_in_pages() {
    let world = World::new().await;
    let first = make(&world, &pair(ANNA, BORIS)).await;
    let second = make(&world, &pair(ANNA, CLARA)).await;
    let path = |query: &str| format!("/v1/pairs{query}");
    let ids = |answer: &Answer| -> Vec<String> {
        answer.json()["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| pair["id"].as_str().unwrap().into())
            .collect()
    };
    let id = |pair: &Value| pair["id"].as_str().unwrap().to_owned();
    let all = world.get(Role::App, &path("?number=89991111111&limit=1")).await;
    let cursor = all.json()["next_cursor"].as_str().unwrap().to_owned();
    let rest = world.get(Role::App, &path(&format!("?number=%2B79991111111&cursor={cursor}"))).await;
    let mut both: Vec<String> = [ids(&all), ids(&rest)].concat();
    both.sort();
    let mut made = vec![id(&first), id(&second)];
    made.sort();
    assert_eq!((both, rest.json()["next_cursor"].is_null()), (made, true));
    let dialled = first["a"]["dials"].as_str().unwrap().replace('+', "%2B");
    assert_eq!(ids(&world.get(Role::App, &path(&format!("?number={dialled}"))).await), [id(&first)]);
    world.delete(Role::App, &path(&format!("/{}", id(&first)))).await;
    assert_eq!(ids(&world.get(Role::App, &path("?state=live")).await), [id(&second)]);
    assert_eq!(ids(&world.get(Role::App, &path("?state=ended")).await), [id(&first)]);
    assert_eq!(world.get(Role::App, &path("?state=dead")).await.problem().1, "parameter-invalid");
    assert_eq!(world.get(Role::App, &path("?cursor=x")).await.problem().1, "cursor-invalid");

    let seen = world.get(Role::Operator, &path(&format!("/{}", id(&second)))).await;
    assert_eq!(
        (&seen.json()["a"]["number"], &seen.json()["a"]["dials"]),
        (&json!("***1111"), &second["a"]["dials"])
    );
    assert!(!seen.text().contains("79991111111"));
    let refused = world.post(Role::Metrics, "/v1/pairs", &pair(ANNA, BORIS)).await;
    assert_eq!(refused.problem().1, "forbidden");
}

#[tokio::test]
async fn many_who_ask_at_once_are_never_given_the_same() {
    let world = Arc::new(World::new().await);
    let ask = |n: u32| {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            world.post(Role::App, "/v1/pairs", &pair(ANNA, &format!("+7999444{n:04}"))).await
        })
    };
    let asked: Vec<_> = (0..20).map(ask).collect();
    let mut given = BTreeSet::new();
    let mut refused = 0;
    for answer in asked {
        let answer = answer.await.unwrap();
        if answer.status == 201 {
            assert!(given.insert(answer.json()["a"]["dials"].as_str().unwrap().to_owned()), "given twice");
        } else {
            assert_eq!(answer.problem(), (409, "no-number-free".into(), None));
            refused += 1;
        }
    }
    assert_eq!((given.len(), refused), (3, 17), "three that are not reserved");
}

#[tokio::test]
async fn an_idempotent_request_makes_one_pair() {
    let world = World::new().await;
    let ask = || {
        let body = pair(ANNA, BORIS);
        world.ask(Role::App, Method::POST, "/v1/pairs").header("idempotency-key", "k").json(&body)
    };
    let (first, second) = (world.send(ask()).await, world.send(ask()).await);
    assert_eq!((first.status, first.json()), (second.status, second.json()));
    assert_eq!(world.store.pairs_kept(), 1);
}

#[tokio::test]
async fn the_pool_tells_how_it_stands_and_what_it_lacks() {
    let world = World::new().await;
    let first = make(&world, &pair(ANNA, BORIS)).await;
    make(&world, &json!({"a": {"number": CLARA}, "number": POOL[3]})).await;
    let pool = world.get(Role::App, "/v1/numbers?phone=89991111111").await.json();
    assert_eq!(pool["phone"], json!({"number": ANNA, "pairs": 1, "left": 2}));
    let of = |pool: &Value, number: &Value| {
        pool["items"].as_array().unwrap().iter().find(|item| item["number"] == *number).unwrap().clone()
    };
    let dialled = &first["a"]["dials"];
    let busy = json!({"number": dialled, "reserved": false, "pairs": 1, "phones": 2, "resting": 0});
    assert_eq!(of(&pool, dialled), busy);
    let reserved = json!({"number": POOL[3], "reserved": true, "pairs": 1, "phones": 1, "resting": 0});
    assert_eq!(of(&pool, &json!(POOL[3])), reserved);
    assert_eq!((&pool["forecast"]["pairs"], &pool["forecast"]["created_last_hour"]), (&json!(2), &json!(2)));
    assert_eq!(pool["forecast"]["busiest_phone_pairs"], json!(1));
    assert!(pool["forecast"]["exhausted_at"].is_string());

    world.delete(Role::App, &format!("/v1/pairs/{}", first["id"].as_str().unwrap())).await;
    let pool = world.get(Role::App, "/v1/numbers?phone=89991111111").await.json();
    let resting = json!({"number": dialled, "reserved": false, "pairs": 0, "phones": 0, "resting": 2});
    assert_eq!((of(&pool, dialled), &pool["phone"]["left"]), (resting, &json!(2)));

    let plan = |query: &'static str| {
        let path = format!("/v1/numbers/plan?{query}");
        let world = &world;
        async move { world.get(Role::App, &path).await }
    };
    let needed = plan("pairs_per_phone=3").await.json();
    assert_eq!((&needed["numbers"], &needed["given"]), (&json!(5), &json!(3)));
    assert_eq!(plan("pairs_per_phone=3&mode=two-numbers").await.json()["numbers"], json!(4));
    assert_eq!(plan("pairs_per_phone=3&pairs=2").await.json()["numbers"], json!(2));
    let rests = plan("pairs_per_phone=3&ttl_seconds=60&cool_off_seconds=60").await;
    assert_eq!(rests.json()["numbers"], json!(11));
    assert_eq!(plan("pairs=3").await.problem().2.as_deref(), Some("pairs_per_phone"));
    assert_eq!(plan("pairs_per_phone=3&mode=x").await.problem().2.as_deref(), Some("mode"));
}
