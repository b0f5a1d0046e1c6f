//! What is ours where sockets are bound to every address of this machine: `rtp` cannot know which those are.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use rtp::{Command, Remote, Settings};

/// Any port will do: nothing is sent.
const ANY: u16 = 9;

/// Which addresses are ours beside those `Settings::is_ours` knows.
#[derive(Debug)]
pub(crate) struct Here {
    ports: RangeInclusive<u16>,
    others: BTreeSet<(usize, u16)>,
    /// Where among our addresses the one is that stands for all of IPv4, and the one for all of IPv6.
    v4: Option<usize>,
    v6: Option<usize>,
}

impl Here {
    pub(crate) fn new(settings: &Settings) -> Self {
        let everywhere =
            |unspecified: IpAddr| settings.addresses.iter().position(|address| *address == unspecified);
        Self {
            ports: settings.ports.clone(),
            others: settings.others.clone(),
            v4: everywhere(Ipv4Addr::UNSPECIFIED.into()),
            v6: everywhere(Ipv6Addr::UNSPECIFIED.into()),
        }
    }

    /// A description that names a port of ours is as if it named none: see `Settings::is_ours`. As then nothing of ours
    /// is ever sent to ourselves, nothing of ours can come in to be learnt.
    pub(crate) fn screen(&self, command: &mut Command) {
        if let Command::Open { media, .. } | Command::Update { media, .. } = command {
            let is_ours = |remote: &Remote| self.is_ours(remote.rtp) || self.is_ours(remote.rtcp);
            media.remote = media.remote.filter(|remote| !is_ours(remote));
        }
    }

    /// Asks the system only where an answer counts.
    fn is_ours(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        let port = address.port();
        let Some(everywhere) = (if ip.is_ipv4() { self.v4 } else { self.v6 }) else { return false };
        self.ports.contains(&port) && !self.others.contains(&(everywhere, port)) && is_of_this_machine(ip)
    }
}

/// From whom the system would send to them: only to itself it does so from the very address. Asked each time, because
/// addresses come and go; and not by whether a socket can be bound there, which some machines allow for any address.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let from: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sends_from = || -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect((ip, ANY))?;
        Ok(socket.local_addr()?.ip())
    };
    ip.is_loopback() || sends_from().is_ok_and(|from| from == ip)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn here(addresses: &[&str]) -> Here {
        Here::new(&settings(addresses))
    }

    fn settings(addresses: &[&str]) -> Settings {
        Settings {
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
            public: Vec::new(),
            ports: 20_000..=20_099,
            others: BTreeSet::new(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
            inband: false,
        }
    }

    fn is_ours(here: &Here, text: &str) -> bool {
        here.is_ours(text.parse().expect("an address"))
    }

    #[test]
    fn every_address_of_the_machine_is_ours_where_sockets_are_bound_to_all() {
        let here = here(&["0.0.0.0"]);
        for ours in ["127.0.0.1:20000", "127.9.9.9:20099", "[::ffff:127.0.0.1]:20001"] {
            assert!(is_ours(&here, ours), "{ours}");
        }
        for theirs in ["127.0.0.1:19999", "127.0.0.1:20100", "192.0.2.1:20000", "[::1]:20000"] {
            assert!(!is_ours(&here, theirs), "{theirs}");
        }
    }

    #[test]
    fn the_address_this_machine_sends_from_is_its_own() {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("there is a free port");
        // Where there is no way out, loopback is all there is.
        let reached = ["192.0.2.1:9", "127.0.0.1:9"].iter().find(|to| socket.connect(to).is_ok());
        assert!(reached.is_some(), "loopback can be reached");
        let own = socket.local_addr().expect("a bound socket has an address").ip();
        assert!(is_of_this_machine(own), "{own}");
    }

    #[test]
    fn a_port_that_another_program_holds_is_not_ours() {
        let others = BTreeSet::from([(0, 20_020), (1, 20_010)]);
        let settings = Settings { others, ..settings(&["192.0.2.7", "0.0.0.0"]) };
        let named = |port| settings.is_ours(SocketAddr::new("192.0.2.7".parse().expect("an address"), port));
        assert!(!named(20_020) && named(20_010));
        let here = Here::new(&settings);
        assert!(!is_ours(&here, "127.0.0.1:20010") && is_ours(&here, "127.0.0.1:20020"));
    }

    #[test]
    fn where_sockets_are_bound_to_named_addresses_the_others_are_somebody_elses() {
        assert!(!is_ours(&here(&["192.0.2.7"]), "127.0.0.1:20000"));
        assert!(!is_ours(&here(&["192.0.2.7", "::"]), "127.0.0.1:20000"));
        assert!(is_ours(&here(&["192.0.2.7", "::"]), "[::1]:20000"));
    }
}
