//! Who is signed in at the console: from their password or token until they leave or their time is over.

use serde::{Deserialize, Serialize};

use crate::batch::Write;
use crate::writer::Group;
use crate::{Batch, Outcome, Store, StoreError, Timestamp, changes, keys};

/// Somebody signed in. What their browser shows is not kept, only its hash: whoever reads the store can be nobody by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Its name: SHA-256 of what the browser shows.
    pub id: [u8; 32],
    /// Who: a hash of everything the configuration says of them, so that a change of that ends it.
    pub proof: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it was used last, to the minute or so.
    pub used_at: Timestamp,
    /// From this moment on it is none.
    pub expires_at: Timestamp,
}

impl SignIn {
    /// Most of one person at once: beyond it the one that began first ends.
    pub const MOST: usize = 32;
}

impl Batch {
    /// [`Store::put_sign_in`].
    #[must_use]
    pub fn put_sign_in(self, sign_in: SignIn) -> Self {
        self.with(Write::PutSignIn(Box::new(sign_in)))
    }

    /// [`Store::use_sign_in`].
    #[must_use]
    pub fn use_sign_in(self, id: [u8; 32], at: Timestamp) -> Self {
        self.with(Write::UseSignIn { id, at })
    }

    /// [`Store::end_sign_in`].
    #[must_use]
    pub fn end_sign_in(self, id: [u8; 32]) -> Self {
        self.with(Write::EndSignIn(id))
    }
}

impl Group<'_> {
    pub(crate) fn put_sign_in(&mut self, sign_in: &SignIn) -> Result<Outcome, StoreError> {
        let mut others = Vec::new();
        for key in self.changes.first(keys::SIGN_INS, usize::MAX)? {
            if let Some(other) = self.changes.read::<SignIn>(&key)?
                && other.proof == sign_in.proof
                && other.id != sign_in.id
            {
                others.push((other.created_at, other.id));
            }
        }
        others.sort_unstable();
        let many = (others.len() + 1).saturating_sub(SignIn::MOST);
        for (_, id) in others.into_iter().take(many) {
            self.end_sign_in(id)?;
        }
        let key = keys::sign_in(&sign_in.id);
        self.changes.put(keys::expiry(sign_in.expires_at, &key), Vec::new());
        self.changes.write(key, sign_in);
        Ok(Outcome::Kept)
    }

    pub(crate) fn use_sign_in(&mut self, id: [u8; 32], at: Timestamp) -> Result<Outcome, StoreError> {
        let key = keys::sign_in(&id);
        // One that ended meanwhile has ended.
        if let Some(sign_in) = self.changes.read::<SignIn>(&key)? {
            self.changes.write(key, &SignIn { used_at: sign_in.used_at.max(at), ..sign_in });
        }
        Ok(Outcome::Kept)
    }

    pub(crate) fn end_sign_in(&mut self, id: [u8; 32]) -> Result<bool, StoreError> {
        let key = keys::sign_in(&id);
        let Some(sign_in) = self.changes.read::<SignIn>(&key)? else { return Ok(false) };
        self.changes.remove(keys::expiry(sign_in.expires_at, &key));
        self.changes.remove(key);
        Ok(true)
    }
}

impl Store {
    /// Keeps who signed in. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn put_sign_in(&self, sign_in: SignIn) -> Result<(), StoreError> {
        self.apply(Batch::new().put_sign_in(sign_in)).map(|_| ())
    }

    /// Who signed in under this name and has not left, whether or not their time is over.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn sign_in(&self, id: &[u8; 32]) -> Result<Option<SignIn>, StoreError> {
        let found = self.shared().disk.get(&keys::sign_in(id))?;
        found.map(|value| changes::unpack(&value)).transpose()
    }

    /// It was used at this moment. Nothing happens where it has ended. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn use_sign_in(&self, id: [u8; 32], at: Timestamp) -> Result<(), StoreError> {
        self.apply(Batch::new().use_sign_in(id, at)).map(|_| ())
    }

    /// They leave. Whether they were there. Waits for the disk.
    ///
    /// # Errors
    /// The disk refused.
    pub fn end_sign_in(&self, id: [u8; 32]) -> Result<bool, StoreError> {
        let outcomes = self.apply(Batch::new().end_sign_in(id))?;
        Ok(matches!(outcomes[..], [Outcome::Removed(true)]))
    }

    /// Ends those of everyone whose proof is not among these; how many that were. Waits for the disk.
    ///
    /// # Errors
    /// The disk cannot be read, or refused.
    pub fn end_other_sign_ins(&self, proofs: &[[u8; 32]]) -> Result<usize, StoreError> {
        let range = std::ops::Bound::Included(keys::SIGN_INS.to_vec());
        let to = std::ops::Bound::Excluded(keys::after_prefix(keys::SIGN_INS));
        let mut gone = Vec::new();
        for item in self.shared().disk.range(range, to) {
            let sign_in: SignIn = changes::unpack(&item?.1)?;
            if !proofs.contains(&sign_in.proof) {
                gone.push(sign_in.id);
            }
        }
        for ids in gone.chunks(Batch::LONGEST) {
            self.apply(ids.iter().fold(Batch::new(), |batch, id| batch.end_sign_in(*id)))?;
        }
        Ok(gone.len())
    }
}
