//! Who is signed in.

use std::time::Duration;

use store::{SignIn, Timestamp};

use crate::world::{NOW, World, at};

fn sign_in(id: u8, proof: u8, created_at: Timestamp) -> SignIn {
    let expires_at = created_at.after(Duration::from_secs(60));
    SignIn { id: [id; 32], proof: [proof; 32], created_at, used_at: created_at, expires_at }
}

#[test]
fn who_signed_in_is_known_until_they_leave_also_over_a_restart() {
    let mut world = World::new();
    let anna = sign_in(1, 1, NOW);
    world.store().put_sign_in(anna.clone()).unwrap();
    world.store().use_sign_in(anna.id, at(30)).unwrap();
    world.reopen();
    assert_eq!(world.store().sign_in(&anna.id).unwrap(), Some(SignIn { used_at: at(30), ..anna.clone() }));
    // A clock that was set back makes nobody idle.
    world.store().use_sign_in(anna.id, at(10)).unwrap();
    assert_eq!(world.store().sign_in(&anna.id).unwrap().map(|anna| anna.used_at), Some(at(30)));
    assert!(world.store().end_sign_in(anna.id).unwrap());
    assert!(!world.store().end_sign_in(anna.id).unwrap());
    // Whoever left does not come back by what they had begun.
    world.store().use_sign_in(anna.id, at(40)).unwrap();
    assert_eq!(world.store().sign_in(&anna.id).unwrap(), None);
}

#[test]
fn those_whose_time_is_over_are_swept_and_of_one_person_the_oldest_make_room() {
    let world = World::new();
    let store = world.store();
    for id in 0..=u8::try_from(SignIn::MOST).unwrap() {
        store.put_sign_in(sign_in(id, 1, at(u64::from(id)))).unwrap();
    }
    store.put_sign_in(sign_in(200, 2, NOW)).unwrap();
    assert_eq!(store.sign_in(&[0; 32]).unwrap(), None);
    for id in [1, 32, 200] {
        assert!(store.sign_in(&[id; 32]).unwrap().is_some(), "{id}");
    }
    store.sweep(at(60_010), 1000).unwrap();
    for (id, is_there) in [(1, false), (10, false), (11, true), (32, true), (200, false)] {
        assert_eq!(store.sign_in(&[id; 32]).unwrap().is_some(), is_there, "{id}");
    }
}

#[test]
fn those_of_whom_something_else_is_said_are_ended() {
    let world = World::new();
    let store = world.store();
    for id in 1..=6 {
        store.put_sign_in(sign_in(id, id % 3, NOW)).unwrap();
    }
    assert_eq!(store.end_other_sign_ins(&[[0; 32], [2; 32]]).unwrap(), 2);
    for id in 1..=6 {
        assert_eq!(store.sign_in(&[id; 32]).unwrap().is_some(), id % 3 != 1, "{id}");
    }
    assert_eq!(store.end_other_sign_ins(&[]).unwrap(), 4);
}
