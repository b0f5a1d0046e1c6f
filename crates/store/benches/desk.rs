//! What the console asks of a store with a million records and 100,000 orders: every list and filter, first pages and later ones.
//! `cargo bench -p store --bench desk`, or with the number of records: `cargo bench -p store --bench desk -- 100000`.
#![expect(clippy::print_stdout, reason = "results go to standard output")]

use std::time::{Duration, Instant};

use number::Number;
use store::{
    Batch, ContactFilter, Json, LegRecord, NewContact, Options, Order, OrderFilter, Page, Party, Record,
    RecordFilter, Somebody, Step, Store, StoreError, Timestamp, TriedRecord, Ulid,
};

const NOW: Timestamp = Timestamp(1_795_000_000_000);
/// So far lie all records back.
const YEAR: u64 = 365 * 86_400_000;
const ORDERS: u64 = 100_000;
const CONTACTS: u64 = 10_000;
/// Rows of a page.
const PAGE: usize = 100;
/// How often a page that came short is filled up, as the API does.
const READS: usize = 16;
/// How often each question is asked.
const ASKED: u64 = 200;

fn main() {
    let count = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(1_000_000);
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let options = Options { records_for: Duration::from_secs(800 * 86_400), ..Options::default() };
    let store = Store::open(dir.path(), options).expect("it opens");
    let begun = Instant::now();
    fill(&store, count);
    println!("{count} records, {ORDERS} orders, {CONTACTS} contacts in {:.0?}", begun.elapsed());
    println!("on the disk: {} MB, resident {} MB", store.status().disk_bytes >> 20, resident_mb());
    records(&store, count);
    orders(&store);
    others(&store);
    println!("resident {} MB", resident_mb());
}

/// Spreads numbers out (the finaliser of MurmurHash3).
fn scatter(n: u64) -> u64 {
    let n = (n ^ n >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let n = (n ^ n >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    n ^ n >> 33
}

fn phone(n: u64) -> Number {
    Number::parse(&(79_990_000_000 + n).to_string()).expect("a number")
}

/// Somebody who calls some ten times a year.
fn caller(n: u64) -> String {
    phone(scatter(n) % 100_000).to_string()
}

fn code(n: u64) -> String {
    format!("{:05}", scatter(n ^ 0xC0DE) % 100_000)
}

fn cause(n: u64) -> &'static str {
    match scatter(n ^ 0xCA) % 10_000 {
        0 => "fault",
        1..500 => "busy",
        500..1_500 => "no-answer",
        _ => "hung-up",
    }
}

fn began(n: u64, count: u64) -> Timestamp {
    Timestamp(NOW.0 - YEAR + YEAR / count * n)
}

fn record(n: u64, count: u64) -> Record {
    let at = began(n, count);
    let leg = || {
        Some(LegRecord {
            packets_received: 3_000,
            bytes_received: 480_000,
            packets_sent: 3_000,
            bytes_sent: 480_000,
            jitter_ms: 1.25,
            codec: Some("PCMA".to_owned()),
            mos: Some(4.3),
            ..LegRecord::default()
        })
    };
    Record {
        id: Ulid::from_parts(at.0, u128::from(n)),
        node: "south".to_owned(),
        line: Some("+74950000001".to_owned()),
        dialled: "74950000001".to_owned(),
        trunk: ["main", "spare"][(n % 2) as usize].to_owned(),
        callee_trunk: Some("main".to_owned()),
        caller: Some(caller(n)),
        caller_name: Some("Анна Петрова".to_owned()),
        callee: Some(caller(n + 1)),
        started_at: at,
        answered_at: Some(at),
        bridged_at: Some(at),
        ended_at: Some(Timestamp(at.0 + 60_000)),
        duration_seconds: 60.0,
        talk_seconds: 40.5,
        cause: Some(cause(n).to_owned()),
        code: Some(code(n)),
        tried: vec![TriedRecord {
            side: "callee".to_owned(),
            number: Some(caller(n + 1)),
            dialled_at: at,
            rang_seconds: Some(1.5),
            waiting_seconds: 6.0,
            answered_seconds: Some(40.5),
            ..TriedRecord::default()
        }],
        data: Json::parse(r#"{"shop":"42","order":"A-1700"}"#).ok(),
        caller_leg: leg(),
        callee_leg: leg(),
        ..Record::default()
    }
}

fn fill(store: &Store, count: u64) {
    for from in (0..count).step_by(500) {
        let batch =
            (from..count.min(from + 500)).fold(Batch::new(), |b, n| b.finish(&record(n, count), vec![]));
        store.apply(batch).expect("written");
    }
    let order = |n: u64| Order {
        limits: store::OrderLimits::default(),
        code: format!("{n:06}").into(),
        line: Number::parse(&(74_950_000_000 + n % 3).to_string()).ok(),
        courier: Party {
            name: Some(format!("Курьер {}", n % 2_000).into()), ..Party::new(phone(n % 2_000))
        },
        client: Party {
            name: Some(format!("Клиент {}", scatter(n)).into()),
            ..Party::new(phone(200_000 + n))
        },
        expires_at: Timestamp(NOW.0 + 1_000_000 + scatter(n) % 864_000_000),
        created_at: NOW,
        updated_at: NOW,
        data: Json::parse(r#"{"shop":"42"}"#).ok(),
    };
    store.put_orders((0..ORDERS).map(order).collect(), NOW).expect("written");
    for n in 0..CONTACTS {
        let name = format!("Контакт {}", scatter(n) % 1_000_000).into();
        let new = NewContact { number: phone(500_000 + n), name, note: None, data: None };
        store.create_contact(new, NOW).expect("written");
    }
}

/// A page as the API reads it: filled up until it is full or enough was read.
fn page<T>(
    mut cursor: Option<String>,
    read: impl Fn(Option<&str>, usize) -> Result<Page<T>, StoreError>,
) -> Page<T> {
    let mut items = Vec::new();
    for _ in 0..READS {
        let page = read(cursor.as_deref(), PAGE - items.len()).expect("readable");
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() || items.len() >= PAGE {
            break;
        }
    }
    Page { items, next: cursor }
}

/// Asks so often, and says how long it took and how many rows came.
fn ask<T>(what: &str, question: impl Fn(u64) -> Page<T>) {
    let mut rows = 0;
    let mut took: Vec<Duration> = (0..ASKED)
        .map(|n| {
            let begun = Instant::now();
            rows += question(n).items.len();
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100];
    let mean = rows as f64 / ASKED as f64;
    println!("| {what} | {mean:.1} | {:.2?} | {:.2?} | {:.2?} |", at(50), at(99), at(100));
}

fn records(store: &Store, count: u64) {
    println!("| asked | rows | p50 | p99 | max |\n|---|---:|---:|---:|---:|");
    let of = |filter: RecordFilter, cursor: Option<String>| {
        page(cursor, |cursor, limit| store.records(&filter, cursor, limit))
    };
    let any = RecordFilter::default;
    ask("records, the newest", |_| of(any(), None));
    ask("records, a later page", |n| of(any(), Some(format!("{}-7", scatter(n) % (count / 32)))));
    ask("records of a number", |n| {
        of(RecordFilter { number: Some(caller(scatter(n) % count)), ..any() }, None)
    });
    ask("records of a number that has none", |n| {
        of(RecordFilter { number: Some(phone(900_000 + n).to_string()), ..any() }, None)
    });
    ask("records of a code", |n| of(RecordFilter { code: Some(code(scatter(n) % count)), ..any() }, None));
    ask("records of a frequent cause", |_| {
        of(RecordFilter { cause: Some("busy".to_owned()), ..any() }, None)
    });
    ask("records of a rare cause", |_| of(RecordFilter { cause: Some("fault".to_owned()), ..any() }, None));
    let day = |n: u64| {
        let from = Timestamp(NOW.0 - YEAR + scatter(n) % (YEAR - 86_400_000));
        (Some(from), Some(Timestamp(from.0 + 86_400_000)))
    };
    ask("records of a day of the year", |n| {
        let (from, to) = day(n);
        of(RecordFilter { from, to, ..any() }, None)
    });
    ask("records of a number on a day", |n| {
        let (from, to) = day(n);
        of(RecordFilter { from, to, number: Some(caller(scatter(n) % count)), ..any() }, None)
    });
    ask("a record", |n| {
        let n = scatter(n) % count;
        let found = store.record(Ulid::from_parts(began(n, count).0, u128::from(n))).expect("readable");
        Page { items: found.into_iter().collect(), next: None }
    });
}

fn orders(store: &Store) {
    let of = |filter: OrderFilter, cursor: Option<String>| {
        page(cursor, |cursor, limit| store.orders(&filter, NOW, cursor, limit))
    };
    let any = OrderFilter::default;
    ask("orders, the first", |_| of(any(), None));
    ask("orders, a later page", |n| of(any(), Some(format!("74950000001-{:06}", scatter(n) % ORDERS))));
    ask("orders by the first three digits", |n| {
        of(OrderFilter { code: Some(format!("{:03}", n % 100)), ..any() }, None)
    });
    ask("orders of a number", |n| of(OrderFilter { number: Some(phone(scatter(n) % 2_000)), ..any() }, None));
    ask("orders by a part of a name that one has", |n| {
        of(OrderFilter { name: Some(scatter(scatter(n) % ORDERS).to_string()), ..any() }, None)
    });
    ask("orders by a part of a name that many have", |_| {
        of(OrderFilter { name: Some("курьер 1".to_owned()), ..any() }, None)
    });
    ask("orders by a part of a name that nobody has", |_| {
        of(OrderFilter { name: Some("zzz".to_owned()), ..any() }, None)
    });
}

fn others(store: &Store) {
    let contacts = |filter: ContactFilter| page(None, |cursor, limit| store.contacts(&filter, cursor, limit));
    ask("contacts, the first", |_| contacts(ContactFilter::Any));
    ask("contacts by a part of a name that nobody has", |_| contacts(ContactFilter::Text("zzz".to_owned())));
    ask("contacts by number", |n| contacts(ContactFilter::Number(phone(500_000 + scatter(n) % CONTACTS))));
    let known = |number: Number, line: u64| {
        let line = Number::parse(&(74_950_000_000 + line % 3).to_string()).ok();
        let known = store.known(&Somebody { number, line, code: None, pair: None }, NOW).expect("readable");
        Page { items: known.name.into_iter().collect(), next: None }
    };
    ask("who a party of an order is", |n| {
        let n = scatter(n) % ORDERS;
        known(phone(200_000 + n), n)
    });
    ask("who a contact is", |n| known(phone(500_000 + scatter(n) % CONTACTS), n));
    ask("who nobody is", |n| known(phone(900_000 + n), n));
    let points = |step: Step, span: u64| {
        let items = store.statistics(step, Timestamp(NOW.0 - span), NOW, None).expect("readable");
        Page { items, next: None }
    };
    ask("statistics, a day of minutes", |_| points(Step::Minute, 86_400_000));
    ask("statistics, ninety days of hours", |_| points(Step::Hour, 90 * 86_400_000));
    ask("statistics, a year of days", |_| points(Step::Day, YEAR));
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}
