//! How the pool stands, how many numbers are needed, and when there will be none left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use number::Number;
use ulid::Ulid;

use super::{Mode, Pool};
use crate::{Store, Timestamp};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Further ahead nothing is foretold.
const FORESEEN: Duration = Duration::from_secs(366 * 86_400);

/// How the pool stands.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolStatus {
    /// Its numbers.
    pub numbers: Vec<NumberStatus>,
    /// What is to come.
    pub forecast: Forecast,
    /// How the phone stands that was asked about.
    pub phone: Option<PhoneStatus>,
}

/// How one number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberStatus {
    /// Which.
    pub number: Number,
    /// Whether it is taken by those alone who name it.
    pub reserved: bool,
    /// Live pairs that have it.
    pub pairs: u32,
    /// Phones it serves in them.
    pub phones: usize,
    /// Phones for which it rests after a pair.
    pub resting: usize,
}

/// How one phone stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhoneStatus {
    /// Which.
    pub phone: Number,
    /// Live pairs to which it is party.
    pub pairs: usize,
    /// How many more it can have: numbers that are free for it and not reserved.
    pub left: usize,
}

/// What is to come, if it goes on as in the last day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// Live pairs.
    pub live: usize,
    /// Pairs made in the last hour, and in the last day.
    pub created: [usize; 2],
    /// Pairs ended in the last hour, and in the last day.
    pub ended: [usize; 2],
    /// Most live pairs of one phone.
    pub busiest: usize,
    /// How many more that phone can have.
    pub busiest_left: usize,
    /// When the busiest phone will find no number, if the number of pairs goes on to grow as it did and the phones share
    /// them as they do; `None`: it does not grow, or that is more than a year ahead.
    pub exhausted_at: Option<Timestamp>,
}

/// How many numbers suffice, whoever is paired with whom and in whichever order, so that each phone can have so many pairs at
/// once and there are never more than `in_all`. With one number for both, each of the two may hold all their other numbers
/// apart; with one each, only one's own count, and the other's must be another one. `rest`: how long numbers rest, in
/// lifetimes of a pair.
#[must_use]
pub fn numbers_needed(mode: Mode, per_phone: u32, in_all: u32, rest: f64) -> u64 {
    let with_rest = |pairs: u32| u64::from(pairs) + (f64::from(pairs) * rest.max(0.0)).ceil() as u64;
    let (each, all) = (with_rest(per_phone), with_rest(in_all));
    let (by_phone, by_pairs) = match mode {
        Mode::OneNumber => ((2 * each).saturating_sub(1), all),
        Mode::TwoNumbers => (each + 1, 2 * all),
    };
    if per_phone == 0 { 0 } else { by_phone.min(by_pairs) }
}

impl Store {
    /// How the pool stands, and for this phone, if one is given.
    #[must_use]
    pub fn pool_status(&self, phone: Option<Number>, now: Timestamp) -> PoolStatus {
        self.shared().pool(|pool| PoolStatus {
            numbers: pool
                .numbers()
                .map(|(number, pairs, reserved)| pool.number(number, pairs, reserved, now))
                .collect(),
            forecast: pool.forecast(now),
            phone: phone.map(|phone| pool.phone(phone, now)),
        })
    }

    /// How many pairs are kept, ended ones included.
    #[must_use]
    pub fn pairs_kept(&self) -> usize {
        self.shared().pool(Pool::len)
    }
}

impl Pool {
    fn number(&self, number: Number, pairs: u32, reserved: bool, now: Timestamp) -> NumberStatus {
        let (mut serves, mut rests) = (BTreeSet::new(), BTreeSet::new());
        for (phone, id, _) in self.held_at(number).filter(|(.., until)| *until > now) {
            let lives = self.entry(id).is_some_and(|entry| {
                entry.open
                    && entry.ends > now
                    && phone.is_none_or(|phone| entry.phones().any(|own| own == phone))
            });
            if lives {
                serves.insert(phone)
            } else {
                rests.insert(phone)
            };
        }
        let resting = rests.difference(&serves).count();
        NumberStatus { number, reserved, pairs, phones: serves.len(), resting }
    }

    fn phone(&self, phone: Number, now: Timestamp) -> PhoneStatus {
        let live = |id: &Ulid| {
            let party = |entry: &super::pool::Entry| entry.phones().any(|own| own == phone);
            self.entry(*id).is_some_and(|entry| entry.open && entry.ends > now && party(entry))
        };
        let pairs = self.before(Some(phone), None, usize::MAX).iter().filter(|id| live(id)).count();
        PhoneStatus { phone, pairs, left: self.left(phone, now) }
    }

    fn left(&self, phone: Number, now: Timestamp) -> usize {
        let free = |number| self.is_free(number, Some(phone), None, now);
        self.numbers().filter(|(number, _, reserved)| !reserved && free(*number)).count()
    }

    fn forecast(&self, now: Timestamp) -> Forecast {
        let (mut created, mut ended) = ([0; 2], [0; 2]);
        let mut live = 0;
        let mut of_phone: BTreeMap<Number, usize> = BTreeMap::new();
        let mut oldest = now;
        for (id, entry) in self.entries() {
            let made = Timestamp(id.timestamp_ms());
            oldest = oldest.min(made);
            for (place, span) in [HOUR, DAY].into_iter().enumerate() {
                created[place] += usize::from(now.since(made) < span);
                ended[place] += usize::from(entry.ends <= now && now.since(entry.ends) < span);
            }
            if entry.ends > now {
                live += 1;
                entry.phones().for_each(|phone| *of_phone.entry(phone).or_default() += 1);
            }
        }
        let busiest = of_phone.into_iter().max_by_key(|(_, pairs)| *pairs);
        let busiest_left = busiest.map_or(0, |(phone, _)| self.left(phone, now));
        let busiest = busiest.map_or(0, |(_, pairs)| pairs);
        let window = now.since(oldest).clamp(HOUR, DAY);
        let exhausted_at = exhausted(live, [created[1], ended[1]], window, [busiest, busiest_left]);
        Forecast {
            live,
            created,
            ended,
            busiest,
            busiest_left,
            exhausted_at: exhausted_at.map(|after| now.after(after)),
        }
    }
}

/// How long it takes until the busiest phone has as many pairs as it can have, if its share of all stays what it is.
fn exhausted(
    live: usize,
    [created, ended]: [usize; 2],
    window: Duration,
    [busiest, left]: [usize; 2],
) -> Option<Duration> {
    if busiest == 0 || created <= ended {
        return None;
    }
    let more = live as f64 * left as f64 / busiest as f64;
    let after = more / (created - ended) as f64 * window.as_secs_f64();
    (after <= FORESEEN.as_secs_f64()).then(|| Duration::from_secs_f64(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_suffices_follows_from_who_can_hold_what() {
        let one = |each, all| numbers_needed(Mode::OneNumber, each, all, 0.0);
        assert_eq!((one(1, 1000), one(3, 1000), one(50, 10), one(0, 10)), (1, 5, 10, 0));
        let two = |each, all| numbers_needed(Mode::TwoNumbers, each, all, 0.0);
        assert_eq!((two(1, 1000), two(3, 1000), two(50, 10)), (2, 4, 20));
        // A number that rests as long as it serves counts twice.
        assert_eq!(numbers_needed(Mode::OneNumber, 3, 1000, 1.0), 11);
    }

    #[test]
    fn the_busiest_phone_runs_out_when_all_have_grown_as_much() {
        // 100 live, 10 more in a day: the busiest has 5 of 10, so all must double.
        let day = exhausted(100, [30, 20], DAY, [5, 5]);
        assert_eq!(day, Some(10 * DAY));
        assert_eq!(exhausted(100, [20, 20], DAY, [5, 5]), None);
        assert_eq!(exhausted(0, [20, 0], DAY, [0, 0]), None);
        assert_eq!(exhausted(100, [30, 20], DAY, [5, 0]), Some(Duration::ZERO));
        assert_eq!(exhausted(100_000, [21, 20], DAY, [1, 5]), None);
    }
}
