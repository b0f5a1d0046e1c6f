//! Methods (RFC 3261 §7.1 and the IANA registry "SIP Methods").

use std::fmt;

use bytes::Bytes;

use crate::grammar::{self, Class};

/// A method. Names are case-sensitive (RFC 3261 §7.1): `invite` is `Other`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Method {
    /// RFC 3261 §13.
    Invite,
    /// RFC 3261 §13: never answered.
    Ack,
    /// RFC 3261 §15.
    Bye,
    /// RFC 3261 §9.
    Cancel,
    /// RFC 3261 §11.
    Options,
    /// RFC 3261 §10.
    Register,
    /// RFC 3262.
    Prack,
    /// RFC 3311.
    Update,
    /// RFC 6086.
    Info,
    /// RFC 3428.
    Message,
    /// RFC 3515.
    Refer,
    /// RFC 6665.
    Subscribe,
    /// RFC 6665.
    Notify,
    /// RFC 3903.
    Publish,
    /// A method not in the registry.
    Other(Extension),
}

/// The name of an unregistered method: a token.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Extension(Bytes);

impl Method {
    /// Reads a method name; `None` if it is not a token.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::registered(name).or_else(|| Self::other(Bytes::copy_from_slice(name)))
    }

    /// Reads a method name that is part of a larger buffer, without copying it.
    pub(crate) fn slice(name: &[u8], of: &Bytes) -> Option<Self> {
        Self::registered(name).or_else(|| Self::other(of.slice_ref(name)))
    }

    fn other(name: Bytes) -> Option<Self> {
        Class::TOKEN.is_all_of(&name).then_some(Self::Other(Extension(name)))
    }

    fn registered(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"INVITE" => Self::Invite,
            b"ACK" => Self::Ack,
            b"BYE" => Self::Bye,
            b"CANCEL" => Self::Cancel,
            b"OPTIONS" => Self::Options,
            b"REGISTER" => Self::Register,
            b"PRACK" => Self::Prack,
            b"UPDATE" => Self::Update,
            b"INFO" => Self::Info,
            b"MESSAGE" => Self::Message,
            b"REFER" => Self::Refer,
            b"SUBSCRIBE" => Self::Subscribe,
            b"NOTIFY" => Self::Notify,
            b"PUBLISH" => Self::Publish,
            _ => return None,
        })
    }

    /// The name as written on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Prack => "PRACK",
            Self::Update => "UPDATE",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Refer => "REFER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Publish => "PUBLISH",
            Self::Other(Extension(name)) => grammar::ascii(name),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_method_reads_back_from_its_name() {
        for name in [
            "INVITE",
            "ACK",
            "BYE",
            "CANCEL",
            "OPTIONS",
            "REGISTER",
            "PRACK",
            "UPDATE",
            "INFO",
            "MESSAGE",
            "REFER",
            "SUBSCRIBE",
            "NOTIFY",
            "PUBLISH",
        ] {
            let method = Method::parse(name.as_bytes()).unwrap();
            assert!(!matches!(method, Method::Other(_)), "{name}");
            assert_eq!(method.as_str(), name);
        }
    }

    #[test]
    fn names_are_case_sensitive_and_tokens() {
        assert!(matches!(Method::parse(b"invite"), Some(Method::Other(_))));
        assert_eq!(Method::parse(b"RE%47IST%45R").unwrap().as_str(), "RE%47IST%45R");
        for bad in [&b""[..], b"IN VITE", b"INVITE\0", b"INV:ITE", b"INV\xc3\xa9"] {
            assert_eq!(Method::parse(bad), None, "{bad:?}");
        }
    }
}
