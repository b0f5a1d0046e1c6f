//! The messages of RFC 4475 and RFC 5118, each with the verdict its RFC gives.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use sip::{Fault, Framer, FramingError, Malformed, Message, Method, Name, Request, Response, Scheme, parse};

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    /// It is read.
    Read,
    /// It is read; whoever is above refuses it with this status, or drops it where the number is 0.
    Above(u16),
    /// It is a request at fault, answered with this status.
    Refused(u16, Fault),
    /// It is at fault, and nothing can be answered.
    Dropped(Fault),
}

use Verdict::{Above, Dropped, Read, Refused};

/// RFC 4475, in the order of its sections. `Above` is for the layers above the parser: 416 to a scheme we do not
/// serve, 420 to Require, 415 to a Content-Type, 406 to an Accept, silence to a response whose Via is not ours.
const RFC4475: &[(&str, Verdict)] = &[
    ("wsinv", Read),
    ("intmeth", Read),
    ("esc01", Read),
    ("escnull", Read),
    ("esc02", Read),
    ("lwsdisp", Read),
    ("longreq", Read),
    ("dblreq", Read),
    ("semiuri", Read),
    ("transports", Read),
    ("mpart01", Read),
    ("unreason", Read),
    ("noreason", Read),
    ("badinv01", Refused(400, Fault::Invalid(Name::Via))),
    ("clerr", Refused(400, Fault::Short)),
    ("ncl", Refused(400, Fault::Invalid(Name::ContentLength))),
    ("scalar02", Refused(400, Fault::Invalid(Name::CSeq))),
    ("scalarlg", Dropped(Fault::Invalid(Name::CSeq))),
    ("quotbal", Refused(400, Fault::Invalid(Name::To))),
    ("ltgtruri", Refused(400, Fault::RequestUri)),
    ("lwsruri", Refused(400, Fault::StartLine)),
    ("lwsstart", Refused(400, Fault::StartLine)),
    ("trws", Refused(400, Fault::StartLine)),
    ("escruri", Refused(400, Fault::RequestUri)),
    // The zone of a Date we never read decides nothing.
    ("baddate", Read),
    ("regbadct", Refused(400, Fault::Invalid(Name::Contact))),
    ("badaspec", Refused(400, Fault::Invalid(Name::To))),
    ("baddn", Refused(400, Fault::Invalid(Name::From))),
    ("badvers", Refused(505, Fault::Version)),
    ("mismatch01", Refused(400, Fault::CSeqMethod)),
    ("mismatch02", Refused(400, Fault::CSeqMethod)),
    ("bigcode", Dropped(Fault::StatusCode)),
    ("badbranch", Refused(400, Fault::Invalid(Name::Via))),
    ("insuf", Refused(400, Fault::Missing(Name::From))),
    ("unkscm", Above(416)),
    ("novelsc", Above(416)),
    ("unksm2", Read),
    ("bext01", Above(420)),
    ("invut", Above(415)),
    ("regaut01", Read),
    ("multi01", Refused(400, Fault::Repeated(Name::CSeq))),
    ("mcl01", Refused(400, Fault::Repeated(Name::ContentLength))),
    ("bcast", Above(0)),
    ("zeromf", Read),
    ("cparam01", Read),
    ("cparam02", Read),
    ("regescrt", Read),
    ("sdp01", Above(406)),
    ("inv2543", Read),
    ("test", Dropped(Fault::StartLine)),
];

/// RFC 5118, in the order of its sections.
const RFC5118: &[(&str, Verdict)] = &[
    ("ipv6-good", Read),
    ("ipv6-bad", Refused(400, Fault::RequestUri)),
    ("port-ambiguous", Read),
    ("port-unambiguous", Read),
    ("via-received-param-with-delim", Above(481)),
    ("via-received-param-no-delim", Read),
    ("ipv6-in-sdp", Read),
    ("mult-ip-in-header", Above(481)),
    ("mult-ip-in-sdp", Read),
    ("ipv4-mapped-ipv6", Read),
    ("ipv6-bug-abnf-3-colons", Read),
    ("ipv6-correct-abnf-2-colons", Read),
];

fn vector(path: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read(path: &str) -> Result<Message, Malformed> {
    parse(Bytes::from(vector(path)))
}

fn request(name: &str) -> Request {
    match read(&format!("rfc4475/{name}.dat")) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match read(&format!("rfc4475/{name}.dat")) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}

fn rfc5118(name: &str) -> Request {
    match read(&format!("rfc5118/{name}.sip")) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn source() -> SocketAddr {
    "192.0.2.77:5071".parse().unwrap()
}

/// What our verdict may be, given what the index beside the vectors says.
fn agrees(stated: &str, verdict: Verdict) -> bool {
    match verdict {
        Read => stated.starts_with("parse") && !stated.contains("then ") || stated.contains("ignore header"),
        Above(0) => stated.contains("then discard"),
        Above(481) => stated.starts_with("ok"),
        Above(status) => stated.contains(&format!("then {status}")),
        Refused(status, _) => stated.contains(&status.to_string()),
        Dropped(_) => stated.starts_with("discard") || stated.starts_with("reject"),
    }
}

fn check(
    directory: &str,
    extension: &str,
    table: &[(&str, Verdict)],
    agrees: impl Fn(&str, Verdict) -> bool,
) {
    let index = String::from_utf8(vector(&format!("{directory}/INDEX.tsv"))).unwrap();
    let rows: Vec<Vec<&str>> = index.lines().skip(1).map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows.len(), table.len(), "each row of the index has a verdict");
    for row in rows {
        let name = row[0].strip_suffix(extension).unwrap();
        let verdict = table.iter().find(|(other, _)| *other == name).unwrap_or_else(|| panic!("{name}")).1;
        assert!(agrees(row[3], verdict) || agrees(row[2], verdict), "{name}: {row:?} against {verdict:?}");
        let result = read(&format!("{directory}/{}", row[0]));
        match (verdict, result) {
            (Read | Above(_), Ok(_)) => {}
            (Refused(status, fault), Err(malformed)) => {
                assert_eq!((malformed.fault(), malformed.status().code()), (fault, status), "{name}");
                let refusal = malformed.refusal(source()).unwrap_or_else(|| panic!("{name} is answered"));
                assert!(refusal.starts_with(format!("SIP/2.0 {status} ").as_bytes()), "{name}: {refusal:?}");
            }
            (Dropped(fault), Err(malformed)) => {
                assert_eq!(malformed.fault(), fault, "{name}");
                assert_eq!(malformed.refusal(source()), None, "{name}");
            }
            (verdict, result) => panic!("{name}: {verdict:?} but {result:?}"),
        }
    }
}

#[test]
fn every_message_of_rfc_4475_meets_its_verdict() {
    check("rfc4475", ".dat", RFC4475, agrees);
}

#[test]
fn every_message_of_rfc_5118_meets_its_verdict() {
    check("rfc5118", ".sip", RFC5118, |stated, verdict| match verdict {
        Read | Above(_) => stated.starts_with("ok"),
        Refused(..) => stated.starts_with("error"),
        Dropped(_) => false,
    });
}

#[test]
fn a_short_tortuous_invite_says_all_it_says() {
    let request = request("wsinv");
    let headers = request.headers();
    assert_eq!(*request.method(), Method::Invite);
    assert_eq!(request.uri().params().get("unknownparam"), Some(""));
    assert_eq!(headers.to().uri().as_str(), "sip:vivekg@chair-dnrc.example.com");
    assert_eq!(headers.to().tag(), Some("1918181833n"));
    assert_eq!(headers.from().display(), &br#"J Rosenberg \""#[..]);
    assert_eq!(headers.from().tag(), Some("98asjd8"));
    assert_eq!(headers.max_forwards(), Some(68));
    assert_eq!((headers.cseq().number, &headers.cseq().method), (9, &Method::Invite));
    assert_eq!(headers.first(Name::Subject), Some(&b""[..]));
    assert_eq!(headers.named("unknownheaderwithunusualvalue").next(), Some(&b";;,,;;,;"[..]));
    let folded = headers.named("NewFangledHeader").next().unwrap();
    assert_eq!(folded, b"newfangled value   continued newfangled value");
    let vias: Vec<_> =
        headers.vias().map(|via| (via.transport(), via.host().as_str(), via.branch())).collect();
    assert_eq!(
        vias,
        [
            ("UDP", "192.0.2.2", Some("390skdjuw")),
            ("TCP", "spindle.example.com", Some("z9hG4bK9ikj8")),
            ("UDP", "192.168.255.111", Some("z9hG4bK30239")),
        ]
    );
    assert!(!headers.via().is_unique());
    let contact = headers.contact().unwrap();
    assert_eq!(contact.display(), &br#"Quoted string """#[..]);
    assert_eq!(contact.params().get("newparam").as_deref(), Some(&b"newvalue"[..]));
    assert_eq!(contact.params().get("q").as_deref(), Some(&b"0.33"[..]));
    let route = headers.addresses(Name::Route).next().unwrap();
    assert!(route.uri().params().has("lr") && route.uri().params().has("unknown-no-value"));
    assert_eq!(request.body().len(), 150);
    assert!(headers.content_type().unwrap().is("application", "sdp"));
}

#[test]
fn the_wide_range_of_characters_survives() {
    let request = request("intmeth");
    let headers = request.headers();
    assert_eq!(request.method().as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(headers.cseq().method, *request.method());
    assert_eq!(request.uri().host().unwrap().as_str(), "example.com");
    assert_eq!(request.uri().user(), Some("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    assert_eq!(headers.to().display(), &b"BEL:\x07 NUL:\0 DEL:\x7f"[..]);
    assert_eq!(headers.from().tag(), Some("_token~1'+`*%!-."));
    assert_eq!(headers.call_id(), "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(headers.via().branch(), Some("z9hG4bK-.!%66*_+`'~"));
    assert_eq!(headers.named("extensionHeader-!.%*+_`'~").count(), 1);
}

#[test]
fn escapes_are_undone_once_and_only_where_they_are_escapes() {
    let esc01 = request("esc01");
    assert_eq!(esc01.uri().user_unescaped().as_deref(), Some(&b"sips:user@example.com"[..]));
    assert_eq!(esc01.uri().host().unwrap().as_str(), "example.net");
    assert_eq!(esc01.headers().to().uri().number().as_deref(), Some(&b"user"[..]));
    let contact = esc01.headers().contact().unwrap().uri();
    assert_eq!(contact.number().as_deref(), Some(&b"caller"[..]));
    assert_eq!(contact.params().get("lr"), Some(""), "%6C%72 is lr");
    assert_eq!(contact.params().get("name"), Some("v%61lue%25%34%31"));

    let escnull = request("escnull");
    let users: Vec<_> = escnull
        .headers()
        .addresses(Name::Contact)
        .map(|contact| contact.uri().user_unescaped().unwrap().into_owned())
        .collect();
    assert_eq!(users, [&b"\0"[..], b"\0\0"]);

    let esc02 = request("esc02");
    assert_eq!(esc02.method().as_str(), "RE%47IST%45R");
    assert_eq!(esc02.headers().from().display(), &b"%Z%45"[..]);
    assert_eq!(esc02.headers().all(Name::Contact).count(), 2, "C%6Fntact is another name");
}

#[test]
fn octets_past_content_length_are_cut_from_a_datagram() {
    let request = request("dblreq");
    assert_eq!(*request.method(), Method::Register);
    assert!(request.body().is_empty());
}

#[test]
fn long_lists_and_strange_hops_are_whole() {
    let long = request("longreq");
    assert_eq!(long.headers().vias().count(), 34);
    assert_eq!(long.headers().via().branch(), None);
    assert_eq!(long.headers().vias().last().unwrap().received(), Some("192.0.2.5".parse().unwrap()));
    let transports = request("transports");
    let names: Vec<_> = transports.headers().vias().map(|via| via.transport()).collect();
    assert_eq!(names, ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]);
    let semicolon = request("semiuri");
    assert_eq!(semicolon.uri().user_unescaped().as_deref(), Some(&b"user;par=u@example.net"[..]));
    assert_eq!(semicolon.headers().tokens(Name::Accept).count(), 6);
}

#[test]
fn a_binary_body_is_kept_to_the_octet() {
    let request = request("mpart01");
    let file = vector("rfc4475/mpart01.dat");
    assert_eq!(request.body().len(), 553);
    assert!(file.ends_with(request.body()));
    assert!(request.body().contains(&0));
    assert_eq!(
        request.headers().content_type().unwrap().params.get("boundary").as_deref(),
        Some(&b"7a9cbec02ceef655"[..])
    );
}

#[test]
fn reason_phrases_are_octets_or_nothing() {
    let unusual = response("unreason");
    assert_eq!(unusual.status().code(), 200);
    assert!(unusual.reason().starts_with(b"= 2**3 * 5**2 \xd0\xbd\xd0\xbe"));
    assert_eq!(response("noreason").reason(), b"");
    assert_eq!(response("noreason").status().code(), 100);
}

#[test]
fn rfc_2543_is_still_read() {
    let request = request("inv2543");
    assert_eq!(request.headers().from().tag(), None);
    assert_eq!(request.headers().via().branch(), None);
    assert_eq!(request.headers().max_forwards(), None);
    assert_eq!(request.body().len(), 105, "without Content-Length the datagram is the message");
    let to = request.headers().to();
    assert_eq!((to.uri().as_str(), to.params().has("user")), ("sip:+16505552222@ss1.example.net", true));
}

#[test]
fn what_the_layers_above_refuse_can_be_told() {
    assert_eq!(request("unkscm").uri().scheme(), Scheme::Other);
    assert_eq!(request("novelsc").uri().scheme(), Scheme::Other);
    let unsupported = request("bext01");
    let required: Vec<_> = unsupported.headers().tokens(Name::Require).collect();
    assert_eq!(required, ["nothingSupportsThis", "nothingSupportsThisEither"]);
    assert!(request("invut").headers().content_type().unwrap().is("application", "unknownformat"));
    assert_eq!(request("sdp01").headers().tokens(Name::Accept).collect::<Vec<_>>(), ["text/nobodyKnowsThis"]);
    assert_eq!(response("bcast").headers().vias().count(), 2, "a response for us has one Via");
    assert_eq!(request("zeromf").headers().max_forwards(), Some(0));
    assert_eq!(request("unksm2").headers().to().uri().as_str(), "isbn:2983792873");
    let scheme =
        request("regaut01").headers().auths(Name::Authorization).next().map(|auth| auth.scheme.to_owned());
    assert_eq!(scheme.as_deref(), Some("NoOneKnowsThisScheme"));
}

#[test]
fn contact_parameters_belong_to_whom_the_brackets_say() {
    let header = request("cparam01");
    let contact = header.headers().contact().unwrap();
    assert!(contact.params().has("unknownparam") && !contact.uri().params().has("unknownparam"));
    let url = request("cparam02");
    let contact = url.headers().contact().unwrap();
    assert!(!contact.params().has("unknownparam") && contact.uri().params().has("unknownparam"));
    let escaped = request("regescrt");
    let headers: Vec<_> = escaped.headers().contact().unwrap().uri().headers().collect();
    assert_eq!(headers, [("Route", "%3Csip:sip.example.com%3E")]);
}

#[test]
fn ipv6_is_read_wherever_it_stands() {
    let ip = |text: &str| Some(text.parse().unwrap());
    let ambiguous = rfc5118("port-ambiguous");
    assert_eq!(ambiguous.uri().host().unwrap().ip(), ip("2001:db8::10:5070"));
    assert_eq!(ambiguous.uri().port(), None);
    let plain = rfc5118("port-unambiguous");
    assert_eq!((plain.uri().host().unwrap().ip(), plain.uri().port()), (ip("2001:db8::10"), Some(5070)));
    for name in ["via-received-param-with-delim", "via-received-param-no-delim"] {
        assert_eq!(rfc5118(name).headers().via().received(), ip("2001:db8::9:255"), "{name}");
    }
    let mixed = rfc5118("mult-ip-in-header");
    let hosts: Vec<_> = mixed.headers().vias().map(|via| via.host().ip()).collect();
    assert_eq!(hosts, [ip("2001:db8::9:1"), ip("192.0.2.1"), ip("2001:db8::9:255")]);
    let mapped = rfc5118("ipv4-mapped-ipv6");
    assert_eq!(mapped.headers().via().host().ip(), ip("::ffff:192.0.2.10"));
    for name in ["ipv6-bug-abnf-3-colons", "ipv6-correct-abnf-2-colons"] {
        assert_eq!(rfc5118(name).uri().host().unwrap().ip(), ip("2001:db8::192.0.2.1"), "{name}");
    }
}

#[test]
fn a_stream_waits_for_what_content_length_promises_and_gives_up_where_it_cannot_be_trusted() {
    let frame = |name: &str| {
        let mut framer = Framer::new();
        framer.push(&vector(&format!("rfc4475/{name}.dat")));
        framer.next_frame()
    };
    assert_eq!(frame("clerr"), None);
    assert_eq!(frame("ncl"), Some(Err(FramingError::ContentLength)));
    assert_eq!(frame("mcl01"), Some(Err(FramingError::ContentLength)));
    assert_eq!(frame("inv2543"), Some(Err(FramingError::NoContentLength)));
}
