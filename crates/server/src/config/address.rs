//! Addresses of SIP: our listeners, and where a trunk or an operator is.

use std::net::{IpAddr, SocketAddr};

use sip::{Scheme, Transport, Uri, UriRef};
use toml::de::DeValue;

use super::value;

/// One of our listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) transport: Transport,
    /// What the socket is bound to.
    pub(crate) address: SocketAddr,
    /// Host and port that peers are told: `192.0.2.1:5060`.
    pub(crate) public: String,
}

/// Where a SIP URI leads, before its name is resolved (RFC 3263 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// A name, or an address without brackets.
    pub(crate) host: String,
    /// `None` asks for SRV where the host is a name, and means the transport's own where it is an address.
    pub(crate) port: Option<u16>,
    /// `None`: whatever the name's records say, else UDP.
    pub(crate) transport: Option<Transport>,
}

impl Destination {
    /// The address, where the host is one and not a name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The host as it stands in a URI, without a port.
    pub(crate) fn host_in_uri(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Host and port as they stand in a URI: `sip.carrier.example`, `192.0.2.7:5080`, `[2001:db8::1]`.
    pub(crate) fn host_port(&self) -> String {
        let host = self.host_in_uri();
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

/// Whether two sockets of one transport would want the same port of the same address.
pub(super) fn shares(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && covers(one.ip(), other.ip())
}

/// Whether a socket bound to one would hear what is sent to the other.
pub(super) fn covers(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified())
}

/// `udp://0.0.0.0:5060`; without a port 5060, with tls:// 5061.
pub(super) fn listener(value: &DeValue<'_>) -> Result<(Transport, SocketAddr), String> {
    let text = value::text(value)?;
    let wrong = || {
        let text = value::shortened(&text);
        format!(
            "{text:?} is no address to listen on; write it such as \"udp://0.0.0.0:5060\" or \"tcp://[::]:5060\""
        )
    };
    let (scheme, address) = text.split_once("://").ok_or_else(wrong)?;
    let transport = match scheme {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => Transport::Tls,
        "ws" | "wss" => {
            return Err(format!("{scheme}:// is not available yet; listen on udp://, tcp:// or tls://"));
        }
        _ => return Err(wrong()),
    };
    let bare =
        || address.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, transport.port()));
    let address = address.parse::<SocketAddr>().or_else(|_| bare()).map_err(|_| wrong())?;
    if address.port() == 0 {
        return Err("port 0 cannot be told to anyone; write the port".to_owned());
    }
    if address.ip().is_multicast() {
        return Err(format!("{} is a multicast address", address.ip()));
    }
    Ok((transport, address))
}

/// `sip:host[:port][;transport=udp|tcp]`, where a trunk is.
pub(super) fn trunk(value: &DeValue<'_>) -> Result<Destination, String> {
    const FORM: &str = "write it such as \"sip:sip.carrier.example\" or \"sip:192.0.2.7:5060;transport=tcp\"";
    let text = value::text(value)?;
    let uri =
        Uri::parse(&text).map_err(|_| format!("{:?} is no SIP address; {FORM}", value::shortened(&text)))?;
    let parts = uri.parts();
    if parts.user().is_some() {
        return Err(format!("names a user; {FORM}, without anything before the host"));
    }
    destination(&parts, FORM)
}

/// An operator's SIP address, user part and all.
pub(super) fn operator(text: &str) -> Result<(Uri, Destination), String> {
    const FORM: &str = "write it such as \"sip:desk@192.0.2.20:5060\"";
    let uri =
        Uri::parse(text).map_err(|_| format!("{:?} is no SIP address; {FORM}", value::shortened(text)))?;
    let destination = destination(&uri.parts(), FORM)?;
    if destination.transport == Some(Transport::Tls) {
        return Err("an operator is reached by udp or tcp; by TLS make the exchange a trunk".to_owned());
    }
    Ok((uri, destination))
}

fn destination(parts: &UriRef<'_>, form: &str) -> Result<Destination, String> {
    match parts.scheme() {
        Scheme::Sip => {}
        Scheme::Sips => {
            return Err(format!(
                "sips: promises TLS to the very end, which nobody here can; write sip: with ;transport=tls; {form}"
            ));
        }
        Scheme::Tel | Scheme::Other => return Err(format!("is no sip: address; {form}")),
    }
    if parts.has_headers() || parts.password().is_some() {
        return Err(format!("has a password or headers; {form}"));
    }
    let mut transport = None;
    for (name, value) in parts.params().iter() {
        transport = match (
            name.to_ascii_lowercase().as_str(),
            value.unwrap_or_default().to_ascii_lowercase().as_str(),
        ) {
            ("transport", "udp") => Some(Transport::Udp),
            ("transport", "tcp") => Some(Transport::Tcp),
            ("transport", "tls") => Some(Transport::Tls),
            ("transport", other) => {
                return Err(format!("there is no transport {other:?}; use udp, tcp or tls"));
            }
            _ => {
                return Err(format!("has the parameter {name:?}; only transport is taken"));
            }
        };
    }
    let host = parts.host().ok_or_else(|| format!("has no host; {form}"))?;
    if parts.port() == Some(0) {
        return Err("there is no port 0".to_owned());
    }
    let host = host.ip().map_or_else(|| host.as_str().to_ascii_lowercase(), |ip| ip.to_string());
    Ok(Destination { host, port: parts.port(), transport })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> DeValue<'_> {
        DeValue::String(text.into())
    }

    #[test]
    fn a_listener_is_a_transport_and_an_address() {
        let at =
            |text: &str| listener(&value(text)).map(|(transport, address)| (transport, address.to_string()));
        assert_eq!(at("udp://0.0.0.0:5060").unwrap(), (Transport::Udp, "0.0.0.0:5060".to_owned()));
        assert_eq!(at("tcp://192.0.2.1").unwrap(), (Transport::Tcp, "192.0.2.1:5060".to_owned()));
        assert_eq!(at("udp://[::]").unwrap(), (Transport::Udp, "[::]:5060".to_owned()));
        assert_eq!(at("tls://0.0.0.0").unwrap(), (Transport::Tls, "0.0.0.0:5061".to_owned()));
        assert!(at("wss://0.0.0.0:443").unwrap_err().contains("not available yet"));
        for wrong in [
            "0.0.0.0:5060",
            "udp://",
            "udp://host:5060",
            "udp://0.0.0.0:0",
            "udp://224.0.0.1:5060",
            "sctp://0.0.0.0",
        ] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_trunk_is_a_host_perhaps_with_port_and_transport() {
        let at = |text: &str| trunk(&value(text));
        let named = at("sip:SIP.Carrier.example;transport=TCP").unwrap();
        assert_eq!(
            (named.host_port().as_str(), named.transport),
            ("sip.carrier.example", Some(Transport::Tcp))
        );
        assert_eq!(named.address(), None);
        let literal = at("sip:[2001:db8::7]:5080").unwrap();
        assert_eq!((literal.host_port().as_str(), literal.transport), ("[2001:db8::7]:5080", None));
        assert_eq!(literal.address(), Some("2001:db8::7".parse().unwrap()));
        for wrong in [
            "sip.carrier.example",
            "sip:user@carrier.example",
            "sips:carrier.example",
            "sip:carrier.example;transport=sctp",
            "sip:carrier.example;lr",
            "sip:carrier.example?Subject=x",
            "sip:carrier.example:0",
            "tel:+79991112233",
            "sip:",
        ] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_operator_may_have_a_user() {
        let (uri, destination) = operator("sip:desk@pbx.example:5070").unwrap();
        assert_eq!(uri.as_str(), "sip:desk@pbx.example:5070");
        assert_eq!(destination.host_port(), "pbx.example:5070");
        assert!(operator("sip:desk:secret@pbx.example").is_err());
        assert!(operator("sip:desk@pbx.example;transport=tls").is_err());
    }
}
