//! Any stream is cut alike however it is split.

#![no_main]

#[path = "../../../crates/sip/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| invariants::framer(octets));
