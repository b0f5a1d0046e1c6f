//! Making and changing pairs, on the thread that writes.

use std::sync::PoisonError;
use std::time::Duration;

use number::Number;
use ulid::Ulid;

use super::{Ended, Member, Mode, NewPair, Pair, PairChange, PairRefusal, Pool};
use crate::writer::Group;
use crate::{Batch, Outcome, Party, PoolNumber, Store, StoreError, Timestamp, keys};

/// What became of what was asked of a pair.
pub(crate) type Asked = Result<Box<Pair>, PairRefusal>;

impl Group<'_> {
    fn pool<T>(&self, work: impl FnOnce(&mut Pool) -> T) -> T {
        work(&mut self.shared.pairs.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn pair(&self, id: Ulid) -> Result<Option<Pair>, StoreError> {
        self.changes.read(&keys::pair(id))
    }

    /// Keeps a pair as it now is.
    pub(crate) fn keep_pair(&mut self, pair: &Pair) {
        let kept = self.shared.options.pairs_for;
        self.pool(|pool| {
            pool.remove(pair.id);
            pool.add(pair, kept);
        });
        self.changes.write(keys::pair(pair.id), pair);
    }

    /// Forgets a pair, and frees its numbers.
    pub(crate) fn forget_pair(&mut self, id: Ulid) {
        self.pool(|pool| pool.remove(id));
        self.changes.remove(keys::pair(id));
    }

    pub(crate) fn create_pair(&mut self, asked: &NewPair, now: Timestamp) -> Result<Asked, StoreError> {
        let [for_a, for_b] = match self.pool(|pool| pool.choose(asked, now)) {
            Ok(numbers) => numbers,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let member = |party: &Party, dials| Member { party: party.clone(), dials };
        let pair = Pair {
            id: Ulid::from_parts(now.0, Ulid::generate().random()),
            version: 1,
            mode: asked.mode,
            direction: asked.direction,
            a: member(&asked.a, for_a),
            b: asked.b.as_ref().map(|b| member(b, for_b)),
            expires_at: asked.expires_at,
            sliding: asked.sliding,
            ended: None,
            cool_off: asked.cool_off,
            fallback: asked.fallback,
            max_call: asked.max_call,
            ring_timeout: asked.ring_timeout,
            record: asked.record,
            last_caller: None,
            former: Vec::new(),
            created_at: now,
            updated_at: now,
            data: asked.data.clone(),
        };
        self.keep_pair(&pair);
        self.append(&pair.event("pair.created", now))?;
        Ok(Ok(Box::new(pair)))
    }

    /// The pair of this name, if it is as whoever asks believes: `version`, where they say one.
    fn asked_pair(&mut self, id: Ulid, version: Option<u64>, now: Timestamp) -> Result<Asked, StoreError> {
        let Some(pair) = self.pair(id)? else { return Ok(Err(PairRefusal::Unknown)) };
        if version.is_some_and(|version| version != pair.version) {
            return Ok(Err(PairRefusal::Changed(pair.version)));
        }
        self.note_expired(pair, now).map(|pair| Ok(Box::new(pair)))
    }

    /// Says that a pair has expired, where nobody has noticed yet.
    fn note_expired(&mut self, mut pair: Pair, now: Timestamp) -> Result<Pair, StoreError> {
        if pair.ended.is_none() && pair.expires_at <= now {
            pair.ended = Some(Ended { at: pair.expires_at, closed: false });
            self.keep_pair(&pair);
            self.append(&pair.event("pair.expired", now))?;
        }
        Ok(pair)
    }

    pub(crate) fn change_pair(
        &mut self,
        id: Ulid,
        change: &PairChange,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Asked, StoreError> {
        let mut pair = match self.asked_pair(id, version, now)? {
            Ok(pair) if pair.ended.is_some() => return Ok(Err(PairRefusal::Ended)),
            Ok(pair) => pair,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if let Err(refusal) = self.change_parties(&mut pair, change, now) {
            return Ok(Err(refusal));
        }
        pair.direction = change.direction.unwrap_or(pair.direction);
        pair.expires_at = change.expires_at.unwrap_or(pair.expires_at);
        pair.sliding = change.sliding.unwrap_or(pair.sliding);
        pair.fallback = change.fallback.unwrap_or(pair.fallback);
        pair.max_call = change.max_call.unwrap_or(pair.max_call);
        pair.ring_timeout = change.ring_timeout.unwrap_or(pair.ring_timeout);
        pair.record = change.record.unwrap_or(pair.record);
        if let Some(data) = &change.data {
            pair.data.clone_from(data);
        }
        self.changed(&mut pair, "pair.changed", now)?;
        Ok(Ok(pair))
    }

    fn changed(&mut self, pair: &mut Pair, kind: &str, now: Timestamp) -> Result<(), StoreError> {
        pair.version += 1;
        pair.updated_at = now;
        self.keep_pair(pair);
        self.append(&pair.event(kind, now)).map(|_| ())
    }

    /// New parties keep the numbers of the old ones.
    fn change_parties(
        &mut self,
        pair: &mut Pair,
        change: &PairChange,
        now: Timestamp,
    ) -> Result<(), PairRefusal> {
        let before = pair.clone();
        if let Some(a) = &change.a {
            pair.a.party = a.clone();
        }
        match &change.b {
            None => {}
            Some(None) if pair.mode == Mode::TwoNumbers => return Err(PairRefusal::NeedsB),
            Some(None) => pair.b = None,
            Some(Some(b)) => {
                let dials = pair.b.as_ref().map_or(pair.a.dials, |b| b.dials);
                pair.b = Some(Member { party: b.clone(), dials });
            }
        }
        let phone = |member: &Member| member.party.number;
        let left: Vec<Member> = before
            .members()
            .filter(|member| !pair.members().any(|now| phone(now) == phone(member)))
            .cloned()
            .collect();
        for member in left {
            pair.leave(&member, now);
            pair.last_caller = None;
        }
        self.pool(|pool| check_holds(pool, pair, now))
    }

    pub(crate) fn close_pair(
        &mut self,
        id: Ulid,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Asked, StoreError> {
        let mut pair = match self.asked_pair(id, version, now)? {
            Ok(pair) if pair.ended.is_some() => return Ok(Err(PairRefusal::Ended)),
            Ok(pair) => pair,
            Err(refusal) => return Ok(Err(refusal)),
        };
        pair.ended = Some(Ended { at: now, closed: true });
        self.changed(&mut pair, "pair.closed", now)?;
        Ok(Ok(pair))
    }

    pub(crate) fn reopen_pair(
        &mut self,
        id: Ulid,
        expires_at: Timestamp,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Asked, StoreError> {
        let mut pair = match self.asked_pair(id, version, now)? {
            Ok(pair) if pair.ended.is_none() => return Ok(Err(PairRefusal::Live)),
            Ok(pair) => pair,
            Err(refusal) => return Ok(Err(refusal)),
        };
        (pair.ended, pair.expires_at) = (None, expires_at);
        if let Err(refusal) = self.pool(|pool| check_holds(pool, &pair, now)) {
            return Ok(Err(refusal));
        }
        self.changed(&mut pair, "pair.changed", now)?;
        Ok(Ok(pair))
    }

    /// Somebody called: the end moves, and whom a party alone calls back is known.
    pub(crate) fn pair_called(
        &mut self,
        id: Ulid,
        caller: Option<Number>,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let Some(before) = self.pair(id)?.filter(|pair| pair.is_live(now)) else { return Ok(Outcome::Kept) };
        let mut pair = before.clone();
        if let Some(sliding) = pair.sliding {
            pair.expires_at = pair.expires_at.max(now.after(sliding));
        }
        if pair.b.is_none() && caller.is_some_and(|caller| caller != pair.a.party.number) {
            pair.last_caller = caller;
        }
        if pair != before {
            self.keep_pair(&pair);
        }
        Ok(Outcome::Kept)
    }

    /// Notices ends and forgets what was kept long enough. How many there were.
    pub(crate) fn sweep_pairs(&mut self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let due = self.pool(|pool| pool.due(now, limit));
        for id in &due {
            let Some(pair) = self.pair(*id)? else {
                self.pool(|pool| pool.remove(*id));
                continue;
            };
            let pair = self.note_expired(pair, now)?;
            if pair.forgotten_at(self.shared.options.pairs_for) <= now {
                self.forget_pair(*id);
            }
        }
        Ok(due.len())
    }
}

/// Whether this pair's numbers are free for its parties, as far as other pairs go.
fn check_holds(pool: &Pool, pair: &Pair, now: Timestamp) -> Result<(), PairRefusal> {
    let phones: Vec<Number> = pair.members().map(|member| member.party.number).collect();
    if let [a, b] = phones[..]
        && a == b
    {
        return Err(PairRefusal::SameNumber);
    }
    if let Some(ours) = phones.into_iter().find(|number| pool.has(*number)) {
        return Err(PairRefusal::PartyInPool(ours));
    }
    let single = pair.b.is_none();
    for member in pair.members() {
        let phone = Some(member.party.number).filter(|_| !single);
        if !pool.is_free(member.dials, phone, Some(pair.id), now) {
            return Err(PairRefusal::NumberBusy(member.dials));
        }
    }
    Ok(())
}

impl Store {
    /// These are the numbers that pairs are given from now on. Pairs that have others keep them.
    pub fn set_pool(&self, numbers: &[PoolNumber]) {
        self.shared().pairs.write().unwrap_or_else(PoisonError::into_inner).configure(numbers);
    }

    /// Makes a pair, with numbers that are free for its phones, and appends the event `pair.created`. Waits for the disk.
    ///
    /// # Errors
    /// The pair cannot be kept (data or language too long), or the disk refused.
    pub fn create_pair(
        &self,
        asked: NewPair,
        now: Timestamp,
    ) -> Result<Result<Pair, PairRefusal>, StoreError> {
        self.apply(Batch::new().create_pair(asked, now)).map(answered)
    }

    /// Changes a live pair, if it has this version, where one is given, and appends `pair.changed`. Waits for the disk.
    ///
    /// # Errors
    /// As [`Store::create_pair`].
    pub fn change_pair(
        &self,
        id: Ulid,
        change: PairChange,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Result<Pair, PairRefusal>, StoreError> {
        self.apply(Batch::new().change_pair(id, change, version, now)).map(answered)
    }

    /// Ends a live pair and appends `pair.closed`; calls go on. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn close_pair(
        &self,
        id: Ulid,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Result<Pair, PairRefusal>, StoreError> {
        self.apply(Batch::new().close_pair(id, version, now)).map(answered)
    }

    /// Opens a pair again that has ended, with the same numbers, if they are still free for its phones, and appends
    /// `pair.changed`. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn reopen_pair(
        &self,
        id: Ulid,
        expires_at: Timestamp,
        version: Option<u64>,
        now: Timestamp,
    ) -> Result<Result<Pair, PairRefusal>, StoreError> {
        self.apply(Batch::new().reopen_pair(id, expires_at, version, now)).map(answered)
    }

    /// Appends `pair.expired` for pairs that have, and forgets those that were kept long enough, at most `limit` (1 to
    /// 1000). How many there were: call it again at once while that is `limit`. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn sweep_pairs(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let limit = crate::page_size(limit);
        if self.shared().pairs.read().unwrap_or_else(PoisonError::into_inner).due(now, 1).is_empty() {
            return Ok(0);
        }
        let outcomes = self.apply(Batch::new().with(crate::batch::Write::SweepPairs { now, limit }))?;
        Ok(outcomes
            .into_iter()
            .map(|outcome| if let Outcome::PairsSwept(swept) = outcome { swept } else { 0 })
            .sum())
    }
}

fn answered(outcomes: Vec<Outcome>) -> Result<Pair, PairRefusal> {
    let pair = |outcome| if let Outcome::Pair(asked) = outcome { Some(asked) } else { None };
    let asked = outcomes.into_iter().find_map(pair).expect("one write, one outcome");
    asked.map(|pair| *pair)
}

impl Batch {
    /// [`Store::create_pair`].
    #[must_use]
    pub fn create_pair(mut self, asked: NewPair, now: Timestamp) -> Self {
        self.check(asked.check());
        self.with(crate::batch::Write::CreatePair { asked: Box::new(asked), now })
    }

    /// [`Store::change_pair`].
    #[must_use]
    pub fn change_pair(mut self, id: Ulid, change: PairChange, version: Option<u64>, now: Timestamp) -> Self {
        self.check(change.check());
        self.with(crate::batch::Write::ChangePair { id, change: Box::new(change), version, now })
    }

    /// [`Store::close_pair`].
    #[must_use]
    pub fn close_pair(self, id: Ulid, version: Option<u64>, now: Timestamp) -> Self {
        self.with(crate::batch::Write::ClosePair { id, version, now })
    }

    /// [`Store::reopen_pair`].
    #[must_use]
    pub fn reopen_pair(self, id: Ulid, expires_at: Timestamp, version: Option<u64>, now: Timestamp) -> Self {
        self.with(crate::batch::Write::ReopenPair { id, expires_at, version, now })
    }

    /// A call on this pair was connected, now: its end moves, where calls move it, and its one party calls back whoever
    /// called last.
    #[must_use]
    pub fn pair_called(self, id: Ulid, caller: Option<Number>, now: Timestamp) -> Self {
        self.with(crate::batch::Write::PairCalled { id, caller, now })
    }
}

/// How long a pair is known after its end where nothing else is said: thirty days.
pub(crate) const KEPT: Duration = Duration::from_secs(30 * 86_400);
