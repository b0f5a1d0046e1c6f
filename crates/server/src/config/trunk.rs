//! `[[trunk]]`: carriers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ::sip::Transport;
use b2bua::{Credentials, Network, Profile, Registration, SrtpPolicy, Trust, Verify};
use number::{Number, Plan};
use toml::de::DeValue;

use super::account::{self, Account, Inbound};
use super::address::{self, Destination};
use super::profile;
use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "trunk",
    keys: &[
        "name",
        "uri",
        "allow",
        "certificate",
        "inbound_username",
        "inbound_password",
        "inbound_password_env",
        "inbound_password_file",
        "inbound_algorithms",
        "numbers",
        "trust",
        "verify",
        "country",
        "format",
        "prefix",
        "strip",
        "from",
        "present",
        "withhold",
        "srtp",
        "username",
        "password",
        "password_env",
        "password_file",
        "realm",
        "md5",
        "register",
        "register_expires",
        "aor",
        "ping",
        "attempt_timeout",
        "max_calls",
        "calls_per_second",
    ],
    refused: &[
        ("limits", "write max_calls and calls_per_second"),
        ("asserted", "write present = [\"asserted\"]"),
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
    /// Names of which whoever calls in must prove one.
    pub(crate) certificate: Vec<Box<str>>,
    /// What whoever calls in must prove to know.
    pub(crate) inbound: Option<Inbound>,
    /// The numbers it lets us present.
    pub(crate) numbers: BTreeSet<Number>,
    /// Which header names the caller.
    pub(crate) trust: Trust,
    /// What is believed of whether they are who it says.
    pub(crate) verify: Verify,
    /// How numbers are written and read.
    pub(crate) profile: Profile,
    /// Whether media by it is protected.
    pub(crate) srtp: SrtpPolicy,
    /// What its challenges are answered with.
    pub(crate) credentials: Option<Arc<Credentials>>,
    /// What is registered there.
    pub(crate) registration: Option<Registration>,
    /// How it is used.
    pub(crate) usage: Usage,
}

/// How a trunk is used beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// How often it is asked whether it is there.
    pub(crate) ping: Option<Duration>,
    /// How long it may say nothing to a call before the next way is tried.
    pub(crate) attempt_timeout: Duration,
    /// Legs at once.
    pub(crate) max_calls: Option<usize>,
    /// New legs in a second.
    pub(crate) calls_per_second: Option<u32>,
}

/// A trunk as far as it could be read; `None` is a fault already noted.
#[derive(Debug)]
pub(super) struct Draft<'d> {
    pub(super) section: Section<'d>,
    pub(super) name: Option<String>,
    pub(super) allow: Option<Vec<Network>>,
    pub(super) certificate: Vec<Box<str>>,
    pub(super) inbound: Option<Inbound>,
    pub(super) numbers: Option<BTreeSet<Number>>,
    pub(super) destination: Option<Destination>,
    trust: Trust,
    pub(super) verify: Verify,
    profile: Profile,
    srtp: SrtpPolicy,
    account: Account,
    usage: Usage,
}

impl Draft<'_> {
    /// Whole, if nothing was at fault.
    pub(super) fn finish(self) -> Option<Trunk> {
        Some(Trunk {
            name: self.name?,
            destination: self.destination?,
            allow: self.allow?,
            certificate: self.certificate,
            inbound: self.inbound,
            numbers: self.numbers?,
            trust: self.trust,
            verify: self.verify,
            profile: self.profile,
            srtp: self.srtp,
            credentials: self.account.credentials.map(Arc::new),
            registration: self.account.registration,
            usage: self.usage,
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
    let account = account::read(walk, &section, destination.as_ref());
    let certificate = walk.list(&section, "certificate", host_name).or(Vec::new());
    let inbound = account::inbound(walk, &section, &account);
    let is_known =
        account.registration.is_some() || !certificate.is_empty() || section.has("inbound_username");
    let allow = allow(walk, &section, destination.as_ref(), is_known);
    let numbers = match walk.list(&section, "numbers", |value| value::numbers(value, plan)) {
        Given::Absent => {
            walk.fault(section.place("numbers"), "is missing: the numbers the carrier gave you");
            None
        }
        Given::Is(numbers) => Some(numbers),
        Given::Faulty => None,
    };
    let mut known = BTreeSet::new();
    for (index, range) in numbers.iter().flatten().enumerate() {
        let twice: Vec<&Number> = range.iter().filter(|number| !known.insert(**number)).collect();
        if let Some(number) = twice.first() {
            walk.fault(section.element("numbers", index), format!("{number} stands here twice"));
        }
    }
    let numbers = numbers.map(|_| known);
    let trust = walk.get(&section, "trust", |value| value::word(value, TRUST)).or(Trust::Asserted);
    let verify = verify(walk, &section);
    let profile = profile::read(walk, &section, &account, plan);
    let srtp = walk.get(&section, "srtp", |value| value::word(value, SRTP)).or(SrtpPolicy::Off);
    let by_tls =
        destination.as_ref().is_some_and(|destination| destination.transport == Some(Transport::Tls));
    if srtp != SrtpPolicy::Off && !by_tls {
        let text = "the keys are in the SIP messages, which are not encrypted without ;transport=tls in uri: whoever can \
                    read those can hear the calls";
        walk.warn(section.place("srtp"), text);
    }
    let usage = usage(walk, &section);
    Draft {
        section,
        name,
        allow,
        certificate,
        inbound,
        numbers,
        destination,
        trust,
        verify,
        profile,
        srtp,
        account,
        usage,
    }
}

fn verify<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Verify {
    let words = walk.list(section, "verify", |value| value::word(value, VERIFY)).or(Vec::new());
    let any = |one: fn(&Verify) -> bool| words.iter().any(one);
    Verify { verstat: any(|word| word.verstat), identity: any(|word| word.identity) }
}

fn usage<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Usage {
    let second = Duration::from_secs(1);
    let range = second * 5..=second * 3600;
    let ping = walk.get(section, "ping", |value| value::duration(value, range)).ok();
    let range = second / 2..=second * 32;
    let attempt_timeout = walk.get(section, "attempt_timeout", |value| value::duration(value, range));
    let mut most = |key, most| walk.get(section, key, |value| value::integer(value, 1..=most)).ok();
    let max_calls = most("max_calls", 100_000).and_then(|most| usize::try_from(most).ok());
    let calls_per_second = most("calls_per_second", 10_000).and_then(|most| u32::try_from(most).ok());
    Usage { ping, attempt_timeout: attempt_timeout.or(second * 4), max_calls, calls_per_second }
}

const TRUST: &[(&str, Result<Trust, &str>)] = &[
    ("asserted", Ok(Trust::Asserted)),
    ("remote-party-id", Ok(Trust::RemoteParty)),
    ("from", Ok(Trust::From)),
];

const VERIFY: &[(&str, Result<Verify, &str>)] = &[
    ("verstat", Ok(Verify { verstat: true, identity: false })),
    ("identity", Ok(Verify { verstat: false, identity: true })),
];

const SRTP: &[(&str, Result<SrtpPolicy, &str>)] = &[
    ("off", Ok(SrtpPolicy::Off)),
    ("offered", Ok(SrtpPolicy::Offered)),
    ("required", Ok(SrtpPolicy::Required)),
];

/// A name as it stands in certificates.
fn host_name(value: &DeValue<'_>) -> Result<Box<str>, String> {
    let text = value::text(value)?.to_ascii_lowercase();
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b".-*".contains(&octet);
    if text.bytes().all(plain) {
        Ok(text.into())
    } else {
        Err(format!("{:?} is no host name", value::shortened(&text)))
    }
}

/// `destination` is `None` where it is at fault: then nothing can be said about a missing list.
fn allow<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    destination: Option<&Destination>,
    is_known: bool,
) -> Option<Vec<Network>> {
    match walk.list(section, "allow", value::network) {
        Given::Is(ranges) if ranges.is_empty() && !is_known => {
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
                // Its calls are known by a certificate or an account, or by what we register, which nobody else knows.
                if is_known {
                    return Some(Vec::new());
                }
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
