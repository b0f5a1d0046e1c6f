//! What the program says of itself as it runs.

use serde_json::Value;
use tests::config::{Config, LINE};
use tests::loopback::{Loopback, SIP_PORT};
use tests::peer::Peer;
use tests::peer::call::Dial;
use tests::program::Bauta;
use tests::scene::{CLIENT, CODE, COURIER, Scene};

/// The log of a whole order call and of one that is refused, as detailed as it gets.
fn log(format: &str) -> (String, String) {
    let loopback = Loopback::claim();
    let environment =
        [("BAUTA_LOG", "bauta=trace,server=trace,b2bua=trace,relay=trace"), ("BAUTA_LOG_FORMAT", format)];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let bauta = Bauta::start_in(environment, &loopback, &Config::new(&loopback));
    let (caller, callee) = (Peer::at("caller", loopback.carrier()), Peer::at("callee", loopback.callee()));
    bauta.put_order(CODE, COURIER, CLIENT, 3600);
    let server = (loopback.server(), SIP_PORT).into();
    let mut out = caller.dial(server, &Dial::new(COURIER, LINE));
    out.answered();
    out.media.press(CODE);
    let mut back = callee.incoming();
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let call = bauta.await_record()["id"].as_str().expect("an id").to_owned();
    caller.dial(server, &Dial::new(COURIER, "74950000000")).refused();
    let _ = bauta.await_records(2);
    bauta.assert_no_fault();
    (bauta.log(), call)
}

fn assert_masked(log: &str) {
    for number in [COURIER, CLIENT, "74950000000"] {
        assert!(!log.contains(&number[1..]), "{number} in {log}");
    }
}

#[test]
fn as_json_each_line_is_an_object_with_its_level_and_its_call() {
    let (log, call) = log("json");
    assert_masked(&log);
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect();
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    let of_call = lines.iter().filter(|line| line["call"] == call.as_str());
    let said: Vec<&str> = of_call.filter_map(|line| line["message"].as_str()).collect();
    assert!(said.contains(&"call arrived") && said.contains(&"call ended"), "{said:?}");
}

#[test]
fn as_text_nothing_is_coloured_in_a_file() {
    let (log, call) = log("text");
    assert_masked(&log);
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(log.lines().any(|line| line.contains("call ended") && line.contains(&call)), "{log}");
}
