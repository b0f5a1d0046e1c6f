//! What may be dialled, how often and how much of it at once: so that whoever breaks in, or errs, does not dial up a fortune.
//! What counts for an hour or a day is told each time, so that the node that comes after goes on with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use clock::Instant;
use number::Number;

use crate::config::{CostClass, DialRules, Guards};
use crate::interface::{Tallied, TalliedOf};
use crate::record::Cause;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// How often something happened within a period that begins when it happens first; bounded in what is remembered.
#[derive(Debug)]
struct Tally<K> {
    /// How often, and when that is forgotten.
    counts: BTreeMap<K, (Instant, u32)>,
    by_time: BTreeSet<(Instant, K)>,
    period: Duration,
    most: usize,
}

impl<K: Ord + Clone> Tally<K> {
    fn new(period: Duration, most: usize) -> Self {
        Self { counts: BTreeMap::new(), by_time: BTreeSet::new(), period, most }
    }

    fn of(&self, now: Instant, key: &K) -> u32 {
        self.counts.get(key).filter(|(until, _)| now < *until).map_or(0, |(_, count)| *count)
    }

    /// Once more: how often it is now, and until when that counts.
    fn add(&mut self, now: Instant, key: &K) -> (Instant, u32) {
        let counted = match self.counts.get(key).filter(|(until, _)| now < *until) {
            Some((until, count)) => (*until, count.saturating_add(1)),
            None => (now + self.period, 1),
        };
        self.set(key, counted);
        counted
    }

    fn set(&mut self, key: &K, counted: (Instant, u32)) {
        if let Some((until, _)) = self.counts.remove(key) {
            self.by_time.remove(&(until, key.clone()));
        }
        if self.counts.len() >= self.most
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.counts.remove(&oldest);
        }
        self.counts.insert(key.clone(), counted);
        self.by_time.insert((counted.0, key.clone()));
    }
}

/// What a call that dialled somebody counts for, until it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialled {
    callee: Number,
    caller: Option<Number>,
    class: Option<Box<str>>,
}

/// Whom a leg is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leg {
    pub(crate) callee: Number,
    /// Who called, where that is known; nobody where it is the line's operator that is dialled, who answers many.
    pub(crate) caller: Option<Number>,
    /// Whether the number is somebody's, to whom limits of one number apply.
    pub(crate) is_party: bool,
}

/// What is counted of the legs that were dialled.
#[derive(Debug)]
pub(crate) struct Counts {
    by_class: HashMap<Box<str>, usize>,
    by_callee: HashMap<Number, usize>,
    by_caller: HashMap<Number, usize>,
    class_days: Tally<Box<str>>,
    callee_hours: Tally<Number>,
    caller_hours: Tally<Number>,
    /// What was counted since it was asked for last.
    news: Vec<Tallied>,
}

impl Counts {
    /// `most`: numbers remembered.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            by_class: HashMap::new(),
            by_callee: HashMap::new(),
            by_caller: HashMap::new(),
            class_days: Tally::new(DAY, most),
            callee_hours: Tally::new(HOUR, most),
            caller_hours: Tally::new(HOUR, most),
            news: Vec::new(),
        }
    }

    /// Counts a leg that is to be dialled, unless that may not be.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        leg: Leg,
        rules: &DialRules,
        guards: &Guards,
    ) -> Result<Dialled, Cause> {
        if !rules.allows(leg.callee) {
            return Err(Cause::NumberNotAllowed);
        }
        let class = CostClass::of(&guards.classes, leg.callee);
        if let Some(class) = class {
            let now_of = self.by_class.get(&class.name).copied().unwrap_or(0);
            let today = self.class_days.of(now, &class.name);
            if class.max_calls.is_some_and(|most| now_of >= most)
                || class.max_calls_a_day.is_some_and(|most| today >= most)
            {
                return Err(Cause::TooManyCalls);
            }
        }
        if leg.is_party {
            let of = |held: &HashMap<Number, usize>, number| held.get(&number).copied().unwrap_or(0);
            let too_many = |most: Option<usize>, now_of| most.is_some_and(|most| now_of >= most);
            let too_often = |most: Option<u32>, so_far| most.is_some_and(|most| so_far >= most);
            let by_callee = too_many(guards.callee_max_calls, of(&self.by_callee, leg.callee))
                || too_often(guards.callee_calls_per_hour, self.callee_hours.of(now, &leg.callee));
            let by_caller = leg.caller.is_some_and(|caller| {
                too_many(guards.caller_max_calls, of(&self.by_caller, caller))
                    || too_often(guards.caller_calls_per_hour, self.caller_hours.of(now, &caller))
            });
            if by_callee || by_caller {
                return Err(Cause::TooManyCalls);
            }
            let (until, count) = self.callee_hours.add(now, &leg.callee);
            if guards.callee_calls_per_hour.is_some() {
                self.news.push(Tallied { of: TalliedOf::Callee(leg.callee), until, count });
            }
            if let Some(caller) = leg.caller {
                let (until, count) = self.caller_hours.add(now, &caller);
                if guards.caller_calls_per_hour.is_some() {
                    self.news.push(Tallied { of: TalliedOf::Caller(caller), until, count });
                }
            }
        }
        if let Some(class) = class {
            let (until, count) = self.class_days.add(now, &class.name);
            if class.max_calls_a_day.is_some() {
                self.news.push(Tallied { of: TalliedOf::Class(class.name.clone()), until, count });
            }
        }
        Ok(self.hold(leg, guards))
    }

    /// What was counted since this was asked last.
    pub(crate) fn news(&mut self) -> impl Iterator<Item = Tallied> + '_ {
        self.news.drain(..)
    }

    /// Goes on with what was counted before the node died.
    pub(crate) fn remember(&mut self, tallied: Tallied) {
        let counted = (tallied.until, tallied.count);
        match tallied.of {
            TalliedOf::Class(name) => self.class_days.set(&name, counted),
            TalliedOf::Callee(number) => self.callee_hours.set(&number, counted),
            TalliedOf::Caller(number) => self.caller_hours.set(&number, counted),
        }
    }

    /// Counts a leg that is there already: its call goes on after the node died.
    pub(crate) fn hold(&mut self, leg: Leg, guards: &Guards) -> Dialled {
        let class = CostClass::of(&guards.classes, leg.callee).map(|class| class.name.clone());
        if let Some(class) = &class {
            *self.by_class.entry(class.clone()).or_default() += 1;
        }
        *self.by_callee.entry(leg.callee).or_default() += 1;
        if let Some(caller) = leg.caller {
            *self.by_caller.entry(caller).or_default() += 1;
        }
        Dialled { callee: leg.callee, caller: leg.caller, class }
    }

    /// The leg is no more.
    pub(crate) fn give(&mut self, dialled: &Dialled) {
        less(&mut self.by_callee, &dialled.callee);
        if let Some(caller) = &dialled.caller {
            less(&mut self.by_caller, caller);
        }
        if let Some(class) = &dialled.class {
            less(&mut self.by_class, class);
        }
    }
}

fn less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Prefix;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| Prefix::parse(text).unwrap()).collect()
    }

    fn leg(callee: &str) -> Leg {
        Leg { callee: number(callee), caller: Some(number("+79990000001")), is_party: true }
    }

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    #[test]
    fn the_longest_prefix_says_whether_a_number_may_be_dialled() {
        let rules = DialRules { allow: prefixes(&["+7", "+7809123"]), deny: prefixes(&["+7809", "+79"]) };
        for (callee, may) in [
            ("+74951234567", true),
            ("+78091112233", false),
            ("+78091231122", true),
            ("+79991112233", false),
            ("+18091112233", false),
        ] {
            assert_eq!(rules.allows(number(callee)), may, "{callee}");
        }
        let rules = DialRules { allow: Vec::new(), deny: prefixes(&["+881"]) };
        assert!(rules.allows(number("+79991112233")) && !rules.allows(number("+88112345678")));
    }

    #[test]
    fn a_class_has_its_calls_at_once_and_its_calls_of_a_day() {
        let class = |name: &str, texts, max_calls, max_calls_a_day| CostClass {
            name: name.into(),
            prefixes: prefixes(texts),
            max_calls,
            max_calls_a_day,
        };
        let guards = Guards {
            classes: vec![
                class("home", &["+7"], None, None),
                class("dear", &["+7809", "+1"], Some(1), Some(3)),
            ],
            ..Guards::default()
        };
        let (mut counts, rules) = (Counts::new(10), DialRules::default());
        let take =
            |counts: &mut Counts, second, callee| counts.take(at(second), leg(callee), &rules, &guards);
        let first = take(&mut counts, 0, "+78091112233").unwrap();
        assert_eq!(take(&mut counts, 1, "+12125550100"), Err(Cause::TooManyCalls));
        assert!(take(&mut counts, 1, "+74951234567").is_ok(), "of another class");
        counts.give(&first);
        for second in [2, 3] {
            let taken = take(&mut counts, second, "+12125550100").unwrap();
            counts.give(&taken);
        }
        assert_eq!(take(&mut counts, 4, "+12125550100"), Err(Cause::TooManyCalls), "three today");
        assert!(take(&mut counts, 86_400, "+12125550100").is_ok());
    }

    #[test]
    fn what_was_counted_is_told_and_remembered() {
        let guards = Guards {
            classes: vec![CostClass {
                name: "dear".into(),
                prefixes: prefixes(&["+7999"]),
                max_calls: None,
                max_calls_a_day: Some(2),
            }],
            callee_calls_per_hour: Some(2),
            caller_calls_per_hour: Some(2),
            ..Guards::default()
        };
        let rules = DialRules::default();
        let mut counts = Counts::new(10);
        for second in [10, 20] {
            counts.take(at(second), leg("+79991112233"), &rules, &guards).unwrap();
        }
        let told: Vec<Tallied> = counts.news().collect();
        let ends = |hour| at(10) + if hour { HOUR } else { DAY };
        let callee = TalliedOf::Callee(number("+79991112233"));
        let caller = TalliedOf::Caller(number("+79990000001"));
        let last = [(callee, true), (caller, true), (TalliedOf::Class("dear".into()), false)];
        let last = last.map(|(of, hour)| Tallied { of, until: ends(hour), count: 2 });
        assert_eq!(told[3..], last);
        assert_eq!(counts.news().count(), 0);
        for one in last {
            let until = one.until;
            let mut after = Counts::new(10);
            after.remember(one);
            let refused = after.take(until - Duration::from_secs(1), leg("+79991112233"), &rules, &guards);
            assert_eq!(refused, Err(Cause::TooManyCalls));
            assert!(after.take(until, leg("+79991112233"), &rules, &guards).is_ok());
        }
        let mut unlimited = Counts::new(10);
        unlimited.take(at(0), leg("+79991112233"), &rules, &Guards::default()).unwrap();
        assert_eq!(unlimited.news().count(), 0, "nobody asks for it");
    }

    #[test]
    fn a_number_has_its_calls_at_once_and_its_calls_of_an_hour() {
        let guards = Guards {
            callee_max_calls: Some(1),
            caller_max_calls: Some(2),
            callee_calls_per_hour: Some(2),
            ..Guards::default()
        };
        let (mut counts, rules) = (Counts::new(10), DialRules::default());
        let one = counts.take(at(0), leg("+79991112233"), &rules, &guards).unwrap();
        assert_eq!(counts.take(at(1), leg("+79991112233"), &rules, &guards), Err(Cause::TooManyCalls));
        let two = counts.take(at(1), leg("+79991112234"), &rules, &guards).unwrap();
        let third = counts.take(at(1), leg("+79991112235"), &rules, &guards);
        assert_eq!(third, Err(Cause::TooManyCalls), "of one caller");
        counts.give(&one);
        counts.give(&two);
        let again = counts.take(at(2), leg("+79991112233"), &rules, &guards).unwrap();
        counts.give(&again);
        let third = counts.take(at(3), leg("+79991112233"), &rules, &guards);
        assert_eq!(third, Err(Cause::TooManyCalls), "twice this hour");
        let operator = Leg { is_party: false, caller: None, ..leg("+79991112233") };
        assert!(counts.take(at(3), operator, &rules, &guards).is_ok(), "operators answer many");
        assert!(counts.by_caller.is_empty());
        assert!(
            counts.take(at(3_600), leg("+79991112233"), &rules, &guards).is_err(),
            "the operator's is there"
        );
    }

    #[test]
    fn the_oldest_is_forgotten_when_too_many_are_remembered() {
        let mut tally = Tally::new(HOUR, 2);
        for (second, key) in [(0, 1), (1, 2), (2, 3), (3, 3)] {
            tally.add(at(second), &key);
        }
        assert_eq!([1, 2, 3].map(|key| tally.of(at(4), &key)), [0, 1, 2]);
        tally.add(at(3_602), &3);
        assert_eq!(tally.of(at(3_602), &3), 1);
        assert_eq!(tally.by_time.len(), tally.counts.len());
    }
}
