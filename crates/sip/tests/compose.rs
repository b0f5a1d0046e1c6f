//! Messages as we write them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use bytes::Bytes;
use sip::{
    Compose, Message, Method, Name, NameAddr, Request, Response, Status, Transport, Uri, ViaHop, parse,
};

const SOURCE: &str = "203.0.113.9:40000";

fn source() -> SocketAddr {
    SOURCE.parse().unwrap()
}

fn request(octets: impl Into<Bytes>) -> Request {
    match parse(octets.into()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(octets: Bytes) -> Response {
    match parse(octets) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

fn text(octets: &Bytes) -> &str {
    std::str::from_utf8(octets).unwrap()
}

const INVITE: &str = "INVITE sip:b@example.com SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.1:5061;rport;branch=z9hG4bKa;received=1.2.3.4, SIP/2.0/TCP p.example;branch=z9hG4bKb\r\n\
    Via: SIP/2.0/UDP q.example;branch=z9hG4bKc\r\n\
    f: \"A\" <sip:a@example.com>;tag=1;x=y\r\n\
    To: <sip:b@example.com>\r\n\
    Record-Route: <sip:r1.example;lr>, <sip:r2.example;lr>\r\n\
    Record-Route: <sip:r3.example;lr>\r\n\
    Call-ID: c\r\n\
    CSeq: 7 INVITE\r\n\
    Timestamp: 54\r\n\
    Subject: secret\r\n\
    Contact: <sip:a@10.0.0.1>\r\n\r\n";

#[test]
fn a_request_is_written_line_by_line() {
    let uri = Uri::parse("sip:+79991112233@192.0.2.7;user=phone").unwrap();
    let from = NameAddr { display: Some(r#"Line "1" \"#), uri: uri.parts(), tag: Some("t1") };
    let via = ViaHop { transport: Transport::Udp, sent_by: "192.0.2.1:5060", branch: "abc" };
    let octets = Compose::request(&Method::Invite, &uri)
        .header(Name::Via, via)
        .header(Name::MaxForwards, 70u8)
        .header(Name::From, from)
        .header(Name::To, NameAddr { display: None, uri: uri.parts(), tag: None })
        .header(Name::CallId, "id-1")
        .header(Name::CSeq, format_args!("{} {}", 1, Method::Invite))
        .maybe(Name::MinSe, Some(90u32))
        .maybe(Name::Expires, None::<u32>)
        .extension("X-Trace", "1")
        .body("application/sdp", b"v=0\r\n");
    assert_eq!(
        text(&octets),
        "INVITE sip:+79991112233@192.0.2.7;user=phone SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Line \\\"1\\\" \\\\\" <sip:+79991112233@192.0.2.7;user=phone>;tag=t1\r\n\
         To: <sip:+79991112233@192.0.2.7;user=phone>\r\n\
         Call-ID: id-1\r\n\
         CSeq: 1 INVITE\r\n\
         Min-SE: 90\r\n\
         X-Trace: 1\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: 5\r\n\r\nv=0\r\n"
    );
    let read = request(octets);
    assert_eq!(read.headers().from().display(), &br#"Line "1" \"#[..]);
    assert!(read.headers().via().is_unique());
}

#[test]
fn an_answer_copies_what_the_rfc_says_and_nothing_else() {
    let invite = request(INVITE);
    let octets = Compose::answer(&invite, Status::RINGING, Some("ours"), source()).end();
    assert_eq!(
        text(&octets),
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP 10.0.0.1:5061;rport=40000;branch=z9hG4bKa;received=203.0.113.9, SIP/2.0/TCP p.example;branch=z9hG4bKb\r\n\
         Via: SIP/2.0/UDP q.example;branch=z9hG4bKc\r\n\
         From: \"A\" <sip:a@example.com>;tag=1;x=y\r\n\
         To: <sip:b@example.com>;tag=ours\r\n\
         Call-ID: c\r\n\
         CSeq: 7 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let read = response(octets);
    assert_eq!(read.headers().via().rport(), Some(Some(40000)));
    assert_eq!(read.headers().via().received(), Some("203.0.113.9".parse().unwrap()));
    assert_eq!(read.headers().vias().count(), 3);
}

#[test]
fn a_100_has_the_timestamp_and_may_go_without_a_tag() {
    let octets = Compose::answer(&request(INVITE), Status::TRYING, None, source()).end();
    assert!(text(&octets).contains("\r\nTo: <sip:b@example.com>\r\n"));
    assert!(text(&octets).contains("\r\nTimestamp: 54\r\n"));
}

#[test]
fn a_tag_that_is_there_is_kept() {
    let inside = INVITE.replace("To: <sip:b@example.com>", "To: <sip:b@example.com> ;tag=theirs");
    let octets = Compose::answer(&request(inside), Status::OK, Some("ours"), source()).end();
    assert_eq!(response(octets).headers().to().tag(), Some("theirs"));
}

#[test]
fn the_route_of_a_dialog_is_copied_on_demand() {
    let invite = request(INVITE);
    let octets =
        Compose::answer(&invite, Status::OK, Some("ours"), source()).copied(&invite, Name::RecordRoute).end();
    let read = response(octets);
    let route: Vec<_> = read.headers().addresses(Name::RecordRoute).map(|hop| hop.uri().as_str()).collect();
    assert_eq!(route, ["sip:r1.example;lr", "sip:r2.example;lr", "sip:r3.example;lr"]);
}

#[test]
fn a_folded_line_is_copied_as_one() {
    let folded = INVITE.replace("\"A\" <", "\"A\"\r\n  <");
    let octets = Compose::answer(&request(folded), Status::OK, Some("ours"), source()).end();
    assert!(text(&octets).contains("\r\nFrom: \"A\"    <sip:a@example.com>;tag=1;x=y\r\n"));
}

#[test]
fn no_value_can_end_its_line() {
    let evil = "a\r\nX-Evil: b\n\rc\0d\x7f\te";
    let uri = Uri::parse("sip:a@b").unwrap();
    let octets = Compose::request(&Method::Options, &uri)
        .header(Name::Via, ViaHop { transport: Transport::Tcp, sent_by: evil, branch: evil })
        .header(Name::From, NameAddr { display: Some(evil), uri: uri.parts(), tag: Some(evil) })
        .header(Name::Subject, evil)
        .header(Name::UserAgent, evil.as_bytes())
        .header(Name::Server, format_args!("{evil}"))
        .header(Name::CallId, evil.to_owned())
        .extension("X\r\nY: z", evil)
        .body(evil, b"\r\n");
    let head = &text(&octets)[..text(&octets).find("\r\n\r\n").unwrap()];
    let names: Vec<_> = head.split("\r\n").skip(1).map(|line| line.split_once(':').unwrap().0).collect();
    assert_eq!(
        names,
        [
            "Via",
            "From",
            "Subject",
            "User-Agent",
            "Server",
            "Call-ID",
            "X--Y--z",
            "Content-Type",
            "Content-Length"
        ]
    );
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0', '\x7f']));
    assert!(head.contains("Subject: a  X-Evil: b  c d \te\r\n"));
}

#[test]
fn content_length_is_written_once_and_is_true() {
    let octets = Compose::response(Status::OK).header(Name::ContentLength, 99u8).body("text/plain", b"abc");
    assert_eq!(text(&octets), "SIP/2.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc");
}

#[test]
fn words_beside_a_status_are_ours() {
    for code in [100, 299, 486, 699] {
        let status = Status::new(code).unwrap();
        let octets = Compose::response(status).end();
        assert!(octets.starts_with(format!("SIP/2.0 {status}\r\n").as_bytes()));
    }
}
