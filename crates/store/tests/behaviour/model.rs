//! Random users against a small model, with restarts in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use number::Number;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use store::{Batch, Options, Order, OrderFilter, Party, PartyFinding, Put, RecordFilter, Store, Timestamp};

use crate::world::{NOW, World, call, event, number, record, webhook};

const WITHIN: Duration = Duration::from_millis(400);

/// What the store should hold, as simply as it can be said.
#[derive(Default)]
struct Model {
    orders: BTreeMap<(Option<Number>, String), Order>,
    called: BTreeMap<(Number, Number), (String, Timestamp)>,
    expired_told: usize,
    finished: Vec<u128>,
    unfinished: BTreeSet<u128>,
    /// Events of each call that nobody was told yet, in order.
    owed: BTreeMap<u128, Vec<String>>,
}

struct User {
    world: World,
    model: Model,
    chance: ChaCha8Rng,
    now: Timestamp,
}

impl User {
    fn new(seed: u64) -> Self {
        let options = Options { cache_bytes: 1 << 20, events: 50, ..Options::default() };
        let user = Self {
            world: World::with(options),
            model: Model::default(),
            chance: ChaCha8Rng::seed_from_u64(seed),
            now: NOW,
        };
        user.watch();
        user
    }

    fn watch(&self) {
        self.store().set_webhooks(vec![webhook("w", |kind| kind.starts_with("call."))]).unwrap();
    }

    fn store(&self) -> &Store {
        self.world.store()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.chance.next_u64() % limit
    }

    fn line(&mut self) -> Number {
        number(["+74950000001", "+74950000002"][self.below(2) as usize])
    }

    fn any_line(&mut self) -> Option<Number> {
        let line = self.line();
        (self.below(3) > 0).then_some(line)
    }

    fn code(&mut self) -> String {
        format!("{:02}", self.below(12))
    }

    fn number(&mut self) -> Number {
        number(&format!("7999000000{}", self.below(6)))
    }

    fn step(&mut self) {
        self.now = Timestamp(self.now.0 + self.below(20));
        match self.below(16) {
            0..=4 => self.put(),
            5 => self.remove(),
            6 => self.sweep(),
            7 => self.note_called(),
            8..=9 => self.checkpoint(),
            10..=11 => self.finish(),
            12..=13 => self.tell(),
            14 => {
                self.world.reopen();
                self.watch();
            }
            _ => self.check(),
        }
    }

    fn put(&mut self) {
        let party = |number| Party { number, language: None, name: None };
        let order = Order {
            limits: store::OrderLimits::default(),
            code: self.code().into(),
            line: self.any_line(),
            courier: party(self.number()),
            client: party(self.number()),
            expires_at: Timestamp(self.now.0 + 1 + self.below(500)),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            data: None,
        };
        let key = (order.line, order.code.to_string());
        let before = self.take(&key);
        let created_at = before.as_ref().map_or(self.now, |before| before.created_at);
        self.model.orders.insert(key, Order { created_at, updated_at: self.now, ..order.clone() });
        let put = if before.is_some() { Put::Replaced } else { Put::Created };
        assert_eq!(self.store().put_order(order, self.now), Ok(put));
    }

    fn take(&mut self, key: &(Option<Number>, String)) -> Option<Order> {
        let order = self.model.orders.remove(key)?;
        let live = order.expires_at > self.now;
        self.model.expired_told += usize::from(!live);
        live.then_some(order)
    }

    fn remove(&mut self) {
        let key = (self.any_line(), self.code());
        let live = self.take(&key).is_some();
        assert_eq!(self.store().remove_order(key.0, &key.1, self.now), Ok(live));
    }

    fn sweep(&mut self) {
        let swept = self.store().sweep(self.now, 3).unwrap();
        let mut expired: Vec<Order> =
            self.model.orders.values().filter(|order| order.expires_at <= self.now).cloned().collect();
        expired.sort_by_key(|order| order.expires_at);
        assert_eq!(swept.len(), expired.len().min(3));
        for order in swept {
            assert!(order.expires_at <= expired[2.min(expired.len() - 1)].expires_at, "the oldest first");
            assert_eq!(self.model.orders.remove(&(order.line, order.code.to_string())), Some(order));
            self.model.expired_told += 1;
        }
    }

    fn note_called(&mut self) {
        let (line, callee, code) = (self.line(), self.number(), self.code());
        self.store().apply(Batch::new().note_called(line, callee, &code, self.now)).unwrap();
        self.model.called.insert((line, callee), (code, self.now));
    }

    fn checkpoint(&mut self) {
        let n = u128::from(self.below(200));
        self.store().checkpoint(&record(n), b"as it stands").unwrap();
        if !self.model.finished.contains(&n) {
            self.model.unfinished.insert(n);
        }
    }

    fn finish(&mut self) {
        let n = u128::from(self.below(200));
        let events = ["call.a", "call.b"].map(|kind| event(kind, Some(n))).to_vec();
        let first = !self.model.finished.contains(&n);
        assert_eq!(self.store().finish(&record(n), events), Ok(first));
        self.model.unfinished.remove(&n);
        if first {
            self.model.finished.push(n);
            self.model.owed.insert(n, vec!["call.a".to_owned(), "call.b".to_owned()]);
        }
    }

    fn tell(&mut self) {
        let limit = 1 + self.below(4) as usize;
        let due = self.store().outbox_due("w", self.now, limit).unwrap();
        for delivery in due {
            let n = delivery.event.call.unwrap().random();
            assert_eq!(self.model.owed[&n][0], delivery.event.kind, "the oldest of its call");
            match self.below(3) {
                0 => drop(delivery),
                1 => self.store().failed(delivery, Timestamp(self.now.0 + 10), "no").unwrap(),
                _ => {
                    self.model.owed.get_mut(&n).unwrap().remove(0);
                    self.store().delivered(delivery).unwrap();
                }
            }
        }
        let waiting: usize = self.model.owed.values().map(Vec::len).sum();
        assert_eq!(self.store().outbox_status("w").waiting, waiting as u64);
    }

    fn live(&self, line: Option<Number>, code: &str) -> Option<&Order> {
        self.model.orders.get(&(line, code.to_owned())).filter(|order| order.expires_at > self.now)
    }

    fn reached(&self, line: Number, code: &str) -> Option<&Order> {
        self.live(Some(line), code).or_else(|| self.live(None, code))
    }

    fn check(&mut self) {
        let (line, code, caller) = (self.line(), self.code(), self.number());
        let found = self.store().find_code(line, &code, self.now).unwrap();
        assert_eq!(found.as_ref(), self.reached(line, &code));
        let codes: BTreeSet<&String> = self.model.orders.keys().map(|(_, code)| code).collect();
        let mine: Vec<&Order> = codes
            .iter()
            .filter_map(|code| self.reached(line, code))
            .filter(|order| order.has_party(caller))
            .collect();
        let party = match mine[..] {
            [] => PartyFinding::None,
            [one] => PartyFinding::One(Box::new(one.clone())),
            _ => PartyFinding::Several,
        };
        // Two of the line's own are several also where a third stands before one of no line.
        assert_eq!(self.store().find_party(line, caller, self.now).unwrap(), party);
        let redial = self.model.called.get(&(line, caller)).filter(|(_, at)| self.now.since(*at) <= WITHIN);
        let redial =
            redial.and_then(|(code, at)| self.reached(line, code).filter(|order| order.created_at <= *at));
        let redial = redial.filter(|order| order.has_party(caller));
        assert_eq!(self.store().find_redial(line, caller, WITHIN, self.now).unwrap().as_ref(), redial);
        self.check_lists(caller);
    }

    fn check_lists(&self, caller: Number) {
        let live: Vec<&Order> =
            self.model.orders.values().filter(|order| order.expires_at > self.now).collect();
        let all = self.store().orders(&OrderFilter::default(), self.now, None, 1_000).unwrap().items;
        assert!(all.iter().eq(live.iter().copied()), "by line and code");
        let filter = OrderFilter { number: Some(caller), ..OrderFilter::default() };
        let mut of = self.store().orders(&filter, self.now, None, 1_000).unwrap().items;
        of.sort_by(|a, b| (a.line, &a.code).cmp(&(b.line, &b.code)));
        assert!(of.iter().eq(live.into_iter().filter(|order| order.has_party(caller))));
        let records = self.store().records(&RecordFilter::default(), None, 1_000).unwrap().items;
        assert!(
            records.iter().map(|record| record.id).eq(self.model.finished.iter().rev().map(|n| call(*n)))
        );
        let unfinished = self.store().unfinished().unwrap();
        assert!(
            unfinished.iter().map(|unfinished| unfinished.record.id).eq(self
                .model
                .unfinished
                .iter()
                .map(|n| call(*n)))
        );
        let orders = self.model.orders.len() as u64;
        assert_eq!(self.store().status().orders, Some(orders));
    }
}

#[test]
fn random_users_find_what_a_simple_model_says_through_restarts() {
    for seed in 0..8 {
        let mut user = User::new(seed);
        for _ in 0..400 {
            user.step();
        }
        user.world.reopen();
        user.watch();
        user.check();
        assert!(user.model.expired_told > 0 && !user.model.finished.is_empty(), "seed {seed} did something");
    }
}
