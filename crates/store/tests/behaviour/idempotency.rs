//! Answers remembered.

use std::time::Duration;

use store::{Claim, Idempotency, Response, Store, StoreError, Timestamp};

use crate::world::{NOW, World};

const DAY: Duration = Duration::from_secs(86_400);

fn claim(store: &Store, key: &str, now: Timestamp) -> Claim {
    let known = store.idempotent(key, [1; 32], now).unwrap();
    let Idempotency::New(claim) = known else { panic!("{known:?}") };
    claim
}

#[test]
fn an_answer_is_given_again_for_a_day_and_only_to_the_same_request() {
    let mut world = World::new();
    let response = Response { status: 201, body: (0..Response::LONGEST).map(|n| n as u8).collect() };
    let claim_ = claim(world.store(), "key", NOW);
    world.store().remember(claim_, response.clone(), NOW).unwrap();
    let store = world.reopen();
    let almost = Timestamp(NOW.after(DAY).0 - 1);
    assert!(
        matches!(store.idempotent("key", [1; 32], almost), Ok(Idempotency::Done(done)) if done == response)
    );
    assert!(matches!(store.idempotent("key", [2; 32], almost), Ok(Idempotency::Mismatch)));
    assert!(matches!(store.idempotent("key2", [1; 32], almost), Ok(Idempotency::New(_))));
    let again = claim(store, "key", NOW.after(DAY));
    let short = Response { status: 200, body: b"ok".to_vec() };
    store.remember(again, short.clone(), NOW.after(DAY)).unwrap();
    store.sweep(NOW.after(DAY), 100).unwrap();
    assert!(
        matches!(store.idempotent("key", [1; 32], NOW.after(DAY)), Ok(Idempotency::Done(done)) if done == short)
    );
    store.sweep(NOW.after(DAY).after(DAY), 100).unwrap();
    // The clock is back where the answer still counted: it is gone because it was swept.
    drop(claim(store, "key", NOW.after(DAY)));
}

#[test]
fn of_two_who_ask_at_once_one_is_told_to_wait() {
    let world = World::new();
    let store = world.store();
    let first = claim(store, "key", NOW);
    assert!(matches!(store.idempotent("key", [1; 32], NOW), Ok(Idempotency::InProgress)));
    assert!(matches!(store.idempotent("key", [2; 32], NOW), Ok(Idempotency::Mismatch)));
    drop(first);
    drop(claim(store, "key", NOW));
}

#[test]
fn what_is_too_long_is_refused_and_leaves_no_claim() {
    let world = World::new();
    let store = world.store();
    assert!(matches!(store.idempotent(&"k".repeat(513), [1; 32], NOW), Err(StoreError::Refused(_))));
    let long = Response { status: 200, body: vec![0; Response::LONGEST + 1] };
    let refused = store.remember(claim(store, "key", NOW), long, NOW);
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    drop(claim(store, "key", NOW));
}
