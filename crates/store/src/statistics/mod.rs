//! How each trunk did: what records say, added up by minute, hour and day in the very batch that keeps the record, so that both
//! survive, or neither.
//!
//! How many calls a trunk has at once is known by their checkpoints: a call is on its trunks from its first one to its record.

mod histogram;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub(crate) use write::{Share, Traffic, Trunks};

use crate::Timestamp;
use histogram::Histogram;

/// How long a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Kept for two days.
    Minute,
    /// Kept for ninety days.
    Hour,
    /// Of UTC, kept for two years.
    Day,
}

impl Step {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// Milliseconds of it.
    #[must_use]
    pub fn millis(self) -> u64 {
        match self {
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// How long its points are kept, milliseconds.
    #[must_use]
    pub fn kept_millis(self) -> u64 {
        const DAY: u64 = 86_400_000;
        match self {
            Self::Minute => 2 * DAY,
            Self::Hour => 90 * DAY,
            Self::Day => 730 * DAY,
        }
    }

    /// The word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The beginning of the one in which this moment lies.
    fn of(self, at: Timestamp) -> u64 {
        at.0 - at.0 % self.millis()
    }
}

/// How a trunk did for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When it began.
    pub at: Timestamp,
    /// Which trunk.
    pub trunk: String,
    /// Calls that came by it and began then, and numbers that were called by it in calls that did.
    pub calls: u64,
    /// Those of them that were answered.
    pub answered: u64,
    /// Numbers that were called by it; one that several trunks were tried for is the last one's.
    pub dialled: u64,
    /// Those of them that answered.
    pub reached: u64,
    /// From calling a number until it rang, else answered: what half of them did not exceed, milliseconds, to a sixteenth.
    pub post_dial_delay_p50_ms: Option<u64>,
    /// What nineteen of twenty did not.
    pub post_dial_delay_p95_ms: Option<u64>,
    /// How long the two of those calls were joined, seconds.
    pub talk_seconds: f64,
    /// Mean opinion score of what came in by it, in the mean.
    pub mos: Option<f64>,
    /// What nineteen of twenty were no worse than, to a twentieth.
    pub mos_p5: Option<f64>,
    /// Most calls it had at one moment.
    pub most_at_once: u32,
}

/// What is kept of a trunk and a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Total {
    came: u32,
    came_answered: u32,
    dialled: u32,
    reached: u32,
    talk_ms: u64,
    /// Hundredths of opinion scores: their sum, and how many they are.
    mos_sum: u64,
    mos_count: u32,
    /// By twentieths.
    mos: Histogram,
    delay: Histogram,
    /// Most calls at once, and how many there were last.
    most: u32,
    running: u32,
}
