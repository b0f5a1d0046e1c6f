//! Key presses as packets of their own (RFC 4733).

pub(crate) mod keys;
pub(crate) mod presses;
pub(crate) mod twins;

/// One telephone-event as its packet carries it (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// 0 to 15 are the keys; others are flashes, tones and states.
    pub code: u8,
    /// The event is over.
    pub end: bool,
    /// Power, in dB below 0 dBm0: 0 to 63.
    pub volume: u8,
    /// How long it lasts so far, in samples.
    pub duration: u16,
}

impl Event {
    /// Octets of one event.
    pub const LENGTH: usize = 4;

    /// Reads the payload of a packet. `None`: too short. More than one event is never sent in one packet outside of
    /// redundancy (§2.5.1), so that what follows the first is ignored.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low] = *payload.first_chunk()?;
        Some(Self {
            code,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The payload.
    #[must_use]
    pub fn write(&self) -> [u8; Self::LENGTH] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, (u8::from(self.end) << 7) | (self.volume & 0x3F), high, low]
    }
}

/// The keys in the order of their codes (§3.2, Table 3).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The key of an event code, if it is one.
#[must_use]
pub fn key(code: u8) -> Option<char> {
    KEYS.get(usize::from(code)).copied()
}

/// The event code of a key: `0`-`9`, `*`, `#`, `A`-`D`.
#[must_use]
pub fn code(key: char) -> Option<u8> {
    let place = KEYS.iter().position(|known| *known == key)?;
    u8::try_from(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_reads_back_as_it_was_written() {
        let event = Event { code: 11, end: true, volume: 10, duration: 0x1234 };
        assert_eq!(event.write(), [11, 0x8A, 0x12, 0x34]);
        assert_eq!(Event::parse(&event.write()), Some(event));
    }

    #[test]
    fn the_reserved_bit_and_what_follows_are_ignored_and_less_is_nothing() {
        let event = Event { code: 1, end: false, volume: 10, duration: 160 };
        assert_eq!(Event::parse(&[1, 0x4A, 0, 160, 9, 9, 9, 9]), Some(event));
        assert_eq!(Event::parse(&[1, 0x0A, 0]), None);
        assert_eq!(Event::parse(&[]), None);
    }

    #[test]
    fn sixteen_codes_are_keys() {
        let keys: String = (0..=255).filter_map(key).collect();
        assert_eq!(keys, "0123456789*#ABCD");
        for (expected, key) in (0..).zip(keys.chars()) {
            assert_eq!(code(key), Some(expected));
        }
        assert_eq!(code('E'), None);
    }
}
