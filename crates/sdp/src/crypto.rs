//! `a=crypto`: keys of SRTP in the description itself (RFC 4568), and what a leg makes of them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of the longest master key with its salt: 256 bits and 96 (RFC 7714 §14.2).
pub const KEY_LENGTH: usize = 44;

/// The shortest life of a key that is taken, in packets: at 50 a second nearly six hours. Whose key it is must offer a
/// new one in time (RFC 4568 §6.1).
const SHORTEST_LIFE: u64 = 1 << 20;
/// The longest there is (RFC 3711 §9.2).
const LONGEST_LIFE: u64 = 1 << 48;

/// A crypto-suite of RFC 4568 §6.2 or RFC 7714 §14.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// `AES_CM_128_HMAC_SHA1_80`, which every side has to have.
    AesCm128HmacSha1_80,
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_32`.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All of them, in the order we offer them. First the one that every side has to have, because some look no further than
    /// the first line; last the one whose proof is short. AES-GCM is between them: whoever likes it better may choose it.
    pub const ALL: [Self; 4] =
        [Self::AesCm128HmacSha1_80, Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCm128HmacSha1_32];

    fn word(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Octets of its master key with the salt.
    fn key_length(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 30,
            Self::AeadAes128Gcm => 28,
            Self::AeadAes256Gcm => KEY_LENGTH,
        }
    }
}

/// A master key with its salt, in as many octets from the beginning as its suite has. It does not show itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u8; KEY_LENGTH]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Our keys of one leg: what we send under each suite is protected by its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keys(
    /// In the order of `Suite::ALL`.
    pub [Key; Suite::ALL.len()],
);

impl Keys {
    /// The one of a suite.
    #[must_use]
    pub fn of(&self, suite: Suite) -> Key {
        let Self([long, gcm128, gcm256, short]) = *self;
        let mut key = match suite {
            Suite::AesCm128HmacSha1_80 => long,
            Suite::AeadAes128Gcm => gcm128,
            Suite::AeadAes256Gcm => gcm256,
            Suite::AesCm128HmacSha1_32 => short,
        };
        key.0[suite.key_length()..].fill(0);
        key
    }

    /// The same, but for one suite.
    #[must_use]
    pub fn with(mut self, suite: Suite, key: Key) -> Self {
        let Self([long, gcm128, gcm256, short]) = &mut self;
        *match suite {
            Suite::AesCm128HmacSha1_80 => long,
            Suite::AeadAes128Gcm => gcm128,
            Suite::AeadAes256Gcm => gcm256,
            Suite::AesCm128HmacSha1_32 => short,
        } = key;
        self
    }
}

/// Whether a leg's media is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Never.
    Off,
    /// If the other side can: our offers are `RTP/AVP` with keys beside, which whoever does not know them passes over
    /// (RFC 8643).
    Offered(Keys),
    /// Always: our offers are `RTP/SAVP`, and nothing else is agreed to.
    Required(Keys),
}

impl Security {
    pub(crate) fn keys(&self) -> Option<&Keys> {
        match self {
            Self::Off => None,
            Self::Offered(keys) | Self::Required(keys) => Some(keys),
        }
    }

    pub(crate) fn is_required(&self) -> bool {
        matches!(self, Self::Required(_))
    }

    /// What an offer says.
    pub(crate) fn offered(&self) -> Vec<Crypto> {
        let line = |keys: &Keys, (tag, suite): (u32, Suite)| Crypto {
            tag,
            suite,
            key: keys.of(suite),
            life: LONGEST_LIFE,
        };
        self.keys()
            .into_iter()
            .flat_map(|keys| (1..).zip(Suite::ALL).map(|tagged| line(keys, tagged)))
            .collect()
    }

    /// What is made of lines offered: the first we know, which is what they like best (RFC 4568 §5.1.2).
    pub(crate) fn chosen(&self, lines: &[Crypto]) -> Option<Secured> {
        let keys = self.keys()?;
        lines.first().map(|line| Secured {
            tag: line.tag,
            suite: line.suite,
            ours: keys.of(line.suite),
            theirs: line.key,
            life: line.life,
        })
    }
}

/// Media that is protected as two descriptions say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secured {
    /// Of the line chosen, the same in offer and answer.
    pub tag: u32,
    /// How, both ways.
    pub suite: Suite,
    /// The key of what we send.
    pub ours: Key,
    /// The key of what they send.
    pub theirs: Key,
    /// How many packets they may send under it (RFC 4568 §6.1).
    pub life: u64,
}

impl Secured {
    /// Our line of it.
    pub(crate) fn said(&self) -> Crypto {
        Crypto { tag: self.tag, suite: self.suite, key: self.ours, life: LONGEST_LIFE }
    }
}

/// One line, with its sender's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crypto {
    pub(crate) tag: u32,
    pub(crate) suite: Suite,
    pub(crate) key: Key,
    /// Of the key, in packets.
    pub(crate) life: u64,
}

impl Crypto {
    /// Reads what stands behind `a=crypto:`. `None`: not a line we could honour to the letter, which is as if it were not
    /// there (RFC 4568 §5.1.2).
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag =
            words.next().filter(|tag| tag.len() <= 9 && tag.bytes().all(|digit| digit.is_ascii_digit()))?;
        let suite = words.next()?;
        let suite = Suite::ALL.into_iter().find(|known| known.word().eq_ignore_ascii_case(suite))?;
        let (key, life) = inline(words.next()?, suite)?;
        words.all(is_harmless).then_some(Self { tag: tag.parse().ok()?, suite, key, life })
    }

    /// What an answer says of this line of ours: it has its tag and its suite (RFC 4568 §5.1.3).
    pub(crate) fn answered(&self, lines: &[Self]) -> Option<Secured> {
        let line = lines.iter().find(|line| (line.tag, line.suite) == (self.tag, self.suite))?;
        Some(Secured { tag: self.tag, suite: self.suite, ours: self.key, theirs: line.key, life: line.life })
    }
}

impl fmt::Display for Crypto {
    /// What stands behind `a=crypto:`. Our keys have the longest life, of which one does not speak.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} inline:{}",
            self.tag,
            self.suite.word(),
            STANDARD.encode(&self.key.0[..self.suite.key_length()])
        )
    }
}

/// One key without an identifier (MKI), which we would have to look for in every packet, of a life long enough.
fn inline(parameters: &str, suite: Suite) -> Option<(Key, u64)> {
    let (method, info) = parameters.split_once(':')?;
    let mut parts = info.split('|');
    let octets = STANDARD.decode(parts.next()?).ok().filter(|octets| octets.len() == suite.key_length())?;
    let mut key = [0; KEY_LENGTH];
    key.get_mut(..octets.len())?.copy_from_slice(&octets);
    let life = parts.next().map_or(Some(LONGEST_LIFE), packets)?;
    let is_ours = method.eq_ignore_ascii_case("inline") && (SHORTEST_LIFE..=LONGEST_LIFE).contains(&life);
    (is_ours && parts.next().is_none()).then_some((Key(key), life))
}

/// A number, or a power of two.
fn packets(life: &str) -> Option<u64> {
    match life.strip_prefix("2^") {
        Some(power) => power.parse().ok().and_then(|power| 1u64.checked_shl(power)),
        None => life.parse().ok(),
    }
}

/// Whether a session parameter may be passed over (RFC 4568 §6.3): the size of a window is a hint, and what begins with
/// `-` is optional. All others change what is encrypted, authenticated or derived.
fn is_harmless(parameter: &str) -> bool {
    let window = parameter.strip_prefix("WSH=");
    window.is_some_and(|size| size.parse::<u32>().is_ok()) || parameter.starts_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 4568 §4.
    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn line(suite: &str, rest: &str) -> Option<Crypto> {
        Crypto::parse(&format!("1 {suite} inline:{KEY}{rest}"))
    }

    #[test]
    fn the_lines_of_the_rfc_are_read() {
        let read = line("AES_CM_128_HMAC_SHA1_80", "|2^20").expect("§9.1");
        assert_eq!((read.tag, read.suite, read.life), (1, Suite::AesCm128HmacSha1_80, 1 << 20));
        assert_eq!(&read.key.0[..4], b"wDfv");
        assert_eq!(read.to_string(), format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"));
        assert_eq!(
            line("aes_cm_128_hmac_sha1_32", "").map(|line| line.suite),
            Some(Suite::AesCm128HmacSha1_32)
        );
    }

    #[test]
    fn each_suite_has_a_key_of_its_own_length() {
        for (suite, key) in [
            ("AES_CM_128_HMAC_SHA1_80", KEY),
            ("AES_CM_128_HMAC_SHA1_32", KEY),
            ("AEAD_AES_128_GCM", "AAECAwQFBgcICQoLDA0OD6ChoqOkpaanqKmqqw=="),
            ("AEAD_AES_256_GCM", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+goaKjpKWmp6ipqqs="),
        ] {
            let text = format!("3 {suite} inline:{key}");
            let read = Crypto::parse(&text).expect(suite);
            assert_eq!((read.to_string(), read.life), (text, LONGEST_LIFE));
            let others = [28, 30, 44].map(|length| STANDARD.encode(vec![7; length]));
            let taken =
                others.iter().filter(|key| Crypto::parse(&format!("3 {suite} inline:{key}")).is_some());
            assert_eq!(taken.count(), 1, "{suite}");
        }
    }

    #[test]
    fn what_could_not_be_honoured_is_passed_over() {
        let suite = "AES_CM_128_HMAC_SHA1_80";
        for rest in ["", "|2^48", "|2^20", "|1048576", " WSH=128", " -NEW=1 WSH=64"] {
            assert!(line(suite, rest).is_some(), "{rest}");
        }
        for rest in [
            "|2^19",
            "|2^49",
            "|2^64",
            "|2^4294967296",
            "|0",
            "|",
            "|x",
            "|1:4",
            "|2^20|1:4",
            "|2^20|2^20",
            ";inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|2:4",
            " UNENCRYPTED_SRTP",
            " UNENCRYPTED_SRTCP",
            " UNAUTHENTICATED_SRTP",
            " KDR=0",
            " FEC_ORDER=FEC_SRTP",
            " FEC_KEY=inline:x",
            " WSH=",
            " NEW",
            "AAAA",
            "=",
        ] {
            assert_eq!(line(suite, rest), None, "{rest}");
        }
        for suite in ["F8_128_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AES_256_CM_HMAC_SHA1_80", ""] {
            assert_eq!(line(suite, ""), None, "{suite}");
        }
        for text in [
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 AES_CM_128_HMAC_SHA1_80 inline",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            "1 AES_CM_128_HMAC_SHA1_80 uri:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAw",
            "-1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "+1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1000000000 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        ] {
            assert_eq!(Crypto::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_key_does_not_show_itself() {
        let shown = format!("{:?}", line("AES_CM_128_HMAC_SHA1_80", ""));
        assert_eq!(
            shown,
            "Some(Crypto { tag: 1, suite: AesCm128HmacSha1_80, key: Key(..), life: 281474976710656 })"
        );
    }
}
