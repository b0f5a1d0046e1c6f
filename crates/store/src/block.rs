//! Blocks: a number, or two numbers, whose calls are refused until the block expires or is lifted.

use number::Number;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::writer::Group;
use crate::{Batch, Outcome, Page, Store, StoreError, Timestamp, changes, keys};

/// Which calls are blocked, seen from [`Block::number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Those it makes.
    From,
    /// Those made to it.
    To,
    /// All.
    Both,
}

/// A number, or two numbers, whose calls are refused. There is one for each number, other and line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its name.
    pub id: Ulid,
    /// Whose calls.
    #[serde(with = "crate::digits")]
    pub number: Number,
    /// With whom; `None`: with anybody.
    #[serde(with = "crate::digits::optional")]
    pub other: Option<Number>,
    /// Which of them.
    pub direction: Direction,
    /// On which line; `None`: on all.
    #[serde(with = "crate::digits::optional")]
    pub line: Option<Number>,
    /// Why, for people; at most [`Block::LONGEST_REASON`] bytes.
    pub reason: Option<Box<str>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From this moment on it blocks nothing; `None`: until it is lifted.
    pub expires_at: Option<Timestamp>,
}

impl Block {
    /// Most bytes of [`Block::reason`].
    pub const LONGEST_REASON: usize = 256;

    fn key(&self) -> keys::Key {
        keys::barred(self.number, self.other, keys::line(self.line))
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.reason.as_ref().is_some_and(|reason| reason.len() > Self::LONGEST_REASON) {
            return Err(StoreError::Refused("the reason of the block is longer than 256 bytes"));
        }
        Ok(())
    }
}

impl Batch {
    /// [`Store::put_block`].
    #[must_use]
    pub fn put_block(mut self, block: Block) -> Self {
        self.check(block.check());
        self.with(crate::batch::Write::PutBlock(Box::new(block)))
    }

    /// [`Store::remove_block`].
    #[must_use]
    pub fn remove_block(self, id: Ulid) -> Self {
        self.with(crate::batch::Write::RemoveBlock(id))
    }
}

impl Group<'_> {
    pub(crate) fn put_block(&mut self, block: &Block) -> Result<Outcome, StoreError> {
        let key = block.key();
        if let Some(before) = self.changes.read::<Block>(&key)? {
            self.take_block(before.id)?;
        }
        if let Some(expires_at) = block.expires_at {
            self.changes.put(keys::expiry(expires_at, &keys::block_name(block.id)), Vec::new());
        }
        self.changes.put(keys::block_name(block.id), key.clone());
        self.changes.write(key, block);
        Ok(Outcome::Kept)
    }

    pub(crate) fn take_block(&mut self, id: Ulid) -> Result<bool, StoreError> {
        let name = keys::block_name(id);
        let Some(key) = self.changes.get(&name)? else { return Ok(false) };
        if let Some(block) = self.changes.read::<Block>(&key)? {
            self.changes.remove(key);
            if let Some(expires_at) = block.expires_at {
                self.changes.remove(keys::expiry(expires_at, &name));
            }
        }
        self.changes.remove(name);
        Ok(true)
    }
}

impl Store {
    /// Keeps a block, replacing the one of the same number, other and line. Waits for the disk.
    ///
    /// # Errors
    /// The reason is too long, or the disk refused.
    pub fn put_block(&self, block: Block) -> Result<(), StoreError> {
        self.apply(Batch::new().put_block(block)).map(|_| ())
    }

    /// Lifts a block. Whether there was one. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove_block(&self, id: Ulid) -> Result<bool, StoreError> {
        let outcomes = self.apply(Batch::new().remove_block(id))?;
        Ok(matches!(outcomes[..], [Outcome::Removed(true)]))
    }

    /// A block that is in force.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn block(&self, id: Ulid, now: Timestamp) -> Result<Option<Block>, StoreError> {
        let Some(key) = self.shared().disk.get(&keys::block_name(id))? else { return Ok(None) };
        let block = self.read_block(&key)?;
        Ok(block.filter(|block| block.id == id && block.is_live(now)))
    }

    /// Blocks in force, in the order they were made; with a number, those in which it stands. At most `limit`, 1 to 1000.
    ///
    /// # Errors
    /// The cursor is not one of this list, or the disk cannot be read.
    pub fn blocks(
        &self,
        number: Option<Number>,
        now: Timestamp,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Page<Block>, StoreError> {
        /// Most blocks one page looks at.
        const LOOKED_AT: usize = 10_000;
        let limit = crate::page_size(limit);
        let after = cursor.map(|text| Ulid::from_string(text).map_err(|_| StoreError::Cursor)).transpose()?;
        let from = after.map_or_else(|| keys::BLOCK_NAMES.to_vec(), keys::block_name);
        let to = std::ops::Bound::Excluded(keys::after_prefix(keys::BLOCK_NAMES));
        let mut page = Page { items: Vec::new(), next: None };
        for (looked_at, item) in self.shared().disk.range(std::ops::Bound::Excluded(from), to).enumerate() {
            let (name, key) = item?;
            let block = self.read_block(&key)?;
            let stands = |block: &Block| {
                number.is_none_or(|number| block.number == number || block.other == Some(number))
            };
            page.items.extend(block.filter(|block| block.is_live(now) && stands(block)));
            if page.items.len() == limit || looked_at + 1 == LOOKED_AT {
                page.next = keys::read_id(&name).map(|id| id.to_string());
                break;
            }
        }
        Ok(page)
    }

    /// Whether a call between these two on this line is blocked; with one of them alone, whether all of theirs are.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn is_blocked(
        &self,
        line: Number,
        caller: Option<Number>,
        callee: Option<Number>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sides = [(caller, callee, Direction::From), (callee, caller, Direction::To)];
        for (number, other, direction) in sides {
            let Some(number) = number else { continue };
            let others = std::iter::once(None).chain(other.map(Some));
            for (other, line) in others.flat_map(|other| [(other, 0), (other, line.as_u64())]) {
                let block = self.read_block(&keys::barred(number, other, line))?;
                let is_meant = |block: &Block| [direction, Direction::Both].contains(&block.direction);
                if block.is_some_and(|block| block.is_live(now) && is_meant(&block)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn read_block(&self, key: &[u8]) -> Result<Option<Block>, StoreError> {
        self.shared().disk.get(key)?.map(|value| changes::unpack(&value)).transpose()
    }
}
