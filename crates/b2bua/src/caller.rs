//! Who calls, as far as the trunk can be trusted to say.

use number::Number;
use ua::Identity;

use crate::config::{Profile, Trust};

/// The caller's number, if one can be told. Privacy asks us not to pass it on (RFC 3323), which we never do;
/// it does not keep us from knowing our own customer (RFC 3325 §7: we are inside the trust domain).
pub(crate) fn number(identity: &Identity, trust: Trust, profile: &Profile) -> Option<Number> {
    let from = || identity.from.as_deref().and_then(|text| profile.read(text));
    match trust {
        Trust::Asserted => identity.asserted.iter().find_map(|text| profile.read(text)).or_else(from),
        Trust::RemoteParty => {
            identity.remote_party.as_deref().and_then(|text| profile.read(text)).or_else(from)
        }
        Trust::From => from(),
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

    fn told(trust: Trust, identity: &Identity) -> Option<String> {
        number(identity, trust, &profile("")).map(|number| number.to_string())
    }

    #[test]
    fn the_header_that_the_trunk_vouches_for_comes_first() {
        let identity = Identity {
            from: Some("89990000001".into()),
            asserted: vec!["anonymous".into(), "+79990000002".into()],
            remote_party: Some("79990000003".into()),
            withheld: true,
        };
        assert_eq!(told(Trust::From, &identity).as_deref(), Some("+79990000001"));
        assert_eq!(told(Trust::Asserted, &identity).as_deref(), Some("+79990000002"));
        assert_eq!(told(Trust::RemoteParty, &identity).as_deref(), Some("+79990000003"));
    }

    #[test]
    fn an_anonymous_caller_has_no_number() {
        let identity = Identity { from: Some("anonymous".into()), ..Identity::default() };
        assert_eq!(told(Trust::Asserted, &identity), None);
        assert_eq!(told(Trust::From, &Identity::default()), None);
    }

    #[test]
    fn what_a_trunk_puts_before_its_numbers_is_taken_off() {
        let identity = |from: &str| Identity { from: Some(from.to_owned()), ..Identity::default() };
        let told =
            |from| number(&identity(from), Trust::From, &profile("99")).map(|number| number.to_string());
        assert_eq!(told("9989991112233").as_deref(), Some("+79991112233"));
        assert_eq!(told("89991112233").as_deref(), Some("+79991112233"), "some calls come without");
    }
}
