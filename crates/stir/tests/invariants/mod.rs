//! What must hold for any octets whatever. The fuzz target of `tests/fuzz` calls this, and so does the test that replays its
//! corpus.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use number::Number;
use stir::{Field, Passport, Question, Store, Verdict};

/// When PASSporTs of the corpus were signed.
const NOW: u64 = 1_800_000_000;

/// Whom we believe: a root, and one below it. Their keys are gone, so that nobody can sign anything any more.
static STORE: LazyLock<Store> = LazyLock::new(|| {
    let mut store = Store::new(include_bytes!("root.pem"), Duration::from_secs(60)).expect("a root");
    store.put("c.example/a", include_bytes!("signer.pem")).expect("a signer");
    assert_eq!(store.untrusted(NOW).count(), 0, "the signer leads to the root");
    store
});

/// A header field is read or refused, and proves nobody. Octets that do not begin with a zero are a field; others are the header,
/// the claims and the signature of one, divided by zeros, so that what lies beneath the base64 is reached.
pub(crate) fn identity(octets: &[u8]) {
    let value = match octets.split_first() {
        Some((0, parts)) => {
            let parts: Vec<String> =
                parts.split(|octet| *octet == 0).map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
            format!("{};info=<https://c.example/a>;ppt=shaken", parts.join(".")).into_bytes()
        }
        _ => octets.to_vec(),
    };
    if let Ok(field) = Field::parse(&value) {
        // What is read once is read again.
        assert_eq!(Passport::read(&field), Passport::read(&field));
    }
    let number = |text| Number::parse(text).expect("a number");
    let question =
        Question { identities: vec![value.into()], from: number("12155551212"), to: number("12155551213") };
    let verification = STORE.verify(&question, NOW);
    assert_ne!(verification.verdict(), Verdict::Passed);
    assert_eq!(verification.attestation(), None);
}
