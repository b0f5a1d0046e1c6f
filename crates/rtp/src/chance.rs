//! Everything that is random.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The one source of chance of a worker.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha12Rng);

/// What makes a session's stream another than all others. Nothing in it follows from the leg or from another session
/// (RFC 3550 §5.1, §8; RFC 7022 §4.2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) ssrc: u32,
    /// In the lower half of its range, so that whoever misses our first packets still sees that the sequence did not begin
    /// anew since (RFC 3711 §3.3.1).
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) cname: [u8; 16],
    /// What our NTP clock showed when the node began: reports tell how time passes, not what time it is (§4).
    pub(crate) epoch: u64,
    /// When within its packet interval the session sends prompts, so that the packets of many are spread.
    pub(crate) phase: Duration,
}

/// Of base 64 (RFC 4648 §4).
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Chance {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha12Rng::from_seed(seed))
    }

    pub(crate) fn identity(&mut self) -> Identity {
        let mut cname = [0; 16];
        self.0.fill_bytes(&mut cname);
        // Sixteen letters are the 96 bits that RFC 7022 §5 asks for.
        let cname = cname.map(|octet| LETTERS[usize::from(octet & 63)]);
        Identity {
            ssrc: self.0.next_u32(),
            sequence: (self.0.next_u32() >> 17) as u16,
            timestamp: self.0.next_u32(),
            cname,
            epoch: self.0.next_u64(),
            phase: Duration::from_micros((self.0.next_u32() % 60_000).into()),
        }
    }

    /// Between half and one and a half of an interval, so that reports of many sessions do not fall into step
    /// (RFC 3550 §6.3.1).
    pub(crate) fn spread(&mut self, interval: Duration) -> Duration {
        interval / 2 + interval.mul_f64(f64::from(self.0.next_u32()) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_follows_from_the_seed_and_nothing_repeats() {
        let mut chance = Chance::new([7; 32]);
        let one = chance.identity();
        let other = chance.identity();
        let again = Chance::new([7; 32]).identity();
        assert_eq!((one.ssrc, one.cname, one.epoch), (again.ssrc, again.cname, again.epoch));
        assert_ne!(one.ssrc, other.ssrc);
        assert_ne!(one.cname, other.cname);
    }

    #[test]
    fn intervals_spread_from_half_to_one_and_a_half() {
        let mut chance = Chance::new([7; 32]);
        let five = Duration::from_secs(5);
        let intervals: Vec<_> = (0..1000).map(|_| chance.spread(five)).collect();
        let (least, most) = (*intervals.iter().min().unwrap(), *intervals.iter().max().unwrap());
        assert!(least >= five / 2 && least < five.mul_f64(0.6), "{least:?}");
        assert!(most <= five.mul_f64(1.5) && most > five.mul_f64(1.4), "{most:?}");
    }
}
