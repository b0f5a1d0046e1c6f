//! Whom we listen to and where we send: only the address that was signalled, whose port may be learnt once (RFC 7362
//! §4 and §5: who latches to anyone gives the call to anyone).

use std::net::{IpAddr, SocketAddr};

use crate::{Remote, Settings};

/// The sources of both kinds of packets of one session.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) rtp: Source,
    pub(crate) rtcp: Source,
}

impl Sources {
    pub(crate) fn new(remote: Option<Remote>) -> Self {
        Self {
            rtp: Source::new(remote.map(|remote| remote.rtp)),
            rtcp: Source::new(remote.map(|remote| remote.rtcp)),
        }
    }

    /// A new description was agreed: learning begins anew.
    pub(crate) fn update(&mut self, remote: Option<Remote>) {
        self.rtp.update(remote.map(|remote| remote.rtp));
        self.rtcp.update(remote.map(|remote| remote.rtcp));
    }

    /// Of reports: where they share a port with the packets, they have one source.
    pub(crate) fn of_reports(&mut self, shared: bool) -> &mut Source {
        if shared { &mut self.rtp } else { &mut self.rtcp }
    }
}

/// One address of theirs.
#[derive(Debug)]
pub(crate) struct Source {
    signalled: Option<SocketAddr>,
    state: State,
    destination: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Any port of the signalled address may teach us, but for one: where packets came from before a description
    /// moved the stream. What is still under way from there is heard and teaches nothing.
    Learning { but_not: Option<SocketAddr> },
    /// Only this one from now on.
    Learnt(SocketAddr),
}

impl Source {
    fn new(signalled: Option<SocketAddr>) -> Self {
        let signalled = signalled.map(canonical);
        let destination = signalled.filter(|address| may_be_sent_to(*address));
        Self { signalled, state: State::Learning { but_not: None }, destination }
    }

    fn update(&mut self, signalled: Option<SocketAddr>) {
        let signalled = signalled.map(canonical);
        let moved = signalled != self.signalled;
        let but_not = match self.state {
            State::Learnt(before) if moved && Some(before) != signalled => Some(before),
            State::Learnt(_) => None,
            State::Learning { but_not } => but_not.filter(|before| Some(*before) != signalled),
        };
        self.state = State::Learning { but_not };
        if moved {
            self.signalled = signalled;
            self.destination = signalled.filter(|address| may_be_sent_to(*address));
        }
    }

    /// Whether a packet from there is heard at all.
    pub(crate) fn admits(&self, from: SocketAddr, settings: &Settings) -> bool {
        let from = canonical(from);
        match self.state {
            State::Learnt(only) => from == only,
            State::Learning { .. } => {
                self.signalled.is_some_and(|signalled| signalled.ip() == from.ip()) && !settings.is_ours(from)
            }
        }
    }

    /// A packet from there proved valid: from now on it is the only source, and where we send to.
    pub(crate) fn learn(&mut self, from: SocketAddr) {
        let from = canonical(from);
        match self.state {
            State::Learnt(_) => {}
            State::Learning { but_not } if but_not == Some(from) => {}
            State::Learning { .. } => {
                self.state = State::Learnt(from);
                if may_be_sent_to(from) {
                    self.destination = Some(from);
                }
            }
        }
    }

    /// Whether anybody was signalled yet: until then nobody is a stranger.
    pub(crate) fn is_known(&self) -> bool {
        self.signalled.is_some()
    }

    /// The only source there is from now on, once it was learnt.
    pub(crate) fn learnt(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learnt(only) => Some(only),
            State::Learning { .. } => None,
        }
    }

    /// Where to send, if anything may be sent at all.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        self.destination
    }

    /// Whether something can come from there: RFC 2543 §B.5 put a stream on hold by the address 0.0.0.0.
    pub(crate) fn can_speak(&self) -> bool {
        self.signalled.is_some_and(|address| !address.ip().is_unspecified())
    }
}

/// A mapped IPv4 address is the IPv4 address, and a scope says where we are, not who they are.
fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => address,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => SocketAddr::V6(std::net::SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id())),
        },
    }
}

/// A description may name any address; we are nobody's tool against a network or a service.
fn may_be_sent_to(address: SocketAddr) -> bool {
    let host = match address.ip() {
        IpAddr::V4(ip) => {
            let this_network = ip.octets()[0] == 0;
            let reserved = ip.octets()[0] >= 240;
            !this_network && !reserved && !ip.is_multicast() && !ip.is_broadcast()
        }
        IpAddr::V6(ip) => !ip.is_multicast() && !ip.is_unspecified(),
    };
    host && address.port() >= 1024
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn settings() -> Settings {
        Settings {
            addresses: vec!["198.51.100.1".parse().unwrap()],
            public: Vec::new(),
            ports: 10_000..=10_099,
            others: BTreeSet::new(),
            silence: Duration::from_secs(30),
            rtcp_interval: Duration::from_secs(5),
            inband: false,
        }
    }

    fn source(text: &str) -> Source {
        Source::new(Some(at(text)))
    }

    #[test]
    fn until_something_came_we_send_where_the_description_says() {
        assert_eq!(source("192.0.2.1:4000").destination(), Some(at("192.0.2.1:4000")));
        assert_eq!(Source::new(None).destination(), None);
    }

    #[test]
    fn the_port_is_learnt_once_and_only_from_the_signalled_address() {
        let mut source = source("192.0.2.1:4000");
        assert!(!source.admits(at("192.0.2.66:4000"), &settings()));
        assert!(source.admits(at("192.0.2.1:5555"), &settings()));
        source.learn(at("192.0.2.1:5555"));
        assert_eq!(source.destination(), Some(at("192.0.2.1:5555")));
        assert!(source.admits(at("192.0.2.1:5555"), &settings()));
        for other in ["192.0.2.1:4000", "192.0.2.1:5556", "192.0.2.66:5555"] {
            assert!(!source.admits(at(other), &settings()), "{other}");
        }
        source.learn(at("192.0.2.1:4000"));
        assert_eq!(source.destination(), Some(at("192.0.2.1:5555")));
    }

    #[test]
    fn nobody_is_heard_before_a_description_named_somebody() {
        assert!(!Source::new(None).admits(at("192.0.2.1:4000"), &settings()));
    }

    #[test]
    fn a_description_that_changes_nothing_keeps_the_way_until_something_else_is_learnt() {
        let mut source = source("192.0.2.1:4000");
        source.learn(at("192.0.2.1:5555"));
        source.update(Some(at("192.0.2.1:4000")));
        assert_eq!(source.destination(), Some(at("192.0.2.1:5555")));
        source.learn(at("192.0.2.1:7777"));
        assert_eq!(source.destination(), Some(at("192.0.2.1:7777")));
    }

    #[test]
    fn a_moved_stream_is_followed_at_once_whatever_is_still_under_way() {
        let mut source = source("192.0.2.1:4000");
        source.learn(at("192.0.2.1:4000"));
        source.update(Some(at("192.0.2.1:6000")));
        assert_eq!(source.destination(), Some(at("192.0.2.1:6000")));
        assert!(source.admits(at("192.0.2.1:4000"), &settings()), "what is under way is heard");
        source.learn(at("192.0.2.1:4000"));
        assert_eq!(source.destination(), Some(at("192.0.2.1:6000")), "but teaches nothing");
        source.learn(at("192.0.2.1:6000"));
        assert!(!source.admits(at("192.0.2.1:4000"), &settings()));
    }

    #[test]
    fn a_stream_that_moves_back_may_be_learnt_where_it_was() {
        let mut source = source("192.0.2.1:4000");
        source.learn(at("192.0.2.1:4000"));
        source.update(Some(at("192.0.2.1:6000")));
        source.update(Some(at("192.0.2.1:4000")));
        source.learn(at("192.0.2.1:4000"));
        assert_eq!(source.destination(), Some(at("192.0.2.1:4000")));
        assert!(!source.admits(at("192.0.2.1:6000"), &settings()));
    }

    #[test]
    fn nothing_is_sent_to_groups_to_nobody_or_to_services() {
        for address in [
            "224.0.0.1:4000",
            "239.1.2.3:4000",
            "255.255.255.255:4000",
            "240.0.0.1:4000",
            "0.0.0.0:4000",
            "0.1.2.3:4000",
            "192.0.2.1:0",
            "192.0.2.1:53",
            "192.0.2.1:1023",
            "[ff02::1]:4000",
            "[::]:4000",
            "[::ffff:224.0.0.1]:4000",
        ] {
            assert_eq!(source(address).destination(), None, "{address}");
        }
    }

    #[test]
    fn a_privileged_port_is_heard_and_not_answered() {
        let mut source = source("192.0.2.1:4000");
        source.learn(at("192.0.2.1:53"));
        assert!(source.admits(at("192.0.2.1:53"), &settings()));
        assert_eq!(source.destination(), Some(at("192.0.2.1:4000")));
    }

    #[test]
    fn a_mapped_address_is_the_address() {
        let mut source = source("192.0.2.1:4000");
        assert!(source.admits(at("[::ffff:192.0.2.1]:4000"), &settings()));
        source.learn(at("[::ffff:192.0.2.1]:4000"));
        assert!(source.admits(at("192.0.2.1:4000"), &settings()));
    }
}
