//! Who calls, as far as the trunk can be trusted to say.

use number::{Number, Plan};
use ua::Identity;

use crate::config::Trust;

/// The caller's number, if one can be told. Privacy asks us not to pass it on (RFC 3323), which we never do;
/// it does not keep us from knowing our own customer (RFC 3325 §7: we are inside the trust domain).
pub(crate) fn number(identity: &Identity, trust: Trust, plan: &Plan) -> Option<Number> {
    let from = || identity.from.as_deref().and_then(|text| plan.parse(text).ok());
    match trust {
        Trust::Asserted => identity.asserted.iter().find_map(|text| plan.parse(text).ok()).or_else(from),
        Trust::RemoteParty => {
            identity.remote_party.as_deref().and_then(|text| plan.parse(text).ok()).or_else(from)
        }
        Trust::From => from(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(trust: Trust, identity: &Identity) -> Option<String> {
        number(identity, trust, &Plan::of("RU").unwrap()).map(|number| number.to_string())
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
}
