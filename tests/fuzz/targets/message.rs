//! Any datagram is read or refused, and what was read is written back to the same.

#![no_main]

#[path = "../../../crates/sip/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| invariants::message(octets));
