//! The event log.

use std::sync::mpsc;

use store::{Batch, NewEvent, Options, Outcome, StoreError, Timestamp, Ulid};

use crate::world::{World, at, event};

fn kinds(events: &[store::Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

#[test]
fn names_only_grow_also_when_the_clock_is_set_back() {
    let mut world = World::new();
    let mut last = Ulid::nil();
    for round in 0..3 {
        for moment in [
            at(5_000),
            at(0),
            at(5_000),
            Timestamp(0),
            Timestamp::LAST.before(std::time::Duration::from_secs(1)),
        ] {
            let moment = if round == 2 { Timestamp(1) } else { moment };
            let event = NewEvent { at: moment, ..event("node.started", None) };
            let ids = world.store().append_events(vec![event.clone(), event]).unwrap();
            assert!(last < ids[0] && ids[0] < ids[1] && ids[1].to_string() > last.to_string());
            last = ids[1];
        }
        assert_eq!(world.reopen().last_event(), Some(last));
    }
}

#[test]
fn a_stream_resumes_after_any_event() {
    let mut world = World::new();
    let names = ["a", "b", "c", "d", "e"];
    let ids = world.store().append_events(names.map(|name| event(name, Some(1))).to_vec()).unwrap();
    let store = world.reopen();
    assert_eq!(kinds(&store.events_after(None, 10).unwrap().events), names);
    for (place, id) in ids.iter().enumerate() {
        let after = store.events_after(Some(*id), 10).unwrap();
        assert_eq!((kinds(&after.events), after.gap), (names[place + 1..].to_vec(), false));
    }
    assert_eq!(kinds(&store.events_after(Some(ids[0]), 2).unwrap().events), ["b", "c"]);
    let first = &store.events_after(None, 1).unwrap().events[0];
    let json = serde_json::to_value(first).unwrap();
    assert_eq!((json["type"].as_str(), json["id"].as_str().map(str::len)), (Some("a"), Some(26)));
}

#[test]
fn the_log_keeps_the_newest_and_says_where_it_has_a_gap() {
    let options = Options { events: 10, ..Options::default() };
    let mut world = World::with(options);
    let mut ids = Vec::new();
    for round in 0..3 {
        for n in 0..10 {
            ids.extend(world.store().append_events(vec![event(&format!("{round}.{n}"), None)]).unwrap());
        }
        let store = world.reopen();
        let kept: Vec<Ulid> =
            store.events_after(None, 100).unwrap().events.iter().map(|event| event.id).collect();
        assert_eq!(kept, ids[ids.len() - 10..]);
    }
    assert!(world.store().events_after(Some(ids[5]), 100).unwrap().gap);
    assert!(!world.store().events_after(Some(ids[20]), 100).unwrap().gap);
    assert!(!world.store().events_after(None, 100).unwrap().gap);
}

#[test]
fn a_listener_hears_every_event_once_it_is_safe() {
    let world = World::new();
    let store = world.store();
    let (heard, hear) = mpsc::channel();
    let asks = store.clone();
    store.listen(move |events| {
        for event in events {
            let safe = asks.last_event() >= Some(event.id);
            heard.send((event.kind.clone(), safe)).unwrap();
        }
    });
    store.append_events(vec![event("a", None), event("b", None)]).unwrap();
    store.append_events(vec![event("c", None)]).unwrap();
    let all: Vec<_> = hear.try_iter().collect();
    assert_eq!(all, ["a", "b", "c"].map(|kind| (kind.to_owned(), true)));
    // The listener holds the store; without another listener it would never close.
    store.listen(|_| {});
}

#[test]
fn a_commit_does_not_wait_and_is_answered_when_safe() {
    let world = World::new();
    let (answer, answers) = mpsc::channel();
    let batch = Batch::new().event(event("a", None)).event(event("b", None));
    world.store().commit(batch, move |outcomes| answer.send(outcomes).unwrap()).unwrap();
    let outcomes = answers.recv().unwrap().unwrap();
    assert!(matches!(outcomes[..], [Outcome::Event(a), Outcome::Event(b)] if a < b));
    let (answer, answers) = mpsc::channel();
    let batch = Batch::new().event(event(&"x".repeat(65), None));
    world.store().commit(batch, move |outcomes| answer.send(outcomes).unwrap()).unwrap();
    assert!(matches!(answers.try_recv(), Ok(Err(StoreError::Refused(_)))), "told at once");
}

#[test]
fn a_full_queue_gives_the_batch_back() {
    let world = World::new();
    let store = world.store();
    let (open, gate) = mpsc::channel::<()>();
    store.commit(Batch::new().event(event("a", None)), move |_| gate.recv().unwrap()).unwrap();
    // The one thread that writes stands in that answer (or will); all that follows waits.
    let mut taken = 0;
    let refused = loop {
        match store.commit(Batch::new().event(event("b", None)), |_| {}) {
            Ok(()) => taken += 1,
            Err(batch) => break batch,
        }
    };
    assert_eq!(refused.len(), 1);
    open.send(()).unwrap();
    store.apply(refused).unwrap();
    assert_eq!(store.events_after(None, 1_000).unwrap().events.len().min(1_000), 1_000.min(taken + 2));
}

#[test]
fn an_answer_that_panics_does_not_stop_the_store() {
    let world = World::new();
    let store = world.store();
    store.commit(Batch::new().event(event("a", None)), |_| panic!("not our fault")).unwrap();
    assert!(store.append_events(vec![event("b", None)]).is_ok());
    assert_eq!(store.fault(), None);
}
