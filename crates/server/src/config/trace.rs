//! `[trace]`: which SIP messages are kept in memory, to be looked at.

use std::time::Duration;

use super::value;
use super::walk::{Schema, Section, Walk};
use crate::trace::Limits;

pub(super) const SCHEMA: Schema =
    Schema { name: "trace", keys: &["calls", "messages", "keep"], refused: &[] };

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Limits {
    let section = walk.section(root, &SCHEMA);
    let mut number = |key, most, default: u64| {
        let read = walk.get(&section, key, |value| value::integer(value, 0..=most));
        usize::try_from(read.or(default)).expect("the ranges are far below the limits of any machine")
    };
    let (calls, messages) = (number("calls", 10_000, 200), number("messages", 1000, 100));
    let range = Duration::ZERO..=Duration::from_secs(7 * 86_400);
    let keep =
        walk.get(&section, "keep", |value| value::duration(value, range)).or(Duration::from_secs(3600));
    Limits { calls, messages, keep }
}
