//! What sections must agree on among each other.

use std::collections::BTreeSet;

use ::sip::Transport;
use b2bua::{Choice, Network, Strangers, TrunkId};
use number::Number;

use super::address;
use super::http::Http;
use super::line::{self, Named, OF_ORDERS, OF_PAIRS, Operator, Service};
use super::media::Media;
use super::sip::Sip;
use super::trunk;
use super::walk::{Given, Section, Walk};
use crate::{hook, speech};

/// Trunks among themselves, and each with the listeners it is called by.
pub(super) fn trunks<'d>(walk: &mut Walk<'d>, trunks: &[trunk::Draft<'d>], sip: &Sip) {
    for (index, trunk) in trunks.iter().enumerate() {
        let earlier = &trunks[..index];
        if trunk.name.is_some() && earlier.iter().any(|other| other.name == trunk.name) {
            walk.fault(trunk.section.place("name"), "another [[trunk]] has this name");
        }
        overlaps(walk, trunk, earlier);
        if let Some(text) = unreachable(trunk, sip) {
            walk.fault(trunk.section.place("uri"), text);
        }
    }
}

/// What is believed of callers, and what lines make of it.
pub(super) fn verified<'d>(
    walk: &mut Walk<'d>,
    trunks: &[trunk::Draft<'d>],
    lines: &[line::Draft<'d>],
    has_identity: bool,
) {
    for trunk in trunks.iter().filter(|trunk| trunk.verify.identity && !has_identity) {
        let text = "\"identity\" needs [identity]: whom we believe, roots_file and certificates";
        walk.fault(trunk.section.place("verify"), text);
    }
    if trunks.iter().any(|trunk| trunk.verify.is_on()) {
        return;
    }
    for line in lines {
        for key in line::POLICY.into_iter().filter(|key| line.section.has(key)) {
            let text = "means nothing where no [[trunk]] has verify: callers are not verified at all";
            walk.fault(line.section.place(key), text);
        }
    }
}

/// Each line with the service it has.
pub(super) fn services<'d>(walk: &mut Walk<'d>, lines: &[line::Draft<'d>]) {
    for line in lines {
        let (keys, word) = match line.service {
            Service::Orders | Service::Hook | Service::Reserve => (&OF_PAIRS[..], "pairs"),
            Service::Pairs { .. } => (&OF_ORDERS[..], "orders"),
        };
        for key in keys.iter().filter(|key| line.section.has(key)) {
            walk.fault(line.section.place(key), format!("is for lines with service = {word:?}"));
        }
        let helps = matches!(line.service, Service::Pairs { strangers: Strangers::Operator, .. });
        if helps && line.operator.is_none() && !line.section.has("operator") {
            walk.fault(
                line.section.place("strangers"),
                "\"operator\" needs operator: whom they are to reach",
            );
        }
    }
}

/// Trunks that share a name in certificates could not be told apart either.
fn overlaps<'d>(walk: &mut Walk<'d>, trunk: &trunk::Draft<'d>, earlier: &[trunk::Draft<'d>]) {
    for (index, range) in trunk.allow.iter().flatten().enumerate() {
        let clash = earlier.iter().find_map(|other| {
            let theirs = other.allow.iter().flatten().find(|theirs| overlap(theirs, range))?;
            if trunk.inbound.is_some() && other.inbound.is_some() {
                return None;
            }
            Some((other.name.as_deref().unwrap_or("without a name"), theirs))
        });
        if let Some((name, theirs)) = clash {
            let (address, prefix) = (theirs.address, theirs.prefix);
            let text = format!(
                "overlaps {address}/{prefix} of trunk {name:?}: nobody could tell by which of them a call came; \
                 make them apart, or make both one trunk"
            );
            walk.fault(trunk.section.element("allow", index), text);
        }
    }
    if let Some(inbound) = &trunk.inbound {
        let same = |other: &&trunk::Draft<'_>| {
            other
                .inbound
                .as_ref()
                .is_some_and(|theirs| theirs.credentials.username == inbound.credentials.username)
        };
        if let Some(other) = earlier.iter().find(same) {
            let other = other.name.as_deref().unwrap_or("without a name");
            let text = format!("trunk {other:?} has the same: nobody could tell them apart");
            walk.fault(trunk.section.place("inbound_username"), text);
        }
    }
    for (index, name) in trunk.certificate.iter().enumerate() {
        if let Some(other) = earlier.iter().find(|other| other.certificate.contains(name)) {
            let other = other.name.as_deref().unwrap_or("without a name");
            let text = format!("trunk {other:?} is known by {name:?} as well");
            walk.fault(trunk.section.element("certificate", index), text);
        }
    }
}

fn overlap(one: &Network, other: &Network) -> bool {
    one.contains(other.address) || other.contains(one.address)
}

/// Why no listener of ours can send to this trunk, as far as can be told without asking anyone.
fn unreachable(trunk: &trunk::Draft<'_>, sip: &Sip) -> Option<String> {
    let destination = trunk.destination.as_ref().filter(|_| !sip.listeners.is_empty())?;
    let by_transport =
        |transport| sip.listeners.iter().filter(move |listener| listener.transport == transport);
    let transport = destination.transport.or(destination.address().map(|_| Transport::Udp))?;
    let word = match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
    };
    if by_transport(transport).next().is_none() {
        return Some(format!("is reached over {word}, and sip.listen has no {word}:// address"));
    }
    let address = destination.address()?;
    let served = by_transport(transport).any(|listener| listener.address.is_ipv4() == address.is_ipv4());
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    (!served)
        .then(|| format!("is an {family} address, and sip.listen has no {word}:// address of that family"))
}

/// Lines among themselves and with their trunks. Gives each line's trunks by their places, where that is clear.
pub(super) fn lines<'d>(
    walk: &mut Walk<'d>,
    lines: &[line::Draft<'d>],
    trunks: &[trunk::Draft<'d>],
) -> Vec<Option<Choice>> {
    let (mut choices, mut known) = (Vec::new(), BTreeSet::new());
    let every: BTreeSet<Number> = lines.iter().flat_map(|line| &line.numbers).copied().collect();
    for line in lines {
        let choice = trunks_of(walk, line, trunks);
        // Of a range that is wrong altogether one number says so.
        let twice: Vec<&Number> = line.numbers.iter().filter(|number| !known.insert(**number)).collect();
        if let Some(number) = twice.first() {
            walk.fault(line.section.place("number"), format!("{number} is a [[line]] already"));
        }
        for place in choice.iter().flat_map(places) {
            let owner = &trunks[place];
            let Some(owned) = &owner.numbers else { continue };
            if let Some(number) = line.numbers.iter().find(|number| !owned.contains(number)) {
                let name = owner.name.as_deref().unwrap_or_default();
                let text = format!(
                    "{number} is not among the numbers trunk {name:?} owns; add it to trunk.numbers or change the line"
                );
                walk.fault(line.section.place("number"), text);
            }
        }
        if let Some(Operator::Number(operator)) = line.operator
            && every.contains(&operator)
        {
            let text = format!("{operator} is a line of this server: the call would come back to it");
            walk.fault(line.section.place("operator"), text);
        }
        choices.push(choice);
    }
    choices
}

/// Hooks that lines name, and whether anybody could speak for them.
pub(super) fn hooks<'d>(
    walk: &mut Walk<'d>,
    lines: &[line::Draft<'d>],
    hooks: Option<&[hook::Settings]>,
    speech: &speech::Settings,
) {
    // Of one that is at fault it cannot be said that it is not there.
    let Some(hooks) = hooks else { return };
    for line in lines {
        let named = [
            ("hook", &line.hooked.hook),
            ("strangers_hook", &line.hooked.strangers),
            ("approval_hook", &line.hooked.approval),
        ];
        for (key, name) in named {
            let Some(name) = name else { continue };
            if !hooks.iter().any(|hook| hook.name == *name) {
                let known: Vec<&str> = hooks.iter().map(|hook| hook.name.as_str()).collect();
                let text = format!("there is no [[hook]] {name:?}; there are: {}", known.join(", "));
                walk.fault(line.section.place(key), text);
            } else if key != "approval_hook" && speech.voice.is_none() {
                let text = "nothing on this machine speaks texts: install espeak-ng or write [speech]; texts of hooks are left out";
                walk.warn(line.section.place(key), text);
            }
        }
    }
}

fn places(choice: &Choice) -> Vec<usize> {
    match choice {
        Choice::InOrder(trunks) => trunks.iter().map(|trunk| usize::from(trunk.0)).collect(),
        Choice::ByWeight(weights) => weights.iter().map(|(trunk, _)| usize::from(trunk.0)).collect(),
    }
}

fn trunks_of<'d>(walk: &mut Walk<'d>, line: &line::Draft<'d>, trunks: &[trunk::Draft<'d>]) -> Option<Choice> {
    let names = || {
        let names: Vec<&str> = trunks.iter().filter_map(|trunk| trunk.name.as_deref()).collect();
        names.join(", ")
    };
    match &line.trunk {
        Given::Is(named) => {
            let found: Vec<Option<TrunkId>> =
                named.names().into_iter().map(|name| trunk_of(walk, line, name, trunks, &names)).collect();
            let found = found.into_iter().collect::<Option<Vec<TrunkId>>>()?;
            Some(match named {
                Named::InOrder(_) => Choice::InOrder(found),
                Named::ByWeight(weights) => Choice::ByWeight(
                    found.into_iter().zip(weights.iter().map(|(_, weight)| *weight)).collect(),
                ),
            })
        }
        Given::Faulty => None,
        Given::Absent => match trunks {
            [] => None,
            [_] => Some(Choice::InOrder(vec![TrunkId(0)])),
            [_, _, ..] => {
                let text =
                    format!("is missing: by which trunk does this line call out? There are: {}", names());
                walk.fault(line.section.place("trunk"), text);
                None
            }
        },
    }
}

fn trunk_of<'d>(
    walk: &mut Walk<'d>,
    line: &line::Draft<'d>,
    name: &str,
    trunks: &[trunk::Draft<'d>],
    names: &dyn Fn() -> String,
) -> Option<TrunkId> {
    let found = trunks.iter().position(|trunk| trunk.name.as_deref() == Some(name));
    // Of a trunk whose name is at fault it cannot be said that it is not this one.
    if found.is_none() && !trunks.is_empty() && trunks.iter().all(|trunk| trunk.name.is_some()) {
        let text = format!("there is no trunk {name:?}; there are: {}", names());
        walk.fault(line.section.place("trunk"), text);
    }
    found.and_then(|place| u16::try_from(place).ok()).map(TrunkId)
}

/// Sockets that would want the same port, and ports that do not suffice.
pub(super) fn sockets<'d>(
    walk: &mut Walk<'d>,
    (sip_section, sip): (&Section<'d>, &Sip),
    (media_section, media): (&Section<'d>, &Media),
    http: &Http,
) {
    for (index, listener) in sip.listeners.iter().enumerate() {
        let place = sip_section.element("listen", index);
        let port = listener.address.port();
        match listener.transport {
            Transport::Udp => {
                let ip = listener.address.ip();
                let shared = media.addresses.iter().any(|address| address::covers(address.local, ip));
                if shared && media.ports.range().contains(&port) {
                    let (first, last) = (media.ports.first, media.ports.last);
                    walk.fault(place, format!("port {port} is one of media.ports, {first}-{last}"));
                }
            }
            Transport::Tcp | Transport::Tls => {
                if http.listen.iter().any(|other| address::shares(other.address, listener.address)) {
                    walk.fault(place, format!("{} is http.listen as well", listener.address));
                }
            }
        }
    }
    let calls = media.ports.pairs() / 2;
    if calls < sip.max_calls {
        let text = format!(
            "has ports for {calls} calls (four each), and sip.max_calls is {}: beyond {calls} calls are refused with 503",
            sip.max_calls
        );
        walk.warn(media_section.place("ports"), text);
    }
}
