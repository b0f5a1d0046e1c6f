//! Pairs: two people who reach each other through numbers of a pool, without a code.
//!
//! A pair *holds* its numbers for its phones: while it is live, and then while it rests. No number is held twice for one
//! phone, which is what tells a caller's pair by the number dialled alone. Numbers are given out by the one thread that
//! writes, so that two who ask at once are never given the same.

mod find;
mod plan;
mod pool;
mod write;

use std::time::Duration;

use number::Number;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

pub use find::{PairFilter, PairFinding, Reached, Side};
pub use plan::{Forecast, NumberStatus, PhoneStatus, PoolStatus, numbers_needed};
pub(crate) use pool::Pool;
pub(crate) use write::{Asked, KEPT};

use crate::names::{self, Named, Names};
use crate::{Json, NewEvent, Order, Party, StoreError, Timestamp};

/// Two people who reach each other through numbers of ours, or one whom anyone reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Pair {
    /// Its name; begins with when it was made.
    pub id: Ulid,
    /// Counts the changes made by those who own it: two who change it at once can tell.
    pub version: u64,
    /// One number for both, or one each.
    pub mode: Mode,
    /// Who may call.
    pub direction: PairDirection,
    /// The first party.
    pub a: Member,
    /// The second; `None`: anyone who calls `a.dials` reaches `a`.
    pub b: Option<Member>,
    /// From this millisecond on nobody is connected any more.
    pub expires_at: Timestamp,
    /// Each call moves the end so far ahead; `None`: none does.
    pub sliding: Option<Duration>,
    /// How it ended; `None` while it has not, or nobody has noticed that it expired.
    pub ended: Option<Ended>,
    /// How long after the end its numbers serve its phones in no other pair.
    pub cool_off: Duration,
    /// Whom callers reach once it has ended, and for how long.
    pub fallback: Option<Fallback>,
    /// How long two may talk; the line's if `None`.
    pub max_call: Option<Duration>,
    /// Patience with the callee; the line's if `None`.
    pub ring_timeout: Option<Duration>,
    /// Whether calls are recorded; the line's if `None`.
    pub record: Option<bool>,
    /// Who called a party that has no second one last.
    #[serde(with = "crate::digits::optional")]
    pub last_caller: Option<Number>,
    /// Phones that were a party before a change: their numbers rest for them.
    pub former: Vec<Former>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed by those who own it.
    pub updated_at: Timestamp,
    /// Whatever the shop attached; at most [`Order::LONGEST_DATA`] bytes.
    pub data: Option<Json>,
}

impl Named for Pair {
    fn names(&self) -> [Option<&str>; 2] {
        [Some(&self.a), self.b.as_ref()].map(|member| member.and_then(|member| member.party.name.as_deref()))
    }

    fn set_names(&mut self, [a, b]: Names) {
        self.a.party.name = a;
        if let Some(member) = &mut self.b {
            member.party.name = b;
        }
    }

    fn serialize_rest<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }

    fn deserialize_rest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Serialize for Pair {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        names::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        names::deserialize(deserializer)
    }
}

/// Whether both dial one number, or each their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Both dial, and see, the same.
    OneNumber,
    /// Each dials one of their own, and sees it when the other calls.
    TwoNumbers,
}

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PairDirection {
    /// Both.
    Both,
    /// Only the first party.
    AToB,
    /// Only the second; where there is none, anyone, and the first calls nobody back.
    BToA,
}

/// A party and the number of ours it dials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    pub party: Party,
    /// What they dial to reach the other, and see when the other calls.
    #[serde(with = "crate::digits")]
    pub dials: Number,
}

/// A phone that was a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Which.
    #[serde(with = "crate::digits")]
    pub phone: Number,
    /// What it dialled.
    #[serde(with = "crate::digits")]
    pub dialled: Number,
    /// Since when it is none.
    pub since: Timestamp,
}

/// Whom callers reach after the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fallback {
    /// Whom.
    #[serde(with = "crate::digits")]
    pub number: Number,
    /// For how long.
    pub within: Duration,
}

/// How a pair ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Whether somebody closed it; it expired otherwise.
    pub closed: bool,
}

/// A pair that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPair {
    /// As of the pair.
    pub mode: Mode,
    /// As of the pair.
    pub direction: PairDirection,
    /// The first party.
    pub a: Party,
    /// The second, if there is one.
    pub b: Option<Party>,
    /// How numbers are chosen.
    pub choice: Choice,
    /// As of the pair.
    pub expires_at: Timestamp,
    /// As of the pair.
    pub sliding: Option<Duration>,
    /// As of the pair.
    pub cool_off: Duration,
    /// As of the pair.
    pub fallback: Option<Fallback>,
    /// As of the pair.
    pub max_call: Option<Duration>,
    /// As of the pair.
    pub ring_timeout: Option<Duration>,
    /// As of the pair.
    pub record: Option<bool>,
    /// As of the pair.
    pub data: Option<Json>,
}

/// How numbers are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choice {
    /// Which of those that are free.
    pub preference: Preference,
    /// What numbers begin with, so that they look local.
    pub prefix: Option<Prefix>,
    /// What the first party is to dial, and the second: exactly these. Of a pair with one number both are the same.
    pub named: [Option<Number>; 2],
}

/// Which of the numbers that are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preference {
    /// The one in fewest live pairs; of those the one taken longest ago.
    #[default]
    LeastUsed,
    /// The one these two had last, though it rests after their own pair; else the least used.
    Sticky,
    /// One these two did not have as far as is remembered, if there is any.
    AvoidSticky,
}

/// What numbers begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The first digits, country code first.
    pub digits: u64,
    /// Whether no others are taken; others are taken where there are none left, otherwise.
    pub strict: bool,
}

impl Prefix {
    /// Whether a number begins so.
    #[must_use]
    pub fn begins(&self, number: Number) -> bool {
        let mut rest = number.as_u64();
        while rest > self.digits {
            rest /= 10;
        }
        rest == self.digits
    }
}

/// What is changed of a pair; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PairChange {
    /// Another first party. Its number stays.
    pub a: Option<Party>,
    /// Another second party; `Some(None)`: none any more.
    pub b: Option<Option<Party>>,
    /// Who may call.
    pub direction: Option<PairDirection>,
    /// Another end.
    pub expires_at: Option<Timestamp>,
    /// Whether calls move the end, and how far.
    pub sliding: Option<Option<Duration>>,
    /// Whom callers reach after the end.
    pub fallback: Option<Option<Fallback>>,
    /// How long two may talk.
    pub max_call: Option<Option<Duration>>,
    /// Patience with the callee.
    pub ring_timeout: Option<Option<Duration>>,
    /// Whether calls are recorded.
    pub record: Option<Option<bool>>,
    /// What is attached.
    pub data: Option<Option<Json>>,
}

/// Why a pair was not made, changed or opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairRefusal {
    /// There is none of this name.
    Unknown,
    /// It was changed meanwhile: this is its version now.
    Changed(u64),
    /// It has ended.
    Ended,
    /// It has not ended.
    Live,
    /// No number is free for these phones.
    NoNumber,
    /// The number named is not one of the pool.
    NotInPool(Number),
    /// This number serves one of the phones in another pair, or rests.
    NumberBusy(Number),
    /// Both parties have the same number.
    SameNumber,
    /// One of the parties is a number of the pool.
    PartyInPool(Number),
    /// A pair with two numbers needs two parties.
    NeedsB,
}

/// A number of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolNumber {
    /// Which.
    pub number: Number,
    /// Whether it is taken by those alone who name it.
    pub reserved: bool,
}

/// A phone for which a number is held: until when. Everyone, where there is no phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) number: Number,
    pub(crate) phone: Option<Number>,
    pub(crate) until: Timestamp,
}

impl Pair {
    /// Most phones remembered that were a party.
    const FORMER: usize = 16;

    /// Whether callers are connected.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ended.is_none() && now < self.expires_at
    }

    /// When it ended, or will.
    #[must_use]
    pub fn ends_at(&self) -> Timestamp {
        self.ended.map_or(self.expires_at, |ended| ended.at)
    }

    /// Whether this number is one of its parties.
    #[must_use]
    pub fn has_party(&self, number: Number) -> bool {
        self.members().any(|member| member.party.number == number)
    }

    /// Takes the number of somebody out who is no party: a former one, the last caller, the fallback. Whether it was there.
    pub(crate) fn forget(&mut self, number: Number) -> bool {
        let before = self.clone();
        self.former.retain(|former| former.phone != number);
        self.last_caller = self.last_caller.filter(|last| *last != number);
        self.fallback = self.fallback.filter(|fallback| fallback.number != number);
        *self != before
    }

    /// Its parties.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.a).chain(&self.b)
    }

    /// Until when its numbers are not given to its phones again.
    fn held_until(&self) -> Timestamp {
        let fallback = self.fallback.map_or(Duration::ZERO, |fallback| fallback.within);
        self.ends_at().after(self.cool_off.max(fallback))
    }

    /// When all that is known of it may be forgotten, where pairs are kept for so long.
    pub(crate) fn forgotten_at(&self, kept: Duration) -> Timestamp {
        self.ends_at().after(kept).max(self.held_until())
    }

    pub(crate) fn holds(&self) -> Vec<Hold> {
        let until = self.held_until();
        let hold = |number, phone| Hold { number, phone, until };
        let mut holds: Vec<Hold> = match &self.b {
            Some(b) => [&self.a, b].map(|member| hold(member.dials, Some(member.party.number))).to_vec(),
            None => vec![hold(self.a.dials, None)],
        };
        holds.extend(self.former.iter().map(|former| Hold {
            number: former.dialled,
            phone: Some(former.phone),
            until: former.since.after(self.cool_off),
        }));
        holds
    }

    /// Its number rests for a phone that is a party no more.
    fn leave(&mut self, member: &Member, now: Timestamp) {
        if self.former.len() == Self::FORMER {
            self.former.remove(0);
        }
        self.former.push(Former { phone: member.party.number, dialled: member.dials, since: now });
    }

    /// The data of `pair.…`: no party's number, so that it needs no hiding.
    fn event(&self, kind: &str, at: Timestamp) -> NewEvent {
        #[derive(Serialize)]
        struct Data<'a> {
            pair: Ulid,
            #[serde(with = "crate::digits")]
            a_dials: Number,
            #[serde(with = "crate::digits::optional")]
            b_dials: Option<Number>,
            expires_at: Timestamp,
            data: Option<&'a Json>,
        }
        let data = Data {
            pair: self.id,
            a_dials: self.a.dials,
            b_dials: self.b.as_ref().map(|b| b.dials),
            expires_at: self.expires_at,
            data: self.data.as_ref(),
        };
        let data = Json::of(&data).expect("a pair's event has a JSON form: its keys are text");
        NewEvent { kind: kind.to_owned(), at, call: None, data }
    }
}

/// Whether what somebody attached and the languages of the parties can be kept.
fn check<'a>(
    data: Option<&Json>,
    parties: impl IntoIterator<Item = &'a Party> + Clone,
) -> Result<(), StoreError> {
    if data.is_some_and(|data| data.as_str().len() > Order::LONGEST_DATA) {
        return Err(StoreError::Refused("the data of the pair is longer than 2048 bytes"));
    }
    let too_long = |language: &str| language.len() > Order::LONGEST_LANGUAGE;
    if parties.clone().into_iter().filter_map(|party| party.language.as_deref()).any(too_long) {
        return Err(StoreError::Refused("the language of a party is longer than 16 bytes"));
    }
    names::check(parties)
}

impl NewPair {
    /// Whether it can be kept.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check(self.data.as_ref(), std::iter::once(&self.a).chain(&self.b))
    }
}

impl PairChange {
    /// Whether it can be kept.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check(self.data.iter().flatten().next(), self.a.iter().chain(self.b.iter().flatten()))
    }
}
