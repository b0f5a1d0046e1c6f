//! Pairs through the whole program: two people, numbers of a pool, no code.

use serde_json::{Value, json};
use tests::canary::Canary;
use tests::config::{Config, LINE, OPERATOR};
use tests::peer::Call;
use tests::peer::call::Dial;
use tests::scene::{CLIENT, COURIER, STRANGER, Scene};
use tests::wait;

/// The other number of the pool.
const OTHER: &str = "74951234568";

/// Two numbers of a pool in place of the order line.
fn pool(config: Config) -> Config {
    let numbers = [LINE, OTHER].map(toml::Value::from).to_vec();
    config
        .set("trunk.0.numbers", numbers)
        .set("line.0.service", "pairs")
        .add("line", &format!("number = \"{OTHER}\"\nservice = \"pairs\"\noperator = \"{OPERATOR}\""))
}

fn pair() -> Value {
    json!({
        "a": { "number": COURIER }, "b": { "number": CLIENT }, "number": LINE, "ttl_seconds": 3600,
        "data": { "ride": 7 },
    })
}

/// Makes a pair.
fn make(scene: &Scene, body: &Value) -> Value {
    let (status, made) = scene.bauta.http("POST", "/v1/pairs", Some(body));
    assert_eq!(status, 201, "{made}\n{}", scene.bauta.log());
    made
}

fn path(pair: &Value) -> String {
    format!("/v1/pairs/{}", pair["id"].as_str().expect("a pair has an id"))
}

/// A call from one number to another, answered.
fn arrive(scene: &Scene, from: &str, to: &str) -> Call {
    let mut call = scene.caller.dial(scene.loopback.sip(), &Dial::new(from, to));
    call.answered();
    call
}

/// A call from one number to another that reaches somebody, who sees this number.
fn reaches(scene: &Scene, from: &str, to: &str, whom: &str, sees: &str) -> (Call, Call) {
    let out = arrive(scene, from, to);
    let back = scene.callee.incoming();
    let invite = back.invite.clone().expect("a call begins with an INVITE");
    assert!(invite.uri().starts_with(&format!("sip:+{whom}@")), "{}", invite.start);
    assert_eq!(invite.user("from"), Some(format!("+{sees}").as_str()));
    (out, back)
}

/// A call that comes to nothing, and its record's cause.
fn not_connected(scene: &Scene, from: &str, to: &str, records: usize) -> Value {
    let mut out = arrive(scene, from, to);
    scene.await_prompt(&out, "not-connected");
    out.expect_bye();
    let record =
        scene.bauta.await_records(records).into_iter().find(|record| record["caller"] == format!("+{from}"));
    let record = record.expect("each call has a record");
    assert_eq!(record["cause"], json!("not-connected"), "{record:#}");
    assert!(!scene.callee.was_called());
    record
}

#[test]
fn where_the_line_says_so_a_caller_hears_real_ringing_and_pays_for_an_answer_alone() {
    let scene = Scene::brief(|config| pool(config).set("line.0.answer", "when-answered"));
    make(&scene, &pair());
    let trial = json!({ "from": COURIER, "to": LINE, "digits": "" });
    let (status, simulation) = scene.bauta.http("POST", "/v1/simulate", Some(&trial));
    assert_eq!((status, &simulation["outcome"]), (200, &json!("connected")), "{simulation:#}");
    let dial = || scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE));
    let mut out = dial();
    let mut back = scene.callee.incoming();
    // It does not ring for the caller before it rings for the callee, and nobody is answered before the callee is.
    back.provisional("180 Ringing");
    assert_eq!(out.response(180).status(), Some(180));
    assert_eq!(scene.bauta.http("GET", "/v1/calls", None).1["items"][0]["answered_at"], Value::Null);
    back.answer();
    out.answered();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["cause"], &record["heard"]), (&json!("hung-up"), &json!("both")), "{record:#}");
    assert_eq!(record["answered_at"], record["bridged_at"], "{record:#}");
    // Who is busy is busy.
    let mut busy = dial();
    scene.callee.incoming().refuse("486 canary-callee", &[]);
    assert_eq!(busy.refused(), 486);
    let records = scene.bauta.await_records(2);
    let record = records.iter().find(|record| record["cause"] == "busy").expect("it has a record");
    assert_eq!(record["answered_at"], Value::Null, "{record:#}");
    scene.callee.assert_learnt_nothing_of(&scene.caller.canaries());
    scene.caller.assert_learnt_nothing_of(&scene.callee.canaries());
    scene.bauta.assert_no_fault();
}

#[test]
fn a_pool_of_thousands_is_one_line_of_the_file() {
    let range = "+74957000000..+74957002999";
    let scene = Scene::brief(|config| {
        config
            .set("trunk.0.numbers", vec![toml::Value::from(range)])
            .set("line.0.number", range)
            .set("line.0.service", "pairs")
    });
    let last = "74957002999";
    let mut body = pair();
    body["number"] = json!(last);
    make(&scene, &body);
    let (mut out, mut back) = reaches(&scene, COURIER, last, CLIENT, last);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let (_, numbers) = scene.bauta.http("GET", "/v1/numbers", None);
    assert!(numbers.to_string().contains("+74957000000"), "{numbers:#}");
    scene.bauta.assert_no_fault();
}

#[test]
fn both_ways_two_people_talk_and_each_sees_the_pool_number_alone() {
    for (from, whom, role) in [(COURIER, CLIENT, "a"), (CLIENT, COURIER, "b")] {
        let scene = Scene::brief(pool);
        let made = make(&scene, &pair());
        let (mut out, mut back) = reaches(&scene, from, LINE, whom, LINE);
        scene.await_prompt(&out, "wait");
        back.provisional("180 Ringing");
        back.answer();
        Scene::talk(&mut out, &mut back);
        assert_eq!(out.reinvite().status(), Some(200));
        assert_eq!(back.reinvite().status(), Some(200));
        Scene::talk(&mut out, &mut back);
        out.hang_up();
        back.expect_bye();
        let record = scene.bauta.await_record();
        for (key, value) in [
            ("line", json!(format!("+{LINE}"))),
            ("caller", json!(format!("+{from}"))),
            ("callee", json!(format!("+{whom}"))),
            ("pair", made["id"].clone()),
            ("caller_role", json!(role)),
            ("callee_reached", json!(true)),
            ("code", Value::Null),
            ("cause", json!("hung-up")),
            ("heard", json!("both")),
            ("data", json!({ "ride": 7 })),
        ] {
            assert_eq!(record[key], value, "{key} of {record:#}");
        }
        let secrets = |number, mut canaries: Vec<Canary>| {
            canaries.push(Canary::number("a party's number", number));
            canaries
        };
        scene.callee.assert_learnt_nothing_of(&secrets(from, scene.caller.canaries()));
        scene.caller.assert_learnt_nothing_of(&secrets(whom, scene.callee.canaries()));
        scene.bauta.assert_no_fault();
    }
}

#[test]
fn with_two_numbers_each_sees_and_dials_their_own() {
    let scene = Scene::brief(pool);
    let mut body = pair();
    body.as_object_mut().unwrap().remove("number");
    body["mode"] = json!("two-numbers");
    let made = make(&scene, &body);
    let dials = |side: &str| made[side]["dials"].as_str().unwrap().trim_start_matches('+').to_owned();
    let (for_a, for_b) = (dials("a"), dials("b"));
    assert_ne!(for_a, for_b);
    for (from, to, whom, sees) in [(COURIER, &for_a, CLIENT, &for_b), (CLIENT, &for_b, COURIER, &for_a)] {
        let (mut out, mut back) = reaches(&scene, from, to, whom, sees);
        back.answer();
        Scene::talk(&mut out, &mut back);
        back.hang_up();
        out.expect_bye();
    }
    assert_eq!(scene.bauta.await_records(2).len(), 2);
}

#[test]
fn strangers_and_parties_of_a_pair_that_expired_are_told_that_there_is_nobody() {
    let scene = Scene::brief(pool);
    let mut body = pair();
    body["ttl_seconds"] = json!(1);
    let made = make(&scene, &body);
    let stranger = not_connected(&scene, STRANGER, LINE, 1);
    assert_eq!(stranger["pair"], Value::Null);
    wait::until_true("the pair's end", wait::LATER, || {
        scene.bauta.http("GET", &path(&made), None).1["state"] == json!("expired")
    });
    let late = not_connected(&scene, COURIER, LINE, 2);
    assert_eq!(late["pair"], Value::Null);
    let (_, opened) = scene.bauta.http("POST", &format!("{}:reopen", path(&made)), Some(&json!({})));
    assert_eq!(opened["state"], json!("live"));
    let (mut out, mut back) = reaches(&scene, COURIER, LINE, CLIENT, LINE);
    back.refuse("486 Busy Here", &[]);
    scene.await_prompt(&out, "unavailable");
    out.expect_bye();
}

#[test]
fn strangers_are_refused_or_reach_the_operator_where_the_line_says_so() {
    let scene = Scene::brief(|config| {
        pool(config).set("line.0.strangers", "refuse").set("line.1.strangers", "operator")
    });
    make(&scene, &pair());
    let mut refused = scene.caller.dial(scene.loopback.sip(), &Dial::new(STRANGER, LINE));
    assert_eq!(refused.refused(), 403);
    let (mut out, mut back) = reaches(&scene, STRANGER, OTHER, OPERATOR, OTHER);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let causes: Vec<Value> =
        scene.bauta.await_records(2).into_iter().map(|record| record["cause"].clone()).collect();
    assert!(causes.contains(&json!("not-connected")) && causes.contains(&json!("hung-up")), "{causes:?}");
}

#[test]
fn a_party_is_changed_and_the_pair_closed_while_two_talk_who_talk_on() {
    let scene = Scene::brief(pool);
    let made = make(&scene, &pair());
    let (mut out, mut back) = reaches(&scene, COURIER, LINE, CLIENT, LINE);
    back.answer();
    Scene::talk(&mut out, &mut back);
    let change = json!({ "b": { "number": STRANGER } });
    let (status, changed) = scene.bauta.http("PATCH", &path(&made), Some(&change));
    assert_eq!((status, &changed["b"]["dials"]), (200, &made["b"]["dials"]), "{changed}");
    Scene::talk(&mut out, &mut back);
    let (mut next, mut other) = reaches(&scene, COURIER, LINE, STRANGER, LINE);
    other.answer();
    Scene::talk(&mut next, &mut other);
    assert_eq!(scene.bauta.http("DELETE", &path(&made), None).0, 204);
    Scene::talk(&mut out, &mut back);
    Scene::talk(&mut next, &mut other);
    for (call, across) in [(&mut out, &mut back), (&mut next, &mut other)] {
        call.hang_up();
        across.expect_bye();
    }
    let records = scene.bauta.await_records(2);
    assert!(records.iter().all(|record| record["pair"] == made["id"] && record["cause"] == json!("hung-up")));
    let _ = not_connected(&scene, CLIENT, LINE, 3);
}

#[test]
fn anyone_reaches_a_party_alone_who_calls_back_whoever_called_last() {
    let scene = Scene::brief(pool);
    make(&scene, &json!({ "a": { "number": COURIER }, "number": OTHER, "ttl_seconds": 60, "sliding": true }));
    for caller in [CLIENT, STRANGER] {
        let (mut out, mut back) = reaches(&scene, caller, OTHER, COURIER, OTHER);
        back.answer();
        Scene::talk(&mut out, &mut back);
        out.hang_up();
        back.expect_bye();
        wait::until_true("the last caller to be known", wait::LATER, || {
            let (_, pairs) = scene.bauta.http("GET", "/v1/pairs", None);
            pairs["items"][0]["last_caller"] == json!(format!("+{caller}"))
        });
    }
    let (mut out, mut back) = reaches(&scene, COURIER, OTHER, STRANGER, OTHER);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
}

#[test]
fn after_the_end_callers_reach_the_fallback() {
    let scene = Scene::brief(pool);
    let mut body = pair();
    body["fallback"] = json!(STRANGER);
    let made = make(&scene, &body);
    assert_eq!(scene.bauta.http("DELETE", &path(&made), None).0, 204);
    let (mut out, mut back) = reaches(&scene, CLIENT, LINE, STRANGER, LINE);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    assert_eq!(scene.bauta.await_record()["callee_reached"], json!(false));
}

#[test]
fn a_restart_keeps_pairs_and_a_death_keeps_their_calls() {
    let mut scene = Scene::brief(pool);
    let made = make(&scene, &pair());
    let (mut out, mut back) = reaches(&scene, COURIER, LINE, CLIENT, LINE);
    back.answer();
    Scene::talk(&mut out, &mut back);
    scene.bauta.kill_and_restart();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!((&record["pair"], &record["restored"]), (&made["id"], &json!(1)), "{record:#}");
    assert_eq!(scene.bauta.http("GET", &path(&made), None).1, made);
    let (_, taken) = scene.bauta.http("POST", "/v1/pairs", Some(&pair()));
    assert_eq!(taken["code"], json!("number-busy"), "its numbers are held");
    let (mut out, mut back) = reaches(&scene, CLIENT, LINE, COURIER, LINE);
    back.answer();
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
}

#[test]
fn a_call_is_thought_through_without_being_placed() {
    let scene = Scene::brief(pool);
    let mut body = pair();
    body["sliding"] = json!(true);
    let made = make(&scene, &body);
    let simulate = |from: &str| {
        let trial = json!({ "from": from, "to": LINE, "digits": "" });
        scene.bauta.http("POST", "/v1/simulate", Some(&trial)).1
    };
    let known = simulate(CLIENT);
    assert_eq!(known["outcome"], json!("connected"), "{known:#}");
    assert_eq!(known["dialled"]["callee"], json!("a"));
    assert_eq!(known["dialled"]["shown"], json!(format!("+{LINE}")));
    assert_eq!(simulate(STRANGER)["outcome"], json!("not-connected"));
    assert_eq!(scene.bauta.http("GET", &path(&made), None).1["expires_at"], made["expires_at"]);
}
