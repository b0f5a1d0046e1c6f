//! `[media]`: where voice goes through.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use relay::{AtCards, Io};
use rtp::Codec;
use toml::de::DeValue;

use super::sip::{self, Sip};
use super::value;
use super::walk::{Given, Schema, Section, Walk};
use super::xdp;

pub(super) const SCHEMA: Schema = Schema {
    name: "media",
    keys: &[
        "listen",
        "public_address",
        "ports",
        "workers",
        "backend",
        "interfaces",
        "xdp_mode",
        "max_wait",
        "codecs",
        "inband",
        "rtcp_xr",
        "rtp_timeout",
        "port_rest",
    ],
    refused: &[],
};

/// `[media]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Media {
    /// In the order `rtp::Port::address` counts them.
    pub(crate) addresses: Vec<Address>,
    /// Ports on each address.
    pub(crate) ports: Ports,
    /// Threads that move packets; 0 is one for each core.
    pub(crate) workers: usize,
    /// How they wait for packets.
    pub(crate) backend: Io,
    /// How the kernel sends plain packets on by itself, if it is to.
    pub(crate) shortcuts: Option<AtCards>,
    /// Whether workers take frames from cards themselves, and where.
    pub(crate) lanes: Option<AtCards>,
    /// The longest that a packet waits for others; `None`: as the backend has it.
    pub(crate) max_wait: Option<Duration>,
    /// In order of liking.
    pub(crate) codecs: Vec<Codec>,
    /// Whether keys are heard in the audio of whoever has no telephone-events.
    pub(crate) inband: bool,
    /// Whether VoIP metrics are asked for, and told to whoever asks.
    pub(crate) xr: bool,
    /// How long a side may be silent before its call is ended.
    pub(crate) rtp_timeout: Duration,
    /// How long a port rests before it is used again.
    pub(crate) port_rest: Duration,
}

/// One address media sockets are bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) local: IpAddr,
    /// What session descriptions say.
    pub(crate) public: IpAddr,
}

/// Ports from `first` (even) to `last` (odd): pairs of RTP and RTCP (RFC 3550 §11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Ports {
    /// All of them.
    pub(crate) fn range(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// How many pairs.
    pub(crate) fn pairs(self) -> usize {
        self.range().len() / 2
    }
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, sip: &Sip) -> (Section<'d>, Media) {
    let section = walk.section(root, &SCHEMA);
    let seconds = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    let ports = walk.get(&section, "ports", ports).or(Ports { first: 20_000, last: 23_999 });
    let workers = walk.get(&section, "workers", |value| value::integer(value, 0..=256)).or(0);
    let xdp::Moved { backend, shortcuts, lanes } = xdp::read(walk, &section);
    let media = Media {
        addresses: addresses(walk, &section, sip),
        ports,
        workers: usize::try_from(workers).expect("at most 256"),
        backend,
        shortcuts,
        lanes,
        max_wait: walk
            .get(&section, "max_wait", |value| {
                value::duration(value, Duration::ZERO..=Duration::from_millis(1))
            })
            .ok(),
        codecs: codecs(walk, &section),
        inband: walk.get(&section, "inband", |value| value::word(value, INBAND)).or(true),
        xr: walk.get(&section, "rtcp_xr", |value| value::word(value, XR)).or(false),
        rtp_timeout: walk
            .get(&section, "rtp_timeout", |value| value::duration(value, seconds(1, 3600)))
            .or(Duration::from_secs(30)),
        port_rest: walk
            .get(&section, "port_rest", |value| value::duration(value, seconds(0, 600)))
            .or(Duration::from_secs(5)),
    };
    if media.workers > media.ports.pairs() / 2 {
        let text = format!("{workers} workers share {} port pairs, and each needs two", media.ports.pairs());
        walk.fault(section.place("workers"), text);
    }
    (section, media)
}

const XR: &[(&str, Result<bool, &str>)] = &[("on", Ok(true)), ("off", Ok(false))];

const INBAND: &[(&str, Result<bool, &str>)] = &[("auto", Ok(true)), ("off", Ok(false))];

fn ports(value: &DeValue<'_>) -> Result<Ports, String> {
    let text = value::text(value)?;
    let form = "write the first (even) and the last (odd), such as \"20000-23999\"";
    let parse = |text: &str| text.trim().parse::<u16>().ok();
    let (first, last) = text
        .split_once('-')
        .and_then(|(first, last)| parse(first).zip(parse(last)))
        .ok_or_else(|| format!("{:?} is no range of ports; {form}", value::shortened(&text)))?;
    if first < 1024 {
        return Err(format!("ports below 1024 belong to the system; {form}"));
    }
    if !first.is_multiple_of(2) || last.is_multiple_of(2) {
        return Err(format!("ports come in pairs, RTP on the even one, RTCP on the next; {form}"));
    }
    let ports = Ports { first, last };
    if ports.pairs() < 2 {
        return Err(format!("one call needs four ports; {form}"));
    }
    Ok(ports)
}

fn codecs<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Vec<Codec> {
    let words = &[
        ("pcma", Ok(Codec::Pcma)),
        ("pcmu", Ok(Codec::Pcmu)),
        ("g722", Ok(Codec::G722)),
        ("opus", Ok(Codec::Opus)),
        ("alaw", Err("is called pcma here")),
        ("ulaw", Err("is called pcmu here")),
    ];
    let codecs =
        walk.list(section, "codecs", |value| value::word(value, words)).or(vec![Codec::Pcma, Codec::Pcmu]);
    if codecs.is_empty() {
        walk.fault(
            section.place("codecs"),
            "no codec: write one or more of \"pcma\", \"pcmu\", \"g722\", \"opus\"",
        );
    }
    for (index, codec) in codecs.iter().enumerate() {
        if codecs[..index].contains(codec) {
            walk.fault(section.element("codecs", index), "stands here twice");
        }
    }
    codecs
}

fn addresses<'d>(walk: &mut Walk<'d>, section: &Section<'d>, sip: &Sip) -> Vec<Address> {
    let public = sip::public(walk, section);
    let listen = walk.list(section, "listen", value::ip);
    let doubtful = matches!(public, Given::Faulty) || sip.listeners.is_empty();
    if matches!(listen, Given::Faulty) {
        return Vec::new();
    }
    let written = section.has("listen");
    let locals = listen.ok().unwrap_or_else(|| of_listeners(sip));
    if locals.len() > 255 {
        // `rtp::Port` counts them with eight bits.
        walk.fault(section.place("listen"), format!("{} addresses; at most 255 are taken", locals.len()));
    }
    if written && locals.is_empty() {
        walk.fault(section.place("listen"), "no address: voice needs one of each family that SIP listens on");
    }
    let mut known = public.ok().unwrap_or_default();
    known.extend(&sip.public);
    let mut addresses: Vec<Address> = Vec::new();
    for (index, local) in locals.into_iter().enumerate() {
        let place = section.element("listen", index);
        let told = sip::told(local, &known);
        if local.is_multicast() {
            walk.fault(place, format!("{local} is a multicast address"));
        } else if addresses.iter().any(|other| other.local == local) {
            walk.fault(place, format!("{local} stands here twice"));
        } else if told.is_none() && !doubtful && written {
            let text = format!(
                "{local} in media.listen stands for every address of this machine; write here the one peers see"
            );
            walk.fault(section.place("public_address"), text);
        }
        addresses.push(Address { local, public: told.unwrap_or(local) });
    }
    if written && !doubtful {
        families(walk, section, sip, &addresses);
    }
    addresses
}

/// Where nothing is said, voice goes through the addresses calls come in by.
fn of_listeners(sip: &Sip) -> Vec<IpAddr> {
    let mut locals: Vec<IpAddr> = Vec::new();
    for listener in &sip.listeners {
        if !locals.contains(&listener.address.ip()) {
            locals.push(listener.address.ip());
        }
    }
    locals
}

/// A call that comes in over one family can only be given media of the same.
fn families<'d>(walk: &mut Walk<'d>, section: &Section<'d>, sip: &Sip, addresses: &[Address]) {
    for (v4, name) in [(true, "IPv4"), (false, "IPv6")] {
        let called = sip.listeners.iter().any(|listener| listener.address.is_ipv4() == v4);
        let spoken = addresses.iter().any(|address| address.local.is_ipv4() == v4);
        if called && !spoken && !addresses.is_empty() {
            let text =
                format!("sip.listen has {name} and this has not: calls that come by it would have no voice");
            walk.fault(section.place("listen"), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_come_in_pairs_and_at_least_two() {
        let read = |text: &str| ports(&DeValue::String(text.into()));
        assert_eq!(read("20000-23999"), Ok(Ports { first: 20_000, last: 23_999 }));
        assert_eq!(read(" 20000 - 20003 ").map(Ports::pairs), Ok(2));
        assert_eq!(read("1024-65535").map(Ports::pairs), Ok(32_256));
        for wrong in [
            "20001-23999",
            "20000-23998",
            "20000-20001",
            "23999-20000",
            "1000-2001",
            "20000",
            "20000-70001",
            "a-b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
