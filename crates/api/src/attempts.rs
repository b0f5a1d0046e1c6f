//! How often one may try to sign in, per address and per user, and how many passwords are checked at once: guessing is slow, and takes
//! no more of the machine than one thread.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::problem::{Fault, Problem};
use crate::user::{LONGEST_PASSWORD, User};

/// Failures in a row.
const IN_A_ROW: f64 = 10.0;
/// After that one more each so often: from one address, for one user.
const ADDRESS_EVERY: Duration = Duration::from_secs(10);
const USER_EVERY: Duration = Duration::from_secs(30);
/// Addresses and users remembered; beyond it those who failed least are forgotten.
const MOST: usize = 10_000;
/// Passwords that wait to be checked; one is being checked.
const WAITING: usize = 16;

/// Who tried, and what is checked for them.
#[derive(Debug)]
pub(crate) struct Attempts {
    left: Mutex<HashMap<Whose, Left>>,
    /// Waiting or being checked.
    waiting: Arc<Semaphore>,
    /// Being checked.
    checking: Arc<Semaphore>,
}

/// A name may be anyone's invention, so its length does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whose {
    Address(IpAddr),
    User([u8; 32]),
}

#[derive(Debug, Clone, Copy)]
struct Left {
    attempts: f64,
    at: Instant,
}

impl Whose {
    fn every(self) -> Duration {
        match self {
            Self::Address(_) => ADDRESS_EVERY,
            Self::User(_) => USER_EVERY,
        }
    }
}

impl Left {
    fn at(self, now: Instant, every: Duration) -> f64 {
        let gained = now.duration_since(self.at).as_secs_f64() / every.as_secs_f64();
        (self.attempts + gained).min(IN_A_ROW)
    }
}

/// One attempt, taken before it is known how it ends.
#[derive(Debug)]
pub(crate) struct Attempt([Option<Whose>; 2]);

impl Default for Attempts {
    fn default() -> Self {
        Self {
            left: Mutex::default(),
            waiting: Arc::new(Semaphore::new(WAITING + 1)),
            checking: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Attempts {
    /// Takes one attempt from this address, and at this user's password if it is one; how long to wait if there is none.
    pub(crate) fn begin(&self, address: IpAddr, user: Option<&str>) -> Result<Attempt, Duration> {
        let now = Instant::now();
        let user = user.map(|name| Whose::User(Sha256::digest(name).into()));
        let attempt = [Some(Whose::Address(of_one(address))), user];
        let mut table = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |whose: Whose| table.get(&whose).map_or(IN_A_ROW, |left| left.at(now, whose.every()));
        let wait = |whose: Whose| whose.every().mul_f64((1.0 - has(whose)).max(0.0));
        let longest = attempt.iter().flatten().map(|whose| wait(*whose)).max().unwrap_or_default();
        if !longest.is_zero() {
            return Err(longest);
        }
        for whose in attempt.into_iter().flatten() {
            let attempts = table.get(&whose).map_or(IN_A_ROW, |left| left.at(now, whose.every())) - 1.0;
            if table.len() >= MOST && !table.contains_key(&whose) {
                forget(&mut table, now);
            }
            table.insert(whose, Left { attempts, at: now });
        }
        Ok(Attempt(attempt))
    }

    /// It was no guess: as if it had not been.
    pub(crate) fn forgive(&self, attempt: &Attempt) {
        let mut table = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        for whose in attempt.0.iter().flatten() {
            if let Some(left) = table.get_mut(whose) {
                left.attempts = (left.attempts + 1.0).min(IN_A_ROW);
            }
        }
    }

    /// Whose name and password these are. A name nobody has takes as long as one that somebody has.
    pub(crate) async fn check(
        &self,
        users: &[User],
        name: &str,
        password: &str,
    ) -> Result<Option<User>, Problem> {
        let found = users.iter().find(|user| **user.name() == *name);
        let Some(user) = found.or(users.first()).cloned() else { return Ok(None) };
        if password.len() > LONGEST_PASSWORD {
            return Ok(None);
        }
        let is_known = found.is_some();
        let busy = || Problem::new(Fault::Overloaded, "many sign in at this moment; try again shortly");
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy())?;
        let turn = Arc::clone(&self.checking).acquire_owned().await.map_err(|_| busy())?;
        let password = password.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            // Held by the work itself: whoever hangs up does not make room for another.
            let _held = (place, turn);
            user.has_password(&password).then_some(user)
        });
        let user = checked.await.map_err(|_| Problem::new(Fault::Internal, "the fault is logged"))?;
        Ok(user.filter(|_| is_known))
    }
}

/// The address, as far as one subscriber has it to themselves: of IPv6 a network of 64 bits (RFC 6177).
fn of_one(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Makes room: forgets whoever has nothing to be remembered for, or else who failed least.
fn forget(table: &mut HashMap<Whose, Left>, now: Instant) {
    table.retain(|whose, left| left.at(now, whose.every()) < IN_A_ROW);
    if table.len() >= MOST {
        let most = table
            .iter()
            .max_by(|(a, left), (b, right)| left.at(now, a.every()).total_cmp(&right.at(now, b.every())));
        if let Some(whose) = most.map(|(whose, _)| *whose) {
            table.remove(&whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
    }

    #[tokio::test(start_paused = true)]
    async fn from_one_address_and_at_one_user_guessing_is_slow() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            attempts.begin(address(1), None).unwrap();
        }
        assert_eq!(attempts.begin(address(1), None).unwrap_err(), ADDRESS_EVERY);
        attempts.begin(address(2), Some("anna")).unwrap();
        tokio::time::advance(ADDRESS_EVERY).await;
        attempts.begin(address(1), None).unwrap();
        assert!(attempts.begin(address(1), None).is_err());
        // From everywhere at one user.
        for last in 10..19 {
            attempts.begin(address(last), Some("anna")).unwrap();
        }
        let wait = attempts.begin(address(20), Some("anna")).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= USER_EVERY);
        attempts.begin(address(20), Some("boris")).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_signs_in_has_not_failed() {
        let attempts = Attempts::default();
        for _ in 0..50 {
            let attempt = attempts.begin(address(1), Some("anna")).unwrap();
            attempts.forgive(&attempt);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_address() {
        let attempts = Attempts::default();
        for last in 0..10 {
            attempts.begin(format!("2001:db8::{last}").parse().unwrap(), None).unwrap();
        }
        assert!(attempts.begin("2001:db8::ffff:1".parse().unwrap(), None).is_err());
        attempts.begin("2001:db8:0:1::1".parse().unwrap(), None).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_table_has_an_end_and_keeps_those_who_failed_most() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            attempts.begin(address(0), None).unwrap();
        }
        for last in 1..=u32::try_from(MOST).unwrap() + 5 {
            attempts.begin(address(last), None).unwrap();
        }
        assert!(attempts.left.lock().unwrap().len() <= MOST);
        assert!(attempts.begin(address(0), None).is_err());
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_checked_as_one_that_somebody_has() {
        let attempts = Attempts::default();
        let users = [User::new("anna", &crate::password_hash("right one"), crate::Role::Admin).unwrap()];
        let turn = Arc::clone(&attempts.checking).acquire_owned().await.unwrap();
        let mut unknown = Box::pin(attempts.check(&users, "nobody", "right one"));
        assert!(unknown.as_mut().now_or_never().is_none(), "it waits for its turn");
        drop(turn);
        assert_eq!(unknown.await.unwrap(), None);
    }

    #[tokio::test]
    async fn passwords_are_checked_one_at_a_time_and_few_wait() {
        let attempts = Attempts::default();
        let users = [User::new("anna", &crate::password_hash("right one"), crate::Role::Admin).unwrap()];
        let turn = Arc::clone(&attempts.checking).acquire_owned().await.unwrap();
        let mut waiting: Vec<_> =
            (0..=WAITING).map(|_| Box::pin(attempts.check(&users, "anna", "wrong"))).collect();
        for one in &mut waiting {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let busy = attempts.check(&users, "anna", "right one").await.unwrap_err();
        assert_eq!(busy.fault, Fault::Overloaded);
        drop((waiting, turn));
        let anna = attempts.check(&users, "anna", "right one").await.unwrap();
        assert_eq!(anna.as_ref(), Some(&users[0]));
        for (name, password) in
            [("anna", "wrong"), ("boris", "right one"), ("", ""), ("anna", &*"x".repeat(2000))]
        {
            assert_eq!(attempts.check(&users, name, password).await.unwrap(), None, "{name}");
        }
    }
}
