//! `bauta order`, `pair`, `callback` and `simulate`, as their users run them, against an API that answers what it is told to.

#![allow(clippy::unwrap_used, reason = "what a test cannot go on without fails it")]

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

/// What came.
#[derive(Debug)]
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|other| other.eq_ignore_ascii_case(header))
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A server for as many requests as it has answers.
struct Server {
    url: String,
    address: std::net::SocketAddr,
    work: JoinHandle<Vec<Asked>>,
}

impl Server {
    fn start(answers: Vec<(u16, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let work = std::thread::spawn(move || {
            let mut answers = VecDeque::from(answers);
            let mut asked = Vec::new();
            // A connection on which nothing is asked ends the server.
            while let Some(request) = serve(&listener, &mut answers) {
                asked.extend(request);
            }
            asked
        });
        Self { url: format!("http://{address}"), address, work }
    }

    /// What was asked until now.
    fn asked(self) -> Vec<Asked> {
        drop(TcpStream::connect(self.address).unwrap().shutdown(Shutdown::Both));
        self.work.join().unwrap()
    }
}

/// All requests of one connection; `None` if there was none.
fn serve(listener: &TcpListener, answers: &mut VecDeque<(u16, Value)>) -> Option<Vec<Asked>> {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut all = Vec::new();
    while let Some(asked) = request(&mut reader) {
        all.push(asked);
        let (status, body) = answers.pop_front().expect("more was asked than was to be answered");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        (&stream).write_all((head + &body).as_bytes()).unwrap();
    }
    (!all.is_empty()).then_some(all)
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let headers: Vec<String> = std::iter::from_fn(|| line().filter(|line| !line.is_empty())).collect();
    let length = headers.iter().find_map(|header| {
        let (name, value) = header.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    Some(Asked { line: first, headers, body: String::from_utf8(body).unwrap() })
}

fn bauta(url: &str, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bauta"))
        .args(args)
        .env("BAUTA_URL", url)
        .env("BAUTA_TOKEN", "a-token-of-some-length")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that wants no input may end before it is written.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Exit code, stdout, stderr, and what the server was asked.
fn run(answers: Vec<(u16, Value)>, args: &[&str], stdin: &str) -> (i32, String, String, Vec<Asked>) {
    let server = Server::start(answers);
    let output = bauta(&server.url, args, stdin);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr), server.asked())
}

fn order(code: &str) -> Value {
    json!({
        "code": code,
        "line": null,
        "courier": { "number": "+79991111111", "language": null },
        "client": { "number": "+79992222222", "language": "en" },
        "expires_at": "2026-12-01T12:00:00Z",
        "created_at": "2026-11-21T12:00:00Z",
        "updated_at": "2026-11-21T12:00:00Z",
        "data": null,
    })
}

const TOLD: &str = "12345 courier +79991111111 client +79992222222 until 2026-12-01T12:00:00Z\n";

#[test]
fn an_order_is_put_with_everything_that_was_said() {
    let args = [
        "order",
        "put",
        "12345",
        "--courier",
        "8 999 111-11-11",
        "--client",
        "+79992222222",
        "--client-language",
        "en",
        "--ttl",
        "10d",
        "--line",
        "+78005550101",
        "--data",
        r#"{"shop":7}"#,
    ];
    let (exit, stdout, stderr, asked) = run(vec![(201, order("12345"))], &args, "");
    assert_eq!((exit, stdout, stderr.as_str()), (0, format!("created {TOLD}"), ""));
    assert_eq!(asked[0].line, "PUT /v1/orders/12345 HTTP/1.1");
    assert!(asked[0].has("authorization: Bearer a-token-of-some-length"), "{asked:?}");
    assert!(asked[0].has("content-type: application/json"), "{asked:?}");
    let expected = json!({
        "courier": { "number": "8 999 111-11-11" },
        "client": { "number": "+79992222222", "language": "en" },
        "ttl_seconds": 864_000,
        "line": "+78005550101",
        "data": { "shop": 7 },
    });
    assert_eq!(asked[0].json(), expected);
}

#[test]
fn programs_read_orders_as_json() {
    let args = ["order", "put", "12345", "--courier", "1", "--client", "2", "--json"];
    let (exit, stdout, _, _) = run(vec![(200, order("12345"))], &args, "");
    assert_eq!((exit, serde_json::from_str::<Value>(&stdout).unwrap()), (0, order("12345")));
}

#[test]
fn one_order_is_shown_and_removed() {
    let (exit, stdout, _, asked) = run(vec![(200, order("12345"))], &["order", "get", "12345"], "");
    assert_eq!((exit, stdout.as_str(), asked[0].line.as_str()), (0, TOLD, "GET /v1/orders/12345 HTTP/1.1"));
    let args = ["order", "rm", "12345", "--line", "+78005550101"];
    let (exit, stdout, _, asked) = run(vec![(204, Value::Null)], &args, "");
    assert_eq!((exit, stdout.as_str()), (0, "removed 12345\n"));
    assert_eq!(asked[0].line, "DELETE /v1/orders/12345?line=%2B78005550101 HTTP/1.1");
}

#[test]
fn a_list_is_read_page_by_page() {
    let pages = || {
        vec![
            (200, json!({ "items": [order("1"), order("2")], "next_cursor": "n=" })),
            (200, json!({ "items": [order("3")], "next_cursor": null })),
        ]
    };
    let (exit, stdout, _, asked) = run(pages(), &["order", "list", "--number", "89991111111"], "");
    assert_eq!((exit, stdout.lines().count()), (0, 3));
    assert_eq!(asked[0].line, "GET /v1/orders?number=89991111111&limit=500 HTTP/1.1");
    assert_eq!(asked[1].line, "GET /v1/orders?number=89991111111&limit=500&cursor=n%3D HTTP/1.1");
    let (_, stdout, _, asked) = run(pages(), &["order", "list", "--limit", "2", "--json"], "");
    let codes: Vec<Value> =
        stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].clone()).collect();
    assert_eq!((codes, asked.len()), (vec![json!("1"), json!("2")], 1));
}

#[test]
fn a_refusal_is_told_in_words_and_decides_the_exit() {
    let problem = |code: &str| json!({ "title": "This is no telephone number", "status": 422, "code": code, "field": "client.number", "detail": "no digits" });
    let args = ["order", "put", "12345", "--courier", "1", "--client", "x"];
    let (exit, stdout, stderr, _) = run(vec![(422, problem("number-invalid"))], &args, "");
    assert_eq!((exit, stdout.as_str()), (2, ""));
    assert_eq!(stderr, "This is no telephone number: client.number: no digits (number-invalid)\n");
    let unknown = json!({ "title": "There is no such order", "code": "order-unknown", "detail": "no live order has this code" });
    let (exit, _, stderr, _) = run(vec![(404, unknown)], &["order", "get", "12345"], "");
    assert_eq!((exit, stderr.contains("order-unknown")), (1, true));
    let (exit, _, stderr, _) = run(vec![(502, json!("bad gateway"))], &["order", "get", "12345"], "");
    assert_eq!((exit, stderr.contains("is this Bauta?")), (1, true), "{stderr}");
}

#[test]
fn what_makes_no_sense_is_never_sent() {
    for args in [
        &["order", "put", "12345", "--courier", "1", "--client", "2", "--ttl", "soon"][..],
        &["order", "put", "12345", "--courier", "1", "--client", "2", "--data", "{"],
        &["order", "put", "12345", "--courier", "1"],
        &["order", "import", "/nowhere/orders.csv"],
        &["order", "get", "12345", "--token", ""],
        &["order", "get", "12345", "--url", "127.0.0.1:8080"],
    ] {
        let (exit, stdout, stderr, asked) = run(vec![], args, "");
        assert_eq!((exit, stdout.as_str(), asked.len()), (2, "", 0), "{args:?}: {stderr}");
        assert!(!stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_a_failure() {
    // A port that the system gives to nobody: one that is free may be another test's a moment later.
    let nobody = "127.0.0.1:1";
    let output = bauta(&format!("http://{nobody}"), &["order", "list"], "");
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with(&format!("no answer from http://{nobody}/: ")), "{stderr}");
}

fn summary(created: u64, errors: Value) -> (u16, Value) {
    let failed = errors.as_array().unwrap().len();
    (
        200,
        json!({ "created": created, "replaced": 0, "failed": failed, "errors": errors, "errors_truncated": false }),
    )
}

#[test]
fn an_import_names_the_rows_that_failed_by_their_place_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("orders.csv");
    let rows: String = (0..250).map(|row| format!("{row:05};+79991111111;+79992222222\n")).collect();
    std::fs::write(&file, format!("code;courier;client\n{rows}")).unwrap();
    let fault = json!([{ "row": 3, "line": 4, "field": "client_number", "code": "number-invalid", "detail": "no digits" }]);
    let answers = || vec![summary(200, json!([])), summary(49, fault.clone())];
    let path = file.to_str().unwrap();
    let (exit, stdout, stderr, asked) = run(answers(), &["order", "import", path], "");
    assert_eq!((exit, stdout.as_str()), (1, "249 created, 0 replaced, 1 failed\n"), "{stderr}");
    assert_eq!(stderr, format!("{path}:204 client_number: no digits (number-invalid)\n250 rows\n"));
    assert!(
        asked
            .iter()
            .all(|asked| asked.line == "POST /v1/orders:import HTTP/1.1"
                && asked.has("content-type: text/csv"))
    );
    assert_eq!(asked.iter().map(|asked| asked.body.lines().count()).collect::<Vec<_>>(), [201, 51]);
    assert!(asked.iter().all(|asked| asked.body.starts_with("code;courier;client\n")));

    let (exit, stdout, _, _) = run(answers(), &["order", "import", "--json", path], "");
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((exit, &told["created"], &told["failed"]), (1, &json!(249), &json!(1)));
    assert_eq!((&told["errors"][0]["row"], &told["errors"][0]["line"]), (&json!(203), &json!(204)));
}

#[test]
fn an_import_may_come_through_a_pipe() {
    let rows = "{\"code\":\"12345\"}\n\n{\"code\":\"12346\"}\n";
    let (exit, stdout, stderr, asked) = run(vec![summary(2, json!([]))], &["order", "import", "-"], rows);
    assert_eq!(
        (exit, stdout.as_str(), stderr.as_str()),
        (0, "2 created, 0 replaced, 0 failed\n", "2 rows\n")
    );
    assert!(asked[0].has("content-type: application/x-ndjson"), "{asked:?}");
    assert_eq!(asked[0].body, "{\"code\":\"12345\"}\n{\"code\":\"12346\"}\n");
}

#[test]
fn an_import_that_is_stopped_says_where() {
    let rows: String = (0..201).map(|row| format!("{{\"code\":\"{row}\"}}\n")).collect();
    let busy = json!({ "title": "Too many requests are under way", "code": "overloaded", "detail": "" });
    let answers = vec![summary(200, json!([])), (503, busy)];
    let (exit, stdout, stderr, _) = run(answers, &["order", "import", "-"], &rows);
    assert_eq!((exit, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("stopped at line 201; the 200 rows before it were sent"), "{stderr}");
    assert!(stderr.ends_with("Too many requests are under way (overloaded)\n"), "{stderr}");
}

#[test]
fn a_simulated_call_is_told_step_by_step() {
    let answer = json!({
        "outcome": "connected",
        "dialled": { "callee": "client", "number": "+79992222222", "shown": "+78005550101", "trunk": "main" },
        "steps": [
            { "at_ms": 0, "state": "arriving", "what": "answered", "prompt": null },
            { "at_ms": 1500, "state": "asking", "what": "asks for the code", "prompt": "start" },
        ],
    });
    let args = ["simulate", "--from", "+79991111111", "--to", "+78005550101", "--digits", "12345"];
    let (exit, stdout, _, asked) = run(vec![(200, answer.clone())], &args, "");
    assert_eq!(exit, 0);
    assert_eq!(
        stdout,
        "   0.000 s  arriving     answered\n   1.500 s  asking       asks for the code [start]\n\
         dials the client +79992222222 by trunk main, who sees +78005550101\noutcome: connected\n"
    );
    assert_eq!(asked[0].line, "POST /v1/simulate HTTP/1.1");
    assert_eq!(asked[0].json(), json!({ "from": "+79991111111", "to": "+78005550101", "digits": "12345" }));
    let args = ["simulate", "--from", "anonymous", "--to", "+78005550101", "--json"];
    let (_, stdout, _, asked) = run(vec![(200, answer.clone())], &args, "");
    assert_eq!(asked[0].json()["from"], Value::Null);
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap(), answer);
}

fn pair(id: &str) -> Value {
    json!({
        "id": id,
        "state": "live",
        "a": { "number": "+79991111111", "language": null, "dials": "+78005550001" },
        "b": { "number": "+79992222222", "language": null, "dials": "+78005550001" },
        "expires_at": "2026-12-01T12:00:00Z",
    })
}

const PAIR: &str = "01P live a +79991111111 dials +78005550001 b +79992222222 dials +78005550001 until 2026-12-01T12:00:00Z\n";

#[test]
fn a_pair_is_made_with_everything_that_was_said() {
    let args = "pair create --a 89991111111 --b +79992222222 --b-language en --number +78005550001 --sticky --ttl 1h --sliding";
    let args: Vec<&str> = args.split(' ').chain(["--data", r#"{"ride":7}"#]).collect();
    let (exit, stdout, stderr, asked) = run(vec![(201, pair("01P"))], &args, "");
    assert_eq!((exit, stdout, stderr.as_str()), (0, format!("created {PAIR}"), ""));
    assert_eq!(asked[0].line, "POST /v1/pairs HTTP/1.1");
    let expected = json!({
        "a": { "number": "89991111111" },
        "b": { "number": "+79992222222", "language": "en" },
        "number": "+78005550001",
        "choice": "sticky",
        "ttl_seconds": 3600,
        "sliding": true,
        "data": { "ride": 7 },
    });
    assert_eq!(asked[0].json(), expected);
    let two = "pair create --a 1 --b 2 --two-numbers --prefix 7495 --json";
    let (exit, stdout, _, asked) = run(vec![(201, pair("01P"))], &two.split(' ').collect::<Vec<_>>(), "");
    assert_eq!((exit, serde_json::from_str::<Value>(&stdout).unwrap()), (0, pair("01P")));
    let expected =
        json!({ "a": { "number": "1" }, "b": { "number": "2" }, "mode": "two-numbers", "prefix": "7495" });
    assert_eq!(asked[0].json(), expected);
}

#[test]
fn pairs_are_shown_listed_and_closed() {
    let (exit, stdout, _, asked) = run(vec![(200, pair("01P"))], &["pair", "get", "01P"], "");
    assert_eq!((exit, stdout.as_str(), asked[0].line.as_str()), (0, PAIR, "GET /v1/pairs/01P HTTP/1.1"));
    let (exit, stdout, _, asked) = run(vec![(204, Value::Null)], &["pair", "close", "01P"], "");
    assert_eq!((exit, stdout.as_str()), (0, "closed 01P\n"));
    assert_eq!(asked[0].line, "DELETE /v1/pairs/01P HTTP/1.1");
    let pages = vec![
        (200, json!({ "items": [pair("01P")], "next_cursor": "c" })),
        (200, json!({ "items": [pair("01P")], "next_cursor": null })),
    ];
    let (exit, stdout, _, asked) = run(pages, &["pair", "list", "--number", "7999"], "");
    assert_eq!((exit, stdout), (0, PAIR.repeat(2)));
    assert_eq!(asked[0].line, "GET /v1/pairs?number=7999&state=live&limit=500 HTTP/1.1");
    assert_eq!(asked[1].line, "GET /v1/pairs?number=7999&state=live&limit=500&cursor=c HTTP/1.1");
    let gone = json!({ "code": "pair-unknown", "detail": "no pair has this id", "status": 404, "title": "t", "type": "urn:x" });
    let (exit, _, stderr, _) = run(vec![(404, gone)], &["pair", "get", "01P"], "");
    assert!(exit != 0 && stderr.contains("no pair has this id"), "{exit} {stderr}");
}

fn callback(state: &str) -> Value {
    json!({
        "id": "01KB2M3N4P5Q6R7S8T9V0W1X2Y",
        "state": state,
        "tried": [{ "side": "caller", "number": "+79991111111", "dialled_at": "2026-11-21T12:00:00Z",
                    "waiting_seconds": 2.5, "cause": "busy" }],
        "talk_seconds": 0.0,
        "cause": if state == "ended" { json!("busy") } else { Value::Null },
    })
}

#[test]
fn a_callback_is_asked_for_with_everything_that_was_said() {
    let args = [
        "callback",
        "create",
        "--first",
        "8 999 111-11-11",
        "--first",
        "+79993333333",
        "--first-strategy",
        "at-once",
        "--second",
        "+79992222222",
        "--line",
        "+78005550101",
        "--plan",
        "desk",
        "--max",
        "10m",
        "--data",
        r#"{"ticket":17}"#,
    ];
    let (exit, stdout, stderr, asked) = run(vec![(202, callback("waiting"))], &args, "");
    let told = "01KB2M3N4P5Q6R7S8T9V0W1X2Y waiting\n  caller +79991111111 waited 2.5 s busy\n";
    assert_eq!((exit, stdout.as_str(), stderr.as_str()), (0, told, ""));
    assert_eq!(asked[0].line, "POST /v1/callbacks HTTP/1.1");
    let expected = json!({
        "first": { "numbers": ["8 999 111-11-11", "+79993333333"], "strategy": "at-once" },
        "second": { "numbers": ["+79992222222"] },
        "line": "+78005550101",
        "plan": "desk",
        "max_seconds": 600,
        "data": { "ticket": 17 },
    });
    assert_eq!(asked[0].json(), expected);
}

#[test]
fn callbacks_are_shown_listed_and_cancelled() {
    let id = "01KB2M3N4P5Q6R7S8T9V0W1X2Y";
    let (exit, stdout, _, asked) = run(vec![(200, callback("ended"))], &["callback", "get", id], "");
    assert!(exit == 0 && stdout.starts_with(&format!("{id} ended busy after 0 s\n")), "{stdout}");
    assert_eq!(asked[0].line, format!("GET /v1/callbacks/{id} HTTP/1.1"));
    let pages = vec![
        (200, json!({ "items": [callback("ended")], "next_cursor": "c" })),
        (200, json!({ "items": [callback("talking")], "next_cursor": null })),
    ];
    let args = ["callback", "list", "--number", "+79992222222", "--json"];
    let (_, stdout, _, asked) = run(pages, &args, "");
    assert_eq!((stdout.lines().count(), asked.len()), (2, 2));
    assert_eq!(asked[1].line, "GET /v1/callbacks?number=%2B79992222222&limit=500&cursor=c HTTP/1.1");
    for (cancelled, exit, told) in
        [(true, 0, "cancelled: it was ringing\n"), (false, 1, "not cancelled: it was ringing\n")]
    {
        let answer = vec![(200, json!({ "cancelled": cancelled, "found": "ringing" }))];
        let args = ["callback", "cancel", id, "--when", "not-answered"];
        let (ended, stdout, _, asked) = run(answer, &args, "");
        assert_eq!((ended, stdout.as_str()), (exit, told));
        assert_eq!(asked[0].line, format!("DELETE /v1/callbacks/{id}?when=not-answered HTTP/1.1"));
    }
}
