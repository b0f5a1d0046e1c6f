//! Writes an INVITE as we send it to a trunk.

use std::hint::black_box;

use sip::{Compose, Method, Name, NameAddr, Transport, Uri, ViaHop};

const DESCRIPTION: &[u8] =
    b"v=0\r\no=- 1700000000 1 IN IP4 198.51.100.4\r\ns=-\r\nc=IN IP4 198.51.100.4\r\nt=0 0\r\n\
m=audio 30124 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n";

pub(crate) fn run(rounds: u64) {
    let uri = |text| Uri::parse(text).expect("the scenario's URIs are well formed");
    let callee = uri("sip:+79992222222@203.0.113.10:5060;user=phone");
    let line = uri("sip:+74950000001@198.51.100.4;user=phone");
    let contact = uri("sip:198.51.100.4:5060");
    for round in 0..rounds {
        let via =
            ViaHop { transport: Transport::Udp, sent_by: "198.51.100.4:5060", branch: "3f1c5e7a9b2d4c60" };
        let octets = Compose::request(&Method::Invite, black_box(&callee))
            .header(Name::Via, via)
            .header(Name::MaxForwards, 70u8)
            .header(Name::From, NameAddr { display: None, uri: line.parts(), tag: Some("8f14e45fceea167a") })
            .header(Name::To, NameAddr { display: None, uri: callee.parts(), tag: None })
            .header(Name::CallId, "2f7d1c9b5e3a4b869d0f6a1e8c4b7d35")
            .header(Name::CSeq, format_args!("{} INVITE", round & 0x7fff))
            .header(Name::Contact, NameAddr { display: None, uri: contact.parts(), tag: None })
            .header(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO")
            .header(Name::Supported, "timer")
            .header(Name::PAssertedIdentity, NameAddr { display: None, uri: line.parts(), tag: None })
            .body("application/sdp", DESCRIPTION);
        black_box(octets);
    }
}
