//! `/v1/calls` and `/v1/simulate`.

use api::Role;
use axum::http::Method;
use serde_json::json;
use store::Ulid;

use crate::world::World;

const ARRIVED: &str = r#"{"line":"+74950000001","trunk":"carrier","caller":"+79991111111"}"#;

fn call(place: u64) -> Ulid {
    Ulid::from_parts(1_795_162_530_250 + place, 7)
}

#[tokio::test]
async fn a_live_call_is_shown_as_its_events_tell_until_it_ends() {
    let world = World::new().await;
    let path = format!("/v1/calls/{}", call(0));
    world.happen("call.arrived", Some(call(0)), ARRIVED);
    world.happen("call.code", Some(call(0)), r#"{"code":"12345","order_found":true}"#);
    world.happen("call.dialling", Some(call(0)), r#"{"callee_role":"client","callee":"+79992222222"}"#);
    world.happen("call.bridged", Some(call(0)), "{}");
    let shown = world.get(Role::App, &path).await.json();
    assert_eq!((&shown["state"], &shown["code"]), (&json!("talking"), &json!("12345")));
    assert_eq!((&shown["caller"], &shown["callee"]), (&json!("+79991111111"), &json!("+79992222222")));
    let masked = world.get(Role::Operator, &path).await.json();
    assert_eq!((&masked["caller"], &masked["callee"]), (&json!("***1111"), &json!("***2222")));
    assert_eq!(masked["line"], "+74950000001");
    world.happen("call.ended", Some(call(0)), "{}");
    assert_eq!(world.get(Role::App, &path).await.problem(), (404, "call-unknown".into(), None));
    assert_eq!(world.get(Role::App, "/v1/calls").await.json()["items"], json!([]));
}

#[tokio::test]
async fn live_calls_come_by_pages_oldest_first() {
    let world = World::new().await;
    for place in 0..5 {
        world.happen("call.arrived", Some(call(place)), ARRIVED);
    }
    let ids = |page: &serde_json::Value| {
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = world.get(Role::Operator, "/v1/calls?limit=3").await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = world.get(Role::Operator, &format!("/v1/calls?limit=3&cursor={cursor}")).await.json();
    let all: Vec<String> = (0..5).map(|place| call(place).to_string()).collect();
    assert_eq!([ids(&first), ids(&second)].concat(), all);
    assert_eq!(second["next_cursor"], json!(null));
    let wrong = world.get(Role::Operator, "/v1/calls?cursor=x").await;
    assert_eq!(wrong.problem(), (400, "cursor-invalid".into(), Some("cursor".into())));
}

#[tokio::test]
async fn hanging_up_reaches_the_switchboard() {
    let world = World::new().await;
    world.desk.lock().unwrap().calls.insert(call(0).0);
    let path = format!("/v1/calls/{}", call(0));
    assert_eq!(world.delete(Role::Operator, &path).await.status, 202);
    assert_eq!(world.desk.lock().unwrap().hung_up, [call(0).0]);
    assert_eq!(world.delete(Role::Operator, &path).await.problem(), (404, "call-unknown".into(), None));
    let nonsense = world.delete(Role::Admin, "/v1/calls/nonsense").await;
    assert_eq!(nonsense.problem(), (404, "call-unknown".into(), None));
}

#[tokio::test]
async fn a_recording_is_paused_and_resumed_by_programs_of_the_shop() {
    let world = World::new().await;
    {
        let mut desk = world.desk.lock().unwrap();
        desk.calls.extend([call(0).0, call(1).0]);
        desk.recorded.insert(call(0).0);
    }
    let path = |place| format!("/v1/calls/{}/recording", call(place));
    for (role, state) in
        [(Role::App, "paused"), (Role::Admin, "paused"), (Role::App, "recording"), (Role::App, "recording")]
    {
        let answer = world.post(role, &path(0), &json!({ "state": state })).await;
        assert_eq!((answer.status, answer.json()), (200, json!({ "state": state })));
    }
    let paused = json!({ "state": "paused" });
    let not_recorded = world.post(Role::App, &path(1), &paused).await;
    assert_eq!(not_recorded.problem(), (409, "not-recorded".into(), None));
    let unknown = world.post(Role::App, &path(2), &paused).await;
    assert_eq!(unknown.problem(), (404, "call-unknown".into(), None));
    assert_eq!(world.post(Role::Operator, &path(0), &paused).await.problem().1, "forbidden");
    let wrong = world.post(Role::App, &path(0), &json!({ "state": "stopped" })).await;
    assert_eq!(wrong.problem(), (422, "wrong-type".into(), Some("state".into())));
    assert_eq!(world.post(Role::App, &path(0), &json!({})).await.problem().1, "missing-field");
}

#[tokio::test]
async fn a_trace_is_json_a_ladder_or_a_capture_and_operators_are_told_it_plainly() {
    let world = World::new().await;
    world.desk.lock().unwrap().calls.insert(call(0).0);
    let path = format!("/v1/calls/{}/trace", call(0));
    let shown = world.get(Role::Admin, &path).await.json();
    assert_eq!((&shown["call"], &shown["lost"]), (&json!(call(0).to_string()), &json!(0)));
    let first = &shown["messages"][0];
    for (key, value) in [
        ("at", json!("2026-11-20T08:15:30.250Z")),
        ("leg", json!("caller")),
        ("direction", json!("in")),
        ("transport", json!("UDP")),
        ("from", json!("198.51.100.7:5060")),
        ("to", json!("192.0.2.1:5060")),
        ("method", json!("INVITE")),
        ("status", json!(null)),
        ("text", json!("INVITE sip:a@b SIP/2.0\r\n\r\n")),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    let back = &shown["messages"][1];
    assert_eq!(
        (&back["direction"], &back["from"], &back["status"]),
        (&json!("out"), &first["to"], &json!(486))
    );
    let ladder = world.send(world.ask(Role::Admin, Method::GET, &path).header("accept", "text/plain")).await;
    let text = String::from_utf8(ladder.body.to_vec()).unwrap();
    assert!(text.contains(" INVITE ") && text.contains("<") && text.contains(" 486 INVITE "), "{text}");
    let pcap = "application/vnd.tcpdump.pcap";
    let pcap = world.send(world.ask(Role::Admin, Method::GET, &path).header("accept", pcap)).await;
    assert_eq!(pcap.body[..4], [0xD4, 0xC3, 0xB2, 0xA1]);
    for role in [Role::App, Role::Metrics] {
        assert_eq!(world.get(role, &path).await.problem().1, "forbidden");
    }
    let told = world.get(Role::Operator, &path).await.json();
    assert_eq!(
        (&told["messages"][0]["text"], &told["messages"][0]["method"]),
        (&json!("plain"), &json!("INVITE"))
    );
    let ladder = world.ask(Role::Operator, Method::GET, &path).header("accept", "text/plain");
    assert_eq!(world.send(ladder).await.status, 200);
    let pcap = world.ask(Role::Operator, Method::GET, &path).header("accept", "application/vnd.tcpdump.pcap");
    assert_eq!(world.send(pcap).await.problem().1, "forbidden");
    for unknown in [call(1).to_string(), "nonsense".to_owned()] {
        let answer = world.get(Role::Admin, &format!("/v1/calls/{unknown}/trace")).await;
        assert_eq!(answer.problem(), (404, "call-unknown".into(), None));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_told_as_such() {
    let world = World::new().await;
    world.desk.lock().unwrap().silent = true;
    let answer = world.delete(Role::Operator, &format!("/v1/calls/{}", call(0))).await;
    assert_eq!(answer.problem(), (503, "server-silent".into(), None));
}

#[tokio::test]
async fn a_trial_is_checked_and_its_numbers_made_international() {
    let world = World::new().await;
    let trial = json!({"from": "8 999 111 11 11", "to": 74_950_000_001_u64, "digits": "12345#"});
    let answer = world.post(Role::App, "/v1/simulate", &trial).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["dialled"]["number"], "+79992222222");
    let masked = world.post(Role::Operator, "/v1/simulate", &json!({"to": "84950000001"})).await;
    assert_eq!(masked.json()["dialled"]["number"], "***2222");
    let trials = world.desk.lock().unwrap().trials.clone();
    assert_eq!(trials[0].from.unwrap().to_string(), "+79991111111");
    assert_eq!((trials[0].to.to_string(), trials[0].digits.as_str()), ("+74950000001".into(), "12345#"));
    assert_eq!((trials[1].from, trials[1].digits.as_str()), (None, ""));
    for (body, code, field) in [
        (json!({"to": "x"}), "number-invalid", "to"),
        (json!({"from": "12", "to": "84950000001"}), "number-invalid", "from"),
        (json!({"to": "84950000001", "digits": "1a"}), "digits-invalid", "digits"),
        (json!({"to": "84950000001", "digits": "1".repeat(65)}), "digits-invalid", "digits"),
        (json!({"from": "79991111111"}), "missing-field", "to"),
        (json!({"to": "84950000001", "via": "x"}), "unknown-field", "via"),
    ] {
        let answer = world.send(world.ask(Role::App, Method::POST, "/v1/simulate").json(&body)).await;
        assert_eq!(answer.problem(), (422, code.into(), Some(field.into())), "{body}");
    }
}
