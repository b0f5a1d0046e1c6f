//! When two URIs are the same (RFC 3261 §19.1.4).

use super::escape::{same, same_ignoring_case};
use super::{Scheme, UriParams, UriRef};

pub(super) fn equivalent(one: &UriRef<'_>, other: &UriRef<'_>) -> bool {
    match one.scheme {
        Scheme::Tel | Scheme::Other => one.as_str() == other.as_str(),
        Scheme::Sip | Scheme::Sips => {
            one.scheme == other.scheme
                && both(one.user(), other.user(), same)
                && both(one.password(), other.password(), same)
                && one.host() == other.host()
                && one.port() == other.port()
                && params(one.params(), other.params())
                && params(other.params(), one.params())
                && headers(one, other)
                && headers(other, one)
        }
    }
}

fn both(one: Option<&str>, other: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A parameter in one only matters if it is one of these; in both, it must be the same.
fn params(one: UriParams<'_>, other: UriParams<'_>) -> bool {
    one.iter().all(|(name, value)| match other.get(name) {
        Some(theirs) => same_ignoring_case(value.unwrap_or_default(), theirs),
        None => {
            !["user", "ttl", "method", "maddr", "transport"].iter().any(|sole| same_ignoring_case(name, sole))
        }
    })
}

fn headers(one: &UriRef<'_>, other: &UriRef<'_>) -> bool {
    one.headers().all(|(name, value)| {
        other.headers().any(|(their, theirs)| same_ignoring_case(name, their) && same(value, theirs))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let [one, other] = [one, other].map(|text| UriRef::parse(text.as_bytes()).unwrap());
        assert_eq!(one.is_equivalent(&other), other.is_equivalent(&one));
        one.is_equivalent(&other)
    }

    #[test]
    fn the_examples_of_the_rfc_that_are_equivalent() {
        for (one, other) in [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
            (
                "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
            ),
            (
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
            ),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_examples_of_the_rfc_that_are_not_equivalent() {
        for (one, other) in [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
            ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
            ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:bob@biloxi.com", "sip:biloxi.com"),
            ("sip:bob:a@biloxi.com", "sip:bob:b@biloxi.com"),
            ("tel:+1-201", "tel:+1201"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
