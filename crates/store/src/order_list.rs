//! Lists of orders.

use std::ops::Bound;

use crate::index::{Entry, PackedCode};
use crate::names::{Named, folded};
use crate::shared::Shared;
use crate::{Lines, Order, OrderFilter, Page, Store, StoreError, Timestamp, changes, keys};

/// Most orders one page looks at, so that a page over nothing but expired ones ends too.
const LOOKED_AT: usize = 10_000;

type Listed = Result<Page<Order>, StoreError>;

impl OrderFilter {
    /// Whether an order is one of these.
    fn has(&self, order: &Order) -> bool {
        let is_of_line = match self.lines {
            Lines::Any => true,
            Lines::Only(line) => order.line == line,
        };
        let is_called = |wanted: &str| {
            let wanted = folded(wanted);
            order.names().into_iter().flatten().any(|name| folded(name).contains(&wanted))
        };
        is_of_line
            && self.number.is_none_or(|number| order.has_party(number))
            && self.code.as_ref().is_none_or(|code| order.code.starts_with(code.as_str()))
            && self.name.as_deref().is_none_or(is_called)
    }
}

impl Shared {
    /// The first order of a line, or of one behind it, that has such a key.
    fn next_line(&self, after: u64) -> Result<Option<u64>, StoreError> {
        let from = Bound::Included(keys::after_prefix(&keys::orders_of(after)));
        let to = Bound::Excluded(keys::after_prefix(keys::ORDERS));
        let next = self.disk.range(from, to).next().transpose()?;
        Ok(next.and_then(|(key, _)| keys::line_of(&key)))
    }

    /// By line and code.
    fn orders_by_code(
        &self,
        filter: &OrderFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: usize,
    ) -> Listed {
        let code = filter.code.as_deref().unwrap_or_default();
        let (mut line, mut from) = match (cursor, filter.lines) {
            (Some(cursor), _) => {
                let (line, code) = cursor.split_once('-').ok_or(StoreError::Cursor)?;
                let (line, code) =
                    (read(line)?, PackedCode::pack(code).map(|_| code).ok_or(StoreError::Cursor)?);
                (line, Bound::Excluded(keys::order(line, code)))
            }
            (None, Lines::Only(line)) => {
                (keys::line(line), Bound::Included(keys::order(keys::line(line), code)))
            }
            (None, Lines::Any) => (0, Bound::Included(keys::order(0, code))),
        };
        let mut page = Page { items: Vec::new(), next: None };
        let mut looked_at = 0;
        loop {
            let to = keys::after_prefix(&keys::order(line, code));
            for item in self.disk.range(from, Bound::Excluded(to)) {
                let order: Order = changes::unpack(&item?.1)?;
                let place = format!("{}-{}", keys::line(order.line), order.code);
                if order.is_live(now) {
                    page.items.push(order);
                }
                looked_at += 1;
                if page.items.len() == limit || looked_at == LOOKED_AT {
                    page.next = Some(place);
                    return Ok(page);
                }
            }
            match filter.lines {
                Lines::Only(_) => return Ok(page),
                Lines::Any => match self.next_line(line)? {
                    Some(next) => (line, from) = (next, Bound::Included(keys::order(next, code))),
                    None => return Ok(page),
                },
            }
        }
    }

    /// By line and expiry, which is how they are known by number and by name.
    fn orders_by_expiry(
        &self,
        filter: &OrderFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: usize,
    ) -> Listed {
        self.orders.wait_loaded()?;
        let after = cursor.map(read_entry).transpose()?;
        let (entries, next) = match (filter.number, &filter.name) {
            (Some(number), _) => {
                let entries = self.orders.of(number, after, LOOKED_AT);
                let next = entries.last().copied().filter(|_| entries.len() == LOOKED_AT);
                (entries, next)
            }
            (None, name) => {
                let name = folded(name.as_deref().unwrap_or_default());
                self.orders.called(&name, after, limit, LOOKED_AT)
            }
        };
        let mut page = Page { items: Vec::new(), next: None };
        let mut last = after;
        for entry in entries {
            if page.items.len() == limit {
                page.next = last.map(entry_text);
                return Ok(page);
            }
            last = Some(entry);
            if now.0 < entry.expires {
                let order = self.live_order(entry.line, &entry.code.unpack(), now)?;
                page.items.extend(order.filter(|order| filter.has(order)));
            }
        }
        page.next = next.map(entry_text);
        Ok(page)
    }
}

fn read(digits: &str) -> Result<u64, StoreError> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain).ok_or(StoreError::Cursor)
}

fn entry_text(entry: Entry) -> String {
    format!("{}-{}-{}", entry.line, entry.expires, entry.code.unpack())
}

fn read_entry(text: &str) -> Result<Entry, StoreError> {
    let [line, expires, code] = text.split('-').collect::<Vec<_>>()[..] else {
        return Err(StoreError::Cursor);
    };
    let code = PackedCode::pack(code).ok_or(StoreError::Cursor)?;
    Ok(Entry { line: read(line)?, expires: read(expires)?, code })
}

impl Store {
    /// Live orders, by line and code; with a number or a name, by line and expiry. At most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn orders(
        &self,
        filter: &OrderFilter,
        now: Timestamp,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Order>, StoreError> {
        let limit = crate::page_size(limit);
        if filter.number.is_none() && filter.name.is_none() {
            self.shared().orders_by_code(filter, now, cursor, limit)
        } else {
            self.shared().orders_by_expiry(filter, now, cursor, limit)
        }
    }
}
