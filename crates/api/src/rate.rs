//! How often a token may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What each token has left, by its digest. A token that asked nothing for a second has a second's requests.
#[derive(Debug, Default)]
pub(crate) struct Rates(Mutex<HashMap<[u8; 32], Left>>);

#[derive(Debug, Clone, Copy)]
struct Left {
    requests: f64,
    at: Instant,
}

impl Rates {
    /// Takes one request; if there is none, how long until there is.
    pub(crate) fn take(&self, token: [u8; 32], per_second: u32) -> Result<(), Duration> {
        let (now, most) = (Instant::now(), f64::from(per_second.max(1)));
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = rates.entry(token).or_insert(Left { requests: most, at: now });
        let gained = now.duration_since(left.at).as_secs_f64() * most;
        *left = Left { requests: (left.requests + gained).min(most), at: now };
        if left.requests < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - left.requests) / most));
        }
        left.requests -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_has_its_requests_of_a_second_and_no_other_pays_for_it() {
        let rates = Rates::default();
        for _ in 0..5 {
            rates.take([1; 32], 5).unwrap();
        }
        assert!(rates.take([1; 32], 5).unwrap_err() <= Duration::from_millis(200));
        rates.take([2; 32], 5).unwrap();
        tokio::time::advance(Duration::from_millis(200)).await;
        rates.take([1; 32], 5).unwrap();
        assert!(rates.take([1; 32], 5).is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!((0..9).filter(|_| rates.take([1; 32], 5).is_ok()).count(), 5);
    }
}
