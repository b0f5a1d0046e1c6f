//! Whether a server's memory grows while nothing else does.

use std::time::Duration;

/// Looks in all: every fifth of the run is told, all of its second half are judged by.
const LOOKS: u32 = 100;
/// A second half shorter than this says nothing: transactions stay for 32 s, the store's cache fills.
const WORTH: Duration = Duration::from_secs(300);
/// More than this share of what there was in the middle, gained by the end, is growth.
const TOLERATED: f64 = 0.1;

/// Resident memory over the time that calls are placed.
#[derive(Debug)]
pub(super) struct Growth {
    lasts: Duration,
    /// Seconds since the first call, and kilobytes.
    looks: Vec<(f64, f64)>,
}

impl Growth {
    pub(super) fn over(lasts: Duration) -> Self {
        Self { lasts, looks: Vec::new() }
    }

    /// Takes what there is now, where it is time for another look, or for several that nobody came to take.
    #[expect(clippy::cast_precision_loss, reason = "kilobytes")]
    pub(super) fn look(&mut self, elapsed: Duration, kilobytes: u64) {
        for taken in u32::try_from(self.looks.len()).unwrap_or(LOOKS)..LOOKS {
            if elapsed < self.lasts / LOOKS * (taken + 1) {
                break;
            }
            self.looks.push((elapsed.as_secs_f64(), kilobytes as f64));
        }
    }

    /// At each fifth of the run, in kilobytes.
    pub(super) fn fifths(&self) -> Vec<f64> {
        self.looks.chunks_exact(LOOKS as usize / 5).filter_map(|fifth| Some(fifth.last()?.1)).collect()
    }

    /// Kilobytes gained in a minute over the second half, by least squares.
    #[expect(clippy::cast_precision_loss, reason = "a hundred looks")]
    pub(super) fn slope(&self) -> Option<f64> {
        let half = &self.looks[self.looks.len() / 2..];
        let count = half.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| half.iter().map(of).sum::<f64>() / count;
        let (at, held) = (mean(|look| look.0), mean(|look| look.1));
        let spread: f64 = half.iter().map(|look| (look.0 - at).powi(2)).sum();
        let both: f64 = half.iter().map(|look| (look.0 - at) * (look.1 - held)).sum();
        (spread > 0.0).then(|| both / spread * 60.0)
    }

    /// Whether what the second half gained is more than memory goes up and down by. A short run is not judged.
    pub(super) fn grows(&self) -> bool {
        let Some((_, middle)) = self.looks.get(self.looks.len() / 2) else { return false };
        let half = self.lasts / 2;
        half >= WORTH
            && self.slope().is_some_and(|slope| slope * half.as_secs_f64() / 60.0 > middle * TOLERATED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lasts: u64, memory: impl Fn(u64) -> u64) -> Growth {
        let mut growth = Growth::over(Duration::from_secs(lasts));
        for tenth in 0..=lasts * 10 + 20 {
            growth.look(Duration::from_millis(tenth * 100), memory(tenth / 10));
        }
        growth
    }

    #[test]
    fn what_fills_once_does_not_grow_and_what_goes_on_does() {
        let fills = run(1200, |second| 50_000 + second.min(300) * 200 + second % 7 * 100);
        assert!(!fills.grows(), "{:?}", fills.slope());
        assert_eq!(fills.fifths().len(), 5);
        let leaks = run(1200, |second| 50_000 + second * 20);
        assert!(leaks.grows());
        assert!((leaks.slope().unwrap() - 1200.0).abs() < 20.0, "{:?}", leaks.slope());
        assert!(!run(60, |second| 50_000 + second * 2000).grows());
        assert_eq!(run(1, |_| 1).fifths(), [1.0; 5]);
        assert_eq!(Growth::over(Duration::ZERO).slope(), None);
    }
}
