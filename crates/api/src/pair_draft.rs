//! A pair as someone asks for it, or for a change of one, checked.

use std::time::Duration;

use number::Number;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{
    Choice, Fallback, Mode, NewPair, Order, PairChange, PairDirection, Party, Preference, Prefix, Timestamp,
};

use crate::body::given;
use crate::draft::{NumberText, check_data, check_expiry, check_person};
use crate::interface::Settings;
use crate::numbering;
use crate::problem::{Fault, Problem};

const DAY: u64 = 86_400;
/// Longest cool-off and longest time a fallback is kept: a year.
const YEAR: u64 = 365 * DAY;
/// How long callers reach a fallback where nobody says: a day.
const FALLBACK: u64 = DAY;

/// The body of `POST /v1/pairs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PairBody {
    a: MemberBody,
    b: Option<MemberBody>,
    mode: Option<ModeWord>,
    direction: Option<DirectionWord>,
    choice: Option<ChoiceWord>,
    prefix: Option<String>,
    prefix_strict: Option<bool>,
    number: Option<NumberText>,
    ttl_seconds: Option<i64>,
    expires_at: Option<String>,
    sliding: Option<bool>,
    cool_off_seconds: Option<i64>,
    fallback: Option<NumberText>,
    fallback_seconds: Option<i64>,
    max_call_seconds: Option<i64>,
    ring_timeout_seconds: Option<i64>,
    record: Option<bool>,
    data: Option<Box<RawValue>>,
}

/// A party, and which number of the pool it is to dial.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberBody {
    number: NumberText,
    name: Option<String>,
    language: Option<String>,
    dials: Option<NumberText>,
}

/// Another party.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonBody {
    number: NumberText,
    name: Option<String>,
    language: Option<String>,
}

/// The body of `PATCH /v1/pairs/{id}`: what is left out stays, `null` takes away.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    a: Option<PersonBody>,
    #[serde(default, deserialize_with = "given")]
    b: Option<Option<PersonBody>>,
    direction: Option<DirectionWord>,
    ttl_seconds: Option<i64>,
    expires_at: Option<String>,
    sliding: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    fallback: Option<Option<NumberText>>,
    fallback_seconds: Option<i64>,
    #[serde(default, deserialize_with = "given")]
    max_call_seconds: Option<Option<i64>>,
    #[serde(default, deserialize_with = "given")]
    ring_timeout_seconds: Option<Option<i64>>,
    #[serde(default, deserialize_with = "given")]
    record: Option<Option<bool>>,
    #[serde(default, deserialize_with = "given")]
    data: Option<Option<Box<RawValue>>>,
}

/// The body of `POST /v1/pairs/{id}:reopen`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReopenBody {
    ttl_seconds: Option<i64>,
    expires_at: Option<String>,
}

/// `mode`, as it is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ModeWord {
    OneNumber,
    TwoNumbers,
}

/// `direction`, as it is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum DirectionWord {
    Both,
    AToB,
    BToA,
}

/// `choice`, as it is written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChoiceWord {
    LeastUsed,
    Sticky,
    AvoidSticky,
}

impl From<DirectionWord> for PairDirection {
    fn from(word: DirectionWord) -> Self {
        match word {
            DirectionWord::Both => Self::Both,
            DirectionWord::AToB => Self::AToB,
            DirectionWord::BToA => Self::BToA,
        }
    }
}

impl PairBody {
    /// Checks everything that can be wrong with it but whether a number is free.
    pub(crate) fn check(self, settings: &Settings, now: Timestamp) -> Result<NewPair, Problem> {
        let mode = match self.mode {
            None | Some(ModeWord::OneNumber) => Mode::OneNumber,
            Some(ModeWord::TwoNumbers) => Mode::TwoNumbers,
        };
        let preference = match self.choice {
            None | Some(ChoiceWord::LeastUsed) => Preference::LeastUsed,
            Some(ChoiceWord::Sticky) => Preference::Sticky,
            Some(ChoiceWord::AvoidSticky) => Preference::AvoidSticky,
        };
        let number = self.number.map(|number| ours(&number, "number", settings)).transpose()?;
        let (a, for_a) = self.a.check("a", settings)?;
        let b = self.b.map(|b| b.check("b", settings)).transpose()?;
        let for_b = b.as_ref().and_then(|(_, dials)| *dials);
        let named = named(mode, number, for_a, for_b)?;
        let prefix = self.prefix.map(|text| prefix(&text, self.prefix_strict)).transpose()?;
        if prefix.is_none() && self.prefix_strict.is_some() {
            return Err(missing("prefix", "prefix_strict says how prefix is meant: give prefix"));
        }
        let cool_off = within(self.cool_off_seconds, 0..=YEAR, "cool_off_seconds")?;
        Ok(NewPair {
            mode,
            direction: self.direction.map_or(PairDirection::Both, PairDirection::from),
            a,
            b: b.map(|(party, _)| party),
            choice: Choice { preference, prefix, named },
            expires_at: check_expiry(self.ttl_seconds, self.expires_at.as_deref(), now)?,
            sliding: sliding(self.sliding, self.ttl_seconds)?.flatten(),
            cool_off: cool_off.unwrap_or(settings.pool.cool_off),
            fallback: fallback(self.fallback.map(Some), self.fallback_seconds, settings)?.flatten(),
            max_call: within(self.max_call_seconds, 1..=DAY, "max_call_seconds")?,
            ring_timeout: within(self.ring_timeout_seconds, 1..=300, "ring_timeout_seconds")?,
            record: self.record,
            data: self.data.map(|data| check_data(&data, Order::LONGEST_DATA)).transpose()?.flatten(),
        })
    }
}

impl MemberBody {
    fn check(self, which: &str, settings: &Settings) -> Result<(Party, Option<Number>), Problem> {
        let dials = self.dials.map(|dials| ours(&dials, &format!("{which}.dials"), settings)).transpose()?;
        let body = PersonBody { number: self.number, name: self.name, language: self.language };
        Ok((party(body, which, settings)?, dials))
    }
}

impl ChangeBody {
    /// Checks everything that can be wrong with it but what depends on the pair.
    pub(crate) fn check(self, settings: &Settings, now: Timestamp) -> Result<PairChange, Problem> {
        let ends = self.ttl_seconds.is_some() || self.expires_at.is_some();
        let expires_at = ends.then(|| check_expiry(self.ttl_seconds, self.expires_at.as_deref(), now));
        let seconds = |given: Option<Option<i64>>, range, field| {
            given.map(|seconds| within(seconds, range, field)).transpose()
        };
        let data = self.data.map(|data| data.map(|data| check_data(&data, Order::LONGEST_DATA)).transpose());
        Ok(PairChange {
            a: self.a.map(|a| party(a, "a", settings)).transpose()?,
            b: self.b.map(|b| b.map(|b| party(b, "b", settings)).transpose()).transpose()?,
            direction: self.direction.map(PairDirection::from),
            expires_at: expires_at.transpose()?,
            sliding: sliding(self.sliding, self.ttl_seconds)?,
            fallback: fallback(self.fallback, self.fallback_seconds, settings)?,
            max_call: seconds(self.max_call_seconds, 1..=DAY, "max_call_seconds")?,
            ring_timeout: seconds(self.ring_timeout_seconds, 1..=300, "ring_timeout_seconds")?,
            record: self.record,
            data: data.transpose()?.map(Option::flatten),
        })
    }
}

impl ReopenBody {
    /// When it is to end again.
    pub(crate) fn check(&self, now: Timestamp) -> Result<Timestamp, Problem> {
        check_expiry(self.ttl_seconds, self.expires_at.as_deref(), now)
    }
}

fn missing(field: &str, detail: &str) -> Problem {
    Problem::new(Fault::MissingField, detail).at(field)
}

fn party(body: PersonBody, which: &str, settings: &Settings) -> Result<Party, Problem> {
    let party = check_person(&body.number, body.language, body.name, which, settings)?;
    numbering::check(party.number, &settings.pool, &format!("{which}.number"))?;
    Ok(party)
}

/// A number of the pool; whether it is one the store knows.
fn ours(text: &NumberText, field: &str, settings: &Settings) -> Result<Number, Problem> {
    let read = settings.plan.parse(&text.0);
    read.map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(field))
}

/// What each party is to dial, where it is said.
fn named(
    mode: Mode,
    number: Option<Number>,
    for_a: Option<Number>,
    for_b: Option<Number>,
) -> Result<[Option<Number>; 2], Problem> {
    let wrong = |field: &str, detail: &str| Problem::new(Fault::DialsInvalid, detail.to_owned()).at(field);
    match (mode, number, for_a, for_b) {
        (Mode::TwoNumbers, Some(_), ..) => {
            let detail = "with two numbers each party has its own: give a.dials and b.dials";
            Err(wrong("number", detail))
        }
        (Mode::TwoNumbers, None, Some(a), Some(b)) if a == b => {
            Err(wrong("b.dials", "with two numbers the parties dial different ones"))
        }
        (Mode::TwoNumbers, None, a, b) => Ok([a, b]),
        (Mode::OneNumber, number, a, b) => {
            let mut all = [number, a, b].into_iter().flatten();
            let first = all.next();
            if all.any(|other| Some(other) != first) {
                return Err(wrong("b.dials", "with one number both parties dial the same"));
            }
            Ok([first; 2])
        }
    }
}

/// The first digits of numbers, country code first.
fn prefix(text: &str, strict: Option<bool>) -> Result<Prefix, Problem> {
    let digits = text.trim().trim_start_matches('+');
    match digits.parse::<u64>() {
        Ok(value) if value > 0 && digits.len() <= 15 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Ok(Prefix { digits: value, strict: strict.unwrap_or(false) })
        }
        Ok(_) | Err(_) => {
            let detail = "the first digits of a number, country code first, such as \"+7495\"";
            Err(Problem::new(Fault::NumberInvalid, detail).at("prefix"))
        }
    }
}

/// `None`: nothing is said of it.
fn sliding(sliding: Option<bool>, ttl: Option<i64>) -> Result<Option<Option<Duration>>, Problem> {
    match (sliding, ttl.and_then(|ttl| u64::try_from(ttl).ok())) {
        (None, _) => Ok(None),
        (Some(false), _) => Ok(Some(None)),
        (Some(true), Some(ttl)) => Ok(Some(Some(Duration::from_secs(ttl)))),
        (Some(true), None) => Err(missing(
            "ttl_seconds",
            "sliding moves the end ttl_seconds ahead with each call: give ttl_seconds",
        )),
    }
}

/// `None`: nothing is said of it.
fn fallback(
    number: Option<Option<NumberText>>,
    seconds: Option<i64>,
    settings: &Settings,
) -> Result<Option<Option<Fallback>>, Problem> {
    let time = within(seconds, 1..=YEAR, "fallback_seconds")?;
    match number {
        None | Some(None) if time.is_some() => {
            Err(missing("fallback", "fallback_seconds says how long fallback is reached: give fallback"))
        }
        None => Ok(None),
        Some(None) => Ok(Some(None)),
        Some(Some(text)) => {
            let number = ours(&text, "fallback", settings)?;
            numbering::check(number, &settings.pool, "fallback")?;
            Ok(Some(Some(Fallback { number, within: time.unwrap_or(Duration::from_secs(FALLBACK)) })))
        }
    }
}

fn within(
    seconds: Option<i64>,
    range: std::ops::RangeInclusive<u64>,
    field: &str,
) -> Result<Option<Duration>, Problem> {
    let Some(seconds) = seconds else { return Ok(None) };
    match u64::try_from(seconds) {
        Ok(seconds) if range.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
        Ok(_) | Err(_) => {
            let detail = format!("from {} to {} seconds", range.start(), range.end());
            Err(Problem::new(Fault::OutOfRange, detail).at(field))
        }
    }
}
