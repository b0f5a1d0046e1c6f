//! PASSporTs and certificates made here, each with one thing wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::*;
use crate::{Attestation, Verdict};

/// Some moment of 2026, in seconds since 1970.
const NOW: u64 = 1_795_000_000;
const FROM: &str = "12155551212";
const TO: &str = "12155551213";
const URL: &str = "https://cert.example.org/passport.pem";
const TN_AUTH_LIST: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 26];

/// An authority, and whom it vouches for.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 12, 31);
    params
}

fn authority(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    change(&mut params);
    params
}

impl Authority {
    fn root(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = (authority("root", change), KeyPair::generate().unwrap());
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn between(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let (params, key) = (authority("between", change), KeyPair::generate().unwrap());
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn vouch(&self, change: impl FnOnce(&mut CertificateParams)) -> Signer {
        self.vouch_for(KeyPair::generate().unwrap(), change)
    }

    fn vouch_for(&self, key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Signer {
        let mut params = named("SHAKEN 709J");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.custom_extensions = vec![numbers(&provider())];
        change(&mut params);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Signer { key, pem }
    }

    fn store(&self) -> Store {
        Store::new(self.pem.as_bytes(), Duration::from_secs(60)).unwrap()
    }
}

/// Whoever signs.
struct Signer {
    key: KeyPair,
    pem: String,
}

impl Signer {
    fn sign(&self, header: &str, claims: &str) -> String {
        let part = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let signed = format!("{}.{}", part(header.as_bytes()), part(claims.as_bytes()));
        let chance = SystemRandom::new();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der(), &chance)
                .unwrap();
        let signature = key.sign(&chance, signed.as_bytes()).unwrap();
        format!("{signed}.{};info=<{URL}>;alg=ES256;ppt=shaken", part(signature.as_ref()))
    }

    fn shaken(&self, attest: &str, from: &str, to: &str, at: u64) -> String {
        self.sign(&header(), &claims(attest, from, to, at))
    }

    /// A PASSporT as it should be.
    fn usual(&self) -> String {
        self.shaken("A", FROM, TO, NOW)
    }
}

fn header() -> String {
    format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#)
}

fn claims(attest: &str, from: &str, to: &str, at: u64) -> String {
    format!(
        r#"{{"attest":"{attest}","dest":{{"tn":["{to}"]}},"iat":{at},"orig":{{"tn":"{from}"}},"origid":"123e4567-e89b-12d3-a456-426655440000"}}"#
    )
}

/// A TN Authorization List.
fn numbers(entry: &[u8]) -> CustomExtension {
    CustomExtension::from_oid_content(TN_AUTH_LIST, tlv(0x30, entry))
}

fn provider() -> Vec<u8> {
    tlv(0xa0, &tlv(0x16, b"709J"))
}

/// A hundred numbers from this one on.
fn hundred(first: &str) -> Vec<u8> {
    tlv(0xa1, &tlv(0x30, &[tlv(0x16, first.as_bytes()), tlv(0x02, &[100])].concat()))
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut der = vec![tag, u8::try_from(contents.len()).unwrap()];
    der.extend_from_slice(contents);
    der
}

fn question(identities: &[&str]) -> Question {
    let identities = identities.iter().map(|text| text.as_bytes().into()).collect();
    Question { identities, from: Number::parse(FROM).unwrap(), to: Number::parse(TO).unwrap() }
}

/// A root, who signs below it, and a store with both.
fn usual() -> (Signer, Store) {
    with(|_| ())
}

fn with(change: impl FnOnce(&mut CertificateParams)) -> (Signer, Store) {
    let root = Authority::root(|_| ());
    let signer = root.vouch(change);
    let mut store = root.store();
    store.put("cert.example.org/passport.pem", signer.pem.as_bytes()).unwrap();
    (signer, store)
}

fn full() -> Verification {
    Verification::Passed(Some(Attestation::Full))
}

#[test]
fn a_passport_that_is_right_in_everything_passes_with_its_attestation() {
    let (signer, store) = usual();
    assert_eq!(store.untrusted(NOW).count(), 0);
    for (letter, attestation) in
        [("A", Attestation::Full), ("B", Attestation::Partial), ("C", Attestation::Gateway)]
    {
        let token = signer.shaken(letter, FROM, TO, NOW);
        assert_eq!(store.verify(&question(&[&token]), NOW), Verification::Passed(Some(attestation)));
    }
    assert_eq!(store.verify(&question(&[]), NOW), Verification::None(None));
}

#[test]
fn a_passport_is_taken_for_as_long_as_it_is_fresh() {
    let (signer, store) = usual();
    for (at, passes) in [(NOW - 60, true), (NOW + 60, true), (NOW - 61, false), (NOW + 61, false), (0, false)]
    {
        let expected = if passes { full() } else { Fault::Stale.into() };
        assert_eq!(store.verify(&question(&[&signer.shaken("A", FROM, TO, at)]), NOW), expected, "{at}");
    }
    assert_eq!(store.verify(&question(&[&signer.shaken("A", FROM, TO, u64::MAX)]), NOW), Fault::Stale.into());
}

#[test]
fn a_passport_of_another_call_proves_nothing() {
    let (signer, store) = usual();
    let verify = |from, to| store.verify(&question(&[&signer.shaken("A", from, to, NOW)]), NOW);
    assert_eq!(verify("12155551299", TO), Fault::OtherCaller.into());
    assert_eq!(verify("anonymous", TO), Fault::OtherCaller.into());
    assert_eq!(verify(FROM, "12155551299"), Fault::OtherCallee.into());
    assert_eq!(verify("+12155551212", "+12155551213"), full(), "some write a plus");
    assert_eq!(verify(FROM, r#"12155551299","12155551213"#), full(), "any of several");
}

#[test]
fn whatever_was_changed_after_the_signature_is_noticed() {
    let (signer, store) = usual();
    let token = signer.usual();
    let (signed, rest) = token.split_once(';').unwrap();
    let [header, body, signature] = <[&str; 3]>::try_from(signed.split('.').collect::<Vec<_>>()).unwrap();
    let better = URL_SAFE_NO_PAD.encode(claims("A", FROM, TO, NOW + 1));
    let other = signer.shaken("B", FROM, TO, NOW);
    let other = other.split_once(';').unwrap().0.rsplit_once('.').unwrap().1;
    let mut octets = URL_SAFE_NO_PAD.decode(signature).unwrap();
    octets[10] ^= 1;
    let flipped = URL_SAFE_NO_PAD.encode(&octets);
    let zeros = URL_SAFE_NO_PAD.encode([0; 64]);
    for altered in [
        format!("{header}.{better}.{signature};{rest}"),
        format!("{header}.{body}.{other};{rest}"),
        format!("{header}.{body}.{flipped};{rest}"),
        format!("{header}.{body}.{zeros};{rest}"),
    ] {
        assert_eq!(store.verify(&question(&[&altered]), NOW), Fault::Signature.into(), "{altered}");
    }
    let none = header_with_alg_none();
    let unsigned = format!("{none}.{body}.{signature};info=<{URL}>");
    assert_eq!(store.verify(&question(&[&unsigned]), NOW), Fault::Algorithm.into());
    assert_eq!(store.verify(&question(&["no semicolon"]), NOW), Fault::Unreadable.into());
}

fn header_with_alg_none() -> String {
    URL_SAFE_NO_PAD.encode(header().replace("ES256", "none"))
}

#[test]
fn a_key_that_is_not_the_certificates_signs_nothing() {
    let (_, store) = usual();
    let (stranger, _) = usual();
    assert_eq!(store.verify(&question(&[&stranger.usual()]), NOW), Fault::Signature.into());
}

#[test]
fn a_certificate_nobody_here_knows_verifies_nothing_and_disproves_nothing() {
    let (signer, _) = usual();
    let store = Authority::root(|_| ()).store();
    assert_eq!(
        store.verify(&question(&[&signer.usual()]), NOW),
        Verification::None(Some(Fault::UnknownCertificate))
    );
}

#[test]
fn a_certificate_of_another_root_is_not_trusted() {
    let (signer, _) = usual();
    let mut store = Authority::root(|_| ()).store();
    store.put("cert.example.org/passport.pem", signer.pem.as_bytes()).unwrap();
    assert_eq!(store.verify(&question(&[&signer.usual()]), NOW), Fault::Untrusted.into());
    assert_eq!(store.untrusted(NOW).collect::<Vec<_>>(), ["cert.example.org/passport.pem"]);
}

#[test]
fn what_is_not_valid_now_is_not_trusted_wherever_in_the_chain_it_stands() {
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2026, 2, 1);
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(2027, 6, 1);
    let plain = |_: &mut CertificateParams| ();
    let changes: [fn(&mut CertificateParams); 3] = [plain, expired, early];
    for place in 0..3 {
        for change in changes {
            let root = Authority::root(if place == 0 { change } else { plain });
            let between = root.between(if place == 1 { change } else { plain });
            let signer = between.vouch(if place == 2 { change } else { plain });
            let mut store = root.store();
            store
                .put("cert.example.org/passport.pem", (signer.pem.clone() + &between.pem).as_bytes())
                .unwrap();
            let is_plain = std::ptr::fn_addr_eq(change, plain as fn(&mut CertificateParams));
            let expected = if is_plain { full() } else { Fault::Untrusted.into() };
            assert_eq!(store.verify(&question(&[&signer.usual()]), NOW), expected, "{place}");
        }
    }
}

#[test]
fn who_may_not_vouch_vouches_for_nobody() {
    let root = Authority::root(|_| ());
    let chain = |between: &Authority| {
        let signer = between.vouch(|_| ());
        let mut store = root.store();
        store.put("cert.example.org/passport.pem", (signer.pem.clone() + &between.pem).as_bytes()).unwrap();
        store.verify(&question(&[&signer.usual()]), NOW)
    };
    assert_eq!(chain(&root.between(|_| ())), full());
    let plain = root.between(|params| params.is_ca = IsCa::NoCa);
    assert_eq!(chain(&plain), Fault::Untrusted.into(), "a leaf");
    let signing =
        |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    assert_eq!(chain(&root.between(signing)), Fault::Untrusted.into(), "a key that is not for it");
    let shallow = root.between(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    assert_eq!(chain(&shallow), full());
    assert_eq!(chain(&shallow.between(|_| ())), Fault::Untrusted.into(), "one too deep, its issuer left out");
}

#[test]
fn a_certificate_speaks_for_its_numbers_alone() {
    for (entry, verification) in [
        (provider(), full()),
        (hundred("12155551200"), full()),
        (hundred("12155551300"), Fault::OtherNumbers.into()),
        (tlv(0xa2, &tlv(0x16, b"12155551212")), full()),
        (tlv(0xa2, &tlv(0x16, b"12155551213")), Fault::OtherNumbers.into()),
    ] {
        let (signer, store) = with(|params| params.custom_extensions = vec![numbers(&entry)]);
        assert_eq!(store.verify(&question(&[&signer.usual()]), NOW), verification, "{entry:02x?}");
    }
}

#[test]
fn a_delegate_cannot_give_away_what_it_does_not_have() {
    for (first, verification) in
        [("12155551200", full()), ("12155551300", Verification::Failed(Fault::OtherNumbers))]
    {
        let root = Authority::root(|_| ());
        let between = root.between(|params| params.custom_extensions = vec![numbers(&hundred(first))]);
        let signer =
            between.vouch(|params| params.custom_extensions = vec![numbers(&hundred("12155551200"))]);
        let mut store = root.store();
        store.put("cert.example.org/passport.pem", (signer.pem.clone() + &between.pem).as_bytes()).unwrap();
        assert_eq!(store.verify(&question(&[&signer.usual()]), NOW), verification);
    }
}

#[test]
fn a_usage_that_is_limited_to_others_is_none_of_ours() {
    let (signer, store) =
        with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]);
    assert_eq!(store.verify(&question(&[&signer.usual()]), NOW), Fault::Untrusted.into());
}

#[test]
fn a_file_that_cannot_serve_says_why() {
    let root = Authority::root(|_| ());
    let put = |pem: &str| root.store().put("a/b", pem.as_bytes()).unwrap_err();
    assert_eq!(put(""), CertificateFault::Empty);
    assert_eq!(
        put("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"),
        CertificateFault::Unreadable
    );
    let der = STANDARD.encode(b"no certificate");
    let text = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    assert_eq!(put(&text), CertificateFault::Unreadable);
    assert_eq!(put(&root.vouch(|params| params.custom_extensions.clear()).pem), CertificateFault::NoNumbers);
    let usage = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    assert_eq!(put(&root.vouch(usage).pem), CertificateFault::Usage);
    let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    assert_eq!(put(&root.vouch_for(other, |_| ()).pem), CertificateFault::Key);
    let limits = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 27], tlv(0x30, &[]));
    let constrained = |params: &mut CertificateParams| params.custom_extensions.push(limits);
    assert_eq!(put(&root.vouch(constrained).pem), CertificateFault::Constrained);
    let broken = |params: &mut CertificateParams| params.custom_extensions = vec![numbers(b"x")];
    assert_eq!(put(&root.vouch(broken).pem), CertificateFault::Unreadable);
    assert_eq!(put(&root.vouch(|_| ()).pem.repeat(9)), CertificateFault::TooMany);
    assert_eq!(Store::new(b"", Duration::ZERO).unwrap_err(), CertificateFault::Empty);
}

#[test]
fn of_several_passports_one_that_is_right_suffices() {
    let (signer, store) = usual();
    let (right, weak) = (signer.usual(), signer.shaken("C", FROM, TO, NOW));
    let stale = signer.shaken("A", FROM, TO, 0);
    let div = signer.sign(&header().replace("shaken", "div"), "{}").replace("ppt=shaken", "ppt=div");
    let verify = |identities: &[&str]| store.verify(&question(identities), NOW);
    assert_eq!(verify(&["garbage", &stale, &weak, &right]), full());
    assert_eq!(verify(&[&right, &weak]), full());
    assert_eq!(verify(&[&div, &right]), full());
    assert_eq!(verify(&[&div]), Verification::None(None));
    assert_eq!(verify(&[&stale, "garbage"]), Fault::Stale.into());
    assert_eq!(verify(&["garbage", "garbage", "garbage", "garbage", &right]), Fault::Unreadable.into());
}

#[test]
fn an_address_names_a_host_and_a_path_and_nothing_else() {
    assert_eq!(address("https://Cert.Example.ORG/A/b.pem").as_deref(), Some("cert.example.org/A/b.pem"));
    assert_eq!(address("HTTPS://c.example:8443/a").as_deref(), Some("c.example:8443/a"));
    for wrong in [
        "",
        "http://c.example/a",
        "https://c.example",
        "https://c.example/",
        "https:///a",
        "https://user@c.example/a",
        "https://c.example/a?b",
        "https://c.example/a#b",
        "https://c.example/%2e%2e/a",
        "file:///etc/passwd",
        "cid:1@h",
    ] {
        assert_eq!(address(wrong), None, "{wrong}");
    }
}

#[test]
fn the_example_of_rfc_8225_is_read_as_it_is_printed() {
    let token = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9j\
                 ZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9.eyJkZXN0Ijp7InVyaSI6WyJz\
                 aXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6MTQ3MTM3NTQxOCwib3JpZyI6\
                 eyJ0biI6IjEyMTU1NTUxMjEyIn19.VLBCIVDCaeK6M4hLJb6SHQvacAQVvoiiEOWQ\
                 _iUkqk79UD81fHQ0E1b3_GluIkba7UWYRM47ZbNFdOJquE35cw";
    let value = format!("{token};info=<https://cert.example.org/passport.cer>");
    let passport = Passport::read(&Field::parse(value.as_bytes()).unwrap()).unwrap().unwrap();
    assert_eq!((passport.signed_at, passport.attestation), (1_471_375_418, None));
    assert_eq!((passport.from, passport.to), (Number::parse(FROM).ok(), Vec::new()));
    assert_eq!(address(&passport.certificate).as_deref(), Some("cert.example.org/passport.cer"));
}

/// RFC 7515 Appendix A.3.
#[test]
fn the_example_of_es256_verifies_and_nothing_like_it() {
    let octets = |text| URL_SAFE_NO_PAD.decode(text).unwrap();
    let parts = [
        "eyJhbGciOiJFUzI1NiJ9",
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ];
    let key = [
        vec![4],
        octets("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        octets("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ];
    let (key, mut signature) = (key.concat(), octets(parts[2]));
    assert_eq!(prove(parts, &signature, &key), Ok(()));
    signature[0] ^= 1;
    assert_eq!(prove(parts, &signature, &key), Err(Fault::Signature));
}

#[test]
fn no_octet_of_a_passport_may_be_another() {
    let (signer, store) = usual();
    let token = signer.usual();
    let end = token.find(';').unwrap();
    for place in 0..end {
        let mut altered = token.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let text = String::from_utf8(altered).unwrap();
        let verification = store.verify(&question(&[&text]), NOW);
        assert_ne!(verification.verdict(), Verdict::Passed, "octet {place}: {text}");
    }
}
