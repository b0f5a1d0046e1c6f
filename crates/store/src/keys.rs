//! Where everything lies: one tree, so that a batch over all of it is atomic. The first byte says what a key is for.
//!
//! | first byte | then | value |
//! |---|---|---|
//! | `v` | | format of the store, big-endian `u32` |
//! | `o` | line (0 for none), code | [`crate::Order`] |
//! | `t` | pair | [`crate::Pair`] |
//! | `l` | line, callee | when and on which code the callee was last called |
//! | `p` | call | [`crate::Record`] of a call in progress, JSON |
//! | `s` | call | what it takes to let a call in progress go on, as whoever keeps it wrote it |
//! | `a` | | when the node was alive last, big-endian `u64` |
//! | `r` | call | [`crate::Record`], JSON |
//! | `b` | number of the block | what 32 records can be found by, in the order they were written |
//! | `c` | callback | [`crate::Callback`] |
//! | `w` | callback | nothing: the callback is not over |
//! | `y` | name | [`crate::CallbackPlan`] |
//! | `g` | contact | [`crate::Contact`] |
//! | `h` | number | which contact's it is |
//! | `f` | name without capitals, zero, contact | the contact's number |
//! | `e` | event | its place in the log, then [`crate::Event`], JSON |
//! | `k` | event | an event that left the log while someone is still to be told of it |
//! | `q` | webhook, zero, event | how often it was tried, and when next |
//! | `d` | webhook, zero, event | why it was never told |
//! | `n` | webhook | how many dead letters there are, and were dropped |
//! | `i` | chosen key, zero, part | an answer remembered |
//! | `B` | number, other (0 for any), line (0 for all) | [`crate::Block`] |
//! | `J` | block | where it lies |
//! | `A` | entry | [`crate::AuditEntry`] |
//! | `C` | line, code | how many calls an order has had |
//! | `S` | SHA-256 of what a browser shows | [`crate::SignIn`] |
//! | `T` | what, its name or number | how often it was dialled, and until when that counts |
//! | `u` | step, its beginning, trunk | how the trunk did in it |
//! | `x` | moment, key | when what lies at that key is to be forgotten |
//!
//! Numbers in keys are big-endian, so that keys sort as the numbers do.

use number::Number;
use ulid::Ulid;

use crate::Timestamp;
use crate::names::folded;

/// A key.
pub(crate) type Key = Vec<u8>;

/// Where the format is stamped.
pub(crate) const FORMAT: &[u8] = b"v";
/// When the node was alive last.
pub(crate) const ALIVE: &[u8] = b"a";
/// All orders.
pub(crate) const ORDERS: &[u8] = b"o";
/// All pairs.
pub(crate) const PAIRS: &[u8] = b"t";
/// All checkpoints.
pub(crate) const CHECKPOINTS: &[u8] = b"p";
/// All blocks.
pub(crate) const BLOCKS: &[u8] = b"b";
/// All callbacks.
pub(crate) const CALLBACKS: &[u8] = b"c";
/// Callbacks that are not over.
pub(crate) const WAITING_CALLBACKS: &[u8] = b"w";
/// All plans of callbacks.
pub(crate) const CALLBACK_PLANS: &[u8] = b"y";
/// All contacts by name.
pub(crate) const CONTACT_NAMES: &[u8] = b"f";
/// All contacts by number.
pub(crate) const CONTACT_NUMBERS: &[u8] = b"h";
/// All that was called, for redial.
pub(crate) const CALLED: &[u8] = b"l";
/// All events that left the log.
pub(crate) const KEPT_EVENTS: &[u8] = b"k";
/// All names of blocks.
pub(crate) const BLOCK_NAMES: &[u8] = b"J";
/// The audit log.
pub(crate) const AUDIT: &[u8] = b"A";
/// The event log.
pub(crate) const EVENTS: &[u8] = b"e";
/// All queues.
pub(crate) const QUEUES: &[u8] = b"q";
/// All counts.
pub(crate) const COUNTS: &[u8] = b"n";
/// All answers.
pub(crate) const ANSWERS: &[u8] = b"i";
/// All who are signed in.
pub(crate) const SIGN_INS: &[u8] = b"S";
/// How often what was dialled.
pub(crate) const TALLIES: &[u8] = b"T";
/// Everything that is to be forgotten at some moment.
pub(crate) const EXPIRIES: &[u8] = b"x";

fn key<const N: usize>(parts: [&[u8]; N]) -> Key {
    parts.concat()
}

pub(crate) fn line(line: Option<Number>) -> u64 {
    line.map_or(0, Number::as_u64)
}

pub(crate) fn order(line: u64, code: &str) -> Key {
    key([ORDERS, &line.to_be_bytes(), code.as_bytes()])
}

pub(crate) fn orders_of(line: u64) -> Key {
    key([ORDERS, &line.to_be_bytes()])
}

/// The line of an order's key.
pub(crate) fn line_of(order: &[u8]) -> Option<u64> {
    order.strip_prefix(ORDERS)?.first_chunk::<8>().map(|line| u64::from_be_bytes(*line))
}

pub(crate) fn pair(id: Ulid) -> Key {
    key([PAIRS, &id.to_bytes()])
}

pub(crate) fn called(line: Number, callee: Number) -> Key {
    key([CALLED, &line.as_u64().to_be_bytes(), &callee.as_u64().to_be_bytes()])
}

pub(crate) fn tally(kind: u8, of: &[u8]) -> Key {
    key([TALLIES, &[kind], of])
}

pub(crate) fn checkpoint(call: Ulid) -> Key {
    key([CHECKPOINTS, &call.to_bytes()])
}

pub(crate) fn snapshot(call: Ulid) -> Key {
    key([b"s", &call.to_bytes()])
}

pub(crate) fn record(call: Ulid) -> Key {
    key([b"r", &call.to_bytes()])
}

pub(crate) fn block(place: u64) -> Key {
    key([BLOCKS, &place.to_be_bytes()])
}

pub(crate) fn callback(id: Ulid) -> Key {
    key([CALLBACKS, &id.to_bytes()])
}

pub(crate) fn waiting_callback(id: Ulid) -> Key {
    key([WAITING_CALLBACKS, &id.to_bytes()])
}

pub(crate) fn callback_plan(name: &str) -> Key {
    key([CALLBACK_PLANS, name.as_bytes()])
}

pub(crate) fn contact(id: Ulid) -> Key {
    key([b"g", &id.to_bytes()])
}

pub(crate) fn contact_of(number: Number) -> Key {
    key([CONTACT_NUMBERS, &number.as_u64().to_be_bytes()])
}

pub(crate) fn contact_name(name: &str, id: Ulid) -> Key {
    key([CONTACT_NAMES, folded(name).as_bytes(), &[0], &id.to_bytes()])
}

/// The name, without capitals, and the contact of such a key.
pub(crate) fn read_contact_name(key: &[u8]) -> Option<(&str, Ulid)> {
    let (name, id) = key.strip_prefix(CONTACT_NAMES)?.split_last_chunk::<16>()?;
    let name = std::str::from_utf8(name.strip_suffix(&[0])?).ok()?;
    Some((name, Ulid::from_bytes(*id)))
}

/// A block of calls.
pub(crate) fn barred(number: Number, other: Option<Number>, line: u64) -> Key {
    key([b"B", &number.as_u64().to_be_bytes(), &self::line(other).to_be_bytes(), &line.to_be_bytes()])
}

pub(crate) fn block_name(id: Ulid) -> Key {
    key([BLOCK_NAMES, &id.to_bytes()])
}

pub(crate) fn audit(id: Ulid) -> Key {
    key([AUDIT, &id.to_bytes()])
}

/// How many calls the order at this key has had.
pub(crate) fn calls_of(order: &[u8]) -> Key {
    key([b"C", order.strip_prefix(ORDERS).unwrap_or(order)])
}

pub(crate) fn event(id: Ulid) -> Key {
    key([EVENTS, &id.to_bytes()])
}

pub(crate) fn kept_event(id: Ulid) -> Key {
    key([KEPT_EVENTS, &id.to_bytes()])
}

pub(crate) fn queued(webhook: &str, id: Ulid) -> Key {
    key([QUEUES, webhook.as_bytes(), &[0], &id.to_bytes()])
}

pub(crate) fn dead(webhook: &str, id: Ulid) -> Key {
    key([b"d", webhook.as_bytes(), &[0], &id.to_bytes()])
}

pub(crate) fn dead_of(webhook: &str) -> Key {
    key([b"d", webhook.as_bytes(), &[0]])
}

pub(crate) fn counts(webhook: &str) -> Key {
    key([COUNTS, webhook.as_bytes()])
}

pub(crate) fn sign_in(id: &[u8; 32]) -> Key {
    key([SIGN_INS, id])
}

pub(crate) fn answer(chosen: &str, part: u8) -> Key {
    key([ANSWERS, chosen.as_bytes(), &[0, part]])
}

pub(crate) fn expiry(at: Timestamp, of: &[u8]) -> Key {
    key([EXPIRIES, &at.0.to_be_bytes(), of])
}

/// The moment and the key of an expiry.
pub(crate) fn read_expiry(expiry: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (at, of) = expiry.strip_prefix(EXPIRIES)?.split_at_checked(8)?;
    Some((Timestamp(u64::from_be_bytes(at.try_into().ok()?)), of))
}

/// All points of a step.
pub(crate) fn totals(step: u8) -> Key {
    key([b"u", &[step]])
}

pub(crate) fn total(step: u8, at: u64, trunk: &str) -> Key {
    key([b"u", &[step], &at.to_be_bytes(), trunk.as_bytes()])
}

/// The beginning of the step, and the trunk.
pub(crate) fn read_total(total: &[u8]) -> Option<(u64, &str)> {
    let (at, trunk) = total.strip_prefix(b"u")?.get(1..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*at), std::str::from_utf8(trunk).ok()?))
}

/// The webhook and the event of a queue's key.
pub(crate) fn read_queued(queued: &[u8]) -> Option<(&str, Ulid)> {
    let (webhook, id) = queued.strip_prefix(QUEUES)?.split_last_chunk::<16>()?;
    let webhook = std::str::from_utf8(webhook.strip_suffix(&[0])?).ok()?;
    Some((webhook, Ulid::from_bytes(*id)))
}

/// The event or call whose name ends a key.
pub(crate) fn read_id(key: &[u8]) -> Option<Ulid> {
    key.split_last_chunk::<16>().map(|(_, id)| Ulid::from_bytes(*id))
}

/// The block whose name this key is.
pub(crate) fn read_block_name(key: &[u8]) -> Option<Ulid> {
    key.strip_prefix(BLOCK_NAMES)?.try_into().ok().map(Ulid::from_bytes)
}

/// The block's number.
pub(crate) fn read_block(block: &[u8]) -> Option<u64> {
    block.strip_prefix(BLOCKS)?.try_into().ok().map(u64::from_be_bytes)
}

/// The first key after all that begin with this prefix.
pub(crate) fn after_prefix(prefix: &[u8]) -> Key {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        let id = Ulid(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(read_queued(&queued("shop", id)), Some(("shop", id)));
        assert_eq!(read_id(&dead("shop", id)), Some(id));
        assert_eq!(read_contact_name(&contact_name("Иван", id)), Some(("иван", id)));
        assert_eq!(read_block(&block(7)), Some(7));
        assert_eq!(read_total(&total(2, 7, "main")), Some((7, "main")));
        let of = answer("k", 0);
        assert_eq!(read_expiry(&expiry(Timestamp(9), &of)), Some((Timestamp(9), of.as_slice())));
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_that_begin_with_it() {
        assert_eq!(after_prefix(b"o"), b"p");
        assert_eq!(after_prefix(&[1, 255, 255]), [2]);
        assert_eq!(after_prefix(&[255]), Vec::<u8>::new());
        let line = orders_of(0xff);
        assert!(
            order(0xff, "999999999999") < after_prefix(&line) && order(0x100, "0") >= after_prefix(&line)
        );
    }

    #[test]
    fn one_webhooks_keys_never_run_into_anothers() {
        let id = Ulid(u128::MAX);
        assert!(!dead("shop2", id).starts_with(&dead_of("shop")));
    }
}
