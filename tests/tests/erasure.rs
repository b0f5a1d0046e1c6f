//! Erasing a person from a running program that has called for them.

use serde_json::{Value, json};
use tests::config::ADMIN;
use tests::scene::{CLIENT, COURIER, Scene};

fn admin(scene: &Scene, method: &str, path: &str) -> Value {
    let (status, answer) = scene.bauta.http_as(ADMIN, method, path, None);
    assert_eq!(status, 200, "{method} {path}: {answer}");
    answer
}

#[test]
fn an_erased_courier_is_gone_from_everything_and_the_client_is_not() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let (mut out, mut back) = scene.talking(COURIER);
    let person = format!("/v1/people/{COURIER}");
    // While they talk the call itself cannot be erased.
    let report = admin(&scene, "DELETE", &person);
    assert_eq!(report["erased"]["orders"], json!(1));
    assert!(report["kept"].as_array().unwrap().iter().any(|kept| kept["what"] == "call"), "{report:#}");
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(record["caller"], json!(format!("+{COURIER}")), "the call went on and has its record");

    let kept = admin(&scene, "GET", &person);
    assert_eq!(kept["records"].as_array().unwrap().len(), 1);
    let report = admin(&scene, "DELETE", &person);
    let erased = &report["erased"];
    assert_eq!((&erased["records"], &erased["recordings"]), (&json!(1), &json!(1)), "{report:#}");
    assert!(erased["events"].as_u64().unwrap() > 0, "{report:#}");
    let record = scene.bauta.await_record();
    assert_eq!((&record["caller"], &record["callee"]), (&Value::Null, &json!(format!("+{CLIENT}"))));
    assert_eq!((&record["cause"], &record["callee_reached"]), (&json!("hung-up"), &json!(true)));
    let folder = scene.bauta.dir().join("recordings");
    assert!(std::fs::read_dir(folder).unwrap().next().is_none());
    let kept = admin(&scene, "GET", &person);
    for what in ["orders", "records", "redials", "blocks"] {
        assert_eq!(kept[what], json!([]), "{what}");
    }
    let audit = admin(&scene, "GET", "/v1/audit");
    let erasures = |entry: &&Value| entry["what"] == "person.erased" && entry["number"] == "***1117";
    assert_eq!(audit["items"].as_array().unwrap().iter().filter(erasures).count(), 2, "{audit:#}");
    scene.bauta.assert_no_fault();
}

#[test]
fn where_records_have_last_digits_alone_the_messages_of_a_call_are_erased_all_the_same() {
    let scene = Scene::brief(|config| config.set("privacy.numbers", "last4"));
    scene.put_order();
    let person = format!("/v1/people/{COURIER}");
    let (mut out, mut back) = scene.talking(COURIER);
    let kept = |report: &Value, what: &str| -> Vec<Value> {
        let kept = report["kept"].as_array().expect("a list");
        kept.iter().filter(|kept| kept["what"] == what).cloned().collect()
    };
    // A call that goes on is found by its messages: its record has no number.
    let report = admin(&scene, "DELETE", &person);
    let running = kept(&report, "call");
    assert_eq!((running.len(), &report["erased"]["traces"]), (1, &json!(0)), "{report:#}");
    assert_eq!(kept(&report, "records").len(), 1, "what cannot be told apart is told: {report:#}");
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(record["id"], running[0]["id"]);
    let trace = format!("/v1/calls/{}/trace", record["id"].as_str().expect("an id"));
    assert!(admin(&scene, "GET", &trace)["messages"].as_array().is_some_and(|all| all.len() > 4));
    let report = admin(&scene, "DELETE", &person);
    assert_eq!((kept(&report, "call").len(), &report["erased"]["traces"]), (0, &json!(1)), "{report:#}");
    let (status, _) = scene.bauta.http_as(ADMIN, "GET", &trace, None);
    assert_eq!(status, 404);
    scene.bauta.assert_no_fault();
}
