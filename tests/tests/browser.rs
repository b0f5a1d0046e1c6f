//! The browser against pages of the tests' own: what fails there is a fault of the tests.

use serde_json::json;
use tests::browser::{Browser, Look};
use tests::loopback::Loopback;
use tests::receiver::{Receiver, Reply};

/// A page that tells how it is looked at, with a button, a field and a list.
const PAGE: &str = "<!doctype html><html lang=en><meta name=viewport content=width=device-width><title>page</title><main><h1>A page</h1>\
    <p id=look></p><label>Name <input id=who></label><label>One <select id=one><option value=a>A<option value=b>B</select></label>\
    <button id=go>Go</button><output id=said></output></main><script>\
    look.textContent = [navigator.language, matchMedia('(prefers-color-scheme: dark)').matches, innerWidth].join(' ');\
    go.onclick = () => setTimeout(() => { said.textContent = who.value + one.value + (globalThis.before ?? '') }, 100)</script>";

fn serve(page: &'static str) -> (Loopback, Receiver, String) {
    let loopback = Loopback::claim();
    let receiver = Receiver::answering(loopback.server(), 8080, move |_| Reply::Text(page.to_owned()));
    let address = format!("http://{}/", receiver.address());
    (loopback, receiver, address)
}

#[test]
fn a_page_is_looked_at_and_used() {
    let (_loopback, _receiver, address) = serve(PAGE);
    let mut browser = Browser::scripted(Look::PHONE.in_russian().in_the_dark(), &["globalThis.before = '!'"]);
    browser.open(&address);
    browser.await_text("#look", "ru true 360");
    browser.fill("#who", "x");
    browser.fill("#who", "Имя");
    browser.choose("#one", "b");
    browser.click("#go");
    browser.await_text("#said", "Имяb!");
    assert!(browser.whole_page().contains("id=\"said\"") && browser.page_text().contains("A page"));
    browser.look(Look::DESK.in_russian());
    let first = browser.tab();
    let second = browser.new_tab();
    browser.open(&address);
    browser.await_text("#look", "ru false 1280");
    browser.turn_to(&first);
    browser.reload();
    browser.await_text("#look", "ru false 1280");
    browser.turn_to(&second);
    assert!(browser.screenshot().starts_with(b"RIFF"));
    assert_eq!(browser.axe(), Vec::<String>::new());
    browser.permit_notifications(address.trim_end_matches('/'));
    let permission = browser.run("return Notification.permission", &[]);
    assert_eq!(permission, json!("granted"));
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let (_loopback, _receiver, address) = serve(
        "<!doctype html><meta http-equiv=Content-Security-Policy content=\"img-src 'none'\">\
         <img src=/x><script>console.error('canary'); undefined.x</script>",
    );
    let browser = Browser::start(Look::DESK);
    browser.open(&address);
    let complaints = browser.complaints().join("\n");
    for part in ["canary", "Content Security Policy", "Uncaught TypeError"] {
        assert!(complaints.contains(part), "{part} in {complaints}");
        browser.expect_complaint(part);
    }
    let found = browser.axe().join("\n");
    for rule in ["image-alt", "html-has-lang", "document-title"] {
        assert!(found.contains(rule), "{rule} in {found}");
    }
}

#[test]
#[should_panic(expected = "the page complained")]
fn a_complaint_nobody_expects_fails_the_test() {
    let (_loopback, _receiver, address) = serve("<!doctype html><script>console.error('canary')</script>");
    Browser::start(Look::DESK).open(&address);
}
