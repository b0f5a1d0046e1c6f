//! `[[trunk]]`: carriers.

use std::sync::Arc;

use b2bua::{Credentials, Network, SrtpPolicy, Trust};
use number::{Number, Plan};

use super::account;
use super::address::{self, Destination};
use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "trunk",
    keys: &[
        "name",
        "uri",
        "allow",
        "numbers",
        "trust",
        "asserted",
        "srtp",
        "username",
        "password",
        "password_env",
        "password_file",
        "realm",
        "md5",
    ],
    refused: &[
        (
            "register",
            "registering at a carrier is not available yet; have the carrier send calls to this address",
        ),
        ("limits", "limits of a single trunk are not available yet; sip.max_calls holds for all"),
        ("max_calls", "limits of a single trunk are not available yet; sip.max_calls holds for all"),
    ],
};

/// `[[trunk]]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trunk {
    /// Its name in records and in lines.
    pub(crate) name: String,
    /// Where calls go out, to be resolved.
    pub(crate) destination: Destination,
    /// Which addresses may call in.
    pub(crate) allow: Vec<Network>,
    /// The numbers it lets us present.
    pub(crate) numbers: Vec<Number>,
    /// Which header names the caller.
    pub(crate) trust: Trust,
    /// Also present our number in P-Asserted-Identity.
    pub(crate) asserted: bool,
    /// Whether media by it is protected.
    pub(crate) srtp: SrtpPolicy,
    /// What its challenges are answered with.
    pub(crate) credentials: Option<Arc<Credentials>>,
}

/// A trunk as far as it could be read; `None` is a fault already noted.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    pub(super) section: Section<'d>,
    pub(super) name: Option<String>,
    pub(super) allow: Option<Vec<Network>>,
    pub(super) numbers: Option<Vec<Number>>,
    pub(super) destination: Option<Destination>,
    trust: Trust,
    asserted: bool,
    srtp: SrtpPolicy,
    credentials: Option<Credentials>,
}

impl Draft<'_> {
    /// Whole, if nothing was at fault.
    pub(super) fn finish(self) -> Option<Trunk> {
        Some(Trunk {
            name: self.name?,
            destination: self.destination?,
            allow: self.allow?,
            numbers: self.numbers?,
            trust: self.trust,
            asserted: self.asserted,
            srtp: self.srtp,
            credentials: self.credentials.map(Arc::new),
        })
    }
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, plan: Plan) -> Vec<Draft<'d>> {
    let trunks: Vec<Draft<'d>> =
        walk.sections(root, &SCHEMA).into_iter().map(|section| one(walk, section, plan)).collect();
    if trunks.is_empty() && !root.has("trunk") {
        walk.fault(root.place("trunk"), "there is none: calls come and go by at least one [[trunk]]");
    }
    trunks
}

fn one<'d>(walk: &mut Walk<'d>, section: Section<'d>, plan: Plan) -> Draft<'d> {
    let name = walk.needed(&section, "name", "any word, for records and for lines to refer to", value::name);
    let uri = "where the carrier takes calls, such as \"sip:sip.carrier.example\"";
    let destination = walk.needed(&section, "uri", uri, address::trunk);
    let allow = allow(walk, &section, destination.as_ref());
    let numbers = match walk.list(&section, "numbers", |value| value::number(value, plan)) {
        Given::Absent => {
            walk.fault(section.place("numbers"), "is missing: the numbers the carrier gave you");
            None
        }
        Given::Is(numbers) => Some(numbers),
        Given::Faulty => None,
    };
    for (index, number) in numbers.iter().flatten().enumerate() {
        if numbers.iter().flatten().take(index).any(|other| other == number) {
            walk.fault(section.element("numbers", index), format!("{number} stands here twice"));
        }
    }
    let trust = walk.get(&section, "trust", |value| value::word(value, TRUST)).or(Trust::Asserted);
    let asserted = walk.get(&section, "asserted", value::flag).or(false);
    let srtp = walk.get(&section, "srtp", |value| value::word(value, SRTP)).or(SrtpPolicy::Off);
    if srtp != SrtpPolicy::Off {
        let text = "the keys are in the SIP messages, which are not encrypted as SIP over TLS is not available yet: whoever \
                    can read those can hear the calls";
        walk.warn(section.place("srtp"), text);
    }
    let credentials = account::read(walk, &section);
    Draft { section, name, allow, numbers, destination, trust, asserted, srtp, credentials }
}

const TRUST: &[(&str, Result<Trust, &str>)] = &[
    ("asserted", Ok(Trust::Asserted)),
    ("remote-party-id", Ok(Trust::RemoteParty)),
    ("from", Ok(Trust::From)),
];

const SRTP: &[(&str, Result<SrtpPolicy, &str>)] = &[
    ("off", Ok(SrtpPolicy::Off)),
    ("offered", Ok(SrtpPolicy::Offered)),
    ("required", Ok(SrtpPolicy::Required)),
];

/// `destination` is `None` where it is at fault: then nothing can be said about a missing list.
fn allow<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    destination: Option<&Destination>,
) -> Option<Vec<Network>> {
    match walk.list(section, "allow", value::network) {
        Given::Is(ranges) if ranges.is_empty() => {
            walk.fault(
                section.place("allow"),
                "is empty: nobody could call in; write the carrier's addresses",
            );
            None
        }
        Given::Is(ranges) => {
            for (index, range) in ranges.iter().enumerate().filter(|(_, range)| range.prefix == 0) {
                let text = format!(
                    "lets everyone with an {} address call in",
                    if range.address.is_ipv4() { "IPv4" } else { "IPv6" }
                );
                walk.warn(section.element("allow", index), text);
            }
            Some(ranges)
        }
        Given::Faulty => None,
        Given::Absent => {
            let destination = destination?;
            let Some(address) = destination.address() else {
                let text = format!(
                    "is missing: the addresses calls come in from; {} is a name, which may have others",
                    destination.host
                );
                walk.fault(section.place("allow"), text);
                return None;
            };
            Some(vec![Network { address, prefix: if address.is_ipv4() { 32 } else { 128 } }])
        }
    }
}
