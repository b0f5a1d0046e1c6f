//! A node's API, served.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::{Ask, Gate, Privacy, Role, Settings, Token};
use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use number::{Number, Plan};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use store::{Json, NewEvent, Options, PoolNumber, Store, StoreError, Timestamp, Ulid};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::contract;
use crate::desk::{self, Shared};

/// A line whose codes have five digits.
pub(crate) const LINE: &str = "+74950000001";
/// A line whose codes have four.
pub(crate) const SHORT_LINE: &str = "+74950000002";

/// The numbers that pairs are given; the last is reserved.
pub(crate) const POOL: [&str; 4] = ["+78005550001", "+78005550002", "+78005550003", "+78005550009"];

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) gate: Gate,
    pub(crate) desk: Shared,
    pub(crate) url: String,
    pub(crate) dir: TempDir,
    client: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

pub(crate) fn secret(role: Role) -> String {
    format!("{role}-secret")
}

pub(crate) fn settings(dir: &Path) -> Settings {
    let line = |text| Number::parse(text).unwrap();
    Settings {
        plan: Plan::of("RU").unwrap(),
        tokens: Role::ALL.map(|role| Token::new(&secret(role), role)).to_vec(),
        users: vec![],
        console: api::ConsoleSettings::default(),
        proxies: vec![],
        lines: [(line(LINE), 5), (line(SHORT_LINE), 4)].into(),
        pool: api::PoolSettings {
            ours: POOL.map(line).into(),
            cool_off: Duration::from_secs(60),
            validate: true,
            countries: vec!["RU".into()],
        },
        every_line: [line(LINE), line(SHORT_LINE)].into(),
        languages: vec!["ru".into(), "en".into()],
        webhooks: vec!["shop".into()],
        recordings: recording::Settings::wav(dir.join("recordings")),
        privacy: Privacy::Full,
    }
}

/// What was cut off may hold the store until its last write is done.
async fn open(dir: &Path, options: Options) -> Store {
    let opened = async {
        loop {
            match Store::open(dir, options.clone()) {
                Err(StoreError::Locked { .. }) => tokio::task::yield_now().await,
                opened => return opened.unwrap(),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), opened).await.expect("the store is let go of")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::over(tempfile::tempdir().unwrap(), Options::default()).await
    }

    /// Over a store that may have been there before.
    pub(crate) async fn over(dir: TempDir, options: Options) -> Self {
        let store = open(&dir.path().join("store"), options).await;
        let number = |text: &str| Number::parse(text).unwrap();
        store.set_pool(&POOL.map(|text| PoolNumber { number: number(text), reserved: text == POOL[3] }));
        std::fs::create_dir_all(dir.path().join("recordings")).unwrap();
        let (asks, asked) = mpsc::channel::<Ask>(16);
        let desk = desk::open(asked, store.clone());
        let gate = Gate::new(store.clone(), settings(dir.path()), asks);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serve = api::serve(listener, None, gate.clone(), async move {
            let _ = stopped.await;
        });
        let served = tokio::spawn(serve);
        let client =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { store, gate, desk, url, dir, client, stop, served }
    }

    /// Stops everything and gives back the directory.
    pub(crate) async fn stop(self) -> TempDir {
        drop(self.client);
        let _ = self.stop.send(());
        self.served.await.unwrap();
        self.dir
    }

    pub(crate) fn recordings(&self) -> PathBuf {
        self.dir.path().join("recordings")
    }

    /// A request with the token of a role.
    pub(crate) fn ask(&self, role: Role, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(secret(role))
    }

    /// A request without a token.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) async fn get(&self, role: Role, path: &str) -> Answer {
        self.send(self.ask(role, Method::GET, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.ask(Role::App, Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post(&self, role: Role, path: &str, body: &Value) -> Answer {
        self.send(self.ask(role, Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, role: Role, path: &str) -> Answer {
        self.send(self.ask(role, Method::DELETE, path)).await
    }

    /// Sends, and holds the answer against the document.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        contract::check(&method, &path, status, &headers, &body);
        Answer { status, headers, body }
    }

    /// Appends one event; its id.
    pub(crate) fn happen(&self, kind: &str, call: Option<Ulid>, data: &str) -> Ulid {
        let at = Timestamp::from(std::time::SystemTime::now());
        let event = NewEvent { kind: kind.into(), at, call, data: Json::parse(data).unwrap() };
        self.store.append_events(vec![event]).unwrap()[0]
    }
}

/// An answer, already found to be as described.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status, code and field of a problem.
    pub(crate) fn problem(&self) -> (u16, String, Option<String>) {
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        let text = |name: &str| problem[name].as_str().map(str::to_owned);
        (self.status, text("code").unwrap(), text("field"))
    }
}
