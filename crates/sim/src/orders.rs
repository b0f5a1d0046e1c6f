//! The store of this world.

use std::collections::BTreeMap;

use b2bua::{Code, Finding, Forbidden, Order, Pair, PairId, Query};
use number::Number;

/// Orders by code; what was called for redial.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    orders: BTreeMap<Code, Order>,
    called: BTreeMap<(Number, Number), Code>,
    /// By the number dialled and the caller.
    pairs: BTreeMap<(Number, Option<Number>), Pair>,
    /// Pairs that connected two, and who called.
    pub connected: Vec<(PairId, Option<Number>)>,
    /// Orders of which a call was permitted and not made.
    pub uncalled: Vec<Code>,
    /// Callers who are blocked.
    pub blocked: Vec<Number>,
    /// Why this party is not to be called.
    pub forbidden: BTreeMap<Number, Forbidden>,
    /// Queries asked, in order.
    pub asked: Vec<Query>,
}

impl Orders {
    /// Adds or replaces an order.
    pub fn put(&mut self, order: Order) {
        self.orders.insert(order.code, order);
    }

    /// Whoever calls this number from that one is of this pair.
    pub fn pair(&mut self, dialled: Number, caller: Option<Number>, pair: Pair) {
        self.pairs.insert((dialled, caller), pair);
    }

    pub(crate) fn called(&mut self, line: Number, callee: Number, code: Code) {
        self.called.insert((line, callee), code);
    }

    pub(crate) fn find(&mut self, query: Query) -> Finding {
        self.asked.push(query);
        let found = |order: Option<&Order>| {
            order.map_or(Finding::Nothing, |order| Finding::Order(Box::new(order.clone())))
        };
        match query {
            Query::Code { code, .. } => found(self.orders.get(&code)),
            Query::Party { number, .. } => {
                let mut of = self
                    .orders
                    .values()
                    .filter(|order| order.courier.number == number || order.client.number == number);
                match (of.next(), of.next()) {
                    (Some(_), Some(_)) => Finding::Several,
                    (one, _) => found(one),
                }
            }
            Query::Redial { line, number, .. } => {
                found(self.called.get(&(line, number)).and_then(|code| self.orders.get(code)))
            }
            Query::Pair { line, number } => self
                .pairs
                .get(&(line, number))
                .map_or(Finding::Nothing, |pair| Finding::Pair(Box::new(pair.clone()))),
            Query::Caller { caller, .. } if self.blocked.contains(&caller) => {
                Finding::Forbidden(Forbidden::Blocked)
            }
            Query::Caller { .. } => Finding::Permitted,
            Query::Permit { callee, .. } => {
                self.forbidden.get(&callee).map_or(Finding::Permitted, |why| Finding::Forbidden(*why))
            }
            Query::Nothing => Finding::Nothing,
        }
    }
}
