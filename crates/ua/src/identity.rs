//! Who calls whom, as the headers of an INVITE have it (RFC 3261, RFC 3323, RFC 3325).

use bytes::Bytes;
use sip::{Flow, Name, Request, UriRef};

use crate::interface::{Identity, Incoming, Named, TrunkId};

/// Hops left where nothing is said (RFC 3261 §8.1.1.6).
const HOPS: u8 = 70;
/// The host of a From that names nobody (RFC 3323 §4.1.1.3).
const NOBODY: &str = "anonymous.invalid";
/// Identity headers that are kept: each may cost whoever verifies it a signature.
const IDENTITIES: usize = 4;

/// An INVITE, reduced to values.
pub(crate) fn incoming(invite: &Request, offer: Option<Bytes>, flow: Flow, trunk: TrunkId) -> Incoming {
    let headers = invite.headers();
    Incoming {
        trunk,
        flow,
        called: user(&invite.uri()).unwrap_or_default(),
        called_party: headers.addresses(Name::PCalledPartyId).find_map(|address| user(&address.uri())),
        to: user(&headers.to().uri()).unwrap_or_default(),
        identity: identity(invite),
        offer,
        hops: headers.max_forwards().unwrap_or(HOPS),
    }
}

fn identity(invite: &Request) -> Identity {
    let headers = invite.headers();
    let calling = headers.addresses(Name::RemotePartyId).find(|party| match party.params().get("party") {
        Some(party) => party.eq_ignore_ascii_case(b"calling"),
        None => true,
    });
    let full = calling
        .and_then(|party| party.params().get("privacy"))
        .is_some_and(|privacy| privacy.eq_ignore_ascii_case(b"full"));
    // `full` is no word of RFC 3323, and some write it.
    let withheld = ["id", "user", "header", "full"];
    let asked = headers.privacy().any(|value| withheld.iter().any(|word| value.eq_ignore_ascii_case(word)));
    Identity {
        from: named(&headers.from().uri()),
        asserted: headers
            .addresses(Name::PAssertedIdentity)
            .filter_map(|address| named(&address.uri()))
            .collect(),
        remote_party: calling.and_then(|party| named(&party.uri())),
        withheld: asked || full,
        identities: headers.all(Name::Identity).take(IDENTITIES).map(Box::from).collect(),
    }
}

/// Whom a URI names, if it names anyone. `verstat` is a parameter of the number; some write it after the host.
fn named(uri: &UriRef<'_>) -> Option<Named> {
    let is_nobody = uri.host().is_some_and(|host| host.as_str().eq_ignore_ascii_case(NOBODY));
    let user = if is_nobody { "anonymous".to_owned() } else { user(uri)? };
    let verstat = uri.number_params().get("verstat").or_else(|| uri.params().get("verstat"));
    Some(Named { user, verstat: verstat.map(str::to_owned) })
}

/// The user part, or the number of a tel URI, if it is text that can be shown.
fn user(uri: &UriRef<'_>) -> Option<String> {
    let octets = uri.number()?.into_owned();
    String::from_utf8(octets).ok().filter(|text| !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::TrunkId;
    use sip::{Message, Transport};

    fn read(uri: &str, lines: &str) -> Incoming {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nTo: <sip:8%34952@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{lines}\r\n"
        );
        let flow = Flow {
            listener: 0,
            transport: Transport::Udp,
            peer: "192.0.2.9:5060".parse().unwrap(),
            connection: None,
        };
        match sip::parse(text.into()).unwrap() {
            Message::Request(request) => incoming(&request, None, flow, TrunkId(3)),
            Message::Response(_) => unreachable!("a request was written"),
        }
    }

    #[test]
    fn numbers_are_read_from_every_header_that_names_one() {
        let incoming = read(
            "sip:+74951234567;npdi@192.0.2.1;user=phone",
            "From: \"X\" <sip:+79991112233@t>;tag=1\r\nP-Asserted-Identity: <sip:+79990000001@t>, <tel:+79990000002;phone-context=x>\r\nRemote-Party-ID: <sip:99@t>;party=called, \"Y\" <sip:+79990000003@t>;party=calling;privacy=off\r\nMax-Forwards: 12\r\n",
        );
        assert_eq!((incoming.called.as_str(), incoming.to.as_str()), ("+74951234567", "84952"));
        let identity = &incoming.identity;
        let users = |values: &[Named]| values.iter().map(|named| named.user.clone()).collect::<Vec<_>>();
        assert_eq!(users(identity.from.as_slice()), ["+79991112233"]);
        assert_eq!(users(&identity.asserted), ["+79990000001", "+79990000002"]);
        assert_eq!(users(identity.remote_party.as_slice()), ["+79990000003"]);
        assert!(!incoming.identity.withheld);
        assert_eq!((incoming.hops, incoming.trunk), (12, TrunkId(3)));
    }

    #[test]
    fn the_number_dialled_is_read_where_a_registrar_left_it() {
        let incoming = read("sip:contact@h", "From: <sip:a@t>;tag=1\r\nP-Called-Party-ID: <sip:+7495@t>\r\n");
        assert_eq!(incoming.called_party.as_deref(), Some("+7495"));
    }

    #[test]
    fn an_absent_header_says_nothing() {
        let incoming = read("tel:+7495", "From: <sip:t>;tag=1\r\n");
        assert_eq!((incoming.called.as_str(), incoming.hops), ("+7495", 70));
        assert_eq!(incoming.identity, Identity::default());
        assert_eq!(read("sip:h", "From: <sip:t>;tag=1\r\n").called, "");
    }

    #[test]
    fn text_that_cannot_be_shown_is_no_user() {
        assert_eq!(read("sip:a%00b@h", "From: <sip:a%0d%0ab@t>;tag=1\r\n").identity.from, None);
        assert_eq!(read("sip:%ff@h", "From: <sip:a@t>;tag=1\r\n").called, "");
    }

    #[test]
    fn nobody_is_named_anonymous_however_that_is_written() {
        for from in [
            "sip:anonymous@anonymous.invalid",
            "sip:anonymous.invalid",
            "sip:+79991112233@ANONYMOUS.invalid",
            "sips:anonymous.invalid:5060;user=phone",
        ] {
            let identity = read("sip:b@h", &format!("From: \"Anonymous\" <{from}>;tag=1\r\n")).identity;
            assert_eq!(identity.from.map(|named| named.user).as_deref(), Some("anonymous"), "{from}");
        }
        for (from, user) in [
            ("sip:Anonymous@carrier.example", Some("Anonymous")),
            ("sip:unavailable@unknown.invalid", Some("unavailable")),
            ("sip:restricted@192.0.2.1", Some("restricted")),
            ("tel:+0", Some("+0")),
            ("sip:@192.0.2.1", Some("")),
            ("sip:192.0.2.1", None),
        ] {
            let named = read("sip:b@h", &format!("From: \"X\" <{from}>;tag=1\r\n")).identity.from;
            assert_eq!(named.map(|named| named.user).as_deref(), user, "{from}");
        }
    }

    #[test]
    fn what_the_carrier_verified_is_read_beside_the_number() {
        for uri in [
            "tel:+79991112233;verstat=TN-Validation-Passed",
            "sip:+79991112233;verstat=TN-Validation-Passed@t;user=phone",
            "sip:+79991112233@t;user=phone;VERSTAT=TN-Validation-Passed",
        ] {
            let lines = format!("From: <{uri}>;tag=1\r\nP-Asserted-Identity: <{uri}>\r\n");
            let identity = read("sip:b@h", &lines).identity;
            for named in identity.from.iter().chain(&identity.asserted) {
                assert_eq!(named.user, "+79991112233", "{uri}");
                assert_eq!(named.verstat.as_deref(), Some("TN-Validation-Passed"), "{uri}");
            }
            assert_eq!(identity.asserted.len(), 1);
        }
        let after = read("sip:b@h", "From: <sip:a@t>;verstat=TN-Validation-Passed;tag=1\r\n").identity;
        assert_eq!(after.from.unwrap().verstat, None, "a parameter of the header is nobody's");
    }

    #[test]
    fn identity_headers_are_kept_as_they_came_and_not_without_end() {
        let from = "From: <sip:a@t>;tag=1\r\n";
        let two =
            read("sip:b@h", &format!("{from}Identity: a.b.c;info=<x>\r\ny:  no semicolon\r\n")).identity;
        assert_eq!(two.identities, [Box::from(&b"a.b.c;info=<x>"[..]), Box::from(&b"no semicolon"[..])]);
        let many = read("sip:b@h", &format!("{from}{}", "y: x\r\n".repeat(50))).identity;
        assert_eq!(many.identities.len(), IDENTITIES);
    }

    #[test]
    fn an_identity_is_withheld_when_privacy_asks_for_it() {
        let from = "From: <sip:a@t>;tag=1\r\n";
        for (lines, withheld) in [
            ("Privacy: id\r\n", true),
            ("Privacy: none\r\n", false),
            ("Privacy: critical; User\r\n", true),
            ("Privacy: header\r\n", true),
            ("Privacy: full\r\n", true),
            ("Privacy: session\r\n", false),
            ("Remote-Party-ID: <sip:a@t>;privacy=full\r\n", true),
            ("Remote-Party-ID: <sip:a@t>;party=called;privacy=full\r\n", false),
        ] {
            assert_eq!(read("sip:b@h", &format!("{from}{lines}")).identity.withheld, withheld, "{lines}");
        }
    }
}
