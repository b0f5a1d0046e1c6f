//! Records are found in many blocks by what rules most of them out, and none is missed, however the store was opened and changed.

use std::time::Duration;

use store::{Batch, Erasure, Options, Record, RecordFilter, Store, Timestamp, Ulid};

use crate::world::{NOW, World, number};

const COUNT: u64 = 32 * 40 + 5;

fn caller(n: u64) -> String {
    format!("+7999{:07}", n * 7_919 % 300)
}

fn record(n: u64) -> Record {
    let at = Timestamp(NOW.0 + n * 60_000);
    Record {
        id: Ulid::from_parts(at.0, u128::from(n)),
        caller: Some(caller(n)),
        callee: n.is_multiple_of(3).then(|| caller(n + 1)),
        code: Some(format!("{:03}", n % 700)),
        cause: Some(if n == 77 { "fault" } else { "hung-up" }.to_owned()),
        started_at: at,
        ended_at: Some(Timestamp(at.0 + 30_000)),
        ..Record::default()
    }
}

fn search(store: &Store, filter: &RecordFilter) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.records(filter, cursor.as_deref(), 7).unwrap();
        found.extend(page.items.iter().map(|record| record.id.random() as u64));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

fn check(store: &Store, all: &[Record]) {
    let any = RecordFilter::default;
    let at = |n: u64| Some(Timestamp(NOW.0 + n * 60_000));
    let mut filters = vec![
        any(),
        RecordFilter { cause: Some("fault".to_owned()), ..any() },
        RecordFilter { cause: Some("busy".to_owned()), ..any() },
        RecordFilter { from: at(500), to: at(600), ..any() },
        RecordFilter { to: at(3), ..any() },
        RecordFilter { from: at(COUNT), ..any() },
    ];
    for n in (0..COUNT).step_by(97) {
        filters.push(RecordFilter { number: Some(caller(n)), ..any() });
        filters.push(RecordFilter { code: Some(format!("{:03}", n % 700)), from: at(n / 2), ..any() });
        filters.push(RecordFilter { number: Some(caller(n)), to: at(n), ..any() });
    }
    for filter in filters {
        let is =
            |wanted: &Option<String>, have: &[&Option<String>]| wanted.is_none() || have.contains(&wanted);
        let fits = |record: &&Record| {
            is(&filter.number, &[&record.caller, &record.callee])
                && is(&filter.code, &[&record.code])
                && is(&filter.cause, &[&record.cause])
                && filter.from.is_none_or(|from| from <= record.started_at)
                && filter.to.is_none_or(|to| record.started_at < to)
        };
        let expected: Vec<u64> =
            all.iter().rev().filter(fits).map(|record| record.id.random() as u64).collect();
        assert_eq!(search(store, &filter), expected, "{filter:?}");
    }
}

#[test]
fn a_search_finds_what_a_walk_through_all_records_finds() {
    let day = Duration::from_secs(86_400);
    let mut world =
        World::with(Options { records_for: 30 * day, cache_bytes: 1 << 20, ..Options::default() });
    let mut all: Vec<Record> = (0..COUNT).map(record).collect();
    for part in all.chunks(100) {
        let batch = part.iter().fold(Batch::new(), |batch, record| batch.finish(record, vec![]));
        world.store().apply(batch).unwrap();
    }
    check(world.store(), &all);
    // Just after it was opened, and once it was read.
    check(world.reopen(), &all);
    let erasure =
        Erasure { number: number(&caller(5)), shown: Some(caller(5)), records: false, blocks: false };
    assert!(world.store().erase(&erasure).unwrap().records > 4);
    for record in &mut all {
        for side in [&mut record.caller, &mut record.callee] {
            *side = side.take().filter(|number| *number != caller(5));
        }
    }
    check(world.store(), &all);
    check(world.reopen(), &all);
    // The oldest three blocks have had their time: each sweep takes one.
    let later = Timestamp(all[32 * 3 - 1].ended_at.unwrap().0 + 1).after(30 * day);
    for _ in 0..5 {
        world.store().sweep(later, 10).unwrap();
    }
    all.drain(..32 * 3);
    check(world.store(), &all);
    check(world.reopen(), &all);
}
