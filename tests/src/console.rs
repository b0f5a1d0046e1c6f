//! Somebody before the console: a browser that has signed in.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::browser::{Browser, Look};
use crate::config::{ADMIN, Config};
use crate::loopback::{HTTP_PORT, Loopback};
use crate::program::binary;

/// Who signs in by a password: an operator who may see single numbers.
pub const OPERATOR: &str = "anna";
/// Their password.
pub const PASSWORD: &str = "correct horse battery staple";

/// All views, by their names in addresses.
pub const VIEWS: [&str; 15] = [
    "live",
    "journal",
    "orders",
    "callbacks",
    "pairs",
    "numbers",
    "records",
    "trunks",
    "simulate",
    "prompts",
    "webhooks",
    "blocks",
    "people",
    "audit",
    "settings",
];
/// Those that only administrators have.
pub const OF_ADMINS: [&str; 4] = ["webhooks", "people", "audit", "settings"];

/// Adds an operator who may see single numbers, and whose telephone has this number.
///
/// # Panics
/// If the program makes no hash.
#[must_use]
pub fn with_operator(config: Config, number: &str) -> Config {
    let entry = format!(
        "name = \"{OPERATOR}\"\npassword_hash = \"{}\"\nrole = \"operator\"\nreveal = true\nnumber = \"{number}\"",
        hash(PASSWORD)
    );
    config.add_to("http", "user", &entry)
}

fn hash(password: &str) -> String {
    let mut command = Command::new(binary());
    let mut child = command
        .arg("password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("its input is ours").write_all(password.as_bytes()).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    String::from_utf8(done.stdout).expect("a hash is text").trim().to_owned()
}

/// A browser at the console.
#[derive(Debug)]
pub struct Console {
    /// The browser.
    pub browser: Browser,
    base: String,
}

impl Console {
    /// At the login.
    #[must_use]
    pub fn before(loopback: &Loopback, look: Look, scripts: &[&str]) -> Self {
        let browser = Browser::scripted(look, scripts);
        let base = format!("http://{}:{HTTP_PORT}", loopback.server());
        // Whoever is not signed in is told so when the page asks who is there; browsers note each such answer.
        browser.expect_complaint(
            "/v1/session - Failed to load resource: the server responded with a status of 401",
        );
        browser.open(&format!("{base}/"));
        Self { browser, base }
    }

    /// Signed in as administrator.
    #[must_use]
    pub fn admin(loopback: &Loopback, look: Look) -> Self {
        Self::scripted(loopback, look, &[])
    }

    /// As [`Self::admin`]; these scripts run in each page before its own.
    #[must_use]
    pub fn scripted(loopback: &Loopback, look: Look, scripts: &[&str]) -> Self {
        let console = Self::before(loopback, look, scripts);
        console.sign_in_by(ADMIN);
        console
    }

    /// Signed in as the operator of [`with_operator`].
    #[must_use]
    pub fn operator(loopback: &Loopback, look: Look) -> Self {
        let console = Self::before(loopback, look, &[]);
        console.browser.fill("input[name=user]", OPERATOR);
        console.browser.fill("input[name=password]", PASSWORD);
        console.enter();
        console
    }

    /// Signs in by a token.
    pub fn sign_in_by(&self, token: &str) {
        self.browser.click(".ways button:nth-child(2)");
        self.browser.fill("input[name=token]", token);
        self.enter();
    }

    fn enter(&self) {
        self.browser.click("main form button[type=submit]");
        self.browser.await_element("[data-connection=live]");
    }

    /// Where it is served.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Goes to a view, or a part of it: `orders`, `records/01…?cause=busy`.
    pub fn go(&self, place: &str) {
        self.browser.open(&format!("{}/#/{place}", self.base));
        let view = place.split(['/', '?']).next().unwrap_or_default();
        let there = "return document.querySelector(`#navigation a[href='#/${arguments[0]}'][aria-current=page]`) !== null \
                     && document.querySelector('main h1') !== null && !document.querySelector('main [aria-busy=true]')";
        self.browser.until(&format!("the view {view}"), there, &[serde_json::json!(view)]);
    }

    /// Says yes to the question that is asked.
    pub fn confirm(&self) {
        self.browser.click("dialog[open] button.danger, dialog[open] p + .bar button.primary");
    }
}
