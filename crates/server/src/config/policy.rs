//! `[policy]`: what may be dialled, how often and how much of it at once, and when nobody is.

use b2bua::{CostClass, DialRules, Guards, Prefix};
use store::Quiet;
use toml::de::DeValue;

use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "policy",
    keys: &[
        "dial_allow",
        "dial_deny",
        "callee_max_calls",
        "caller_max_calls",
        "callee_calls_per_hour",
        "caller_calls_per_hour",
        "quiet",
        "time_zone",
        "class",
    ],
    refused: &[],
};

pub(super) const CLASS: Schema = Schema {
    name: "policy.class",
    keys: &["name", "prefixes", "max_calls", "max_calls_a_day"],
    refused: &[],
};

/// `[policy]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Of lines that have no rules of their own.
    pub(crate) dial: DialRules,
    /// Over all lines.
    pub(crate) guards: Guards,
    /// Of lines that have no hours of their own.
    pub(crate) quiet: Option<Quiet>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Policy {
    let section = walk.section(root, &SCHEMA);
    let dial = dial(walk, &section, &DialRules::default());
    let quiet = quiet(walk, &section, None);
    let count = |value: &DeValue<'_>| {
        value::integer(value, 1..=100_000).map(|number| u32::try_from(number).expect("at most 100 000"))
    };
    let mut limit = |key| walk.get(&section, key, count).ok();
    let at_once = |limit: Option<u32>| limit.map(|limit| limit as usize);
    let guards = Guards {
        callee_max_calls: at_once(limit("callee_max_calls")),
        caller_max_calls: at_once(limit("caller_max_calls")),
        callee_calls_per_hour: limit("callee_calls_per_hour"),
        caller_calls_per_hour: limit("caller_calls_per_hour"),
        classes: classes(walk, &section),
    };
    Policy { dial, guards, quiet }
}

fn classes<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Vec<CostClass> {
    let mut classes: Vec<CostClass> = Vec::new();
    for section in walk.sections(section, &CLASS) {
        let name =
            walk.needed(&section, "name", "what this class is called, such as \"abroad\"", value::name);
        let prefixes = walk.list(&section, "prefixes", prefix);
        if matches!(prefixes, Given::Absent) {
            walk.fault(
                section.place("prefixes"),
                "is missing: what its numbers begin with, such as [\"+7809\"]",
            );
        }
        let limit = |value: &DeValue<'_>| {
            value::integer(value, 0..=100_000).map(|number| u32::try_from(number).expect("at most 100 000"))
        };
        let max_calls = walk.get(&section, "max_calls", limit).ok().map(|limit| limit as usize);
        let max_calls_a_day = walk.get(&section, "max_calls_a_day", limit).ok();
        let (Some(name), Some(prefixes)) = (name, prefixes.ok()) else { continue };
        for (index, prefix) in prefixes.iter().enumerate() {
            if classes.iter().any(|class| class.prefixes.contains(prefix)) {
                let text = "another [[policy.class]] has it: which is meant?";
                walk.fault(section.element("prefixes", index), text);
            }
        }
        if classes.iter().any(|class| *class.name == *name) {
            walk.fault(section.place("name"), "another [[policy.class]] has this name");
        }
        classes.push(CostClass { name: name.into(), prefixes, max_calls, max_calls_a_day });
    }
    classes
}

/// `dial_allow` and `dial_deny` of a section; each as the default has it, where it is not there.
pub(super) fn dial<'d>(walk: &mut Walk<'d>, section: &Section<'d>, default: &DialRules) -> DialRules {
    let allow = walk.list(section, "dial_allow", prefix).or(default.allow.clone());
    let deny = walk.list(section, "dial_deny", prefix).or(default.deny.clone());
    if let Some(both) = deny.iter().find(|prefix| allow.contains(prefix)) {
        let key = if section.has("dial_deny") { "dial_deny" } else { "dial_allow" };
        walk.fault(section.place(key), format!("{both} is allowed and denied: which is meant?"));
    }
    DialRules { allow, deny }
}

fn prefix(value: &DeValue<'_>) -> Result<Prefix, String> {
    let text = value::text(value)?;
    Prefix::parse(&text).filter(|_| text.starts_with('+')).ok_or_else(|| {
        format!(
            "{:?} is nothing a number begins with; write it with its plus, \"+7495\"",
            value::shortened(&text)
        )
    })
}

/// `quiet` and `time_zone` of a section; as the default has it, where there is no `quiet`. None where it says `"never"`.
pub(super) fn quiet<'d>(
    walk: &mut Walk<'d>,
    section: &Section<'d>,
    default: Option<&Quiet>,
) -> Option<Quiet> {
    let zone = walk.get(section, "time_zone", |value| {
        let zone = value::text(value)?;
        Quiet::parse("00:00-01:00", Some(&zone)).map(|_| zone).map_err(|why| why.to_string())
    });
    let never = |value: &DeValue<'_>| value.as_str() == Some("never");
    let hours = walk.get(section, "quiet", |value| {
        if never(value) {
            return Ok(None);
        }
        let hours = value::text(value)?;
        Quiet::parse(&hours, None).map(|_| Some(hours)).map_err(|why| why.to_string())
    });
    if section.has("time_zone") && !section.has("quiet") {
        walk.fault(section.place("time_zone"), "means nothing without quiet beside it");
    }
    match hours {
        Given::Is(hours) => Quiet::parse(&hours?, zone.ok().as_deref()).ok(),
        Given::Absent => default.cloned(),
        Given::Faulty => None,
    }
}
