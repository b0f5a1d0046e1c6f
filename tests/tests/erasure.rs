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
