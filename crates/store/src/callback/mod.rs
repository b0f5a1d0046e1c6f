//! Callbacks: calls that the node begins itself, kept from the moment somebody asks for one.
//!
//! What becomes of a callback that was begun is the record of its call, which has its id. Only one that never began has its end
//! here.

mod plan;

use std::ops::Bound;

use number::Number;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

pub use plan::{CallbackPlan, PlanPut};

use crate::keys::Key;
use crate::shared::Shared;
use crate::writer::Group;
use crate::{
    Batch, Json, NewEvent, Outcome, Page, Record, Store, StoreError, Timestamp, Window, changes, disk, keys,
};

/// Most callbacks one page looks at.
const LOOKED_AT: usize = 2_048;

/// Most callbacks that are forgotten at once.
const FORGOTTEN: usize = 64;

/// A callback, as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Its name, and that of its call.
    pub id: Ulid,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it is to begin, or when its hours next begin.
    pub at: Timestamp,
    /// The hours at which it may begin, by the clock of the line's country where they have no zone of their own.
    pub window: Option<Window>,
    /// The plan it was made by.
    pub plan: Option<Box<str>>,
    /// The line whose manner it has.
    #[serde(with = "crate::digits")]
    pub line: Number,
    /// Who is called first.
    pub first: CallbackSide,
    /// Who is called then.
    pub second: CallbackSide,
    /// How long they may talk, seconds; as the line has it where there is none.
    pub max_seconds: Option<u32>,
    /// Whether it is recorded; as the line has it where nothing is said.
    pub record: Option<bool>,
    /// Whatever the shop attached; at most [`Callback::LONGEST_DATA`] bytes.
    pub data: Option<Json>,
    /// How it ended, where it never began.
    pub end: Option<CallbackEnd>,
}

/// One side of a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackSide {
    /// Whom to call.
    pub numbers: Vec<CallbackNumber>,
    /// `in-order`, `at-once` or `random`.
    pub strategy: Box<str>,
    /// The line they see.
    #[serde(with = "crate::digits")]
    pub line: Number,
    /// What they hear first.
    pub prompt: Option<CallbackPrompt>,
    /// Whether whoever answers presses 1 to take the call.
    pub confirm: bool,
}

/// What a side of a callback hears first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallbackPrompt {
    /// A prompt of the library, by its key.
    Key(Box<str>),
    /// What is spoken of a text.
    Text {
        /// The text, at most [`CallbackPrompt::LONGEST_TEXT`] characters.
        text: Box<str>,
        /// Name of the language it is in; `None`: the line's.
        language: Option<Box<str>>,
    },
}

impl CallbackPrompt {
    /// Most characters of a text: those of both sides stand beside everything else in one value of the store.
    pub const LONGEST_TEXT: usize = 500;
}

/// One number of a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackNumber {
    /// The number.
    #[serde(with = "crate::digits")]
    pub number: Number,
    /// Our patience, seconds; the line's where there is none.
    pub ring_seconds: Option<u32>,
}

/// How a callback ended that never began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackEnd {
    /// When.
    pub at: Timestamp,
    /// `cancelled`, `missed`, `blocked`, `quiet-hours`, `unspoken` or `fault`.
    pub cause: Box<str>,
}

/// A callback, and what is known of its call.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundCallback {
    /// As it was asked for.
    pub callback: Callback,
    /// The record of its call, as far as it goes; none while it has not begun.
    pub record: Option<Record>,
}

impl Callback {
    /// Most bytes of [`Callback::data`]: it stands in the record beside each number that was called.
    pub const LONGEST_DATA: usize = 512;

    /// When it begins.
    #[must_use]
    pub fn begins_at(&self) -> Timestamp {
        self.opens(self.at)
    }

    /// The first moment from this one on at which it may begin.
    #[must_use]
    pub fn opens(&self, from: Timestamp) -> Timestamp {
        self.window.as_ref().map_or(from, |window| window.opens(self.line, from))
    }

    /// Whether this number is one of those to be called.
    #[must_use]
    pub fn has_number(&self, number: Number) -> bool {
        let mut all = self.first.numbers.iter().chain(&self.second.numbers);
        all.any(|one| one.number == number)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.data.as_ref().is_some_and(|data| data.as_str().len() > Self::LONGEST_DATA) {
            return Err(StoreError::Refused("the data of the callback is longer than 512 bytes"));
        }
        if changes::pack(self).len() > disk::LONGEST_VALUE {
            return Err(StoreError::Refused("the callback is too long"));
        }
        Ok(())
    }
}

impl Batch {
    /// [`Store::put_callback`].
    #[must_use]
    pub fn put_callback(mut self, callback: Callback, event: NewEvent) -> Self {
        self.check(callback.check());
        self.check(crate::event::check(&event));
        self.with(crate::batch::Write::PutCallback { callback: Box::new(callback), event })
    }

    /// [`Store::end_callback`].
    #[must_use]
    pub fn end_callback(mut self, id: Ulid, end: CallbackEnd, event: NewEvent) -> Self {
        self.check(crate::event::check(&event));
        self.with(crate::batch::Write::EndCallback { id, end, event })
    }
}

impl Group<'_> {
    pub(crate) fn put_callback(
        &mut self,
        callback: &Callback,
        event: &NewEvent,
    ) -> Result<Outcome, StoreError> {
        self.changes.write(keys::callback(callback.id), callback);
        self.changes.put(keys::waiting_callback(callback.id), Vec::new());
        self.append(event)?;
        Ok(Outcome::Kept)
    }

    pub(crate) fn end_callback(
        &mut self,
        id: Ulid,
        end: &CallbackEnd,
        event: &NewEvent,
    ) -> Result<bool, StoreError> {
        let key = keys::callback(id);
        let waiting = keys::waiting_callback(id);
        let (true, Some(callback)) = (self.changes.has(&waiting)?, self.changes.read::<Callback>(&key)?)
        else {
            return Ok(false);
        };
        self.changes.remove(waiting);
        self.changes.write(key, &Callback { end: Some(end.clone()), ..callback });
        self.append(event)?;
        Ok(true)
    }

    /// Its call is over.
    pub(crate) fn callback_is_over(&mut self, id: Ulid) {
        self.changes.remove(keys::waiting_callback(id));
    }

    /// Forgets the callback at this key, if this number is one of those to be called. Whether it was.
    pub(crate) fn erase_callback(&mut self, number: Number, key: Key) -> Result<bool, StoreError> {
        let callback = self.changes.read::<Callback>(&key)?.filter(|callback| callback.has_number(number));
        if let Some(callback) = &callback {
            self.changes.remove(keys::waiting_callback(callback.id));
            self.changes.remove(key);
        }
        Ok(callback.is_some())
    }

    /// Forgets the oldest callbacks that are over and were to begin before this moment.
    pub(crate) fn forget_callbacks(&mut self, before: Timestamp) -> Result<(), StoreError> {
        for key in self.changes.first(keys::CALLBACKS, FORGOTTEN)? {
            let Some(callback) = self.changes.read::<Callback>(&key)? else { break };
            if callback.created_at >= before {
                break;
            }
            let is_over = !self.changes.has(&keys::waiting_callback(callback.id))?;
            if is_over {
                self.changes.remove(key);
            }
        }
        Ok(())
    }
}

impl Shared {
    fn found(&self, callback: Callback) -> Result<FoundCallback, StoreError> {
        let finished = self.record(callback.id)?;
        let record = match finished {
            Some(record) => Some(record),
            None => {
                let kept = self.disk.get(&keys::checkpoint(callback.id))?;
                kept.map(|json| changes::unpack_json(&json)).transpose()?
            }
        };
        Ok(FoundCallback { callback, record })
    }

    fn callback(&self, id: Ulid) -> Result<Option<FoundCallback>, StoreError> {
        let value = self.disk.get(&keys::callback(id))?;
        let callback = value.map(|value| changes::unpack::<Callback>(&value)).transpose()?;
        callback.map(|callback| self.found(callback)).transpose()
    }

    fn callbacks(
        &self,
        number: Option<Number>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<FoundCallback>, StoreError> {
        let before =
            cursor.map(|text| Ulid::from_string(text).map_err(|_| StoreError::Cursor)).transpose()?;
        let end = Bound::Excluded(keys::callback(before.unwrap_or(Ulid(u128::MAX))));
        let begin = Bound::Included(keys::callback(Ulid(0)));
        let mut page = Page { items: Vec::new(), next: None };
        let mut last = None;
        for (looked_at, item) in self.disk.range(begin, end).rev().enumerate() {
            if page.items.len() == limit || looked_at == LOOKED_AT {
                page.next = last.map(|id: Ulid| id.to_string());
                break;
            }
            let callback: Callback = changes::unpack(&item?.1)?;
            last = Some(callback.id);
            if number.is_none_or(|number| callback.has_number(number)) {
                page.items.push(self.found(callback)?);
            }
        }
        Ok(page)
    }

    fn waiting_callbacks(&self) -> Result<Vec<FoundCallback>, StoreError> {
        let mut waiting = Vec::new();
        for item in self.disk.prefixed(keys::WAITING_CALLBACKS) {
            if let Some(id) = keys::read_id(&item?.0) {
                waiting.extend(self.callback(id)?);
            }
        }
        Ok(waiting)
    }
}

impl Store {
    /// Keeps a callback that is to begin, and appends this event. Waits for the disk.
    ///
    /// # Errors
    /// Something of it is too long, or the disk refused.
    pub fn put_callback(&self, callback: Callback, event: NewEvent) -> Result<(), StoreError> {
        self.apply(Batch::new().put_callback(callback, event)).map(|_| ())
    }

    /// A callback that has not begun never will; appends this event. Whether it had not ended before. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn end_callback(&self, id: Ulid, end: CallbackEnd, event: NewEvent) -> Result<bool, StoreError> {
        let outcomes = self.apply(Batch::new().end_callback(id, end, event))?;
        Ok(matches!(outcomes[..], [Outcome::Removed(true)]))
    }

    /// One callback, and what is known of its call.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn callback(&self, id: Ulid) -> Result<Option<FoundCallback>, StoreError> {
        self.shared().callback(id)
    }

    /// Callbacks, the last asked for first, those with this number if one is given; at most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn callbacks(
        &self,
        number: Option<Number>,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<FoundCallback>, StoreError> {
        self.shared().callbacks(number, cursor, crate::page_size(limit))
    }

    /// Callbacks that are not over, the first asked for first: those with a record have begun.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn waiting_callbacks(&self) -> Result<Vec<FoundCallback>, StoreError> {
        self.shared().waiting_callbacks()
    }
}
