//! Calls: checkpoints and records.

use store::{Batch, Options, Record, RecordFilter, StoreError, Timestamp, Unfinished};

use crate::world::{COURIER, World, at, call, event, record};

fn ids(records: &[Record]) -> Vec<u128> {
    records.iter().map(|record| record.id.random()).collect()
}

fn unfinished(record: Record, snapshot: &[u8]) -> Unfinished {
    Unfinished { record, snapshot: snapshot.into() }
}

#[test]
fn a_finished_call_has_one_record_and_its_events_once() {
    let world = World::new();
    let store = world.store();
    store.checkpoint(&record(1), b"first").unwrap();
    assert_eq!(store.record(call(1)), Ok(None));
    assert_eq!(store.unfinished().unwrap(), [unfinished(record(1), b"first")]);
    let events = || vec![event("call.ended", Some(1)), event("record.written", Some(1))];
    assert_eq!(store.finish(&record(1), events()), Ok(true));
    let changed = Record { cause: Some("busy".to_owned()), ..record(1) };
    assert_eq!(store.finish(&changed, events()), Ok(false));
    assert_eq!(store.record(call(1)), Ok(Some(record(1))));
    assert_eq!(store.unfinished().unwrap(), []);
    assert_eq!(store.records(&RecordFilter::default(), None, 10).unwrap().items, [record(1)]);
    assert_eq!(store.events_after(None, 10).unwrap().events.len(), 2);
}

#[test]
fn a_checkpoint_overtaken_by_the_end_of_its_call_changes_nothing() {
    let world = World::new();
    let store = world.store();
    let both =
        Batch::new().checkpoint(&record(1), b"x").finish(&record(1), vec![]).checkpoint(&record(1), b"x");
    store.apply(both).unwrap();
    store.checkpoint(&record(1), b"x").unwrap();
    assert_eq!(store.unfinished().unwrap(), []);
}

#[test]
fn unfinished_calls_are_there_after_a_restart_as_last_checkpointed() {
    let mut world = World::new();
    let later = Record { attempts: 2, ..record(1) };
    let long = vec![0; 6_000];
    let kept = [(record(2), &b"two"[..]), (record(1), b"one"), (later.clone(), b"later"), (record(3), b"x")];
    for (record, snapshot) in kept.into_iter().chain([(record(3), &long[..])]) {
        world.store().checkpoint(&record, snapshot).unwrap();
    }
    let there = [unfinished(later, b"later"), unfinished(record(2), b"two"), unfinished(record(3), b"")];
    assert_eq!(
        world.reopen().unfinished().unwrap(),
        there,
        "one that is too long is not kept, nor the one before it"
    );
}

#[test]
fn when_the_node_was_alive_last_is_known_after_a_restart() {
    let mut world = World::new();
    assert_eq!(world.store().last_alive(), Ok(None));
    for at in [5, 9] {
        world.store().apply(Batch::new().alive(Timestamp(at))).unwrap();
    }
    assert_eq!(world.reopen().last_alive(), Ok(Some(Timestamp(9))));
}

#[test]
fn records_are_listed_newest_first_page_by_page_also_while_more_are_written() {
    let mut world = World::new();
    for n in 0..100 {
        world.store().finish(&record(n), vec![]).unwrap();
    }
    let store = world.reopen();
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.records(&RecordFilter::default(), cursor.as_deref(), 7).unwrap();
        found.extend(ids(&page.items));
        store.finish(&record(1_000 + found.len() as u128), vec![]).unwrap();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, (0..100).rev().collect::<Vec<_>>());
    assert_eq!(store.records(&RecordFilter::default(), Some("1-99"), 1), Err(StoreError::Cursor));
}

#[test]
fn records_are_found_by_time_number_code_and_cause_and_all_of_them_together() {
    let world = World::new();
    let store = world.store();
    for n in 0..200 {
        let record = Record {
            caller: Some(if n % 10 == 0 { COURIER.to_owned() } else { format!("+7999{n}") }),
            callee: (n % 10 == 1).then(|| COURIER.to_owned()),
            code: Some(format!("{}", n % 7)),
            cause: Some(if n % 2 == 0 { "hung-up" } else { "busy" }.to_owned()),
            ..record(n)
        };
        store.finish(&record, vec![]).unwrap();
    }
    let some = |text: &str| Some(text.to_owned());
    let list = |filter: &RecordFilter| ids(&store.records(filter, None, 1_000).unwrap().items);
    let wanted = |fits: &dyn Fn(u128) -> bool| (0..200).rev().filter(|n| fits(*n)).collect::<Vec<_>>();
    let all = RecordFilter::default;
    assert_eq!(list(&RecordFilter { number: some(COURIER), ..all() }), wanted(&|n| n % 10 < 2));
    assert_eq!(list(&RecordFilter { code: some("3"), ..all() }), wanted(&|n| n % 7 == 3));
    assert_eq!(list(&RecordFilter { cause: some("busy"), ..all() }), wanted(&|n| n % 2 == 1));
    let between = RecordFilter { from: Some(at(50)), to: Some(at(60)), ..all() };
    assert_eq!(list(&between), wanted(&|n| (50..60).contains(&n)));
    let narrow = RecordFilter { number: some(COURIER), code: some("0"), cause: some("hung-up"), ..between };
    assert_eq!(list(&narrow), wanted(&|n| (50..60).contains(&n) && n % 10 < 2 && n % 7 == 0 && n % 2 == 0));
    assert_eq!(list(&RecordFilter { number: some("+1"), ..all() }), wanted(&|_| false));
}

#[test]
fn records_are_forgotten_once_their_time_is_over_and_not_before() {
    let day = std::time::Duration::from_secs(86_400);
    let mut world = World::with(Options { records_for: day, ..Options::default() });
    for n in 0..100 {
        world.store().finish(&record(n), vec![]).unwrap();
    }
    let ended = at(60_000 + 31);
    let store = world.reopen();
    store.sweep(ended.after(day), 10).unwrap();
    assert!(store.record(call(0)).unwrap().is_some(), "the first block is not over yet");
    for _ in 0..4 {
        store.sweep(at(60_000 + 1_000).after(day), 10).unwrap();
    }
    let left = ids(&store.records(&RecordFilter::default(), None, 1_000).unwrap().items);
    assert_eq!(left, [99, 98, 97, 96], "the block that is being filled stays");
    assert_eq!(store.record(call(0)), Ok(None));
    store.finish(&record(200), vec![]).unwrap();
    assert_eq!(ids(&world.reopen().records(&RecordFilter::default(), None, 2).unwrap().items), [200, 99]);
}

#[test]
fn a_record_reads_as_the_interface_says() {
    let leg = store::LegRecord { packets_received: 1, codec: Some("PCMA".to_owned()), ..Default::default() };
    let record = Record { line: Some("+74950000000".to_owned()), caller_leg: Some(leg), ..record(1) };
    let json: serde_json::Value = serde_json::to_value(&record).unwrap();
    assert_eq!(json["id"], call(1).to_string());
    assert_eq!(json["started_at"], "2026-11-18T11:06:40.001Z");
    assert_eq!(json["answered_at"], serde_json::Value::Null);
    assert_eq!(json["caller_leg"]["packets_received"], 1);
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
    assert_eq!(serde_json::from_str::<Record>(r#"{"later":1}"#).unwrap(), Record::default());
}

#[test]
fn a_record_too_long_or_with_too_much_to_tell_is_refused() {
    let world = World::new();
    let long = Record { recording_fault: Some("x".repeat(6_000)), ..record(1) };
    assert!(matches!(world.store().finish(&long, vec![]), Err(StoreError::Refused(_))));
    let number = Record { caller: Some("x".repeat(Record::LONGEST_NUMBER + 1)), ..record(1) };
    assert!(matches!(world.store().checkpoint(&number, b""), Err(StoreError::Refused(_))));
    let events = vec![event("call.ended", Some(1)); Batch::MOST_EVENTS + 1];
    assert!(matches!(world.store().finish(&record(1), events), Err(StoreError::Refused(_))));
    assert_eq!(world.store().record(call(1)), Ok(None));
}
