//! Keys that recordings are sealed with.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Octets of a key.
pub(crate) const LENGTH: usize = 32;
/// Octets of a key's name.
pub(crate) const NAME: usize = 8;

/// A key. It seals no sound itself: each file has a key of its own, made of this one and the file's header.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    secret: [u8; LENGTH],
    name: [u8; NAME],
}

/// Why something is no key. Says nothing of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no key: one is 32 octets, as they are, in 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one"
)]
pub struct KeyFault;

impl Key {
    /// A key from a file or the environment: 32 octets, or their text in hexadecimal or base64 (RFC 4648 §4), with
    /// or without blanks around it.
    ///
    /// # Errors
    /// It is none of these.
    pub fn read(octets: &[u8]) -> Result<Self, KeyFault> {
        let raw = <[u8; LENGTH]>::try_from(octets).ok();
        let text = || std::str::from_utf8(octets).ok().map(str::trim);
        let hex = || text().and_then(|text| bits(text, 64, 4, |digit| digit.to_digit(16)));
        let base64 = || text().and_then(|text| bits(text.strip_suffix('=')?, 43, 6, sextet));
        raw.or_else(hex).or_else(base64).map(Self::new).ok_or(KeyFault)
    }

    fn new(secret: [u8; LENGTH]) -> Self {
        let mac = tag(&secret, &[b"bauta recording: name of a key"]);
        let mut name = [0; NAME];
        name.copy_from_slice(&mac[..NAME]);
        Self { secret, name }
    }

    /// What files say of the key they are sealed with: tells keys apart and gives nothing away.
    pub(crate) fn name(&self) -> [u8; NAME] {
        self.name
    }

    /// The key of one file, which depends on all of its header.
    pub(crate) fn of_file(&self, header: &[u8]) -> [u8; LENGTH] {
        tag(&self.secret, &[b"bauta recording: key of a file", header])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", shown(self.name))
    }
}

/// Keys: the first seals, all open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring(Vec<Key>);

impl Keyring {
    /// These keys; the first one seals.
    #[must_use]
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    pub(crate) fn first(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(crate) fn named(&self, name: [u8; NAME]) -> Option<&Key> {
        self.0.iter().find(|key| key.name == name)
    }
}

/// A key's name for a person.
pub(crate) fn shown(name: [u8; NAME]) -> String {
    name.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// HMAC-SHA-256 (RFC 2104).
fn tag(key: &[u8], parts: &[&[u8]]) -> [u8; LENGTH] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `count` characters of `width` bits each, as octets; bits left over must be zero.
fn bits(text: &str, count: usize, width: u32, value: impl Fn(char) -> Option<u32>) -> Option<[u8; LENGTH]> {
    if text.len() != count {
        return None;
    }
    let (mut octets, mut place) = ([0; LENGTH], 0);
    let (mut held, mut held_bits) = (0_u32, 0);
    for character in text.chars() {
        held = held << width | value(character)?;
        held_bits += width;
        if held_bits >= 8 {
            held_bits -= 8;
            *octets.get_mut(place)? = u8::try_from(held >> held_bits).ok()?;
            held &= (1 << held_bits) - 1;
            place += 1;
        }
    }
    (place == LENGTH && held == 0).then_some(octets)
}

fn sextet(character: char) -> Option<u32> {
    let after = |first: char, base| u32::from(character) - u32::from(first) + base;
    match character {
        'A'..='Z' => Some(after('A', 0)),
        'a'..='z' => Some(after('a', 26)),
        '0'..='9' => Some(after('0', 52)),
        '+' => Some(62),
        '/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";

    #[test]
    fn a_key_is_the_same_in_every_form() {
        let mut raw: Vec<u8> = (0..32).collect();
        raw[31] = 0xFF;
        let key = Key::read(&raw).unwrap();
        for text in [HEX.to_owned(), HEX.to_uppercase(), format!(" {HEX}\n"), format!("{BASE64}\r\n")] {
            assert_eq!(Key::read(text.as_bytes()), Ok(key.clone()), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = format!("{HEX}0");
        for text in ["", "secret", &HEX[1..], &long, &BASE64[..43], &HEX.replace("ff", "fg")] {
            assert_eq!(Key::read(text.as_bytes()), Err(KeyFault), "{text:?}");
        }
        // A last character whose spare bits are set is no base64 of 32 octets.
        assert_eq!(Key::read(BASE64.replace("v8=", "v9=").as_bytes()), Err(KeyFault));
    }

    #[test]
    fn a_key_shows_no_more_than_its_name() {
        let key = Key::read(HEX.as_bytes()).unwrap();
        assert_eq!(format!("{key:?}"), format!("Key({})", shown(key.name())));
        assert!(!format!("{key:?}").contains("0001020304"));
    }
}
