//! `POST /v1/orders:import`.

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, LINE, World};

async fn import(world: &World, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = world.ask(Role::App, Method::POST, "/v1/orders:import");
    world.send(request.header("content-type", kind).body(body)).await
}

fn summary(created: u64, replaced: u64, failed: u64) -> Value {
    json!({"created": created, "replaced": replaced, "failed": failed, "errors": [], "errors_truncated": false})
}

#[tokio::test]
async fn csv_as_spreadsheets_write_it_is_taken() {
    let world = World::new().await;
    let csv = "\u{feff}Code;Courier.Number;client;line;client_language;data\r\n\
        12345;\"8 (999) 111-11-11\";+79992222222;74950000001;en;\"{\"\"note\"\":\"\"a;b\nc\"\"}\"\r\n\
        \r\n\
        12346;79991111111;79992222222;;;\r\n";
    // The note has a line end inside a JSON text, which JSON forbids: that row fails, the other is kept.
    let answer = import(&world, "text/csv; charset=utf-8", csv).await.json();
    assert_eq!((&answer["created"], &answer["failed"]), (&json!(1), &json!(1)), "{answer}");
    assert_eq!(answer["errors"][0]["code"], "not-json");
    let csv = csv.replace("a;b\nc", "a;b");
    assert_eq!(import(&world, "text/csv", csv).await.json(), summary(1, 1, 0));
    let order = world.get(Role::App, "/v1/orders/12345").await.json();
    assert_eq!((&order["line"], &order["data"]), (&json!(LINE), &json!({"note": "a;b"})));
    assert_eq!(
        order["client"],
        json!({"number": "+79992222222", "name": null, "language": "en", "quiet": null, "time_zone": null})
    );
}

#[tokio::test]
async fn rows_that_are_wrong_are_named_and_the_others_kept() {
    let world = World::new().await;
    let csv = "code,courier_number,client_number,ttl_seconds\n\
        12345,79991111111,79992222222,60\n\
        \n\
        123456,79991111111,79992222222,60\n\
        12347,oops,79992222222,60\n\
        12348,79991111111,79992222222\n\
        12349,79991111111,79992222222,soon\n\
        12350,,79992222222,60\n\
        12351,79991111111,79992222222,60\n";
    let answer = import(&world, "text/csv", csv).await.json();
    assert_eq!((&answer["created"], &answer["failed"]), (&json!(2), &json!(5)));
    let told: Vec<(u64, u64, &str, Option<&str>)> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let number = |name: &str| error[name].as_u64().unwrap();
            (number("row"), number("line"), error["code"].as_str().unwrap(), error["field"].as_str())
        })
        .collect();
    assert_eq!(
        told,
        [
            (2, 4, "code-invalid", Some("code")),
            (3, 5, "number-invalid", Some("courier.number")),
            (4, 6, "row-invalid", None),
            (5, 7, "wrong-type", Some("ttl_seconds")),
            (6, 8, "missing-field", Some("courier.number")),
        ]
    );
    assert_eq!(world.get(Role::App, "/v1/orders/12351").await.status, 200);
}

#[tokio::test]
async fn ndjson_is_taken_line_by_line() {
    let world = World::new().await;
    let row = |code: &str| {
        json!({"code": code, "courier": {"number": "79991111111"}, "client": {"number": "79992222222"}})
            .to_string()
    };
    let body = format!("{}\n\n{{\"code\":\r\n{}\n{}", row("12345"), row("12346"), row("12345"));
    let answer = import(&world, "application/x-ndjson", body).await.json();
    assert_eq!(
        (&answer["created"], &answer["replaced"], &answer["failed"]),
        (&json!(2), &json!(1), &json!(1))
    );
    assert_eq!((&answer["errors"][0]["row"], &answer["errors"][0]["line"]), (&json!(2), &json!(3)));
    assert_eq!(answer["errors"][0]["code"], "not-json");
}

#[tokio::test]
async fn a_file_that_cannot_be_right_is_refused_whole() {
    let world = World::new().await;
    for (kind, body, status, code, field) in [
        ("text/csv", "", 422, "row-invalid", None),
        ("text/csv", "code,courier_number,client_number,colour\n", 422, "unknown-field", Some("colour")),
        ("text/csv", "code,courier,courier_number,client\n", 422, "wrong-type", Some("courier_number")),
        ("text/csv", "code,courier_number\n1,2\n", 422, "missing-field", Some("client_number")),
        ("application/json", "[]", 415, "content-type", None),
    ] {
        let answer = import(&world, kind, body).await;
        assert_eq!(answer.problem(), (status, code.into(), field.map(str::to_owned)), "{body}");
    }
}

#[tokio::test]
async fn many_rows_are_kept_and_only_the_first_faults_are_listed() {
    let world = World::new().await;
    let mut csv = "code,courier,client\n".to_owned();
    for code in 0..2500 {
        csv.push_str(&format!("{code:05},79991111111,79992222222\n"));
    }
    csv.push_str(&"x,1,2\n".repeat(300));
    let answer = import(&world, "text/csv", csv).await.json();
    assert_eq!((&answer["created"], &answer["failed"]), (&json!(2500), &json!(300)));
    assert_eq!(answer["errors"].as_array().unwrap().len(), 200);
    assert_eq!(answer["errors_truncated"], true);
}

#[tokio::test]
async fn a_quote_that_is_never_closed_costs_the_rest_and_says_where() {
    let world = World::new().await;
    let rest = "12346,79991111111,79992222222\n".repeat(5000);
    let csv = format!("code,courier,client\n12345,79991111111,79992222222\n\"12346,1,2\n{rest}");
    let answer = import(&world, "text/csv", csv).await.json();
    assert_eq!((&answer["created"], &answer["failed"]), (&json!(1), &json!(1)));
    assert_eq!(
        (&answer["errors"][0]["line"], &answer["errors"][0]["code"]),
        (&json!(3), &json!("row-invalid"))
    );
}

#[tokio::test]
async fn a_body_that_is_cut_off_imports_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::new().await;
    let mut stream = tokio::net::TcpStream::connect(world.url.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/orders:import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: text/csv\r\n\
         Content-Length: 1000\r\n\r\ncode,courier,client\n12345,79991111111,79992222222\n",
        crate::world::secret(Role::App)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // Once the server has ended the connection it has dealt with the request.
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(world.get(Role::App, "/v1/orders/12345").await.status, 404);
}

#[tokio::test]
async fn an_import_sent_twice_with_one_key_is_done_once() {
    let world = World::new().await;
    let csv = "code,courier,client\n12345,79991111111,79992222222\n";
    let send = async |body: &'static str| {
        let request = world.ask(Role::App, Method::POST, "/v1/orders:import").header("idempotency-key", "k1");
        world.send(request.header("content-type", "text/csv").body(body)).await
    };
    assert_eq!(send(csv).await.json(), summary(1, 0, 0));
    let again = send(csv).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (summary(1, 0, 0), "true"));
    let other = send("code,courier,client\n12346,79991111111,79992222222\n").await;
    assert_eq!(other.problem(), (422, "idempotency-key-reused".into(), Some("Idempotency-Key".into())));
}
