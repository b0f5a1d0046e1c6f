//! Deadlines by key.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Instant;

/// Deadlines by key. Arming again moves the deadline; the order is total (time, then key), so a run replays
/// exactly.
#[derive(Debug, Clone)]
pub struct Timers<K> {
    by_time: BTreeSet<(Instant, K)>,
    by_key: BTreeMap<K, Instant>,
}

impl<K: Copy + Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_key: BTreeMap::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Sets or moves the deadline of `key` to `after` from `now`.
    pub fn arm(&mut self, now: Instant, key: K, after: Duration) {
        let at = now + after;
        if let Some(before) = self.by_key.insert(key, at) {
            self.by_time.remove(&(before, key));
        }
        self.by_time.insert((at, key));
    }

    /// Forgets the deadline of `key`, if it has one.
    pub fn disarm(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes the earliest deadline that is not after `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.by_time.remove(&(at, key));
        self.by_key.remove(&key);
        Some(key)
    }

    /// How many deadlines are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no deadline is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arming_again_moves_the_deadline() {
        let mut timers = Timers::default();
        timers.arm(Instant::ZERO, 'a', Duration::from_secs(1));
        timers.arm(Instant::ZERO, 'a', Duration::from_secs(3));
        let at = |seconds| Instant(Duration::from_secs(seconds));
        assert_eq!(timers.pop_due(at(2)), None);
        assert_eq!(timers.pop_due(at(3)), Some('a'));
        assert!(timers.is_empty());
    }

    #[test]
    fn equal_deadlines_fire_in_the_order_of_their_keys() {
        let mut timers = Timers::default();
        for key in ['c', 'a', 'b'] {
            timers.arm(Instant::ZERO, key, Duration::from_secs(1));
        }
        timers.disarm('b');
        let now = Instant(Duration::from_secs(1));
        let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).collect();
        assert_eq!(fired, ['a', 'c']);
    }
}
