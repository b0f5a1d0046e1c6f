//! Stored plans of callbacks: everything but the numbers, under a name.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::shared::Shared;
use crate::writer::Group;
use crate::{Batch, Json, Outcome, Page, Precondition, Store, StoreError, Timestamp, changes, disk, keys};

/// A plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackPlan {
    /// 1 to [`CallbackPlan::LONGEST_NAME`] bytes.
    pub name: Box<str>,
    /// Another each time it is put. Set by the store.
    pub version: u64,
    /// When it was put last.
    pub updated_at: Timestamp,
    /// What it says, as whoever put it wrote it.
    pub settings: Json,
}

impl CallbackPlan {
    /// Most bytes of [`CallbackPlan::name`].
    pub const LONGEST_NAME: usize = 64;

    fn check(&self) -> Result<(), StoreError> {
        let fits = (1..=Self::LONGEST_NAME).contains(&self.name.len());
        if fits && changes::pack(self).len() <= disk::LONGEST_VALUE {
            Ok(())
        } else {
            Err(StoreError::Refused("the plan or its name is too long"))
        }
    }
}

/// What putting or removing a plan did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanPut {
    /// There was none.
    Created(CallbackPlan),
    /// There was one.
    Replaced(CallbackPlan),
    /// It is gone.
    Removed,
    /// There is none.
    Unknown,
    /// There is another version than was wanted: nothing was done.
    Changed,
}

impl Group<'_> {
    pub(crate) fn put_plan(
        &mut self,
        plan: &CallbackPlan,
        wanted: Precondition,
    ) -> Result<PlanPut, StoreError> {
        let key = keys::callback_plan(&plan.name);
        let before = self.changes.read::<CallbackPlan>(&key)?;
        if !wanted.holds(before.as_ref().map(|plan| plan.version)) {
            return Ok(PlanPut::Changed);
        }
        // A plan that was removed and is put again has no version that it had before.
        let after = before.as_ref().map_or(0, |plan| plan.version);
        let plan = CallbackPlan { version: plan.updated_at.0.max(after + 1), ..plan.clone() };
        self.changes.write(key, &plan);
        Ok(if before.is_some() { PlanPut::Replaced(plan) } else { PlanPut::Created(plan) })
    }

    pub(crate) fn remove_plan(&mut self, name: &str, wanted: Precondition) -> Result<PlanPut, StoreError> {
        let key = keys::callback_plan(name);
        let Some(before) = self.changes.read::<CallbackPlan>(&key)? else { return Ok(PlanPut::Unknown) };
        if !wanted.holds(Some(before.version)) {
            return Ok(PlanPut::Changed);
        }
        self.changes.remove(key);
        Ok(PlanPut::Removed)
    }
}

impl Shared {
    fn plans(&self, cursor: Option<&str>, limit: usize) -> Result<Page<CallbackPlan>, StoreError> {
        let begin = match cursor {
            Some(name) => Bound::Excluded(keys::callback_plan(name)),
            None => Bound::Included(keys::CALLBACK_PLANS.to_vec()),
        };
        let end = Bound::Excluded(keys::after_prefix(keys::CALLBACK_PLANS));
        let mut page = Page { items: Vec::<CallbackPlan>::new(), next: None };
        for item in self.disk.range(begin, end) {
            if page.items.len() == limit {
                page.next = page.items.last().map(|plan| plan.name.to_string());
                break;
            }
            page.items.push(changes::unpack(&item?.1)?);
        }
        Ok(page)
    }
}

impl Store {
    /// Keeps a plan under its name, if the one there is as wanted. Waits for the disk.
    ///
    /// # Errors
    /// It is too long, or the disk refused.
    pub fn put_callback_plan(&self, plan: CallbackPlan, wanted: Precondition) -> Result<PlanPut, StoreError> {
        let mut batch = Batch::new();
        batch.check(plan.check());
        self.plan_written(batch.with(crate::batch::Write::PutPlan { plan: Box::new(plan), wanted }))
    }

    /// Forgets a plan, if it is as wanted. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove_callback_plan(&self, name: &str, wanted: Precondition) -> Result<PlanPut, StoreError> {
        self.plan_written(Batch::new().with(crate::batch::Write::RemovePlan { name: name.into(), wanted }))
    }

    fn plan_written(&self, batch: Batch) -> Result<PlanPut, StoreError> {
        let outcomes = self.apply(batch)?;
        let put = |outcome| if let Outcome::Plan(put) = outcome { Some(put) } else { None };
        Ok(outcomes.into_iter().find_map(put).expect("one write, one outcome"))
    }

    /// One plan.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn callback_plan(&self, name: &str) -> Result<Option<CallbackPlan>, StoreError> {
        let value = self.shared().disk.get(&keys::callback_plan(name))?;
        value.map(|value| changes::unpack(&value)).transpose()
    }

    /// Plans by name; at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn callback_plans(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<CallbackPlan>, StoreError> {
        self.shared().plans(cursor, crate::page_size(limit))
    }
}
