//! Whether packets come so fast that waiting for several saves more than it costs.

use std::time::{Duration, Instant};

/// The longest that a packet waits for others where nobody says otherwise, microseconds: a tenth of what a network adds.
const TOGETHER_US: u32 = 100;
/// So many packets must come in a millisecond for it to be worth while: a wake-up costs as much as some of them do.
const WORTH: u128 = 80;
/// Over so long packets are counted.
const WINDOW: Duration = Duration::from_millis(10);

/// How fast packets came of late.
#[derive(Debug)]
pub(super) struct Tempo {
    since: Instant,
    packets: u32,
    is_fast: bool,
    longest_us: u32,
}

impl Tempo {
    /// `longest` is the longest that a packet may wait for others; `None`: as long as is right for most.
    pub(super) fn new(now: Instant, longest: Option<Duration>) -> Self {
        let longest_us =
            longest.map_or(TOGETHER_US, |longest| u32::try_from(longest.as_micros()).unwrap_or(u32::MAX));
        Self { since: now, packets: 0, is_fast: false, longest_us }
    }

    /// A packet came.
    pub(super) fn count(&mut self) {
        self.packets = self.packets.saturating_add(1);
    }

    /// How long the next wait is to gather, microseconds; 0: it ends with the first packet.
    pub(super) fn together_us(&mut self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.since);
        if passed >= WINDOW {
            let worth = passed.as_micros() * WORTH / 1_000;
            self.is_fast = u128::from(self.packets) >= worth;
            (self.since, self.packets) = (now, 0);
        }
        if self.is_fast { self.longest_us } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a wait is told after a second of this.
    fn at(packets_per_millisecond: u32) -> u32 {
        let begin = Instant::now();
        let mut tempo = Tempo::new(begin, None);
        let each = (1..=1_000).map(|millisecond| {
            (0..packets_per_millisecond).for_each(|_| tempo.count());
            tempo.together_us(begin + Duration::from_millis(millisecond))
        });
        each.last().expect("there are some")
    }

    #[test]
    fn packets_wait_for_others_only_where_several_come() {
        assert_eq!([0, 1, 50, 79].map(at), [0; 4]);
        assert_eq!([81, 300].map(at), [TOGETHER_US; 2]);
    }

    #[test]
    fn they_wait_no_longer_than_is_wished() {
        let begin = Instant::now();
        for (wished, told) in [(Duration::ZERO, 0), (Duration::from_micros(350), 350)] {
            let mut tempo = Tempo::new(begin, Some(wished));
            (0..2_000).for_each(|_| tempo.count());
            assert_eq!(tempo.together_us(begin + WINDOW), told);
        }
    }

    #[test]
    fn a_rush_that_is_over_is_over() {
        let begin = Instant::now();
        let mut tempo = Tempo::new(begin, None);
        (0..2_000).for_each(|_| tempo.count());
        assert_eq!(tempo.together_us(begin + WINDOW), TOGETHER_US);
        assert_eq!(tempo.together_us(begin + 2 * WINDOW), 0);
    }
}
