//! How often something was dialled, so that whoever counts goes on after a death.

use number::Number;
use serde::{Deserialize, Serialize};

use crate::keys::{self, Key};
use crate::writer::Group;
use crate::{Batch, Outcome, Store, StoreError, Timestamp, changes};

/// How often something was dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// What.
    pub of: TallyOf,
    /// When that is forgotten.
    pub until: Timestamp,
    /// How often.
    pub count: u32,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TallyOf {
    /// Calls to numbers that cost alike, by the name of their class; at most [`TallyOf::LONGEST_CLASS`] bytes.
    Class(Box<str>),
    /// Calls to a number.
    Callee(Number),
    /// Calls of a number.
    Caller(Number),
}

/// What lies at a tally's key.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    until: Timestamp,
    count: u32,
}

impl TallyOf {
    /// Most bytes of the name of a class.
    pub const LONGEST_CLASS: usize = 64;

    fn key(&self) -> Key {
        let number = |number: &Number| number.as_u64().to_be_bytes();
        match self {
            Self::Class(name) => keys::tally(b's', name.as_bytes()),
            Self::Callee(callee) => keys::tally(b'e', &number(callee)),
            Self::Caller(caller) => keys::tally(b'r', &number(caller)),
        }
    }

    fn read(key: &[u8]) -> Option<Self> {
        let (kind, rest) = key.strip_prefix(keys::TALLIES)?.split_first()?;
        let number = || Number::parse(&u64::from_be_bytes(rest.try_into().ok()?).to_string()).ok();
        match kind {
            b's' => Some(Self::Class(std::str::from_utf8(rest).ok()?.into())),
            b'e' => number().map(Self::Callee),
            b'r' => number().map(Self::Caller),
            _ => None,
        }
    }

    /// Whose number it is about.
    fn number(&self) -> Option<Number> {
        match self {
            Self::Class(_) => None,
            Self::Callee(number) | Self::Caller(number) => Some(*number),
        }
    }
}

impl Batch {
    /// Keeps how often something was dialled, in place of what was kept of it before; forgotten when its time has come.
    #[must_use]
    pub fn tally(mut self, tally: Tally) -> Self {
        let fits = match &tally.of {
            TallyOf::Class(name) => name.len() <= TallyOf::LONGEST_CLASS,
            TallyOf::Callee(_) | TallyOf::Caller(_) => true,
        };
        self.check(if fits { Ok(()) } else { Err(StoreError::Refused("the name of the class is too long")) });
        self.with(crate::batch::Write::Tally(tally))
    }
}

impl Group<'_> {
    pub(crate) fn tally(&mut self, tally: &Tally) -> Result<Outcome, StoreError> {
        let key = tally.of.key();
        self.forget_tally(&key)?;
        self.changes.put(keys::expiry(tally.until, &key), Vec::new());
        self.changes.write(key, &Kept { until: tally.until, count: tally.count });
        Ok(Outcome::Kept)
    }

    fn forget_tally(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if let Some(before) = self.changes.read::<Kept>(key)? {
            self.changes.remove(keys::expiry(before.until, key));
            self.changes.remove(key.to_vec());
        }
        Ok(())
    }

    /// Forgets the tally at this key if it is about this number. Whether it was.
    pub(crate) fn erase_tally(&mut self, number: Number, key: &[u8]) -> Result<bool, StoreError> {
        let is_theirs = TallyOf::read(key).and_then(|of| of.number()) == Some(number);
        if is_theirs {
            self.forget_tally(key)?;
        }
        Ok(is_theirs)
    }
}

impl Store {
    /// How often what was dialled, as far as that still counts.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn tallies(&self, now: Timestamp) -> Result<Vec<Tally>, StoreError> {
        let mut tallies = Vec::new();
        for item in self.shared().disk.prefixed(keys::TALLIES) {
            let (key, value) = item?;
            let Kept { until, count } = changes::unpack(&value)?;
            let of = TallyOf::read(&key).filter(|_| now < until);
            tallies.extend(of.map(|of| Tally { of, until, count }));
        }
        Ok(tallies)
    }
}
