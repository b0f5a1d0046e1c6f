//! Opening, and what keeps a store from being opened.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use store::{Options, Store, StoreError};

use crate::world::{NOW, World, order};

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, Options::default())
}

#[test]
fn a_store_in_use_says_so() {
    let mut world = World::new();
    let error = open(world.dir()).unwrap_err();
    assert_eq!(error, StoreError::Locked { dir: world.dir().to_owned() });
    assert!(error.to_string().contains("node.data_dir"));
    world.close();
    assert!(open(world.dir()).is_ok());
}

#[test]
fn a_clone_keeps_it_open_and_a_delivery_does_not() {
    let mut world = World::new();
    world.store().set_webhooks(vec![crate::world::webhook("w", |_| true)]).unwrap();
    world.store().put_order(order(None, "1", 1_000), NOW).unwrap();
    let delivery = world.store().outbox_due("w", NOW, 1).unwrap();
    let clone = world.store().clone();
    world.close();
    assert!(clone.order(None, "1", NOW).unwrap().is_some());
    drop(clone);
    assert_eq!(delivery.len(), 1);
    assert!(open(world.dir()).is_ok());
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(open(&file), Err(StoreError::Directory { dir, .. }) if dir == file));
    assert!(matches!(open(&file.join("below")), Err(StoreError::Directory { .. })));
}

#[test]
fn a_store_of_a_later_format_is_not_touched() {
    let mut world = World::new();
    world.close();
    {
        let db = sled::open(world.dir()).unwrap();
        db.open_tree("store").unwrap().insert(b"v", &2_u32.to_be_bytes()).unwrap();
        db.flush().unwrap();
    }
    let error = open(world.dir()).unwrap_err();
    assert_eq!(error, StoreError::Format { dir: world.dir().to_owned(), found: 2, known: 1 });
}

#[test]
fn a_tree_that_is_not_ours_is_not_taken_over() {
    let dir = tempfile::tempdir().unwrap();
    {
        let db = sled::open(dir.path()).unwrap();
        db.open_tree("store").unwrap().insert(b"somebody", b"else").unwrap();
        db.flush().unwrap();
    }
    assert!(matches!(open(dir.path()), Err(StoreError::Unreadable { .. })));
}

#[test]
fn a_node_that_died_while_opening_opens_again() {
    let mut world = World::new();
    world.store().put_order(order(None, "1", 1_000), NOW).unwrap();
    world.close();
    // What sled leaves where it is killed while it writes its snapshot.
    fs::write(world.dir().join("snap.7FFFFFFFFFFFFFFF.generating"), [0xA5; 40]).unwrap();
    assert!(world.reopen().order(None, "1", NOW).unwrap().is_some());
}

/// Whatever is broken, opening says what and where and how to go on, and does not panic; or nothing is missing.
#[test]
fn a_damaged_store_is_an_error_that_says_how_to_restore() {
    let mut refused = 0;
    for damage in 0..15_u64 {
        let mut world = World::new();
        let orders = (0..500).map(|n| order(None, &format!("{n:05}"), 1_000)).collect();
        world.store().put_orders(orders, NOW).unwrap();
        world.reopen();
        world.close();
        break_somewhere(world.dir(), damage);
        match open(world.dir()) {
            Ok(store) => {
                let gone = |n: &u32| store.order(None, &format!("{n:05}"), NOW) == Ok(None);
                assert_eq!((0..500).find(gone), None, "missing, and nobody says so");
            }
            Err(error) => {
                refused += 1;
                assert!(
                    matches!(&error, StoreError::Unreadable { dir, .. } if dir == world.dir()),
                    "{error:?}"
                );
                let text = error.to_string();
                assert!(
                    text.contains(&*world.dir().to_string_lossy()) && text.contains("bauta order import"),
                    "{text}"
                );
            }
        }
    }
    assert!(refused > 5, "this damage is found: {refused}");
}

/// Overwrites some bytes of the data, or of the snapshot, or cuts one of them short.
fn break_somewhere(dir: &Path, damage: u64) {
    let mut files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let snapshot =
        files.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap.")).unwrap();
    let path = if damage.is_multiple_of(4) { snapshot } else { dir.join("db") };
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let len = file.metadata().unwrap().len();
    // Where the pages lie: most of the file is room for more.
    let at = damage.wrapping_mul(0x9E37_79B9_7F4A_7C15) % len.min(60_000);
    match damage % 5 {
        0 => file.set_len(at).unwrap(),
        _ => file.write_all_at(&[0xA5; 64], at.min(len - 64)).unwrap(),
    }
}
