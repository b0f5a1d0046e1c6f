//! Finding pairs: during a call, and in lists.

use std::sync::PoisonError;

use number::Number;
use ulid::Ulid;

use super::{Pair, PairDirection, Pool};
use crate::shared::Shared;
use crate::{Page, Party, Store, StoreError, Timestamp, changes, keys};

/// Most pairs one page looks at, so that a page over nothing but ended ones ends too.
const LOOKED_AT: usize = 10_000;

/// Which party of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second, or whoever calls a party that has none.
    B,
}

/// What a caller who dials a number of the pool comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFinding {
    /// Their pair.
    pub pair: Box<Pair>,
    /// Which of its parties they are.
    pub caller: Side,
    /// Whom they reach.
    pub reached: Reached,
}

/// Whom a caller reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// This party.
    Party {
        /// Who.
        party: Party,
        /// Which of our numbers they are shown: what they would dial themselves.
        shown: Number,
    },
    /// The number kept for those who call after the end.
    Fallback(Number),
    /// Nobody: calls do not go this way, or there is nobody yet to be called back.
    Nobody,
}

/// Which pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairFilter {
    /// To which this number is party, or of which it is one that is dialled.
    pub number: Option<Number>,
    /// Those that are live alone, or those that are not.
    pub live: Option<bool>,
}

impl Pair {
    /// Whom this caller reaches who dials this number; `None`: they are not of this pair.
    fn reach(&self, dialled: Number, caller: Option<Number>, now: Timestamp) -> Option<(Side, Reached)> {
        let is = |number: Number| caller == Some(number);
        let side = match &self.b {
            _ if dialled == self.a.dials && is(self.a.party.number) => Side::A,
            Some(b) if dialled == b.dials && is(b.party.number) => Side::B,
            Some(_) => return None,
            None if dialled == self.a.dials => Side::B,
            None => return None,
        };
        if !self.is_live(now) {
            let ends = self.ends_at();
            let fallback = self.fallback.filter(|fallback| now < ends.after(fallback.within))?;
            return Some((side, Reached::Fallback(fallback.number)));
        }
        let forbidden = match side {
            Side::A => self.direction == PairDirection::BToA,
            Side::B => self.direction == PairDirection::AToB,
        };
        let reached = match (side, &self.b) {
            _ if forbidden => Reached::Nobody,
            (Side::B, _) => Reached::Party { party: self.a.party.clone(), shown: self.a.dials },
            (Side::A, Some(b)) => Reached::Party { party: b.party.clone(), shown: b.dials },
            (Side::A, None) => self.last_caller.map_or(Reached::Nobody, |number| Reached::Party {
                party: Party { number, language: None, name: None },
                shown: self.a.dials,
            }),
        };
        Some((side, reached))
    }
}

impl Shared {
    pub(crate) fn pool<T>(&self, look: impl FnOnce(&Pool) -> T) -> T {
        look(&self.pairs.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn pair(&self, id: Ulid) -> Result<Option<Pair>, StoreError> {
        self.disk.get(&keys::pair(id))?.map(|value| changes::unpack(&value)).transpose()
    }

    pub(crate) fn find_pair(
        &self,
        dialled: Number,
        caller: Option<Number>,
        now: Timestamp,
    ) -> Result<Option<PairFinding>, StoreError> {
        let mut after_its_end = None;
        for (id, until) in self.pool(|pool| pool.holders(dialled, caller)).into_iter().rev() {
            if until <= now {
                continue;
            }
            // The disk decides: the pool may know already what is not written yet.
            let Some(pair) = self.pair(id)?.map(Box::new) else { continue };
            let Some((caller, reached)) = pair.reach(dialled, caller, now) else { continue };
            let is_live = pair.is_live(now);
            let found = PairFinding { pair, caller, reached };
            if is_live {
                return Ok(Some(found));
            }
            after_its_end = after_its_end.or(Some(found));
        }
        Ok(after_its_end)
    }
}

impl Store {
    /// The pair of this name, ended or not, while it is kept.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn pair(&self, id: Ulid) -> Result<Option<Pair>, StoreError> {
        self.shared().pair(id)
    }

    /// What a caller comes to who dials this number of the pool.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find_pair(
        &self,
        dialled: Number,
        caller: Option<Number>,
        now: Timestamp,
    ) -> Result<Option<PairFinding>, StoreError> {
        self.shared().find_pair(dialled, caller, now)
    }

    /// Pairs, the newest first, at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn pairs(
        &self,
        filter: &PairFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Pair>, StoreError> {
        let limit = crate::page_size(limit);
        let mut last = cursor.map(Ulid::from_string).transpose().map_err(|_| StoreError::Cursor)?;
        let ids = self.shared().pool(|pool| pool.before(filter.number, last, LOOKED_AT));
        let all = ids.len() < LOOKED_AT;
        let mut page = Page { items: Vec::new(), next: None };
        for id in ids {
            if page.items.len() == limit {
                page.next = last.map(|last| last.to_string());
                return Ok(page);
            }
            last = Some(id);
            let wanted = |pair: &Pair| filter.live.is_none_or(|live| live == pair.is_live(now));
            page.items.extend(self.shared().pair(id)?.filter(wanted));
        }
        page.next = last.map(|last| last.to_string()).filter(|_| !all);
        Ok(page)
    }
}
