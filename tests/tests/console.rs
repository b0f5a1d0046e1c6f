//! The console in a real Chromium: calls as they happen, in every tab, whatever happens to the server.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

use std::collections::BTreeSet;

use serde_json::json;
use tests::browser::{Browser, Look};
use tests::config::{LINE, OPERATOR};
use tests::console::Console;
use tests::peer::Call;
use tests::receiver::Receiver;
use tests::scene::{CLIENT, CODE, COURIER, STRANGER, Scene};
use tests::wait;

/// The only call that is going on.
fn only_call(scene: &Scene) -> String {
    wait::until("a call", wait::LATER, || {
        let (_, calls) = scene.bauta.http("GET", "/v1/calls", None);
        calls["items"][0]["id"].as_str().map(str::to_owned)
    })
}

fn await_state(browser: &Browser, call: &str, state: &str) {
    browser.await_element(&format!("[data-call-id='{call}'][data-state='{state}']"));
}

/// Ids of the events in the journal that is shown, the first one first.
fn journal(browser: &Browser) -> Vec<String> {
    let rows = browser.run(
        "return [...document.querySelectorAll('main tr[data-event-id]')].map((row) => row.dataset.eventId)",
        &[],
    );
    let mut ids: Vec<String> = serde_json::from_value(rows).unwrap();
    ids.reverse();
    ids
}

#[test]
fn a_call_is_seen_at_ringing_in_both_tabs_over_one_connection_until_it_ends() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let counting = "globalThis.sources = 0; globalThis.EventSource = class extends EventSource { \
                    constructor(...given) { super(...given); globalThis.sources += 1; } }";
    let console = Console::scripted(&scene.loopback, Look::DESK, &[counting]);
    let browser = &console.browser;
    console.go("live");
    let first = browser.tab();
    let second = browser.new_tab();
    console.go("live");
    let both = |check: &dyn Fn()| {
        for tab in [&first, &second] {
            browser.turn_to(tab);
            check();
        }
    };

    let mut out = scene.arrive(COURIER);
    let call = only_call(&scene);
    both(&|| await_state(browser, &call, "asking"));
    out.media.press(CODE);
    let mut back = scene.callee.incoming();
    back.provisional("180 Ringing");
    both(&|| await_state(browser, &call, "ringing"));
    both(&|| browser.await_text(&format!("[data-call-id='{call}']"), "+7 999 111‑11‑17"));
    back.answer();
    Scene::talk(&mut out, &mut back);
    both(&|| await_state(browser, &call, "talking"));
    out.hang_up();
    back.expect_bye();
    both(&|| browser.await_none(&format!("[data-call-id='{call}']:not([data-state=ended])")));
    both(&|| console.go("journal"));
    both(&|| browser.await_element("[data-event-type='record.written']"));
    let mut journals = Vec::new();
    for tab in [&first, &second] {
        browser.turn_to(tab);
        journals.push(journal(browser));
    }
    assert_eq!(journals[0], journals[1]);
    assert!(journals[0].len() >= 6, "{journals:?}");

    both(&|| assert_eq!(browser.run("return sources", &[]), json!(0), "the connection is no tab's own"));
    let targets = browser.command("Target.getTargets", json!({}));
    let workers =
        targets["targetInfos"].as_array().unwrap().iter().filter(|target| target["type"] == "shared_worker");
    assert_eq!(workers.count(), 1, "{targets:#}");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_stranger_is_seen_on_the_way_to_an_operator() {
    let scene = Scene::brief(|config| config);
    scene.put_order();
    let console = Console::admin(&scene.loopback, Look::DESK);
    console.go("live");
    let mut out = scene.arrive(STRANGER);
    let call = only_call(&scene);
    await_state(&console.browser, &call, "asking");
    out.media.press(CODE);
    scene.await_prompt(&out, "number-unknown");
    out.media.press("1#");
    let mut back = scene.callee.incoming();
    assert!(back.invite.as_ref().unwrap().uri().contains(OPERATOR));
    back.provisional("180 Ringing");
    await_state(&console.browser, &call, "ringing");
    console.browser.await_text(&format!("[data-call-id='{call}']"), "operator");
    back.answer();
    Scene::talk(&mut out, &mut back);
    await_state(&console.browser, &call, "talking");
    console.go(&format!("live/{call}"));
    console.browser.await_element("[data-drawer-state=talking]");
    console.browser.await_text("aside", "operator");
    back.hang_up();
    out.expect_bye();
    console.browser.await_none("aside [data-drawer-state=talking]");
    scene.bauta.assert_no_fault();
}

#[test]
fn a_callback_is_seen_and_hung_up_from_the_page() {
    let scene = Scene::brief(|config| config);
    let console = Console::admin(&scene.loopback, Look::DESK);
    console.go("live");
    let asked = json!({ "line": LINE, "first": COURIER, "second": CLIENT });
    let (status, asked) = scene.bauta.http("POST", "/v1/callbacks", Some(&asked));
    assert_eq!(status, 202, "{asked}");
    let call = asked["id"].as_str().unwrap();
    let mut first = scene.callee.incoming();
    first.provisional("180 Ringing");
    console.browser.await_element(&format!("[data-call-id='{call}']"));
    first.answer();
    let mut second = scene.callee.incoming();
    second.provisional("180 Ringing");
    await_state(&console.browser, call, "ringing");
    second.answer();
    Scene::talk(&mut first, &mut second);
    await_state(&console.browser, call, "talking");

    console.go(&format!("live/{call}"));
    console.browser.click("aside button.danger");
    console.confirm();
    first.expect_bye();
    second.expect_bye();
    console.browser.await_none("aside button.danger");
    assert_eq!(scene.bauta.await_record()["ended_by"], "us");
    console.go("callbacks/history");
    console.browser.await_text("main", "ended by us");
    scene.bauta.assert_no_fault();
}

/// Two that talk; their call.
fn talking(scene: &Scene) -> (String, Call, Call) {
    let (out, back) = scene.talking(COURIER);
    (only_call(scene), out, back)
}

#[test]
fn no_event_is_lost_or_doubled_when_the_server_dies_and_when_it_ends() {
    let mut address = None;
    let mut scene = Scene::brief(|config| {
        let listens = config.vacant();
        address = Some(listens);
        let secret = "0123456789abcdef0123456789abcdef";
        config.set("node.drain_seconds", 1).add(
            "webhook",
            &format!("name = \"truth\"\nurl = \"http://{listens}:8099/\"\nsecret = \"{secret}\""),
        )
    });
    let receiver = Receiver::start(address.unwrap(), 8099);
    scene.put_order();
    let console = Console::admin(&scene.loopback, Look::DESK);
    let browser = &console.browser;
    // What a browser says of a server that is gone.
    for part in [
        "ERR_CONNECTION_REFUSED",
        "ERR_CONNECTION_RESET",
        "ERR_INCOMPLETE_CHUNKED",
        "ERR_EMPTY_RESPONSE",
        "status of 503",
    ] {
        browser.expect_complaint(part);
    }
    console.go("journal");
    let (call, mut out, mut back) = talking(&scene);
    browser.await_element("[data-event-type='call.bridged']");
    scene.bauta.kill_and_restart();
    browser.await_element("[data-event-type='call.restored']");
    browser.await_element("[data-connection=live]");
    console.go("live");
    await_state(browser, &call, "talking");
    console.go("journal");
    Scene::talk(&mut out, &mut back);
    out.hang_up();
    back.expect_bye();
    browser.await_element("[data-event-type='record.written']");

    scene.bauta.signal(libc::SIGTERM);
    scene.bauta.wait(wait::LATER);
    // Calls that come at once after the restart are in the events that the browser asks for when it is back.
    scene.bauta.restart();
    let (_, mut out, mut back) = talking(&scene);
    out.hang_up();
    back.expect_bye();
    assert_eq!(scene.bauta.await_records(2).len(), 2);
    // What the webhook is told by and by is all there was.
    let told = || {
        let events = receiver.posted().into_iter().map(|posted| posted.event());
        events.map(|event| event["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<String>>()
    };
    let two = "return document.querySelectorAll('main tr[data-event-type=\"recording.ready\"]').length === 2 \
               && document.querySelectorAll('main tr[data-event-type=\"record.written\"]').length === 2";
    browser.until("both calls to their end", two, &[]);
    let shown = journal(browser);
    let distinct: BTreeSet<String> = shown.iter().cloned().collect();
    assert_eq!(shown.len(), distinct.len(), "none twice: {shown:?}");
    let began = distinct.first().unwrap();
    let missing = |told: &BTreeSet<String>| {
        let since: BTreeSet<_> = told.iter().filter(|id| *id >= began).cloned().collect();
        since.symmetric_difference(&distinct).cloned().collect::<Vec<_>>()
    };
    let same = wait::within(wait::LATER, || missing(&told()).is_empty().then_some(()));
    assert!(same.is_some(), "not with both: {:?}", missing(&told()));
    assert!(shown.is_sorted(), "in the order they happened: {shown:?}");
    assert!(shown.len() >= 14, "{shown:?}");
}

#[test]
fn a_call_of_somebody_known_is_shown_on_the_desktop_once_with_a_link_to_their_card() {
    let card = "https://crm.example/orders/{code}?customer={data.customer}";
    let scene = Scene::brief(|config| config.set("console.card_url", card));
    let order = json!({
        "courier": { "number": COURIER, "name": "Пётр" },
        "client": { "number": CLIENT },
        "ttl_seconds": 3600,
        "data": { "customer": "c 7" },
    });
    assert_eq!(scene.bauta.http("PUT", &format!("/v1/orders/{CODE}"), Some(&order)).0, 201);
    let watching = "globalThis.shown = []; globalThis.opened = []; globalThis.open = (...given) => opened.push(given); \
         globalThis.Notification = class extends Notification { \
         constructor(title, options) { super(title, options); shown.push([title, options, this]); } }";
    let console = Console::scripted(&scene.loopback, Look::DESK, &[watching]);
    let browser = &console.browser;
    browser.permit_notifications(console.base());
    console.go("live");
    browser.click("[data-bell=off]");
    browser.await_element("[data-bell=on]");
    let first = browser.tab();
    let second = browser.new_tab();
    console.go("live");
    let mut out = scene.arrive(COURIER);
    let call = only_call(&scene);
    browser.await_text(&format!("[data-call-id='{call}']"), "Пётр");
    browser.turn_to(&first);
    let shown =
        browser.until("a notification", "return shown.length > 0 && shown.map(([t, o]) => [t, o])", &[]);
    assert_eq!((shown.as_array().unwrap().len(), &shown[0][0]), (1, &json!("Пётр")), "{shown}");
    assert!(shown[0][1]["body"].as_str().unwrap().contains("495"), "the line: {shown}");
    browser.run("shown[0][2].onclick()", &[]);
    browser.await_element("[data-drawer-state]");
    assert!(browser.address().ends_with(&format!("#/live/{call}")), "{}", browser.address());
    let opened = browser.run("return opened", &[]);
    assert_eq!(opened[0][0], format!("https://crm.example/orders/{CODE}?customer=c%207"));
    browser.turn_to(&second);
    assert_eq!(browser.run("return shown.length", &[]), json!(0), "one for a browser, not for a tab");
    out.hang_up();

    browser.turn_to(&first);
    console.go("live");
    browser.click("[data-bell=on]");
    browser.await_element("[data-bell=off]");
    let mut out = scene.arrive(COURIER);
    let another = only_call(&scene);
    browser.await_text(&format!("[data-call-id='{another}']"), "Пётр");
    assert_eq!(browser.run("return shown.length", &[]), json!(1), "switched off");
    out.hang_up();
    scene.bauta.assert_no_fault();
}
