//! Finding orders during a call.

use std::time::Duration;

use number::Number;
use serde::{Deserialize, Serialize};

use crate::keys::Key;
use crate::shared::Shared;
use crate::writer::Group;
use crate::{Order, Outcome, PartyFinding, Store, StoreError, Timestamp, changes, keys};

/// A number with more candidates than this is said to have several orders, without looking at each.
const CANDIDATES: usize = 64;

/// When and on which code a number was last called through a line.
#[derive(Debug, Serialize, Deserialize)]
struct Called {
    at: Timestamp,
    code: Box<str>,
}

impl Group<'_> {
    pub(crate) fn note_called(
        &mut self,
        line: Number,
        callee: Number,
        code: &str,
        at: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let key = keys::called(line, callee);
        let until = |called: &Called| called.at.after(self.shared.options.redial_for);
        let called = Called { at, code: code.into() };
        let expiry = keys::expiry(until(&called), &key);
        if let Some(before) = self.changes.read::<Called>(&key)? {
            let expiry = keys::expiry(until(&before), &key);
            self.changes.remove(expiry);
        }
        self.changes.write(key, &called);
        self.changes.put(expiry, Vec::new());
        // Of an order that has only so many the call was counted when it was reserved.
        if let Some((key, order)) = self.order_called(line, code, at)?
            && order.limits.max_calls.is_none()
        {
            self.count_call(&key, 1)?;
        }
        Ok(Outcome::Kept)
    }

    /// Takes one of the calls this order has left. `false`: it has none, or is no more.
    pub(crate) fn reserve_call(
        &mut self,
        line: Number,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some((key, order)) = self.order_called(line, code, now)? else { return Ok(false) };
        let Some(most) = order.limits.max_calls else { return Ok(true) };
        let calls: u32 = self.changes.read(&keys::calls_of(&key))?.unwrap_or(0);
        if calls >= most {
            return Ok(false);
        }
        self.count_call(&key, 1)?;
        Ok(true)
    }

    /// A call that was reserved is not made after all.
    pub(crate) fn release_call(
        &mut self,
        line: Number,
        code: &str,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        if let Some((key, order)) = self.order_called(line, code, now)?
            && order.limits.max_calls.is_some()
        {
            self.count_call(&key, -1)?;
        }
        Ok(Outcome::Kept)
    }

    /// The order that a caller of this line reaches by this code, as [`Store::find_code`] finds it.
    fn order_called(
        &self,
        line: Number,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<(Key, Order)>, StoreError> {
        for line in [line.as_u64(), 0] {
            let key = keys::order(line, code);
            if let Some(order) = self.changes.read::<Order>(&key)?.filter(|order| order.is_live(now)) {
                return Ok(Some((key, order)));
            }
        }
        Ok(None)
    }

    /// This order has had so many calls more.
    fn count_call(&mut self, order: &[u8], more: i32) -> Result<(), StoreError> {
        let key = keys::calls_of(order);
        let calls: u32 = self.changes.read(&key)?.unwrap_or(0);
        self.changes.write(key, &calls.saturating_add_signed(more));
        Ok(())
    }
}

/// What is known of an order whose party is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The order.
    pub order: Order,
    /// Calls it has had.
    pub calls: u32,
}

impl Group<'_> {
    /// That a number was called is forgotten.
    pub(crate) fn forget_called(&mut self, key: &[u8]) -> Result<(), StoreError> {
        if let Some(called) = self.changes.read::<Called>(key)? {
            self.changes.remove(keys::expiry(called.at.after(self.shared.options.redial_for), key));
        }
        self.changes.remove(key.to_vec());
        Ok(())
    }
}

/// Through which line a number was called, and when; what lies at the key of that.
pub(crate) fn called(key: &[u8], value: &[u8]) -> Result<Option<(Number, Timestamp)>, StoreError> {
    let called: Called = changes::unpack(value)?;
    let line = key.strip_prefix(keys::CALLED).and_then(|rest| rest.first_chunk::<8>());
    let line = line.and_then(|line| Number::parse(&u64::from_be_bytes(*line).to_string()).ok());
    Ok(line.map(|line| (line, called.at)))
}

impl Shared {
    fn find_spent(&self, line: Number, code: &str, now: Timestamp) -> Result<Option<Spent>, StoreError> {
        let Some(order) = self.find_code(line, code, now)? else { return Ok(None) };
        let key = keys::calls_of(&keys::order(keys::line(order.line), code));
        let calls = self.disk.get(&key)?.map(|value| changes::unpack(&value)).transpose()?;
        Ok(Some(Spent { order, calls: calls.unwrap_or(0) }))
    }

    pub(crate) fn live_order(
        &self,
        line: u64,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        let value = self.disk.get(&keys::order(line, code))?;
        let order = value.map(|value| changes::unpack::<Order>(&value)).transpose()?;
        Ok(order.filter(|order| order.is_live(now)))
    }

    pub(crate) fn find_code(
        &self,
        line: Number,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        match self.live_order(line.as_u64(), code, now)? {
            Some(order) => Ok(Some(order)),
            None => self.live_order(0, code, now),
        }
    }

    fn find_party(&self, line: Number, number: Number, now: Timestamp) -> Result<PartyFinding, StoreError> {
        self.orders.wait_loaded()?;
        let own = self.orders.live_of(number, Some(line), now, CANDIDATES);
        let of_none = self.orders.live_of(number, None, now, CANDIDATES);
        if own.len() > 1 || of_none.len() == CANDIDATES {
            return Ok(PartyFinding::Several);
        }
        let mut found = None;
        for entry in own.into_iter().chain(of_none) {
            let code = entry.code.unpack();
            // By the code, because an order of no line may stand behind one of this line.
            let order = self.find_code(line, &code, now)?;
            let order = order.filter(|order| order.has_party(number) && keys::line(order.line) == entry.line);
            if order.is_some() && found.is_some() {
                return Ok(PartyFinding::Several);
            }
            found = found.or(order);
        }
        Ok(found.map_or(PartyFinding::None, |order| PartyFinding::One(Box::new(order))))
    }

    fn find_redial(
        &self,
        line: Number,
        number: Number,
        within: Duration,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        let Some(value) = self.disk.get(&keys::called(line, number))? else { return Ok(None) };
        let called: Called = changes::unpack(&value)?;
        if now.since(called.at) > within {
            return Ok(None);
        }
        let order = self.find_code(line, &called.code, now)?;
        // A code that was given to another delivery since then is another order.
        Ok(order.filter(|order| order.has_party(number) && order.created_at <= called.at))
    }
}

impl Store {
    /// The live order of exactly this line (or of none) and code.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn order(
        &self,
        line: Option<Number>,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        self.shared().live_order(keys::line(line), code, now)
    }

    /// What a caller of this line reaches by this code: the line's own live order, else the one of no line.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find_code(&self, line: Number, code: &str, now: Timestamp) -> Result<Option<Order>, StoreError> {
        self.shared().find_code(line, code, now)
    }

    /// What [`Store::find_code`] finds, and how many calls to a party it has had.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find_spent(&self, line: Number, code: &str, now: Timestamp) -> Result<Option<Spent>, StoreError> {
        self.shared().find_spent(line, code, now)
    }

    /// The live order this caller is party to, among those that can be reached on this line. Just after opening it
    /// waits until every order was read once: a second or two with a million.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find_party(
        &self,
        line: Number,
        number: Number,
        now: Timestamp,
    ) -> Result<PartyFinding, StoreError> {
        self.shared().find_party(line, number, now)
    }

    /// The live order on which this number was last called through this line, no longer than `within` ago, if the
    /// number is still party to it. No longer ago than [`crate::Options::redial_for`].
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn find_redial(
        &self,
        line: Number,
        number: Number,
        within: Duration,
        now: Timestamp,
    ) -> Result<Option<Order>, StoreError> {
        self.shared().find_redial(line, number, within, now)
    }
}
