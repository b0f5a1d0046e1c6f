//! A store in a directory of its own, and things to put into it.

use std::path::Path;
use std::sync::Arc;

use number::Number;
use store::{Json, NewEvent, Options, Order, Party, Record, Store, Timestamp, Ulid, Webhook};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

pub(crate) struct World {
    dir: TempDir,
    options: Options,
    store: Option<Store>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Options { cache_bytes: 1 << 20, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(Store::open(dir.path(), options.clone()).unwrap());
        Self { dir, options, store }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn close(&mut self) {
        self.store = None;
    }

    pub(crate) fn reopen(&mut self) -> &Store {
        self.close();
        self.store = Some(Store::open(self.dir.path(), self.options.clone()).unwrap());
        self.store()
    }
}

/// So many milliseconds after [`NOW`].
pub(crate) fn at(ms: u64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

pub(crate) fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

pub(crate) const LINE: &str = "+74950000000";
pub(crate) const OTHER_LINE: &str = "+74951111111";
pub(crate) const COURIER: &str = "+79991111111";
pub(crate) const CLIENT: &str = "+79992222222";
pub(crate) const STRANGER: &str = "+79993333333";

pub(crate) fn order(line: Option<&str>, code: &str, expires: u64) -> Order {
    let party = |text| Party { number: number(text), language: None, name: None };
    Order {
        limits: store::OrderLimits::default(),
        code: code.into(),
        line: line.map(number),
        courier: party(COURIER),
        client: party(CLIENT),
        expires_at: at(expires),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        data: None,
    }
}

pub(crate) fn call(n: u128) -> Ulid {
    Ulid::from_parts(NOW.0, n)
}

pub(crate) fn record(n: u128) -> Record {
    Record {
        id: call(n),
        started_at: at(n as u64),
        ended_at: Some(at(n as u64 + 60_000)),
        ..Record::default()
    }
}

pub(crate) fn event(kind: &str, of: Option<u128>) -> NewEvent {
    NewEvent { kind: kind.to_owned(), at: NOW, call: of.map(call), data: Json::parse("{}").unwrap() }
}

pub(crate) fn webhook(name: &str, wants: fn(&str) -> bool) -> Webhook {
    Webhook { name: name.to_owned(), wants: Arc::new(wants) }
}
