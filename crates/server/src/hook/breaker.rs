//! A hook that is down is not asked again by each caller: whoever waits for it waits in vain.

use std::time::Duration;

use tokio::time::Instant;

/// So many questions in a row that nobody answered, and it is spared.
const ENOUGH: u32 = 3;
/// For how long; then one question shows whether it is back.
const REST: Duration = Duration::from_secs(10);

/// What is known of a hook.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row.
    failures: u32,
    /// Until then it is spared.
    rests_until: Option<Instant>,
}

impl Breaker {
    /// Whether it may be asked. Where it rested long enough whoever asks first does, and the others wait for what comes of it.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let Some(until) = self.rests_until else { return true };
        let is_over = now >= until;
        if is_over {
            self.rests_until = Some(now + REST);
        }
        is_over
    }

    /// It answered. Whether it had been spared before.
    pub(super) fn answered(&mut self) -> bool {
        self.failures = 0;
        self.rests_until.take().is_some()
    }

    /// It did not. Whether it is spared from now on.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let is_new = self.failures >= ENOUGH && self.rests_until.is_none();
        if self.failures >= ENOUGH {
            self.rests_until = Some(now + REST);
        }
        is_new
    }

    /// Whether it is spared.
    pub(super) fn rests(&self) -> bool {
        self.rests_until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_three_times_in_a_row_is_spared_until_one_question_is_answered() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for failure in 0..2 {
            assert!(breaker.admits(now) && !breaker.failed(now), "{failure}");
        }
        assert!(!breaker.answered(), "it was never spared");
        for _ in 0..2 {
            assert!(!breaker.failed(now));
        }
        assert!(breaker.failed(now) && breaker.rests());
        assert!(!breaker.admits(now + REST / 2));
        let later = now + REST;
        assert!(breaker.admits(later), "somebody finds out");
        assert!(!breaker.admits(later), "and the others do not");
        assert!(!breaker.failed(later), "that is no news");
        assert!(!breaker.admits(later + REST / 2));
        assert!(breaker.admits(later + REST));
        assert!(breaker.answered() && breaker.admits(later) && !breaker.rests());
    }
}
