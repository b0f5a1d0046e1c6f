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
    /// As an event (RFC 4733).
    Event,
    /// As tones in the audio.
    Tones,
    /// Beside the media: SIP INFO.
    Message,
}

/// The presses of one side. A press is paired with the same key coming by another way, so two quick presses sent twice
/// each are two.
#[derive(Debug, Default)]
pub(crate) struct Twins([Option<Unpaired>; REMEMBERED]);

#[derive(Debug, Clone, Copy)]
struct Unpaired {
    at: Instant,
    way: Way,
    code: u8,
}

impl Twins {
    /// Whether this is a press not heard of yet.
    pub(crate) fn is_new(&mut self, now: Instant, way: Way, code: u8) -> bool {
        for place in &mut self.0 {
            *place = place.filter(|unpaired| now.since(unpaired.at) <= APART);
        }
        let is_twin = |unpaired: &Unpaired| unpaired.way != way && unpaired.code == code;
        // Newest first: the oldest is the twin.
        if let Some(twin) = self.0.iter().rposition(|place| place.as_ref().is_some_and(is_twin)) {
            self.0[twin] = None;
            return false;
        }
        // Whatever lies behind the first free place keeps its order.
        let free = self.0.iter().position(Option::is_none).unwrap_or(REMEMBERED - 1);
        self.0[..=free].rotate_right(1);
        self.0[0] = Some(Unpaired { at: now, way, code });
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
    fn a_press_sent_by_two_ways_counts_once() {
        for media in [Way::Event, Way::Tones] {
            let mut twins = Twins::default();
            assert!(twins.is_new(at(0), media, 5));
            assert!(!twins.is_new(at(90), Way::Message, 5));
            assert!(twins.is_new(at(300), Way::Message, 5));
            assert!(!twins.is_new(at(350), media, 5));
        }
    }

    #[test]
    fn two_presses_by_one_way_are_two() {
        let mut twins = Twins::default();
        assert!(twins.is_new(at(0), Way::Event, 5));
        assert!(twins.is_new(at(100), Way::Event, 5));
        assert!(!twins.is_new(at(150), Way::Message, 5));
        assert!(!twins.is_new(at(200), Way::Message, 5));
    }

    #[test]
    fn much_later_it_is_another_press() {
        let mut twins = Twins::default();
        assert!(twins.is_new(at(0), Way::Event, 5));
        assert!(twins.is_new(at(2001), Way::Message, 5));
    }

    #[test]
    fn of_more_presses_than_are_remembered_the_oldest_is_forgotten() {
        let mut twins = Twins::default();
        for code in 0..=16 {
            assert!(twins.is_new(at(code.into()), Way::Event, code));
        }
        assert!(twins.is_new(at(100), Way::Message, 0));
        assert!(!twins.is_new(at(100), Way::Message, 16));
    }
}
