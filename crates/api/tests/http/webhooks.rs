//! Webhooks: delivery from the outbox, and `/v1/webhooks`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::webhooks::{Deliverer, Schedule, Webhook};
use api::{Filter, Role};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use store::{Options, Ulid};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::contract;
use crate::receiver::{Mood, Receiver, Told};
use crate::world::World;

/// A deliverer at work.
struct Post {
    stop: oneshot::Sender<()>,
    run: JoinHandle<()>,
}

impl Post {
    fn open(world: &World, webhooks: Vec<Webhook>) -> Self {
        let deliverer = Deliverer::new(&world.gate, webhooks).unwrap();
        let (stop, stopped) = oneshot::channel();
        let run = tokio::spawn(deliverer.run(async move {
            let _ = stopped.await;
        }));
        Self { stop, run }
    }

    async fn close(self) {
        let _ = self.stop.send(());
        self.run.await.unwrap();
    }
}

fn webhook(name: &str, url: &str) -> Webhook {
    let quick = Duration::from_millis(10);
    Webhook {
        name: name.into(),
        url: url.into(),
        post: api::webhooks::Post::Event { secret: b"secret".as_slice().into() },
        events: Filter::default(),
        timeout: Duration::from_millis(500),
        schedule: Schedule::new(vec![quick], Duration::from_secs(3600)).unwrap(),
        at_once: 16,
    }
}

/// Whether the signature is what the secret makes of time and body.
fn is_signed(told: &Told) -> bool {
    let signature = told.header("bauta-signature");
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"secret").unwrap();
    mac.update(format!("{time}.{}", told.body).as_bytes());
    let digest: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    digest == hex
}

/// Asks until the answer is as it should be; what happens behind it takes its time.
async fn until(world: &World, path: &str, right: impl Fn(&Value) -> bool) -> Value {
    let asked = async {
        loop {
            let answer = world.get(Role::Admin, path).await.json();
            if right(&answer) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it comes right")
}

#[tokio::test]
async fn an_event_is_posted_once_signed_and_named() {
    let world = World::new().await;
    let mut shop = Receiver::moody([]).await;
    let post = Post::open(&world, vec![webhook("shop", &shop.url)]);
    let id = world.happen("call.asked", Some(Ulid(7)), "{}");
    let told = shop.next().await;
    assert!(told.head.starts_with("POST /hook HTTP/1.1"), "{}", told.head);
    assert_eq!(told.header("bauta-event-id"), id.to_string());
    assert_eq!(told.header("content-type"), "application/json");
    assert!(told.header("user-agent").starts_with("Bauta/"));
    assert!(is_signed(&told));
    contract::check_json(&contract::schema("Event"), told.body.as_bytes(), "a webhook");
    assert_eq!((told.event()["type"].as_str(), told.id()), (Some("call.asked"), id.to_string()));
    until(&world, "/v1/webhooks", |list| list["items"][0]["waiting"] == 0).await;
    post.close().await;
    assert_eq!(shop.waiting(), 0);
}

#[tokio::test]
async fn whatever_a_receiver_does_it_is_told_until_it_says_yes() {
    let world = World::new().await;
    let mut elsewhere = Receiver::moody([]).await;
    let moods = [
        Mood::Say(500),
        Mood::Say(404),
        Mood::Redirect(elsewhere.url.clone()),
        Mood::Close,
        Mood::Stammer,
        Mood::Hang,
        Mood::Say(204),
    ];
    let times = moods.len();
    let mut shop = Receiver::moody(moods).await;
    let post = Post::open(&world, vec![webhook("shop", &shop.url)]);
    let id = world.happen("call.asked", Some(Ulid(7)), "{}");
    for _ in 0..times {
        let told = shop.next().await;
        assert_eq!(told.id(), id.to_string());
        assert!(is_signed(&told));
    }
    until(&world, "/v1/webhooks", |list| list["items"][0]["waiting"] == 0).await;
    post.close().await;
    assert_eq!((shop.waiting(), elsewhere.waiting()), (0, 0));
}

#[tokio::test]
async fn a_yes_counts_even_if_what_follows_does_not_come() {
    let world = World::new().await;
    let mut shop = Receiver::moody([Mood::Promise]).await;
    let post = Post::open(&world, vec![webhook("shop", &shop.url)]);
    world.happen("call.asked", Some(Ulid(7)), "{}");
    shop.next().await;
    until(&world, "/v1/webhooks", |list| list["items"][0]["waiting"] == 0).await;
    post.close().await;
    assert_eq!(shop.waiting(), 0);
}

#[tokio::test]
async fn events_of_a_call_come_in_order_and_a_failing_call_delays_no_other() {
    let world = World::new().await;
    let (bad, good) = (Ulid(1), Ulid(2));
    // The first event of the bad call is refused until all of the good call have come.
    let good_ones = std::sync::Arc::new(std::sync::Mutex::new(0));
    let count = std::sync::Arc::clone(&good_ones);
    let bad_text = bad.to_string();
    let mut shop = Receiver::tempered(move |event, _| {
        let mut count = count.lock().unwrap();
        if event["call"] == bad_text.as_str() {
            return if *count < 5 { Mood::Say(503) } else { Mood::Say(200) };
        }
        *count += 1;
        Mood::Say(200)
    })
    .await;
    let post = Post::open(&world, vec![webhook("shop", &shop.url)]);
    let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..5 {
        for call in [bad, good] {
            let id = world.happen("call.asked", Some(call), "{}");
            order.entry(call.to_string()).or_default().push(id.to_string());
        }
    }
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while came.values().map(Vec::len).sum::<usize>() < 10 {
        let told = shop.next().await;
        let calls = came.entry(told.event()["call"].as_str().unwrap().to_owned()).or_default();
        if calls.last() != Some(&told.id()) {
            calls.push(told.id());
        }
    }
    assert_eq!(came, order);
    post.close().await;
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other() {
    let world = World::new().await;
    let dead = Receiver::tempered(|_, _| Mood::Hang).await;
    let mut shop = Receiver::moody([]).await;
    let hanging = Webhook { timeout: Duration::from_secs(3600), ..webhook("dead", &dead.url) };
    let post = Post::open(&world, vec![hanging, webhook("shop", &shop.url)]);
    let ids: BTreeSet<String> =
        (0..100).map(|call| world.happen("call.asked", Some(Ulid(call)), "{}").to_string()).collect();
    let mut came = BTreeSet::new();
    while came.len() < 100 {
        came.insert(shop.next().await.id());
    }
    assert_eq!(came, ids);
    // What hangs is cut off.
    post.run.abort();
}

#[tokio::test]
async fn only_the_types_wanted_are_posted() {
    let world = World::new().await;
    let mut shop = Receiver::moody([]).await;
    let events = Filter::parse(["call.*", "record.written"]).unwrap();
    let post = Post::open(&world, vec![Webhook { events, ..webhook("shop", &shop.url) }]);
    world.happen("order.put", None, "{}");
    let asked = world.happen("call.asked", None, "{}");
    world.happen("recording.ready", None, "{}");
    let written = world.happen("record.written", None, "{}");
    let came: BTreeSet<String> = [shop.next().await.id(), shop.next().await.id()].into();
    assert_eq!(came, [asked.to_string(), written.to_string()].into());
    post.close().await;
    assert_eq!(shop.waiting(), 0);
}

fn notice(role: b2bua::Role, name: &str, url: &str) -> Webhook {
    let line = number::Number::parse(crate::world::LINE).unwrap();
    let template = api::webhooks::Template {
        role,
        method: reqwest::Method::POST,
        url: url.to_owned(),
        headers: vec![("x-key".to_owned(), "{secret}".to_owned())],
        kind: api::webhooks::Kind::Json,
        body: r#"{"to":"{number}","dial":"{line}"}"#.to_owned(),
        texts: Vec::new(),
        secret: "s3cret".to_owned(),
        line,
        languages: BTreeMap::new(),
    };
    let post = api::webhooks::Post::Notice(Box::new(template));
    Webhook { post, events: Filter::parse(["order.put"]).unwrap(), ..webhook(name, url) }
}

/// The events of this type, oldest first.
fn events(world: &World, kind: &str) -> Vec<Value> {
    let events = world.store.events_after(None, 1_000).unwrap().events;
    let of_kind = events.into_iter().filter(|event| event.kind == kind);
    of_kind.map(|event| serde_json::from_str(event.data.as_str()).unwrap()).collect()
}

#[tokio::test]
async fn a_party_is_told_of_a_new_order_once_and_what_came_of_it_is_an_event() {
    let world = World::new().await;
    let mut taking = Receiver::moody([Mood::Say(500), Mood::Hang, Mood::Say(200)]).await;
    let refusing = Receiver::tempered(|_, _| Mood::Say(503)).await;
    let given_up = Webhook {
        schedule: Schedule::new(vec![Duration::from_millis(1)], Duration::ZERO).unwrap(),
        ..notice(b2bua::Role::Client, "shop", &refusing.url)
    };
    let told = notice(b2bua::Role::Courier, "notices.courier", &taking.url);
    let post = Post::open(&world, vec![told, given_up]);
    let order = json!({"courier": {"number": "+79991111111"}, "client": {"number": "+79992222222"}});
    world.put("/v1/orders/12345", &order).await;
    world.put("/v1/orders/12345", &order).await;
    for _ in 0..3 {
        let asked = taking.next().await;
        assert_eq!(asked.header("x-key"), "s3cret");
        let body = json!({"to": "+79991111111", "dial": crate::world::LINE});
        assert_eq!(serde_json::from_str::<Value>(&asked.body).unwrap(), body);
    }
    let letters = "/v1/webhooks/shop/dead-letters";
    until(&world, letters, |list| list["items"].as_array().is_some_and(|items| !items.is_empty())).await;
    until(&world, "/v1/webhooks", |_| events(&world, "notice.sent").len() == 1).await;
    let event = |party: &str| json!({"code": "12345", "line": null, "party": party});
    assert_eq!(events(&world, "notice.sent"), [event("courier")]);
    assert_eq!(events(&world, "notice.failed"), [event("client")]);
    for kind in ["notice.sent", "notice.failed"] {
        let told = events(&world, kind).remove(0).to_string();
        contract::check_json(&contract::schema(kind), told.as_bytes(), kind);
    }
    post.close().await;
    assert_eq!(taking.waiting(), 0, "put again it is the same order");
}

#[tokio::test]
async fn what_is_given_up_is_listed_and_told_once_more_on_demand() {
    let world = World::new().await;
    let moods: Vec<Mood> = vec![Mood::Say(500); 2];
    let mut shop = Receiver::moody(moods).await;
    let schedule = Schedule::new(vec![Duration::from_millis(1)], Duration::ZERO).unwrap();
    let post = Post::open(&world, vec![Webhook { schedule, ..webhook("shop", &shop.url) }]);
    let first = world.happen("call.asked", Some(Ulid(1)), r#"{"x":1}"#);
    let second = world.happen("call.asked", Some(Ulid(2)), "{}");
    let path = "/v1/webhooks/shop/dead-letters";
    let list = until(&world, path, |list| list["items"].as_array().unwrap().len() == 2).await;
    let letter =
        list["items"].as_array().unwrap().iter().find(|letter| letter["event"]["id"] == first.to_string());
    let letter = letter.unwrap();
    assert_eq!((&letter["error"], &letter["event"]["data"]), (&json!("answered 500"), &json!({"x": 1})));
    let page = world.get(Role::Admin, &format!("{path}?limit=1")).await.json();
    let next = page["next_cursor"].as_str().unwrap();
    let page = world.get(Role::Admin, &format!("{path}?limit=1&cursor={next}")).await.json();
    assert_eq!(page["items"][0]["event"]["id"], second.to_string());
    assert_eq!((shop.next().await.id().len(), shop.next().await.id().len()), (26, 26));

    let replay = format!("{path}/replay");
    let one = world.post(Role::Admin, &replay, &json!({"events": [first.to_string()]})).await;
    assert_eq!(one.json(), json!({"replayed": 1}));
    assert_eq!(shop.next().await.id(), first.to_string());
    let again = world.post(Role::Admin, &replay, &json!({"events": [first.to_string()]})).await;
    assert_eq!(again.problem(), (404, "dead-letter-unknown".into(), None));
    let all = world.send(world.ask(Role::Admin, axum::http::Method::POST, &replay)).await;
    assert_eq!(all.json(), json!({"replayed": 1}));
    assert_eq!(shop.next().await.id(), second.to_string());
    until(&world, "/v1/webhooks", |list| list["items"][0]["dead_letters"] == 0).await;
    post.close().await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused() {
    let world = World::new().await;
    let replay = "/v1/webhooks/shop/dead-letters/replay";
    for (body, code, field) in [
        (json!({"events": ["x"]}), "wrong-type", Some("events[0]")),
        (json!({"events": "all"}), "wrong-type", Some("events")),
        (json!({"event": []}), "unknown-field", Some("event")),
        (json!({"events": vec![Ulid(1).to_string(); 1001]}), "wrong-type", Some("events")),
    ] {
        let refused = world.post(Role::Admin, replay, &body).await;
        assert_eq!(refused.problem(), (422, code.into(), field.map(str::to_owned)), "{body}");
    }
    let unknown = (404, "webhook-unknown".into(), None);
    assert_eq!(world.get(Role::Admin, "/v1/webhooks/other/dead-letters").await.problem(), unknown);
    let other = world.post(Role::Admin, "/v1/webhooks/other/dead-letters/replay", &json!({})).await;
    assert_eq!(other.problem(), unknown);
}

#[tokio::test]
async fn over_a_restart_every_event_comes_at_least_once_and_in_order_per_call() {
    let mut shop =
        Receiver::tempered(|_, before| if before % 3 == 0 { Mood::Close } else { Mood::Say(200) }).await;
    let mut world = World::new().await;
    let mut order: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..3 {
        let post = Post::open(&world, vec![webhook("shop", &shop.url)]);
        for place in 0..40 {
            let call = Ulid(place % 5 + 1);
            let id = world.happen("call.asked", Some(call), "{}");
            order.entry(call.to_string()).or_default().push(id.to_string());
        }
        for _ in 0..20 {
            take(&mut came, shop.next().await);
        }
        if round < 2 {
            // In the middle of it: what is under way is cut off without a word.
            post.run.abort();
            let _ = post.run.await;
            world = World::over(world.stop().await, Options::default()).await;
        } else {
            while came.iter().any(|(call, ids)| ids.len() < order[call].len()) || came.len() < order.len() {
                take(&mut came, shop.next().await);
            }
            post.close().await;
        }
    }
    assert_eq!(came, order);
}

/// Notes an event where it first came; it may come again, but never after a later one of its call was taken first.
fn take(came: &mut BTreeMap<String, Vec<String>>, told: Told) {
    let call = told.event()["call"].as_str().unwrap().to_owned();
    let ids = came.entry(call).or_default();
    if !ids.contains(&told.id()) {
        ids.push(told.id());
    } else {
        assert_eq!(ids.last(), Some(&told.id()), "an older event came after a newer one");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_is_refused_at_once() {
    let world = World::new().await;
    for url in ["", "shop.example", "ftp://shop.example/", "http://"] {
        assert!(Deliverer::new(&world.gate, vec![webhook("shop", url)]).is_err(), "{url}");
    }
    let twice = vec![webhook("shop", "http://127.0.0.1:1/"), webhook("shop", "http://127.0.0.1:2/")];
    assert!(Deliverer::new(&world.gate, twice).is_err());
}
