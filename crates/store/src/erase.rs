//! Forgetting a person: everything in which a number stands, piece by piece, so that calls are not held up meanwhile.

use number::Number;
use serde_json::{Map, Value};
use ulid::Ulid;

use crate::changes::{self, Changes};
use crate::history::Trace;
use crate::keys::{self, Key};
use crate::writer::Group;
use crate::{Batch, Block, Order, Outcome, Pair, Record, Store, StoreError, Timestamp, idempotency};

/// Keys looked at in one go.
const PIECE: usize = 256;

/// What stands in place of a number within a longer text.
const GONE: &str = "[erased]";

/// Whom to forget, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Whose number it is.
    pub number: Number,
    /// How it stands in records and events: in full, or its hash; `None` where it stands there in no form of its own.
    pub shown: Option<String>,
    /// Whether records are removed, rather than kept without the number.
    pub records: bool,
    /// Whether blocks are lifted.
    pub blocks: bool,
}

/// What was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Erased {
    /// Orders removed.
    pub orders: u64,
    /// Pairs removed, or kept without the number.
    pub pairs: u64,
    /// Records removed, or kept without the number.
    pub records: u64,
    /// Events, told or still to be told, that are kept without the number.
    pub events: u64,
    /// Times at which the number was called, and counts of its calls, forgotten.
    pub redials: u64,
    /// Answers to idempotency keys, forgotten.
    pub answers: u64,
    /// Blocks lifted.
    pub blocks: u64,
    /// Callbacks removed; those that had not begun never will.
    pub callbacks: u64,
    /// Contacts removed.
    pub contacts: u64,
}

/// Where things lie, in the order they are looked through.
const AREAS: [&[u8]; 10] = [
    keys::PAIRS,
    keys::TALLIES,
    keys::CALLED,
    keys::BLOCKS,
    keys::EVENTS,
    keys::KEPT_EVENTS,
    keys::ANSWERS,
    keys::CALLBACKS,
    keys::CONTACT_NUMBERS,
    keys::BLOCK_NAMES,
];

/// One piece of the work.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) erasure: Erasure,
    /// Which of [`AREAS`].
    area: usize,
    /// After this key.
    after: Key,
}

/// How far a piece has come: what it erased, and the last key it looked at, if there may be more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    erased: Erased,
    next: Option<Key>,
}

impl Erasure {
    /// Whether a text tells this number: as it is shown, in full, or as people write it.
    fn tells(&self, text: &str) -> bool {
        if self.shown.as_deref() == Some(text) {
            return true;
        }
        let plain = text.bytes().all(|octet| octet.is_ascii_digit() || b" -().+/".contains(&octet));
        plain
            && self.ends(text.bytes().filter(u8::is_ascii_digit).map(char::from).collect::<String>().as_str())
    }

    /// Whether these digits are the number, or its end as it is dialled at home.
    fn ends(&self, digits: &str) -> bool {
        const NATIONAL: usize = 9;
        let own = self.number.as_u64().to_string();
        let end = &own[own.len().saturating_sub(NATIONAL)..];
        digits == own
            || (own.len() > NATIONAL && (NATIONAL..=15).contains(&digits.len()) && digits.ends_with(end))
    }

    /// Whether the number may stand somewhere in this JSON; cheaper than reading it.
    fn may_tell(&self, json: &[u8]) -> bool {
        let digits: Vec<u8> = json.iter().copied().filter(u8::is_ascii_digit).collect();
        let own = self.number.as_u64().to_string();
        let end = &own.as_bytes()[own.len().saturating_sub(4)..];
        let has_shown =
            |shown: &String| json.windows(shown.len().max(1)).any(|window| window == shown.as_bytes());
        digits.windows(end.len()).any(|window| window == end) || self.shown.as_ref().is_some_and(has_shown)
    }

    /// Takes out what somebody is called beside their number. Where numbers stand in no form of their own, what is told of others
    /// whose number ends alike goes too: better than that theirs stays.
    fn scrub_names(&self, members: &mut Map<String, Value>) -> bool {
        let is_theirs = |text: &str| self.tells(text) || self.shown.is_none() && text == self.ending();
        let mut found = false;
        for (number, others) in OF_WHOM {
            if members.get(number).and_then(Value::as_str).is_some_and(is_theirs) {
                for other in others {
                    found |= members.get_mut(*other).is_some_and(|told| !told.take().is_null());
                }
            }
        }
        found
    }

    /// How a number is shown that ends like this one.
    fn ending(&self) -> String {
        format!("***{:04}", self.number.last4())
    }

    /// Takes the number out, and what its owner is called.
    fn scrub(&self, value: &mut Value) -> Found {
        match value {
            Value::String(text) if self.tells(text) => {
                *value = Value::Null;
                Found::NUMBER
            }
            Value::String(text) => {
                let full = self.number.to_string();
                let words = [Some(full.as_str()), Some(full.trim_start_matches('+')), self.shown.as_deref()];
                let found = words.into_iter().flatten().find(|word| text.contains(word)).map(str::to_owned);
                if let Some(word) = &found {
                    *text = text.replace(word.as_str(), GONE);
                }
                Found { number: found.is_some(), name: false }
            }
            Value::Number(digits) if self.ends(&digits.to_string()) => {
                *value = Value::Null;
                Found::NUMBER
            }
            Value::Array(items) => {
                items.iter_mut().fold(Found::default(), |any, item| any.or(self.scrub(item)))
            }
            Value::Object(members) => {
                let any = Found { name: self.scrub_names(members), number: false };
                members
                    .iter_mut()
                    .filter(|(name, _)| !OTHERS.contains(&name.as_str()))
                    .fold(any, |any, (_, item)| any.or(self.scrub(item)))
            }
            Value::Number(_) | Value::Null | Value::Bool(_) => Found::default(),
        }
    }
}

/// What was found somewhere.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Found {
    number: bool,
    name: bool,
}

impl Found {
    const NUMBER: Self = Self { number: true, name: false };

    fn or(self, other: Self) -> Self {
        Self { number: self.number || other.number, name: self.name || other.name }
    }
}

/// Members that tell a number, and what beside them is told of whose it is.
const OF_WHOM: [(&str, &[&str]); 3] = [
    ("caller", &["caller_name"]),
    ("callee", &["callee_name"]),
    ("number", &["name", "contact", "card_url"]),
];

/// Members that are nobody's number and must stay what they are.
const OTHERS: [&str; 5] = ["id", "call", "line", "dialled", "recording"];

impl Group<'_> {
    pub(crate) fn erase(&mut self, piece: &Piece) -> Result<Progress, StoreError> {
        let prefix = AREAS[piece.area];
        let keys = self.changes.after(&piece.after, prefix, PIECE)?;
        let next = keys.last().filter(|_| keys.len() == PIECE).cloned();
        let (erasure, mut erased) = (&piece.erasure, Erased::default());
        for key in keys {
            match prefix {
                keys::PAIRS => erased.pairs += u64::from(self.erase_pair(erasure, &key)?),
                keys::TALLIES => erased.redials += u64::from(self.erase_tally(erasure.number, &key)?),
                keys::CALLED => erased.redials += u64::from(self.erase_called(erasure, &key)?),
                keys::BLOCKS => erased.records += self.erase_records(erasure, &key)?,
                keys::EVENTS => erased.events += u64::from(self.erase_event(erasure, key, 8)?),
                keys::KEPT_EVENTS => erased.events += u64::from(self.erase_event(erasure, key, 0)?),
                keys::ANSWERS => erased.answers += u64::from(self.erase_answer(erasure, &key)?),
                keys::CONTACT_NUMBERS => {
                    let is_theirs = key == keys::contact_of(erasure.number);
                    erased.contacts += u64::from(is_theirs && self.erase_contact(erasure.number)?);
                }
                keys::CALLBACKS => erased.callbacks += u64::from(self.erase_callback(erasure.number, key)?),
                _ => erased.blocks += u64::from(erasure.blocks && self.erase_block(erasure, &key)?),
            }
        }
        Ok(Progress { erased, next })
    }

    /// A pair of theirs is removed; of another's they were in, they are forgotten.
    fn erase_pair(&mut self, erasure: &Erasure, key: &[u8]) -> Result<bool, StoreError> {
        let Some(mut pair) = self.changes.read::<Pair>(key)? else { return Ok(false) };
        if pair.has_party(erasure.number) {
            self.forget_pair(pair.id);
            return Ok(true);
        }
        let was_there = pair.forget(erasure.number);
        if was_there {
            self.keep_pair(&pair);
        }
        Ok(was_there)
    }

    fn erase_called(&mut self, erasure: &Erasure, key: &[u8]) -> Result<bool, StoreError> {
        let is_theirs = key.ends_with(&erasure.number.as_u64().to_be_bytes());
        if is_theirs {
            self.forget_called(key)?;
        }
        Ok(is_theirs)
    }

    fn erase_records(&mut self, erasure: &Erasure, block: &[u8]) -> Result<u64, StoreError> {
        let mut traces: Vec<Trace> = self.changes.read(block)?.unwrap_or_default();
        let mut count = 0;
        for trace in &mut traces {
            let key = keys::record(trace.call());
            let Some(json) = self.changes.get(&key)?.filter(|json| erasure.may_tell(json)) else { continue };
            let mut value: Value = changes::unpack_json(&json)?;
            let found = erasure.scrub(&mut value);
            if found == Found::default() {
                continue;
            }
            count += 1;
            let record: Record =
                serde_json::from_value(value).map_err(|e| StoreError::Read(e.to_string()))?;
            *trace = Trace::of(&record);
            if erasure.records && found.number {
                self.changes.remove(key);
            } else {
                let json = serde_json::to_vec(&record).map_err(|e| StoreError::Failed(e.to_string()))?;
                self.changes.put(key, json);
            }
        }
        if count > 0 {
            self.changes.write(block.to_vec(), &traces);
            self.history.replaced(block, traces);
        }
        Ok(count)
    }

    /// `before`: octets of the value that are not its JSON.
    fn erase_event(&mut self, erasure: &Erasure, key: Key, before: usize) -> Result<bool, StoreError> {
        let Some(value) = self.changes.get(&key)? else { return Ok(false) };
        let Some((place, json)) = value.split_at_checked(before) else { return Ok(false) };
        if !erasure.may_tell(json) {
            return Ok(false);
        }
        let mut event: Value = changes::unpack_json(json)?;
        let was_there = erasure.scrub(&mut event) != Found::default();
        if was_there {
            let mut value = place.to_vec();
            serde_json::to_writer(&mut value, &event).map_err(|e| StoreError::Failed(e.to_string()))?;
            self.changes.put(key, value);
        }
        Ok(was_there)
    }

    fn erase_answer(&mut self, erasure: &Erasure, key: &[u8]) -> Result<bool, StoreError> {
        let Some(body) = idempotency::body(&self.changes, key)? else { return Ok(false) };
        let (name, text) = (String::from_utf8_lossy(key), String::from_utf8_lossy(&body));
        let digits = erasure.number.as_u64().to_string();
        // What follows the line of headers is JSON, where it is anything that tells a number.
        let json = text.split_once('\n').map_or(&*text, |(_, json)| json);
        let tells = match serde_json::from_str::<Value>(json) {
            Ok(mut value) => erasure.scrub(&mut value).number,
            Err(_) => text.contains(&digits),
        };
        let tells = tells || name.contains(&digits);
        if tells {
            self.forget_answer(key)?;
        }
        Ok(tells)
    }

    fn erase_block(&mut self, erasure: &Erasure, name: &[u8]) -> Result<bool, StoreError> {
        let Some(key) = self.changes.get(name)? else { return Ok(false) };
        let Some(block) = self.changes.read::<Block>(&key)? else { return Ok(false) };
        let is_theirs = block.number == erasure.number || block.other == Some(erasure.number);
        if is_theirs { self.take_block(block.id) } else { Ok(false) }
    }

    pub(crate) fn erase_orders(&mut self, erasure: &Erasure, limit: usize) -> Result<Progress, StoreError> {
        let entries = self.shared.orders.of(erasure.number, None, limit);
        let mut erased = Erased::default();
        for entry in &entries {
            let key = entry.key();
            let Some(order) = self.changes.read::<Order>(&key)? else { continue };
            if order.has_party(erasure.number) {
                self.changes.remove(keys::calls_of(&key));
                self.changes.remove(key);
                self.shared.orders.remove(&order);
                erased.orders += 1;
            }
        }
        let next = (entries.len() == limit && erased.orders > 0).then(Vec::new);
        Ok(Progress { erased, next })
    }
}

impl Changes<'_> {
    /// The first keys after this one that begin with the prefix, at most `limit`.
    fn after(&self, after: &[u8], prefix: &[u8], limit: usize) -> Result<Vec<Key>, StoreError> {
        let mut from = after.to_vec();
        // The least key that is greater.
        from.push(0);
        self.first_from(if after.is_empty() { prefix } else { &from }, prefix, limit)
    }
}

impl Store {
    /// Erases a number: its orders and pairs, redial memory, answers and, as wanted, blocks; records and events are kept without it, or
    /// records removed. Each piece is atomic and durable before the next; whoever is called meanwhile may be written of again.
    ///
    /// # Errors
    /// The disk refused; what was erased before stays erased.
    pub fn erase(&self, erasure: &Erasure) -> Result<Erased, StoreError> {
        self.shared().orders.wait_loaded()?;
        let mut all = Erased::default();
        while self
            .piece(Batch::new().with(crate::batch::Write::EraseOrders(erasure.clone())), &mut all)?
            .is_some()
        {}
        for area in 0..AREAS.len() {
            let mut after = Vec::new();
            loop {
                let piece = Piece { erasure: erasure.clone(), area, after };
                match self.piece(Batch::new().with(crate::batch::Write::Erase(Box::new(piece))), &mut all)? {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        Ok(all)
    }

    fn piece(&self, batch: Batch, all: &mut Erased) -> Result<Option<Key>, StoreError> {
        let outcomes = self.apply(batch)?;
        let Some(Outcome::Erased(Progress { erased, next })) = outcomes.into_iter().next() else {
            return Ok(None);
        };
        all.orders += erased.orders;
        all.pairs += erased.pairs;
        all.records += erased.records;
        all.events += erased.events;
        all.redials += erased.redials;
        all.answers += erased.answers;
        all.blocks += erased.blocks;
        all.callbacks += erased.callbacks;
        all.contacts += erased.contacts;
        Ok(next)
    }

    /// The calls going on in which this number stands, as it is shown in records: they cannot be erased while they last.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn running_with(&self, shown: &str) -> Result<Vec<Ulid>, StoreError> {
        let is_theirs =
            |record: &Record| [&record.caller, &record.callee].into_iter().flatten().any(|n| n == shown);
        let running = self.unfinished()?;
        Ok(running.into_iter().filter(|call| is_theirs(&call.record)).map(|call| call.record.id).collect())
    }

    /// When this number was called through which line, for redial.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn redials_of(&self, number: Number) -> Result<Vec<(Number, Timestamp)>, StoreError> {
        let mut found = Vec::new();
        for item in self.shared().disk.prefixed(keys::CALLED) {
            let (key, value) = item?;
            if key.ends_with(&number.as_u64().to_be_bytes()) {
                found.extend(crate::find::called(&key, &value)?);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn erasure() -> Erasure {
        let number = Number::parse("+79991112233").unwrap();
        Erasure { number, shown: Some("h:00ff".to_owned()), records: false, blocks: false }
    }

    #[test]
    fn a_number_is_taken_out_however_it_is_written_and_nothing_else_is() {
        let mut value = json!({
            "id": "79991112233",
            "line": "+79991112233",
            "caller": "+79991112233",
            "caller_name": "Ann",
            "callee": "h:00ff",
            "callee_name": "Ann again",
            "data": {
                "known": {"number": "+79991112233", "name": "Ann", "card_url": "https://crm/7", "code": "123"},
                "phones": ["8 (999) 111-22-33", 79_991_112_233_u64, "9991112233", "+7 999 111 22 34"],
                "note": "call +79991112233 before noon",
                "price": 1_200,
                "order": "2233",
                "at": 1_795_000_000_000_u64,
            },
        });
        assert!(erasure().may_tell(value.to_string().as_bytes()));
        assert_eq!(erasure().scrub(&mut value), Found { number: true, name: true });
        assert_eq!(
            value,
            json!({
                "id": "79991112233",
                "line": "+79991112233",
                "caller": null,
                "caller_name": null,
                "callee": null,
                "callee_name": null,
                "data": {
                    "known": {"number": null, "name": null, "card_url": null, "code": "123"},
                    "phones": [null, null, null, "+7 999 111 22 34"],
                    "note": "call [erased] before noon",
                    "price": 1_200,
                    "order": "2233",
                    "at": 1_795_000_000_000_u64,
                },
            })
        );
        assert_eq!(erasure().scrub(&mut value), Found::default(), "it is not there any more");
    }

    #[test]
    fn where_numbers_are_not_shown_in_a_form_of_their_own_nothing_is_taken_for_it() {
        let plain = Erasure { shown: None, ..erasure() };
        let mut value = json!({"caller": "", "callee": "***2233"});
        assert_eq!(plain.scrub(&mut value), Found::default());
        let mut value =
            json!({"caller": "***2233", "caller_name": "Ann", "callee": "***2234", "callee_name": "Bob"});
        assert_eq!(plain.scrub(&mut value), Found { number: false, name: true });
        let left =
            json!({"caller": "***2233", "caller_name": null, "callee": "***2234", "callee_name": "Bob"});
        assert_eq!(value, left);
    }
}
