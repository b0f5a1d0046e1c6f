//! How fast packets may come in from one source.

use std::time::Duration;

use clock::Instant;

/// One packet in so much time is taken in the long run: twice what 5 ms packets need.
const INTERVAL: Duration = Duration::from_micros(2500);
/// So much time's worth may come at once, after a network held it back.
const BURST: Duration = Duration::from_secs(1);

/// A leaky bucket: who sends more than any phone does wins nothing with it, neither our time nor the other side's.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    paid_until: Instant,
}

impl Pace {
    /// Whether a packet may be taken now.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        if self.paid_until > now + BURST {
            return false;
        }
        self.paid_until = self.paid_until.max(now) + INTERVAL;
        true
    }

    /// Until when the share is used up.
    pub(crate) fn paid_until(&self) -> Instant {
        self.paid_until
    }

    /// Packets were taken elsewhere.
    pub(crate) fn passed(&mut self, paid_until: Instant) {
        self.paid_until = paid_until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_may_come_at_once_and_then_no_more_than_its_share() {
        let mut pace = Pace::default();
        let mut admitted = |from: u64, until: u64| {
            (from..until)
                .filter(|microsecond| pace.admits(Instant(Duration::from_micros(*microsecond))))
                .count()
        };
        assert_eq!(admitted(0, 1000), 401);
        assert_eq!(admitted(1000, 101_000), 40);
    }
}
