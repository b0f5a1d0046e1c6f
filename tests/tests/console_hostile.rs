//! Whatever somebody calls themselves, sends, or writes into data: at the console it is text, and nothing of it runs.

use serde_json::json;
use tests::browser::Look;
use tests::config::{ADMIN, LINE};
use tests::console::Console;
use tests::peer::call::Dial;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::wait;

/// What would run, or close what it stands in, were it taken for markup.
const MARKUP: [&str; 4] = [
    "<img src=x onerror=hostile()>",
    "\"><script>hostile()</script>",
    "'/><svg onload=hostile()>",
    "javascript:hostile()//{{constructor.constructor('hostile()')()}}",
];
/// Turns the direction of what follows (Unicode bidirectional overrides), so that a name seems to end elsewhere.
const OVERRIDE: &str = "\u{202e}gnp.exe\u{2066}";

/// Counts whatever of it runs, and watches for elements that no view of ours has.
const WATCH: &str = "globalThis.ran = 0; globalThis.hostile = () => { globalThis.ran += 1; }; globalThis.foreign = []; \
     new MutationObserver((changes) => { for (const { addedNodes } of changes) for (const node of addedNodes) { \
     if (node.nodeType !== 1) continue; for (const e of [node, ...node.querySelectorAll('*')]) { \
     if (e.matches('main script, main img, main iframe, main object, [onerror], [onload], svg[onload], a[href^=\"javascript:\"]')) \
     globalThis.foreign.push(e.outerHTML); } } }).observe(document, { childList: true, subtree: true });";

#[test]
fn names_headers_data_and_reasons_are_only_ever_text() {
    let scene =
        Scene::brief(|config| config.set("console.card_url", "https://crm.example/{code}?c={data.customer}"));
    let order = json!({
        "courier": { "number": COURIER, "name": format!("{}{OVERRIDE}", MARKUP[0]) },
        "client": { "number": CLIENT, "name": MARKUP[1] },
        "ttl_seconds": 3600,
        "data": { "customer": MARKUP[3], "note": MARKUP[2], MARKUP[0]: MARKUP[1] },
    });
    assert_eq!(scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(&order)).0, 201);
    let block = json!({ "number": STRANGER, "reason": format!("{}{OVERRIDE}", MARKUP[1]) });
    assert_eq!(scene.bauta.http("POST", "/v1/blocks", Some(&block)).0, 201);
    let contact =
        json!({ "name": MARKUP[2], "number": STRANGER, "note": MARKUP[0], "data": { "a": MARKUP[1] } });
    assert_eq!(scene.bauta.http("POST", "/v1/contacts", Some(&contact)).0, 201);

    let console = Console::scripted(&scene.loopback, Look::DESK, &[WATCH]);
    let browser = &console.browser;
    console.go("live");
    // A call whose every header has something of it.
    let mut dial = Dial::new(COURIER, LINE);
    let hostile = MARKUP.iter().enumerate();
    dial.headers.extend(hostile.map(|(at, text)| format!("X-Hostile-{at}: {text}")));
    dial.headers.push(format!("Reason: SIP;cause=200;text=\"{}\"", MARKUP[0].replace('"', "")));
    let mut out = scene.caller.dial(scene.loopback.sip(), &dial);
    out.answered();
    browser.await_text("[data-call-id]", "onerror=hostile()");
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.provisional(&format!("180 {}", MARKUP[0]));
    back.answer();
    Scene::talk(&mut out, &mut back);
    browser.await_text("[data-call-id]", "<script>hostile()</script>");
    browser.click("[data-call-id] a");
    browser.await_text("aside", "<img src=x onerror=hostile()>");
    out.hang_up();
    back.expect_bye();
    let record = scene.bauta.await_record();
    let call = record["id"].as_str().unwrap();

    for (place, css, text) in [
        ("journal", "main", "onerror=hostile()"),
        ("orders", &*format!("[data-order='{CODE}']"), "onerror=hostile()"),
        (&*format!("orders/{CODE}"), "aside pre", "svg onload=hostile()"),
        ("blocks", "[data-block]", "<script>hostile()"),
        ("callbacks/contacts", "[data-contact-id]", "svg onload=hostile()"),
        ("records", "[data-record]", "onerror=hostile()"),
        (&*format!("records/{call}"), "[data-detail] pre", "svg onload=hostile()"),
    ] {
        console.go(place);
        browser.await_text(css, text);
    }
    let rung = "[data-rung^='180 <img src=x onerror']";
    browser.click(&format!("{rung} button"));
    browser.await_text(&format!("{rung} pre"), "<img src=x onerror=hostile()>");
    browser.click("[data-rung=INVITE] button");
    browser.await_text("[data-rung=INVITE] pre", "X-Hostile-1: \"><script>hostile()</script>");

    assert_eq!(browser.run("return [ran, foreign]", &[]), json!([0, []]));
    // An override ends with the name it stands in.
    console.go("orders");
    let isolated = browser.run(
        "return [...document.querySelectorAll('main td')].filter((cell) => cell.textContent.includes('\\u202e'))\
         .every((cell) => [...cell.querySelectorAll('bdi')].some((e) => e.textContent.includes('\\u202e')))",
        &[],
    );
    assert_eq!(isolated, json!(true));
    scene.bauta.assert_no_fault();
}

#[test]
fn addresses_searches_and_errors_are_only_ever_text() {
    let scene = Scene::brief(|config| config);
    let console = Console::scripted(&scene.loopback, Look::PHONE, &[WATCH]);
    let browser = &console.browser;
    for status in ["status of 400", "status of 404", "status of 422"] {
        browser.expect_complaint(status);
    }
    for text in MARKUP {
        let encoded: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for view in ["orders", "records", "pairs", "blocks", "live", "prompts", "webhooks", "callbacks"] {
            browser.open(&format!(
                "{}/#/{view}/{encoded}?q={encoded}&number={encoded}&state={encoded}&find={encoded}",
                console.base()
            ));
            browser.await_element("main h1");
        }
        browser.open(&format!("{}/#/{encoded}", console.base()));
        browser.await_text("main h1", "no such page");
    }
    console.go("orders");
    browser.click("main .bar button.primary");
    browser.fill("dialog input[name=code]", CODE);
    browser.fill("dialog input[name='courier.number']", MARKUP[1]);
    browser.fill("dialog input[name='client.number']", CLIENT);
    browser.click("dialog button[type=submit]");
    browser.await_element("dialog .problem, dialog [role=alert]");
    assert_eq!(browser.run("return [ran, foreign]", &[]), json!([0, []]));
    let (_, orders) = scene.bauta.http_as(ADMIN, "GET", "/v1/orders", None);
    assert_eq!(orders["items"], json!([]));
    wait::until_true("the server as it was", wait::SOON, || {
        scene.bauta.http("GET", "/readyz", None).0 == 200
    });
    scene.bauta.assert_no_fault();
}
