//! Blocked callers and blocked pairs, through the real program.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use serde_json::{Value, json};
use tests::config::{ADMIN, LINE};
use tests::peer::call::Dial;
use tests::scene::{CLIENT, CODE, COURIER, Scene};

fn block(scene: &Scene, body: &Value) -> String {
    let (status, block) = scene.bauta.http("POST", "/v1/blocks", Some(body));
    assert_eq!(status, 201, "{block}");
    block["id"].as_str().unwrap().to_owned()
}

fn lift(scene: &Scene, id: &str) {
    assert_eq!(scene.bauta.http("DELETE", &format!("/v1/blocks/{id}"), None).0, 204);
}

fn talk(scene: &Scene, from: &str) {
    let (mut out, mut back) = scene.talking(from);
    out.hang_up();
    back.expect_bye();
}

#[test]
fn a_blocked_caller_is_refused_until_the_block_is_lifted_also_after_a_crash() {
    let mut scene = Scene::brief(|config| config);
    scene.put_order();
    let id = block(&scene, &json!({"number": COURIER, "reason": "threats"}));
    let refused =
        |scene: &Scene| scene.caller.dial(scene.loopback.sip(), &Dial::new(COURIER, LINE)).refused();
    assert_eq!(refused(&scene), 603);
    let _ = scene.bauta.await_record();
    scene.bauta.kill_and_restart();
    assert_eq!(refused(&scene), 603);
    let records = scene.bauta.await_records(2);
    for record in &records {
        let told = (&record["cause"], &record["sip_status"], &record["answered_at"]);
        assert_eq!(told, (&json!("blocked"), &json!(603), &Value::Null));
    }
    talk(&scene, CLIENT);
    lift(&scene, &id);
    talk(&scene, COURIER);
    let _ = scene.bauta.await_records(4);
    let (_, audit) = scene.bauta.http_as(ADMIN, "GET", "/v1/audit", None);
    let done: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap()).collect();
    assert!(done.contains(&"block.put") && done.contains(&"block.lifted"), "{audit:#}");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_blocked_pair_is_not_joined_either_way_and_others_are() {
    let scene = Scene::brief(|config| config.set("line.0.blocked", "hear-out"));
    scene.put_order();
    let id = block(&scene, &json!({"number": CLIENT, "other": COURIER, "direction": "both"}));
    for (from, prompt) in [(COURIER, "client-unavailable"), (CLIENT, "courier-unavailable")] {
        let mut out = scene.arrive(from);
        out.media.press(CODE);
        scene.await_prompt(&out, prompt);
        out.expect_bye();
    }
    let records = scene.bauta.await_records(2);
    assert!(records.iter().all(|record| record["cause"] == json!("blocked")), "{records:#?}");
    lift(&scene, &id);
    talk(&scene, COURIER);
}

#[test]
fn a_blocked_caller_who_is_heard_out_hears_what_a_stranger_hears() {
    let scene = Scene::brief(|config| config.set("line.0.blocked", "hear-out"));
    scene.put_order();
    block(&scene, &json!({"number": COURIER}));
    let mut out = scene.arrive(COURIER);
    out.media.press(CODE);
    scene.await_prompt(&out, "order-unknown");
    out.media.press("#");
    scene.await_prompt(&out, "operator-unavailable");
    out.expect_bye();
    let record = scene.bauta.await_record();
    let told = (&record["order_found"], &record["operator_reached"]);
    assert_eq!(told, (&json!(false), &json!(false)));
    assert_eq!(record["cause"], json!("blocked"));
}
