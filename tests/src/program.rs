//! The program under test, as its users start it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::config::{self, Config};
use crate::loopback::{HTTP_PORT, Loopback};
use crate::tool::{self, Running};
use crate::wait;

/// A running `bauta serve` with a data directory of its own.
#[derive(Debug)]
pub struct Bauta {
    running: Running,
    dir: tempfile::TempDir,
    base: String,
    client: Client,
    environment: Vec<(String, String)>,
}

impl Bauta {
    /// Starts it and waits until it takes calls.
    ///
    /// # Panics
    /// If it does not, with what it said.
    #[must_use]
    pub fn start(loopback: &Loopback, config: &Config) -> Self {
        Self::start_in(Vec::new(), loopback, config)
    }

    /// As [`Self::start`], with more in its environment.
    ///
    /// # Panics
    /// If it does not take calls, with what it said.
    #[must_use]
    pub fn start_in(environment: Vec<(String, String)>, loopback: &Loopback, config: &Config) -> Self {
        let dir = tempfile::tempdir().expect("a directory can be made");
        std::fs::write(dir.path().join("bauta.toml"), config.write(dir.path())).expect("the disk has room");
        let client = Client::builder().no_proxy().timeout(wait::SOON).build().expect("a client can be made");
        let base = format!("http://{}:{HTTP_PORT}", loopback.server());
        let mut bauta = Self { running: spawn(dir.path(), &environment), dir, base, client, environment };
        bauta.await_ready();
        bauta
    }

    fn await_ready(&mut self) {
        let ready = format!("{}/readyz", self.base);
        wait::until("the program to be ready", wait::LATER, || {
            if let Some(status) = self.running.ended() {
                panic!("the program ended with {status}:\n{}", self.log());
            }
            self.client.get(&ready).send().ok().filter(|response| response.status().is_success())
        });
    }

    /// What it has said, both ways.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| std::fs::read_to_string(self.dir.path().join(name)).unwrap_or_default();
        read("stdout") + &read("stderr")
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        self.running.signal(signal);
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        self.running.wait(patience)
    }

    /// Kills it and starts it again on what it left.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.running.signal(libc::SIGKILL);
        self.running.wait(wait::SOON);
    }

    /// Starts it again, once it has ended, on what it left.
    pub fn restart(&mut self) {
        self.running = spawn(self.dir.path(), &self.environment);
        self.await_ready();
    }

    /// Asserts that it has logged no fault of its own.
    ///
    /// # Panics
    /// If there is an error or a panic in its log.
    pub fn assert_no_fault(&self) {
        let log = self.log();
        let fault = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
        assert_eq!(fault, None, "{log}");
    }

    /// An HTTP request with the token of role `app`; tells status and body.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn http(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.http_as(config::TOKEN, method, path, body)
    }

    /// As [`Self::http`], with any token.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn http_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = method.parse().expect("a method is a word");
        let mut request = self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let response = request.send().unwrap_or_else(|fault| panic!("{path}: {fault}\n{}", self.log()));
        let status = response.status().as_u16();
        let text = response.text().expect("a response has a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// A figure that has no labels; `None` before there is one.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        let (_, text) = self.http_as(config::ADMIN, "GET", "/metrics", None);
        let text = text.as_str()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }

    /// The octets of a recording.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn recording(&self, call: &str) -> Vec<u8> {
        let path = format!("{}/v1/recordings/{call}", self.base);
        let response = self.client.get(path).bearer_auth(config::ADMIN).send().expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "the recording of {call}");
        response.bytes().expect("a recording has octets").to_vec()
    }

    /// What is kept of the messages of a call, in the form asked for.
    ///
    /// # Panics
    /// If nothing is.
    #[must_use]
    pub fn trace(&self, call: &str, form: &str) -> Vec<u8> {
        let path = format!("{}/v1/calls/{call}/trace", self.base);
        let request = self.client.get(path).bearer_auth(config::ADMIN).header("Accept", form);
        let response = request.send().expect("an answer");
        assert_eq!(response.status().as_u16(), 200, "the trace of {call}");
        assert!(response.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with(form)));
        response.bytes().expect("a trace has octets").to_vec()
    }

    /// Puts an order that lives for `seconds`.
    ///
    /// # Panics
    /// If it is not taken.
    pub fn put_order(&self, code: &str, courier: &str, client: &str, seconds: u32) {
        let body = json!({
            "courier": { "number": courier },
            "client": { "number": client },
            "ttl_seconds": seconds,
            "data": { "shop": "test" },
        });
        let (status, answer) = self.http("PUT", &format!("/v1/orders/{code}"), Some(&body));
        assert!(matches!(status, 200 | 201), "{status} {answer}\n{}", self.log());
    }

    /// Every record so far.
    ///
    /// # Panics
    /// If they cannot be read.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let (status, answer) = self.http_as(config::ADMIN, "GET", "/v1/records?limit=200", None);
        assert_eq!(status, 200, "{answer}");
        let items = answer.get("items").or_else(|| answer.get("records")).unwrap_or(&answer);
        items.as_array().unwrap_or_else(|| panic!("no list of records in {answer}")).clone()
    }

    /// Waits until there are this many records, and no more.
    ///
    /// # Panics
    /// If there are others than `count`.
    #[must_use]
    pub fn await_records(&self, count: usize) -> Vec<Value> {
        let what = format!("{count} records");
        let records = wait::until(&what, wait::LATER, || {
            let records = self.records();
            (records.len() >= count).then_some(records)
        });
        assert_eq!(records.len(), count, "{records:#?}");
        records
    }

    /// Waits for the record of the only call.
    #[must_use]
    pub fn await_record(&self) -> Value {
        self.await_records(1).remove(0)
    }
}

impl Drop for Bauta {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what the program said:\n{}", self.log());
        }
    }
}

fn spawn(dir: &Path, environment: &[(String, String)]) -> Running {
    let mut command = Command::new(binary());
    let output = |name| {
        let file = File::options().append(true).create(true).open(dir.join(name));
        Stdio::from(file.expect("the disk has room"))
    };
    command
        .args(["serve", "--config"])
        .arg(dir.join("bauta.toml"))
        .current_dir(tool::repository())
        .envs(environment.iter().map(|(key, value)| (key, value)))
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"));
    Running::start(command)
}

/// The program, built by the same `cargo` with the same profile; `BAUTA_BIN` names another.
///
/// # Panics
/// If it is not built, or older than its sources.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("BAUTA_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/PROFILE/deps/TEST lies beside target/PROFILE/bauta.
    let profile = test.parent().and_then(Path::parent).expect("a test lies in target/PROFILE/deps");
    let path = profile.join("bauta");
    let built = modified(&path);
    assert!(built.is_some(), "{} is missing: cargo build -p server (tests/run does it)", path.display());
    for source in sources() {
        assert!(
            modified(&source) <= built,
            "{} is older than {}: cargo build -p server",
            path.display(),
            source.display()
        );
    }
    path
}

/// Every file the program is made from. Cargo's own list lies beside the program only once `cargo build` was asked for it by name.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut rest = vec![tool::repository().join("crates")];
    while let Some(directory) = rest.pop() {
        for entry in std::fs::read_dir(&directory).expect("the sources can be listed") {
            let path = entry.expect("the sources can be listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The simulated world, tests and benchmarks are no part of it.
            if path.is_dir() {
                if !matches!(name, "sim" | "tests" | "benches") {
                    rest.push(path);
                }
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|metadata| metadata.modified()).ok()
}
