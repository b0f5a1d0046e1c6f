//! Orders: a code bound to two parties until it expires.

use std::collections::VecDeque;

use number::Number;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::index::PackedCode;
use crate::names::{self, Named, Names};
use crate::writer::Group;
use crate::{Batch, Json, NewEvent, Outcome, Quiet, Store, StoreError, Timestamp, keys};

/// A code bound to two parties until it expires. Known by line (or none) and code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Order {
    /// 1 to 12 decimal digits.
    pub code: Box<str>,
    /// The line it belongs to; `None` for an order of every line.
    #[serde(with = "crate::digits::optional")]
    pub line: Option<Number>,
    /// Who delivers.
    pub courier: Party,
    /// Who receives.
    pub client: Party,
    /// From this millisecond on it is no longer found.
    pub expires_at: Timestamp,
    /// When it was first put. Set by the store: what is given to `put_order` is not looked at.
    pub created_at: Timestamp,
    /// When it was last put. Set by the store.
    pub updated_at: Timestamp,
    /// Whatever the shop attached; at most [`Order::LONGEST_DATA`] bytes.
    pub data: Option<Json>,
    /// What bounds its calls. Behind the rest, because orders of earlier versions end before it.
    #[serde(deserialize_with = "none_in_earlier_versions")]
    pub limits: OrderLimits,
}

/// What bounds the calls of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderLimits {
    /// Calls it may have in all.
    pub max_calls: Option<u32>,
    /// When the courier is left in peace; as the line has it, if `None`.
    pub courier_quiet: Option<Quiet>,
    /// When the client is.
    pub client_quiet: Option<Quiet>,
}

fn none_in_earlier_versions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OrderLimits, D::Error> {
    Ok(OrderLimits::deserialize(deserializer).unwrap_or_default())
}

/// One party of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Their number.
    #[serde(with = "crate::digits")]
    pub number: Number,
    /// The language they hear, as configured (`ru`, `en`); the line's if `None`. At most 16 bytes.
    pub language: Option<Box<str>>,
    /// What people call them: 1 to [`Party::LONGEST_NAME`] characters, none of them a control character.
    #[serde(skip)]
    pub name: Option<Box<str>>,
}

impl Party {
    /// Most characters of [`Party::name`].
    pub const LONGEST_NAME: usize = 100;

    /// Somebody of whom nothing else is known.
    #[must_use]
    pub fn new(number: Number) -> Self {
        Self { number, language: None, name: None }
    }
}

impl Named for Order {
    fn names(&self) -> [Option<&str>; 2] {
        [&self.courier, &self.client].map(|party| party.name.as_deref())
    }

    fn set_names(&mut self, [courier, client]: Names) {
        (self.courier.name, self.client.name) = (courier, client);
    }

    fn serialize_rest<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }

    fn deserialize_rest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}

impl Serialize for Order {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        names::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Order {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        names::deserialize(deserializer)
    }
}

/// What putting an order did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// There was no live order of this line and code.
    Created,
    /// There was one; it is gone.
    Replaced,
    /// What was to be so is not: nothing was changed.
    Refused,
}

/// What removing an order did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// There was a live one.
    Removed,
    /// There was none.
    Unknown,
    /// What was to be so is not: nothing was changed.
    Refused,
}

/// What must be so for an order or a plan to be changed, so that of two who change it neither undoes the other's work unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// There is a live one.
    Exists,
    /// There is none.
    Absent,
    /// It is of this version ([`Order::version`]).
    Is(u64),
}

impl Precondition {
    /// Whether it is so of what is there, by its version.
    /// Whether what has this version is as it is to be; `None`: there is nothing.
    #[must_use]
    pub fn holds(self, version: Option<u64>) -> bool {
        match self {
            Self::None => true,
            Self::Exists => version.is_some(),
            Self::Absent => version.is_none(),
            Self::Is(wanted) => version == Some(wanted),
        }
    }
}

/// What was found for a caller's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartyFinding {
    /// Party to no live order.
    None,
    /// Party to this one alone.
    One(Box<Order>),
    /// Party to more.
    Several,
}

/// Which lines' orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lines {
    /// All.
    #[default]
    Any,
    /// Those of one line, or those of none.
    Only(Option<Number>),
}

/// Which orders: those of which all of this is so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    /// Of which lines.
    pub lines: Lines,
    /// To which this number is party.
    pub number: Option<Number>,
    /// Whose code begins with these digits.
    pub code: Option<String>,
    /// A party of which has this in its name, small or capital.
    pub name: Option<String>,
}

impl Order {
    /// Most bytes of [`Order::data`].
    pub const LONGEST_DATA: usize = 2048;

    /// Most bytes of [`Party::language`].
    pub const LONGEST_LANGUAGE: usize = 16;

    /// Whether it can be kept.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the code is not 1 to 12 digits, or the data or a language is too long.
    pub fn check(&self) -> Result<(), StoreError> {
        check_code(&self.code)?;
        if self.data.as_ref().is_some_and(|data| data.as_str().len() > Self::LONGEST_DATA) {
            return Err(StoreError::Refused("the data of the order is longer than 2048 bytes"));
        }
        let languages = [&self.courier.language, &self.client.language];
        if languages.into_iter().flatten().any(|language| language.len() > Self::LONGEST_LANGUAGE) {
            return Err(StoreError::Refused("the language of a party is longer than 16 bytes"));
        }
        names::check([&self.courier, &self.client])
    }

    /// Another number for each content and each moment it was put (FNV-1a of 64 bits over how it is kept).
    #[must_use]
    pub fn version(&self) -> u64 {
        crate::changes::pack(self).iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, octet| {
            (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Whether it can still be found.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Whether this number is one of its parties.
    #[must_use]
    pub fn has_party(&self, number: Number) -> bool {
        self.courier.number == number || self.client.number == number
    }

    /// The data of `order.put` and `order.expired`: no party's number, so that it needs no hiding.
    fn event(&self, kind: &str, at: Timestamp) -> NewEvent {
        #[derive(Serialize)]
        struct Data<'a> {
            code: &'a str,
            #[serde(with = "crate::digits::optional")]
            line: Option<Number>,
            expires_at: Timestamp,
            data: Option<&'a Json>,
        }
        let data =
            Data { code: &self.code, line: self.line, expires_at: self.expires_at, data: self.data.as_ref() };
        let data = Json::of(&data).expect("an order's event has a JSON form: its keys are text");
        NewEvent { kind: kind.to_owned(), at, call: None, data }
    }
}

pub(crate) fn check_code(code: &str) -> Result<(), StoreError> {
    let packs = PackedCode::pack(code).is_some();
    if packs { Ok(()) } else { Err(StoreError::Refused("the code is not 1 to 12 digits")) }
}

impl Group<'_> {
    pub(crate) fn put_order(
        &mut self,
        order: &Order,
        now: Timestamp,
        announce: bool,
        precondition: Precondition,
    ) -> Result<Put, StoreError> {
        let key = keys::order(keys::line(order.line), &order.code);
        if !self.holds(precondition, &key, now)? {
            return Ok(Put::Refused);
        }
        let before = self.take_order(&key, now)?;
        let mut order = order.clone();
        order.created_at = before.as_ref().map_or(now, |before| before.created_at);
        order.updated_at = now;
        if before.is_none() {
            self.changes.remove(keys::calls_of(&key));
        }
        self.changes.write(key, &order);
        self.shared.orders.add(&order);
        if announce {
            self.append(&order.event("order.put", now))?;
        }
        Ok(if before.is_some() { Put::Replaced } else { Put::Created })
    }

    pub(crate) fn remove_order(
        &mut self,
        line: Option<Number>,
        code: &str,
        now: Timestamp,
        precondition: Precondition,
    ) -> Result<Removal, StoreError> {
        let key = keys::order(keys::line(line), code);
        if !self.holds(precondition, &key, now)? {
            return Ok(Removal::Refused);
        }
        self.changes.remove(keys::calls_of(&key));
        let taken = self.take_order(&key, now)?;
        Ok(if taken.is_some() { Removal::Removed } else { Removal::Unknown })
    }

    fn holds(&self, precondition: Precondition, key: &[u8], now: Timestamp) -> Result<bool, StoreError> {
        if precondition == Precondition::None {
            return Ok(true);
        }
        let order = self.changes.read::<Order>(key)?.filter(|order| order.is_live(now));
        Ok(precondition.holds(order.as_ref().map(Order::version)))
    }

    /// Takes the order at this key away, and gives it if it was live. That it had expired is told by whoever is first
    /// to notice, so that it is told exactly once.
    fn take_order(&mut self, key: &[u8], now: Timestamp) -> Result<Option<Order>, StoreError> {
        let Some(order) = self.changes.read::<Order>(key)? else { return Ok(None) };
        self.changes.remove(key.to_vec());
        self.shared.orders.remove(&order);
        if order.is_live(now) {
            return Ok(Some(order));
        }
        self.append(&order.event("order.expired", now))?;
        Ok(None)
    }

    /// Takes away what has expired; as [`Store::sweep`].
    pub(crate) fn sweep_orders(&mut self, now: Timestamp, limit: usize) -> Result<Vec<Order>, StoreError> {
        let mut expired = Vec::new();
        for entry in self.shared.orders.expired(now, limit) {
            let key = entry.key();
            if let Some(order) = self.changes.read::<Order>(&key)? {
                self.take_order(&key, now)?;
                self.changes.remove(keys::calls_of(&key));
                expired.push(order);
            }
        }
        Ok(expired)
    }
}

impl Store {
    /// Keeps an order, replacing the one of the same line and code, and appends the event `order.put`. Waits for the disk.
    ///
    /// # Errors
    /// The order cannot be kept (code, language or data too long), or the disk refused.
    pub fn put_order(&self, order: Order, now: Timestamp) -> Result<Put, StoreError> {
        self.put_order_if(order, Precondition::None, now)
    }

    /// Keeps an order, replacing the one of the same line and code, if `precondition` holds, and appends the event `order.put`.
    /// Waits for the disk.
    ///
    /// # Errors
    /// The order cannot be kept (code, language or data too long), or the disk refused.
    pub fn put_order_if(
        &self,
        order: Order,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<Put, StoreError> {
        let outcomes = self.apply(Batch::new().put_order_if(order, precondition, now))?;
        Ok(puts(outcomes).next().expect("one write, one outcome"))
    }

    /// Keeps many orders, without an event each: for imports. Waits for the disk.
    ///
    /// # Errors
    /// As [`Store::put_order`]; then some of them may be kept.
    pub fn put_orders(&self, orders: Vec<Order>, now: Timestamp) -> Result<Vec<Put>, StoreError> {
        /// Orders per batch. Calls wait no longer than one such batch takes.
        const BATCH: usize = 128;
        let mut orders = orders.into_iter().peekable();
        let mut waiting = VecDeque::new();
        let mut done = Vec::with_capacity(orders.len());
        while orders.peek().is_some() || !waiting.is_empty() {
            while waiting.len() < 4 && orders.peek().is_some() {
                let batch =
                    orders.by_ref().take(BATCH).fold(Batch::new(), |batch, o| batch.put_order(o, now, false));
                waiting.push_back(self.start(batch)?);
            }
            if let Some(first) = waiting.pop_front() {
                done.extend(puts(first.wait()?));
            }
        }
        Ok(done)
    }

    /// Forgets an order. Whether there was a live one. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove_order(&self, line: Option<Number>, code: &str, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.remove_order_if(line, code, Precondition::None, now)? == Removal::Removed)
    }

    /// Forgets an order if `precondition` holds. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove_order_if(
        &self,
        line: Option<Number>,
        code: &str,
        precondition: Precondition,
        now: Timestamp,
    ) -> Result<Removal, StoreError> {
        let outcomes = self.apply(Batch::new().remove_order(line, code, precondition, now))?;
        Ok(match outcomes[..] {
            [Outcome::RemovedOrder(removal)] => removal,
            _ => Removal::Unknown,
        })
    }
}

fn puts(outcomes: Vec<Outcome>) -> impl Iterator<Item = Put> {
    outcomes.into_iter().filter_map(|outcome| if let Outcome::Put(put) = outcome { Some(put) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::{pack, unpack};

    #[test]
    fn orders_of_earlier_versions_are_read() {
        let party = |number: &str| Party::new(Number::parse(number).unwrap());
        let order = Order {
            code: "12345".into(),
            line: None,
            courier: party("+79991111111"),
            client: Party { name: Some("Ann".into()), ..party("+79992222222") },
            expires_at: Timestamp(9),
            created_at: Timestamp(1),
            updated_at: Timestamp(2),
            data: None,
            limits: OrderLimits { max_calls: Some(3), ..OrderLimits::default() },
        };
        let kept = pack(&order);
        assert_eq!(unpack::<Order>(&kept).unwrap(), order);
        let nameless = Order { client: party("+79992222222"), ..order };
        let kept = pack(&nameless);
        let without = |octets: usize| unpack::<Order>(&kept[..kept.len() - octets]).unwrap();
        assert_eq!(without(2), nameless, "before there were names");
        assert_eq!(
            without(6),
            Order { limits: OrderLimits::default(), ..nameless },
            "before there were limits"
        );
    }
}
