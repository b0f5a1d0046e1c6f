//! Contacts: people whom operators know by name.
//!
//! There is one for each number, so that a caller is one person at most. They are listed by name.

mod find;
mod write;

use number::Number;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

pub(crate) use write::ContactWrite;

use crate::{Json, StoreError, Timestamp, names};

/// Somebody known by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Their name in the API; begins with when they were put.
    pub id: Ulid,
    /// Another each time something is changed. Set by the store.
    pub version: u64,
    /// Their number; nobody else's.
    #[serde(with = "crate::digits")]
    pub number: Number,
    /// What people call them: 1 to [`crate::Party::LONGEST_NAME`] characters.
    pub name: Box<str>,
    /// What is to be known of them; at most [`Contact::LONGEST_NOTE`] characters.
    pub note: Option<Box<str>>,
    /// Whatever the shop attached; at most [`Contact::LONGEST_DATA`] bytes.
    pub data: Option<Json>,
    /// When they were put.
    pub created_at: Timestamp,
    /// When something was changed last.
    pub updated_at: Timestamp,
}

/// Somebody to be put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewContact {
    /// As of the contact.
    pub number: Number,
    /// As of the contact.
    pub name: Box<str>,
    /// As of the contact.
    pub note: Option<Box<str>>,
    /// As of the contact.
    pub data: Option<Json>,
}

/// What is changed of a contact; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContactChange {
    /// Another number.
    pub number: Option<Number>,
    /// Another name.
    pub name: Option<Box<str>>,
    /// Another note; `Some(None)`: none any more.
    pub note: Option<Option<Box<str>>>,
    /// What is attached.
    pub data: Option<Option<Json>>,
}

/// What became of what was asked of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContactOutcome {
    /// As they are now.
    Kept(Box<Contact>),
    /// They are gone.
    Removed,
    /// There is none of this name.
    Unknown,
    /// They are of another version than was wanted: nothing was done.
    Changed,
    /// The number is another contact's: nothing was done.
    Taken(Ulid),
    /// There are as many as there may be.
    Full,
}

/// Which contacts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ContactFilter {
    /// All.
    #[default]
    Any,
    /// The one of this number.
    Number(Number),
    /// Those whose name has this in it, small or capital, or whose number ends with these four digits.
    Text(String),
}

impl Contact {
    /// Most contacts.
    pub const MOST: usize = 100_000;

    /// Most characters of [`Contact::note`].
    pub const LONGEST_NOTE: usize = 500;

    /// Most bytes of [`Contact::data`].
    pub const LONGEST_DATA: usize = 2_048;
}

/// Whether these can be kept.
fn check(name: Option<&str>, note: Option<&str>, data: Option<&Json>) -> Result<(), StoreError> {
    if !name.is_none_or(names::fits) {
        return Err(StoreError::Refused("a name is not 1 to 100 characters, or has control characters"));
    }
    if note.is_some_and(|note| note.chars().count() > Contact::LONGEST_NOTE) {
        return Err(StoreError::Refused("the note of the contact is longer than 500 characters"));
    }
    if data.is_some_and(|data| data.as_str().len() > Contact::LONGEST_DATA) {
        return Err(StoreError::Refused("the data of the contact is longer than 2048 bytes"));
    }
    Ok(())
}
