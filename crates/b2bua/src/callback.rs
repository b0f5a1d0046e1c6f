//! Calls that we begin ourselves: one side is called, then the other, then both are joined. Plain values, for whoever asks
//! for one.

use std::time::Duration;

use number::Number;

use crate::hook::Speech;
use crate::interface::CallId;

/// Most numbers of one side.
pub const MOST_CANDIDATES: usize = 5;

/// A call that we begin ourselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Callback {
    /// The name of the callback and of its call: they have one.
    pub call: CallId,
    /// The line whose manner holds: trunks, language, recording, how long two may talk.
    pub line: Number,
    /// Who is called first; in records the caller.
    pub first: Calling,
    /// Who is called once the first side is there; in records the callee.
    pub second: Calling,
    /// How long they may talk; the line's where there is none.
    pub max_call: Option<Duration>,
    /// Whether it is recorded; as the line has it where nothing is said.
    pub record: Option<bool>,
    /// Whatever the shop attached, as JSON text; echoed in records and events.
    pub data: Option<Box<str>>,
}

/// How one side is called.
#[derive(Debug, Clone, PartialEq)]
pub struct Calling {
    /// Whom: one at least, at most [`MOST_CANDIDATES`].
    pub candidates: Vec<Candidate>,
    /// In which order.
    pub strategy: Strategy,
    /// The line they see, and by whose trunks they are called.
    pub shown: Number,
    /// What they hear before anything else.
    pub prompt: Option<Speech>,
    /// Whether whoever answers presses 1 to take the call, so that no voicemail does.
    pub confirm: bool,
}

/// One number of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The number.
    pub number: Number,
    /// Our patience; the line's where there is none.
    pub ring_timeout: Option<Duration>,
}

/// In which order the numbers of a side are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// One after the other.
    InOrder,
    /// All at the same time: the first to answer takes the call.
    AtOnce,
    /// One after the other, in an order drawn for this call.
    Random,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Self; 3] = [Self::InOrder, Self::AtOnce, Self::Random];

    /// The word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::InOrder => "in-order",
            Self::AtOnce => "at-once",
            Self::Random => "random",
        }
    }
}

/// Until when a callback may be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// While no phone has rung.
    NotRinging,
    /// While nobody has answered.
    NotAnswered,
    /// At any time.
    Any,
}

impl When {
    /// Every condition.
    pub const ALL: [Self; 3] = [Self::NotRinging, Self::NotAnswered, Self::Any];

    /// The word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotRinging => "not-ringing",
            Self::NotAnswered => "not-answered",
            Self::Any => "any",
        }
    }

    /// Whether a callback that has come so far may still be cancelled.
    #[must_use]
    pub fn allows(self, stage: Stage) -> bool {
        let last = match self {
            Self::NotRinging => Stage::Dialling,
            Self::NotAnswered => Stage::Ringing,
            Self::Any => Stage::Talking,
        };
        stage <= last
    }
}

/// How far a callback has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nobody has been called.
    Waiting,
    /// The first side is being called, and no phone has rung.
    Dialling,
    /// A phone of the first side has rung.
    Ringing,
    /// The first side has answered.
    FirstAnswered,
    /// Both talk.
    Talking,
    /// It is over.
    Ended,
}

impl Stage {
    /// The word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::FirstAnswered => "first-answered",
            Self::Talking => "talking",
            Self::Ended => "ended",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_may_be_cancelled_until_it_has_come_so_far() {
        let stages = [
            Stage::Waiting,
            Stage::Dialling,
            Stage::Ringing,
            Stage::FirstAnswered,
            Stage::Talking,
            Stage::Ended,
        ];
        for (when, allowed) in [(When::NotRinging, 2), (When::NotAnswered, 3), (When::Any, 5)] {
            let may: Vec<bool> = stages.iter().map(|stage| when.allows(*stage)).collect();
            let expected: Vec<bool> = (0..6).map(|place| place < allowed).collect();
            assert_eq!(may, expected, "{}", when.word());
        }
    }
}
