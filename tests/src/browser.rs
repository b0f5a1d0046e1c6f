//! A real browser (Debian packages chromium and chromium-driver), driven by WebDriver: with a profile of its own, in the language,
//! theme and size a test asks for. What a page complains of on its console fails the test.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::tool::{self, Running};
use crate::wait;

/// How a page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Which language the browser asks for: `en`, `ru`.
    pub language: &'static str,
    /// Whether the system's theme is dark.
    pub dark: bool,
    /// Width and height in CSS pixels.
    pub size: (u32, u32),
}

impl Look {
    /// A screen on a desk, light, in English.
    pub const DESK: Self = Self { language: "en", dark: false, size: (1280, 800) };
    /// The narrowest phone that counts.
    pub const PHONE: Self = Self { size: (360, 740), ..Self::DESK };

    /// The same in the dark.
    #[must_use]
    pub fn in_the_dark(self) -> Self {
        Self { dark: true, ..self }
    }

    /// The same in Russian.
    #[must_use]
    pub fn in_russian(self) -> Self {
        Self { language: "ru", ..self }
    }
}

/// A running browser with one tab or several, one of which is looked at.
#[derive(Debug)]
pub struct Browser {
    runtime: Runtime,
    client: Client,
    look: Look,
    /// Run in each new page before its own scripts.
    scripts: Vec<String>,
    /// Complaints that a test expects: parts of their text.
    expected: RefCell<Vec<String>>,
    complaints: RefCell<Vec<String>>,
    profile: tempfile::TempDir,
    driver: Running,
}

/// One tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab(WindowHandle);

impl Browser {
    /// Starts one, with an empty tab.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(look: Look) -> Self {
        Self::scripted(look, &[])
    }

    /// As [`Self::start`]; these scripts run in each page before its own do.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn scripted(look: Look, scripts: &[&str]) -> Self {
        let profile = tempfile::tempdir().expect("a directory can be made");
        let (driver, port) = start_driver(profile.path());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        let capabilities = capabilities(look, profile.path());
        let address = format!("http://127.0.0.1:{port}");
        let client = runtime
            .block_on(builder.capabilities(capabilities).connect(&address))
            .unwrap_or_else(|fault| panic!("chromium does not start: {fault}"));
        let scripts = scripts.iter().map(|script| (*script).to_owned()).collect();
        let browser = Self {
            runtime,
            client,
            look,
            scripts,
            expected: RefCell::default(),
            complaints: RefCell::default(),
            profile,
            driver,
        };
        browser.dress();
        browser
    }

    fn wait_for<T>(&self, future: impl Future<Output = Result<T, CmdError>>) -> Result<T, CmdError> {
        self.runtime.block_on(future)
    }

    /// Gives the tab its look and scripts, which are a tab's own.
    fn dress(&self) {
        let (width, height) = self.look.size;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", metrics);
        let theme = if self.look.dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        self.command("Emulation.setEmulatedMedia", features);
        for script in &self.scripts {
            self.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
        }
    }

    /// Looks at the same pages in another way.
    pub fn look(&mut self, look: Look) {
        assert_eq!(look.language, self.look.language, "the language is the browser's, for good");
        self.look = look;
        self.dress();
    }

    /// A command of the Chrome DevTools Protocol to this tab.
    ///
    /// # Panics
    /// If it fails.
    pub fn command(&self, name: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": name, "params": parameters });
        let extension = Extension { path: "goog/cdp/execute", body };
        self.wait_for(self.client.issue_cmd(extension)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
    }

    /// Opens a page.
    ///
    /// # Panics
    /// If there is no such page.
    pub fn open(&self, address: &str) {
        self.wait_for(self.client.goto(address)).unwrap_or_else(|fault| panic!("{address}: {fault}"));
    }

    /// Loads the page again.
    ///
    /// # Panics
    /// If it cannot be had.
    pub fn reload(&self) {
        self.wait_for(self.client.refresh()).expect("a page can be loaded again");
    }

    /// The tab that is looked at.
    ///
    /// # Panics
    /// If the browser is gone.
    #[must_use]
    pub fn tab(&self) -> Tab {
        Tab(self.wait_for(self.client.window()).expect("a tab is looked at"))
    }

    /// Opens another tab and looks at it.
    ///
    /// # Panics
    /// If the browser is gone.
    #[must_use]
    pub fn new_tab(&self) -> Tab {
        let opened = self.wait_for(self.client.new_window(true)).expect("a tab can be opened");
        let tab = Tab(opened.handle);
        self.turn_to(&tab);
        self.dress();
        tab
    }

    /// Looks at another tab.
    ///
    /// # Panics
    /// If it is closed.
    pub fn turn_to(&self, tab: &Tab) {
        self.gather();
        self.wait_for(self.client.switch_to_window(tab.0.clone())).expect("the tab is open");
    }

    /// Runs a script (the body of a function) in the page; what it returns.
    ///
    /// # Panics
    /// If it throws.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.attempt(script, arguments).unwrap_or_else(|fault| panic!("{script}: {fault}"))
    }

    fn attempt(&self, script: &str, arguments: &[Value]) -> Result<Value, CmdError> {
        self.wait_for(self.client.execute(script, arguments.to_vec()))
    }

    /// Runs a script that ends by calling its last argument; what it calls it with.
    ///
    /// # Panics
    /// If it throws, or does not end.
    pub fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        self.wait_for(self.client.execute_async(script, arguments.to_vec()))
            .unwrap_or_else(|fault| panic!("{script}: {fault}"))
    }

    /// Waits until a script returns something other than `null`, `false` or nothing.
    ///
    /// # Panics
    /// If it does not in time, with what the page shows.
    pub fn until(&self, what: &str, script: &str, arguments: &[Value]) -> Value {
        let mut last = Value::Null;
        let found = wait::within(wait::LATER, || {
            // While a page is loading there may be nothing to run it in.
            last = self.attempt(script, arguments).unwrap_or_else(|fault| json!(fault.to_string()));
            let nothing =
                matches!(&last, Value::Null | Value::Bool(false)) || last.is_string() && self.failed(&last);
            (!nothing).then(|| last.clone())
        });
        found.unwrap_or_else(|| {
            panic!("waited in vain for {what} ({last}) on {}:\n{}", self.address(), self.page_text())
        })
    }

    fn failed(&self, said: &Value) -> bool {
        said.as_str()
            .is_some_and(|text| text.contains("WebDriver error") || text.contains("javascript error"))
    }

    /// The first of these that is to be seen, if there is one now.
    fn seen(&self, css: &str) -> Result<Option<Element>, CmdError> {
        for element in self.wait_for(self.client.find_all(Locator::Css(css)))? {
            if self.wait_for(element.is_displayed())? {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// Waits until the page has this.
    pub fn await_element(&self, css: &str) {
        self.persist(css, |_| Ok(()));
    }

    /// Waits until the page has none of these.
    pub fn await_none(&self, css: &str) {
        let gone = "return document.querySelector(arguments[0]) === null";
        self.until(&format!("no {css}"), gone, &[json!(css)]);
    }

    /// Waits until what is found by `css` says this, whatever the page makes of spaces.
    pub fn await_text(&self, css: &str, text: &str) {
        let says = "return [...document.querySelectorAll(arguments[0])].some((e) => \
                    (e.innerText ?? e.textContent ?? '').replace(/\\s+/gu, ' ').includes(arguments[1]))";
        self.until(&format!("{text:?} in {css}"), says, &[json!(css), json!(text)]);
    }

    /// How many there are of these now.
    #[must_use]
    pub fn count(&self, css: &str) -> u64 {
        let count = self.run("return document.querySelectorAll(arguments[0]).length", &[json!(css)]);
        count.as_u64().unwrap_or_default()
    }

    /// Clicks, as a pointer does, once it is there and can be.
    pub fn click(&self, css: &str) {
        self.persist(css, |element| self.wait_for(element.click()));
    }

    /// Writes this into a field, in place of what is there, key by key.
    pub fn fill(&self, css: &str, text: &str) {
        self.persist(css, |element| {
            self.wait_for(element.clear())?;
            self.wait_for(element.send_keys(text))
        });
    }

    /// Presses keys in a field without emptying it first: Unicode code points of WebDriver §17.4.2 for those without a letter.
    pub fn press(&self, css: &str, keys: &str) {
        self.persist(css, |element| self.wait_for(element.send_keys(keys)));
    }

    /// Chooses an entry of a list by its value, once there is one.
    pub fn choose(&self, css: &str, value: &str) {
        let chosen = "const list = document.querySelector(arguments[0]); \
                      if (![...(list?.options ?? [])].some((option) => option.value === arguments[1])) return false; \
                      list.value = arguments[1]; \
                      for (const type of ['input', 'change']) list.dispatchEvent(new Event(type, { bubbles: true })); \
                      return true;";
        self.until(&format!("{value} in {css}"), chosen, &[json!(css), json!(value)]);
    }

    /// Gives a file to a field for files, which need not be to be seen.
    ///
    /// # Panics
    /// If there is no such field.
    pub fn attach(&self, css: &str, path: &Path) {
        self.until(css, "return document.querySelector(arguments[0]) !== null", &[json!(css)]);
        let field = self.wait_for(self.client.find(Locator::Css(css))).expect("it was there");
        self.wait_for(field.send_keys(&path.to_string_lossy()))
            .unwrap_or_else(|fault| panic!("{css}: {fault}"));
    }

    /// A page may draw an element anew, or something over it, between finding it and using it.
    fn persist(&self, css: &str, act: impl Fn(&Element) -> Result<(), CmdError>) {
        let mut fault = None;
        let done = wait::within(wait::LATER, || {
            let tried = self.seen(css).and_then(|found| found.map(|element| act(&element)).transpose());
            tried.map_err(|said| fault = Some(said)).ok().flatten()
        });
        assert!(
            done.is_some(),
            "waited in vain for {css} ({fault:?}) on {}:\n{}",
            self.address(),
            self.page_text()
        );
    }

    /// Where the page is.
    #[must_use]
    pub fn address(&self) -> String {
        self.wait_for(self.client.current_url()).map_or_else(|fault| fault.to_string(), |url| url.to_string())
    }

    /// All that the page shows.
    #[must_use]
    pub fn page_text(&self) -> String {
        let text = self.attempt("return document.body?.innerText ?? ''", &[]).unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// All that is in the page, to be seen or not: text, attributes, and what stands in fields.
    #[must_use]
    pub fn whole_page(&self) -> String {
        let whole = "return document.documentElement.outerHTML + '\\n' + \
                     [...document.querySelectorAll('input, textarea, select')].map((e) => e.value).join('\\n')";
        self.run(whole, &[]).as_str().unwrap_or_default().to_owned()
    }

    /// The page as a picture (PNG), as far as the window shows it.
    ///
    /// # Panics
    /// If none can be taken.
    #[must_use]
    pub fn screenshot(&self) -> Vec<u8> {
        let taken = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let data = taken["data"].as_str().expect("a picture in base64");
        base64::prelude::BASE64_STANDARD.decode(data).expect("a picture in base64")
    }

    /// Where downloads go.
    #[must_use]
    pub fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    /// Lets pages of this origin show desktop notifications.
    pub fn permit_notifications(&self, origin: &str) {
        let permission =
            json!({ "permission": { "name": "notifications" }, "setting": "granted", "origin": origin });
        self.command("Browser.setPermission", permission);
    }

    /// What axe-core finds against the page's accessibility (WCAG 2 A and AA, best practices): one line for each rule and place.
    ///
    /// # Panics
    /// If it cannot be run.
    #[must_use]
    pub fn axe(&self) -> Vec<String> {
        let path = tool::installed("node/node_modules/axe-core/axe.min.js");
        let source = std::fs::read_to_string(&path);
        let source =
            source.unwrap_or_else(|fault| panic!("{}: {fault} (tests/run installs it)", path.display()));
        // By the debugger, which no content security policy stops.
        self.command("Runtime.evaluate", json!({ "expression": source }));
        let found = self.run_async(
            "const done = arguments[arguments.length - 1]; \
             axe.run(document, { resultTypes: ['violations'] }).then((r) => done(r.violations.flatMap((v) => \
             v.nodes.map((n) => `${v.id}: ${n.target.join(' ')} (${v.help}) ${n.html.slice(0, 160)} ${n.failureSummary}`))), \
             (fault) => done([String(fault)]));",
            &[],
        );
        let found = found.as_array().expect("a list").iter();
        found.map(|line| line.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Takes complaints of the console with this in their text for right from now on.
    pub fn expect_complaint(&self, part: &str) {
        self.expected.borrow_mut().push(part.to_owned());
    }

    /// What pages complained of so far: errors and warnings of the console, refused requests, breaches of the content security policy.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.gather();
        let expected = self.expected.borrow();
        let all = self.complaints.borrow();
        all.iter().filter(|text| !expected.iter().any(|part| text.contains(part))).cloned().collect()
    }

    /// The browser hands its log out once.
    fn gather(&self) {
        let extension = Extension { path: "se/log", body: json!({ "type": "browser" }) };
        let entries = self.wait_for(self.client.issue_cmd(extension)).unwrap_or_default();
        let entries = entries.as_array().cloned().unwrap_or_default();
        let loud =
            entries.iter().filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        let texts = loud.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned());
        self.complaints.borrow_mut().extend(texts);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let complaints = self.complaints();
        if std::thread::panicking() {
            let picture = std::env::temp_dir().join(format!("bauta-browser-{}.png", std::process::id()));
            // Only a help to whoever looks for the fault.
            drop(std::fs::write(&picture, self.screenshot()));
            eprintln!("the page ({}, {}):\n{}", self.address(), picture.display(), self.page_text());
            eprintln!("what it complained of: {complaints:#?}");
        }
        // One that is gone has ended.
        drop(self.wait_for(self.client.clone().close()));
        self.driver.signal_group(libc::SIGKILL);
        assert!(std::thread::panicking() || complaints.is_empty(), "the page complained: {complaints:#?}");
    }
}

/// A command of chromedriver's that is not in the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

/// Starts chromedriver on a port that it finds, in a group of processes with all that it starts.
fn start_driver(dir: &Path) -> (Running, u16) {
    let output = dir.join("chromedriver");
    let mut command = tool::command("chromedriver", "chromium-driver");
    command
        .args(["--port=0", "--log-level=SEVERE"])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&output).expect("the disk has room"))
        .stderr(Stdio::null());
    let running = Running::start(command);
    let port = wait::until("chromedriver's port", wait::LATER, || {
        let said = std::fs::read_to_string(&output).ok()?;
        let (_, rest) = said.split_once("started successfully on port ")?;
        rest.split_once('.')?.0.parse().ok()
    });
    (running, port)
}

fn capabilities(look: Look, profile: &Path) -> fantoccini::wd::Capabilities {
    // Checked here, as chromedriver does not say what is missing.
    drop(tool::command("chromium", "chromium"));
    let mut arguments = vec![
        "--headless=new".to_owned(),
        format!("--user-data-dir={}", profile.join("profile").display()),
        format!("--window-size={},{}", look.size.0, look.size.1),
        format!("--lang={}", look.language),
        "--no-proxy-server".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--autoplay-policy=no-user-gesture-required".to_owned(),
        "--hide-scrollbars".to_owned(),
    ];
    // SAFETY: geteuid(2) touches no memory and cannot fail.
    if unsafe { libc::geteuid() } == 0 {
        // Chromium's sandbox refuses root, as whom machines that test often run.
        arguments.push("--no-sandbox".to_owned());
    }
    let options = json!({
        "args": arguments,
        "prefs": {
            "intl.accept_languages": look.language,
            "intl.selected_languages": look.language,
            "download.default_directory": profile.join("downloads"),
        },
    });
    let patience = u64::try_from(wait::LATER.as_millis()).expect("patience ends");
    let all = json!({
        "browserName": "chrome",
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "script": patience, "pageLoad": patience, "implicit": 0 },
    });
    let all: HashMap<String, Value> = serde_json::from_value(all).expect("an object");
    all.into_iter().collect()
}
