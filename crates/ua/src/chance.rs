//! Everything that is random: tags, branches, Call-IDs, first sequence numbers, pauses.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::interface::RetryAfter;

/// Letters that read the same in any case, and of which 32 make five bits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// 100 bits of chance as a SIP token. RFC 3261 §19.3 asks for 32; with a hundred nobody who has not seen it
/// guesses a dialog. It holds no host, number or counter, so that two legs cannot be linked by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token([u8; Self::LENGTH]);

impl Token {
    const LENGTH: usize = 20;

    /// The token this text is, if it can be one of ours.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        text.try_into().ok().map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The one source of chance of a user agent.
#[derive(Debug)]
pub(crate) struct Chance {
    rng: ChaCha12Rng,
    secret: u64,
}

impl Chance {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let secret = rng.next_u64();
        Self { rng, secret }
    }

    /// A tag, the end of a branch, or a Call-ID.
    pub(crate) fn token(&mut self) -> Token {
        let mut bits = [0; 16];
        self.rng.fill_bytes(&mut bits);
        let mut bits = u128::from_le_bytes(bits);
        Token(std::array::from_fn(|_| {
            let letter = ALPHABET[(bits & 31) as usize];
            bits >>= 5;
            letter
        }))
    }

    /// A key that nobody else knows.
    pub(crate) fn key(&mut self) -> [u8; 32] {
        let mut key = [0; 32];
        self.rng.fill_bytes(&mut key);
        key
    }

    /// A tag for a response that is made without keeping state: the same whenever the same octets are asked about
    /// (RFC 3261 §8.2.7).
    pub(crate) fn tag_for(&self, octets: &[u8]) -> String {
        let mut hasher = DefaultHasher::new();
        self.secret.hash(&mut hasher);
        octets.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// A first sequence number (RFC 3261 §8.1.1.5): not always the same, so that it tells nothing, and far from
    /// the end.
    pub(crate) fn first_sequence(&mut self) -> u32 {
        1 + self.rng.next_u32() % 10_000
    }

    /// Any duration between these two, to the millisecond.
    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = most.saturating_sub(least).as_millis();
        let span = u64::try_from(span).unwrap_or(u64::MAX).saturating_add(1);
        least + Duration::from_millis(self.rng.next_u64() % span)
    }

    /// Between 0 and 10 seconds, as RFC 3261 §14.2 and RFC 3311 §5.2 want it.
    pub(crate) fn retry_after(&mut self) -> RetryAfter {
        RetryAfter((self.rng.next_u32() % 11) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn tokens_follow_from_the_seed_and_do_not_repeat() {
        let mut chance = Chance::new([7; 32]);
        let mut again = Chance::new([7; 32]);
        let tokens: Vec<_> = (0..1000).map(|_| chance.token()).collect();
        assert!(tokens.iter().all(|token| *token == again.token()));
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 1000);
    }

    #[test]
    fn a_token_is_twenty_letters_of_the_alphabet_and_reads_back() {
        let mut chance = Chance::new([1; 32]);
        let token = chance.token();
        assert_eq!(token.as_str().len(), 20);
        assert!(token.as_str().bytes().all(|letter| ALPHABET.contains(&letter)));
        assert_eq!(Token::read(token.as_str().as_bytes()), Some(token));
        assert_eq!(Token::read(b"short"), None);
    }

    #[test]
    fn sequences_start_small_and_pauses_stay_within_ten_seconds() {
        let mut chance = Chance::new([2; 32]);
        for _ in 0..1000 {
            assert!((1..=10_000).contains(&chance.first_sequence()));
            assert!(chance.retry_after().0 <= 10);
        }
    }
}
