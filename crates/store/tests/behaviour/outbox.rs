//! What is still to be told to whom.

use store::{Delivery, Options, Store, StoreError, Ulid};

use crate::world::{NOW, World, at, event, record, webhook};

fn world(options: Options) -> World {
    let world = World::with(options);
    watch(world.store());
    world
}

fn watch(store: &Store) {
    let calls = webhook("calls", |kind| kind.starts_with("call."));
    let all = webhook("all", |_| true);
    store.set_webhooks(vec![calls, all]).unwrap();
}

fn append(store: &Store, kind: &str, call: u128) -> Ulid {
    store.append_events(vec![event(kind, Some(call))]).unwrap()[0]
}

fn due(store: &Store, webhook: &str, ms: u64) -> Vec<Delivery> {
    store.outbox_due(webhook, at(ms), 100).unwrap()
}

fn kinds(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.kind.as_str()).collect()
}

#[test]
fn each_webhook_is_told_what_it_wants_in_order_per_call() {
    let mut world = world(Options::default());
    for (kind, call) in [("call.a", 1), ("order.x", 9), ("call.b", 1), ("call.c", 2)] {
        append(world.store(), kind, call);
    }
    assert_eq!(kinds(&due(world.store(), "calls", 0)), ["call.a", "call.c"]);
    let store = world.reopen();
    let mut told = due(store, "calls", 0);
    assert_eq!(kinds(&told), ["call.a", "call.c"]);
    assert!(due(store, "calls", 0).is_empty(), "being told");
    assert_eq!(kinds(&due(store, "all", 0)), ["call.a", "order.x", "call.c"]);
    store.delivered(told.remove(0)).unwrap();
    assert_eq!(kinds(&due(store, "calls", 0)), ["call.b"]);
    drop(told);
    assert_eq!(kinds(&due(world.reopen(), "calls", 0)), ["call.b", "call.c"]);
    assert_eq!(world.store().outbox_status("calls").waiting, 2);
}

#[test]
fn a_delivery_dropped_without_a_word_is_offered_again() {
    let world = world(Options::default());
    append(world.store(), "call.a", 1);
    drop(due(world.store(), "calls", 0));
    assert_eq!(kinds(&due(world.store(), "calls", 0)), ["call.a"]);
}

#[test]
fn a_failed_delivery_waits_for_its_time_also_over_a_restart() {
    let mut world = world(Options::default());
    append(world.store(), "call.a", 1);
    append(world.store(), "call.b", 1);
    let store = world.store();
    store.failed(due(store, "calls", 0).remove(0), at(50), "503").unwrap();
    assert_eq!((store.outbox_next("calls"), due(store, "calls", 49).len()), (Some(at(50)), 0));
    assert_eq!(store.outbox_status("calls").last_error.as_deref(), Some("503"));
    let store = world.reopen();
    assert!(due(store, "calls", 49).is_empty());
    let again = due(store, "calls", 50);
    assert_eq!((kinds(&again), again[0].attempts, again[0].since), (vec!["call.a"], 1, NOW));
    assert_eq!(store.outbox_next("calls"), None, "the only one that could be told is being told");
}

#[test]
fn a_dead_letter_is_kept_with_its_reason_and_can_be_replayed() {
    let mut world = world(Options { events: 3, ..Options::default() });
    let ids: Vec<Ulid> = (0..5).map(|n| append(world.store(), &format!("call.{n}"), n)).collect();
    for delivery in due(world.store(), "calls", 0) {
        world.store().dead(delivery, "gone for a day", at(9)).unwrap();
    }
    for delivery in due(world.store(), "all", 0) {
        world.store().delivered(delivery).unwrap();
    }
    let store = world.reopen();
    assert_eq!((store.outbox_status("calls").dead, store.outbox_status("calls").waiting), (5, 0));
    let first = store.dead_letters("calls", None, 3).unwrap();
    assert_eq!(first.items.iter().map(|letter| letter.event.id).collect::<Vec<_>>(), ids[..3]);
    assert_eq!((first.items[0].error.as_str(), first.items[0].at), ("gone for a day", at(9)));
    let rest = store.dead_letters("calls", first.next.as_deref(), 3).unwrap();
    assert_eq!((rest.items.len(), rest.next), (2, None));
    assert_eq!(store.dead_letters("calls", Some("x"), 3), Err(StoreError::Cursor));
    assert_eq!(store.replay("calls", &[ids[1], ids[1], Ulid::nil()], at(20)), Ok(1));
    watch(store);
    let again = due(store, "calls", 20);
    assert_eq!((kinds(&again), again[0].attempts, again[0].since), (vec!["call.1"], 0, at(20)));
    assert_eq!(store.replay_all("calls", at(20)), Ok(4));
    assert_eq!(kinds(&due(store, "calls", 20)), ["call.0", "call.2", "call.3", "call.4"]);
    assert_eq!(store.outbox_status("calls").dead, 0);
}

#[test]
fn an_event_outlives_the_log_exactly_as_long_as_someone_is_to_be_told() {
    let mut world = world(Options { events: 2, ..Options::default() });
    let first = append(world.store(), "call.first", 1);
    for n in 0..10 {
        append(world.store(), "order.more", 100 + n);
    }
    let store = world.reopen();
    assert_eq!(store.events_after(None, 100).unwrap().events.len(), 2);
    let mut told = due(store, "all", 0);
    assert_eq!((told.len(), told[0].event.id), (11, first));
    told.drain(..).for_each(|delivery| store.delivered(delivery).unwrap());
    assert_eq!(kinds(&due(store, "calls", 0)), ["call.first"], "another one is still to be told");
    store.delivered(due(store, "calls", 0).remove(0)).unwrap();
    assert!(due(world.reopen(), "all", 0).is_empty() && due(world.store(), "calls", 0).is_empty());
}

#[test]
fn too_many_waiting_become_dead_letters_and_too_many_of_those_are_counted() {
    let mut world = world(Options { outbox: 5, dead_letters: 3, events: 4, ..Options::default() });
    for n in 0..12 {
        append(world.store(), &format!("call.{n}"), n);
    }
    let store = world.reopen();
    let status = store.outbox_status("calls");
    assert_eq!((status.waiting, status.dead, status.dropped), (5, 3, 4));
    assert_eq!(kinds(&due(store, "calls", 0)), ["call.7", "call.8", "call.9", "call.10", "call.11"]);
    let dead = store.dead_letters("calls", None, 10).unwrap().items;
    assert_eq!(
        dead.iter().map(|letter| letter.event.kind.as_str()).collect::<Vec<_>>(),
        ["call.4", "call.5", "call.6"]
    );
    assert_eq!(store.replay_all("calls", NOW), Ok(0), "the queue has no room");
    assert_eq!(store.outbox_status("calls").dead, 3);
}

#[test]
fn what_is_being_told_is_not_buried_by_what_follows() {
    let world = world(Options { outbox: 1, ..Options::default() });
    append(world.store(), "call.0", 0);
    let told = due(world.store(), "calls", 0).remove(0);
    append(world.store(), "call.1", 1);
    append(world.store(), "call.2", 2);
    world.store().delivered(told).unwrap();
    assert_eq!(kinds(&due(world.store(), "calls", 0)), ["call.2"]);
    assert_eq!(world.store().outbox_status("calls").dead, 1);
}

#[test]
fn a_record_and_whom_to_tell_of_it_are_written_together() {
    let mut world = world(Options::default());
    world.store().finish(&record(1), vec![event("record.written", Some(1))]).unwrap();
    let store = world.reopen();
    assert_eq!(kinds(&due(store, "all", 0)), ["record.written"]);
    assert!(store.record(crate::world::call(1)).unwrap().is_some());
}

#[test]
fn names_of_webhooks_are_checked() {
    let world = World::new();
    for names in [
        vec![""],
        vec!["a", "a"],
        vec!["a\0b"],
        vec!["12345678901234567890123456789012345678901234567890123456789012345"],
    ] {
        let webhooks = names.into_iter().map(|name| webhook(name, |_| true)).collect();
        assert!(matches!(world.store().set_webhooks(webhooks), Err(StoreError::Refused(_))));
    }
}
