//! Which datagrams are lost.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

/// A chance that throws away so many in a hundred, the same ones in every run.
pub(super) struct Chance {
    generator: ChaCha8Rng,
    /// Below this of all values of a `u32` a datagram is lost.
    threshold: u64,
    pub(super) thrown_away: u64,
}

impl Chance {
    pub(super) fn new(percent: u8) -> Self {
        let threshold = (1 << 32) * u64::from(percent) / 100;
        Self { generator: ChaCha8Rng::seed_from_u64(0), threshold, thrown_away: 0 }
    }

    /// Whether the next datagram is lost.
    pub(super) fn loses(&mut self) -> bool {
        let lost = self.threshold > 0 && u64::from(self.generator.next_u32()) < self.threshold;
        self.thrown_away += u64::from(lost);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_in_a_hundred_are_lost_and_the_same_ones_again() {
        for percent in [0, 2, 50] {
            let (mut one, mut other) = (Chance::new(percent), Chance::new(percent));
            let lost = (0..100_000).filter(|_| one.loses()).count();
            assert_eq!(one.thrown_away, lost as u64);
            let wanted = usize::from(percent) * 1000;
            assert!(lost.abs_diff(wanted) <= wanted / 10, "{lost} of 100000 at {percent} %");
            assert_eq!((0..100_000).filter(|_| other.loses()).count(), lost);
        }
    }
}
