//! Forgetting what has had its time.

use crate::writer::Group;
use crate::{Batch, Order, Outcome, Store, StoreError, Timestamp, idempotency, keys};

impl Group<'_> {
    pub(crate) fn sweep(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Order>, StoreError> {
        let orders = self.sweep_orders(now, limit)?;
        for expiry in self.changes.first(keys::EXPIRIES, limit)? {
            let Some((_, key)) = keys::read_expiry(&expiry).filter(|(at, _)| *at <= now) else { break };
            for key in idempotency::parts_from(&self.changes, key)? {
                self.changes.remove(key);
            }
            if let Some(id) = keys::read_block_name(key) {
                self.take_block(id)?;
            }
            self.changes.remove(key.to_vec());
            self.changes.remove(expiry);
        }
        let before = now.before(self.shared.options.records_for);
        self.forget_records(before)?;
        self.forget_tallies(now, limit)?;
        self.forget_callbacks(before)?;
        self.forget_audit(now.before(self.shared.options.audit_for), limit)?;
        if let Some(kept_for) = self.shared.options.events_for {
            self.forget_events(now.before(kept_for), limit)?;
        }
        Ok(orders)
    }
}

impl Store {
    /// Removes what has had its time, at most `limit` (1 to 1000) of each kind, the oldest first: orders (each with an event
    /// `order.expired` in the same batch), what was noted for redial, remembered answers, records and callbacks past their keeping.
    /// The orders removed. Waits for the disk; call it every second or so, and again at once while it returns `limit`
    /// orders. What has expired is not found any more, swept or not. Just after opening it waits as
    /// [`Store::find_party`] does.
    ///
    /// # Errors
    /// The disk refused.
    pub fn sweep(&self, now: Timestamp, limit: usize) -> Result<Vec<Order>, StoreError> {
        let limit = crate::page_size(limit);
        self.shared().orders.wait_loaded()?;
        let outcomes = self.apply(Batch::new().with(crate::batch::Write::Sweep { now, limit }))?;
        let swept = |outcome| if let Outcome::Swept(orders) = outcome { orders } else { Vec::new() };
        Ok(outcomes.into_iter().flat_map(swept).collect())
    }
}
