//! Every view of the console: who may see what, whether it can be used without eyes or hands, in both themes and sizes.

use serde_json::json;
use tests::browser::Look;
use tests::canary::Canary;
use tests::config::ADMIN;
use tests::console::{Console, OF_ADMINS};
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::shop::{CONTACT, PARTY, Shop};

/// A page without what stands between the digits of a number for the eye.
fn plain(page: &str) -> String {
    let page = page.replace("&nbsp;", "");
    page.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{2011}' | '-' | '(' | ')')).collect()
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
        shop.settle(&console, &place);
        let page = console.browser.whole_page();
        for canary in &canaries {
            assert_eq!(canary.found_in(plain(&page).as_bytes()), None, "{canary:?} in {place}:\n{page}");
        }
    }
    for view in OF_ADMINS {
        console.browser.open(&format!("{}/#/{view}", console.base()));
        console.browser.await_text("main h1", "no such page");
    }
    let browser = &console.browser;
    shop.settle(&console, &format!("orders/{CODE}"));
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
        shop.settle(&console, place);
        let canary = Canary::number(place, number);
        let page = console.browser.whole_page();
        assert!(canary.found_in(plain(&page).as_bytes()).is_some(), "{number} in {place}:\n{page}");
    }
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
        shop.settle(&console, &place);
        look_at(&place);
        let wide = console.browser.run("return document.documentElement.scrollWidth - innerWidth", &[]);
        assert!(wide.as_i64() <= Some(0), "{place} is {wide} pixels wider than the window");
    }
    for place in ["orders", "pairs", "blocks"] {
        shop.settle(&console, place);
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
