//! Putting, changing and forgetting contacts, on the thread that writes.

use std::sync::atomic::Ordering;

use number::Number;
use ulid::Ulid;

use super::{Contact, ContactChange, ContactOutcome, NewContact, check};
use crate::writer::Group;
use crate::{Batch, Outcome, Precondition, Store, StoreError, Timestamp, keys};

/// What is wanted of a contact.
#[derive(Debug)]
pub(crate) enum ContactWrite {
    Create { asked: NewContact, now: Timestamp },
    Change { id: Ulid, change: ContactChange, wanted: Precondition, now: Timestamp },
    Remove { id: Ulid, wanted: Precondition },
}

impl Group<'_> {
    pub(crate) fn contact(&mut self, write: &ContactWrite) -> Result<ContactOutcome, StoreError> {
        match write {
            ContactWrite::Create { asked, now } => self.create_contact(asked, *now),
            ContactWrite::Change { id, change, wanted, now } => {
                self.change_contact(*id, change, *wanted, *now)
            }
            ContactWrite::Remove { id, wanted } => self.remove_contact(*id, *wanted),
        }
    }

    fn create_contact(&mut self, asked: &NewContact, now: Timestamp) -> Result<ContactOutcome, StoreError> {
        if let Some(other) = self.contact_of(asked.number)? {
            return Ok(ContactOutcome::Taken(other));
        }
        if self.shared.contacts.load(Ordering::Relaxed) >= Contact::MOST {
            return Ok(ContactOutcome::Full);
        }
        let contact = Contact {
            id: Ulid::from_parts(now.0, Ulid::generate().random()),
            version: 1,
            number: asked.number,
            name: asked.name.clone(),
            note: asked.note.clone(),
            data: asked.data.clone(),
            created_at: now,
            updated_at: now,
        };
        self.keep_contact(&contact);
        Ok(ContactOutcome::Kept(Box::new(contact)))
    }

    fn change_contact(
        &mut self,
        id: Ulid,
        change: &ContactChange,
        wanted: Precondition,
        now: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        let Some(before) = self.changes.read::<Contact>(&keys::contact(id))? else {
            return Ok(ContactOutcome::Unknown);
        };
        if !wanted.holds(Some(before.version)) {
            return Ok(ContactOutcome::Changed);
        }
        let ContactChange { number, name, note, data } = change.clone();
        if let Some(other) = number.map(|number| self.contact_of(number)).transpose()?.flatten()
            && other != id
        {
            return Ok(ContactOutcome::Taken(other));
        }
        let contact = Contact {
            version: before.version + 1,
            number: number.unwrap_or(before.number),
            name: name.unwrap_or_else(|| before.name.clone()),
            note: note.unwrap_or_else(|| before.note.clone()),
            data: data.unwrap_or_else(|| before.data.clone()),
            updated_at: now,
            ..before
        };
        self.take_contact(id)?;
        self.keep_contact(&contact);
        Ok(ContactOutcome::Kept(Box::new(contact)))
    }

    fn remove_contact(&mut self, id: Ulid, wanted: Precondition) -> Result<ContactOutcome, StoreError> {
        let before = self.changes.read::<Contact>(&keys::contact(id))?;
        match before {
            None => Ok(ContactOutcome::Unknown),
            Some(before) if !wanted.holds(Some(before.version)) => Ok(ContactOutcome::Changed),
            Some(_) => self.take_contact(id).map(|_| ContactOutcome::Removed),
        }
    }

    /// The contact of a number.
    fn contact_of(&self, number: Number) -> Result<Option<Ulid>, StoreError> {
        Ok(self.changes.get(&keys::contact_of(number))?.and_then(|id| keys::read_id(&id)))
    }

    fn keep_contact(&mut self, contact: &Contact) {
        self.changes.put(keys::contact_of(contact.number), contact.id.to_bytes().to_vec());
        let number = contact.number.as_u64().to_be_bytes().to_vec();
        self.changes.put(keys::contact_name(&contact.name, contact.id), number);
        self.changes.write(keys::contact(contact.id), contact);
        self.shared.contacts.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether there was one.
    fn take_contact(&mut self, id: Ulid) -> Result<bool, StoreError> {
        let key = keys::contact(id);
        let Some(contact) = self.changes.read::<Contact>(&key)? else { return Ok(false) };
        self.changes.remove(keys::contact_of(contact.number));
        self.changes.remove(keys::contact_name(&contact.name, id));
        self.changes.remove(key);
        self.shared.contacts.fetch_sub(1, Ordering::Relaxed);
        Ok(true)
    }

    /// The contact of this number is gone. Whether there was one.
    pub(crate) fn erase_contact(&mut self, number: Number) -> Result<bool, StoreError> {
        self.contact_of(number)?.map_or(Ok(false), |id| self.take_contact(id))
    }
}

impl Store {
    /// Puts a contact. Waits for the disk.
    ///
    /// # Errors
    /// Something of it is too long, or the disk refused.
    pub fn create_contact(&self, asked: NewContact, now: Timestamp) -> Result<ContactOutcome, StoreError> {
        check(Some(&asked.name), asked.note.as_deref(), asked.data.as_ref())?;
        self.contact_written(ContactWrite::Create { asked, now })
    }

    /// Changes a contact, if it is as wanted. Waits for the disk.
    ///
    /// # Errors
    /// Something of it is too long, or the disk refused.
    pub fn change_contact(
        &self,
        id: Ulid,
        change: ContactChange,
        wanted: Precondition,
        now: Timestamp,
    ) -> Result<ContactOutcome, StoreError> {
        let note = change.note.as_ref().and_then(Option::as_deref);
        check(change.name.as_deref(), note, change.data.as_ref().and_then(Option::as_ref))?;
        self.contact_written(ContactWrite::Change { id, change, wanted, now })
    }

    /// Forgets a contact, if it is as wanted. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove_contact(&self, id: Ulid, wanted: Precondition) -> Result<ContactOutcome, StoreError> {
        self.contact_written(ContactWrite::Remove { id, wanted })
    }

    fn contact_written(&self, write: ContactWrite) -> Result<ContactOutcome, StoreError> {
        let outcomes = self.apply(Batch::new().with(crate::batch::Write::Contact(Box::new(write))))?;
        let outcome = |outcome| if let Outcome::Contact(outcome) = outcome { Some(outcome) } else { None };
        Ok(outcomes.into_iter().find_map(outcome).expect("one write, one outcome"))
    }
}
