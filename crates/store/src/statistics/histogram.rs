//! How often which value was had.

use serde::{Deserialize, Serialize};

/// How often each slot was had; only those that were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Histogram(Vec<(u8, u32)>);

impl Histogram {
    pub(super) fn add(&mut self, slot: u8) {
        self.join(&Self(vec![(slot, 1)]));
    }

    pub(super) fn join(&mut self, other: &Self) {
        for (slot, more) in &other.0 {
            match self.0.binary_search_by_key(slot, |(slot, _)| *slot) {
                Ok(place) => self.0[place].1 = self.0[place].1.saturating_add(*more),
                Err(place) => self.0.insert(place, (*slot, *more)),
            }
        }
    }

    /// The slot that so many of a hundred do not exceed.
    pub(super) fn percentile(&self, of_hundred: u64) -> Option<u8> {
        let count: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let wanted = (count * of_hundred).div_ceil(100).max(1);
        let mut sum = 0;
        let reached = self.0.iter().find(|(_, count)| {
            sum += u64::from(*count);
            sum >= wanted
        });
        reached.map(|(slot, _)| *slot)
    }
}

/// The slot of a time: exact below 16 ms, beyond to a sixteenth; four minutes and more are one.
pub(super) fn slot_of_ms(ms: u64) -> u8 {
    let ms = ms.min((1 << 18) - 1);
    if ms < 16 {
        return ms as u8;
    }
    let exponent = ms.ilog2();
    ((exponent - 3) * 16 + ((ms >> (exponent - 4)) & 15) as u32) as u8
}

/// The least time of a slot.
pub(super) fn ms_of_slot(slot: u8) -> u64 {
    let (octave, part) = (u64::from(slot) / 16, u64::from(slot) % 16);
    if octave == 0 { part } else { (16 + part) << (octave - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_no_wider_than_a_sixteenth_of_what_is_in_it() {
        let mut before = 0;
        for ms in 0..300_000_u64 {
            let slot = slot_of_ms(ms);
            assert!(slot >= before, "{ms}");
            before = slot;
            let least = ms_of_slot(slot);
            assert!(least <= ms && (ms - least) * 16 <= ms.max(15) || ms >= 1 << 18, "{ms} has {least}");
        }
    }

    #[test]
    fn percentiles_are_those_of_all_that_was_had() {
        let mut had = Histogram::default();
        assert_eq!(had.percentile(50), None);
        for slot in (1..=100).rev() {
            had.add(slot);
        }
        assert_eq!([0, 5, 50, 95, 100].map(|of| had.percentile(of)), [1, 5, 50, 95, 100].map(Some));
        had.add(200);
        assert_eq!(had.percentile(100), Some(200));
    }
}
