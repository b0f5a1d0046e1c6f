//! Many delays in little room.

use std::time::Duration;

/// Buckets in each power of two: a delay is told to a 64th.
const PARTS: u64 = 64;

/// How often delays came, by buckets whose width grows with the delay.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    most: u64,
}

impl Histogram {
    pub(super) fn add(&mut self, delay: Duration) {
        let nanos = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket(nanos);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.most = self.most.max(nanos);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.most = self.most.max(other.most);
    }

    /// What `per_mille` of a thousand delays do not exceed; `None` without any.
    pub(super) fn percentile(&self, per_mille: u64) -> Option<Duration> {
        let rank = (self.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(last_of(bucket).min(self.most)))
    }

    pub(super) fn most(&self) -> Option<Duration> {
        (self.count > 0).then_some(Duration::from_nanos(self.most))
    }
}

fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(1).ilog2().saturating_sub(PARTS.ilog2());
    usize::try_from(u64::from(shift) * PARTS + (nanos >> shift)).expect("below 64 * 66")
}

/// The largest delay of a bucket.
fn last_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket / PARTS).saturating_sub(1);
    let first = u128::from(bucket - shift * PARTS) << shift;
    u64::try_from(first + (1 << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_gap_and_hold_what_is_put_into_them() {
        let mut next = 0;
        for bucket_of in 0..=bucket(u64::MAX) {
            assert_eq!(bucket(next), bucket_of, "the first of {bucket_of}");
            let last = last_of(bucket_of);
            assert_eq!(bucket(last), bucket_of, "the last of {bucket_of}");
            assert!(last - next <= next / PARTS, "{next} to {last}");
            next = last.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with the numbers");
    }

    #[test]
    fn percentiles_are_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.percentile(500), histogram.most()), (None, None));
        for delay in 1..=100 {
            histogram.add(Duration::from_nanos(delay));
        }
        for (per_mille, nanos) in [(0, 1), (10, 1), (500, 50), (501, 51), (990, 99), (1000, 100)] {
            assert_eq!(histogram.percentile(per_mille), Some(Duration::from_nanos(nanos)), "{per_mille}");
        }
        assert_eq!(histogram.most(), Some(Duration::from_nanos(100)));
    }

    #[test]
    fn no_percentile_is_beyond_what_was_seen() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::from_nanos(1_000_001));
        assert_eq!(histogram.percentile(990), Some(Duration::from_nanos(1_000_001)));
    }

    #[test]
    fn two_are_added_up() {
        let [mut one, mut other] = [Histogram::default(), Histogram::default()];
        one.add(Duration::from_nanos(5));
        other.add(Duration::from_secs(1));
        one.merge(&other);
        assert_eq!(one.percentile(500), Some(Duration::from_nanos(5)));
        assert_eq!(one.percentile(1000), Some(Duration::from_secs(1)));
    }
}
