//! Names of calls: sortable by time, not to be guessed.

use std::fmt;
use std::str::FromStr;

use clock::Instant;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rtp::{PlayId, SessionId};
use sdp::{KEY_LENGTH, Key, Keys};

use crate::interface::CallId;

/// Crockford's base 32: no I, L, O, U.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Where every name of the switchboard comes from.
#[derive(Debug)]
pub(crate) struct Ids {
    chance: ChaCha20Rng,
    epoch_ms: u64,
    sessions: u32,
    plays: u32,
}

impl Ids {
    pub(crate) fn new(seed: [u8; 32], epoch_ms: u64) -> Self {
        Self { chance: ChaCha20Rng::from_seed(seed), epoch_ms, sessions: 0, plays: 0 }
    }

    pub(crate) fn call(&mut self, now: Instant) -> CallId {
        let ms = u128::from(self.epoch_ms) + now.0.as_millis();
        let chance = u128::from(self.chance.next_u64()) << 16 | u128::from(self.chance.next_u32() & 0xFFFF);
        CallId(ms << 80 | chance)
    }

    pub(crate) fn session(&mut self) -> SessionId {
        self.sessions = self.sessions.wrapping_add(1);
        SessionId(self.sessions)
    }

    pub(crate) fn play(&mut self) -> PlayId {
        self.plays = self.plays.wrapping_add(1);
        PlayId(self.plays)
    }

    /// New keys for the media of one leg.
    pub(crate) fn keys(&mut self) -> Keys {
        Keys(std::array::from_fn(|_| {
            let mut key = [0; KEY_LENGTH];
            self.chance.fill_bytes(&mut key);
            Key(key)
        }))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.chance.next_u64()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; 26];
        for (place, letter) in text.iter_mut().rev().enumerate() {
            *letter = LETTERS[usize::from((self.0 >> (5 * place)) as u8 & 31)];
        }
        f.write_str(std::str::from_utf8(&text).expect("letters are ASCII"))
    }
}

/// The text is not 26 letters of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACallId;

impl FromStr for CallId {
    type Err = NotACallId;

    fn from_str(text: &str) -> Result<Self, NotACallId> {
        if text.len() != 26 || text.as_bytes()[0] > b'7' {
            return Err(NotACallId);
        }
        let mut value = 0_u128;
        for letter in text.bytes() {
            let place = LETTERS.iter().position(|l| *l == letter.to_ascii_uppercase()).ok_or(NotACallId)?;
            value = value << 5 | place as u128;
        }
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_call_id_reads_back_and_sorts_by_time() {
        let mut ids = Ids::new([7; 32], 1_700_000_000_000);
        let first = ids.call(Instant::ZERO);
        let second = ids.call(Instant(Duration::from_millis(1)));
        assert!(first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!("".parse::<CallId>(), Err(NotACallId));
        assert_eq!("U".repeat(26).parse::<CallId>(), Err(NotACallId));
    }
}
