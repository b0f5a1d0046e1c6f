//! `[sip]`: where calls come in.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ::sip::Transport;
use b2bua::{Sessions, Timing};
use toml::de::DeValue;

use super::address::{self, Listener};
use super::secret;
use super::value;
use super::walk::{Given, Schema, Section, Walk};
use crate::signalling::{Files, Tls};

pub(super) const SCHEMA: Schema = Schema {
    name: "sip",
    keys: &[
        "listen",
        "public_address",
        "t1",
        "t2",
        "t4",
        "session_expires",
        "min_se",
        "max_calls",
        "calls_per_second",
        "max_delay",
        "busy_status",
        "max_message",
        "certificate_file",
        "key_file",
        "roots_file",
        "nameservers",
        "realm",
    ],
    refused: &[
        ("tls", "listen on tls://, and write certificate_file and key_file"),
        ("certificate", "keys do not stand in this file; write certificate_file and key_file"),
        ("key", "keys do not stand in this file; write certificate_file and key_file"),
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
    /// Session timers (RFC 4028), where there are any.
    pub(crate) sessions: Option<Sessions>,
    /// Calls at once.
    pub(crate) max_calls: usize,
    /// New calls in a second.
    pub(crate) calls_per_second: u32,
    /// How long a call may wait for us before it is refused.
    pub(crate) max_delay: Duration,
    /// What it is refused with then, and beyond the limits.
    pub(crate) busy_status: u16,
    /// Octets of one message.
    pub(crate) max_message: usize,
    /// Who is asked for names; those of the system where there are none.
    pub(crate) nameservers: Vec<SocketAddr>,
    /// Who we are to those who must prove an account.
    pub(crate) realm: String,
    /// What TLS is made of, where it is listened for.
    pub(crate) tls: Option<Files>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> (Section<'d>, Sip) {
    let section = walk.section(root, &SCHEMA);
    let public = public(walk, &section);
    let listeners = listeners(walk, &section, &public);
    let timing = timing(walk, &section);
    let sessions = sessions(walk, &section);
    let mut number = |key, range, default: u64| {
        let read = walk.get(&section, key, |value| value::integer(value, range));
        usize::try_from(read.or(default)).expect("the ranges are far below the limits of any machine")
    };
    let max_calls = number("max_calls", 1..=100_000, 1000);
    let calls_per_second = number("calls_per_second", 1..=10_000, 100);
    let largest = ::sip::limits::MESSAGE;
    // A message with a session description and the headers carriers add must fit.
    let max_message = number("max_message", 4096..=largest as u64, largest as u64);
    let delays = Duration::from_millis(20)..=Duration::from_secs(10);
    let max_delay = walk.get(&section, "max_delay", |value| value::duration(value, delays));
    let busy_status = walk.get(&section, "busy_status", busy);
    let tls = tls(walk, &section, &listeners);
    let nameservers = walk.list(&section, "nameservers", nameserver).or(Vec::new());
    let realm = walk.get(&section, "realm", value::text).or("bauta".to_owned());
    let sip = Sip {
        realm,
        nameservers,
        tls,
        listeners,
        public: public.ok().unwrap_or_default(),
        timing,
        sessions,
        max_calls,
        calls_per_second: u32::try_from(calls_per_second).expect("at most 10 000"),
        max_delay: max_delay.or(Duration::from_millis(200)),
        busy_status: busy_status.or(503),
        max_message,
    };
    (section, sip)
}

/// A status that says that there is no room now, and may say when to try again (RFC 3261 §20.33).
fn busy(value: &DeValue<'_>) -> Result<u16, String> {
    const ALL: [u16; 6] = [480, 486, 500, 503, 600, 603];
    let status = value::integer(value, 0..=u64::MAX)?;
    u16::try_from(status).ok().filter(|status| ALL.contains(status)).ok_or_else(|| {
        format!("{status} does not say that there is no room now; write 480, 486, 500, 503, 600 or 603")
    })
}

/// An address, with or without a port.
fn nameserver(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let text = value::text(value)?;
    let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
    text.parse().or_else(|_| bare()).map_err(|_| {
        format!(
            "{:?} is no address; write it such as \"192.0.2.53\" or \"127.0.0.1:5353\"",
            value::shortened(&text)
        )
    })
}

/// Certificate, key and roots, which must fit each other.
fn tls<'d>(walk: &mut Walk<'d>, section: &Section<'d>, listeners: &[Listener]) -> Option<Files> {
    let path = |walk: &mut Walk<'d>, key| walk.get(section, key, value::text).ok().map(PathBuf::from);
    let (certificate, key) = (path(walk, "certificate_file"), path(walk, "key_file"));
    let roots = path(walk, "roots_file");
    if !listeners.iter().any(|listener| listener.transport == Transport::Tls) {
        for key in ["certificate_file", "key_file", "roots_file"] {
            if section.has(key) {
                walk.fault(section.place(key), "means nothing without a tls:// address in sip.listen");
            }
        }
        return None;
    }
    for key in ["certificate_file", "key_file"] {
        if !section.has(key) {
            walk.fault(section.place(key), "is missing: who listens on tls:// must prove who they are");
        }
    }
    let files = Files { certificate: certificate?, key: key?, roots };
    if let Err(error) = Tls::load(&files) {
        walk.fault(section.place("certificate_file"), error.to_string());
        return None;
    }
    secret::warn_if_open(walk, section, "key_file");
    Some(files)
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
        let takes_same = |other: &Listener| {
            other.transport.is_reliable() == transport.is_reliable()
                && address::shares(other.address, address)
        };
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

/// The intervals of sessions, in whole seconds; none for no time at all.
fn sessions<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Sessions> {
    // RFC 4028 §4, §7.1: no interval is below 90 s, and half an hour is recommended.
    const LEAST: Duration = Duration::from_secs(90);
    const USUAL: Duration = Duration::from_secs(1800);
    const MOST: Duration = Duration::from_secs(86_400);
    let interval = |value: &DeValue<'_>| {
        let read = value::duration(value, Duration::ZERO..=MOST)?;
        if read.is_zero() { Ok(read) } else { value::duration(value, LEAST..=MOST) }
    };
    let interval = walk.get(section, "session_expires", interval).or(USUAL);
    let least = walk.get(section, "min_se", |value| value::duration(value, LEAST..=MOST)).or(LEAST);
    if interval.is_zero() {
        if section.has("min_se") {
            walk.fault(section.place("min_se"), "means nothing while session_expires is 0");
        }
        return None;
    }
    if interval < least {
        let key = if section.has("session_expires") { "session_expires" } else { "min_se" };
        walk.fault(section.place(key), "min_se is the shortest interval and cannot be above session_expires");
    }
    let seconds = |time: Duration| u32::try_from(time.as_secs()).expect("a day at most");
    Some(Sessions { interval: seconds(interval), least: seconds(least) })
}
