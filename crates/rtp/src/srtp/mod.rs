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

/// Octets that protection adds to a packet at most: SRTCP's index and the longest tag (§3.4, RFC 7714 §5.2).
pub const OVERHEAD: usize = INDEX_LENGTH + LONGEST_TAG;

/// Octets of the longest master key with its salt (RFC 4568 §6.2, RFC 7714 §12).
pub const MASTER_LENGTH: usize = 44;

/// As many packets, and no more, may be protected under one key (§9.2).
pub const LONGEST_LIFE: u64 = 1 << 48;
/// And as many of RTCP.
const LONGEST_CONTROL_LIFE: u64 = 1 << 31;

/// Octets of the fixed header, which stay readable (§3.1).
const HEADER_LENGTH: usize = 12;
/// Octets of RTCP's first header and sender, which stay readable (§3.4).
const CONTROL_HEADER_LENGTH: usize = 8;
/// SRTCP's index, and before it the bit that says "encrypted" (§3.4).
const INDEX_LENGTH: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// Where HMAC-SHA1 proves, it proves RTCP by 80 bits, however short the tag of packets (RFC 4568 §6.2.2).
const CONTROL_TAG: usize = 10;
/// That of AES-GCM (RFC 7714 §5.2).
const LONGEST_TAG: usize = 16;

/// How packets are protected: a crypto-suite of RFC 4568 §6.2 or RFC 7714 §14.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// AES in counter mode with 128 bits; packets are proved by 80 bits of HMAC-SHA1.
    AesCm128HmacSha1_80,
    /// As before, but that packets are proved by 32 bits, RTCP by 80.
    AesCm128HmacSha1_32,
    /// AES-GCM with 128 bits.
    AeadAes128Gcm,
    /// AES-GCM with 256 bits.
    AeadAes256Gcm,
}

impl Suite {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32, Self::AeadAes128Gcm, Self::AeadAes256Gcm];

    /// The registered word (RFC 4568 §10.3.2.1, RFC 7714 §14.2).
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of the authentication tag of a packet.
    fn tag(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => LONGEST_TAG,
        }
    }

    /// And of an RTCP packet.
    fn control_tag(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => CONTROL_TAG,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => LONGEST_TAG,
        }
    }

    /// Whether RTCP's index stands behind the tag instead of before it (RFC 7714 §9.2).
    fn ends_with_index(self) -> bool {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => false,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => true,
        }
    }
}

/// A master key and the salt that follows it. A suite takes from the beginning as many octets as it has. It does not show itself.
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
    /// How many packets of theirs there are under that key, of RTP and of RTCP each, at most `LONGEST_LIFE` (RFC 4568 §6.1):
    /// none is heard after these.
    pub life: u64,
    /// How often their sequence numbers may have begun anew under that key before we heard any (RFC 3711 §3.3.1): 0 where both
    /// begin, more where a session goes on that was heard by whom we stand in for.
    pub rollovers: u16,
}

#[cfg(test)]
mod tests;
