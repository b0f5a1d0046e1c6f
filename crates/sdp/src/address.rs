//! Which addresses and ports media may be sent to.

use std::net::{IpAddr, Ipv6Addr};

use crate::agree::Refused;

/// Ports below this belong to services, never to media: a description that names one uses us as a weapon.
const FIRST_PORT: u16 = 1024;

/// Reads an address literal as `c=` and `a=rtcp` write it (RFC 8866 §5.7): without brackets, though some peers
/// write them, and with `/ttl` only where it is multicast.
pub(crate) fn literal(text: &str) -> Option<IpAddr> {
    let address = text.split('/').next()?;
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    address.parse().ok().map(|address: IpAddr| address.to_canonical())
}

/// Whether media may be sent to `address`.
pub(crate) fn usable(address: IpAddr) -> Result<(), Refused> {
    let bad = match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            // 0/8 is "this network", 224/4 multicast, 240/4 reserved with the broadcast address in it
            // (RFC 6890 §2.2.2).
            first == 0 || first >= 224
        }
        IpAddr::V6(v6) => {
            // ::/96 holds the unspecified address and the IPv4-compatible ones that RFC 4291 §2.5.5.1 withdrew.
            let low = v6.segments()[..6] == [0; 6] && v6 != Ipv6Addr::LOCALHOST;
            // A link-local address means nothing without a zone, which a description cannot carry.
            low || v6.is_multicast() || v6.is_unicast_link_local()
        }
    };
    if bad { Err(Refused::Address) } else { Ok(()) }
}

/// Whether media may be sent to `port`.
pub(crate) fn port(port: u16) -> Result<u16, Refused> {
    if port < FIRST_PORT { Err(Refused::Port) } else { Ok(port) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unicast_addresses_take_media() {
        for good in ["192.0.2.1", "10.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "fd00::2"] {
            assert_eq!(usable(good.parse().unwrap()), Ok(()), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::192.0.2.1",
            "ff02::1",
            "fe80::1",
        ] {
            assert_eq!(usable(bad.parse().unwrap()), Err(Refused::Address), "{bad}");
        }
    }

    #[test]
    fn ports_of_services_take_no_media() {
        assert_eq!(port(1023), Err(Refused::Port));
        assert_eq!(port(1024), Ok(1024));
    }

    #[test]
    fn literals_are_read_as_peers_write_them() {
        assert_eq!(literal("192.0.2.1"), "192.0.2.1".parse().ok());
        assert_eq!(literal("[2001:db8::1]"), "2001:db8::1".parse().ok());
        assert_eq!(literal("::ffff:192.0.2.2"), "192.0.2.2".parse().ok());
        assert_eq!(literal("224.2.1.1/127"), "224.2.1.1".parse().ok());
        assert_eq!(literal("media.example.com"), None);
        assert_eq!(literal(""), None);
    }
}
