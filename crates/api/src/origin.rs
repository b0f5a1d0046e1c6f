//! Where a request comes from: the address behind a proxy that may speak for others, and whether a browser sends it from one of our own
//! pages.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};
use b2bua::Network;

use crate::problem::{Fault, Problem};

/// The other end of a connection, as its socket knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Whether the connection is by TLS.
    pub(crate) tls: bool,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Whose it is: the browser's, if a proxy of ours says so.
    pub(crate) address: IpAddr,
    /// Whether the browser speaks HTTPS.
    pub(crate) https: bool,
    /// The host and port the browser asked for.
    host: Option<String>,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Origin {
    /// What a proxy says is believed of these alone: anyone can write such headers.
    pub(crate) fn of(peer: Peer, headers: &HeaderMap, proxies: &[Network]) -> Self {
        let is_proxy = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
        let host = text(headers, &header::HOST).map(str::to_owned);
        if !is_proxy(peer.address) {
            return Self { address: peer.address, https: peer.tls, host };
        }
        let last = |name: &HeaderName| {
            let all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            all.flat_map(|value| value.split(',')).next_back().map(str::trim)
        };
        let forwarded = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
        // Each proxy adds whom it heard, so what is right of the first one that is not ours is true.
        let mut hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
        let mut address = peer.address;
        while is_proxy(address)
            && let Some(next) = hops.pop().and_then(|hop| hop.trim().parse().ok())
        {
            address = next;
        }
        Self {
            address,
            https: last(&FORWARDED_PROTO).map_or(peer.tls, |scheme| scheme.eq_ignore_ascii_case("https")),
            host: last(&FORWARDED_HOST).map(str::to_owned).or(host),
        }
    }

    /// Refuses what another site had a browser send. Programs, which say nothing of a site, are let through.
    pub(crate) fn check_site(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let foreign = || Problem::new(Fault::CrossOrigin, "the console is used from its own pages");
        // "none": the person typed the address.
        if text(headers, &FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(foreign());
        }
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().ok().and_then(|origin| {
            origin.strip_prefix("https://").or(origin.strip_prefix("http://").filter(|_| !self.https))
        });
        match (origin, &self.host) {
            (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
            (Some(_) | None, _) => Err(foreign()),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "127.0.0.1";

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = [Network { address: PROXY.parse().unwrap(), prefix: 8 }];
        let peer = Peer { address: peer.parse().unwrap(), tls: false };
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let origin = Origin::of(peer, &headers.collect(), &proxies);
        (origin.address.to_string(), origin.https)
    }

    #[test]
    fn only_a_proxy_of_ours_is_believed() {
        let told = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(PROXY, &told), ("198.51.100.7".into(), true));
        assert_eq!(origin("203.0.113.9", &told), ("203.0.113.9".into(), false));
        assert_eq!(origin(PROXY, &[]), (PROXY.into(), false));
        // What the browser itself wrote stands left of what the proxy added.
        let forged = [("x-forwarded-for", "192.0.2.1, 198.51.100.7, 127.0.0.9")];
        assert_eq!(origin(PROXY, &forged), ("198.51.100.7".into(), false));
        assert_eq!(origin(PROXY, &[("x-forwarded-for", "nonsense")]), (PROXY.into(), false));
    }

    #[test]
    fn a_browser_on_another_site_is_refused() {
        let check = |https: bool, headers: &[(&'static str, &str)]| {
            let origin = Origin {
                address: PROXY.parse().unwrap(),
                https,
                host: Some("console.example:8080".to_owned()),
            };
            let headers =
                headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
            origin.check_site(&headers.collect()).is_ok()
        };
        assert!(check(false, &[]));
        assert!(check(
            false,
            &[("origin", "http://console.example:8080"), ("sec-fetch-site", "same-origin")]
        ));
        assert!(check(true, &[("origin", "https://Console.example:8080")]));
        assert!(check(false, &[("sec-fetch-site", "none")]));
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "http://console.example"),
            ("origin", "http://console.example:8080.evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!check(false, &[foreign]), "{foreign:?}");
        }
        assert!(!check(true, &[("origin", "http://console.example:8080")]));
    }
}
