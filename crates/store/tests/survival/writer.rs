//! The child: writes until it is stopped, and says what was acknowledged.
//!
//! `o N`: order N was put, at code N modulo [`CODES`]. `c N`: the call N is finished, with two events. `i N M`: every
//! eighth order from N to M (exclusive) was imported.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use number::Number;
use store::{Json, NewEvent, Options, Order, Party, Record, Store, Timestamp, Ulid, Webhook};

/// So few that each is written over many times and sled has to clean up behind it.
pub(crate) const CODES: u64 = 8_000;

/// Threads of the child.
pub(crate) const THREADS: u64 = 8;

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

pub(crate) fn options() -> Options {
    Options { events: 1_000_000, ..Options::default() }
}

pub(crate) fn open(dir: &Path) -> Store {
    let store = Store::open(dir, options()).expect("the store opens");
    let all = Webhook { name: "shop".to_owned(), wants: Arc::new(|kind| kind == "record.written") };
    store.set_webhooks(vec![all]).expect("a good name");
    store
}

pub(crate) fn order(n: u64) -> Order {
    let party = |number: u64| Party {
        number: Number::parse(&number.to_string()).expect("a number"),
        language: None,
        name: None,
    };
    Order {
        limits: store::OrderLimits::default(),
        code: format!("{:05}", n % CODES).into(),
        line: None,
        courier: party(79_990_000_000 + n),
        client: party(79_000_000_000 + n),
        expires_at: Timestamp(NOW.0 + 1_000_000),
        created_at: NOW,
        updated_at: NOW,
        data: Some(Json::of(&n).expect("a number is JSON")),
    }
}

pub(crate) fn call(n: u64) -> Ulid {
    Ulid::from_parts(NOW.0, u128::from(n))
}

fn record(n: u64) -> Record {
    Record {
        id: call(n),
        trunk: "main".to_owned(),
        started_at: NOW,
        caller: Some(format!("+{n}")),
        talk_seconds: 1.5,
        ..Record::default()
    }
}

fn event(n: u64, kind: &str) -> NewEvent {
    NewEvent {
        kind: kind.to_owned(),
        at: NOW,
        call: Some(call(n)),
        data: Json::of(&n).expect("a number is JSON"),
    }
}

fn say(what: &str) {
    // The reader may be gone, or the disk without power: then there is nothing left to say.
    let _ = writeln!(std::io::stdout(), "{what}");
}

/// Puts orders, imports orders and finishes calls from several threads, until it is stopped or the disk fails. Each
/// thread has the numbers of one residue, and so its own codes: of each code the numbers only grow.
pub(crate) fn write(dir: &Path, first: u64) {
    let store = open(dir);
    let numbers = |thread: u64| (first / THREADS..).map(move |k| k * THREADS + thread);
    let (store, puts) = (&store, 0..3);
    std::thread::scope(|threads| {
        for thread in puts {
            threads.spawn(move || {
                for n in numbers(thread) {
                    let Ok(_) = store.put_order(order(n), NOW) else { return };
                    say(&format!("o {n}"));
                }
            });
        }
        threads.spawn(move || {
            let mut numbers = numbers(3).peekable();
            while let Some(from) = numbers.peek().copied() {
                let orders = numbers.by_ref().take(500).map(order).collect();
                let Ok(_) = store.put_orders(orders, NOW) else { return };
                say(&format!("i {from} {}", from + 500 * THREADS));
            }
        });
        for thread in 4..THREADS {
            threads.spawn(move || {
                for n in numbers(thread) {
                    let events = ["call.ended", "record.written"].map(|kind| event(n, kind)).to_vec();
                    let Ok(()) = store.checkpoint(&record(n), b"as it stands") else { return };
                    let Ok(_) = store.finish(&record(n), events) else { return };
                    say(&format!("c {n}"));
                }
            });
        }
    });
}

/// The same orders by sled alone, acknowledged as its documentation suggests.
pub(crate) fn write_plainly(dir: &Path, first: u64) {
    let db = sled::Config::new().path(dir).flush_every_ms(None).open().expect("sled opens");
    for n in first.. {
        let written = db.insert(n.to_be_bytes(), &n.to_be_bytes()).and_then(|_| db.flush());
        let Ok(_) = written else { return };
        say(&format!("o {n}"));
    }
}
