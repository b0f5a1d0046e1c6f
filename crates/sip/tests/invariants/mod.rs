//! What must hold for any octets whatever. The fuzz targets of `tests/fuzz` call these, and so do the tests that
//! replay their corpora.

#![allow(dead_code, reason = "each that includes this file calls some of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::SocketAddr;

use bytes::Bytes;
use sip::{
    Compose, Fault, Frame, Framer, FramingError, Headers, Message, Method, Name, Status, UriRef, parse,
};

fn source() -> SocketAddr {
    "192.0.2.9:5062".parse().unwrap()
}

/// A datagram is read or refused; what was read answers every question and is written back to the same.
pub(crate) fn message(octets: &[u8]) {
    match parse(Bytes::copy_from_slice(octets)) {
        Ok(message) => {
            ask_everything(message.headers());
            written_back(&message);
            answered(&message);
        }
        Err(malformed) => {
            assert!(malformed.at() <= octets.len());
            if let Some(refusal) = malformed.refusal(source()) {
                assert!(refusal.starts_with(b"SIP/2.0 "));
                is_one_frame(&refusal);
            }
        }
    }
}

/// A stream is cut alike in one piece and in parts whose sizes the first octet decides.
pub(crate) fn framer(octets: &[u8]) {
    let Some((size, stream)) = octets.split_first() else { return };
    if stream.len() > sip::limits::MESSAGE {
        return;
    }
    let mut framer = Framer::new();
    framer.push(stream);
    let whole = frames(&mut framer);
    let mut framer = Framer::new();
    let mut parts = Vec::new();
    for part in stream.chunks(usize::from(*size).max(1)) {
        framer.push(part);
        parts.extend(frames(&mut framer));
    }
    assert_eq!(whole, parts);
    let mut total = 0;
    for frame in whole.into_iter().flatten() {
        match frame {
            Frame::Ping => total += 4,
            Frame::Message(octets) => {
                total += octets.len();
                let again = parse(octets.clone());
                let lengths = [Fault::Short, Fault::Unfinished, Fault::Missing(Name::ContentLength)];
                assert!(!again.is_err_and(|malformed| lengths.contains(&malformed.fault())), "{octets:?}");
            }
        }
    }
    assert!(total <= stream.len());
}

/// A URI that is read is written back to the letter, is itself, and has its parts in it.
pub(crate) fn uri(octets: &[u8]) {
    let Ok(uri) = UriRef::parse(octets) else { return };
    assert_eq!(uri.to_string().as_bytes(), octets);
    assert!(uri.is_equivalent(&uri.to_uri().parts()));
    for part in
        [uri.user(), uri.password(), uri.host().map(|host| host.as_str()), Some(uri.params().as_str())]
    {
        assert!(part.is_none_or(|part| uri.as_str().contains(part)));
    }
    let plain = uri.user_unescaped().map_or(0, |user| user.len());
    assert!(plain <= uri.user().map_or(0, str::len));
    for (name, value) in uri.params().iter() {
        assert!(uri.params().has(name));
        assert!(value.is_none_or(|value| uri.as_str().contains(value)));
    }
    assert!(uri.number_params().iter().all(|(name, _)| uri.as_str().contains(name)));
    let _ = (uri.number(), uri.host().and_then(|host| host.ip()), uri.headers().count());
}

fn frames(framer: &mut Framer) -> Vec<Result<Frame, FramingError>> {
    std::iter::from_fn(|| framer.next_frame()).collect()
}

fn is_one_frame(octets: &Bytes) {
    // What is refused may be as long as a message can be, and the refusal a little longer.
    if octets.len() > sip::limits::MESSAGE {
        return;
    }
    let mut framer = Framer::new();
    framer.push(octets);
    assert_eq!(frames(&mut framer), [Ok(Frame::Message(octets.clone()))]);
}

fn ask_everything(headers: &Headers) {
    for via in headers.vias() {
        let _ = (via.branch(), via.received(), via.rport(), via.host().ip(), via.port(), via.transport());
    }
    for address in [headers.from(), headers.to()] {
        let _ = (address.display(), address.tag(), address.params().iter().count());
        uri(address.uri().as_str().as_bytes());
    }
    assert!(!headers.call_id().is_empty());
    assert!(headers.max_forwards().is_none() || headers.has(Name::MaxForwards));
    for name in [Name::Contact, Name::Route, Name::RecordRoute, Name::PAssertedIdentity, Name::Subject] {
        assert!(headers.addresses(name).count() <= 65_535);
        assert!(headers.tokens(name).count() <= headers.items(name).count());
        assert!(headers.auths(name).all(|auth| !auth.scheme.is_empty() && auth.get("").is_none()));
    }
    let _ = (headers.contact(), headers.contact_is_star(), headers.content_type(), headers.replaces());
    let _ = (
        headers.q850(),
        headers.retry_after(),
        headers.expires(),
        headers.session_expires(),
        headers.min_se(),
    );
    let _ = (headers.rseq(), headers.rack(), headers.privacy().count(), headers.min_expires());
    assert_eq!(headers.named("x-foo").count(), headers.named("X-FOO").count());
}

/// Whether writing makes something else of a value: a control octet becomes a space.
fn has_controls(message: &Message) -> bool {
    message
        .headers()
        .iter()
        .any(|(_, value)| value.iter().any(|octet| octet.is_ascii_control() && *octet != b'\t'))
}

fn written_back(message: &Message) {
    let mut written = match message {
        Message::Request(request) => Compose::request(request.method(), request.uri()),
        Message::Response(response) => Compose::response(response.status()),
    };
    for (name, value) in message.headers().iter() {
        if !matches!(Name::parse(name.as_bytes()), Some(Name::ContentType | Name::ContentLength)) {
            written = written.extension(name, value);
        }
    }
    let content_type = message.headers().first(Name::ContentType);
    let octets = match content_type {
        Some(content_type) => written.body(content_type, message.body()),
        None if message.body().is_empty() => written.end(),
        None => written.body("application/octet-stream", message.body()),
    };
    match parse(octets.clone()) {
        // A blank after each colon and a Content-Length may be one too many.
        Err(malformed)
            if matches!(malformed.fault(), Fault::TooLong | Fault::LineTooLong | Fault::TooMany) => {}
        Ok(again) if has_controls(message) => drop(again),
        Ok(again) => {
            is_one_frame(&octets);
            same(message, &again);
        }
        Err(malformed) if !has_controls(message) => panic!("{malformed}: {octets:?}"),
        Err(_) => {}
    }
}

/// Everything but Content-Length and Content-Type, which are written last.
fn fields(message: &Message) -> Vec<(&str, &[u8])> {
    let ours =
        |name: &str| matches!(Name::parse(name.as_bytes()), Some(Name::ContentType | Name::ContentLength));
    message.headers().iter().filter(|(name, _)| !ours(name)).collect()
}

fn same(one: &Message, other: &Message) {
    match (one, other) {
        (Message::Request(one), Message::Request(other)) => {
            assert_eq!((one.method(), one.uri().as_str()), (other.method(), other.uri().as_str()));
        }
        (Message::Response(one), Message::Response(other)) => assert_eq!(one.status(), other.status()),
        (one, other) => panic!("{one:?} became {other:?}"),
    }
    assert_eq!(fields(one), fields(other));
    assert_eq!(one.headers().cseq(), other.headers().cseq());
    assert_eq!(one.body(), other.body());
}

fn answered(message: &Message) {
    let Message::Request(request) = message else { return };
    if *request.method() == Method::Ack || has_controls(message) {
        return;
    }
    let octets =
        Compose::answer(request, Status::OK, Some("ours"), source()).copied(request, Name::RecordRoute).end();
    let answer = match parse(octets.clone()) {
        Ok(Message::Response(answer)) => answer,
        Ok(Message::Request(_)) => panic!("an answer became a request: {octets:?}"),
        // `received`, `rport` and the tag may be a little too much.
        Err(malformed) if matches!(malformed.fault(), Fault::TooLong | Fault::LineTooLong) => return,
        Err(malformed) => panic!("{malformed}: {octets:?}"),
    };
    let (asked, told) = (request.headers(), answer.headers());
    assert_eq!((asked.via().branch(), asked.via().host()), (told.via().branch(), told.via().host()));
    assert_eq!(asked.vias().count(), told.vias().count());
    assert_eq!(asked.first(Name::From), told.first(Name::From));
    assert_eq!((asked.call_id(), asked.cseq()), (told.call_id(), told.cseq()));
    assert_eq!(asked.to().uri().as_str(), told.to().uri().as_str());
    assert_eq!(told.to().tag(), asked.to().tag().or(Some("ours")));
}
