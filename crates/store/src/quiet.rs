//! Hours at which somebody is not to be called, by the clock of where they are.

use jiff::Zoned;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use number::Number;
use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::zones;

/// Hours of every day at which somebody is left in peace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quiet {
    /// First minute of the day that is quiet.
    from: u16,
    /// First minute that is not; before `from`, where midnight lies between.
    to: u16,
    /// Name of the time zone, as IANA has it; `None`: that of the number's country.
    zone: Option<Box<str>>,
}

/// Why a text is no quiet hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotQuiet {
    /// It is not two times of day.
    #[error("quiet hours are written \"22:00-08:00\"")]
    Hours,
    /// There is no such time zone.
    #[error("a time zone is named as IANA has it, \"Europe/Moscow\"")]
    Zone,
}

impl Quiet {
    /// Most bytes of the name of a time zone.
    const LONGEST_ZONE: usize = 64;

    /// Reads `22:00-08:00` and the name of a time zone.
    ///
    /// # Errors
    /// One of them cannot be read, or the hours are none.
    pub fn parse(hours: &str, zone: Option<&str>) -> Result<Self, NotQuiet> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str, below: u16| {
                let plain = text.len() == 2 && text.bytes().all(|octet| octet.is_ascii_digit());
                text.parse::<u16>().ok().filter(|value| plain && *value < below)
            };
            Some(two(hour, 24)? * 60 + two(minute, 60)?)
        };
        let (from, to) = hours.split_once('-').ok_or(NotQuiet::Hours)?;
        let (from, to) = (minute(from).ok_or(NotQuiet::Hours)?, minute(to).ok_or(NotQuiet::Hours)?);
        if from == to {
            return Err(NotQuiet::Hours);
        }
        if let Some(zone) = zone
            && (zone.len() > Self::LONGEST_ZONE || TimeZone::get(zone).is_err())
        {
            return Err(NotQuiet::Zone);
        }
        Ok(Self { from, to, zone: zone.map(Into::into) })
    }

    /// As it is written: `22:00-08:00`.
    #[must_use]
    pub fn hours(&self) -> String {
        let text = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        format!("{}-{}", text(self.from), text(self.to))
    }

    /// The name of its time zone, where it has its own.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// Whether it is quiet now for whoever has this number. Without a time zone of its own that of the capital of the number's
    /// country counts.
    #[must_use]
    pub fn is_now(&self, number: Number, now: Timestamp) -> bool {
        self.local(number, now).is_some_and(|now| self.has(now.time()))
    }

    /// The first moment from `now` on at which it is not quiet.
    pub(crate) fn ends(&self, number: Number, now: Timestamp) -> Timestamp {
        let Some(local) = self.local(number, now).filter(|local| self.has(local.time())) else { return now };
        let on = |date: Date| {
            let minute = |part: u16| i8::try_from(part).expect("a minute of an hour, an hour of a day");
            let end = date.at(minute(self.to / 60), minute(self.to % 60), 0, 0);
            end.to_zoned(local.time_zone().clone()).ok()
        };
        let days = [Some(local.date()), local.date().tomorrow().ok()];
        let ends = days.into_iter().flatten().filter_map(on).find(|end| *end > local);
        let end = ends.and_then(|end| u64::try_from(end.timestamp().as_millisecond()).ok());
        end.map_or(now, Timestamp)
    }

    /// The rest of the day.
    pub(crate) fn turned(self) -> Self {
        Self { from: self.to, to: self.from, zone: self.zone }
    }

    fn local(&self, number: Number, now: Timestamp) -> Option<Zoned> {
        let name = self.zone.as_deref().or_else(|| zones::of(number)).unwrap_or("UTC");
        let at = jiff::Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?;
        Some(at.to_zoned(TimeZone::get(name).ok()?))
    }

    fn has(&self, at: Time) -> bool {
        let at = u16::from(at.hour().unsigned_abs()) * 60 + u16::from(at.minute().unsigned_abs());
        if self.from < self.to { (self.from..self.to).contains(&at) } else { at >= self.from || at < self.to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn midnight_may_lie_between() {
        let number = Number::parse("+79991112233").unwrap();
        let night = Quiet::parse("22:00-08:00", Some("UTC")).unwrap();
        for (time, quiet) in
            [("21:59", false), ("22:00", true), ("00:00", true), ("07:59", true), ("08:00", false)]
        {
            assert_eq!(night.is_now(number, at(&format!("2026-01-31T{time}:00Z"))), quiet, "{time}");
        }
        let noon = Quiet::parse("12:00-14:00", Some("UTC")).unwrap();
        for (time, quiet) in [("11:59", false), ("12:00", true), ("13:59", true), ("14:00", false)] {
            assert_eq!(noon.is_now(number, at(&format!("2026-01-31T{time}:00Z"))), quiet, "{time}");
        }
        assert_eq!((night.hours().as_str(), night.zone()), ("22:00-08:00", Some("UTC")));
    }

    #[test]
    fn the_country_of_the_number_says_whose_night_it_is() {
        let night = Quiet::parse("22:00-08:00", None).unwrap();
        let quiet = |number: &str, time: &str| night.is_now(Number::parse(number).unwrap(), at(time));
        // 22:30 in Moscow, 19:30 in London, in winter.
        assert!(quiet("+79991112233", "2026-01-31T19:30:00Z"));
        assert!(!quiet("+447911123456", "2026-01-31T19:30:00Z"));
        // In summer London is an hour ahead of UTC.
        assert!(quiet("+447911123456", "2026-07-01T21:30:00Z"));
        assert!(!quiet("+447911123456", "2026-01-31T21:30:00Z"));
    }

    #[test]
    fn what_is_no_hours_or_no_zone_is_told() {
        for hours in
            ["", "22:00", "22-08", "22:00-24:00", "22:60-08:00", "8:00-9:00", "08:00-08:00", "+8:00-09:00"]
        {
            assert_eq!(Quiet::parse(hours, None), Err(NotQuiet::Hours), "{hours}");
        }
        assert_eq!(Quiet::parse("22:00-08:00", Some("Mars/Olympus")), Err(NotQuiet::Zone));
    }
}
