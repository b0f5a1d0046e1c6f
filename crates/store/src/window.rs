//! Hours at which something may happen, by the clock of a place.

use number::Number;
use serde::{Deserialize, Serialize};

use crate::{NotQuiet, Quiet, Timestamp};

/// Hours of every day at which calls may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Those at which they may not.
    closed: Quiet,
}

impl Window {
    /// Reads `09:00-21:00` and the name of a time zone.
    ///
    /// # Errors
    /// One of them cannot be read, or the hours are none.
    pub fn parse(hours: &str, zone: Option<&str>) -> Result<Self, NotQuiet> {
        Quiet::parse(hours, zone).map(|open| Self { closed: open.turned() })
    }

    /// As it is written: `09:00-21:00`.
    #[must_use]
    pub fn hours(&self) -> String {
        self.closed.clone().turned().hours()
    }

    /// The name of its time zone, where it has its own.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.closed.zone()
    }

    /// The first moment from `at` on at which it is open. Without a time zone of its own that of the capital of this number's country
    /// counts.
    #[must_use]
    pub fn opens(&self, number: Number, at: Timestamp) -> Timestamp {
        self.closed.ends(number, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(hours: &str, zone: Option<&str>, number: &str, at: &str) -> String {
        let window = Window::parse(hours, zone).unwrap();
        assert_eq!((window.hours().as_str(), window.zone()), (hours, zone));
        window.opens(Number::parse(number).unwrap(), at.parse().unwrap()).to_string()
    }

    #[test]
    fn whoever_comes_too_early_or_too_late_waits_for_the_beginning() {
        let utc = |at| opens("09:00-21:00", Some("UTC"), "+79991112233", at);
        assert_eq!(utc("2026-01-31T08:59:59Z"), "2026-01-31T09:00:00.000Z");
        for within in ["2026-01-31T09:00:00.000Z", "2026-01-31T20:59:59.999Z"] {
            assert_eq!(utc(within), within);
        }
        assert_eq!(utc("2026-01-31T21:00:00Z"), "2026-02-01T09:00:00.000Z");
        let night = |at| opens("22:00-06:00", Some("UTC"), "+79991112233", at);
        assert_eq!(night("2026-01-31T23:00:00Z"), "2026-01-31T23:00:00.000Z");
        assert_eq!(night("2026-01-31T06:00:00Z"), "2026-01-31T22:00:00.000Z");
    }

    #[test]
    fn the_clock_is_that_of_the_zone_or_of_the_numbers_country() {
        // 09:00 in Moscow, in Vladivostok.
        assert_eq!(
            opens("09:00-21:00", None, "+74950000001", "2026-01-31T05:00:00Z"),
            "2026-01-31T06:00:00.000Z"
        );
        let far = Some("Asia/Vladivostok");
        assert_eq!(
            opens("09:00-21:00", far, "+74950000001", "2026-01-31T20:00:00Z"),
            "2026-01-31T23:00:00.000Z"
        );
    }

    #[test]
    fn an_hour_that_is_left_out_in_spring_is_waited_for_all_the_same() {
        // At 02:00 it is 03:00 in Berlin on 29 March 2026.
        let spring = opens("02:30-03:30", Some("Europe/Berlin"), "+49301234567", "2026-03-29T00:00:00Z");
        assert_eq!(spring, "2026-03-29T01:30:00.000Z");
        let autumn = opens("02:30-03:30", Some("Europe/Berlin"), "+49301234567", "2026-10-24T23:00:00Z");
        assert_eq!(autumn, "2026-10-25T00:30:00.000Z");
    }
}
