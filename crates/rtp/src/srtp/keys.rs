//! Session keys, and what is done with them (RFC 3711 §4).

use aes::Aes128;
use aes::cipher::{InnerIvInit, StreamCipher, StreamCipherCoreWrapper};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::MasterKey;

const KEY_LENGTH: usize = 16;
const SALT_LENGTH: usize = 14;
/// Of HMAC-SHA1 (§8.2).
const AUTHENTICATION_LENGTH: usize = 20;

/// The labels of §4.3.1 and §4.3.2, of which each kind of packet has three in a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Packets = 0,
    Control = 3,
}

/// The three keys of one kind of packets of one direction. They do not show themselves.
pub(super) struct Keys {
    cipher: Aes128,
    salt: [u8; SALT_LENGTH],
    authentication: Hmac<Sha1>,
}

impl Keys {
    /// Derives them (§4.3.1).
    pub(super) fn derive(master: &MasterKey, kind: Kind) -> Self {
        let (key, salt) = master.0.split_at(KEY_LENGTH);
        let master = cipher(key);
        let derive = |label: u8, out: &mut [u8]| {
            let mut block = [0; 16];
            block[..SALT_LENGTH].copy_from_slice(salt);
            block[7] ^= label;
            keystream(&master, &block, out);
        };
        let first = kind as u8;
        let (mut key, mut authentication, mut salt) =
            ([0; KEY_LENGTH], [0; AUTHENTICATION_LENGTH], [0; SALT_LENGTH]);
        derive(first, &mut key);
        derive(first + 1, &mut authentication);
        derive(first + 2, &mut salt);
        Self {
            cipher: cipher(&key),
            salt,
            authentication: Hmac::new_from_slice(&authentication).expect("HMAC takes a key of any length"),
        }
    }

    /// Encrypts, or decrypts, what lies there, as the packet of this index (§4.1.1).
    pub(super) fn crypt(&self, ssrc: u32, index: u64, octets: &mut [u8]) {
        let mut block = [0; 16];
        block[..SALT_LENGTH].copy_from_slice(&self.salt);
        let place = (u128::from(ssrc) << 64) | (u128::from(index) << 16);
        let block = (u128::from_be_bytes(block) ^ place).to_be_bytes();
        keystream(&self.cipher, &block, octets);
    }

    /// The beginning of the code that proves these octets with what stands behind them (§4.2).
    pub(super) fn tag<const LENGTH: usize>(&self, octets: &[u8], behind: u32) -> [u8; LENGTH] {
        let code = self.authenticate(octets, behind).finalize().into_bytes();
        *code.first_chunk().expect("no tag is longer than SHA-1")
    }

    /// Whether they are proved by this tag; it takes as long whatever differs.
    pub(super) fn proves(&self, octets: &[u8], behind: u32, tag: &[u8]) -> bool {
        self.authenticate(octets, behind).verify_truncated_left(tag).is_ok()
    }

    fn authenticate(&self, octets: &[u8], behind: u32) -> Hmac<Sha1> {
        self.authentication.clone().chain_update(octets).chain_update(behind.to_be_bytes())
    }
}

fn cipher(key: &[u8]) -> Aes128 {
    aes::cipher::KeyInit::new_from_slice(key).expect("a key has 16 octets")
}

/// Adds to what lies there the keystream that begins with this block.
fn keystream(cipher: &Aes128, block: &[u8; 16], octets: &mut [u8]) {
    let core = CtrCore::<_, Ctr128BE>::inner_iv_init(cipher, block.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
}

#[cfg(test)]
mod tests {
    use super::super::tests::octets;
    use super::*;

    /// RFC 3711 §B.2.
    #[test]
    fn the_keystream_is_that_of_the_rfc() {
        let cipher = cipher(&octets("2B7E151628AED2A6ABF7158809CF4F3C"));
        let block = octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut stream = vec![0; 0xFF02 * 16];
        keystream(&cipher, &block, &mut stream);
        let at = |place: usize| &stream[place * 16..place * 16 + 16];
        assert_eq!(at(0), octets("E03EAD0935C95E80E166B16DD92B4EB4"));
        assert_eq!(at(1), octets("D23513162B02D0F72A43A2FE4A5F97AB"));
        assert_eq!(at(2), octets("41E95B3BB0A2E8DD477901E4FCA894C0"));
        assert_eq!(at(0xFEFF), octets("EC8CDF7398607CB0F2D21675EA9EA1E4"));
        assert_eq!(at(0xFF00), octets("362B7C3C6773516318A077D7FC5073AE"));
        assert_eq!(at(0xFF01), octets("6A2CC3787889374FBEB4C81B17BA6C44"));
    }

    /// RFC 3711 §B.3, where the authentication key is derived longer than it is used.
    #[test]
    fn session_keys_are_those_of_the_rfc() {
        let master = octets("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6");
        let keys = Keys::derive(&MasterKey(master.try_into().unwrap()), Kind::Packets);
        let expected = cipher(&octets("C61E7A93744F39EE10734AFE3FF7A087"));
        let stream = |cipher: &Aes128| {
            let mut stream = [0; 32];
            keystream(cipher, &[9; 16], &mut stream);
            stream
        };
        assert_eq!(stream(&keys.cipher), stream(&expected));
        assert_eq!(keys.salt[..], octets("30CBBC08863D8C85D49DB34A9AE1"));
        let expected =
            Hmac::<Sha1>::new_from_slice(&octets("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")).unwrap();
        let expected = expected.chain_update(b"packet").chain_update([0, 0, 0, 1]).finalize().into_bytes();
        assert_eq!(keys.tag::<20>(b"packet", 1)[..], expected[..]);
    }
}
