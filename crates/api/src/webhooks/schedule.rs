//! When to try again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How long to wait after each failure, and when to give up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after the first failure, the second, and so on; the last goes on for ever. Never empty.
    waits: Vec<Duration>,
    /// From the event on, after which it becomes a dead letter.
    give_up: Duration,
}

impl Schedule {
    /// `None` if there is no wait or one is zero.
    #[must_use]
    pub fn new(waits: Vec<Duration>, give_up: Duration) -> Option<Self> {
        let usable = !waits.is_empty() && waits.iter().all(|wait| !wait.is_zero());
        usable.then_some(Self { waits, give_up })
    }

    /// From the event on, after which it becomes a dead letter.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.give_up
    }

    /// The wait after the `failures`-th failure (counted from 1), up to a quarter longer or shorter so that
    /// events which failed together do not come back together. `event` decides which way: the same event and
    /// failure always wait equally long, also after a restart.
    pub(crate) fn wait(&self, failures: u32, event: &str) -> Duration {
        let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.waits[place.min(self.waits.len() - 1)];
        let mut hasher = DefaultHasher::new();
        (event, failures).hash(&mut hasher);
        let permille = 750 + u32::try_from(hasher.finish() % 501).expect("below 501");
        wait * permille / 1000
    }
}

impl Default for Schedule {
    /// 1 s, 5 s, 30 s, 2 min, 10 min, then every hour, for 24 h.
    fn default() -> Self {
        let waits = [1, 5, 30, 120, 600, 3600].map(Duration::from_secs).to_vec();
        Self { waits, give_up: Duration::from_secs(24 * 3600) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_waits_for_its_step_give_or_take_a_quarter_and_the_last_step_repeats() {
        let schedule = Schedule::default();
        for (failures, seconds) in [(1, 1), (2, 5), (3, 30), (4, 120), (5, 600), (6, 3600), (40, 3600)] {
            let step = Duration::from_secs(seconds);
            let wait = schedule.wait(failures, "01J");
            assert!(wait >= step * 3 / 4 && wait <= step * 5 / 4, "{failures}: {wait:?}");
            assert_eq!(wait, schedule.wait(failures, "01J"));
        }
    }

    #[test]
    fn events_that_failed_together_come_back_apart() {
        let schedule = Schedule::default();
        let waits: std::collections::BTreeSet<Duration> =
            (0..100).map(|event| schedule.wait(6, &format!("event {event}"))).collect();
        assert!(waits.len() > 50, "{} different waits", waits.len());
    }

    #[test]
    fn a_schedule_needs_a_wait() {
        assert!(Schedule::new(vec![], Duration::from_secs(1)).is_none());
        assert!(Schedule::new(vec![Duration::ZERO], Duration::from_secs(1)).is_none());
    }
}
