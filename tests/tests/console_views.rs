//! Every view of the console: who may see what, whether it can be used without eyes or hands, in both themes and sizes.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use serde_json::json;
use tests::browser::Look;
use tests::canary::Canary;
use tests::config::{ADMIN, LINE, OPERATOR};
use tests::console::{Console, OF_ADMINS, VIEWS, with_operator};
use tests::peer::Call;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};

/// A number that is in a contact alone.
const CONTACT: &str = "79995555551";
/// A party of a pair.
const PARTY: &str = "79996666662";
/// The number of the pool.
const POOL: &str = "74951110001";

/// A place that has something of all there is: orders, pairs, contacts, blocks, callbacks, records, a call.
struct Shop {
    scene: Scene,
    /// The call that is over.
    over: String,
    pair: String,
    live: String,
    _talking: (Call, Call),
}

impl Shop {
    fn open() -> Self {
        let scene = Scene::brief(|config| {
            with_operator(config, "79997777773")
                .add("line", &format!("number = \"{POOL}\"\ntrunk = \"carrier\"\nservice = \"pairs\""))
                .set("trunk.0.numbers", vec![LINE, POOL])
                .add("webhook", "name = \"crm\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"0123456789abcdef0123456789abcdef\"")
        });
        let put = |method, path: &str, body| {
            let (status, answer) = scene.bauta.http_as(ADMIN, method, path, Some(&body));
            assert!(status < 300, "{path}: {status} {answer}");
            answer
        };
        // Somebody's number stands in the data and the names as well, as shops do it.
        let order = json!({
            "courier": { "number": COURIER, "name": "Пётр" },
            "client": { "number": CLIENT, "name": format!("Анна +{CLIENT}") },
            "ttl_seconds": 3600,
            "data": { "shop": "north" },
        });
        put("PUT", &format!("/v1/orders/{CODE}"), order);
        put("POST", "/v1/contacts", json!({ "name": "Мария", "number": CONTACT, "note": "утром" }));
        put("POST", "/v1/blocks", json!({ "number": STRANGER, "reason": "спам" }));
        let pair = put("POST", "/v1/pairs", json!({ "a": { "number": PARTY }, "b": { "number": CLIENT } }));
        put("PUT", "/v1/callback-plans/desk", json!({ "line": LINE }));
        let (mut out, mut back) = scene.talking(COURIER);
        out.hang_up();
        back.expect_bye();
        let over = scene.bauta.await_record()["id"].as_str().unwrap().to_owned();
        let talking = scene.talking(COURIER);
        let (_, calls) = scene.bauta.http("GET", "/v1/calls", None);
        let live = calls["items"][0]["id"].as_str().unwrap().to_owned();
        Self { scene, over, pair: pair["id"].as_str().unwrap().to_owned(), live, _talking: talking }
    }

    /// Every place there is something to be seen at, for this role.
    fn places(&self, admin: bool) -> Vec<String> {
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
}

/// Waits for what a place fetches.
fn settle(console: &Console, place: &str) {
    console.go(place);
    if place.starts_with("records/") {
        console.browser.await_element("[data-rung]");
        console.browser.await_element("svg[data-channel='1']");
    } else if place.contains('/') && !place.starts_with("callbacks") {
        console.browser.await_element("aside .content dl, aside .content .facts");
    }
    console.browser.until("all of it", "return !document.querySelector('main [aria-busy=true]')", &[]);
}

#[test]
fn an_operator_finds_nobodys_number_in_any_view_and_a_reveal_is_written_down() {
    let shop = Shop::open();
    let console = Console::operator(&shop.scene.loopback, Look::DESK);
    let numbers = [
        ("courier", COURIER),
        ("client", CLIENT),
        ("contact", CONTACT),
        ("party", PARTY),
        ("stranger", STRANGER),
    ];
    let canaries: Vec<Canary> = numbers.map(|(who, number)| Canary::number(who, number)).into();
    for place in shop.places(false) {
        settle(&console, &place);
        let page = console.browser.whole_page();
        for canary in &canaries {
            assert_eq!(canary.found_in(page.as_bytes()), None, "{canary:?} in {place}:\n{page}");
        }
    }
    for view in OF_ADMINS {
        console.browser.open(&format!("{}/#/{view}", console.base()));
        console.browser.await_text("main h1", "no such page");
    }
    let browser = &console.browser;
    settle(&console, &format!("orders/{CODE}"));
    browser.click("aside dd button");
    browser.await_text("aside", "+7 999 111‑11‑17");
    let (_, audit) = shop.scene.bauta.http_as(ADMIN, "GET", "/v1/audit", None);
    let first = &audit["items"][0];
    assert_eq!(
        (&first["what"], &first["who"], &first["subject"]),
        (&json!("number.revealed"), &json!(tests::console::OPERATOR), &json!(format!("order/{CODE}"))),
        "{audit:#}"
    );
    shop.scene.bauta.assert_no_fault();
}

#[test]
fn an_administrator_sees_what_an_operator_does_not() {
    // So that the test above looks where numbers are.
    let shop = Shop::open();
    let console = Console::admin(&shop.scene.loopback, Look::DESK);
    for (place, number) in [
        (&*format!("live/{}", shop.live), COURIER),
        ("orders", CLIENT),
        ("callbacks/contacts", CONTACT),
        ("blocks", STRANGER),
        ("pairs", PARTY),
        ("records", COURIER),
    ] {
        settle(&console, place);
        let canary = Canary::number(place, number);
        let spaced = format!(
            "+7\u{a0}{}\u{a0}{}\u{2011}{}\u{2011}{}",
            &number[1..4],
            &number[4..7],
            &number[7..9],
            &number[9..]
        );
        let page = console.browser.whole_page();
        assert!(
            page.contains(&spaced) || canary.found_in(page.as_bytes()).is_some(),
            "{number} in {place}:\n{page}"
        );
    }
    assert!(!OPERATOR.is_empty());
}

/// Looks at every view, and at the forms that open over them, with axe.
fn examine(look: Look) {
    let shop = Shop::open();
    let login = Console::before(&shop.scene.loopback, look, &[]);
    login.browser.await_element("main form");
    assert_eq!(login.browser.axe(), Vec::<String>::new(), "the login");
    drop(login);
    let console = Console::admin(&shop.scene.loopback, look);
    let mut found = Vec::new();
    let mut look_at =
        |place: &str| found.extend(console.browser.axe().into_iter().map(|line| format!("{place}: {line}")));
    for place in shop.places(true) {
        settle(&console, &place);
        look_at(&place);
        let wide = console.browser.run("return document.documentElement.scrollWidth - innerWidth", &[]);
        assert!(wide.as_i64() <= Some(0), "{place} is {wide} pixels wider than the window");
    }
    for place in ["orders", "pairs", "blocks"] {
        settle(&console, place);
        console.browser.click("main .bar button.primary");
        console.browser.await_element("dialog form");
        look_at(&format!("the form of {place}"));
        console.browser.click("dialog header button");
    }
    assert_eq!(found, Vec::<String>::new());
    shop.scene.bauta.assert_no_fault();
}

#[test]
fn axe_finds_nothing_at_a_desk() {
    examine(Look::DESK);
}

#[test]
fn axe_finds_nothing_at_a_desk_in_the_dark() {
    examine(Look::DESK.in_the_dark());
}

#[test]
fn axe_finds_nothing_on_a_phone() {
    examine(Look::PHONE.in_russian());
}

#[test]
fn axe_finds_nothing_on_a_phone_in_the_dark() {
    examine(Look::PHONE.in_russian().in_the_dark());
}

#[test]
fn all_that_a_browser_fetches_for_the_first_page_is_below_200_kb() {
    let scene = Scene::brief(|config| config);
    let console = Console::admin(&scene.loopback, Look::DESK);
    console.go("live");
    let fetched = console.browser.run(
        "return [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]\
         .filter((e) => !e.name.includes('/v1/')).map((e) => [e.name, e.decodedBodySize])",
        &[],
    );
    let files: Vec<(String, u64)> = serde_json::from_value(fetched).unwrap();
    let whole: u64 = files.iter().map(|(_, size)| size).sum();
    // The worker is fetched by the browser, not by the page, which cannot count it: 20 kB are left for it.
    assert!(files.len() >= 4 && whole > 50_000 && whole < 180_000, "{whole}: {files:#?}");
}
