//! Who calls, as far as the trunk can be trusted to say.

use number::{Number, NumberError};
use stir::{Attestation, Fault, Verification};
use ua::{Identity, Named};

use crate::config::{Profile, Trust};

/// Whom the values of one header name.
enum Told {
    Number(Number),
    /// Somebody who does not want to be named.
    Withheld,
    /// Nobody, or an account that is no number.
    Nobody,
}

fn told<'a>(values: impl IntoIterator<Item = &'a Named>, profile: &Profile) -> Told {
    let mut told = Told::Nobody;
    for named in values {
        match profile.parse(&named.user) {
            // Of several numbers the first counts, as RFC 3325 §9.1 allows no two of one kind.
            Ok(number) => return Told::Number(number),
            Err(NumberError::Withheld) => told = Told::Withheld,
            Err(_) => {}
        }
    }
    told
}

/// The caller's number, if one can be told. Privacy asks us not to pass it on (RFC 3323), which we never do;
/// it does not keep us from knowing our own customer (RFC 3325 §7: we are inside the trust domain).
///
/// From stands in where the header that the trunk vouches for names nobody; not where that says that the caller is withheld,
/// because From is whatever the caller wrote.
pub(crate) fn number(identity: &Identity, trust: Trust, profile: &Profile) -> Option<Number> {
    let vouched = match trust {
        Trust::Asserted => told(&identity.asserted, profile),
        Trust::RemoteParty => told(&identity.remote_party, profile),
        Trust::From => Told::Nobody,
    };
    match vouched {
        Told::Number(number) => Some(number),
        Told::Withheld => None,
        Told::Nobody => match told(&identity.from, profile) {
            Told::Number(number) => Some(number),
            Told::Withheld | Told::Nobody => None,
        },
    }
}

/// What the carrier says of having verified this number (`verstat`), in whatever header it says it.
pub(crate) fn verstat(identity: &Identity, caller: Option<Number>, profile: &Profile) -> Verification {
    let values = identity.from.iter().chain(&identity.asserted).chain(&identity.remote_party);
    values
        .filter(|named| caller.is_some() && profile.read(&named.user) == caller)
        .filter_map(|named| named.verstat.as_deref())
        .map(validated)
        .fold(Verification::None(None), Verification::and)
}

/// 3GPP TS 24.229 §7.2A.20.3, with the letters of ATIS-1000074 that some carriers put behind it.
fn validated(text: &str) -> Verification {
    let (word, letter) = match text.rsplit_once('-') {
        Some((word, letter @ ("A" | "B" | "C"))) => (word, Attestation::of(letter)),
        _ => (text, None),
    };
    if word.eq_ignore_ascii_case("TN-Validation-Passed") {
        Verification::Passed(letter)
    } else if word.eq_ignore_ascii_case("TN-Validation-Failed") {
        Verification::Failed(Fault::Carrier)
    } else {
        Verification::None(None)
    }
}

#[cfg(test)]
mod tests {
    use number::{Form, Plan};

    use super::*;
    use crate::config::Sender;

    fn profile(strip: &str) -> Profile {
        Profile {
            plan: Plan::of("RU").unwrap(),
            form: Form::Plus,
            prefix: "".into(),
            strip: strip.into(),
            from: Sender::Own,
            shown: Vec::new(),
            withheld: false,
        }
    }

    /// `+79991112233`, or with what the carrier says of it `+79991112233;TN-Validation-Passed`.
    fn named(text: &str) -> Named {
        let (user, verstat) =
            text.split_once(';').map_or((text, None), |(user, verstat)| (user, Some(verstat)));
        Named { user: user.to_owned(), verstat: verstat.map(str::to_owned) }
    }

    fn identity(from: &str, asserted: &[&str], remote_party: Option<&str>) -> Identity {
        Identity {
            from: Some(named(from)),
            asserted: asserted.iter().map(|text| named(text)).collect(),
            remote_party: remote_party.map(named),
            ..Identity::default()
        }
    }

    fn told(trust: Trust, identity: &Identity) -> Option<String> {
        number(identity, trust, &profile("")).map(|number| number.to_string())
    }

    #[test]
    fn the_header_that_the_trunk_vouches_for_comes_first() {
        let identity = Identity {
            withheld: true,
            ..identity("89990000001", &["anonymous", "+79990000002"], Some("79990000003"))
        };
        assert_eq!(told(Trust::From, &identity).as_deref(), Some("+79990000001"));
        assert_eq!(told(Trust::Asserted, &identity).as_deref(), Some("+79990000002"));
        assert_eq!(told(Trust::RemoteParty, &identity).as_deref(), Some("+79990000003"));
    }

    #[test]
    fn of_headers_that_disagree_one_counts() {
        let both = identity("+79990000001", &["+79990000002", "89990000003"], None);
        assert_eq!(told(Trust::Asserted, &both).as_deref(), Some("+79990000002"), "the first");
        let account = identity("+79990000001", &["trunk-7", "+79990000003"], None);
        assert_eq!(told(Trust::Asserted, &account).as_deref(), Some("+79990000003"), "the first number");
        let account = identity("+79990000001", &["trunk-7"], None);
        assert_eq!(
            told(Trust::Asserted, &account).as_deref(),
            Some("+79990000001"),
            "an account names nobody"
        );
        assert_eq!(told(Trust::RemoteParty, &account).as_deref(), Some("+79990000001"));
    }

    #[test]
    fn an_anonymous_caller_has_no_number_in_any_of_its_forms() {
        let forms = [
            "anonymous",
            "Anonymous",
            "unavailable",
            "restricted",
            "unknown",
            "private",
            "withheld",
            "0",
            "+0",
            "000",
        ];
        for form in forms {
            for trust in [Trust::From, Trust::Asserted, Trust::RemoteParty] {
                assert_eq!(told(trust, &identity(form, &[], None)), None, "{form}");
            }
            // What the caller wrote into From does not take the place of what the trunk withholds.
            assert_eq!(told(Trust::Asserted, &identity("+79990000001", &[form], None)), None, "{form}");
            assert_eq!(told(Trust::RemoteParty, &identity("+79990000001", &[], Some(form))), None, "{form}");
        }
        for form in ["", "+", "alice", "12", "7+9991112233"] {
            assert_eq!(told(Trust::From, &identity(form, &[], None)), None, "{form:?}");
        }
        assert_eq!(told(Trust::Asserted, &Identity::default()), None);
    }

    #[test]
    fn what_a_trunk_puts_before_its_numbers_is_taken_off() {
        let told = |from| {
            let identity = identity(from, &[], None);
            number(&identity, Trust::From, &profile("99")).map(|number| number.to_string())
        };
        assert_eq!(told("9989991112233").as_deref(), Some("+79991112233"));
        assert_eq!(told("89991112233").as_deref(), Some("+79991112233"), "some calls come without");
    }

    #[test]
    fn what_the_carrier_verified_is_told_in_any_of_its_forms() {
        use Verification::{Failed, None as Unknown, Passed};
        for (text, verification) in [
            ("TN-Validation-Passed", Passed(None)),
            ("tn-validation-passed", Passed(None)),
            ("TN-Validation-Passed-A", Passed(Some(Attestation::Full))),
            ("TN-Validation-Passed-B", Passed(Some(Attestation::Partial))),
            ("TN-Validation-Passed-C", Passed(Some(Attestation::Gateway))),
            ("TN-Validation-Failed", Failed(Fault::Carrier)),
            ("TN-Validation-Failed-A", Failed(Fault::Carrier)),
            ("TN-Validation-Failed-C", Failed(Fault::Carrier)),
            ("No-TN-Validation", Unknown(None)),
            ("TN-Validation-Passed-D", Unknown(None)),
            ("TN-Validation-Passed-", Unknown(None)),
            ("-A", Unknown(None)),
            ("", Unknown(None)),
        ] {
            assert_eq!(validated(text), verification, "{text}");
        }
    }

    #[test]
    fn what_the_carrier_verified_counts_for_that_number_alone() {
        let profile = profile("");
        let told = |from: &str, asserted: &[&str]| {
            let identity = identity(from, asserted, None);
            verstat(&identity, number(&identity, Trust::Asserted, &profile), &profile)
        };
        let passed = Verification::Passed(Some(Attestation::Full));
        assert_eq!(told("1", &["89990000001", "+79990000001;TN-Validation-Passed-A"]), passed);
        assert_eq!(told("+79990000001;TN-Validation-Passed-A", &["+79990000001"]), passed);
        assert_eq!(told("+79990000002;TN-Validation-Passed-A", &["+79990000001"]), Verification::None(None));
        assert_eq!(
            told("+79990000001;TN-Validation-Failed", &["+79990000001;TN-Validation-Passed-A"]),
            Verification::Failed(Fault::Carrier)
        );
        assert_eq!(told("anonymous;TN-Validation-Passed-A", &[]), Verification::None(None));
    }
}
