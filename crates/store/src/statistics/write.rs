//! Adding up, on the thread that writes.

use std::collections::BTreeMap;

use ulid::Ulid;

use super::histogram::slot_of_ms;
use super::{Step, Total};
use crate::disk::Disk;
use crate::keys::{self, Key};
use crate::writer::Group;
use crate::{LegRecord, Record, StoreError, Timestamp, changes};

/// Totals that are kept at hand between batches.
const AT_HAND: usize = 256;

/// By how much the clocks of two events may differ though one came after the other, milliseconds.
const SLIP: u64 = 10_000;

/// Which trunks a call is on, each once, and since when, as far as its checkpoint or record tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trunks {
    names: Vec<Box<str>>,
    at: Timestamp,
}

impl Trunks {
    pub(crate) fn of(record: &Record) -> Self {
        let mut names: Vec<Box<str>> = [Some(&record.trunk), record.callee_trunk.as_ref()]
            .into_iter()
            .flatten()
            .filter(|name| !name.is_empty())
            .map(|name| name.as_str().into())
            .collect();
        names.dedup();
        let dialled = record.tried.last().map_or(record.started_at, |tried| tried.dialled_at);
        Self { names, at: record.ended_at.unwrap_or(record.started_at.max(dialled)) }
    }
}

/// What a record adds to one trunk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Share {
    trunk: Box<str>,
    total: Total,
}

impl Share {
    /// What a record adds to each of its trunks.
    pub(crate) fn of(record: &Record) -> Vec<Self> {
        let trunks = Trunks::of(record);
        let mut shares: Vec<Self> = trunks
            .names
            .into_iter()
            .map(|trunk| {
                let talk_ms = (record.talk_seconds * 1000.0).round().max(0.0) as u64;
                Self { trunk, total: Total { talk_ms, ..Total::default() } }
            })
            .collect();
        let mut of = |trunk: Option<&str>, add: &dyn Fn(&mut Total)| {
            let share = shares.iter_mut().find(|share| Some(&*share.trunk) == trunk);
            share.into_iter().for_each(|share| add(&mut share.total));
        };
        let (first, second) = (Some(record.trunk.as_str()), record.callee_trunk.as_deref());
        if !record.callback {
            of(first, &|total| {
                total.came += 1;
                total.came_answered += u32::from(record.answered_at.is_some());
            });
        }
        for tried in &record.tried {
            let trunk = if tried.side == "caller" { first } else { second };
            of(trunk, &|total| {
                total.dialled += 1;
                total.reached += u32::from(tried.answered_seconds.is_some());
                let answered = tried.answered_seconds.map(|_| tried.waiting_seconds);
                if let Some(seconds) = tried.rang_seconds.or(answered) {
                    total.delay.add(slot_of_ms((seconds * 1000.0).round().max(0.0) as u64));
                }
            });
        }
        for (trunk, leg) in [(first, &record.caller_leg), (second, &record.callee_leg)] {
            if let Some(mos) = leg.as_ref().and_then(|leg: &LegRecord| leg.mos) {
                of(trunk, &|total| {
                    let hundredths = (f64::from(mos) * 100.0).round().clamp(0.0, 500.0) as u64;
                    total.mos_sum += hundredths;
                    total.mos_count += 1;
                    total.mos.add((hundredths / 5) as u8);
                });
            }
        }
        shares
    }

    /// Added to what there is.
    fn add_to(&self, sum: &mut Total) {
        let one = &self.total;
        for (sum, one) in [
            (&mut sum.came, one.came),
            (&mut sum.came_answered, one.came_answered),
            (&mut sum.dialled, one.dialled),
            (&mut sum.reached, one.reached),
            (&mut sum.mos_count, one.mos_count),
        ] {
            *sum = sum.saturating_add(one);
        }
        sum.talk_ms = sum.talk_ms.saturating_add(one.talk_ms);
        sum.mos_sum = sum.mos_sum.saturating_add(one.mos_sum);
        sum.mos.join(&one.mos);
        sum.delay.join(&one.delay);
    }
}

/// Which calls are on which trunks now, and the totals that were changed last.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    running: BTreeMap<Ulid, Vec<Box<str>>>,
    counts: BTreeMap<Box<str>, u32>,
    /// When something happened last.
    last: u64,
    /// Each with whether it was changed by the batch that is being written.
    totals: BTreeMap<Key, (Total, bool)>,
}

impl Traffic {
    /// As the calls that had not ended left it.
    pub(crate) fn read(disk: &Disk) -> Result<Self, StoreError> {
        let mut traffic = Self::default();
        for item in disk.prefixed(keys::CHECKPOINTS) {
            let record: Record = changes::unpack_json(&item?.1)?;
            let Trunks { names, .. } = Trunks::of(&record);
            for name in &names {
                *traffic.counts.entry(name.clone()).or_default() += 1;
            }
            traffic.running.insert(record.id, names);
        }
        Ok(traffic)
    }
}

impl Group<'_> {
    /// A call is on these trunks, and on no others.
    pub(crate) fn is_on(&mut self, call: Ulid, trunks: &Trunks) -> Result<(), StoreError> {
        if self.traffic.running.get(&call) == Some(&trunks.names) {
            return Ok(());
        }
        let before = self.traffic.running.insert(call, trunks.names.clone()).unwrap_or_default();
        self.moves(&before, &trunks.names, trunks.at)
    }

    /// A call is on no trunk any more.
    pub(crate) fn is_over(&mut self, call: Ulid, at: Timestamp) -> Result<(), StoreError> {
        let before = self.traffic.running.remove(&call).unwrap_or_default();
        self.moves(&before, &[], at)
    }

    fn moves(&mut self, from: &[Box<str>], to: &[Box<str>], at: Timestamp) -> Result<(), StoreError> {
        // What came after something else did not happen before it.
        let last = self.traffic.last;
        let at = if (at.0..=at.0 + SLIP).contains(&last) { last } else { at.0 };
        self.traffic.last = at;
        for gone in from.iter().filter(|name| !to.contains(name)) {
            self.calls_now(gone, at, |count| count.saturating_sub(1))?;
        }
        for come in to.iter().filter(|name| !from.contains(name)) {
            self.calls_now(come, at, |count| count + 1)?;
        }
        Ok(())
    }

    fn calls_now(&mut self, trunk: &str, at: u64, change: impl Fn(u32) -> u32) -> Result<(), StoreError> {
        let count = self.traffic.counts.entry(trunk.into()).or_default();
        let before = *count;
        *count = change(before);
        let after = *count;
        if after == 0 {
            self.traffic.counts.remove(trunk);
        }
        for step in Step::ALL {
            self.total(step, Timestamp(at), trunk, |total| {
                // Until now there were as many as before.
                total.most = total.most.max(before).max(after);
                total.running = after;
            })?;
        }
        Ok(())
    }

    /// What a record tells is added.
    pub(crate) fn add_up(&mut self, started: u64, ended: u64, shares: &[Share]) -> Result<(), StoreError> {
        for share in shares {
            for step in Step::ALL {
                // What is forgotten is not begun anew.
                if started.saturating_add(step.kept_millis()) > ended {
                    self.total(step, Timestamp(started), &share.trunk, |total| share.add_to(total))?;
                }
            }
        }
        Ok(())
    }

    fn total(
        &mut self,
        step: Step,
        at: Timestamp,
        trunk: &str,
        change: impl FnOnce(&mut Total),
    ) -> Result<(), StoreError> {
        let key = keys::total(step as u8, step.of(at), trunk);
        if !self.traffic.totals.contains_key(&key) {
            let kept = self.changes.read(&key)?.unwrap_or_default();
            self.traffic.totals.insert(key.clone(), (kept, false));
        }
        if let Some((total, changed)) = self.traffic.totals.get_mut(&key) {
            change(total);
            *changed = true;
        }
        Ok(())
    }

    /// What was added up is written with the rest of the group.
    pub(crate) fn write_tallies(&mut self) {
        for (key, (total, changed)) in &mut self.traffic.totals {
            if std::mem::take(changed) {
                self.changes.write(key.clone(), total);
            }
        }
        if self.traffic.totals.len() > AT_HAND {
            self.traffic.totals.clear();
        }
    }

    /// Forgets the oldest points that were kept long enough.
    pub(crate) fn forget_tallies(&mut self, now: Timestamp, limit: usize) -> Result<(), StoreError> {
        for step in Step::ALL {
            let before = now.0.saturating_sub(step.kept_millis() + step.millis());
            for key in self.changes.first(&keys::totals(step as u8), limit)? {
                if keys::read_total(&key).is_none_or(|(at, _)| at > before) {
                    break;
                }
                self.traffic.totals.remove(&key);
                self.changes.remove(key);
            }
        }
        Ok(())
    }
}
