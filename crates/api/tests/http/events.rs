//! `GET /v1/events`.

use std::time::Duration;

use api::Role;
use axum::http::Method;
use serde_json::{Value, json};
use store::{Options, Ulid};
use tokio::time::timeout;

use crate::contract;
use crate::world::World;

/// Fails a test that would wait for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream of events, being read.
struct Stream {
    response: reqwest::Response,
    text: String,
}

/// One block of the stream.
#[derive(Debug, Default, PartialEq)]
struct Block {
    id: Option<String>,
    event: Option<String>,
    data: Option<Value>,
}

impl Stream {
    async fn open(world: &World, role: Role, query: &str, last: Option<Ulid>) -> Self {
        let mut request = world.ask(role, Method::GET, &format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, text: String::new() };
        // Once greeted, it hears whatever happens.
        assert_eq!(stream.block().await, Block::default());
        stream
    }

    async fn block(&mut self) -> Block {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (parse(block), rest.to_owned());
                self.text = rest;
                return block;
            }
            let piece = timeout(PATIENCE, self.response.chunk()).await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&piece.expect("the stream goes on")).unwrap());
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.block().await.id.unwrap());
        }
        ids
    }
}

fn parse(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => block.id = Some(id.to_owned()),
            Some(("event", event)) => block.event = Some(event.to_owned()),
            Some(("data", data)) => block.data = Some(serde_json::from_str(data).unwrap()),
            Some(("retry", _)) => {}
            _ => panic!("{line} is no field of an event"),
        }
    }
    block
}

fn texts(ids: &[Ulid]) -> Vec<String> {
    ids.iter().map(Ulid::to_string).collect()
}

#[tokio::test]
async fn what_happens_is_told_as_it_happens() {
    let world = World::new().await;
    world.happen("call.asked", Some(Ulid(7)), "{}");
    let mut stream = Stream::open(&world, Role::App, "", None).await;
    let id = world.happen("call.code", Some(Ulid(7)), "{\"code\":\"12345\",\n \"order_found\": true}");
    let block = stream.block().await;
    assert_eq!(block.id, Some(id.to_string()));
    assert_eq!(block.event.as_deref(), Some("call.code"));
    let data = block.data.unwrap();
    contract::check_json(&contract::schema("Event"), data.to_string().as_bytes(), "an event");
    contract::check_json(&contract::schema("call.code"), data["data"].to_string().as_bytes(), "its data");
    assert_eq!(data["call"], Ulid(7).to_string());
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_without_loss_or_doubling() {
    let world = World::new().await;
    let mut ids: Vec<Ulid> = (0..700).map(|_| world.happen("call.asked", None, "{}")).collect();
    let mut stream = Stream::open(&world, Role::App, "", Some(ids[99])).await;
    // More happens while the past is still being told.
    ids.extend((0..300).map(|_| world.happen("call.asked", None, "{}")));
    assert_eq!(stream.ids(900).await, texts(&ids[100..]));
    drop(stream);
    let last = ids[999];
    let more: Vec<Ulid> = (0..3).map(|_| world.happen("call.asked", None, "{}")).collect();
    let mut stream = Stream::open(&world, Role::App, &format!("?last_event_id={last}"), None).await;
    assert_eq!(stream.ids(3).await, texts(&more));
}

#[tokio::test]
async fn one_who_reads_slowly_reads_up_and_loses_nothing() {
    let world = World::new().await;
    let mut stream = Stream::open(&world, Role::App, "", None).await;
    // Far more than is kept for those who lag, and than the sockets hold.
    let padding = format!("{{\"x\":\"{}\"}}", "x".repeat(1500));
    let ids: Vec<Ulid> = (0..4000).map(|_| world.happen("call.asked", None, &padding)).collect();
    assert_eq!(stream.ids(4000).await, texts(&ids));
}

#[tokio::test]
async fn a_stream_over_a_restart_goes_on_where_it_was() {
    let world = World::new().await;
    let first = world.happen("call.asked", None, "{}");
    let second = world.happen("call.asked", None, "{}");
    let world = World::over(world.stop().await, Options::default()).await;
    let third = world.happen("call.asked", None, "{}");
    let mut stream = Stream::open(&world, Role::App, "", Some(first)).await;
    assert_eq!(stream.ids(2).await, texts(&[second, third]));
}

#[tokio::test]
async fn events_no_longer_kept_are_told_as_a_gap() {
    let options = Options { events: 10, ..Options::default() };
    let world = World::over(tempfile::tempdir().unwrap(), options).await;
    let ids: Vec<Ulid> = (0..200).map(|_| world.happen("call.asked", None, "{}")).collect();
    let mut stream = Stream::open(&world, Role::App, "", Some(ids[0])).await;
    let gap = stream.block().await;
    assert_eq!((gap.id, gap.event.as_deref()), (None, Some("gap")));
    assert_eq!(gap.data, Some(json!({"after": ids[0].to_string()})));
    let next: Ulid = Ulid::from_string(&stream.block().await.id.unwrap()).unwrap();
    assert!(next > ids[1] && ids.contains(&next));
}

#[tokio::test]
async fn only_the_types_wanted_are_told() {
    let world = World::new().await;
    let mut stream = Stream::open(&world, Role::App, "?types=call.*,order.put", None).await;
    world.happen("trunk.up", None, "{}");
    let call = world.happen("call.asked", None, "{}");
    world.happen("order.expired", None, "{}");
    let put = world.happen("order.put", None, "{}");
    assert_eq!(stream.ids(2).await, texts(&[call, put]));
}

#[tokio::test]
async fn an_operator_hears_events_with_numbers_masked() {
    let world = World::new().await;
    let mut stream = Stream::open(&world, Role::Operator, "", None).await;
    world.happen("call.arrived", None, r#"{"line":"+74950000001","trunk":"t","caller":"+79991111111"}"#);
    let data = stream.block().await.data.unwrap();
    assert_eq!(data["data"], json!({"line": "+74950000001", "trunk": "t", "caller": "***1111"}));
}

#[tokio::test]
async fn what_cannot_be_resumed_or_filtered_is_refused() {
    let world = World::new().await;
    for (query, field) in [("?last_event_id=7", "Last-Event-ID"), ("?types=CALL", "types")] {
        let refused = world.get(Role::App, &format!("/v1/events{query}")).await;
        assert_eq!(refused.problem(), (400, "parameter-invalid".into(), Some(field.into())));
    }
    let misspelt = world.get(Role::App, "/v1/events?type=call.*").await;
    assert_eq!(misspelt.problem(), (400, "unknown-parameter".into(), Some("type".into())));
}
