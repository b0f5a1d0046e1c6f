//! Random users of the pool against a small model, with restarts in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use number::Number;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use store::{
    Batch, Choice, Fallback, Mode, NewPair, Options, Pair, PairChange, PairDirection, PairFilter,
    PairRefusal, Preference, Reached, Side, Store, Timestamp, Ulid,
};

use crate::pairs::{asked, party, pool};
use crate::world::{NOW, World, number};

const NUMBERS: [&str; 4] = ["+74950000001", "+74950000002", "+74950000003", "+74950000004"];
const FORGOTTEN: Duration = Duration::from_millis(2_000);

struct User {
    world: World,
    /// What should be known of pairs.
    pairs: BTreeMap<Ulid, Pair>,
    chance: ChaCha8Rng,
    now: Timestamp,
    done: BTreeMap<&'static str, u32>,
}

impl User {
    fn new(seed: u64) -> Self {
        let options = Options { cache_bytes: 1 << 20, pairs_for: FORGOTTEN, ..Options::default() };
        let user = Self {
            world: World::with(options),
            pairs: BTreeMap::new(),
            chance: ChaCha8Rng::seed_from_u64(seed),
            now: NOW,
            done: BTreeMap::new(),
        };
        user.store().set_pool(&pool(&NUMBERS));
        user
    }

    fn store(&self) -> &Store {
        self.world.store()
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.chance.next_u64() % limit
    }

    fn phone(&mut self) -> String {
        format!("+7999000000{}", self.below(7))
    }

    fn pair(&mut self) -> Option<Ulid> {
        let place = self.below(self.pairs.len().max(1) as u64) as usize;
        self.pairs.keys().nth(place).copied()
    }

    fn later(&mut self, most: u64) -> Timestamp {
        Timestamp(self.now.0 + 1 + self.below(most))
    }

    fn did(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn step(&mut self) {
        self.now = Timestamp(self.now.0 + self.below(20));
        match self.below(20) {
            0..=6 => self.create(),
            7..=8 => self.change(),
            9..=10 => self.close(),
            11 => self.reopen(),
            12..=13 => self.call(),
            14 => self.sweep(),
            15 => {
                self.world.reopen();
                self.store().set_pool(&pool(&NUMBERS));
            }
            _ => self.check(),
        }
    }

    /// Until when a pair holds its numbers.
    fn held_until(pair: &Pair) -> Timestamp {
        let fallback = pair.fallback.map_or(Duration::ZERO, |fallback| fallback.within);
        pair.ends_at().after(pair.cool_off.max(fallback))
    }

    /// Whether another pair holds this number for this phone, or for anyone; `None`: for whomever.
    fn is_held(
        &self,
        at: Number,
        phone: Option<Number>,
        but: Option<Ulid>,
        forgiven: Option<[Option<Number>; 2]>,
    ) -> bool {
        self.pairs.values().filter(|pair| Some(pair.id) != but).any(|pair| {
            let mut both = [Some(pair.a.party.number), pair.b.as_ref().map(|b| b.party.number)];
            both.sort_unstable();
            if forgiven == Some(both) && pair.ends_at() <= self.now {
                return false;
            }
            let until = Self::held_until(pair);
            let mut holds: Vec<(Number, Option<Number>, Timestamp)> = match &pair.b {
                None => vec![(pair.a.dials, None, until)],
                Some(b) => vec![
                    (pair.a.dials, Some(pair.a.party.number), until),
                    (b.dials, Some(b.party.number), until),
                ],
            };
            holds.extend(
                pair.former
                    .iter()
                    .map(|former| (former.dialled, Some(former.phone), former.since.after(pair.cool_off))),
            );
            holds.iter().any(|(number, whose, until)| {
                *number == at && *until > self.now && (phone.is_none() || whose.is_none() || *whose == phone)
            })
        })
    }

    fn create(&mut self) {
        let (a, b) = (self.phone(), self.phone());
        let single = self.below(6) == 0;
        let mut asked = asked(&a, Some(&b).filter(|_| !single).map(String::as_str));
        asked.mode = if self.below(3) == 0 { Mode::TwoNumbers } else { Mode::OneNumber };
        asked.direction =
            [PairDirection::Both, PairDirection::AToB, PairDirection::BToA][self.below(3) as usize];
        asked.expires_at = self.later(600);
        asked.sliding = (self.below(3) == 0).then_some(Duration::from_millis(300));
        asked.cool_off = Duration::from_millis(self.below(3) * 100);
        let office = Fallback { number: number("+79995555555"), within: Duration::from_millis(150) };
        asked.fallback = (self.below(3) == 0).then_some(office);
        let preferences = [Preference::LeastUsed, Preference::Sticky, Preference::AvoidSticky];
        asked.choice.preference = preferences[self.below(3) as usize];
        if self.below(4) == 0 {
            let named = Some(number(NUMBERS[self.below(4) as usize]));
            asked.choice = Choice { named: [named; 2], ..asked.choice };
            asked.mode = Mode::OneNumber;
        }
        let made = self.store().create_pair(asked.clone(), self.now).unwrap();
        self.judge(&asked, made);
    }

    /// Whether it was right to make this pair, or to refuse it.
    fn judge(&mut self, asked: &NewPair, made: Result<Pair, PairRefusal>) {
        let (a, b) = (asked.a.number, asked.b.as_ref().map(|b| b.number));
        if Some(a) == b {
            return assert_eq!(made, Err(PairRefusal::SameNumber));
        }
        if asked.mode == Mode::TwoNumbers && b.is_none() {
            return assert_eq!(made, Err(PairRefusal::NeedsB));
        }
        let mut both = [Some(a), b];
        both.sort_unstable();
        let forgiven = (asked.choice.preference == Preference::Sticky).then_some(both);
        let free = |phone| {
            let is_free = |at: &Number| !self.is_held(*at, phone, None, forgiven);
            NUMBERS.map(number).into_iter().filter(is_free).collect::<Vec<_>>()
        };
        let for_a = free(b.and(Some(a)));
        let for_b = if b.is_some() { free(b) } else { for_a.clone() };
        let right: Vec<[Number; 2]> = for_a
            .iter()
            .flat_map(|a| for_b.iter().map(|b| [*a, *b]))
            .filter(|[a, b]| (a == b) == (asked.mode == Mode::OneNumber))
            .filter(|[a, _]| asked.choice.named[0].is_none_or(|named| named == *a))
            .collect();
        match made {
            Ok(pair) => {
                let dials = [pair.a.dials, pair.b.as_ref().map_or(pair.a.dials, |b| b.dials)];
                assert!(right.contains(&dials), "{dials:?} is none of {right:?}");
                if asked.choice == Choice::default() && asked.mode == Mode::OneNumber {
                    let least = right.iter().map(|[number, _]| self.live_at(*number)).min().unwrap();
                    assert_eq!(self.live_at(pair.a.dials), least, "the least used");
                }
                self.did("created");
                self.pairs.insert(pair.id, pair);
            }
            Err(PairRefusal::NoNumber) => {
                assert!(right.is_empty() && asked.choice.named[0].is_none());
                self.did("none left");
            }
            Err(refusal) => {
                assert_eq!(refusal, PairRefusal::NumberBusy(asked.choice.named[0].unwrap()));
                assert!(right.is_empty());
                self.did("busy");
            }
        }
    }

    /// Pairs at this number whose end nobody noticed.
    fn live_at(&self, at: Number) -> usize {
        let at_it = |pair: &&Pair| {
            pair.ended.is_none() && (pair.a.dials == at || pair.b.as_ref().is_some_and(|b| b.dials == at))
        };
        self.pairs.values().filter(at_it).count()
    }

    /// What the store says of a pair is what is known of it from now on, once it was found right.
    fn keep(&mut self, answered: Pair) {
        self.pairs.insert(answered.id, answered);
    }

    /// A pair whose end whoever asks is the first to notice.
    fn noticed(&mut self, id: Ulid) -> bool {
        let now = self.now;
        let pair = self.pairs.get_mut(&id).unwrap();
        if pair.ended.is_none() && pair.expires_at <= now {
            pair.ended = Some(store::Ended { at: pair.expires_at, closed: false });
        }
        pair.ended.is_none()
    }

    fn change(&mut self) {
        let Some(id) = self.pair() else { return };
        let phone = self.phone();
        let mut change = PairChange::default();
        let first = self.below(2) == 0;
        if first {
            change.a = Some(party(&phone));
        } else {
            change.b = Some(Some(party(&phone)));
        }
        let is_live = self.noticed(id);
        let changed = self.store().change_pair(id, change, None, self.now).unwrap();
        let before = self.pairs[&id].clone();
        if !is_live {
            return assert_eq!(changed, Err(PairRefusal::Ended));
        }
        let other = if first { before.b.as_ref() } else { Some(&before.a) };
        if other.is_some_and(|other| other.party.number == number(&phone)) {
            return assert_eq!(changed, Err(PairRefusal::SameNumber));
        }
        let single = first && before.b.is_none();
        let dials = if first { before.a.dials } else { before.b.as_ref().unwrap_or(&before.a).dials };
        let mut held = self.is_held(dials, Some(number(&phone)).filter(|_| !single), Some(id), None);
        // Who was alone held the number for everyone, and holds it for themselves now.
        if let Some(other) = other.filter(|_| !single) {
            held |= self.is_held(other.dials, Some(other.party.number), Some(id), None);
        }
        match changed {
            Ok(pair) => {
                assert!(!held);
                assert_eq!((pair.a.dials, pair.version), (before.a.dials, before.version + 1));
                self.did("changed");
                self.keep(pair);
            }
            Err(refusal) => assert!(matches!(refusal, PairRefusal::NumberBusy(_)) && held, "{refusal:?}"),
        }
    }

    fn close(&mut self) {
        let Some(id) = self.pair() else { return };
        let is_live = self.noticed(id);
        let closed = self.store().close_pair(id, None, self.now).unwrap();
        assert_eq!(closed.is_ok(), is_live);
        if let Ok(pair) = closed {
            assert_eq!(pair.ends_at(), self.now);
            self.did("closed");
            self.keep(pair);
        }
    }

    fn reopen(&mut self) {
        let Some(id) = self.pair() else { return };
        let is_live = self.noticed(id);
        let expires = self.later(400);
        let opened = self.store().reopen_pair(id, expires, None, self.now).unwrap();
        if is_live {
            return assert_eq!(opened, Err(PairRefusal::Live));
        }
        let pair = &self.pairs[&id];
        let single = pair.b.is_none();
        let mut members = std::iter::once(&pair.a).chain(&pair.b);
        let held = members.any(|member| {
            self.is_held(member.dials, Some(member.party.number).filter(|_| !single), Some(id), None)
        });
        assert_eq!(opened.is_err(), held, "{opened:?}");
        if let Ok(pair) = opened {
            self.did("opened again");
            self.keep(pair);
        }
    }

    fn call(&mut self) {
        let Some(id) = self.pair() else { return };
        let caller = number(&self.phone());
        self.store().apply(Batch::new().pair_called(id, Some(caller), self.now)).unwrap();
        let now = self.now;
        let pair = self.pairs.get_mut(&id).unwrap();
        if pair.is_live(now) {
            if let Some(sliding) = pair.sliding {
                pair.expires_at = pair.expires_at.max(now.after(sliding));
            }
            if pair.b.is_none() && caller != pair.a.party.number {
                pair.last_caller = Some(caller);
            }
        }
    }

    fn sweep(&mut self) {
        self.store().sweep_pairs(self.now, 1_000).unwrap();
        let ids: Vec<Ulid> = self.pairs.keys().copied().collect();
        for id in ids {
            self.noticed(id);
            let pair = &self.pairs[&id];
            let kept = pair.ends_at().after(FORGOTTEN).max(Self::held_until(pair));
            if pair.ended.is_some() && kept <= self.now {
                self.pairs.remove(&id);
                self.did("forgotten");
            }
        }
    }

    /// Who is reached, and that what is known is what is kept.
    fn check(&mut self) {
        let (dialled, caller) = (number(NUMBERS[self.below(4) as usize]), number(&self.phone()));
        let now = self.now;
        let found = self.store().find_pair(dialled, Some(caller), now).unwrap();
        let party_of = |pair: &Pair| {
            let is_a = pair.a.dials == dialled && pair.a.party.number == caller;
            let is_b = pair.b.as_ref().is_none_or(|b| b.dials == dialled && b.party.number == caller);
            let alone = pair.b.is_none() && pair.a.dials == dialled;
            is_a || (is_b && (pair.b.is_some() || alone))
        };
        let live: Vec<&Pair> =
            self.pairs.values().filter(|pair| pair.is_live(now) && party_of(pair)).collect();
        assert!(live.len() < 2, "a number serves one phone in two live pairs");
        match (&found, live.first()) {
            (Some(found), Some(live)) => {
                assert_eq!(*found.pair, **live);
                let is_a = caller == live.a.party.number;
                assert_eq!(found.caller, if is_a { Side::A } else { Side::B });
                if let Reached::Party { party, .. } = &found.reached {
                    assert_ne!(party.number, caller);
                }
            }
            (Some(found), None) => assert!(matches!(found.reached, Reached::Fallback(_))),
            (None, live) => assert!(live.is_none()),
        }
        let kept = self.store().pairs(&PairFilter::default(), now, None, 1_000).unwrap().items;
        assert!(kept.iter().rev().eq(self.pairs.values().collect::<Vec<_>>().iter().copied()));
        let status = self.store().pool_status(Some(caller), now);
        let left =
            NUMBERS.iter().filter(|text| !self.is_held(number(text), Some(caller), None, None)).count();
        assert_eq!(status.phone.unwrap().left, left);
        for number in status.numbers {
            assert_eq!(number.pairs as usize, self.live_at(number.number));
        }
    }
}

#[test]
fn random_users_of_the_pool_find_what_a_simple_model_says_through_restarts() {
    let mut done = BTreeSet::new();
    for seed in 0..8 {
        let mut user = User::new(seed);
        for _ in 0..500 {
            user.step();
        }
        user.world.reopen();
        user.store().set_pool(&pool(&NUMBERS));
        user.check();
        done.extend(user.done.into_keys());
    }
    for what in ["created", "none left", "busy", "changed", "closed", "opened again", "forgotten"] {
        assert!(done.contains(what), "{what} never: {done:?}");
    }
}
