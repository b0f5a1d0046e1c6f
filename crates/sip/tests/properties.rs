//! What must hold for every message of a kind, tried on many of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod invariants;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use sip::{Compose, Frame, Framer, Message, Method, Name, NameAddr, Request, Transport, Uri, ViaHop, parse};

/// The same messages each time: a failure is found again by running the test again.
fn config(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(3261), failure_persistence: None, ..Config::default() }
}

/// A request, as values.
#[derive(Debug, Clone)]
struct Model {
    method: String,
    uri: String,
    from: String,
    to: String,
    display: String,
    tags: (String, Option<String>),
    branch: String,
    call_id: String,
    cseq: u32,
    hops: u8,
    others: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,20}"
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9_-]{0,8}(\\.[a-z][a-z0-9-]{0,8}){0,3}",
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        any::<[u8; 16]>().prop_map(|ip| format!("[{}]", std::net::Ipv6Addr::from(ip))),
    ]
}

fn uri() -> impl Strategy<Value = String> {
    let user = "([a-zA-Z0-9_.!~*'()&=+$,;?/#-]|%[0-9A-Fa-f]{2}){1,20}(:[a-zA-Z0-9&=+$,-]{0,8})?";
    let params =
        vec(("[a-z]{1,4}", proptest::option::of("[a-zA-Z0-9/:&+$.-]{1,8}")), 0..4).prop_map(|params| {
            let named = |(place, (name, value)): (usize, (String, Option<String>))| match value {
                Some(value) => format!(";{name}{place}={value}"),
                None => format!(";{name}{place}"),
            };
            params.into_iter().enumerate().map(named).collect::<String>()
        });
    let sip = (
        select(vec!["sip", "sips", "SIP"]),
        proptest::option::of(user),
        host(),
        any::<Option<u16>>(),
        params,
    );
    prop_oneof![
        4 => sip.prop_map(|(scheme, user, host, port, params)| {
            let user = user.map(|user| format!("{user}@")).unwrap_or_default();
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}:{user}{host}{port}{params}")
        }),
        1 => "tel:\\+?[0-9*#().-]{1,15}(;phone-context=\\+[0-9]{1,4})?",
        1 => "[a-z][a-z0-9+.-]{0,6}:[a-zA-Z0-9/:?=.]{1,20}".prop_filter("of a scheme we know", |uri| {
            !["sip", "sips", "tel"].contains(&uri.split(':').next().unwrap())
        }),
    ]
}

/// Octets that are a value: no control, no blank at either end.
fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>().prop_filter("controls", |octet| !octet.is_ascii_control()), 0..60)
        .prop_map(|octets| octets.trim_ascii().to_vec())
}

fn model() -> impl Strategy<Value = Model> {
    let method = prop_oneof![
        select(vec!["INVITE", "BYE", "OPTIONS", "PRACK", "REGISTER"]).prop_map(str::to_owned),
        token().prop_filter("an ACK is not answered", |method| method != "ACK"),
    ];
    let addresses = (uri(), uri(), uri(), "[^\\p{C}]{0,20}", (token(), proptest::option::of(token())));
    let others = vec(("X-[a-zA-Z0-9-]{1,20}", value()), 0..8);
    (method, addresses, (token(), "[!-~]{1,40}"), any::<(u32, u8)>(), others, vec(any::<u8>(), 0..200))
        .prop_map(
            |(method, (uri, from, to, display, tags), (branch, call_id), (cseq, hops), others, body)| Model {
                method,
                uri,
                from,
                to,
                display,
                tags,
                branch,
                call_id,
                cseq,
                hops,
                others,
                body,
            },
        )
}

impl Model {
    fn written(&self) -> Bytes {
        let method = Method::parse(self.method.as_bytes()).unwrap();
        let [uri, from, to] = [&self.uri, &self.from, &self.to].map(|uri| Uri::parse(uri).unwrap());
        let via = ViaHop { transport: Transport::Udp, sent_by: "192.0.2.1:5060", branch: &self.branch };
        let from = NameAddr { display: Some(&self.display), uri: from.parts(), tag: Some(&self.tags.0) };
        let to = NameAddr { display: None, uri: to.parts(), tag: self.tags.1.as_deref() };
        let mut written = Compose::request(&method, &uri)
            .header(Name::Via, via)
            .header(Name::From, from)
            .header(Name::To, to)
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format_args!("{} {}", self.cseq, self.method))
            .header(Name::MaxForwards, self.hops);
        for (name, value) in &self.others {
            written = written.extension(name, &value[..]);
        }
        written.body("application/octet-stream", &self.body)
    }

    /// The same in the worst hand: compact names in odd case, blanks and folds wherever they may stand.
    fn scrawled(&self, blanks: &[&str]) -> Bytes {
        let mut turn = blanks.iter().cycle();
        let mut lws = || *turn.next().unwrap();
        let mut head = format!("\r\n{} {} SIP/2.0\r\n", self.method, self.uri).into_bytes();
        let to_tag = self
            .tags
            .1
            .as_ref()
            .map(|tag| format!("{};{}TAG{}={}{tag}", lws(), lws(), lws(), lws()))
            .unwrap_or_default();
        let display = self.display.replace('\\', "\\\\").replace('"', "\\\"");
        let lines = [
            format!("L :{}{}{}", lws(), self.body.len(), lws()),
            format!("t\t:{}<{}>{to_tag}{}", lws(), self.to, lws()),
            format!("mAX-fORWARDS:{}00{}", lws(), self.hops),
            format!(
                "V:{}SIP{}/{}2.0/ UDP{} 192.0.2.1{}:{}5060{};rport{};branch{}={}z9hG4bK{}",
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                lws(),
                self.branch
            ),
            format!("cseq:{}{}{} {}", lws(), self.cseq, lws(), self.method),
            format!("F:{}\"{display}\"{}<{}>{};{}tag={}", lws(), lws(), self.from, lws(), lws(), self.tags.0),
            format!("i:{}{}{}", lws(), self.call_id, lws()),
        ];
        for line in lines {
            head.extend_from_slice(line.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        for (name, value) in &self.others {
            head.extend_from_slice(format!("{name}:{}", lws()).as_bytes());
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(&self.body);
        head.into()
    }

    fn check(&self, request: &Request) {
        let headers = request.headers();
        assert_eq!((request.method().as_str(), request.uri().as_str()), (&self.method[..], &self.uri[..]));
        assert_eq!(
            (headers.from().uri().as_str(), headers.from().tag()),
            (&self.from[..], Some(&self.tags.0[..]))
        );
        assert_eq!((headers.to().uri().as_str(), headers.to().tag()), (&self.to[..], self.tags.1.as_deref()));
        assert_eq!(&headers.from().display()[..], self.display.as_bytes());
        assert_eq!(headers.via().branch(), Some(&format!("z9hG4bK{}", self.branch)[..]));
        assert_eq!((headers.via().host().as_str(), headers.via().port()), ("192.0.2.1", Some(5060)));
        assert_eq!(headers.via().rport(), Some(None));
        assert_eq!((headers.call_id(), headers.max_forwards()), (&self.call_id[..], Some(self.hops)));
        assert_eq!((headers.cseq().number, headers.cseq().method.as_str()), (self.cseq, &self.method[..]));
        let others: Vec<_> = headers.iter().filter(|(name, _)| name.starts_with("X-")).collect();
        assert_eq!(
            others,
            self.others.iter().map(|(name, value)| (&name[..], &value[..])).collect::<Vec<_>>()
        );
        assert_eq!(&request.body()[..], self.body);
    }
}

fn read(octets: Bytes) -> Request {
    match parse(octets.clone()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}: {octets:?}"),
    }
}

fn blanks() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["", " ", "\t", "  ", "\r\n ", " \r\n\t", "\r\n \r\n "]), 1..12)
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn what_is_written_is_read_back(model in model()) {
        model.check(&read(model.written()));
        invariants::message(&model.written());
    }

    #[test]
    fn however_it_is_spelled_a_message_says_the_same(model in model(), blanks in blanks()) {
        model.check(&read(model.scrawled(&blanks)));
        invariants::message(&model.scrawled(&blanks));
    }

    #[test]
    fn messages_come_out_of_a_stream_as_they_went_in(models in vec(model(), 1..4), sizes in vec(1..400usize, 1..20)) {
        let messages: Vec<Bytes> = models.iter().map(Model::written).collect();
        let stream = messages.concat();
        let mut framer = Framer::new();
        let mut found = Vec::new();
        let mut rest = &stream[..];
        for size in sizes.iter().cycle() {
            let (part, after) = rest.split_at(rest.len().min(*size));
            framer.push(part);
            found.extend(std::iter::from_fn(|| framer.next_frame()));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, messages.into_iter().map(|message| Ok(Frame::Message(message))).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_message_breaks_nothing(
        model in model(),
        blanks in blanks(),
        damage in vec((any::<prop::sample::Index>(), select(b"\r\n \t:;,<>\"\\@%=[]?\0\xff0Az".to_vec()), 0..3u8), 1..6),
    ) {
        let mut octets = model.scrawled(&blanks).to_vec();
        for (place, octet, how) in damage {
            let place = place.index(octets.len());
            match how {
                0 => octets[place] = octet,
                1 => octets.insert(place, octet),
                _ => drop(octets.remove(place)),
            }
        }
        invariants::message(&octets);
        invariants::framer(&octets);
    }

    #[test]
    fn a_uri_is_written_back_and_is_itself(uri in uri()) {
        prop_assert_eq!(Uri::parse(&uri).unwrap().to_string(), &uri[..]);
        invariants::uri(uri.as_bytes());
    }
}
