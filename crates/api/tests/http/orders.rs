//! `/v1/orders`.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{LINE, SHORT_LINE, World};

pub(crate) fn order() -> Value {
    json!({"courier": {"number": "79991111111"}, "client": {"number": "8 (999) 222-22-22"}, "ttl_seconds": 864_000})
}

pub(crate) fn order_on(line: &str) -> Value {
    let mut order = order();
    order["line"] = line.into();
    order
}

#[tokio::test]
async fn an_order_is_put_read_replaced_and_removed() {
    let world = World::new().await;
    let mut body = order();
    body["data"] = json!({"shop": 7, "note": "№ 1"});
    body["client"]["language"] = "en".into();
    let put = world.put("/v1/orders/12345", &body).await;
    assert_eq!((put.status, put.header("location")), (201, "/v1/orders/12345"));
    let first = put.json();
    assert_eq!(
        first["courier"],
        json!({"number": "+79991111111", "name": null, "language": null, "quiet": null, "time_zone": null})
    );
    assert_eq!(
        first["client"],
        json!({"number": "+79992222222", "name": null, "language": "en", "quiet": null, "time_zone": null})
    );
    assert_eq!((&first["line"], &first["data"]), (&Value::Null, &body["data"]));
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.json(), first);

    let again = world.put("/v1/orders/12345", &order()).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json()["created_at"], first["created_at"]);
    assert_eq!(again.json()["data"], Value::Null);

    assert_eq!(world.delete(Role::App, "/v1/orders/12345").await.status, 204);
    let gone = world.get(Role::App, "/v1/orders/12345").await;
    assert_eq!(gone.problem(), (404, "order-unknown".into(), None));
    let gone = world.delete(Role::App, "/v1/orders/12345").await;
    assert_eq!(gone.problem(), (404, "order-unknown".into(), None));
}

#[tokio::test]
async fn an_order_of_a_line_is_found_with_and_without_naming_the_line() {
    let world = World::new().await;
    let put = world.put("/v1/orders/12345", &order_on("8 495 000-00-01")).await;
    assert_eq!((put.status, put.json()["line"].as_str()), (201, Some(LINE)));
    let location = put.header("location").to_owned();
    assert_eq!(world.get(Role::App, &location).await.json(), put.json());
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.json(), put.json());
    let other = world.get(Role::App, &format!("/v1/orders/12345?line={SHORT_LINE}")).await;
    assert_eq!(other.status, 404);
    assert_eq!(world.delete(Role::App, "/v1/orders/12345").await.status, 204);
    assert_eq!(world.get(Role::App, &location).await.status, 404);
}

#[tokio::test]
async fn where_several_lines_have_the_code_the_line_must_be_named() {
    let world = World::new().await;
    let mut settings = crate::world::settings(world.dir.path());
    settings.lines.values_mut().for_each(|length| *length = 5);
    world.gate.configure(settings).await;
    world.put("/v1/orders/12345", &order_on(LINE)).await;
    world.put("/v1/orders/12345", &order_on(SHORT_LINE)).await;
    let problem = (409, "line-needed".into(), Some("line".into()));
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.problem(), problem);
    assert_eq!(world.delete(Role::App, "/v1/orders/12345").await.problem(), problem);
    assert_eq!(world.get(Role::App, &format!("/v1/orders/12345?line={LINE}")).await.status, 200);
    // An order of no line is what the code alone names.
    world.put("/v1/orders/12345", &order()).await;
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.json()["line"], Value::Null);
}

#[tokio::test]
async fn a_code_is_as_long_as_its_line_wants_it() {
    let world = World::new().await;
    assert_eq!(world.put("/v1/orders/1234", &order_on(SHORT_LINE)).await.status, 201);
    assert_eq!(world.put("/v1/orders/1234", &order()).await.status, 201);
    for (code, body) in
        [("1234", order_on(LINE)), ("123", order()), ("12a45", order()), ("%D9%A1%D9%A2", order())]
    {
        let put = world.put(&format!("/v1/orders/{code}"), &body).await;
        assert_eq!(put.problem(), (422, "code-invalid".into(), Some("code".into())), "{code}");
    }
    let read = world.get(Role::App, "/v1/orders/12a45").await;
    assert_eq!(read.problem(), (422, "code-invalid".into(), Some("code".into())));
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told() {
    let world = World::new().await;
    let put = || world.ask(Role::App, Method::PUT, "/v1/orders/12345");
    let json = |text: &str| put().header("content-type", "application/json").body(text.to_owned());
    let broken = world.send(json("{\"courier\":\n oops}")).await;
    assert_eq!(broken.problem(), (400, "not-json".into(), None));
    assert!(broken.json()["detail"].as_str().unwrap().contains("line 2 column"), "{broken:?}");
    assert_eq!(world.send(json("")).await.problem().1, "not-json");
    assert_eq!(world.send(json("[]")).await.problem().1, "wrong-type");
    assert_eq!(world.send(json("\u{0}\u{ff}")).await.problem().1, "not-json");
    let form = put().header("content-type", "application/x-www-form-urlencoded").body("a=b");
    assert_eq!(world.send(form).await.problem(), (415, "content-type".into(), None));
    assert_eq!(world.send(put().body("{}")).await.problem(), (415, "content-type".into(), None));
    let long = json(&format!("\"{}\"", "x".repeat(200_000)));
    assert_eq!(world.send(long).await.problem(), (413, "body-too-large".into(), None));
    let mut unknown = order();
    unknown["courier"]["phone"] = "1".into();
    let unknown = world.put("/v1/orders/12345", &unknown).await;
    assert_eq!(unknown.problem(), (422, "unknown-field".into(), Some("courier.phone".into())));
    let query = world.put("/v1/orders/12345?line=1", &order()).await;
    assert_eq!(query.problem(), (400, "unknown-parameter".into(), Some("line".into())));
}

#[tokio::test]
async fn the_list_is_filtered_and_comes_by_pages() {
    let world = World::new().await;
    for code in 0..7 {
        let mut body = if code % 2 == 0 { order() } else { order_on(LINE) };
        body["courier"]["number"] = format!("7999111111{code}").into();
        assert_eq!(world.put(&format!("/v1/orders/1234{code}"), &body).await.status, 201);
    }
    let mut codes = Vec::new();
    let mut path = "/v1/orders?limit=3".to_owned();
    loop {
        let page = world.get(Role::App, &path).await.json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        codes.extend(items.iter().map(|item| item["code"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/orders?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    codes.sort_unstable();
    assert_eq!(codes, (0..7).map(|code| format!("1234{code}")).collect::<Vec<_>>());

    let count = async |query: &str| {
        let page = world.get(Role::App, &format!("/v1/orders?{query}")).await.json();
        page["items"].as_array().unwrap().len()
    };
    assert_eq!(count("line=none").await, 4);
    assert_eq!(count("line=84950000001").await, 3);
    assert_eq!(count("number=8-999-111-11-12").await, 1);
    assert_eq!(count("number=%2B79992222222").await, 7);
    assert_eq!(count("number=79993333333").await, 0);
    for (query, code, field) in [
        ("limit=0", "parameter-invalid", "limit"),
        ("limit=501", "parameter-invalid", "limit"),
        ("number=x", "number-invalid", "number"),
        ("page=2", "unknown-parameter", "page"),
        ("cursor=nonsense", "cursor-invalid", "cursor"),
    ] {
        let (_, is, at) = world.get(Role::App, &format!("/v1/orders?{query}")).await.problem();
        assert_eq!((is.as_str(), at.as_deref()), (code, Some(field)), "{query}");
    }
}

#[tokio::test]
async fn an_operator_sees_orders_with_numbers_masked_wherever_they_stand() {
    let world = World::new().await;
    let mut body = order_on(LINE);
    body["data"] = json!({"phone": "8 999 111 11 11", "shop": 7});
    world.put("/v1/orders/12345", &body).await;
    for path in ["/v1/orders/12345", "/v1/orders"] {
        let answer = world.get(Role::Operator, path).await;
        assert!(answer.text().contains("\"***1111\"") && answer.text().contains("\"***2222\""));
        assert!(
            !answer.text().contains("9991111111") && !answer.text().contains("999 111"),
            "{}",
            answer.text()
        );
        assert!(answer.text().contains(LINE) && answer.text().contains("\"shop\":7"));
    }
}

#[tokio::test]
async fn an_order_outlives_a_restart() {
    let world = World::new().await;
    let put = world.put("/v1/orders/12345", &order()).await.json();
    let dir = world.stop().await;
    let world = World::over(dir, store::Options::default()).await;
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.json(), put);
}

#[tokio::test]
async fn a_change_names_what_changes_and_the_rest_stays() {
    let world = World::new().await;
    let mut body = order();
    body["data"] = json!({"shop": 7});
    body["max_calls"] = 3.into();
    body["client"]["name"] = "Boris".into();
    body["client"]["quiet"] = "22:00-08:00".into();
    body["client"]["time_zone"] = "Europe/Moscow".into();
    let first = world.put("/v1/orders/12345", &body).await;
    let change = async |role: Role, body: Value, tag: &str| {
        let mut request = world.ask(role, Method::PATCH, "/v1/orders/12345").json(&body);
        if !tag.is_empty() {
            request = request.header("if-match", tag);
        }
        world.send(request).await
    };
    // Whoever sees numbers masked changes one, and everything else is as it was.
    let patched =
        change(Role::Operator, json!({"courier": {"number": "79993333333"}}), first.header("etag")).await;
    assert_eq!((patched.status, patched.json()["courier"]["number"].as_str()), (200, Some("***3333")));
    let now = world.get(Role::App, "/v1/orders/12345").await;
    let mut expected = first.json();
    expected["courier"]["number"] = "+79993333333".into();
    expected["updated_at"] = now.json()["updated_at"].clone();
    assert_eq!(now.json(), expected);
    assert_eq!(now.header("etag"), patched.header("etag"));
    // The second of two who knew the same order learns that there was a first.
    let late = change(Role::Operator, json!({"max_calls": 9}), first.header("etag")).await;
    assert_eq!(late.problem(), (412, "precondition-failed".into(), None));
    let rest = json!({"client": {"language": "en", "quiet": null}, "max_calls": null, "data": null, "ttl_seconds": 60});
    let patched = change(Role::App, rest, "").await.json();
    assert_eq!(
        patched["client"],
        json!({"number": "+79992222222", "language": "en", "name": "Boris", "quiet": null, "time_zone": null})
    );
    assert_eq!((&patched["max_calls"], &patched["data"]), (&Value::Null, &Value::Null));
    assert_ne!(patched["expires_at"], first.json()["expires_at"]);
    for (wrong, code, field) in [
        (json!({"courier": {"number": "79992222222"}}), "same-number", "client.number"),
        (json!({"courier": {"number": "12"}}), "number-invalid", "courier.number"),
        (json!({"client": {"time_zone": "Europe/Moscow"}}), "quiet-invalid", "client.time_zone"),
        (json!({"client": {"language": "tlh"}}), "unknown-language", "client.language"),
        (json!({"line": LINE}), "unknown-field", "line"),
        (json!({"ttl_seconds": 0}), "expiry-out-of-range", "ttl_seconds"),
    ] {
        let refused = change(Role::Admin, wrong, "").await.problem();
        assert_eq!(refused, (422, code.into(), Some(field.into())));
    }
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.json(), patched);
    let none = world.ask(Role::App, Method::PATCH, "/v1/orders/99999").json(&json!({}));
    assert_eq!(world.send(none).await.problem().1, "order-unknown");
}

#[tokio::test]
async fn of_many_who_change_one_order_at_once_nobody_undoes_another() {
    let world = World::new().await;
    assert_eq!(world.put("/v1/orders/12345", &order()).await.status, 201);
    let changes = [
        json!({"courier": {"language": "en"}}),
        json!({"client": {"language": "ru"}}),
        json!({"max_calls": 7}),
        json!({"data": {"a": 1}}),
    ];
    let sent = changes
        .iter()
        .map(|change| world.send(world.ask(Role::Operator, Method::PATCH, "/v1/orders/12345").json(change)));
    for answer in futures_util::future::join_all(sent).await {
        assert_eq!(answer.status, 200);
    }
    let order = world.get(Role::App, "/v1/orders/12345").await.json();
    assert_eq!((&order["courier"]["language"], &order["client"]["language"]), (&json!("en"), &json!("ru")));
    assert_eq!((&order["max_calls"], &order["data"]), (&json!(7), &json!({"a": 1})));
}
