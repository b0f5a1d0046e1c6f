//! A line between a peer and the program that loses datagrams, the same ones at each run.

/// Decides the fate of datagrams, one after the other (xorshift64*, Vigna 2016).
#[derive(Debug, Clone)]
pub struct Link {
    state: u64,
    loss_percent: u8,
}

impl Link {
    /// Loses nothing.
    #[must_use]
    pub fn perfect() -> Self {
        Self::lossy(1, 0)
    }

    /// Loses this many of a hundred.
    #[must_use]
    pub fn lossy(seed: u64, loss_percent: u8) -> Self {
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, loss_percent }
    }

    /// Whether it loses nothing.
    #[must_use]
    pub fn is_perfect(&self) -> bool {
        self.loss_percent == 0
    }

    /// Another line with the same loss and other luck.
    #[must_use]
    pub fn fork(&self, salt: u64) -> Self {
        Self::lossy(self.state ^ salt.wrapping_mul(0xD134_2543_DE82_EF95), self.loss_percent)
    }

    /// Whether the next datagram arrives.
    pub fn passes(&mut self) -> bool {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let draw = (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % 100;
        draw >= u64::from(self.loss_percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lossy_link_loses_about_its_share_and_the_same_ones_each_time() {
        let fates = |seed| {
            let mut link = Link::lossy(seed, 5);
            (0..10_000).map(|_| link.passes()).collect::<Vec<_>>()
        };
        let lost = fates(7).iter().filter(|passed| !**passed).count();
        assert!((400..600).contains(&lost), "{lost} of 10 000 lost at 5 %");
        assert_eq!(fates(7), fates(7));
        assert_ne!(fates(7), fates(8));
    }

    #[test]
    fn a_perfect_link_loses_nothing() {
        let mut link = Link::perfect();
        assert!((0..10_000).all(|_| link.passes()));
    }
}
