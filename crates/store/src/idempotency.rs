//! Answers remembered for a day, so that a write sent twice is done once.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::changes::{self, Changes};
use crate::keys::{self, Key};
use crate::shared::Shared;
use crate::writer::Group;
use crate::{Batch, Outcome, Store, StoreError, Timestamp};

/// How long an answer is remembered.
const KEPT: Duration = Duration::from_secs(86_400);

/// Most bytes of a key.
const LONGEST_KEY: usize = 512;

/// Bytes of a body that lie at one key.
const PART: usize = 4_096;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Body; at most [`Response::LONGEST`] bytes.
    pub body: Vec<u8>,
}

impl Response {
    /// Most bytes of a body that can be remembered.
    pub const LONGEST: usize = 65_536;
}

/// What is known of a key.
#[derive(Debug)]
pub enum Idempotency {
    /// Never seen: do it, then [`Store::remember`] the answer with this claim.
    New(Claim),
    /// Being done at this moment by someone else.
    InProgress,
    /// Done before, with this answer.
    Done(Response),
    /// Seen with another request.
    Mismatch,
}

/// The right to do what a key stands for; dropped without an answer, the key is as if never seen.
pub struct Claim {
    key: String,
    fingerprint: [u8; 32],
    claims: Weak<Shared>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(shared) = self.claims.upgrade() {
            shared.claims().remove(&self.key);
        }
    }
}

/// What lies at a key beside the parts of the body.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    fingerprint: [u8; 32],
    status: u16,
    at: Timestamp,
    parts: u8,
}

impl Group<'_> {
    /// Forgets the answer at this key, and that there was one.
    pub(crate) fn forget_answer(&mut self, head: &[u8]) -> Result<(), StoreError> {
        for part in parts_from(&self.changes, head)? {
            self.changes.remove(part);
        }
        if let Some(answer) = self.changes.read::<Answer>(head)? {
            self.changes.remove(keys::expiry(answer.at.after(KEPT), head));
        }
        self.changes.remove(head.to_vec());
        Ok(())
    }

    pub(crate) fn remember(
        &mut self,
        claim: &Claim,
        response: &Response,
        now: Timestamp,
    ) -> Result<Outcome, StoreError> {
        let head = keys::answer(&claim.key, 0);
        self.forget_answer(&head)?;
        let mut parts = 0;
        for body in response.body.chunks(PART) {
            parts += 1;
            self.changes.put(keys::answer(&claim.key, parts), body.to_vec());
        }
        let answer = Answer { fingerprint: claim.fingerprint, status: response.status, at: now, parts };
        self.changes.put(keys::expiry(now.after(KEPT), &head), Vec::new());
        self.changes.write(head, &answer);
        Ok(Outcome::Kept)
    }
}

/// The keys of a remembered body, if this is the key of its answer.
pub(crate) fn parts_from(changes: &Changes<'_>, head: &[u8]) -> Result<Vec<Key>, StoreError> {
    if !head.starts_with(keys::ANSWERS) {
        return Ok(Vec::new());
    }
    let parts = changes.read::<Answer>(head)?.map_or(0, |answer| answer.parts);
    let key = |part| {
        let mut key = head.to_vec();
        key.pop();
        key.push(part);
        key
    };
    Ok((1..=parts).map(key).collect())
}

/// The whole answer at this key, if it is the key of one.
pub(crate) fn body(changes: &Changes<'_>, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if !key.ends_with(&[0, 0]) {
        return Ok(None);
    }
    let mut body = Vec::new();
    for part in parts_from(changes, key)? {
        body.extend(changes.get(&part)?.unwrap_or_default());
    }
    Ok(Some(body))
}

fn known(
    shared: &Shared,
    key: &str,
    fingerprint: [u8; 32],
    now: Timestamp,
) -> Result<Option<Idempotency>, StoreError> {
    let Some(head) = shared.disk.get(&keys::answer(key, 0))? else { return Ok(None) };
    let answer: Answer = changes::unpack(&head)?;
    if answer.at.after(KEPT) <= now {
        return Ok(None);
    }
    if answer.fingerprint != fingerprint {
        return Ok(Some(Idempotency::Mismatch));
    }
    let mut body = Vec::new();
    for part in 1..=answer.parts {
        match shared.disk.get(&keys::answer(key, part))? {
            Some(bytes) => body.extend_from_slice(&bytes),
            // Swept between the two reads.
            None => return Ok(None),
        }
    }
    Ok(Some(Idempotency::Done(Response { status: answer.status, body })))
}

impl Store {
    /// What is known of this key (whose caller is part of it: two tokens may choose the same). At most 512 bytes.
    ///
    /// # Errors
    /// The key is too long, or the disk cannot be read.
    pub fn idempotent(
        &self,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Idempotency, StoreError> {
        if key.len() > LONGEST_KEY {
            return Err(StoreError::Refused("the idempotency key is too long"));
        }
        let shared = self.shared();
        // Held over the read, so that of two who ask at once one is told that the other is at it.
        let mut claims = shared.claims();
        if let Some(other) = claims.get(key) {
            return Ok(if *other == fingerprint { Idempotency::InProgress } else { Idempotency::Mismatch });
        }
        if let Some(known) = known(shared, key, fingerprint, now)? {
            return Ok(known);
        }
        claims.insert(key.to_owned(), fingerprint);
        Ok(Idempotency::New(Claim { key: key.to_owned(), fingerprint, claims: Arc::downgrade(shared) }))
    }

    /// Remembers the answer for 24 hours. Waits for the disk.
    ///
    /// # Errors
    /// The body is too long, or the disk refused.
    pub fn remember(&self, claim: Claim, response: Response, now: Timestamp) -> Result<(), StoreError> {
        self.apply(Batch::new().remember(claim, response, now)).map(|_| ())
    }
}
