//! Orders by number, by name and by expiry, in memory.
//!
//! They would be three keys more per order in the tree. Measured with a million orders, sled then took ten times as long
//! to open after a crash and as much memory for its table of pages as these sets need; so they are built
//! when the store is opened, beside the calls that already come in: a code is found from the first moment, and what
//! needs the index waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use number::Number;

use crate::disk::Disk;
use crate::names::{Named, folded};
use crate::{Order, StoreError, Timestamp, changes, keys};

/// A code in eight bytes: its digits as a number, then how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackedCode(u64);

impl PackedCode {
    /// `None` unless it is 1 to 12 decimal digits.
    pub(crate) fn pack(code: &str) -> Option<Self> {
        let fits = (1..=12).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| {
            Self(code.bytes().fold(0, |value, b| value * 10 + u64::from(b - b'0')) << 4 | code.len() as u64)
        })
    }

    pub(crate) fn unpack(self) -> String {
        format!("{:0len$}", self.0 >> 4, len = (self.0 & 15) as usize)
    }
}

/// An order, as the index knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Zero for none.
    pub(crate) line: u64,
    pub(crate) expires: u64,
    pub(crate) code: PackedCode,
}

impl Entry {
    const FIRST: Self = Self { line: 0, expires: 0, code: PackedCode(0) };

    pub(crate) fn key(self) -> keys::Key {
        keys::order(self.line, &self.code.unpack())
    }
}

#[derive(Debug, Default)]
struct Sets {
    /// By number, then line, then expiry: the live ones of a number and line are one stretch.
    by_number: BTreeSet<(u64, Entry)>,
    by_expiry: BTreeSet<Expiring>,
    /// What the parties of those are called that have names, in lines.
    names: BTreeMap<Entry, Box<str>>,
    /// While the sets are being built: what was written meanwhile, to be done to them in the end.
    meanwhile: Option<Vec<Change>>,
}

/// Expiry, line, code.
type Expiring = (u64, u64, PackedCode);

#[derive(Debug, Clone)]
struct Change {
    entry: Entry,
    parties: [u64; 2],
    names: Option<Box<str>>,
    added: bool,
}

impl Change {
    /// `None` for a code that could not have been put.
    fn of(order: &Order, added: bool) -> Option<Self> {
        let code = PackedCode::pack(&order.code)?;
        let entry = Entry { line: keys::line(order.line), expires: order.expires_at.0, code };
        let parties = [&order.courier, &order.client].map(|party| party.number.as_u64());
        let names: Vec<String> = order.names().into_iter().flatten().map(folded).collect();
        let names = (!names.is_empty()).then(|| names.join("\n").into());
        Some(Self { entry, parties, names, added })
    }

    fn expiring(&self) -> Expiring {
        (self.entry.expires, self.entry.line, self.entry.code)
    }
}

impl Sets {
    fn change(&mut self, change: Change) {
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.push(change);
        } else if change.added {
            self.by_expiry.insert(change.expiring());
            self.by_number.extend(change.parties.map(|number| (number, change.entry)));
            self.names.extend(change.names.map(|names| (change.entry, names)));
        } else {
            self.by_expiry.remove(&change.expiring());
            self.names.remove(&change.entry);
            for number in change.parties {
                self.by_number.remove(&(number, change.entry));
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
enum Progress {
    #[default]
    Loading,
    Loaded,
    Failed(StoreError),
}

/// Orders by number and by expiry.
#[derive(Debug)]
pub(crate) struct OrderIndex {
    sets: RwLock<Sets>,
    progress: Mutex<Progress>,
    changed: Condvar,
    writing: Mutex<()>,
}

impl OrderIndex {
    /// To be loaded.
    pub(crate) fn new() -> Self {
        Self {
            sets: RwLock::new(Sets { meanwhile: Some(Vec::new()), ..Sets::default() }),
            progress: Mutex::default(),
            changed: Condvar::new(),
            writing: Mutex::default(),
        }
    }

    /// Held while orders are written and while a stretch of them is loaded: neither sees half of the other.
    pub(crate) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, order: &Order) {
        self.change(order, true);
    }

    pub(crate) fn remove(&self, order: &Order) {
        self.change(order, false);
    }

    fn change(&self, order: &Order, added: bool) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        Change::of(order, added).into_iter().for_each(|change| sets.change(change));
    }

    /// How many orders there are; `None` while they are loaded.
    pub(crate) fn len(&self) -> Option<usize> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        sets.meanwhile.is_none().then(|| sets.by_expiry.len())
    }

    /// Orders that have expired, oldest first.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Entry> {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let expired = sets.by_expiry.iter().take_while(|(expires, ..)| *expires <= now.0).take(limit);
        expired.map(|&(expires, line, code)| Entry { line, expires, code }).collect()
    }

    /// Live orders of a line (or of none) to which a number is party, the first to expire first.
    pub(crate) fn live_of(
        &self,
        number: Number,
        line: Option<Number>,
        now: Timestamp,
        limit: usize,
    ) -> Vec<Entry> {
        let line = keys::line(line);
        let from = Entry { line, expires: now.0.saturating_add(1), code: PackedCode(0) };
        let to = Entry { line, expires: u64::MAX, code: PackedCode(u64::MAX) };
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let number = number.as_u64();
        sets.by_number.range((number, from)..=(number, to)).take(limit).map(|(_, entry)| *entry).collect()
    }

    /// Orders to which a number is party, by line and expiry, after this one.
    pub(crate) fn of(&self, number: Number, after: Option<Entry>, limit: usize) -> Vec<Entry> {
        let number = number.as_u64();
        let from =
            after.map_or(Bound::Included((number, Entry::FIRST)), |after| Bound::Excluded((number, after)));
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let range = sets.by_number.range((from, Bound::Excluded((number + 1, Entry::FIRST))));
        range.take(limit).map(|(_, entry)| *entry).collect()
    }

    /// Whether any order has a name, as far as is known.
    pub(crate) fn has_names(&self) -> bool {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let is_named = |changes: &Vec<Change>| changes.iter().any(|change| change.names.is_some());
        !sets.names.is_empty() || sets.meanwhile.as_ref().is_some_and(is_named)
    }

    /// Orders of which a party's name has this text in it, without capitals, by line and expiry, after this one; at most `limit`
    /// of `looked_at`, and after which one to go on, if there are more.
    pub(crate) fn called(
        &self,
        text: &str,
        after: Option<Entry>,
        limit: usize,
        looked_at: usize,
    ) -> (Vec<Entry>, Option<Entry>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = Vec::new();
        for (looked, (entry, names)) in sets.names.range((from, Bound::Unbounded)).enumerate() {
            if names.contains(text) {
                found.push(*entry);
            }
            if found.len() == limit || looked + 1 == looked_at {
                return (found, Some(*entry));
            }
        }
        (found, None)
    }

    /// Waits until every order is in the index.
    pub(crate) fn wait_loaded(&self) -> Result<(), StoreError> {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let loading = |progress: &mut Progress| *progress == Progress::Loading;
        match &*self.changed.wait_while(progress, loading).unwrap_or_else(PoisonError::into_inner) {
            Progress::Loading | Progress::Loaded => Ok(()),
            Progress::Failed(error) => Err(error.clone()),
        }
    }

    /// Reads every order of the disk, a stretch at a time, until `stop` says so.
    pub(crate) fn load(&self, disk: &Disk, stop: impl Fn() -> bool) {
        let mut found = Vec::new();
        let mut after = Bound::Included(keys::ORDERS.to_vec());
        loop {
            if stop() {
                return;
            }
            match self.read_stretch(disk, after, &mut found) {
                Ok(Some(last)) => after = Bound::Excluded(last),
                Ok(None) => break,
                Err(error) => return self.end(Progress::Failed(error)),
            }
        }
        self.build(found);
        self.end(Progress::Loaded);
    }

    /// The last key of a stretch; `None` where there are no more.
    fn read_stretch(
        &self,
        disk: &Disk,
        from: Bound<keys::Key>,
        found: &mut Vec<Change>,
    ) -> Result<Option<keys::Key>, StoreError> {
        const STRETCH: usize = 256;
        let _writing = self.writing();
        let mut last = None;
        for item in disk.range(from, Bound::Excluded(keys::after_prefix(keys::ORDERS))).take(STRETCH) {
            let (key, value) = item?;
            found.extend(Change::of(&changes::unpack(&value)?, true));
            last = Some(key.to_vec());
        }
        Ok(last)
    }

    /// A set built from all its members at once is built several times faster than one by one. Each change made since
    /// the loading began is then done in its order: of every order the last one decides, whatever the reading saw.
    fn build(&self, found: Vec<Change>) {
        let by_expiry = found.iter().map(Change::expiring).collect();
        let of_order = |change: &Change| change.parties.map(|number| (number, change.entry));
        let by_number = found.iter().flat_map(of_order).collect();
        let named = |change: Change| change.names.map(|names| (change.entry, names));
        let names = found.into_iter().filter_map(named).collect();
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let meanwhile = sets.meanwhile.take().unwrap_or_default();
        *sets = Sets { by_number, by_expiry, names, meanwhile: None };
        meanwhile.into_iter().for_each(|change| sets.change(change));
    }

    /// Says that it cannot be loaded.
    pub(crate) fn fail(&self) {
        self.end(Progress::Failed(StoreError::Read("the orders could not be read, see the log".to_owned())));
    }

    /// Why it could not be loaded, if so.
    pub(crate) fn failure(&self) -> Option<StoreError> {
        match &*self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            Progress::Failed(error) => Some(error.clone()),
            Progress::Loading | Progress::Loaded => None,
        }
    }

    fn end(&self, end: Progress) {
        if let Progress::Failed(error) = &end {
            tracing::error!(%error, "orders are not found by number and not swept");
        }
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Party;

    fn order(n: u64, expires: u64) -> Order {
        let party = |number: u64| Party {
            number: Number::parse(&number.to_string()).unwrap(),
            language: None,
            name: None,
        };
        Order {
            limits: crate::OrderLimits::default(),
            code: format!("{n:05}").into(),
            line: None,
            courier: Party { name: Some(format!("{n} B").into()), ..party(79_990_000_000 + expires) },
            client: party(79_000_000_000 + n),
            expires_at: Timestamp(expires),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            data: None,
        }
    }

    #[test]
    fn what_is_written_while_orders_are_loaded_is_in_the_index_as_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), 1 << 20).unwrap();
        let index = OrderIndex::new();
        let put = |index: &OrderIndex, before: Option<&Order>, after: Option<&Order>| {
            let key = keys::order(0, &before.or(after).unwrap().code);
            disk.apply([(key, after.map(changes::pack))]).unwrap();
            before.inspect(|before| index.remove(before));
            after.inspect(|after| index.add(after));
        };
        let all = (0..600).map(|n| order(n, 9));
        disk.apply(all.map(|order| (keys::order(0, &order.code), Some(changes::pack(&order))))).unwrap();
        let mut found = Vec::new();
        let read = |from, found: &mut Vec<Change>| index.read_stretch(&disk, from, found).unwrap();
        let mut last = read(Bound::Included(keys::ORDERS.to_vec()), &mut found);
        // One of each, where it was read and where it was not.
        for n in [3, 503] {
            put(&index, Some(&order(n, 9)), None);
            put(&index, Some(&order(n + 1, 9)), Some(&order(n + 1, 20)));
            put(&index, Some(&order(n + 2, 9)), None);
            put(&index, None, Some(&order(n + 2, 30)));
        }
        put(&index, None, Some(&order(700, 40)));
        put(&index, Some(&order(700, 40)), None);
        while let Some(after) = last {
            last = read(Bound::Excluded(after), &mut found);
        }
        index.build(found);
        let fresh = OrderIndex::new();
        fresh.load(&disk, || false);
        let called = |index: &OrderIndex| index.called("509 b", None, 9, 999).0;
        assert_eq!((called(&index).len(), called(&index)), (1, called(&fresh)));
        let (index, fresh) = (index.sets.read().unwrap(), fresh.sets.read().unwrap());
        assert_eq!(index.names, fresh.names);
        assert_eq!((&index.by_expiry, &index.by_number), (&fresh.by_expiry, &fresh.by_number));
        assert_eq!((index.by_expiry.len(), index.by_number.len()), (598, 1_196));
    }

    #[test]
    fn a_code_packs_with_its_zeros() {
        for code in ["0", "00", "12345", "000000000001", "999999999999"] {
            assert_eq!(PackedCode::pack(code).unwrap().unpack(), code);
        }
        for code in ["", "1234567890123", "12a", "-1", "１"] {
            assert_eq!(PackedCode::pack(code), None, "{code}");
        }
    }
}
