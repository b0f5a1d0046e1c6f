//! The host of a URI or a Via: a name, an IPv4 address, an IPv6 address in brackets (RFC 3261 §25.1).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::grammar::{Class, ascii};

/// A host as written; brackets belong to it. Compared in any case.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a>(&'a [u8]);

impl<'a> Host<'a> {
    /// Splits off a host.
    pub(crate) fn take(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let end = match text {
            [b'[', inner @ ..] => {
                let length = inner.iter().position(|octet| !is_ipv6(*octet))?;
                (length > 0 && inner[length] == b']').then_some(length + 2)?
            }
            _ => Class::HOST.run(text),
        };
        let (host, rest) = text.split_at(end);
        (!host.is_empty()).then_some((Self(host), rest))
    }

    /// A host that was taken before.
    pub(crate) fn checked(text: &'a [u8]) -> Self {
        Self(text)
    }

    pub(crate) fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        ascii(self.0)
    }

    /// The address, where the host is one and not a name. Three colons before the IPv4 part of an IPv6 address
    /// are read as two (RFC 5118 §4.10).
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        let text = self.as_str();
        let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) else {
            return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
        };
        let address = inner.parse::<Ipv6Addr>();
        address.or_else(|_| inner.replacen(":::", "::", 1).parse()).ok().map(IpAddr::V6)
    }
}

fn is_ipv6(octet: u8) -> bool {
    octet.is_ascii_hexdigit() || octet == b':' || octet == b'.'
}

impl PartialEq for Host<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(other.0)
    }
}

impl Eq for Host<'_> {}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str) -> Option<(&str, &[u8])> {
        Host::take(text.as_bytes()).map(|(host, rest)| (host.as_str(), rest))
    }

    #[test]
    fn a_host_ends_where_its_octets_end() {
        assert_eq!(take("my_host.example.com:5060"), Some(("my_host.example.com", &b":5060"[..])));
        assert_eq!(take("[2001:db8::1]:5060"), Some(("[2001:db8::1]", &b":5060"[..])));
        for bad in ["", ":5060", "[", "[]", "[2001:db8::1", "[example]", "[::1%eth0]", "<a>"] {
            assert_eq!(take(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_are_told_from_names() {
        let ip = |text: &str| Host::take(text.as_bytes()).unwrap().0.ip().map(|ip| ip.to_string());
        assert_eq!(ip("192.0.2.1").as_deref(), Some("192.0.2.1"));
        assert_eq!(ip("[2001:db8::10:5070]").as_deref(), Some("2001:db8::10:5070"));
        assert_eq!(ip("[2001:db8:::192.0.2.1]"), ip("[2001:db8::192.0.2.1]"));
        assert_eq!(ip("[2001:db8::::192.0.2.1]"), None);
        assert_eq!(ip("192.0.2.1.example.com"), None);
    }
}
