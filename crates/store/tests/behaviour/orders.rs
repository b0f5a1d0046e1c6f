//! Orders: put, found, listed, expired.

use std::time::Duration;

use store::{Json, Lines, OrderFilter, PartyFinding, Put, StoreError};

use crate::world::{CLIENT, COURIER, LINE, NOW, OTHER_LINE, STRANGER, World, at, number, order};

fn codes(orders: &[store::Order]) -> Vec<&str> {
    orders.iter().map(|order| &*order.code).collect()
}

#[test]
fn an_order_put_again_replaces_the_one_before_and_keeps_when_it_was_made() {
    let world = World::new();
    let store = world.store();
    assert_eq!(store.put_order(order(None, "12345", 1_000), NOW), Ok(Put::Created));
    let mut changed = order(None, "12345", 2_000);
    changed.client.number = number(STRANGER);
    changed.data = Some(Json::parse(r#"{"shop":7}"#).unwrap());
    assert_eq!(store.put_order(changed.clone(), at(10)), Ok(Put::Replaced));
    let kept = store.order(None, "12345", at(20)).unwrap().unwrap();
    assert_eq!((kept.created_at, kept.updated_at), (NOW, at(10)));
    assert_eq!((kept.client, kept.data, kept.expires_at), (changed.client, changed.data, at(2_000)));
    assert_eq!(store.find_party(number(LINE), number(CLIENT), at(20)), Ok(PartyFinding::None));
}

#[test]
fn an_order_is_found_to_its_last_millisecond_and_not_after() {
    let world = World::new();
    let store = world.store();
    store.put_order(order(None, "12345", 1_000), NOW).unwrap();
    let line = number(LINE);
    for (moment, live) in [(999, true), (1_000, false), (1_001, false)] {
        assert_eq!(store.find_code(line, "12345", at(moment)).unwrap().is_some(), live, "{moment}");
        assert_eq!(store.order(None, "12345", at(moment)).unwrap().is_some(), live, "{moment}");
        let party = store.find_party(line, number(COURIER), at(moment)).unwrap();
        assert_eq!(party != PartyFinding::None, live, "{moment}");
        assert_eq!(
            store.orders(&OrderFilter::default(), at(moment), None, 10).unwrap().items.len(),
            usize::from(live)
        );
    }
    assert_eq!(store.put_order(order(None, "12345", 9_000), at(1_000)), Ok(Put::Created));
}

#[test]
fn a_lines_own_order_goes_before_the_one_of_every_line() {
    let world = World::new();
    let store = world.store();
    let mut common = order(None, "12345", 5_000);
    common.client.number = number(STRANGER);
    store.put_order(common, NOW).unwrap();
    store.put_order(order(Some(LINE), "12345", 1_000), NOW).unwrap();
    let client = |line: &str, moment| {
        store.find_code(number(line), "12345", at(moment)).unwrap().unwrap().client.number
    };
    assert_eq!(client(LINE, 0), number(CLIENT));
    assert_eq!(client(OTHER_LINE, 0), number(STRANGER));
    assert_eq!(client(LINE, 1_000), number(STRANGER), "the line's own has expired");
    // The order of every line cannot be reached on this line by its code, so neither by its party.
    assert_eq!(store.find_party(number(LINE), number(STRANGER), NOW), Ok(PartyFinding::None));
    assert!(matches!(store.find_party(number(OTHER_LINE), number(STRANGER), NOW), Ok(PartyFinding::One(_))));
    assert!(matches!(store.find_party(number(LINE), number(COURIER), NOW), Ok(PartyFinding::One(_))));
}

#[test]
fn a_party_to_several_live_orders_is_told_so_and_expired_ones_do_not_count() {
    let world = World::new();
    let store = world.store();
    store.put_order(order(Some(LINE), "1", 1_000), NOW).unwrap();
    store.put_order(order(None, "2", 2_000), NOW).unwrap();
    store.put_order(order(Some(OTHER_LINE), "3", 9_000), NOW).unwrap();
    let find = |moment| store.find_party(number(LINE), number(CLIENT), at(moment)).unwrap();
    assert_eq!(find(0), PartyFinding::Several);
    assert!(matches!(find(1_000), PartyFinding::One(order) if &*order.code == "2"));
    assert_eq!(find(2_000), PartyFinding::None);
}

#[test]
fn redial_finds_the_order_while_it_lives_and_the_number_is_party_to_it() {
    let world = World::new();
    let store = world.store();
    let (line, within) = (number(LINE), Duration::from_secs(10));
    let find =
        |callee: &str, moment| store.find_redial(line, number(callee), within, at(moment)).unwrap().is_some();
    store.put_order(order(None, "12345", 50_000), NOW).unwrap();
    assert!(!find(CLIENT, 0), "nobody was called yet");
    store.apply(store::Batch::new().note_called(line, number(CLIENT), "12345", at(1_000))).unwrap();
    assert!(find(CLIENT, 11_000) && !find(CLIENT, 11_001) && !find(COURIER, 2_000));
    let mut moved = order(None, "12345", 50_000);
    moved.client.number = number(STRANGER);
    store.put_order(moved, at(2_000)).unwrap();
    assert!(!find(CLIENT, 3_000), "no longer party to it");
    store.put_order(order(None, "12345", 50_000), at(3_000)).unwrap();
    assert!(find(CLIENT, 4_000));
    store.remove_order(None, "12345", at(4_000)).unwrap();
    store.put_order(order(None, "12345", 50_000), at(4_000)).unwrap();
    assert!(!find(CLIENT, 5_000), "the code was given to another delivery since then");
}

#[test]
fn a_removed_order_is_gone_everywhere_and_only_a_live_one_counts_as_removed() {
    let world = World::new();
    let store = world.store();
    store.put_order(order(Some(LINE), "12345", 1_000), NOW).unwrap();
    assert_eq!(store.remove_order(None, "12345", NOW), Ok(false));
    assert_eq!(store.remove_order(Some(number(LINE)), "12345", NOW), Ok(true));
    assert_eq!(store.remove_order(Some(number(LINE)), "12345", NOW), Ok(false));
    assert_eq!(store.find_party(number(LINE), number(COURIER), NOW), Ok(PartyFinding::None));
    assert_eq!(store.status().orders, Some(0));
    store.put_order(order(None, "1", 1_000), NOW).unwrap();
    assert_eq!(store.remove_order(None, "1", at(1_000)), Ok(false), "it had expired by itself");
}

#[test]
fn the_sweep_removes_what_expired_in_portions_and_tells_of_each_once() {
    let mut world = World::new();
    for n in 0..5 {
        world.store().put_order(order(None, &format!("{n}"), 1_000 + n), NOW).unwrap();
    }
    let told = |store: &store::Store| {
        let events = store.events_after(None, 1_000).unwrap().events;
        events.iter().filter(|event| event.kind == "order.expired").count()
    };
    let store = world.store();
    assert_eq!(codes(&store.sweep(at(1_001), 10).unwrap()), ["0", "1"]);
    store.put_order(order(None, "2", 9_000), at(1_001)).unwrap();
    assert_eq!(codes(&store.sweep(at(5_000), 1).unwrap()), ["3"]);
    let store = world.reopen();
    assert!(
        store.find_code(number(LINE), "2", at(5_000)).unwrap().is_some(),
        "put again with a later expiry"
    );
    assert!(matches!(store.find_party(number(LINE), number(CLIENT), at(5_000)), Ok(PartyFinding::One(_))));
    assert_eq!(codes(&store.sweep(at(5_000), 10).unwrap()), ["4"]);
    assert_eq!(codes(&store.sweep(at(5_000), 10).unwrap()), [""; 0]);
    assert_eq!((told(store), store.status().orders), (4, Some(1)));
}

#[test]
fn an_order_that_expired_unswept_and_is_put_or_removed_is_told_of_once_too() {
    let world = World::new();
    let store = world.store();
    store.put_order(order(None, "1", 1_000), NOW).unwrap();
    store.put_order(order(None, "2", 1_000), NOW).unwrap();
    store.put_order(order(None, "1", 9_000), at(2_000)).unwrap();
    store.remove_order(None, "2", at(2_000)).unwrap();
    assert!(store.sweep(at(2_000), 10).unwrap().is_empty());
    let events = store.events_after(None, 100).unwrap().events;
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["order.put", "order.put", "order.expired", "order.put", "order.expired"]);
    assert!(!events.iter().any(|event| event.data.as_str().contains("7999")), "no party's number is told");
}

#[test]
fn orders_are_listed_page_by_page_by_line_and_by_number() {
    let world = World::new();
    let store = world.store();
    let mut orders: Vec<_> = (0..25).map(|n| order(None, &format!("{n:03}"), 5_000)).collect();
    orders.extend((0..3).map(|n| order(Some(LINE), &format!("{n}"), 4_000)));
    orders.push(order(None, "999", 10));
    orders[7].courier.number = number(STRANGER);
    assert_eq!(store.put_orders(orders, NOW).unwrap().len(), 29);
    let all = |filter: OrderFilter| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.orders(&filter, at(10), cursor.as_deref(), 4).unwrap();
            assert!(page.items.len() <= 4);
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    };
    assert_eq!(all(OrderFilter::default()).len(), 28);
    let own = OrderFilter { lines: Lines::Only(Some(number(LINE))), ..OrderFilter::default() };
    assert_eq!(codes(&all(own.clone())), ["0", "1", "2"]);
    assert_eq!(all(OrderFilter { lines: Lines::Only(None), ..OrderFilter::default() }).len(), 25);
    assert_eq!(
        codes(&all(OrderFilter { number: Some(number(STRANGER)), ..OrderFilter::default() })),
        ["007"]
    );
    assert_eq!(all(OrderFilter { number: Some(number(COURIER)), ..OrderFilter::default() }).len(), 27);
    assert_eq!(
        all(OrderFilter { lines: Lines::Only(None), number: Some(number(CLIENT)), ..OrderFilter::default() })
            .len(),
        25
    );
    for filter in [OrderFilter::default(), OrderFilter { number: Some(number(CLIENT)), ..own.clone() }] {
        for cursor in ["", "x", "1", "-", "1-", "1-2-3-4", "+1-2", "9999999999999999999999-1", "1-x"] {
            assert_eq!(store.orders(&filter, NOW, Some(cursor), 1), Err(StoreError::Cursor), "{cursor}");
        }
    }
}

#[test]
fn orders_are_searched_by_the_first_digits_of_a_code_and_by_a_part_of_a_name() {
    let mut world = World::new();
    let lines = [None, Some(LINE), Some(OTHER_LINE)];
    for n in 0..40 {
        let mut order = order(lines[n % 3], &format!("{:03}", n * 5), 5_000 + n as u64);
        order.client.name = (n % 4 == 0).then(|| format!("Ваня {n}").into());
        order.courier.name = (n % 8 == 0).then(|| "Anna".into());
        world.store().put_order(order, NOW).unwrap();
    }
    let search = |store: &store::Store, filter: OrderFilter| {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.orders(&filter, at(10), cursor.as_deref(), 2).unwrap();
            assert!(page.items.len() <= 2);
            found.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    };
    let code = |code: &str| OrderFilter { code: Some(code.into()), ..OrderFilter::default() };
    let name = |name: &str| OrderFilter { name: Some(name.into()), ..OrderFilter::default() };
    for reopened in [false, true] {
        let store = if reopened { world.reopen() } else { world.store() };
        let search = |filter| codes(&search(store, filter)).join(" ");
        assert_eq!(search(code("03")), "030 035", "each of its own line");
        assert_eq!(search(code("1")).len(), 20 * 4 - 1);
        assert_eq!(search(code("9")), "");
        assert_eq!(
            search(OrderFilter { lines: Lines::Only(Some(number(LINE))), ..code("0") }).len(),
            7 * 4 - 1
        );
        assert_eq!(search(name("ваня 2")), "120 140 100", "by line, then by expiry");
        assert_eq!(search(name("ANNA")), "000 120 080 040 160");
        assert_eq!(search(OrderFilter { code: Some("1".into()), ..name("anna") }), "120 160");
        assert_eq!(search(OrderFilter { number: Some(number(COURIER)), ..name("Ваня 36") }), "180");
        assert_eq!(search(OrderFilter { number: Some(number(STRANGER)), ..name("Ваня") }), "");
        assert!(store.has_names());
        let all: Vec<_> = store.orders(&OrderFilter::default(), NOW, None, 100).unwrap().items;
        let none = all.iter().filter(|order| order.client.name.is_none()).count();
        assert_eq!((all.len(), none), (40, 30));
    }
    let store = world.store();
    assert_eq!(store.sweep(at(60_000), 1_000).unwrap().len(), 40);
    assert!(!store.has_names());
}

#[test]
fn what_cannot_be_kept_is_refused_and_nothing_of_its_batch_is_written() {
    let world = World::new();
    let store = world.store();
    let long = Json::of(&"x".repeat(store::Order::LONGEST_DATA)).unwrap();
    let mut bad = [
        order(None, "", 1),
        order(None, "1234567890123", 1),
        order(None, "12a", 1),
        order(None, "1", 1),
        order(None, "1", 1),
        order(None, "1", 1),
        order(None, "1", 1),
    ];
    bad[3].data = Some(long);
    bad[4].client.language = Some("x".repeat(17).into());
    bad[5].client.name = Some("x".repeat(101).into());
    bad[6].courier.name = Some("a\nb".into());
    for bad in bad {
        let batch =
            store::Batch::new().put_order(order(None, "7", 1_000), NOW, true).put_order(bad, NOW, true);
        assert!(matches!(store.apply(batch), Err(StoreError::Refused(_))));
    }
    let many = (0..=store::Batch::LONGEST)
        .fold(store::Batch::new(), |b, _| b.put_order(order(None, "7", 9), NOW, true));
    assert!(matches!(store.apply(many), Err(StoreError::Refused(_))));
    assert_eq!(store.order(None, "7", NOW), Ok(None));
    assert_eq!(store.last_event(), None);
}

#[test]
fn the_largest_of_everything_stays_inside_the_one_file() {
    let world = World::new();
    let store = world.store();
    let data = Json::of(&"x".repeat(store::Order::LONGEST_DATA - 2)).unwrap();
    for n in 0..200 {
        let mut order = order(Some(LINE), &format!("{n:012}"), 1_000);
        order.data = Some(data.clone());
        order.client.name = Some("\u{1f600}".repeat(100).into());
        order.courier.name = order.client.name.clone();
        store.put_order(order, NOW).unwrap();
        let mut event = crate::world::event("call.ended", Some(n));
        event.data = Json::of(&"x".repeat(store::NewEvent::LONGEST_DATA - 2)).unwrap();
        let mut record = crate::world::record(n);
        record.recording_fault = Some("x".repeat(4_500));
        store.finish(&record, vec![event]).unwrap();
    }
    // Values too large for a segment would go to files here, which sled never synchronises.
    assert_eq!(std::fs::read_dir(world.dir().join("blobs")).unwrap().count(), 0);
}
