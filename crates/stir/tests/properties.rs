//! What must hold for every Identity header field, tried on many of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use number::Number;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use stir::{Field, Passport, Question, Store, Verdict};

/// The same fields each time: a failure is found again by running the test again.
fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(8224), failure_persistence: None, ..Config::default() }
}

/// A store that believes one root and knows no certificate below it.
fn store() -> Store {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    Store::new(params.self_signed(&key).unwrap().pem().as_bytes(), Duration::from_secs(60)).unwrap()
}

fn question(identities: Vec<Box<[u8]>>) -> Question {
    let number = |text| Number::parse(text).unwrap();
    Question { identities, from: number("12155551212"), to: number("12155551213") }
}

/// Text that is nearly JSON of a PASSporT.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        "[a-zA-Z0-9+:/.]{0,12}".prop_map(|text| format!("\"{text}\"")),
        Just("\"ES256\"".to_owned()),
        Just("\"shaken\"".to_owned()),
        Just("\"passport\"".to_owned()),
        Just("\"https://c.example/a\"".to_owned()),
    ];
    let name = "(alg|typ|ppt|x5u|attest|dest|orig|origid|iat|tn|uri|crit|[a-z]{1,4})";
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|list| format!("[{}]", list.join(","))),
            vec((name, inner), 0..6).prop_map(|pairs| {
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", pairs.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn what_was_put_into_a_field_is_read_out_of_it(
        parts in vec("[A-Za-z0-9_-]{1,40}", 3), info in r"[a-z]{1,8}://[!-;=?-\[\]-~]{0,40}", others in vec("[a-z]{4,8}(=[a-z0-9]{1,8})?", 0..10),
    ) {
        let others: String = others.iter().map(|other| format!(" ; {other}")).collect();
        let value = format!("{};alg=ES256{others};info=<{info}>;ppt=\"shaken\"", parts.join("."));
        let same = format!("{} ;ppt=shaken\t;info=<{info}>{others};alg=\"ES256\"", parts.join("."));
        prop_assert_eq!(Field::parse(value.as_bytes()).unwrap(), Field::parse(same.as_bytes()).unwrap());
    }

    #[test]
    fn whatever_comes_is_read_or_refused(octets in vec(any::<u8>(), 0..300)) {
        if let Ok(field) = Field::parse(&octets) {
            let _ = Passport::read(&field);
        }
    }

    #[test]
    fn whatever_a_passport_says_is_read_or_refused_and_proves_nothing_by_itself(
        header in json(), claims in json(), signature in vec(any::<u8>(), 60..68), now in any::<u64>(),
    ) {
        let part = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let value = format!(
            "{}.{}.{};info=<https://c.example/a>;ppt=shaken",
            part(header.as_bytes()), part(claims.as_bytes()), part(&signature)
        );
        let store = store();
        let verification = store.verify(&question(vec![value.as_bytes().into()]), now);
        prop_assert_ne!(verification.verdict(), Verdict::Passed);
    }
}
