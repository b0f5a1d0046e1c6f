//! Whoever is in a call is known by name while it lasts and afterwards, and nobody waits for that.

use serde_json::{Value, json};
use tests::config::{ADMIN, Config, LINE};
use tests::receiver::Receiver;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::wait;

/// Token of role `operator`.
const OPERATOR_TOKEN: &str = "operator-token-of-the-tests";

fn with_cards(config: Config) -> Config {
    config
        .set("console.card_url", "https://crm.example/o/{code}?as={role}&id={data.id}")
        .add("http.token", &format!("role = \"operator\"\ntoken = \"{OPERATOR_TOKEN}\""))
}

fn put_order(scene: &Scene, data: &Value) {
    let body = json!({
        "courier": {"number": COURIER, "name": "Анна Курьер"},
        "client": {"number": CLIENT, "name": format!("Bob +{CLIENT}")},
        "data": data,
    });
    let (status, answer) = scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(&body));
    assert!(status < 300, "{answer}");
}

/// The one call going on, once both are known.
fn known(scene: &Scene, token: &str) -> Value {
    wait::until("both to be known", wait::LATER, || {
        let (_, calls) = scene.bauta.http_as(token, "GET", "/v1/calls", None);
        let call = calls["items"][0].clone();
        (call["caller_name"].is_string() && call["callee_name"].is_string()).then_some(call)
    })
}

#[test]
fn the_two_of_an_order_are_known_in_the_call_after_a_death_and_in_the_record_until_they_are_erased() {
    let mut scene = Scene::brief(with_cards);
    put_order(&scene, &json!({"id": "a/7"}));
    let (mut out, mut back) = scene.talking(COURIER);
    let call = known(&scene, ADMIN);
    assert_eq!(
        (&call["caller_name"], &call["callee_name"]),
        (&json!("Анна Курьер"), &json!(format!("Bob +{CLIENT}")))
    );
    let card = "https://crm.example/o/12345?as=courier&id=a%2F7";
    assert_eq!(call["card_url"], card);
    let seen = known(&scene, OPERATOR_TOKEN);
    assert_eq!((&seen["callee_name"], &seen["card_url"]), (&json!("Bob ***2228"), &json!(card)));

    scene.bauta.kill_and_restart();
    let after = known(&scene, ADMIN);
    assert_eq!((&after["caller_name"], &after["card_url"]), (&call["caller_name"], &json!(card)));
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    assert_eq!(
        (&record["caller_name"], &record["restored"]),
        (&json!("Анна Курьер"), &json!(1)),
        "{record:#}"
    );
    let (_, seen) = scene.bauta.http_as(OPERATOR_TOKEN, "GET", "/v1/records", None);
    assert!(!seen.to_string().contains(CLIENT) && !seen.to_string().contains(COURIER), "{seen:#}");

    let (status, report) = scene.bauta.http_as(ADMIN, "DELETE", &format!("/v1/people/{COURIER}"), None);
    assert_eq!(status, 200, "{report}");
    let record = scene.bauta.await_record();
    assert_eq!(
        (&record["caller_name"], &record["callee_name"]),
        (&Value::Null, &json!(format!("Bob +{CLIENT}")))
    );
    scene.assert_masked();
    scene.bauta.assert_no_fault();
}

#[test]
fn a_contact_is_known_as_it_arrives_and_a_stranger_is_nobody() {
    let mut hooked = None;
    let scene = Scene::brief(|config| {
        let config = with_cards(config);
        let receiver = Receiver::start(config.vacant(), 0);
        let url = format!("http://{}/", receiver.address());
        hooked = Some(receiver);
        config.add(
            "webhook",
            &format!(
                "name = \"shop\"\nurl = \"{url}\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n\
                 events = [\"call.arrived\", \"call.known\", \"call.ended\"]"
            ),
        )
    });
    let hooked = hooked.expect("it was set");
    let body = json!({"name": "Яна", "number": STRANGER, "data": {"id": 17}});
    let (status, contact) = scene.bauta.http_as(OPERATOR_TOKEN, "POST", "/v1/contacts", Some(&body));
    assert_eq!((status, &contact["number"]), (201, &json!("***3339")));
    let events = || hooked.posted().iter().map(|posted| posted.event()).collect::<Vec<Value>>();
    let mut call = scene.arrive(STRANGER);
    // Of a call that is over nobody is told any more who was in it.
    wait::until("the contact to be known", wait::LATER, || {
        events().iter().any(|event| event["type"] == "call.known").then_some(())
    });
    call.hang_up();
    scene.arrive(COURIER).hang_up();
    assert_eq!(scene.bauta.await_records(2).len(), 2);
    let told = wait::until("both calls to be told", wait::LATER, || {
        let told = events();
        (told.iter().filter(|event| event["type"] == "call.ended").count() == 2).then_some(told)
    });
    let of = |kind: &str| told.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
    let known = of("call.known");
    assert_eq!(known.len(), 1, "{known:#?}");
    let expected = json!({
        "party": "caller",
        "number": format!("+{STRANGER}"),
        "name": "Яна",
        "contact": contact["id"],
        "code": null,
        "role": null,
        "card_url": "https://crm.example/o/?as=&id=17",
    });
    assert_eq!(known[0]["data"], expected);
    assert_eq!(known[0]["call"], of("call.arrived")[0]["call"]);
    assert_eq!(of("call.arrived")[0]["data"]["line"], format!("+{LINE}"));
    scene.bauta.assert_no_fault();
}
