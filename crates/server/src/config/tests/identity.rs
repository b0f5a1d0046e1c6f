//! Whom we believe of who calls, and how lines treat whoever is not verified.

use std::path::PathBuf;
use std::time::Duration;

use b2bua::{Policy, Treatment};
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, Issuer, KeyPair};

use super::{LEAST, fault, faults, good, outcome};

/// `SEQUENCE { [0] { IA5String "709J" } }`: speaks for the numbers of one provider (RFC 8226 §9).
const PROVIDER: [u8; 10] = [0x30, 0x08, 0xa0, 0x06, 0x16, 0x04, b'7', b'0', b'9', b'J'];

/// A folder with a root and one who signs.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("certificates/cert.example.org/sp")).unwrap();
        let place = Self { dir };
        place.write(true);
        place
    }

    fn write(&self, is_ours: bool) {
        let authority = || {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let pem = params.self_signed(&key).unwrap().pem();
            (Issuer::new(params, key), pem)
        };
        let (issuer, root) = authority();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let list = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 26], PROVIDER.to_vec());
        params.custom_extensions.push(list);
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem();
        std::fs::write(self.roots(), if is_ours { root } else { authority().1 }).unwrap();
        std::fs::write(self.certificate(), leaf).unwrap();
    }

    fn roots(&self) -> PathBuf {
        self.dir.path().join("roots.pem")
    }

    fn certificates(&self) -> PathBuf {
        self.dir.path().join("certificates")
    }

    fn certificate(&self) -> PathBuf {
        self.certificates().join("cert.example.org/sp/1.pem")
    }

    fn section(&self) -> String {
        format!("[identity]\nroots_file = {:?}\ncertificates = {:?}\n", self.roots(), self.certificates())
    }
}

/// With a trunk whose callers are verified so, and these keys of the line.
fn with(verify: &str, line: &str, more: &str) -> String {
    let trunk = LEAST.replace("[[line]]", &format!("verify = {verify}\n[[line]]"));
    format!("{trunk}{line}\n{more}")
}

#[test]
fn whom_we_believe_is_read_when_the_file_is() {
    let place = Place::new();
    let text = with("[\"verstat\", \"identity\"]", "", &format!("{}freshness = \"30s\"\n", place.section()));
    let checked = good(&text);
    assert_eq!(checked.trunks[0].verify, b2bua::Verify { verstat: true, identity: true });
    let files = checked.identity.unwrap();
    assert_eq!((files.roots, files.certificates), (place.roots(), place.certificates()));
    assert_eq!(files.freshness, Duration::from_secs(30));
    let warnings = || {
        let ours = outcome(&text).warnings.into_iter().filter(|warning| warning.key.starts_with("identity"));
        ours.map(|warning| format!("{}: {}", warning.key, warning.text)).collect::<Vec<_>>()
    };
    assert_eq!(warnings(), Vec::<String>::new());
    place.write(false);
    let told = "identity.certificates: what lies at cert.example.org/sp/1.pem is not valid now, or leads to no root in roots_file";
    assert_eq!(warnings(), [told]);
}

#[test]
fn files_that_do_not_fit_are_told_by_name() {
    let place = Place::new();
    let told = || faults(&with("\"identity\"", "", &place.section())).join("\n");
    std::fs::write(place.certificate(), "no PEM").unwrap();
    let why = told();
    assert!(
        why.contains("identity.certificates: ") && why.ends_with("1.pem: holds no certificate in PEM"),
        "{why}"
    );
    std::fs::copy(place.roots(), place.certificate()).unwrap();
    let why = told();
    assert!(why.ends_with("does not say for which numbers it speaks (TNAuthList)"), "{why}");
    std::fs::write(place.roots(), "").unwrap();
    let why = told();
    assert!(
        why.contains("identity.roots_file: ") && why.ends_with("roots.pem: holds no certificate in PEM"),
        "{why}"
    );
    std::fs::remove_file(place.roots()).unwrap();
    assert!(told().contains("identity.roots_file: "), "{}", told());
    let half = format!("[identity]\nroots_file = {:?}\n", place.roots());
    let why = faults(&with("\"identity\"", "", &half));
    assert!(
        why[0].ends_with("identity.certificates: is missing: roots_file means nothing without it"),
        "{why:?}"
    );
    let why = faults(&with("\"identity\"", "", "[identity]\nkey_file = \"k\"\nfreshness = \"2h\"\n"));
    assert!(why[0].ends_with("identity.key_file: nothing is signed here"), "{why:?}");
    assert!(why[1].contains("identity.freshness: 2h is out of range; from 1s to 1h"), "{why:?}");
}

#[test]
fn a_reload_takes_whom_we_believe() {
    let place = Place::new();
    let next = good(&with("\"identity\"", "", &place.section()));
    let reload = good(LEAST).reloaded(next.clone());
    assert_eq!((reload.checked.identity, reload.at_restart), (next.identity, vec![]));
}

#[test]
fn identity_headers_cannot_be_verified_without_somebody_to_believe() {
    let why = fault(|text| *text = with("\"identity\"", "", ""));
    assert!(why.contains("trunk[0].verify: \"identity\" needs [identity]: whom we believe"), "{why}");
    let why = fault(|text| *text = with("\"both\"", "", ""));
    assert!(why.ends_with("\"both\" means nothing here; write one of \"verstat\", \"identity\""), "{why}");
}

#[test]
fn a_line_says_how_it_treats_whoever_is_not_verified() {
    let policy = |line: &str| good(&with("\"verstat\"", line, "")).lines[0].manner.policy;
    assert_eq!(policy(""), Policy::LENIENT);
    let read = |line: &str| (policy(line).unverified, policy(line).disproved);
    assert_eq!(read("unverified = \"stranger\""), (Treatment::Stranger, Treatment::Stranger));
    assert_eq!(read("unverified = \"refuse\""), (Treatment::Refuse, Treatment::Refuse));
    assert_eq!(read("disproved = \"take\""), (Treatment::Take, Treatment::Take));
    for (letter, attestation) in [("A", "A"), ("B", "B"), ("C", "C")] {
        let read = policy(&format!("attestation = \"{letter}\"")).attestation;
        assert_eq!(read.map(b2bua::Attestation::word), Some(attestation));
    }
    let why = fault(|text| *text = with("\"verstat\"", "unverified = \"refuse\"\ndisproved = \"take\"", ""));
    assert!(why.contains("line[0].disproved: callers who are not who they say would fare better"), "{why}");
    let why = fault(|text| *text = with("\"verstat\"", "unverified = \"ask\"", ""));
    assert!(
        why.ends_with("\"ask\" means nothing here; write one of \"take\", \"stranger\", \"refuse\""),
        "{why}"
    );
    let why = fault(|text| *text = with("\"verstat\"", "attestation = \"D\"", ""));
    assert!(why.ends_with("write one of \"A\", \"B\", \"C\""), "{why}");
}

#[test]
fn what_no_trunk_verifies_no_line_can_ask_for() {
    for key in ["unverified = \"refuse\"", "disproved = \"refuse\"", "attestation = \"A\""] {
        let why = fault(|text| *text = with("[]", key, ""));
        assert!(
            why.ends_with("means nothing where no [[trunk]] has verify: callers are not verified at all"),
            "{why}"
        );
    }
}
