//! Messages that trunks and attackers send and that readers of SIP are known to get wrong.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use bytes::Bytes;
use sip::{Fault, Message, Method, Name, Request, Response, limits, parse};

/// An OPTIONS whose start line and header fields are replaced or added to.
struct Draft {
    start: &'static [u8],
    lines: Vec<Vec<u8>>,
    body: Vec<u8>,
}

fn draft() -> Draft {
    let lines = [
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: c@192.0.2.1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
    ];
    Draft {
        start: b"INVITE sip:b@example.com SIP/2.0",
        lines: lines.map(|line| line.as_bytes().to_vec()).to_vec(),
        body: Vec::new(),
    }
}

impl Draft {
    fn start(mut self, start: &'static str) -> Self {
        self.start = start.as_bytes();
        self
    }

    /// Puts a line in the place of the one of this name, or at the end.
    fn line(mut self, line: impl AsRef<[u8]>) -> Self {
        let line = line.as_ref();
        let name = |line: &[u8]| line.split(|octet| *octet == b':').next().unwrap().to_vec();
        match self.lines.iter_mut().find(|other| name(other) == name(line)) {
            Some(other) => *other = line.to_vec(),
            None => self.lines.push(line.to_vec()),
        }
        self
    }

    fn more(mut self, line: impl AsRef<[u8]>) -> Self {
        self.lines.push(line.as_ref().to_vec());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.lines.retain(|line| !line.starts_with(name.as_bytes()));
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    fn octets(&self) -> Vec<u8> {
        let mut octets = self.start.to_vec();
        for line in &self.lines {
            octets.extend_from_slice(b"\r\n");
            octets.extend_from_slice(line);
        }
        octets.extend_from_slice(b"\r\n\r\n");
        octets.extend_from_slice(&self.body);
        octets
    }

    fn request(&self) -> Request {
        match parse(self.octets().into()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn fault(&self) -> Option<Fault> {
        fault(self.octets())
    }
}

fn fault(octets: Vec<u8>) -> Option<Fault> {
    parse(octets.into()).err().map(|malformed| malformed.fault())
}

fn response(octets: &'static str) -> Response {
    match parse(Bytes::from_static(octets.as_bytes())) {
        Ok(Message::Response(response)) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_plain_invite_is_read() {
    let request = draft().line("Content-Length: 3").body(b"v=0").request();
    assert_eq!((request.method(), request.uri().as_str()), (&Method::Invite, "sip:b@example.com"));
    assert_eq!(&request.body()[..], b"v=0");
}

#[test]
fn without_content_length_the_datagram_is_the_body() {
    assert_eq!(&draft().body(b"v=0\r\n\r\nrest").request().body()[..], b"v=0\r\n\r\nrest");
}

#[test]
fn compact_forms_are_the_names_they_stand_for() {
    let request = Draft { lines: Vec::new(), ..draft() }
        .line("v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .line("f: <sip:a@example.com>;tag=1")
        .line("t: <sip:b@example.com>")
        .line("i: c@192.0.2.1")
        .line("CSeq: 1 INVITE")
        .line("m: <sip:a@192.0.2.1>")
        .line("c: application/sdp")
        .line("k: timer, 100rel")
        .line("s: hello")
        .line("l: 2")
        .body(b"xyz")
        .request();
    let headers = request.headers();
    assert_eq!(headers.call_id(), "c@192.0.2.1");
    assert_eq!(headers.contact().unwrap().uri().as_str(), "sip:a@192.0.2.1");
    assert!(headers.has_token(Name::Supported, "100rel"));
    assert_eq!(headers.first(Name::Subject), Some(&b"hello"[..]));
    assert_eq!(&request.body()[..], b"xy");
}

#[test]
fn folded_lines_are_one() {
    let request = draft()
        .line("Subject: I know\r\n you're there,\r\n\t pick up")
        .line("From: <sip:a@example.com>\r\n ;tag=9")
        .request();
    assert_eq!(request.headers().first(Name::Subject).unwrap(), b"I know   you're there,  \t pick up");
    assert_eq!(request.headers().from().tag(), Some("9"));
}

#[test]
fn a_comma_list_of_hops_is_two_hops() {
    let request = draft()
        .line("Via: SIP/2.0/UDP a.example;branch=z9hG4bKa, SIP/2.0/TCP b.example;branch=z9hG4bKb")
        .request();
    let branches: Vec<_> = request.headers().vias().map(|via| via.branch()).collect();
    assert_eq!(branches, [Some("z9hG4bKa"), Some("z9hG4bKb")]);
}

#[test]
fn commas_quotes_and_brackets_in_a_display_name_divide_nothing() {
    let request = draft()
        .line(r#"Contact: "Smith, <John>; \" > " <sip:j@example.com>;q=0.1, <sip:k@example.com>"#)
        .line(r#"From: "a \" > b" <sip:a@example.com>;tag=1"#)
        .request();
    let uris: Vec<_> =
        request.headers().addresses(Name::Contact).map(|contact| contact.uri().as_str()).collect();
    assert_eq!(uris, ["sip:j@example.com", "sip:k@example.com"]);
    assert_eq!(request.headers().from().display(), &br#"a " > b"#[..]);
}

#[test]
fn without_brackets_the_tag_is_the_headers() {
    let request = draft().line("From: sip:a@example.com;tag=7").request();
    assert_eq!(
        (request.headers().from().uri().as_str(), request.headers().from().tag()),
        ("sip:a@example.com", Some("7"))
    );
    let request = draft().line("From: <sip:a@example.com> ; tag = 8").request();
    assert_eq!(request.headers().from().tag(), Some("8"));
}

#[test]
fn tel_uris_are_read_in_every_place() {
    let request = draft()
        .start("INVITE tel:+79991112233;phone-context=example.com SIP/2.0")
        .line("From: <tel:+79992223344>;tag=1")
        .line("To: tel:112;tag=2")
        .request();
    assert_eq!(request.uri().number().as_deref(), Some(&b"+79991112233"[..]));
    assert_eq!(request.uri().number_params().get("phone-context"), Some("example.com"));
    assert_eq!(request.headers().from().uri().number().as_deref(), Some(&b"+79992223344"[..]));
    assert_eq!(request.headers().to().tag(), Some("2"));
}

#[test]
fn unknown_methods_are_kept_and_case_matters() {
    for method in ["FOO", "invite"] {
        let start = if method == "FOO" {
            "FOO sip:b@example.com SIP/2.0"
        } else {
            "invite sip:b@example.com SIP/2.0"
        };
        let request = draft().start(start).line(format!("CSeq: 1 {method}")).request();
        assert_eq!(request.method().as_str(), method);
        assert_ne!(*request.method(), Method::Invite);
    }
}

#[test]
fn line_ends_before_the_start_line_are_skipped_and_alone_are_no_message() {
    let mut octets = b"\r\n\r\n\r\n".to_vec();
    octets.extend(draft().octets());
    assert!(parse(octets.into()).is_ok());
    for keep_alive in [&b""[..], b"\r\n", b"\r\n\r\n"] {
        assert_eq!(fault(keep_alive.to_vec()), Some(Fault::KeepAlive));
    }
    assert_eq!(fault(b"\0\0\0\0".to_vec()), Some(Fault::Unfinished));
}

#[test]
fn line_ends_are_cr_and_lf_together() {
    let text = String::from_utf8(draft().octets()).unwrap();
    assert_eq!(fault(text.replace("\r\n", "\n").into()), Some(Fault::LineEnd));
    assert_eq!(draft().line("Subject: a\nX-Evil: b").fault(), Some(Fault::LineEnd));
    assert_eq!(draft().line("Subject: a\rX-Evil: b").fault(), Some(Fault::LineEnd));
    assert_eq!(draft().line("Subject: a\r\r\n b").fault(), Some(Fault::LineEnd));
}

#[test]
fn octets_above_ascii_survive_where_text_may_stand() {
    let request =
        draft().line(b"From: \"J\xf6rg\" <sip:a@example.com>;tag=1").line(b"Subject: \xff\xfe").request();
    assert_eq!(request.headers().from().display(), &b"J\xf6rg"[..]);
    assert_eq!(request.headers().first(Name::Subject), Some(&b"\xff\xfe"[..]));
}

#[test]
fn uris_are_written_back_as_they_were_read() {
    for uri in [
        "sip:%2B49%40x@example.com",
        "sip:*21#@example.com",
        "sip:b@my_host.example.com",
        "sip:+495;phone-context=+49;npdi;rn=+496@example.com;user=phone;Foo=Bar;lr",
        "sip:b@[2001:db8::1]:5061;transport=TLS",
        "SIP:b@EXAMPLE.com",
    ] {
        let mut octets = format!("INVITE {uri} SIP/2.0\r\n").into_bytes();
        octets.extend_from_slice(draft().octets().splitn(2, |octet| *octet == b'\n').nth(1).unwrap());
        let Ok(Message::Request(request)) = parse(octets.into()) else { panic!("{uri}") };
        assert_eq!(request.uri().to_string(), uri);
        assert_eq!(request.uri().to_uri().to_string(), uri);
    }
}

#[test]
fn an_empty_list_has_nothing_in_it() {
    let request = draft().line("Supported:").request();
    assert!(request.headers().has(Name::Supported));
    assert_eq!(request.headers().tokens(Name::Supported).count(), 0);
}

#[test]
fn a_contact_may_be_a_star() {
    let request = draft().line("Contact: *").request();
    assert!(request.headers().contact_is_star());
    assert!(request.headers().contact().is_none());
    assert!(!draft().line("Contact: <sip:*@example.com>").request().headers().contact_is_star());
}

#[test]
fn cseq_has_32_bits() {
    assert_eq!(draft().line("CSeq: 4294967295 INVITE").request().headers().cseq().number, u32::MAX);
    assert_eq!(draft().line("CSeq: 4294967296 INVITE").fault(), Some(Fault::Invalid(Name::CSeq)));
}

#[test]
fn order_repetition_and_case_of_other_headers_are_kept() {
    let request = draft().more("X-Foo: 1").more("x-fOO: 2").more("X-Bar: 3").request();
    let names: Vec<_> = request.headers().iter().map(|(name, _)| name).collect();
    assert_eq!(names[..3], ["Via", "From", "To"]);
    assert_eq!(names[names.len() - 3..], ["X-Foo", "x-fOO", "X-Bar"]);
    assert_eq!(request.headers().named("X-FOO").collect::<Vec<_>>(), [&b"1"[..], b"2"]);
}

#[test]
fn bodies_are_octets_of_any_size() {
    let binary = [0, 0xff, b'\r', b'\n', b'\r', b'\n', 0];
    assert_eq!(&draft().line("Content-Length: 7").body(&binary).request().body()[..], binary);
    let large = vec![b'x'; 60_000];
    assert_eq!(draft().line("Content-Length: 60000").body(&large).request().body().len(), 60_000);
}

#[test]
fn status_and_words_of_a_response_are_kept() {
    const REST: &str = "\r\nVia: SIP/2.0/UDP a\r\nFrom: sip:a@b;tag=1\r\nTo: sip:c@d\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let custom = response(
        "SIP/2.0 486 Nobody Home\r\nVia: SIP/2.0/UDP a\r\nFrom: sip:a@b;tag=1\r\nTo: sip:c@d\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
    );
    assert_eq!((custom.status().code(), custom.reason()), (486, &b"Nobody Home"[..]));
    for (line, code) in
        [("SIP/2.0 299 Odd", 299), ("SIP/2.0 604 Nowhere", 604), ("sip/2.0 200", 200), ("SIP/2.0 183 ", 183)]
    {
        let Ok(Message::Response(response)) = parse(format!("{line}{REST}").into()) else { panic!("{line}") };
        assert_eq!(response.status().code(), code);
    }
    for line in [
        "SIP/2.0 99 Low",
        "SIP/2.0 700 High",
        "SIP/2.0 2000 Long",
        "SIP/2.0 20",
        "SIP/2.0 20x",
        "SIP/2.0  200",
    ] {
        assert_eq!(fault(format!("{line}{REST}").into()), Some(Fault::StatusCode), "{line}");
    }
    assert_eq!(fault(format!("SIP/3.0 200 OK{REST}").into()), Some(Fault::Version));
}

#[test]
fn header_fields_are_counted() {
    let vias =
        |count: usize| (1..count).fold(draft(), |draft, i| draft.more(format!("Via: SIP/2.0/UDP h{i}")));
    assert_eq!(vias(limits::SAME_HEADERS).request().headers().vias().count(), limits::SAME_HEADERS);
    assert_eq!(vias(limits::SAME_HEADERS + 1).fault(), Some(Fault::TooMany));
    let listed = |count: usize| {
        let hops: Vec<_> = (0..count).map(|i| format!("SIP/2.0/UDP h{i}")).collect();
        draft().line(format!("Via: {}", hops.join(",")))
    };
    assert_eq!(listed(limits::SAME_HEADERS).request().headers().vias().count(), limits::SAME_HEADERS);
    assert_eq!(listed(limits::SAME_HEADERS + 1).fault(), Some(Fault::TooMany));
    let base = draft().lines.len();
    let others = |count: usize| (base..count).fold(draft(), |draft, i| draft.more(format!("X-{i}: y")));
    assert_eq!(others(limits::HEADERS).request().headers().iter().count(), limits::HEADERS);
    assert_eq!(others(limits::HEADERS + 1).fault(), Some(Fault::TooMany));
}

#[test]
fn lines_and_messages_are_measured() {
    let subject =
        |length: usize| draft().line(format!("Subject: {}", "x".repeat(length - "Subject: ".len())));
    assert_eq!(subject(limits::LINE).fault(), None);
    assert_eq!(subject(limits::LINE + 1).fault(), Some(Fault::LineTooLong));
    let folded = format!("Subject: x{}", "\r\n x".repeat(limits::LINE / 4));
    assert_eq!(draft().line(folded).fault(), Some(Fault::LineTooLong));
    let padding = |length: usize| draft().body(&vec![b'x'; length - draft().octets().len()]);
    assert_eq!(padding(limits::MESSAGE).fault(), None);
    assert_eq!(padding(limits::MESSAGE + 1).fault(), Some(Fault::TooLong));
}

#[test]
fn a_header_that_one_reader_sees_and_another_does_not_is_refused() {
    for line in [
        &b"no colon"[..],
        b": no name",
        b"To\x0b: <sip:evil@example.com>",
        b"T\0o: x",
        b"X Y: z",
        b"X\r\n : z",
        b"\xd0\xa2o: x",
    ] {
        assert_eq!(draft().more(line).fault(), Some(Fault::HeaderName), "{line:?}");
    }
    assert_eq!(
        draft().line("Max-Forwards \t : 5").more("").fault(),
        Some(Fault::Repeated(Name::MaxForwards))
    );
    let first_is_folded = String::from_utf8(draft().octets()).unwrap().replacen("\r\n", "\r\n ", 1);
    assert_eq!(fault(first_is_folded.into()), Some(Fault::HeaderName));
}

#[test]
fn what_may_stand_once_is_refused_twice() {
    for line in
        ["Call-ID: d", "i: d", "CSeq: 1 INVITE", "From: <sip:x@y>;tag=3", "t: <sip:x@y>", "Max-Forwards: 70"]
    {
        let name = Name::parse(line.split(':').next().unwrap().as_bytes()).unwrap();
        assert_eq!(draft().more(line).fault(), Some(Fault::Repeated(name)), "{line}");
    }
    for lengths in [["Content-Length: 0", "Content-Length: 5"], ["Content-Length: 0", "l: 0"]] {
        let twice = draft().more(lengths[0]).more(lengths[1]).body(b"12345");
        assert_eq!(twice.fault(), Some(Fault::Repeated(Name::ContentLength)));
    }
}

#[test]
fn what_must_be_there_is_missed() {
    for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
        let expected = Name::parse(name.as_bytes()).unwrap();
        assert_eq!(draft().without(name).fault(), Some(Fault::Missing(expected)));
    }
    assert_eq!(draft().without("Max-Forwards").fault(), None);
}

#[test]
fn what_decides_must_be_well_formed() {
    for line in [
        "Max-Forwards: 256",
        "Max-Forwards: x",
        "Max-Forwards:",
        "Contact: <sip:a@b",
        "Contact: *, <sip:a@b>",
        "Record-Route: sip:",
        "Route: <sip:a@b>,",
        "Content-Type: sdp",
        "Content-Length: +1",
        "Content-Length: 0x1",
        "Content-Length:",
        "Call-ID:",
        "Call-ID: a b",
    ] {
        let name = Name::parse(line.split(':').next().unwrap().as_bytes()).unwrap();
        assert_eq!(draft().line(line).fault(), Some(Fault::Invalid(name)), "{line}");
    }
}

#[test]
fn what_decides_nothing_may_be_nonsense() {
    let request = draft()
        .line("Session-Expires: soon")
        .line("P-Asserted-Identity: <sip:")
        .line(b"X-Nul: a\0b")
        .request();
    assert_eq!(request.headers().session_expires(), None);
    assert_eq!(request.headers().addresses(Name::PAssertedIdentity).count(), 0);
    assert_eq!(request.headers().named("X-Nul").next(), Some(&b"a\0b"[..]));
}

#[test]
fn identity_and_reasons_are_read_from_lists_and_lines() {
    let request = draft()
        .line("P-Asserted-Identity: \"A, B\" <sip:+79991112233@example.com>, <tel:+79991112233>")
        .line("Privacy: id;user , critical")
        .line("Reason: SIP;cause=487;text=\"a, b\"")
        .more("Reason: Q.850 ;cause=16")
        .line("Min-SE: 90")
        .line("Retry-After: 5 (busy)")
        .line("Diversion: <tel:+79990000000>;reason=unconditional")
        .request();
    let headers = request.headers();
    let identities: Vec<_> = headers.addresses(Name::PAssertedIdentity).map(|a| a.uri().as_str()).collect();
    assert_eq!(identities, ["sip:+79991112233@example.com", "tel:+79991112233"]);
    assert_eq!(headers.privacy().collect::<Vec<_>>(), ["id", "user", "critical"]);
    assert_eq!(headers.q850(), Some(16));
    assert_eq!(headers.reasons().next().and_then(|reason| reason.cause()), Some(487));
    assert_eq!((headers.min_se(), headers.retry_after()), (Some(90), Some(5)));
    let diversion = headers.addresses(Name::Diversion).next().unwrap();
    assert_eq!(diversion.params().get("reason").as_deref(), Some(&b"unconditional"[..]));
}
