//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3, §8.2.2.2).

use sip::{Method, Request};

use crate::chance::Token;
use crate::place::SIP_PORT;

/// What all requests of a server transaction have in common, as octets; a buffer of its own is filled again and
/// again, so that looking up takes no memory.
#[derive(Debug, Default)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Branch, sent-by and method (RFC 3261 §17.2.3). An ACK has the key of its INVITE.
    pub(crate) fn of_transaction(&mut self, request: &Request) {
        let method = request.method();
        let method = if *method == Method::Ack { &Method::Invite } else { method };
        self.of(request, method.as_str());
    }

    /// The key of the INVITE that a CANCEL names (§9.2).
    pub(crate) fn of_cancelled(&mut self, cancel: &Request) {
        self.of(cancel, Method::Invite.as_str());
    }

    fn of(&mut self, request: &Request, method: &str) {
        let headers = request.headers();
        let via = headers.via();
        self.0.clear();
        self.part(method.as_bytes());
        self.part(via.host().as_str().to_ascii_lowercase().as_bytes());
        self.part(&via.port().unwrap_or(SIP_PORT).to_be_bytes());
        self.part(via.branch().unwrap_or_default().as_bytes());
        if !via.is_unique() {
            // Made by the rules of RFC 2543: the branch alone says nothing.
            self.part(request.uri().as_str().as_bytes());
            self.part(headers.from().tag().unwrap_or_default().as_bytes());
            self.part(headers.call_id().as_bytes());
            self.part(&headers.cseq().number.to_be_bytes());
        }
    }

    /// From tag, Call-ID and CSeq: a request without a To tag that shares them with a transaction and not the
    /// branch came by two ways (RFC 3261 §8.2.2.2).
    pub(crate) fn of_origin(&mut self, request: &Request) {
        let headers = request.headers();
        self.0.clear();
        self.part(request.method().as_str().as_bytes());
        self.part(headers.from().tag().unwrap_or_default().as_bytes());
        self.part(headers.call_id().as_bytes());
        self.part(&headers.cseq().number.to_be_bytes());
    }

    /// Lengths before parts: no two lists of parts make the same octets.
    fn part(&mut self, octets: &[u8]) {
        let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(octets);
    }
}

/// The methods we send in transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sent {
    Invite,
    Cancel,
    Bye,
    Update,
    Prack,
    Register,
    Options,
}

impl Sent {
    pub(crate) fn from_method(method: &Method) -> Option<Self> {
        match method {
            Method::Invite => Some(Self::Invite),
            Method::Cancel => Some(Self::Cancel),
            Method::Bye => Some(Self::Bye),
            Method::Update => Some(Self::Update),
            Method::Prack => Some(Self::Prack),
            Method::Register => Some(Self::Register),
            Method::Options => Some(Self::Options),
            Method::Ack
            | Method::Info
            | Method::Message
            | Method::Refer
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Other(_) => None,
        }
    }
}

/// The branch we made, and the method, as a CANCEL has the branch of its INVITE (RFC 3261 §17.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientKey {
    pub(crate) branch: Token,
    pub(crate) method: Sent,
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Message;

    fn request(method: &str, via: &str, from: &str) -> Request {
        let text = format!(
            "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: {from}\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 7 {method}\r\nMax-Forwards: 70\r\n\r\n"
        );
        match sip::parse(text.into()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!("a request was written"),
        }
    }

    fn cancelled(via: &str) -> Vec<u8> {
        let mut key = Key::default();
        key.of_cancelled(&request("CANCEL", via, "<sip:a@b>;tag=1"));
        key.octets().to_vec()
    }

    fn key(method: &str, via: &str, from: &str) -> Vec<u8> {
        let mut key = Key::default();
        key.of_transaction(&request(method, via, from));
        key.octets().to_vec()
    }

    #[test]
    fn branch_sent_by_and_method_make_a_transaction() {
        let invite = key("INVITE", "h:5070;branch=z9hG4bK1", "<sip:a@b>;tag=1");
        assert_eq!(invite, key("INVITE", "H:5070;rport;branch=z9hG4bK1", "<sip:a@b>;tag=2"));
        for other in ["h:5071;branch=z9hG4bK1", "i:5070;branch=z9hG4bK1", "h:5070;branch=z9hG4bK2"] {
            assert_ne!(invite, key("INVITE", other, "<sip:a@b>;tag=1"));
        }
        assert_ne!(invite, key("BYE", "h:5070;branch=z9hG4bK1", "<sip:a@b>;tag=1"));
        assert_eq!(
            key("INVITE", "h;branch=z9hG4bK1", "<sip:a@b>"),
            key("INVITE", "h:5060;branch=z9hG4bK1", "<sip:a@b>")
        );
    }

    #[test]
    fn an_ack_belongs_to_its_invite_and_a_cancel_names_it() {
        let invite = key("INVITE", "h;branch=z9hG4bK1", "<sip:a@b>;tag=1");
        assert_eq!(invite, key("ACK", "h;branch=z9hG4bK1", "<sip:a@b>;tag=1"));
        assert_eq!(invite, cancelled("h;branch=z9hG4bK1"));
        assert_ne!(invite, key("CANCEL", "h;branch=z9hG4bK1", "<sip:a@b>;tag=1"));
    }

    #[test]
    fn without_the_cookie_the_whole_request_counts() {
        let old = key("INVITE", "h", "<sip:a@b>;tag=1");
        assert_eq!(old, key("ACK", "h", "<sip:a@b>;tag=1"));
        assert_ne!(old, key("INVITE", "h", "<sip:a@b>;tag=2"));
    }

    #[test]
    fn two_ways_have_one_origin() {
        let (mut one, mut other) = (Key::default(), Key::default());
        one.of_origin(&request("INVITE", "h;branch=z9hG4bK1", "<sip:a@b>;tag=1"));
        other.of_origin(&request("INVITE", "i;branch=z9hG4bK2", "<sip:a@b>;tag=1"));
        assert_eq!(one.octets(), other.octets());
        other.of_origin(&request("INVITE", "i;branch=z9hG4bK2", "<sip:a@b>;tag=2"));
        assert_ne!(one.octets(), other.octets());
    }
}
