//! Parties of a new order are told which number to dial, through a gateway that receives, refuses and comes back.

use serde_json::{Value, json};
use tests::config::{Config, LINE};
use tests::receiver::{Posted, Receiver};
use tests::scene::{CLIENT, CODE, COURIER, Scene};
use tests::wait;

const PORT: u16 = 8099;

fn notices(config: Config, url: &str) -> Config {
    config
        .set("notices.url", url)
        .set("notices.headers", toml::Table::from_iter([("X-Key".to_owned(), "{secret}".into())]))
        .set("notices.secret", "as given")
        .set("notices.body", r#"{"to":"{number}","text":"{text}"}"#)
        .set("notices.text_ru", "Звоните \"{line}\", код {code}")
        .set("notices.text_en", "Dial {line}, code {code}")
        .set("notices.retry", toml::value::Array::from(["100ms".into()]))
}

fn told(receiver: &Receiver) -> Vec<Posted> {
    wait::until_true("both are told", wait::LATER, || receiver.posted().len() >= 2);
    let mut posted = receiver.posted();
    posted.sort_by(|one, other| one.body.cmp(&other.body));
    posted
}

#[test]
fn both_parties_are_told_once_in_their_languages_even_if_the_gateway_comes_late() {
    let mut address = None;
    let scene = Scene::brief(|config| {
        let gateway = config.vacant();
        address = Some(gateway);
        notices(config, &format!("http://{gateway}:{PORT}/send?party={{party}}"))
    });
    let order = json!({"courier": {"number": COURIER}, "client": {"number": CLIENT, "language": "en"}});
    let put = |body: &Value| {
        let (status, answer) = scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(body));
        assert!(status < 300, "{answer}");
    };
    put(&order);
    // Nobody listens yet: it is tried again.
    let waiting = "bauta_webhook_waiting{webhook=\"notices.client\"}";
    wait::until_true("it waits", wait::LATER, || scene.bauta.metric(waiting) == Some(1));
    let receiver = Receiver::start(address.unwrap(), PORT);
    let posted = told(&receiver);
    let bodies: Vec<Value> = posted.iter().map(Posted::event).collect();
    assert_eq!(
        bodies,
        [
            json!({"to": format!("+{COURIER}"), "text": format!("Звоните \"+{LINE}\", код {CODE}")}),
            json!({"to": format!("+{CLIENT}"), "text": format!("Dial +{LINE}, code {CODE}")}),
        ]
    );
    assert!(posted.iter().all(|one| one.header("x-key") == Some("as given")));
    assert!(posted.iter().all(|one| one.header("content-type") == Some("application/json")));
    // Put again it is the same order: nobody is told twice.
    put(&order);
    wait::until_true("nothing waits", wait::LATER, || scene.bauta.metric(waiting) == Some(0));
    assert_eq!(receiver.posted().len(), 2);
    scene.bauta.assert_no_fault();
}
