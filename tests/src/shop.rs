//! A shop that has something of all there is: orders, pairs, contacts, blocks, callbacks, records, a call that is going on.

use serde_json::{Value, json};

use crate::config::{ADMIN, LINE};
use crate::console::{Console, OF_ADMINS, VIEWS, with_operator};
use crate::peer::Call;
use crate::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use crate::wait;

/// A number that is in a contact alone.
pub const CONTACT: &str = "79995555551";
/// The party of a pair.
pub const PARTY: &str = "79996666662";
/// The number of the pool.
const POOL: &str = "74951110001";

/// An open shop.
#[derive(Debug)]
pub struct Shop {
    /// The program, and the carriers around it.
    pub scene: Scene,
    /// The call that is over, with its recording.
    pub over: String,
    /// The call that is going on.
    pub live: String,
    /// The pair.
    pub pair: String,
    _talking: (Call, Call),
}

impl Shop {
    /// Opens it.
    ///
    /// # Panics
    /// If the program does not take what it is told.
    #[must_use]
    pub fn open() -> Self {
        let scene = Scene::brief(|config| {
            let webhook = "name = \"crm\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"0123456789abcdef0123456789abcdef\"";
            with_operator(config, "79997777773")
                .add("line", &format!("number = \"{POOL}\"\ntrunk = \"carrier\"\nservice = \"pairs\""))
                .set("trunk.0.numbers", vec![LINE, POOL])
                .add("webhook", webhook)
        });
        let put = |method: &str, path: &str, body: &Value| {
            let (status, answer) = scene.bauta.http_as(ADMIN, method, path, Some(body));
            assert!(status < 300, "{path}: {status} {answer}");
            answer
        };
        let names = ["Анна", "Мария", "Олег", "Ксения", "Жанна", "Тимур", "Лев", "Яна", "Рита", "Глеб"];
        for (at, name) in names.iter().enumerate() {
            let order = json!({
                "courier": { "number": format!("7999400000{at}"), "name": "Иван" },
                "client": { "number": format!("7999800000{at}"), "name": name },
                "ttl_seconds": 3600 * (at + 1),
            });
            put("PUT", &format!("/v1/orders/2040{at}"), &order);
        }
        // Somebody's number stands in a name as well, as shops do it.
        let order = json!({
            "courier": { "number": COURIER, "name": "Пётр" },
            "client": { "number": CLIENT, "name": format!("Анна +{CLIENT}") },
            "ttl_seconds": 3600,
            "data": { "shop": "north" },
        });
        put("PUT", &format!("/v1/orders/{CODE}"), &order);
        put("POST", "/v1/contacts", &json!({ "name": "Мария", "number": CONTACT, "note": "утром" }));
        put("POST", "/v1/blocks", &json!({ "number": STRANGER, "reason": "спам" }));
        let pair = put("POST", "/v1/pairs", &json!({ "a": { "number": PARTY }, "b": { "number": CLIENT } }));
        put("PUT", "/v1/callback-plans/desk", &json!({ "line": LINE }));
        let id = |value: &Value| value["id"].as_str().expect("it has an id").to_owned();
        let (mut out, mut back) = scene.talking(COURIER);
        Scene::talk_long(&mut out, &mut back, 2.0);
        out.hang_up();
        back.expect_bye();
        let over = id(&scene.bauta.await_record());
        let talking = scene.talking(COURIER);
        let live = wait::until("the call", wait::LATER, || {
            let (_, calls) = scene.bauta.http("GET", "/v1/calls", None);
            calls["items"].get(0).map(&id)
        });
        Self { scene, over, live, pair: id(&pair), _talking: talking }
    }

    /// Every place of the console where there is something to be seen, for this role.
    #[must_use]
    pub fn places(&self, admin: bool) -> Vec<String> {
        let views = VIEWS.iter().filter(|view| admin || !OF_ADMINS.contains(view));
        let deeper = [
            format!("live/{}", self.live),
            format!("orders/{CODE}"),
            format!("records/{}", self.over),
            format!("pairs/{}", self.pair),
            "callbacks/contacts".to_owned(),
            "callbacks/history".to_owned(),
            "callbacks/plans".to_owned(),
        ];
        views.map(|view| (*view).to_owned()).chain(deeper).collect()
    }

    /// Goes to a place and waits for all that it fetches.
    pub fn settle(&self, console: &Console, place: &str) {
        console.go(place);
        if place.starts_with("records/") {
            console.browser.await_element("[data-rung]");
            console.browser.await_element("svg[data-channel='1']");
        } else if place.contains('/') && !place.starts_with("callbacks") {
            console.browser.await_element("aside .content dl");
        }
        let whole = "return !document.querySelector('main [aria-busy=true]')";
        console.browser.until("all of it", whole, &[]);
    }
}
