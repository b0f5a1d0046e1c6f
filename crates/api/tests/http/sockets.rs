//! `GET /v1/ws`.

use std::time::Duration;

use api::Role;
use axum::http::Method;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use store::{Options, Ulid};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::contract;
use crate::sign_in::{named, sign_in, with, world};
use crate::world::{World, secret};

/// Fails a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The status where it is refused.
    async fn open(world: &World, query: &str, headers: &[(&'static str, String)]) -> Result<Self, u16> {
        let url = format!("{}/v1/ws{query}", world.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    async fn of(world: &World, role: Role, query: &str) -> Self {
        Self::open(world, query, &[("authorization", format!("Bearer {}", secret(role)))]).await.unwrap()
    }

    async fn next(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.0.next()).await.unwrap().and_then(Result::ok)
    }

    async fn event(&mut self) -> Value {
        loop {
            let message = self.next().await.expect("it goes on");
            if !message.is_ping() {
                return serde_json::from_str(message.to_text().unwrap()).unwrap();
            }
        }
    }

    /// Why it ended; `None` where it broke off.
    async fn end(mut self) -> Option<CloseCode> {
        loop {
            match self.next().await {
                Some(Message::Close(frame)) => return frame.map(|frame| frame.code),
                Some(_) => {}
                None => return None,
            }
        }
    }
}

#[tokio::test]
async fn what_happens_is_told_in_order_and_resumed_without_loss() {
    let world = World::new().await;
    let ids: Vec<Ulid> = (0..600).map(|_| world.happen("call.asked", None, "{}")).collect();
    let mut socket = Socket::of(&world, Role::App, &format!("?last_event_id={}", ids[9])).await;
    let more: Vec<Ulid> = (0..10).map(|_| world.happen("call.asked", None, "{}")).collect();
    for id in ids[10..].iter().chain(&more) {
        let event = socket.event().await;
        contract::check_json(&contract::schema("Event"), event.to_string().as_bytes(), "an event");
        assert_eq!(event["id"], id.to_string());
    }
}

#[tokio::test]
async fn types_are_filtered_numbers_masked_and_gaps_told() {
    let options = Options { events: 10, ..Options::default() };
    let world = World::over(tempfile::tempdir().unwrap(), options).await;
    let first = world.happen("call.asked", None, "{}");
    for _ in 0..100 {
        world.happen("call.asked", None, "{}");
    }
    let mut socket =
        Socket::of(&world, Role::Operator, &format!("?types=call.arrived&last_event_id={first}")).await;
    assert_eq!(socket.event().await, json!({"type": "gap", "after": first.to_string()}));
    world.happen("call.arrived", None, r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111"}"#);
    assert_eq!(socket.event().await["data"]["caller"], "***1111");
}

#[tokio::test]
async fn calls_and_what_follows_them_fit_together() {
    let world = World::new().await;
    let arrived = r#"{"line":"+74950000001","trunk":"carrier","caller":"+79991111111"}"#;
    // Before anything ever happened there is a place to go on from, too.
    let nothing = world.get(Role::App, "/v1/calls").await.json();
    let first = world.happen("call.arrived", Some(Ulid(7)), arrived);
    let mut socket =
        Socket::of(&world, Role::App, &format!("?last_event_id={}", nothing["last_event"].as_str().unwrap()))
            .await;
    assert_eq!(socket.event().await["id"], first.to_string());
    let page = world.get(Role::App, "/v1/calls").await.json();
    assert_eq!(
        (page["items"].as_array().unwrap().len(), &page["last_event"]),
        (1, &json!(first.to_string()))
    );
    // What is about no call counts as well, and so does the log of before a restart.
    let other = world.happen("trunk.up", None, "{}");
    assert_eq!(world.get(Role::App, "/v1/calls").await.json()["last_event"], other.to_string());
    let world = World::over(world.stop().await, Options::default()).await;
    let page = world.get(Role::App, "/v1/calls").await.json();
    assert_eq!(page, json!({"items": [], "next_cursor": null, "last_event": other.to_string()}));
}

#[tokio::test]
async fn only_who_may_is_let_in_and_only_by_a_websocket() {
    let world = world().await;
    let plain = world.get(Role::App, "/v1/ws").await;
    assert_eq!(plain.problem(), (426, "upgrade-needed".into(), None));
    assert_eq!(Socket::open(&world, "", &[]).await.err(), Some(401));
    let metrics = [("authorization", format!("Bearer {}", secret(Role::Metrics)))];
    assert_eq!(Socket::open(&world, "", &metrics).await.err(), Some(403));
    let anna = sign_in(&world, &named("anna")).await;
    let cookie = ("cookie", format!("bauta_session={}", anna.cookie));
    let from = |origin: &str| [cookie.clone(), ("origin", origin.to_owned())];
    assert!(Socket::open(&world, "", &from(&world.url)).await.is_ok());
    for foreign in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(Socket::open(&world, "", &from(foreign)).await.err(), Some(403), "{foreign}");
    }
}

#[tokio::test]
async fn it_ends_when_the_node_stops_and_when_whoever_listens_may_no_longer() {
    let world = world().await;
    let anna = sign_in(&world, &named("anna")).await;
    let cookie = [("cookie", format!("bauta_session={}", anna.cookie))];
    let leaving = Socket::open(&world, "", &cookie).await.unwrap();
    let left = world.send(anna.ask(&world, Method::DELETE, "/v1/session")).await;
    assert_eq!(left.status, 204);
    assert_eq!(leaving.end().await, Some(CloseCode::Policy));
    let anna = sign_in(&world, &named("anna")).await;
    let cookie = [("cookie", format!("bauta_session={}", anna.cookie))];
    let dismissed = Socket::open(&world, "", &cookie).await.unwrap();
    let token = Socket::of(&world, Role::App, "").await;
    with(&world, |settings| {
        settings.users.clear();
        settings.tokens.retain(|token| token.role() != Role::App);
    })
    .await;
    assert_eq!(dismissed.end().await, Some(CloseCode::Policy));
    assert_eq!(token.end().await, Some(CloseCode::Policy));
    let staying = Socket::of(&world, Role::Admin, "").await;
    let stopped = tokio::spawn(world.stop());
    assert_eq!(staying.end().await, Some(CloseCode::Away));
    stopped.await.unwrap();
}

#[tokio::test]
async fn whoever_says_more_than_is_expected_is_sent_away() {
    let world = World::new().await;
    for message in [Message::text("hello"), Message::binary(vec![0; 100])] {
        let mut socket = Socket::of(&world, Role::App, "").await;
        socket.0.send(message).await.unwrap();
        assert_eq!(socket.end().await, Some(CloseCode::Unsupported));
    }
    let mut large = Socket::of(&world, Role::App, "").await;
    // It may be gone before all is written.
    let _ = large.0.send(Message::text("x".repeat(1 << 20))).await;
    assert_eq!(large.end().await, None);
    let mut pinging = Socket::of(&world, Role::App, "").await;
    for _ in 0..10_000 {
        if pinging.0.send(Message::Ping(axum::body::Bytes::from_static(b"flood"))).await.is_err() {
            break;
        }
    }
    assert!(matches!(pinging.end().await, Some(CloseCode::Policy) | None));
    // Octets that are no frames.
    let mut garbage = Socket::of(&world, Role::App, "").await;
    let MaybeTlsStream::Plain(stream) = garbage.0.get_mut() else { panic!("it is plain") };
    stream.write_all(&[0xff; 4096]).await.unwrap();
    assert_eq!(garbage.end().await, None);
    // Nobody else has noticed.
    let mut other = Socket::of(&world, Role::App, "").await;
    let id = world.happen("call.asked", None, "{}");
    assert_eq!(other.event().await["id"], id.to_string());
}

#[tokio::test]
async fn one_who_does_not_read_holds_nothing_up() {
    let world = World::new().await;
    let _deaf = Socket::of(&world, Role::App, "").await;
    let padding = format!("{{\"x\":\"{}\"}}", "x".repeat(1500));
    for _ in 0..10_000 {
        world.happen("call.asked", None, &padding);
    }
    timeout(PATIENCE, world.stop()).await.expect("the node stops all the same");
}
