//! What is sent back to a request that could not be read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use bytes::Bytes;
use sip::{Malformed, Message, parse};

fn source() -> SocketAddr {
    "192.0.2.9:5062".parse().unwrap()
}

fn malformed(octets: &str) -> Malformed {
    parse(Bytes::copy_from_slice(octets.as_bytes())).unwrap_err()
}

fn refusal(octets: &str) -> Option<String> {
    malformed(octets).refusal(source()).map(|octets| String::from_utf8(octets.to_vec()).unwrap())
}

/// At fault for its Max-Forwards.
const REQUEST: &str = "OPTIONS sip:a@b SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;rport\r\n\
    v: SIP/2.0/UDP second.example\r\n\
    From: <sip:c@d>\r\n ;tag=1\r\n\
    t: <sip:a@b>\r\n\
    i: x@y\r\n\
    CSeq: 1 OPTIONS\r\n\
    Max-Forwards: many\r\n\
    Subject: secret\r\n\r\n";

#[test]
fn a_refusal_is_a_whole_response_to_where_the_request_came_from() {
    let octets = malformed(REQUEST).refusal(source()).unwrap();
    let Ok(Message::Response(response)) = parse(octets) else { panic!("our own response is not read") };
    let headers = response.headers();
    assert_eq!(response.status().code(), 400);
    assert_eq!(headers.via().rport(), Some(Some(5062)));
    assert_eq!(headers.via().received(), Some("192.0.2.9".parse().unwrap()));
    assert_eq!(headers.vias().count(), 2);
    assert_eq!(headers.from().tag(), Some("1"));
    assert_eq!(headers.call_id(), "x@y");
    assert_eq!((headers.cseq().number, headers.cseq().method.as_str()), (1, "OPTIONS"));
    assert!(headers.to().tag().is_some());
    assert_eq!(headers.iter().count(), 7, "nothing else is copied");
}

#[test]
fn equal_requests_are_refused_with_equal_tags() {
    assert_eq!(refusal(REQUEST), refusal(REQUEST));
    let tag = |octets: &str| {
        let refusal = refusal(octets).unwrap();
        refusal.lines().find_map(|line| line.strip_prefix("To: <sip:a@b>;tag=")).unwrap().to_owned()
    };
    assert_ne!(tag(REQUEST), tag(&REQUEST.replace("x@y", "z@y")));
    assert_ne!(tag(REQUEST), tag(&REQUEST.replace("z9hG4bK1", "z9hG4bK2")));
    let tagged = refusal(&REQUEST.replace("t: <sip:a@b>", "t: <sip:a@b>;tag=mine")).unwrap();
    assert!(tagged.contains("To: <sip:a@b>;tag=mine\r\n"));
}

#[test]
fn an_unknown_version_is_refused_with_505() {
    assert!(refusal(&REQUEST.replace("SIP/2.0\r\n", "SIP/3.0\r\n")).unwrap().starts_with("SIP/2.0 505 "));
}

#[test]
fn nothing_is_sent_to_what_must_not_or_cannot_be_answered() {
    let ack = REQUEST.replace("OPTIONS", "ACK");
    let response =
        REQUEST.replacen("OPTIONS sip:a@b SIP/2.0", "SIP/2.0 200 OK", 1).replace("CSeq: 1", "CSeq: one");
    let no_via = REQUEST.replacen("Via:", "X:", 1).replacen("v:", "Y:", 1);
    let smuggled = REQUEST.replace("Subject: secret", "Subject: secret\nVia: x");
    for octets in [
        &ack[..],
        &response,
        &no_via,
        &smuggled,
        "",
        "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\0\u{1}\u{0}",
    ] {
        assert_eq!(refusal(octets), None, "{octets}");
    }
}

#[test]
fn a_refusal_is_not_much_longer_than_what_it_refuses() {
    let flood = REQUEST.replace("v: SIP/2.0/UDP second.example", &["Via: SIP/2.0/UDP x"; 200].join("\r\n"));
    let refused = refusal(&flood).unwrap();
    assert!(refused.len() < flood.len() + 100, "{} for {}", refused.len(), flood.len());
}

#[test]
fn a_fault_is_named_without_the_octets_around_it() {
    let malformed = malformed(REQUEST);
    assert_eq!(
        malformed.to_string(),
        format!("Max-Forwards cannot be read (octet {})", REQUEST.find("many").unwrap())
    );
    assert!(!format!("{malformed:?}").contains("secret"));
}
