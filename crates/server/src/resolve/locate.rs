//! Where a SIP server is: RFC 3263 §4.

use std::net::SocketAddr;
use std::time::Instant;

use b2bua::Target;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::rdata::NAPTR;
use sip::{Flow, Transport};

use super::dns::Dns;
use crate::config::{Destination, Listener};

/// Every transport, the one we like best first.
const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];
/// Most services, and most servers of one, that are looked at.
const MOST: usize = 16;

/// Where it is, and until when that is known; for ever, if no name was asked for.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) targets: Vec<Target>,
    pub(crate) until: Option<Instant>,
}

/// One way to ask for servers: a transport, and the name of its SRV records.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    transport: Transport,
    name: String,
}

/// What a look-up gathers.
struct Search<'a> {
    dns: &'a Dns,
    listeners: &'a [Listener],
    found: Found,
}

/// Where a destination is now: nowhere, if no listener of ours can reach it.
///
/// # Errors
/// Nobody answers for its name.
pub(crate) async fn locate(
    dns: &Dns,
    listeners: &[Listener],
    destination: &Destination,
) -> Result<Found, NetError> {
    let mut search = Search { dns, listeners, found: Found { targets: Vec::new(), until: None } };
    let usual = destination.transport.unwrap_or_else(|| search.usual());
    let port = destination.port.unwrap_or(usual.port());
    if let Some(ip) = destination.address() {
        search.add(usual, SocketAddr::new(ip, port), 0, 0);
        return Ok(search.found);
    }
    if destination.port.is_none() {
        let services = search.services(destination).await?;
        for (service, order) in services.iter().take(MOST).zip(0_u32..) {
            search.servers(service, order).await?;
        }
    }
    if search.found.targets.is_empty() {
        search.addresses(usual, &destination.host, port, 0, 1).await?;
    }
    Ok(search.found)
}

impl Search<'_> {
    fn can(&self, transport: Transport) -> bool {
        self.listeners.iter().any(|listener| listener.transport == transport)
    }

    /// What is spoken where nobody says: UDP, if we can (§4.1).
    fn usual(&self) -> Transport {
        TRANSPORTS.into_iter().find(|transport| self.can(*transport)).unwrap_or(Transport::Udp)
    }

    fn until(&mut self, until: Instant) {
        self.found.until = Some(self.found.until.map_or(until, |known| known.min(until)));
    }

    /// The services to ask for, the best first: the one that is written, those that NAPTR names, or all we speak.
    async fn services(&mut self, destination: &Destination) -> Result<Vec<Service>, NetError> {
        let host = &destination.host;
        if let Some(transport) = destination.transport {
            return Ok(vec![Service { transport, name: srv_name(transport, host) }]);
        }
        // Not every name server on the way knows this kind; without an answer it counts as none.
        let naptr = match self.dns.naptr(host).await {
            Ok(answer) => {
                self.until(answer.until);
                answer.records
            }
            Err(error) => {
                tracing::debug!(name = host, %error, "NAPTR was not answered");
                Vec::new()
            }
        };
        let named: Vec<Service> =
            services(naptr).into_iter().filter(|service| self.can(service.transport)).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        let spoken = TRANSPORTS.into_iter().filter(|transport| self.can(*transport));
        Ok(spoken.map(|transport| Service { transport, name: srv_name(transport, host) }).collect())
    }

    async fn servers(&mut self, service: &Service, order: u32) -> Result<(), NetError> {
        let answer = self.dns.srv(&service.name).await?;
        self.until(answer.until);
        for srv in answer.records.into_iter().take(MOST) {
            let target = srv.target.to_utf8();
            // A lonely dot: the service is decidedly not there (RFC 2782).
            if target == "." {
                continue;
            }
            let priority = order << 16 | u32::from(srv.priority);
            let added = self.addresses(service.transport, &target, srv.port, priority, srv.weight).await;
            if let Err(error) = added {
                // Others of the same service may lead somewhere.
                tracing::warn!(name = target, %error, "a server's name leads nowhere");
            }
        }
        Ok(())
    }

    async fn addresses(
        &mut self,
        transport: Transport,
        name: &str,
        port: u16,
        priority: u32,
        weight: u16,
    ) -> Result<(), NetError> {
        let answer = self.dns.addresses(name).await?;
        self.until(answer.until);
        for ip in answer.records.into_iter().take(MOST) {
            self.add(transport, SocketAddr::new(ip, port), priority, weight);
        }
        Ok(())
    }

    /// By the first of our listeners of its transport and family.
    fn add(&mut self, transport: Transport, peer: SocketAddr, priority: u32, weight: u16) {
        let fits = |listener: &Listener| {
            listener.transport == transport && listener.address.is_ipv4() == peer.is_ipv4()
        };
        let listener = self.listeners.iter().position(fits).and_then(|place| u8::try_from(place).ok());
        if let Some(listener) = listener {
            let flow = Flow { listener, transport, peer, connection: None };
            self.found.targets.push(Target { flow, priority, weight });
        }
    }
}

/// RFC 3263 §4.1; TLS is asked for as `sips` (RFC 5630 §5).
fn srv_name(transport: Transport, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    }
}

/// The services of SIP among NAPTR records, in their order (RFC 3263 §4.1; RFC 3403 §4.1).
fn services(mut records: Vec<NAPTR>) -> Vec<Service> {
    records.sort_by_key(|naptr| (naptr.order, naptr.preference));
    let service = |naptr: &NAPTR| {
        // Only what leads straight to SRV, without rewriting, is meant for SIP.
        let leads_to_srv = naptr.flags.eq_ignore_ascii_case(b"s") && naptr.regexp.is_empty();
        let transport = match naptr.services.to_ascii_uppercase().as_slice() {
            b"SIP+D2U" => Transport::Udp,
            b"SIP+D2T" => Transport::Tcp,
            b"SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        leads_to_srv.then(|| Service { transport, name: naptr.replacement.to_utf8() })
    };
    records.iter().filter_map(service).collect()
}

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::rr::Name;

    use super::*;

    #[test]
    fn services_come_in_the_order_of_their_records_and_others_are_passed_over() {
        let naptr = |order, preference, flags: &str, services: &str, regexp: &str, name: &str| {
            NAPTR::new(
                order,
                preference,
                flags.as_bytes().into(),
                services.as_bytes().into(),
                regexp.as_bytes().into(),
                Name::from_utf8(name).unwrap(),
            )
        };
        let found = services(vec![
            naptr(90, 50, "s", "SIP+D2T", "", "_sip._tcp.a.test."),
            naptr(50, 60, "S", "sips+d2t", "", "_sips._tcp.a.test."),
            naptr(50, 50, "s", "SIP+D2S", "", "_sip._sctp.a.test."),
            naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:a@b!", "."),
            naptr(10, 10, "s", "SIP+D2U", "!^.*$!x!", "_sip._udp.a.test."),
            naptr(95, 0, "s", "SIP+D2U", "", "_sip._udp.a.test."),
        ]);
        let names: Vec<(Transport, &str)> =
            found.iter().map(|service| (service.transport, service.name.as_str())).collect();
        assert_eq!(
            names,
            [
                (Transport::Tls, "_sips._tcp.a.test."),
                (Transport::Tcp, "_sip._tcp.a.test."),
                (Transport::Udp, "_sip._udp.a.test.")
            ]
        );
    }
}
