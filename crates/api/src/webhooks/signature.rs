//! How a receiver knows that an event is ours: HMAC-SHA256 (RFC 2104, FIPS 180-4) over time and body.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The value of `Bauta-Signature`: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`. The time is inside, so
/// that a receiver can refuse what is older than some minutes and an old request cannot be sent again.
///
/// # Panics
/// Never: a key may have any length.
#[must_use]
pub fn sign(secret: &[u8], unix: u64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(unix.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    format!("t={unix},v1={}", hex(&digest))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value was made with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret`.
    #[test]
    fn a_signature_is_what_openssl_makes_of_time_and_body() {
        assert_eq!(
            sign(b"secret", 1_700_000_000, br#"{"a":1}"#),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686"
        );
    }

    #[test]
    fn time_secret_and_body_all_count() {
        let whole = sign(b"secret", 1, b"body");
        assert_ne!(whole, sign(b"secret", 2, b"body"));
        assert_ne!(whole, sign(b"other", 1, b"body"));
        assert_ne!(whole, sign(b"secret", 1, b"bodY"));
    }
}
