//! Delays by the million, in little room.

use std::time::Duration;

/// Steps to a doubling: what is told of a delay is at most 1.1 % more than it was.
const STEPS: f64 = 64.0;

/// How many delays were how long.
#[derive(Debug, Clone, Default)]
pub struct Delays {
    counts: Vec<u64>,
    all: u64,
}

impl Delays {
    /// Counts one.
    pub(super) fn add(&mut self, delay: Duration) {
        let micros = (delay.as_secs_f64() * 1e6).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a place in a short list"
        )]
        let step = (micros.log2() * STEPS).ceil() as usize;
        if self.counts.len() <= step {
            self.counts.resize(step + 1, 0);
        }
        self.counts[step] += 1;
        self.all += 1;
    }

    /// The delay that `share` (0 to 1) of them do not exceed, rounded up by 1.1 % at most; zero of none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts, and places in a short list")]
    pub fn percentile(&self, share: f64) -> Duration {
        let wanted = self.all as f64 * share;
        let mut so_far = 0;
        for (step, count) in self.counts.iter().enumerate() {
            so_far += count;
            if *count > 0 && so_far as f64 >= wanted {
                return Duration::from_secs_f64((step as f64 / STEPS).exp2() / 1e6);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_what_a_sorted_list_says() {
        assert_eq!(Delays::default().percentile(0.5), Duration::ZERO);
        let mut delays = Delays::default();
        for millis in (1..=1000).rev() {
            delays.add(Duration::from_millis(millis));
        }
        for (share, millis) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0), (0.0, 1.0)] {
            let told = delays.percentile(share).as_secs_f64() * 1e3;
            assert!((millis..=millis * 1.0115).contains(&told), "{share}: {told} ms");
        }
        delays.add(Duration::ZERO);
        assert_eq!(delays.percentile(0.0), Duration::from_micros(1));
    }
}
