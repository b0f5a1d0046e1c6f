//! Any Identity header field is read or refused, and nobody is proved by what nobody signed.

#![no_main]

#[path = "../../../crates/stir/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| invariants::identity(octets));
