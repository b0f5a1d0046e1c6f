//! Session keys, and what is done with them (RFC 3711 §4, RFC 7714).

use aes::cipher::consts::{U12, U16};
use aes::cipher::{
    BlockCipher, BlockEncrypt, BlockSizeUser, InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper,
};
use aes::{Aes128, Aes256};
use aes_gcm::{AeadCore, AeadInPlace, Aes128Gcm, Aes256Gcm};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use sha1::Sha1;

use super::{CONTROL_HEADER_LENGTH, INDEX_LENGTH, LONGEST_TAG, MasterKey, Suite};

/// Of AES with 128 bits, and with 256.
const SHORT_KEY: usize = 16;
const LONG_KEY: usize = 32;
/// Of counter mode; a shorter one has zeros behind it, here and where keys are derived (RFC 7714 §11).
const SALT_LENGTH: usize = 14;
/// Of AES-GCM (RFC 7714 §8.1).
const NONCE_LENGTH: usize = 12;
/// What AES-GCM authenticates of RTCP and does not encrypt.
const CONTROL_ASSOCIATED: usize = CONTROL_HEADER_LENGTH + INDEX_LENGTH;
/// Of HMAC-SHA1 (§8.2).
const AUTHENTICATION_LENGTH: usize = 20;

/// The labels of §4.3.1 and §4.3.2, of which each kind of packet has three in a row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Packets = 0,
    Control = 3,
}

/// The keys of one kind of packets of one direction. They do not show themselves.
pub(super) struct Keys {
    kind: Kind,
    cipher: Cipher,
    salt: [u8; SALT_LENGTH],
}

enum Cipher {
    Counter(Box<Counter>),
    Gcm128(Box<Aes128Gcm>),
    Gcm256(Box<Aes256Gcm>),
}

/// Either AES-GCM.
trait Gcm: AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16> {}

impl<C: AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16>> Gcm for C {}

/// Counter mode and HMAC-SHA1.
struct Counter {
    cipher: Aes128,
    authentication: Hmac<Sha1>,
}

/// What a packet is known by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) ssrc: u32,
    /// §3.3.1, of 48 bits, or SRTCP's of 31.
    pub(super) index: u64,
    /// What is authenticated behind the packet: of RTP the rollover counter, of RTCP the index with its bit before it (§4.2).
    pub(super) behind: u32,
}

impl Number {
    /// Of an RTP packet.
    pub(super) fn of_packet(ssrc: u32, index: u64) -> Self {
        Self { ssrc, index, behind: (index >> 16) as u32 }
    }

    /// Of an RTCP packet, by the word at its end.
    pub(super) fn of_control(ssrc: u32, word: u32) -> Self {
        Self { ssrc, index: u64::from(word & !super::ENCRYPTED), behind: word }
    }
}

impl Keys {
    /// Derives them (§4.3.1; RFC 6188 §3 for 256 bits).
    pub(super) fn derive(suite: Suite, master: &MasterKey, kind: Kind) -> Self {
        let (key_length, salt_length) = match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => (SHORT_KEY, SALT_LENGTH),
            Suite::AeadAes128Gcm => (SHORT_KEY, NONCE_LENGTH),
            Suite::AeadAes256Gcm => (LONG_KEY, NONCE_LENGTH),
        };
        let (key, rest) = master.0.split_at(key_length);
        let derive = |label: u8, out: &mut [u8]| {
            let mut block = [0; 16];
            block[..salt_length].copy_from_slice(&rest[..salt_length]);
            block[7] ^= kind as u8 + label;
            if key_length == LONG_KEY {
                keystream(&cipher::<Aes256>(key), &block, out);
            } else {
                keystream(&cipher::<Aes128>(key), &block, out);
            }
        };
        let (mut key, mut authentication, mut salt) =
            ([0; LONG_KEY], [0; AUTHENTICATION_LENGTH], [0; SALT_LENGTH]);
        let key = &mut key[..key_length];
        derive(0, key);
        derive(1, &mut authentication);
        derive(2, &mut salt[..salt_length]);
        Self::of(suite, kind, key, &authentication, salt)
    }

    fn of(suite: Suite, kind: Kind, key: &[u8], authentication: &[u8], salt: [u8; SALT_LENGTH]) -> Self {
        let cipher = match suite {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 => Cipher::Counter(Box::new(Counter {
                cipher: cipher(key),
                authentication: Mac::new_from_slice(authentication).expect("HMAC takes a key of any length"),
            })),
            Suite::AeadAes128Gcm => Cipher::Gcm128(Box::new(cipher(key))),
            Suite::AeadAes256Gcm => Cipher::Gcm256(Box::new(cipher(key))),
        };
        Self { kind, cipher, salt }
    }

    /// Encrypts what follows the header, where it lies; answers the code that proves all of it, of which a suite may send less.
    pub(super) fn seal(&self, number: Number, header: usize, packet: &mut [u8]) -> [u8; LONGEST_TAG] {
        match &self.cipher {
            Cipher::Counter(counter) => {
                counter.crypt(&self.salt, number, &mut packet[header..]);
                let code = counter.authenticate(packet, number.behind).finalize().into_bytes();
                *code.first_chunk().expect("no tag is longer than SHA-1")
            }
            Cipher::Gcm128(cipher) => self.seal_by(&**cipher, number, packet.split_at_mut(header)),
            Cipher::Gcm256(cipher) => self.seal_by(&**cipher, number, packet.split_at_mut(header)),
        }
    }

    fn seal_by(
        &self,
        cipher: &impl Gcm,
        number: Number,
        (header, body): (&mut [u8], &mut [u8]),
    ) -> [u8; LONGEST_TAG] {
        let mut room = [0; CONTROL_ASSOCIATED];
        let associated = self.associated(number, header, &mut room);
        let sealed = cipher.encrypt_in_place_detached(&self.nonce(number).into(), associated, body);
        sealed.expect("no packet is as long as 64 GB").into()
    }

    /// Decrypts what follows the header, where it lies, if the tag proves it; it takes as long whatever differs.
    pub(super) fn open(&self, number: Number, header: usize, packet: &mut [u8], tag: &[u8]) -> bool {
        match &self.cipher {
            Cipher::Counter(counter) => {
                let proof = counter.authenticate(packet, number.behind);
                let is_proved = proof.verify_truncated_left(tag).is_ok();
                if is_proved {
                    counter.crypt(&self.salt, number, &mut packet[header..]);
                }
                is_proved
            }
            Cipher::Gcm128(cipher) => self.open_by(&**cipher, number, packet.split_at_mut(header), tag),
            Cipher::Gcm256(cipher) => self.open_by(&**cipher, number, packet.split_at_mut(header), tag),
        }
    }

    fn open_by(
        &self,
        cipher: &impl Gcm,
        number: Number,
        (header, body): (&mut [u8], &mut [u8]),
        tag: &[u8],
    ) -> bool {
        let Ok(tag) = <[u8; LONGEST_TAG]>::try_from(tag) else { return false };
        let mut room = [0; CONTROL_ASSOCIATED];
        let associated = self.associated(number, header, &mut room);
        cipher.decrypt_in_place_detached(&self.nonce(number).into(), associated, body, &tag.into()).is_ok()
    }

    /// What is authenticated and not encrypted: the header, and RTCP's last word (RFC 7714 §7.2, §9.2).
    fn associated<'a>(
        &self,
        number: Number,
        header: &'a [u8],
        room: &'a mut [u8; CONTROL_ASSOCIATED],
    ) -> &'a [u8] {
        match self.kind {
            Kind::Packets => header,
            Kind::Control => {
                room[..CONTROL_HEADER_LENGTH].copy_from_slice(header);
                room[CONTROL_HEADER_LENGTH..].copy_from_slice(&number.behind.to_be_bytes());
                room
            }
        }
    }

    /// RFC 7714 §8.1 and §9.1.
    fn nonce(&self, number: Number) -> [u8; NONCE_LENGTH] {
        let place = (u128::from(number.ssrc) << 48 | u128::from(number.index)).to_be_bytes();
        std::array::from_fn(|octet| self.salt[octet] ^ place[16 - NONCE_LENGTH + octet])
    }
}

impl Counter {
    /// Encrypts, or decrypts, what lies there (§4.1.1).
    fn crypt(&self, salt: &[u8; SALT_LENGTH], number: Number, octets: &mut [u8]) {
        let mut block = [0; 16];
        block[..SALT_LENGTH].copy_from_slice(salt);
        let place = (u128::from(number.ssrc) << 64) | (u128::from(number.index) << 16);
        let block = (u128::from_be_bytes(block) ^ place).to_be_bytes();
        keystream(&self.cipher, &block, octets);
    }

    /// The beginning of the code that proves these octets with what stands behind them (§4.2).
    fn authenticate(&self, octets: &[u8], behind: u32) -> Hmac<Sha1> {
        self.authentication.clone().chain_update(octets).chain_update(behind.to_be_bytes())
    }
}

fn cipher<C: KeyInit>(key: &[u8]) -> C {
    C::new_from_slice(key).expect("a key is as long as its cipher wants it")
}

/// Adds to what lies there the keystream that begins with this block.
fn keystream<C>(cipher: &C, block: &[u8; 16], octets: &mut [u8])
where
    C: BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16>,
{
    let core = CtrCore::<&C, Ctr128BE>::inner_iv_init(cipher, block.into());
    StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{longest, octets};
    use super::*;

    /// RFC 3711 §B.2.
    #[test]
    fn the_keystream_is_that_of_the_rfc() {
        let cipher: Aes128 = cipher(&octets("2B7E151628AED2A6ABF7158809CF4F3C"));
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
        let keys = Keys::derive(Suite::AesCm128HmacSha1_80, &longest(&master), Kind::Packets);
        let Cipher::Counter(counter) = &keys.cipher else { panic!("another cipher") };
        let expected: Aes128 = cipher(&octets("C61E7A93744F39EE10734AFE3FF7A087"));
        let stream = |cipher: &Aes128| {
            let mut stream = [0; 32];
            keystream(cipher, &[9; 16], &mut stream);
            stream
        };
        assert_eq!(stream(&counter.cipher), stream(&expected));
        assert_eq!(keys.salt[..], octets("30CBBC08863D8C85D49DB34A9AE1"));
        let expected =
            <Hmac<Sha1> as Mac>::new_from_slice(&octets("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")).unwrap();
        let expected = expected.chain_update(b"packet").chain_update([0, 0, 0, 1]).finalize().into_bytes();
        assert_eq!(counter.authenticate(b"packet", 1).finalize().into_bytes(), expected);
    }

    /// RFC 7714 §16 and §17 for AES-GCM with 128 and 256 bits: what is sealed, and what comes of it.
    #[test]
    fn packets_are_those_of_the_rfc() {
        let salt = octets("517569642070726F2071756F 0000").try_into().unwrap();
        let long = octets("000102030405060708090A0B0C0D0E0F 101112131415161718191A1B1C1D1E1F");
        let suites = [(Suite::AeadAes128Gcm, &long[..16]), (Suite::AeadAes256Gcm, &long[..])];
        let plain = octets(
            "8040F17B8041F8D35501A0B2 47616C6C696120657374206F6D6E697320646976697361 20696E207061727465732074726573",
        );
        let sealed = [
            "F24DE3A3FB34DE6CACBA861C9D7E4BCABE633BD50D294E6F42A5F47A51C7D19B36DE3ADF8833 \
             899D7F27BEB16A9152CF765EE4390CCE",
            "32B1DE78A822FE12EF9F78FA332E33AAB180123 89A58E2F3B50B2A0276FFAE0F1BA63799B87B \
             7AA3DB36DFFFD6B0F9BB7878D7A76C13",
        ];
        for ((suite, key), sealed) in suites.into_iter().zip(sealed) {
            let keys = Keys::of(suite, Kind::Packets, key, &[], salt);
            let number = Number::of_packet(0x5501_A0B2, 0xF17B);
            let mut packet = plain.clone();
            let tag = keys.seal(number, 12, &mut packet);
            assert_eq!([&packet[12..], &tag].concat(), octets(sealed), "{suite:?}");
            assert!(keys.open(number, 12, &mut packet, &tag));
            assert_eq!(packet, plain);
        }
        let plain = octets(
            "81C8000D4D617273 4E5450314E545032525450200000042A0000E9304C756E61 DEADBEEFDEADBEEFDEADBEEFDEADBEEFDEADBEEF",
        );
        let sealed = [
            "63E94885DCDAB67CA727D7662F6B7E997FF5C0F76C06F32DC676A5F1730D6FDA4CE09B4686303DED0BB9275B \
             C84AA45896CF4D2FC5ABF87245D9EADE",
            "D50AE4D1F5CE5D304BA297E47D470C282C3ECE5DBFFE0A50A2EAA5C1110555BE8415F658C61DE0476F1B6FAD \
             1D1EB30C4446839F57FF6F6CB26AC3BE",
        ];
        for ((suite, key), sealed) in suites.into_iter().zip(sealed) {
            let keys = Keys::of(suite, Kind::Control, key, &[], salt);
            let number = Number::of_control(0x4D61_7273, 0x8000_05D4);
            let mut packet = plain.clone();
            let tag = keys.seal(number, 8, &mut packet);
            assert_eq!([&packet[8..], &tag].concat(), octets(sealed), "{suite:?}");
            assert!(keys.open(number, 8, &mut packet, &tag));
            assert_eq!(packet, plain);
        }
    }
}
