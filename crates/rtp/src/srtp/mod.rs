//! SRTP and SRTCP (RFC 3711): what makes a session's packets secret, and proves theirs to be theirs and new.
//!
//! [`Sender`] and [`Receiver`] are the two directions of one cryptographic context (§3.2). Neither takes memory for a
//! packet. Master keys come from the session descriptions (RFC 4568), one for each direction, and are never derived
//! again (§4.3.1: a key derivation rate of zero).

mod keys;
mod receiver;
mod sender;
mod window;

use std::fmt;

pub use receiver::{Receiver, Unproven};
pub use sender::Sender;

/// Octets that protection adds to a packet at most: SRTCP's index and the longer tag (§3.4).
pub const OVERHEAD: usize = INDEX_LENGTH + CONTROL_TAG;

/// Octets of a master key with its salt (RFC 4568 §6.2).
pub const MASTER_LENGTH: usize = 30;

/// Octets of the fixed header, which stay readable (§3.1).
const HEADER_LENGTH: usize = 12;
/// Octets of RTCP's first header and sender, which stay readable (§3.4).
const CONTROL_HEADER_LENGTH: usize = 8;
/// SRTCP's index, and before it the bit that says "encrypted" (§3.4).
const INDEX_LENGTH: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// Either suite proves RTCP by 80 bits (RFC 4568 §6.2.2).
const CONTROL_TAG: usize = 10;

/// How packets are protected: a crypto-suite of RFC 4568 §6.2. Both encrypt by AES in counter mode with 128 bits and
/// authenticate by HMAC-SHA1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// Packets are proved by 80 bits.
    AesCm128HmacSha1_80,
    /// Packets are proved by 32 bits, RTCP by 80.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// The registered word (RFC 4568 §10.3.2.1).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Octets of the authentication tag of a packet.
    fn tag(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
        }
    }
}

/// A master key of 128 bits and the salt of 112 that follows it. It does not show itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey(pub [u8; MASTER_LENGTH]);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// What was agreed for one leg (RFC 4568): each direction has its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Srtp {
    /// How.
    pub suite: Suite,
    /// What we protect ours with: the key of our description.
    pub send: MasterKey,
    /// What they protect theirs with: the key of theirs.
    pub receive: MasterKey,
}

#[cfg(test)]
mod tests;
