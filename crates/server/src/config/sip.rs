//! `[sip]`: where calls come in.

use std::net::IpAddr;
use std::time::Duration;

use ::sip::Transport;
use b2bua::Timing;

use super::address::{self, Listener};
use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "sip",
    keys: &["listen", "public_address", "t1", "t2", "t4", "max_calls", "calls_per_second", "max_message"],
    refused: &[
        ("tls", "SIP over TLS is not available yet; listen on udp:// or tcp://"),
        ("certificate", "SIP over TLS is not available yet; listen on udp:// or tcp://"),
        ("certificate_file", "SIP over TLS is not available yet; listen on udp:// or tcp://"),
        ("key", "SIP over TLS is not available yet; listen on udp:// or tcp://"),
        ("key_file", "SIP over TLS is not available yet; listen on udp:// or tcp://"),
    ],
};

/// `[sip]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sip {
    /// In the order `Flow::listener` counts them.
    pub(crate) listeners: Vec<Listener>,
    /// What peers are told instead of our own addresses, at most one of each family.
    pub(crate) public: Vec<IpAddr>,
    /// T1, T2, T4.
    pub(crate) timing: Timing,
    /// Calls at once.
    pub(crate) max_calls: usize,
    /// New calls in a second.
    pub(crate) calls_per_second: u32,
    /// Octets of one message.
    pub(crate) max_message: usize,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> (Section<'d>, Sip) {
    let section = walk.section(root, &SCHEMA);
    let public = public(walk, &section);
    let listeners = listeners(walk, &section, &public);
    let timing = timing(walk, &section);
    let mut number = |key, range, default: u64| {
        let read = walk.get(&section, key, |value| value::integer(value, range));
        usize::try_from(read.or(default)).expect("the ranges are far below the limits of any machine")
    };
    let max_calls = number("max_calls", 1..=100_000, 1000);
    let calls_per_second = number("calls_per_second", 1..=10_000, 100);
    let largest = ::sip::limits::MESSAGE;
    // A message with a session description and the headers carriers add must fit.
    let max_message = number("max_message", 4096..=largest as u64, largest as u64);
    let sip = Sip {
        listeners,
        public: public.ok().unwrap_or_default(),
        timing,
        max_calls,
        calls_per_second: u32::try_from(calls_per_second).expect("at most 10 000"),
        max_message,
    };
    (section, sip)
}

/// One address of each family.
pub(super) fn public<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Given<Vec<IpAddr>> {
    let given = walk.list(section, "public_address", value::ip);
    let Given::Is(addresses) = &given else {
        return given;
    };
    let mut faulty = false;
    for (index, address) in addresses.iter().enumerate() {
        let place = section.element("public_address", index);
        if address.is_unspecified() || address.is_multicast() {
            walk.fault(place, format!("nobody can reach {address}; write the address peers see"));
            faulty = true;
        } else if addresses[..index].iter().any(|other| other.is_ipv4() == address.is_ipv4()) {
            walk.fault(place, "a second address of the same family; write one for IPv4 and one for IPv6");
            faulty = true;
        }
    }
    if faulty { Given::Faulty } else { given }
}

/// What peers are told for a socket bound to `local`, if anything can be told.
pub(super) fn told(local: IpAddr, public: &[IpAddr]) -> Option<IpAddr> {
    let family = public.iter().find(|address| address.is_ipv4() == local.is_ipv4()).copied();
    family.or((!local.is_unspecified()).then_some(local))
}

fn listeners<'d>(walk: &mut Walk<'d>, section: &Section<'d>, public: &Given<Vec<IpAddr>>) -> Vec<Listener> {
    let everywhere = "0.0.0.0:5060".parse().expect("an address");
    let default = || vec![(Transport::Udp, everywhere), (Transport::Tcp, everywhere)];
    let given = walk.list(section, "listen", address::listener);
    if matches!(given, Given::Faulty) {
        return Vec::new();
    }
    let binds = given.ok().unwrap_or_else(default);
    if binds.is_empty() {
        walk.fault(
            section.place("listen"),
            "no listener: calls need at least one, such as \"udp://0.0.0.0:5060\"",
        );
    } else if binds.len() > 64 {
        walk.fault(section.place("listen"), "more than 64 listeners");
    }
    let known = match public {
        Given::Is(addresses) => addresses.as_slice(),
        Given::Absent | Given::Faulty => &[],
    };
    let mut listeners: Vec<Listener> = Vec::new();
    let mut untold = None;
    for (index, (transport, address)) in binds.into_iter().enumerate() {
        let place = section.element("listen", index);
        let takes_same =
            |other: &Listener| other.transport == transport && address::shares(other.address, address);
        if listeners.iter().any(takes_same) {
            walk.fault(place, format!("{address} is listened on twice"));
            continue;
        }
        let told = told(address.ip(), known);
        if told.is_none() && !matches!(public, Given::Faulty) {
            untold.get_or_insert(address.ip());
        }
        let host = std::net::SocketAddr::new(told.unwrap_or(address.ip()), address.port());
        listeners.push(Listener { transport, address, public: host.to_string() });
    }
    if let Some(address) = untold {
        let text = format!(
            "{address} in sip.listen stands for every address of this machine; write here the one peers see"
        );
        walk.fault(section.place("public_address"), text);
    }
    listeners
}

fn timing<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Timing {
    let default = Timing::default();
    let mut timer = |key, least: u64, default| {
        let range = Duration::from_millis(least)..=Duration::from_secs(60);
        walk.get(section, key, |value| value::duration(value, range)).or(default)
    };
    let timing = Timing {
        t1: timer("t1", 10, default.t1),
        t2: timer("t2", 10, default.t2),
        t4: timer("t4", 10, default.t4),
    };
    if timing.t2 < timing.t1 {
        let key = if section.has("t2") { "t2" } else { "t1" };
        walk.fault(
            section.place(key),
            "t2 is the longest pause between retransmissions and cannot be below t1",
        );
    }
    timing
}
