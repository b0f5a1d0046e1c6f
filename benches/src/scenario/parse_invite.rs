//! Reads an INVITE of 879 octets with 14 header fields and a session description, and everything of it that decides
//! what becomes of the call.

use std::hint::black_box;

use bytes::Bytes;
use sip::{Message, Name, parse};

const INVITE: &[u8] = include_bytes!("../../messages/invite.sip");

pub(crate) fn run(rounds: u64) {
    let octets = Bytes::copy_from_slice(INVITE);
    for _ in 0..rounds {
        match parse(black_box(&octets).clone()) {
            Ok(message) => essentials(&message),
            Err(malformed) => panic!("{malformed}"),
        }
    }
}

fn essentials(message: &Message) {
    let Message::Request(request) = message else { panic!("the INVITE is a request") };
    let headers = request.headers();
    let via = headers.via();
    black_box((request.method(), request.uri().number(), via.branch(), via.host().as_str(), via.port()));
    let (from, to) = (headers.from(), headers.to());
    black_box((from.uri().number(), from.tag(), to.uri().number(), to.tag()));
    black_box((headers.call_id(), headers.cseq(), headers.max_forwards()));
    black_box(headers.contact().map(|contact| contact.uri().as_str()));
    black_box(headers.addresses(Name::PAssertedIdentity).next().and_then(|identity| identity.uri().number()));
    black_box((headers.content_type(), headers.session_expires(), request.body()));
}
