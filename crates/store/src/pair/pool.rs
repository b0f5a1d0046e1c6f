//! Which number is held for which phone by which pair, in memory: read from the disk when the store is opened, changed by
//! the one thread that writes.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use number::Number;
use ulid::Ulid;

use super::{Choice, Mode, NewPair, Pair, PairRefusal, PoolNumber, Preference, Prefix};
use crate::disk::Disk;
use crate::names::Named;
use crate::{StoreError, Timestamp, changes, keys};

/// A pair, as the pool knows it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The first party and what it dials.
    a: (Number, Number),
    b: Option<(Number, Number)>,
    former: Vec<(Number, Number)>,
    /// When it ended or will.
    pub(crate) ends: Timestamp,
    /// Whether nobody has noticed its end yet.
    pub(crate) open: bool,
    /// Whether a party has a name.
    named: bool,
    /// When something is to be done about it next: its end is noticed, or it is forgotten.
    due: Timestamp,
}

/// One of our numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    /// Pairs whose end was not noticed yet.
    live: u32,
    /// When it was last given to a pair.
    taken: u64,
    /// Whether it can be given, and whether to those alone who name it.
    given: Option<Given>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Freely,
    ByName,
}

/// All pairs by what is asked of them.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    entries: BTreeMap<Ulid, Entry>,
    /// How many of them are named.
    named: usize,
    /// By number and phone (`None`: everyone): the pairs that hold it, and until when.
    holds: BTreeMap<(Number, Option<Number>), Holders>,
    /// By a party's number or one of ours, then age.
    of: BTreeSet<(Number, Ulid)>,
    /// By the numbers of both parties, the lesser first, then age.
    between: BTreeSet<(Couple, Ulid)>,
    due: BTreeSet<(Timestamp, Ulid)>,
    uses: BTreeMap<Number, Use>,
    /// Those that are given freely, the least used first.
    free: BTreeSet<(u32, u64, Number)>,
}

/// Pairs that hold a number for a phone, and until when.
type Holders = Vec<(Ulid, Timestamp)>;

/// Both parties of a pair, in whichever order.
type Couple = (Option<Number>, Option<Number>);

fn couple(a: Number, b: Option<Number>) -> Couple {
    (Some(a).min(b), Some(a).max(b))
}

/// Who wants a number for whom.
#[derive(Debug, Clone, Copy)]
struct Wish {
    /// For whom a number must be free; `None`: for everyone.
    phones: [Option<Number>; 2],
    /// Rests after pairs of these two are no hindrance.
    forgiven: Option<Couple>,
    now: Timestamp,
}

impl Pool {
    /// Reads every pair.
    pub(crate) fn read(disk: &Disk, kept: std::time::Duration) -> Result<Self, StoreError> {
        let mut pool = Self::default();
        for item in disk.prefixed(keys::PAIRS) {
            let pair: Pair = changes::unpack(&item?.1)?;
            pool.add(&pair, kept);
        }
        Ok(pool)
    }

    /// These are the numbers that are given to pairs from now on. Pairs keep theirs.
    pub(crate) fn configure(&mut self, numbers: &[PoolNumber]) {
        for used in self.uses.values_mut() {
            used.given = None;
        }
        for number in numbers {
            let given = if number.reserved { Given::ByName } else { Given::Freely };
            self.uses.entry(number.number).or_default().given = Some(given);
        }
        let freely = |(number, used): (&Number, &Use)| {
            (used.given == Some(Given::Freely)).then_some((used.live, used.taken, *number))
        };
        self.free = self.uses.iter().filter_map(freely).collect();
    }

    pub(crate) fn numbers(&self) -> impl Iterator<Item = (Number, u32, bool)> {
        let given =
            |(number, used): (&Number, &Use)| Some((*number, used.live, used.given? == Given::ByName));
        self.uses.iter().filter_map(given)
    }

    pub(crate) fn has(&self, number: Number) -> bool {
        self.uses.get(&number).is_some_and(|used| used.given.is_some())
    }

    pub(crate) fn add(&mut self, pair: &Pair, kept: std::time::Duration) {
        let open = pair.ended.is_none();
        let ends = pair.ends_at();
        let due = if open { ends } else { pair.forgotten_at(kept) };
        let entry = Entry {
            a: (pair.a.party.number, pair.a.dials),
            b: pair.b.as_ref().map(|b| (b.party.number, b.dials)),
            former: pair.former.iter().map(|former| (former.phone, former.dialled)).collect(),
            ends,
            open,
            named: pair.is_named(),
            due,
        };
        self.named += usize::from(entry.named);
        for hold in pair.holds() {
            self.holds.entry((hold.number, hold.phone)).or_default().push((pair.id, hold.until));
        }
        self.of.extend(entry.names().map(|name| (name, pair.id)));
        self.between.insert((entry.couple(), pair.id));
        self.due.insert((due, pair.id));
        for dialled in entry.dialled() {
            self.count(dialled, |used| {
                used.live += u32::from(open);
                used.taken = used.taken.max(pair.id.timestamp_ms());
            });
        }
        self.entries.insert(pair.id, entry);
    }

    pub(crate) fn remove(&mut self, id: Ulid) {
        let Some(entry) = self.entries.remove(&id) else { return };
        self.named -= usize::from(entry.named);
        for (number, phone) in entry.held() {
            let Some(holders) = self.holds.get_mut(&(number, phone)) else { continue };
            holders.retain(|(holder, _)| *holder != id);
            if holders.is_empty() {
                self.holds.remove(&(number, phone));
            }
        }
        for name in entry.names() {
            self.of.remove(&(name, id));
        }
        self.between.remove(&(entry.couple(), id));
        self.due.remove(&(entry.due, id));
        for dialled in entry.dialled() {
            self.count(dialled, |used| used.live -= u32::from(entry.open));
        }
    }

    pub(crate) fn has_names(&self) -> bool {
        self.named > 0
    }

    fn count(&mut self, number: Number, change: impl FnOnce(&mut Use)) {
        let used = self.uses.entry(number).or_default();
        let before = *used;
        change(used);
        let after = *used;
        if before.given == Some(Given::Freely) {
            self.free.remove(&(before.live, before.taken, number));
            self.free.insert((after.live, after.taken, number));
        }
        if after.given.is_none() && after.live == 0 {
            self.uses.remove(&number);
        }
    }

    /// Pairs that hold this number for this phone or for everyone, until when.
    pub(crate) fn holders(&self, number: Number, caller: Option<Number>) -> Vec<(Ulid, Timestamp)> {
        let of = |phone| self.holds.get(&(number, phone)).into_iter().flatten().copied();
        let own = caller.into_iter().flat_map(|caller| of(Some(caller)));
        own.chain(of(None)).collect()
    }

    /// Who is held at a number: phone (`None`: everyone), pair, until when.
    pub(crate) fn held_at(&self, number: Number) -> impl Iterator<Item = (Option<Number>, Ulid, Timestamp)> {
        let held = self.holds.range((number, None)..).take_while(move |((at, _), _)| *at == number);
        held.flat_map(|((_, phone), holders)| holders.iter().map(|(id, until)| (*phone, *id, *until)))
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (Ulid, &Entry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn entry(&self, id: Ulid) -> Option<&Entry> {
        self.entries.get(&id)
    }

    /// Pairs after this one, newest first; of a party or one of our numbers, if one is given.
    pub(crate) fn before(&self, name: Option<Number>, before: Option<Ulid>, limit: usize) -> Vec<Ulid> {
        let last = before.map_or(Bound::Unbounded, Bound::Excluded);
        match name {
            None => {
                self.entries.range((Bound::Unbounded, last)).rev().take(limit).map(|(id, _)| *id).collect()
            }
            Some(name) => {
                let last =
                    before.map_or(Bound::Included((name, Ulid(u128::MAX))), |id| Bound::Excluded((name, id)));
                let range = self.of.range((Bound::Included((name, Ulid(0))), last));
                range.rev().take(limit).map(|(_, id)| *id).collect()
            }
        }
    }

    /// Pairs about which something is to be done, the oldest first.
    pub(crate) fn due(&self, now: Timestamp, limit: usize) -> Vec<Ulid> {
        self.due.iter().take_while(|(at, _)| *at <= now).take(limit).map(|(_, id)| *id).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether a number can be held for this phone; `but`: what this pair holds is no hindrance.
    pub(crate) fn is_free(
        &self,
        number: Number,
        phone: Option<Number>,
        but: Option<Ulid>,
        now: Timestamp,
    ) -> bool {
        let wish = Wish { phones: [phone, phone], forgiven: None, now };
        self.suits(number, &wish, but)
    }

    fn suits(&self, number: Number, wish: &Wish, but: Option<Ulid>) -> bool {
        let hinders = |(id, until): &(Ulid, Timestamp)| {
            *until > wish.now && Some(*id) != but && !self.is_forgiven(*id, wish)
        };
        let for_all = wish.phones.contains(&None);
        if for_all {
            return !self.held_at(number).any(|(_, id, until)| hinders(&(id, until)));
        }
        let mut phones = wish.phones.iter().flatten();
        !phones.any(|phone| self.holders(number, Some(*phone)).iter().any(hinders))
    }

    /// Whether this pair has ended and was of the two who are asking.
    fn is_forgiven(&self, id: Ulid, wish: &Wish) -> bool {
        let Some(entry) = self.entries.get(&id) else { return true };
        wish.forgiven == Some(entry.couple()) && entry.ends <= wish.now
    }

    /// What each party is to dial.
    pub(crate) fn choose(&self, asked: &NewPair, now: Timestamp) -> Result<[Number; 2], PairRefusal> {
        let (a, b) = (asked.a.number, asked.b.as_ref().map(|b| b.number));
        if Some(a) == b {
            return Err(PairRefusal::SameNumber);
        }
        if let Some(ours) = [Some(a), b].into_iter().flatten().find(|number| self.has(*number)) {
            return Err(PairRefusal::PartyInPool(ours));
        }
        let sticky = asked.choice.preference == Preference::Sticky;
        let wish = |phones| Wish { phones, forgiven: sticky.then(|| couple(a, b)), now };
        let [named_a, named_b] = asked.choice.named;
        match (asked.mode, b) {
            (Mode::OneNumber, b) => {
                let wish = wish([Some(a).filter(|_| b.is_some()), b]);
                let found = self.candidates(named_a.or(named_b), &wish, asked, 1)?;
                found.first().map(|number| [*number; 2]).ok_or(PairRefusal::NoNumber)
            }
            (Mode::TwoNumbers, None) => Err(PairRefusal::NeedsB),
            // Where both want the same first of all, one of them takes the next.
            (Mode::TwoNumbers, Some(b)) => {
                let for_a = self.candidates(named_a, &wish([Some(a); 2]), asked, 2)?;
                let for_b = self.candidates(named_b, &wish([Some(b); 2]), asked, 2)?;
                let both = for_a.iter().flat_map(|a| for_b.iter().map(|b| [*a, *b]));
                both.into_iter().find(|[a, b]| a != b).ok_or(PairRefusal::NoNumber)
            }
        }
    }

    /// The best numbers for these phones, at most `most`.
    fn candidates(
        &self,
        named: Option<Number>,
        wish: &Wish,
        asked: &NewPair,
        most: usize,
    ) -> Result<Vec<Number>, PairRefusal> {
        if let Some(named) = named {
            if !self.has(named) {
                return Err(PairRefusal::NotInPool(named));
            }
            let suits = self.suits(named, wish, None);
            return if suits { Ok(vec![named]) } else { Err(PairRefusal::NumberBusy(named)) };
        }
        let Choice { preference, prefix, .. } = asked.choice;
        let had = match preference {
            Preference::LeastUsed => Vec::new(),
            Preference::Sticky | Preference::AvoidSticky => self.had(asked, wish),
        };
        let mut found = Vec::new();
        if preference == Preference::Sticky {
            let local =
                |number: &Number| prefix.is_none_or(|prefix| !prefix.strict || prefix.begins(*number));
            let freely =
                |number: &Number| self.uses.get(number).is_some_and(|used| used.given == Some(Given::Freely));
            let last = had.iter().copied().filter(local).filter(freely);
            found.extend(last.filter(|number| self.suits(*number, wish, None)).take(1));
        }
        let avoided: &[Number] = if preference == Preference::AvoidSticky { &had } else { &[] };
        // What is given up, in this order: that a number is new to the two, then that it is local.
        for (local, fresh) in [(true, true), (true, false), (false, true), (false, false)] {
            if found.len() >= most || (!local && prefix.is_none_or(|prefix: Prefix| prefix.strict)) {
                break;
            }
            if !fresh && avoided.is_empty() {
                continue;
            }
            for (.., number) in &self.free {
                let fits = prefix.is_none_or(|prefix| prefix.begins(*number)) == local
                    && avoided.contains(number) != fresh
                    && !found.contains(number);
                if fits && self.suits(*number, wish, None) {
                    found.push(*number);
                    if found.len() >= most {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    /// What these phones dialled to reach each other before, the newest first.
    fn had(&self, asked: &NewPair, wish: &Wish) -> Vec<Number> {
        let couple = couple(asked.a.number, asked.b.as_ref().map(|b| b.number));
        let pairs = self.between.range((couple, Ulid(0))..=(couple, Ulid(u128::MAX)));
        let entries = pairs.rev().filter_map(|(_, id)| self.entries.get(id));
        let whose = |(phone, _): &(Number, Number)| {
            wish.phones.contains(&None) || wish.phones.contains(&Some(*phone))
        };
        let mut had: Vec<Number> = Vec::new();
        for (_, dialled) in entries.flat_map(|entry| std::iter::once(entry.a).chain(entry.b)).filter(whose) {
            if !had.contains(&dialled) {
                had.push(dialled);
            }
        }
        had
    }
}

impl Entry {
    fn parties(&self) -> impl Iterator<Item = (Number, Number)> {
        std::iter::once(self.a).chain(self.b)
    }

    /// What it is listed by.
    fn names(&self) -> impl Iterator<Item = Number> {
        self.parties().flat_map(|(phone, dialled)| [phone, dialled])
    }

    fn couple(&self) -> Couple {
        couple(self.a.0, self.b.map(|(phone, _)| phone))
    }

    /// Its numbers, each once.
    pub(crate) fn dialled(&self) -> impl Iterator<Item = Number> + use<> {
        let second = self.b.map(|(_, dialled)| dialled).filter(|dialled| *dialled != self.a.1);
        std::iter::once(self.a.1).chain(second)
    }

    /// Its parties' phones.
    pub(crate) fn phones(&self) -> impl Iterator<Item = Number> + use<> {
        std::iter::once(self.a.0).chain(self.b.map(|(phone, _)| phone))
    }

    fn held(&self) -> impl Iterator<Item = (Number, Option<Number>)> {
        let a = (self.a.1, self.b.map(|_| self.a.0));
        let others = self.b.iter().chain(&self.former).map(|(phone, dialled)| (*dialled, Some(*phone)));
        std::iter::once(a).chain(others)
    }
}
