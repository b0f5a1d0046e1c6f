//! Which packets have been: the index of RFC 3711 §3.3.1 and the replay list of §3.3.2.

/// Packets that are remembered, the newest among them; §3.3.2 asks for 64 at least.
const WINDOW: u64 = 128;

/// What has been of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The highest index.
    highest: u64,
    /// The packet of the highest index is the lowest bit, the one before it the next.
    seen: u128,
}

impl Window {
    /// This one was the first.
    pub(super) fn new(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    /// The index that lies nearest to what has been and ends with this sequence number. `None`: there is none, before
    /// the first packet or behind the last (§9.2: no more than 2^48 under one key).
    pub(super) fn estimate(&self, sequence: u16) -> Option<u64> {
        let step = sequence.wrapping_sub(self.highest as u16).cast_signed();
        self.highest.checked_add_signed(step.into()).filter(|index| *index < 1 << 48)
    }

    /// Whether it is neither known nor too old to be.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(age) => age < WINDOW && self.seen & (1 << age) == 0,
        }
    }

    /// It has been.
    pub(super) fn mark(&mut self, index: u64) {
        match index.checked_sub(self.highest) {
            Some(step) => {
                let shift = u32::try_from(step).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
                self.highest = index;
            }
            None => self.seen |= 1u128.checked_shl((self.highest - index) as u32).unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_follows_the_sequence_over_its_end_and_back() {
        let mut window = Window::new(0xFFF0);
        for (sequence, index) in [(0xFFFF, 0xFFFF), (0, 0x1_0000), (0xFFFE, 0xFFFE), (0x7000, 0x1_7000)] {
            assert_eq!(window.estimate(sequence), Some(index), "{sequence:x}");
            window.mark(index);
        }
        assert_eq!(Window::new(5).estimate(0xFFFF), None, "before the first");
        assert_eq!(Window::new((1 << 48) - 1).estimate(0), None, "behind the last");
    }

    #[test]
    fn each_index_is_new_once_and_old_ones_never() {
        let mut window = Window::new(1000);
        assert!(!window.is_new(1000));
        for index in [1001, 999, 1127, 1000 + (WINDOW - 1) + 1, 5000, 5000 - (WINDOW - 1)] {
            assert!(window.is_new(index), "{index}");
            window.mark(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(!window.is_new(5000 - WINDOW), "too old to be known");
        assert!(window.is_new(4999));
    }

    #[test]
    fn a_leap_forgets_all_that_was() {
        let mut window = Window::new(0);
        window.mark(1 << 40);
        assert!(!window.is_new(0) && window.is_new((1 << 40) - 1));
    }
}
