//! One key press is one digit, however many ways it was sent.

use std::time::Duration;

use clock::Instant;

/// How far apart the two ways of one press can arrive.
const APART: Duration = Duration::from_secs(2);

/// Presses that may still come a second time.
const REMEMBERED: usize = 16;

/// By which way a press came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// RFC 4733.
    Event,
    /// SIP INFO.
    Info,
}

/// The presses of one leg. A press is paired with the same key coming by the other way, so two quick presses
/// sent twice each are two digits.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    unpaired: Vec<(Instant, Way, char)>,
}

impl Keys {
    /// Whether this is a press not heard of yet.
    pub(crate) fn is_new(&mut self, now: Instant, way: Way, digit: char) -> bool {
        self.unpaired.retain(|(at, ..)| now.since(*at) <= APART);
        let twin = self.unpaired.iter().position(|(_, other, key)| *other != way && *key == digit);
        if let Some(twin) = twin {
            self.unpaired.remove(twin);
            return false;
        }
        if self.unpaired.len() == REMEMBERED {
            self.unpaired.remove(0);
        }
        self.unpaired.push((now, way, digit));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant(Duration::from_millis(ms))
    }

    #[test]
    fn a_press_sent_by_both_ways_counts_once() {
        let mut keys = Keys::default();
        assert!(keys.is_new(at(0), Way::Event, '5'));
        assert!(!keys.is_new(at(90), Way::Info, '5'));
        assert!(keys.is_new(at(300), Way::Info, '5'));
        assert!(!keys.is_new(at(350), Way::Event, '5'));
    }

    #[test]
    fn two_presses_by_one_way_are_two() {
        let mut keys = Keys::default();
        assert!(keys.is_new(at(0), Way::Event, '5'));
        assert!(keys.is_new(at(100), Way::Event, '5'));
        assert!(!keys.is_new(at(150), Way::Info, '5'));
        assert!(!keys.is_new(at(200), Way::Info, '5'));
    }

    #[test]
    fn much_later_it_is_another_press() {
        let mut keys = Keys::default();
        assert!(keys.is_new(at(0), Way::Event, '5'));
        assert!(keys.is_new(at(2001), Way::Info, '5'));
    }
}
