//! Questions to the name servers. What they answer is kept as long as it says (RFC 2181 §8), what is not there for as
//! long as its zone says (RFC 2308).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{RData, RecordType};

/// Patience with one server, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 2;
/// How long it is believed that there is nothing of some kind.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// Name servers.
#[derive(Debug, Clone)]
pub(crate) struct Dns(TokioResolver);

/// What is known, and until when.
#[derive(Debug)]
pub(super) struct Answer<T> {
    pub(super) records: Vec<T>,
    pub(super) until: Instant,
}

impl Dns {
    /// Asks these servers; those of the system where there are none.
    ///
    /// # Errors
    /// What the library says.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let given = || {
            // Where the system names none it means one on this machine (resolv.conf(5)).
            let local = [SocketAddr::from((Ipv4Addr::LOCALHOST, 53))];
            let servers = if servers.is_empty() { &local } else { servers };
            let servers = servers.iter().map(|server| server_at(*server)).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let mut builder = match TokioResolver::builder_tokio() {
            Ok(system) if servers.is_empty() => system,
            Ok(_) | Err(_) => given(),
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.timeout = PATIENCE;
        options.attempts = ATTEMPTS;
        Ok(Self(builder.build()?))
    }

    /// NAPTR (RFC 3263 §4.1); nothing where there are none.
    ///
    /// # Errors
    /// Nobody answers, or in a way that says nothing.
    pub(super) async fn naptr(&self, name: &str) -> Result<Answer<NAPTR>, NetError> {
        let read = |data: &RData| if let RData::NAPTR(naptr) = data { Some(naptr.clone()) } else { None };
        self.records(name, RecordType::NAPTR, read).await
    }

    /// SRV (RFC 2782); nothing where there are none.
    ///
    /// # Errors
    /// As `naptr`.
    pub(super) async fn srv(&self, name: &str) -> Result<Answer<SRV>, NetError> {
        let read = |data: &RData| if let RData::SRV(srv) = data { Some(srv.clone()) } else { None };
        self.records(name, RecordType::SRV, read).await
    }

    async fn records<T>(
        &self,
        name: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Answer<T>, NetError> {
        match self.0.lookup(rooted(name), kind).await {
            Ok(found) => Ok(Answer {
                records: found.answers().iter().filter_map(|record| read(&record.data)).collect(),
                until: found.valid_until(),
            }),
            Err(error) => nothing(error),
        }
    }

    /// A and AAAA; the system's list of hosts counts first.
    ///
    /// # Errors
    /// As `naptr`, and where there are none.
    pub(super) async fn addresses(&self, name: &str) -> Result<Answer<IpAddr>, NetError> {
        let found = self.0.lookup_ip(rooted(name)).await?;
        Ok(Answer { records: found.iter().collect(), until: found.valid_until() })
    }
}

fn server_at(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

/// Whole, so that no domain of this machine is tried behind it.
fn rooted(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}

/// That there is nothing is an answer as well.
fn nothing<T>(error: NetError) -> Result<Answer<T>, NetError> {
    if error.is_no_records_found() {
        Ok(Answer { records: Vec::new(), until: Instant::now() + NOTHING_FOR })
    } else {
        Err(error)
    }
}
