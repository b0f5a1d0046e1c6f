//! Who may do what: bearer tokens (RFC 6750) with one role each; people who sign in have one of the roles, too.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a token may do. `admin` may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything.
    Admin,
    /// A shop's program: orders, and reading what became of their calls.
    App,
    /// A person at the console: sees everything with numbers masked, can hang up.
    Operator,
    /// A collector of metrics: `/metrics` and nothing else.
    Metrics,
}

impl Role {
    /// Each role.
    pub const ALL: [Self; 4] = [Self::Admin, Self::App, Self::Operator, Self::Metrics];

    /// Its word in the configuration, in errors and in the OpenAPI document.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::App => "app",
            Self::Operator => "operator",
            Self::Metrics => "metrics",
        }
    }

    /// Reads the configuration's word; `None` if it is none.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One bearer token. Only its SHA-256 is kept, so that a memory dump or a log of the settings has no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    digest: [u8; 32],
    role: Role,
    name: Arc<str>,
    requests_per_second: Option<u32>,
}

impl Token {
    /// From the secret as configured. Tokens are random strings, so one round of SHA-256 is enough.
    #[must_use]
    pub fn new(secret: &str, role: Role) -> Self {
        let digest = Sha256::digest(secret.as_bytes()).into();
        Self { digest, role, name: role.word().into(), requests_per_second: None }
    }

    /// With a name, by which it stands in the audit log; without one that is its role.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With at most so many requests in a second.
    #[must_use]
    pub fn limited(self, requests_per_second: Option<u32>) -> Self {
        Self { requests_per_second, ..self }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { role: self.role, digest: self.digest, may_reveal: self.role == Role::Admin }
    }

    /// Everything that is said of it, so that what was begun by another's right has another.
    pub(crate) fn proof(&self) -> [u8; 32] {
        let said = Sha256::new().chain_update("token\0").chain_update(self.digest);
        said.chain_update(format!("\0{}\0{}", self.name, self.role)).finalize().into()
    }

    pub(crate) fn requests_per_second(&self) -> Option<u32> {
        self.requests_per_second
    }

    /// What it may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.role)
    }
}

/// Who is calling: the role, and the digest as the name under which idempotency keys are kept apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    pub(crate) digest: [u8; 32],
    /// Whether numbers that are masked for this role may be shown whole, which is written down each time.
    pub(crate) may_reveal: bool,
}

/// Finds the token presented. Every token is compared to its end, whether or not one has matched, so that
/// time tells nothing.
pub(crate) fn find<'t>(tokens: &'t [Token], presented: &str) -> Option<&'t Token> {
    let digest: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
    tokens.iter().fold(None, |found, token| {
        let same = bool::from(token.digest.ct_eq(&digest));
        if same { Some(token) } else { found }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_secret_only() {
        let tokens = [Token::new("one", Role::App), Token::new("two", Role::Admin)];
        assert_eq!(find(&tokens, "two").map(Token::role), Some(Role::Admin));
        assert_eq!(find(&tokens, "one").map(Token::role), Some(Role::App));
        assert!(find(&tokens, "three").is_none());
        assert!(find(&tokens, "").is_none());
    }

    #[test]
    fn a_printed_token_has_no_secret() {
        let printed = format!("{:?}", Token::new("swordfish", Role::Operator));
        assert_eq!(printed, "Token(operator)");
    }

    #[test]
    fn every_role_is_read_from_its_word() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.word()), Some(role));
        }
        assert_eq!(Role::parse("root"), None);
    }
}
