//! People who sign in with a password, as the configuration knows them, and how passwords are hashed.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use number::Number;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

use crate::token::Role;

/// Octets of the longest password that is looked at.
pub(crate) const LONGEST_PASSWORD: usize = 1024;
/// Memory a hash may take, KiB: less is too quickly guessed, more is too much for a machine that carries calls.
const MEMORY: std::ops::RangeInclusive<u32> = 7 * 1024..=256 * 1024;
/// How often it may go through that memory.
const PASSES: std::ops::RangeInclusive<u32> = 1..=20;
/// Lanes it may have.
const LANES: std::ops::RangeInclusive<u32> = 1..=16;

/// A person who signs in at the console. Shows no hash when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    name: Arc<str>,
    hash: Arc<str>,
    role: Role,
    reveal: bool,
    number: Option<Number>,
}

/// Why a text is no hash of a password that can be used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHash {
    /// It is none at all.
    #[error("is no hash of a password; `bauta password` makes one")]
    Form,
    /// Of another kind.
    #[error("is not made with argon2id; `bauta password` makes one")]
    Algorithm,
    /// Too cheap to guess, or too dear to check.
    #[error(
        "takes too little or too much to check: 7 MiB to 256 MiB, 1 to 20 passes, 1 to 16 lanes; `bauta password` makes one"
    )]
    Cost,
}

impl User {
    /// With the hash of their password, as [`password_hash`] makes it.
    ///
    /// # Errors
    /// The hash cannot be used.
    pub fn new(name: &str, password_hash: &str, role: Role) -> Result<Self, NotAHash> {
        check(password_hash)?;
        Ok(Self { name: name.into(), hash: password_hash.into(), role, reveal: false, number: None })
    }

    /// Whether they may have a masked number shown whole, which is written down each time.
    #[must_use]
    pub fn revealing(self, reveal: bool) -> Self {
        Self { reveal, ..self }
    }

    /// With a telephone of their own.
    #[must_use]
    pub fn reached_at(self, number: Option<Number>) -> Self {
        Self { number, ..self }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether they may see a masked number whole.
    pub(crate) fn may_reveal(&self) -> bool {
        self.reveal || self.role == Role::Admin
    }

    pub(crate) fn number(&self) -> Option<Number> {
        self.number
    }

    /// Everything that is said of them, so that what was begun by someone else's right has another.
    pub(crate) fn proof(&self) -> [u8; 32] {
        let Self { name, hash, role, reveal, number } = self;
        Sha256::digest(format!("user\0{name}\0{hash}\0{role}\0{reveal}\0{number:?}")).into()
    }

    /// Takes its time, and the memory the hash names: not for a thread that serves connections.
    pub(crate) fn has_password(&self, password: &str) -> bool {
        let Ok(hash) = PasswordHash::new(&self.hash) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, {})", self.name, self.role)
    }
}

fn check(text: &str) -> Result<(), NotAHash> {
    let hash = PasswordHash::new(text).map_err(|_| NotAHash::Form)?;
    let latest = hash.version == Some(u32::from(Version::V0x13));
    if Algorithm::try_from(hash.algorithm) != Ok(Algorithm::Argon2id) || !latest {
        return Err(NotAHash::Algorithm);
    }
    let params = Params::try_from(&hash).map_err(|_| NotAHash::Form)?;
    if hash.salt.is_none() || hash.hash.is_none_or(|output| output.len() < 16) {
        return Err(NotAHash::Form);
    }
    let fits = MEMORY.contains(&params.m_cost())
        && PASSES.contains(&params.t_cost())
        && LANES.contains(&params.p_cost());
    if fits { Ok(()) } else { Err(NotAHash::Cost) }
}

/// The hash of a password by argon2id (RFC 9106) with a salt of its own, as a PHC string: what stands in the configuration.
#[must_use]
pub fn password_hash(password: &str) -> String {
    let mut salt = [0; 16];
    ChaCha20Rng::from_os_rng().fill_bytes(&mut salt);
    let salt = SaltString::encode_b64(&salt).expect("16 octets are a salt");
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    hash.expect("the default parameters are in their ranges").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_and_no_other_is() {
        let hash = password_hash("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$") && !hash.contains("horse"));
        assert_ne!(hash, password_hash("correct horse"), "each has a salt of its own");
        let user = User::new("anna", &hash, Role::Operator).unwrap();
        assert!(user.has_password("correct horse"));
        assert!(!user.has_password("correct horse ") && !user.has_password(""));
        assert_eq!(format!("{user:?}"), "User(anna, operator)");
    }

    #[test]
    fn what_is_no_hash_says_so() {
        let salted = "c2FsdHNhbHRzYWx0c2FsdA$c2FsdHNhbHRzYWx0c2FsdA";
        for (text, why) in [
            ("secret".to_owned(), NotAHash::Form),
            (String::new(), NotAHash::Form),
            ("$argon2id$v=19$m=19456,t=2,p=1".to_owned(), NotAHash::Form),
            (format!("$argon2i$v=19$m=19456,t=2,p=1${salted}"), NotAHash::Algorithm),
            (format!("$argon2id$v=16$m=19456,t=2,p=1${salted}"), NotAHash::Algorithm),
            (format!("$argon2id$v=19$m=1024,t=2,p=1${salted}"), NotAHash::Cost),
            (format!("$argon2id$v=19$m=4194304,t=2,p=1${salted}"), NotAHash::Cost),
            (format!("$argon2id$v=19$m=19456,t=100,p=1${salted}"), NotAHash::Cost),
        ] {
            assert_eq!(User::new("anna", &text, Role::Admin).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn whatever_is_said_of_someone_else_is_another_proof() {
        let hash = password_hash("correct horse");
        let user = User::new("anna", &hash, Role::Operator).unwrap();
        let changed = [
            User::new("boris", &hash, Role::Operator).unwrap(),
            User::new("anna", &hash, Role::Admin).unwrap(),
            User::new("anna", &password_hash("correct horse"), Role::Operator).unwrap(),
            user.clone().revealing(true),
            user.clone().reached_at(Number::parse("+79991112233").ok()),
        ];
        assert!(changed.iter().all(|other| other.proof() != user.proof()));
        assert_eq!(user.clone().proof(), user.proof());
    }
}
