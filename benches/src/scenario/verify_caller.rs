//! Verifies a caller by an Identity header field: PASSporT, signature, and a chain of two certificates below the root.

use std::hint::black_box;
use std::time::Duration;

use number::Number;
use stir::{Attestation, Question, Store, Verification};

const ROOT: &[u8] = include_bytes!("../../identity/root.pem");
const CHAIN: &[u8] = include_bytes!("../../identity/chain.pem");
const TOKEN: &[u8] = include_bytes!("../../identity/token");
/// When it was signed, by keys that are gone.
const NOW: u64 = 1_800_000_000;

pub(crate) fn run(rounds: u64) {
    let mut store = Store::new(ROOT, Duration::from_secs(60)).expect("a root");
    store.put("c.example/a", CHAIN).expect("a chain");
    let number = |text| Number::parse(text).expect("a number");
    let (from, to) = (number("12155551212"), number("12155551213"));
    let question = Question { identities: vec![TOKEN.into()], from, to };
    for _ in 0..rounds {
        let verification = store.verify(black_box(&question), NOW);
        assert_eq!(verification, Verification::Passed(Some(Attestation::Full)));
    }
}
