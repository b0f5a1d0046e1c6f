//! Where a message goes: a response by its Via, a request inside a dialog by its route (RFC 3261 §18.2.2, §8.1.2;
//! RFC 3581 §4). The address a request came from always counts more than the one it names.

use std::net::{IpAddr, SocketAddr};

use sip::{Flow, Transport, UriRef, Via};

/// Where the response to a request goes that came on `flow` and has `via` on top. Never anywhere but to the address
/// it came from: `maddr` and `received` would make us send to whomever the sender names.
pub(crate) fn answering(flow: Flow, via: &Via<'_>) -> Flow {
    match flow.transport {
        Transport::Tcp | Transport::Tls => flow,
        Transport::Udp if via.rport().is_some() => flow,
        Transport::Udp => {
            Flow { peer: SocketAddr::new(flow.peer.ip(), sent_by_port(via, flow.transport)), ..flow }
        }
    }
}

/// The port a peer listens on, by its Via on this transport.
pub(crate) fn sent_by_port(via: &Via<'_>, transport: Transport) -> u16 {
    via.port().unwrap_or(transport.port())
}

/// Where a request goes whose next hop is `uri`, in a dialog whose peer was last heard on `heard`.
pub(crate) fn asking(uri: &UriRef<'_>, heard: Flow) -> Flow {
    let Some(ip) = uri.host().and_then(|host| host.ip()) else {
        // A name: whoever answered for it so far still does. Names are not looked up in the middle of a call.
        return heard;
    };
    let (ip, last) = (ip.to_canonical(), heard.peer.ip().to_canonical());
    if ip.is_ipv4() != last.is_ipv4() || !is_sensible(ip, last) {
        return heard;
    }
    let port = uri.port().unwrap_or(heard.transport.port());
    // A connection that is there is used, from whatever port its other end has (RFC 5923 §5).
    if ip == last && (port == heard.peer.port() || heard.connection.is_some()) {
        return heard;
    }
    Flow { peer: SocketAddr::new(ip, port), connection: None, ..heard }
}

/// Whether `ip` can mean the same to us as to the peer that named it, which was heard at `heard`. An address of a
/// private network seen from outside of it is the peer's behind its address translator.
fn is_sensible(ip: IpAddr, heard: IpAddr) -> bool {
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::from([255; 4]) {
        return false;
    }
    if ip.is_loopback() {
        return heard.is_loopback();
    }
    !is_private(ip) || is_private(heard) || heard.is_loopback()
}

/// RFC 1918, 3927, 6598, 4193, 4291.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, peer: &str, connection: Option<u32>) -> Flow {
        Flow { listener: 0, transport, peer: peer.parse().unwrap(), connection }
    }

    fn udp(peer: &str) -> Flow {
        flow(Transport::Udp, peer, None)
    }

    fn answered(flow: Flow, via: &str) -> String {
        let text = format!(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let message = sip::parse(text.into()).unwrap();
        answering(flow, &message.headers().via()).peer.to_string()
    }

    #[test]
    fn a_datagram_is_answered_at_its_source_by_rport_or_by_the_port_of_sent_by() {
        let source = udp("198.51.100.7:33333");
        assert_eq!(answered(source, "10.0.0.1:5070;rport"), "198.51.100.7:33333");
        assert_eq!(answered(source, "10.0.0.1:5070"), "198.51.100.7:5070");
        assert_eq!(answered(source, "10.0.0.1"), "198.51.100.7:5060");
        assert_eq!(answered(source, "10.0.0.1;maddr=203.0.113.1;received=203.0.113.2"), "198.51.100.7:5060");
        assert_eq!(answered(udp("[2001:db8::7]:4"), "[2001:db8::9]:5062"), "[2001:db8::7]:5062");
    }

    #[test]
    fn a_connection_is_answered_on_itself() {
        let source = flow(Transport::Tcp, "198.51.100.7:33333", Some(4));
        assert_eq!(answered(source, "10.0.0.1:5070"), "198.51.100.7:33333");
    }

    fn asked(uri: &str, heard: Flow) -> Flow {
        asking(&UriRef::parse(uri.as_bytes()).unwrap(), heard)
    }

    #[test]
    fn a_request_goes_to_the_address_its_next_hop_names() {
        let heard = udp("198.51.100.7:5060");
        assert_eq!(asked("sip:a@198.51.100.9:5070", heard), udp("198.51.100.9:5070"));
        assert_eq!(asked("sip:198.51.100.9;lr", heard), udp("198.51.100.9:5060"));
        assert_eq!(asked("sip:a@198.51.100.7:5070", heard), udp("198.51.100.7:5070"));
        assert_eq!(asked("sip:[2001:db8::9]", udp("[2001:db8::7]:5060")), udp("[2001:db8::9]:5060"));
    }

    #[test]
    fn a_name_or_no_host_goes_where_the_peer_was_heard() {
        let heard = udp("198.51.100.7:5062");
        for uri in ["sip:a@sbc.example.net", "tel:+79991112233"] {
            assert_eq!(asked(uri, heard), heard);
        }
    }

    #[test]
    fn an_address_that_cannot_mean_the_same_to_us_goes_where_the_peer_was_heard() {
        let heard = udp("198.51.100.7:41000");
        for host in [
            "192.168.1.5",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "[2001:db8::1]",
        ] {
            assert_eq!(asked(&format!("sip:a@{host}:5060"), heard), heard, "{host}");
        }
        assert_eq!(asked("sip:a@10.0.0.2", udp("10.0.0.1:5060")), udp("10.0.0.2:5060"));
        assert_eq!(asked("sip:a@127.0.0.1:5070", udp("127.0.0.1:5060")), udp("127.0.0.1:5070"));
        assert_eq!(asked("sip:a@127.0.0.1:5070", udp("10.0.0.1:5060")), udp("10.0.0.1:5060"));
    }

    #[test]
    fn a_connection_to_the_same_host_is_used_and_one_to_another_host_is_opened() {
        let heard = flow(Transport::Tcp, "198.51.100.7:33333", Some(4));
        assert_eq!(asked("sip:a@198.51.100.7:5060", heard), heard);
        assert_eq!(asked("sip:a@198.51.100.9", heard), flow(Transport::Tcp, "198.51.100.9:5060", None));
        let secure = flow(Transport::Tls, "198.51.100.7:33333", Some(4));
        assert_eq!(
            asked("sip:a@198.51.100.9;transport=tls", secure),
            flow(Transport::Tls, "198.51.100.9:5061", None)
        );
        let lost = flow(Transport::Tcp, "198.51.100.7:5060", None);
        assert_eq!(asked("sip:a@198.51.100.7:5080", lost), flow(Transport::Tcp, "198.51.100.7:5080", None));
    }
}
