//! Blocks, limits of orders, and who looked at what.

use std::time::Duration;

use store::{Block, Direction, NewAudit, Options, Precondition, Put, Quiet, Removal, Tally, TallyOf, Ulid};

use crate::world::{CLIENT, COURIER, LINE, NOW, OTHER_LINE, STRANGER, World, at, number, order};

fn block(id: u128, of: &str, other: Option<&str>, direction: Direction, line: Option<&str>) -> Block {
    Block {
        id: Ulid(id),
        number: number(of),
        other: other.map(number),
        direction,
        line: line.map(number),
        reason: Some("threats".into()),
        created_at: NOW,
        expires_at: None,
    }
}

#[test]
fn a_block_is_about_its_number_its_direction_its_line_and_nothing_else() {
    let world = World::new();
    let store = world.store();
    let blocked = |caller: &str, callee: Option<&str>, line: &str| {
        store.is_blocked(number(line), Some(number(caller)), callee.map(number), NOW).unwrap()
    };
    store.put_block(block(1, COURIER, None, Direction::From, Some(LINE))).unwrap();
    assert!(blocked(COURIER, None, LINE) && blocked(COURIER, Some(CLIENT), LINE));
    assert!(!blocked(COURIER, None, OTHER_LINE) && !blocked(CLIENT, Some(COURIER), LINE));

    store.put_block(block(2, CLIENT, Some(STRANGER), Direction::To, None)).unwrap();
    assert!(blocked(STRANGER, Some(CLIENT), OTHER_LINE));
    assert!(!blocked(CLIENT, Some(STRANGER), OTHER_LINE), "the other way");
    assert!(!blocked(STRANGER, None, OTHER_LINE), "a stranger to others");

    store.put_block(block(3, CLIENT, Some(STRANGER), Direction::Both, None)).unwrap();
    assert!(blocked(CLIENT, Some(STRANGER), LINE), "the later one is in the place of the earlier");
    assert_eq!(store.block(Ulid(2), NOW).unwrap(), None);
    assert_eq!(store.remove_block(Ulid(3)), Ok(true));
    assert_eq!(store.remove_block(Ulid(3)), Ok(false));
    assert!(!blocked(CLIENT, Some(STRANGER), LINE) && !blocked(STRANGER, Some(CLIENT), LINE));

    store.put_block(block(4, STRANGER, None, Direction::To, None)).unwrap();
    assert!(blocked(CLIENT, Some(STRANGER), LINE) && !blocked(STRANGER, Some(CLIENT), LINE));
    assert!(!store.is_blocked(number(LINE), None, Some(number(CLIENT)), NOW).unwrap());
}

#[test]
fn a_block_ends_to_the_millisecond_and_is_swept() {
    let mut world = World::new();
    let mut short = block(1, COURIER, None, Direction::From, None);
    short.expires_at = Some(at(1_000));
    world.store().put_block(short).unwrap();
    let store = world.reopen();
    let blocked = |ms| store.is_blocked(number(LINE), Some(number(COURIER)), None, at(ms)).unwrap();
    assert!(blocked(999) && !blocked(1_000));
    store.sweep(at(999), 10).unwrap();
    assert!(store.block(Ulid(1), at(999)).unwrap().is_some());
    store.sweep(at(1_000), 10).unwrap();
    assert_eq!(store.block(Ulid(1), at(0)).unwrap(), None);
    assert_eq!(store.blocks(None, at(0), None, 10).unwrap().items, []);
}

#[test]
fn blocks_are_listed_by_pages_and_by_number() {
    let world = World::new();
    let store = world.store();
    for id in 1..=5_u128 {
        let of = format!("+7999000000{id}");
        store.put_block(block(id, &of, Some(CLIENT), Direction::Both, None)).unwrap();
    }
    let page = store.blocks(None, NOW, None, 2).unwrap();
    assert_eq!(page.items.iter().map(|block| block.id.0).collect::<Vec<_>>(), [1, 2]);
    let rest = store.blocks(None, NOW, page.next.as_deref(), 10).unwrap();
    assert_eq!((rest.items.len(), rest.next), (3, None));
    let of = |text: &str| store.blocks(Some(number(text)), NOW, None, 10).unwrap().items.len();
    assert_eq!((of(CLIENT), of("+79990000003"), of(STRANGER)), (5, 1, 0));
}

#[test]
fn an_orders_calls_are_counted_until_it_is_gone_and_another_begins_at_none() {
    let mut world = World::new();
    let mut limited = order(None, "12345", 1_000);
    limited.limits.max_calls = Some(2);
    limited.limits.client_quiet = Some(Quiet::parse("22:00-08:00", Some("Europe/Moscow")).unwrap());
    world.store().put_order(limited.clone(), NOW).unwrap();
    for taken in [true, true, false] {
        assert_eq!(reserve(world.store(), NOW), taken);
        // That a number was called is noted when it is, and counts for nothing more.
        let call = store::Batch::new().note_called(number(LINE), number(CLIENT), "12345", NOW);
        world.store().apply(call).unwrap();
    }
    let store = world.reopen();
    let spent = |ms| store.find_spent(number(LINE), "12345", at(ms)).unwrap();
    let found = spent(1).unwrap();
    assert_eq!((found.calls, &found.order.limits), (2, &limited.limits));
    store.put_order(limited.clone(), at(5)).unwrap();
    assert_eq!(spent(6).unwrap().calls, 2, "put again it is the same order");
    store.sweep(at(1_000), 10).unwrap();
    assert_eq!(spent(1_000), None);
    store.put_order(order(None, "12345", 9_000), at(2_000)).unwrap();
    assert_eq!(spent(2_001).unwrap().calls, 0);
}

fn reserve(store: &store::Store, at: store::Timestamp) -> bool {
    let outcomes = store.apply(store::Batch::new().reserve_call(number(LINE), "12345", at)).unwrap();
    let [store::Outcome::Reserved(taken)] = outcomes[..] else { panic!("{outcomes:?}") };
    taken
}

#[test]
fn of_many_who_ask_for_an_orders_last_call_one_gets_it() {
    let world = World::new();
    let mut limited = order(None, "12345", 1_000);
    limited.limits.max_calls = Some(7);
    world.store().put_order(limited, NOW).unwrap();
    let taken = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    if reserve(world.store(), NOW) {
                        taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), 7);
    let release = store::Batch::new().release_call(number(LINE), "12345", NOW);
    world.store().apply(release).unwrap();
    assert_eq!([reserve(world.store(), NOW), reserve(world.store(), NOW)], [true, false]);
    assert!(!reserve(world.store(), at(1_000)), "it is no more");
}

#[test]
fn calls_are_counted_of_the_order_that_is_reached() {
    let world = World::new();
    let store = world.store();
    store.put_order(order(Some(LINE), "12345", 10), NOW).unwrap();
    store.put_order(order(None, "12345", 1_000), NOW).unwrap();
    // That of the line has expired, and is not swept yet.
    let call = store::Batch::new().note_called(number(LINE), number(CLIENT), "12345", at(20));
    store.apply(call).unwrap();
    assert_eq!(store.find_spent(number(LINE), "12345", at(21)).unwrap().unwrap().calls, 1);
}

#[test]
fn how_often_what_was_dialled_is_kept_until_its_time_or_until_it_is_erased() {
    let mut world = World::new();
    let tally = |of: TallyOf, until: u64, count| Tally { of, until: at(until), count };
    let client = || TallyOf::Callee(number(CLIENT));
    let put = |store: &store::Store, tally| store.apply(store::Batch::new().tally(tally)).unwrap();
    put(world.store(), tally(client(), 100, 1));
    put(world.store(), tally(client(), 100, 2));
    put(world.store(), tally(TallyOf::Caller(number(COURIER)), 200, 3));
    put(world.store(), tally(TallyOf::Class("dear".into()), 300, 4));
    let store = world.reopen();
    let found = |ms| store.tallies(at(ms)).unwrap();
    let caller = tally(TallyOf::Caller(number(COURIER)), 200, 3);
    let class = tally(TallyOf::Class("dear".into()), 300, 4);
    assert_eq!(found(99), [tally(client(), 100, 2), caller.clone(), class.clone()]);
    assert_eq!(found(100), [caller.clone(), class.clone()]);
    // Counted anew after that, the sweep that was for the old one takes nothing away.
    put(store, tally(client(), 400, 1));
    store.sweep(at(150), 100).unwrap();
    assert_eq!(found(0), [tally(client(), 400, 1), caller, class.clone()]);
    let erasure = store::Erasure { number: number(COURIER), shown: None, records: false, blocks: false };
    assert_eq!(store.erase(&erasure).unwrap().redials, 1);
    assert_eq!(found(0), [tally(client(), 400, 1), class]);
    store.sweep(at(1_000), 100).unwrap();
    assert_eq!(found(0), []);
}

#[test]
fn of_two_writers_the_second_learns_that_there_was_a_first() {
    let world = World::new();
    let store = world.store();
    let put =
        |order: store::Order, precondition, ms| store.put_order_if(order, precondition, at(ms)).unwrap();
    assert_eq!(put(order(None, "1", 9_000), Precondition::Exists, 0), Put::Refused);
    assert_eq!(put(order(None, "1", 9_000), Precondition::Absent, 0), Put::Created);
    assert_eq!(put(order(None, "1", 9_000), Precondition::Absent, 0), Put::Refused);
    let version = store.order(None, "1", at(1)).unwrap().unwrap().version();
    assert_eq!(put(order(None, "1", 8_000), Precondition::Is(version), 2), Put::Replaced);
    assert_eq!(put(order(None, "1", 7_000), Precondition::Is(version), 3), Put::Refused);
    assert_eq!(store.order(None, "1", at(4)).unwrap().unwrap().expires_at, at(8_000));
    let remove = |precondition| store.remove_order_if(None, "1", precondition, at(5)).unwrap();
    assert_eq!(remove(Precondition::Is(version)), Removal::Refused);
    let version = store.order(None, "1", at(1)).unwrap().unwrap().version();
    assert_eq!(remove(Precondition::Is(version)), Removal::Removed);
    assert_eq!(remove(Precondition::None), Removal::Unknown);
}

#[test]
fn what_was_done_is_read_backwards_and_forgotten_in_time() {
    let day = Duration::from_secs(86_400);
    let world = World::with(Options { audit_for: day, cache_bytes: 1 << 20, ..Options::default() });
    let store = world.store();
    for n in 0..5_u64 {
        let new = NewAudit {
            at: at(n),
            who: "desk".to_owned(),
            what: "call.hung-up",
            subject: Some(n.to_string()),
            number: None,
            status: 202,
        };
        store.append_audit(new).unwrap();
    }
    let subjects = |page: &store::Page<store::AuditEntry>| {
        page.items.iter().map(|entry| entry.subject.clone().unwrap()).collect::<Vec<_>>()
    };
    let page = store.audit(None, 2).unwrap();
    assert_eq!(subjects(&page), ["4", "3"]);
    let rest = store.audit(page.next.as_deref(), 10).unwrap();
    assert_eq!((subjects(&rest), &rest.next), (vec!["2".into(), "1".into(), "0".into()], &None));
    store.sweep(at(3).after(day), 10).unwrap();
    assert_eq!(subjects(&store.audit(None, 10).unwrap()), ["4", "3"]);
}

#[test]
fn events_are_forgotten_in_time_where_that_is_wanted() {
    let day = Duration::from_secs(86_400);
    let world = World::with(Options { events_for: Some(day), cache_bytes: 1 << 20, ..Options::default() });
    let store = world.store();
    store.put_order(order(None, "1", 900_000_000), NOW).unwrap();
    store.put_order(order(None, "2", 900_000_000), at(2_000)).unwrap();
    store.sweep(at(1_000).after(day), 10).unwrap();
    let events = store.events_after(None, 10).unwrap().events;
    assert_eq!(events.iter().map(|event| event.at).collect::<Vec<_>>(), [at(2_000)]);
    store.put_order(order(None, "3", 900_000_000), at(3_000)).unwrap();
    assert_eq!(store.events_after(None, 10).unwrap().events.len(), 2);
}
