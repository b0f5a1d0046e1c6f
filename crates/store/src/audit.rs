//! Who looked at what, and who changed what is not theirs: appended, read, forgotten in time, and never changed.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::writer::Group;
use crate::{Batch, Outcome, Page, Store, StoreError, Timestamp, changes, keys};

/// Something that somebody did, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its name; sorts by time.
    pub id: Ulid,
    /// When.
    pub at: Timestamp,
    /// Name of the token.
    pub who: String,
    /// What was done, in one word: `order.read`, `recording.heard` …
    pub what: String,
    /// To which thing: a call, a code, a prompt; nothing that tells a number.
    pub subject: Option<String>,
    /// About which number, its last four digits.
    pub number: Option<String>,
    /// HTTP status of the answer.
    pub status: u16,
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// As [`AuditEntry::at`].
    pub at: Timestamp,
    /// As [`AuditEntry::who`], at most 64 bytes of it.
    pub who: String,
    /// As [`AuditEntry::what`].
    pub what: &'static str,
    /// As [`AuditEntry::subject`], at most 128 bytes of it.
    pub subject: Option<String>,
    /// As [`AuditEntry::number`].
    pub number: Option<String>,
    /// As [`AuditEntry::status`].
    pub status: u16,
}

fn short(mut text: String, longest: usize) -> String {
    while text.len() > longest {
        text.pop();
    }
    text
}

impl Batch {
    /// [`Store::append_audit`].
    #[must_use]
    pub fn audit(self, new: NewAudit) -> Self {
        self.with(crate::batch::Write::Audit(new))
    }
}

impl Group<'_> {
    pub(crate) fn audit(&mut self, new: &NewAudit) -> Outcome {
        let id = self.log.name(new.at);
        let entry = AuditEntry {
            id,
            at: new.at,
            who: short(new.who.clone(), 64),
            what: new.what.to_owned(),
            subject: new.subject.clone().map(|subject| short(subject, 128)),
            number: new.number.clone(),
            status: new.status,
        };
        self.changes.write(keys::audit(id), &entry);
        Outcome::Kept
    }

    /// Forgets the oldest entries from before this moment.
    pub(crate) fn forget_audit(&mut self, before: Timestamp, limit: usize) -> Result<(), StoreError> {
        for key in self.changes.first(keys::AUDIT, limit)? {
            if keys::read_id(&key).is_none_or(|id| id.timestamp_ms() >= before.0) {
                break;
            }
            self.changes.remove(key);
        }
        Ok(())
    }
}

impl Store {
    /// Appends what somebody did. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn append_audit(&self, new: NewAudit) -> Result<(), StoreError> {
        self.apply(Batch::new().audit(new)).map(|_| ())
    }

    /// What was done, the last first; at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn audit(&self, cursor: Option<&str>, limit: usize) -> Result<Page<AuditEntry>, StoreError> {
        let limit = crate::page_size(limit);
        let before =
            cursor.map(|text| Ulid::from_string(text).map_err(|_| StoreError::Cursor)).transpose()?;
        let to = before.map_or_else(|| keys::after_prefix(keys::AUDIT), keys::audit);
        let range = self
            .shared()
            .disk
            .range(std::ops::Bound::Included(keys::AUDIT.to_vec()), std::ops::Bound::Excluded(to));
        let mut items: Vec<AuditEntry> = Vec::new();
        for item in range.rev().take(limit + 1) {
            items.push(changes::unpack(&item?.1)?);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| last.id.to_string());
        Ok(Page { items, next })
    }
}
