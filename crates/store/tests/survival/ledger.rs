//! What was promised, and whether it was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use store::{Event, RecordFilter, Step, Store, Timestamp, Unfinished};

use crate::writer::{self, CODES, NOW, THREADS, call};

/// A child that writes.
pub(crate) struct Writer {
    pub(crate) child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

/// What was acknowledged so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// By code, the last order acknowledged.
    orders: BTreeMap<u64, u64>,
    calls: BTreeSet<u64>,
    /// The next number nobody has used.
    pub(crate) next: u64,
}

impl Writer {
    pub(crate) fn start(what: &str, dir: &Path, first: u64) -> Self {
        let binary = std::env::current_exe().expect("this test has a path");
        let mut child = Command::new(binary)
            .args([what, &dir.to_string_lossy(), &first.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, lines }
    }

    /// Reads this many acknowledgements.
    pub(crate) fn acknowledged(&mut self, ledger: &mut Ledger, count: usize) {
        for _ in 0..count {
            let mut line = String::new();
            self.lines.read_line(&mut line).expect("the child writes text");
            assert!(line.ends_with('\n'), "the child ended by itself");
            ledger.note(line.trim_end());
        }
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

impl Ledger {
    fn note(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let numbers: Vec<u64> = words[1..].iter().map(|word| crate::number(word)).collect();
        match (words[0], &numbers[..]) {
            ("o", &[n]) => self.note_order(n),
            ("i", &[from, to]) => (from..to).step_by(THREADS as usize).for_each(|n| self.note_order(n)),
            ("c", &[n]) => {
                self.calls.insert(n);
            }
            _ => panic!("not an acknowledgement: {line}"),
        }
        // Numbers above may have been used without an acknowledgement.
        self.next = self.next.max(numbers.into_iter().max().expect("there is one") + 10 * CODES);
    }

    fn note_order(&mut self, n: u64) {
        let last = self.orders.entry(n % CODES).or_insert(n);
        *last = n.max(*last);
    }

    /// Everything acknowledged is there, and of no call only a part.
    pub(crate) fn check(&self, store: &Store) {
        for (code, n) in &self.orders {
            let order = store.order(None, &format!("{code:05}"), NOW).expect("the store is readable");
            let order = order.unwrap_or_else(|| panic!("order {n} was acknowledged and is gone"));
            let kept: u64 = crate::number(order.data.as_ref().expect("it has data").as_str());
            assert!(kept >= *n && kept % CODES == *code, "order {n} was acknowledged, {kept} is there");
            let courier = order.courier.number;
            let found = store.find_party(order.courier.number, courier, NOW).expect("the store is readable");
            assert_eq!(found, store::PartyFinding::One(Box::new(order)), "the index has what the disk has");
        }
        Self::check_sums(store);
        let told = events(store);
        let queued = queued(store);
        for n in &self.calls {
            let record = store.record(call(*n)).expect("the store is readable");
            assert!(record.is_some(), "the record of call {n} was acknowledged and is gone");
        }
        for (call, events) in told {
            assert_eq!(events, 2, "the events of call {call} are there once and whole");
            assert!(
                store.record(call).expect("the store is readable").is_some(),
                "events of {call} without a record"
            );
            assert!(queued.contains(&call), "nobody is told of {call}");
        }
        for Unfinished { record, .. } in store.unfinished().expect("the store is readable") {
            assert_eq!(
                store.record(record.id).expect("the store is readable"),
                None,
                "both finished and not"
            );
        }
    }

    /// Whatever was added up is what the records say, no more and no less.
    fn check_sums(store: &Store) {
        let (mut records, mut cursor) = (0_u64, None);
        loop {
            let page = store.records(&RecordFilter::default(), cursor.as_deref(), 1_000);
            let page = page.expect("the store is readable");
            records += page.items.len() as u64;
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        for step in Step::ALL {
            let points = store.statistics(step, NOW, Timestamp(NOW.0 + 1), None);
            let points = points.expect("the store is readable");
            let calls: u64 = points.iter().map(|point| point.calls).sum();
            let seconds: f64 = points.iter().map(|point| point.talk_seconds).sum();
            assert_eq!((calls, seconds), (records, records as f64 * 1.5), "{step:?}");
            let most = points.iter().map(|point| point.most_at_once).max().unwrap_or_default();
            // Those of which no record came go on for ever here.
            let left = store.unfinished().expect("the store is readable").len() as u64;
            assert!(u64::from(most) <= left + THREADS, "{most} calls at once, {left} left");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.len() + self.calls.len()
    }

    /// How many of the orders are not in a sled of their own.
    pub(crate) fn missing_from(&self, dir: &Path) -> usize {
        match sled::Config::new().path(dir).open() {
            Ok(db) => {
                self.orders.values().filter(|n| !matches!(db.get(n.to_be_bytes()), Ok(Some(_)))).count()
            }
            Err(_) => self.orders.len(),
        }
    }
}

/// How many events there are of each call.
fn events(store: &Store) -> BTreeMap<store::Ulid, usize> {
    let mut counts = BTreeMap::new();
    let mut after = None;
    loop {
        let events: Vec<Event> = store.events_after(after, 1_000).expect("the store is readable").events;
        let Some(last) = events.last() else { return counts };
        after = Some(last.id);
        for call in events.iter().filter_map(|event| event.call) {
            *counts.entry(call).or_default() += 1;
        }
    }
}

/// The calls of which the webhook is still to be told.
fn queued(store: &Store) -> BTreeSet<store::Ulid> {
    let due = store.outbox_due("shop", NOW, usize::MAX).expect("the store is readable");
    due.iter().filter_map(|delivery| delivery.event.call).collect()
}

/// Where to stop: some numbers of acknowledgements, the same in every run.
pub(crate) fn moments() -> impl Iterator<Item = usize> {
    (1_u64..).map(|round| 20 + (round.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % 400)
}

/// Opens what is left and looks for all of it.
pub(crate) fn check_survival(dir: &Path, ledger: &Ledger) {
    ledger.check(&writer::open(dir));
}
