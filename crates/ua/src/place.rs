//! One of our listeners, as its peers see it.

use std::net::IpAddr;

use sip::{Transport, UriRef, Via};

use crate::interface::Listener;

/// The port of SIP where none is written (RFC 3261 §19.1.2).
pub(crate) const SIP_PORT: u16 = 5060;

/// A listener with the texts that are written again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) transport: Transport,
    /// Host and port, for Via.
    pub(crate) public: Box<str>,
    /// The URI of our Contact: no user part, so that it says nothing but our address.
    pub(crate) contact: Box<str>,
    /// The same for those who called us by a `sips` URI (RFC 3261 §12.1.1).
    pub(crate) secure_contact: Box<str>,
    host: Box<str>,
    ip: Option<IpAddr>,
    port: u16,
}

impl Place {
    pub(crate) fn new(listener: &Listener) -> Self {
        let parameter = match listener.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        let contact = format!("sip:{}{parameter}", listener.public);
        let uri = UriRef::parse(contact.as_bytes()).ok();
        let host = uri.and_then(|uri| uri.host());
        Self {
            transport: listener.transport,
            public: listener.public.as_str().into(),
            host: host.map_or(listener.public.as_str(), |host| host.as_str()).into(),
            ip: host.and_then(|host| host.ip()),
            port: uri.and_then(|uri| uri.port()).unwrap_or(listener.transport.port()),
            contact: contact.as_str().into(),
            secure_contact: format!("sips:{}", listener.public).into(),
        }
    }

    /// What it is known by.
    pub(crate) fn listener(&self) -> Listener {
        Listener { transport: self.transport, public: self.public.to_string() }
    }

    /// Whether this Via is ours: a response with another is none of ours (RFC 3261 §18.1.2).
    pub(crate) fn sent(&self, via: &Via<'_>) -> bool {
        let same_host = match via.host().ip() {
            Some(ip) => self.ip == Some(ip),
            None => via.host().as_str().eq_ignore_ascii_case(&self.host),
        };
        same_host && via.port().unwrap_or(self.transport.port()) == self.port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(transport: Transport, public: &str) -> Place {
        Place::new(&Listener { transport, public: public.to_owned() })
    }

    fn sent(place: &Place, via: &str) -> bool {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n"
        );
        let message = sip::parse(text.into()).unwrap();
        place.sent(&message.headers().via())
    }

    #[test]
    fn the_contact_is_our_address_alone() {
        assert_eq!(&*place(Transport::Udp, "192.0.2.1:5060").contact, "sip:192.0.2.1:5060");
        assert_eq!(
            &*place(Transport::Tcp, "[2001:db8::1]:5060").contact,
            "sip:[2001:db8::1]:5060;transport=tcp"
        );
        assert_eq!(&*place(Transport::Tls, "192.0.2.1:5061").contact, "sip:192.0.2.1:5061;transport=tls");
    }

    #[test]
    fn our_own_via_is_known_however_it_is_written_again() {
        let four = place(Transport::Udp, "192.0.2.1:5060");
        assert!(sent(&four, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx"));
        assert!(sent(&four, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx"));
        assert!(!sent(&four, "SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKx"));
        assert!(!sent(&four, "SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx"));
        let six = place(Transport::Udp, "[2001:db8::1]:5070");
        assert!(sent(&six, "SIP/2.0/UDP [2001:DB8:0::1]:5070;branch=z9hG4bKx"));
        let name = place(Transport::Tcp, "sip.example.org");
        assert!(sent(&name, "SIP/2.0/TCP SIP.EXAMPLE.ORG:5060;branch=z9hG4bKx"));
        let tls = place(Transport::Tls, "192.0.2.1:5061");
        assert!(sent(&tls, "SIP/2.0/TLS 192.0.2.1;branch=z9hG4bKx"), "5061 where none is written");
        assert!(!sent(&tls, "SIP/2.0/TLS 192.0.2.1:5060;branch=z9hG4bKx"));
    }
}
