//! Finding contacts: by number, and in lists.

use std::ops::Bound;
use std::sync::atomic::Ordering;

use number::Number;
use ulid::Ulid;

use super::{Contact, ContactFilter};
use crate::names::folded;
use crate::shared::Shared;
use crate::{Page, Store, StoreError, changes, keys};

/// Most contacts one page looks at.
const LOOKED_AT: usize = 10_000;

impl Shared {
    fn contact(&self, id: Ulid) -> Result<Option<Contact>, StoreError> {
        self.disk.get(&keys::contact(id))?.map(|value| changes::unpack(&value)).transpose()
    }

    pub(crate) fn contact_of(&self, number: Number) -> Result<Option<Contact>, StoreError> {
        let id = self.disk.get(&keys::contact_of(number))?.and_then(|id| keys::read_id(&id));
        id.map(|id| self.contact(id)).transpose().map(Option::flatten)
    }

    fn contacts(
        &self,
        filter: &ContactFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Contact>, StoreError> {
        let text = match filter {
            ContactFilter::Any => String::new(),
            ContactFilter::Text(text) => folded(text),
            ContactFilter::Number(number) => {
                let items = self.contact_of(*number)?.into_iter().collect();
                return Ok(Page { items, next: None });
            }
        };
        let from = match cursor {
            Some(cursor) => Bound::Excluded(read_cursor(cursor).ok_or(StoreError::Cursor)?),
            None => Bound::Included(keys::CONTACT_NAMES.to_vec()),
        };
        let to = Bound::Excluded(keys::after_prefix(keys::CONTACT_NAMES));
        let digits = text.parse::<u64>().ok().filter(|_| text.len() == 4);
        let mut page = Page { items: Vec::new(), next: None };
        for (looked_at, item) in self.disk.range(from, to).enumerate() {
            let (key, number) = item?;
            let Some((name, id)) = keys::read_contact_name(&key) else { continue };
            let number = (*number).try_into().map(u64::from_be_bytes).ok();
            let ends = digits.is_some_and(|digits| number.is_some_and(|number| number % 10_000 == digits));
            if ends || name.contains(&text) {
                page.items.extend(self.contact(id)?);
            }
            if page.items.len() == limit || looked_at == LOOKED_AT {
                page.next = Some(key[1..].iter().map(|octet| format!("{octet:02x}")).collect());
                break;
            }
        }
        Ok(page)
    }
}

/// The key that a cursor stands for.
fn read_cursor(cursor: &str) -> Option<keys::Key> {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = cursor.len().is_multiple_of(2) && cursor.bytes().all(|octet| octet.is_ascii_hexdigit());
    let octets = is_hex.then(|| cursor.as_bytes().chunks(2).map(octet).collect::<Option<Vec<u8>>>());
    Some([keys::CONTACT_NAMES, &octets??].concat())
}

impl Store {
    /// One contact.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn contact(&self, id: Ulid) -> Result<Option<Contact>, StoreError> {
        self.shared().contact(id)
    }

    /// The contact of a number.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn contact_of(&self, number: Number) -> Result<Option<Contact>, StoreError> {
        self.shared().contact_of(number)
    }

    /// Contacts by name; at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn contacts(
        &self,
        filter: &ContactFilter,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Contact>, StoreError> {
        self.shared().contacts(filter, cursor, crate::page_size(limit))
    }

    /// Whether there is a contact, or an order or pair with a name. Just after opening not every order may have been read. Never
    /// waits.
    #[must_use]
    pub fn has_names(&self) -> bool {
        self.shared().named.load(Ordering::Relaxed)
    }
}
