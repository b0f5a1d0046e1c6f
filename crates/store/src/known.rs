//! Who somebody is, as far as orders, pairs and contacts tell.

use number::Number;
use ulid::Ulid;

use crate::names::Named;
use crate::shared::Shared;
use crate::{Json, Order, Pair, Store, StoreError, Timestamp};

/// Most orders of one number that are looked at for its name.
const ORDERS: usize = 8;

/// Somebody in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Somebody {
    /// Their number.
    pub number: Number,
    /// The line of the call.
    pub line: Option<Number>,
    /// The code of the order that the call is about, where that is known.
    pub code: Option<Box<str>>,
    /// The pair that it is about.
    pub pair: Option<Ulid>,
}

/// What is known of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// What people call them: as the order has it, else the pair, else the contact.
    pub name: Option<Box<str>>,
    /// Which contact they are.
    pub contact: Option<Ulid>,
    /// The code of the order they are party to, if it is one alone.
    pub code: Option<Box<str>>,
    /// Which party they are: `courier`, `client`, `a` or `b`.
    pub role: Option<&'static str>,
    /// What the shop attached to the order, the pair and the contact.
    pub data: Vec<Json>,
}

impl Known {
    fn party<T: Named>(&mut self, whole: &T, place: usize, roles: [&'static str; 2], data: Option<&Json>) {
        if self.name.is_none() {
            self.name = whole.names()[place].map(Into::into);
        }
        self.role = self.role.or(Some(roles[place]));
        self.data.extend(data.cloned());
    }

    fn order(&mut self, order: &Order, number: Number) {
        let place = usize::from(order.courier.number != number);
        self.party(order, place, ["courier", "client"], order.data.as_ref());
        self.code = Some(order.code.clone());
    }

    fn pair(&mut self, pair: &Pair, number: Number) {
        let place = usize::from(pair.a.party.number != number);
        self.party(pair, place, ["a", "b"], pair.data.as_ref());
    }
}

impl Shared {
    fn known(&self, of: &Somebody, now: Timestamp) -> Result<Known, StoreError> {
        let mut known = Known::default();
        let orders = match (of.line, &of.code) {
            (Some(line), Some(code)) => self.find_code(line, code, now)?.into_iter().collect(),
            (Some(line), None) => self.orders_with(line, of.number, now)?,
            (None, _) => Vec::new(),
        };
        let mut orders = orders.into_iter().filter(|order| order.has_party(of.number));
        match (orders.next(), orders.next()) {
            (Some(order), None) => known.order(&order, of.number),
            // Which of them the call is about is not known: only who somebody is can be told.
            (first, second) => {
                let mut names = first.into_iter().chain(second).chain(orders).filter_map(|order| {
                    let place = usize::from(order.courier.number != of.number);
                    order.names()[place].map(Box::from)
                });
                known.name = names.next();
            }
        }
        let pair = match (of.pair, of.line) {
            (Some(pair), _) => self.pair(pair)?,
            (None, Some(line)) => self.find_pair(line, Some(of.number), now)?.map(|found| *found.pair),
            (None, None) => None,
        };
        if let Some(pair) = pair.filter(|pair| pair.has_party(of.number)) {
            known.pair(&pair, of.number);
        }
        if let Some(contact) = self.contact_of(of.number)? {
            known.contact = Some(contact.id);
            known.name = known.name.or(Some(contact.name));
            known.data.extend(contact.data);
        }
        Ok(known)
    }

    /// Live orders of a number that can be reached on a line.
    fn orders_with(&self, line: Number, number: Number, now: Timestamp) -> Result<Vec<Order>, StoreError> {
        self.orders.wait_loaded()?;
        let own = self.orders.live_of(number, Some(line), now, ORDERS);
        let of_none = self.orders.live_of(number, None, now, ORDERS);
        let entries = own.into_iter().chain(of_none).take(ORDERS);
        let orders = entries.map(|entry| self.live_order(entry.line, &entry.code.unpack(), now));
        orders.filter_map(Result::transpose).collect()
    }
}

impl Store {
    /// What is known of somebody in a call. Just after opening it waits as [`Store::find_party`] does.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn known(&self, of: &Somebody, now: Timestamp) -> Result<Known, StoreError> {
        self.shared().known(of, now)
    }
}
