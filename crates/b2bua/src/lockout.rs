//! Who guessed too often. Guessing must teach nothing, so a number that failed too many calls in a row is
//! heard out with the same words while nothing is looked up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::Instant;
use number::Number;

/// Callers without a number count as one: none of them can be a party of an order.
type Caller = Option<Number>;

/// Failed calls by caller, bounded in number.
#[derive(Debug)]
pub(crate) struct Lockouts {
    failures: BTreeMap<Caller, Failures>,
    by_time: BTreeSet<(Instant, Caller)>,
    most: usize,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u8,
    first: Instant,
    locked_until: Option<Instant>,
}

impl Lockouts {
    pub(crate) fn new(most: usize) -> Self {
        Self { failures: BTreeMap::new(), by_time: BTreeSet::new(), most }
    }

    pub(crate) fn is_locked(&self, now: Instant, caller: Caller) -> bool {
        self.failures.get(&caller).and_then(|f| f.locked_until).is_some_and(|until| now < until)
    }

    /// A call in which a code was keyed and nothing matched. `allowed` of them within `period` lock the
    /// caller out for as long.
    pub(crate) fn failed(&mut self, now: Instant, caller: Caller, allowed: u8, period: Duration) {
        let before = self.failures.get(&caller).copied();
        let recent = before.filter(|f| now.since(f.first) <= period && f.locked_until.is_none());
        let mut failures = recent.unwrap_or(Failures { count: 0, first: now, locked_until: None });
        failures.count = failures.count.saturating_add(1);
        if failures.count >= allowed {
            failures.locked_until = Some(now + period);
        }
        self.forget(caller);
        if self.failures.len() >= self.most
            && let Some((_, oldest)) = self.by_time.first().copied()
        {
            self.forget(oldest);
        }
        self.by_time.insert((failures.first, caller));
        self.failures.insert(caller, failures);
    }

    /// The caller proved to be a party: the row is broken.
    pub(crate) fn matched(&mut self, caller: Caller) {
        self.forget(caller);
    }

    fn forget(&mut self, caller: Caller) {
        if let Some(failures) = self.failures.remove(&caller) {
            self.by_time.remove(&(failures.first, caller));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(600);

    fn at(seconds: u64) -> Instant {
        Instant(Duration::from_secs(seconds))
    }

    fn caller(n: u32) -> Caller {
        Some(Number::parse(&format!("+7999{n:07}")).unwrap())
    }

    #[test]
    fn three_failed_calls_in_a_row_lock_out_for_the_period() {
        let mut lockouts = Lockouts::new(10);
        for second in [0, 10, 20] {
            assert!(!lockouts.is_locked(at(second), caller(1)));
            lockouts.failed(at(second), caller(1), 3, PERIOD);
        }
        assert!(lockouts.is_locked(at(21), caller(1)));
        assert!(!lockouts.is_locked(at(21), caller(2)));
        assert!(lockouts.is_locked(at(619), caller(1)));
        assert!(!lockouts.is_locked(at(620), caller(1)));
    }

    #[test]
    fn a_match_or_a_long_pause_breaks_the_row() {
        let mut lockouts = Lockouts::new(10);
        lockouts.failed(at(0), caller(1), 3, PERIOD);
        lockouts.failed(at(1), caller(1), 3, PERIOD);
        lockouts.matched(caller(1));
        lockouts.failed(at(2), caller(1), 3, PERIOD);
        assert!(!lockouts.is_locked(at(3), caller(1)));
        lockouts.failed(at(700), caller(1), 3, PERIOD);
        lockouts.failed(at(701), caller(1), 3, PERIOD);
        assert!(!lockouts.is_locked(at(702), caller(1)));
    }

    #[test]
    fn the_oldest_is_forgotten_when_too_many_are_remembered() {
        let mut lockouts = Lockouts::new(2);
        for n in 1..=3 {
            lockouts.failed(at(u64::from(n)), caller(n), 1, PERIOD);
        }
        assert!(!lockouts.is_locked(at(4), caller(1)));
        assert!(lockouts.is_locked(at(4), caller(2)) && lockouts.is_locked(at(4), caller(3)));
    }
}
