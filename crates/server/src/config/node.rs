//! `[node]`: this machine among others.

use std::path::PathBuf;
use std::time::Duration;

use number::Plan;

use super::value;
use super::walk::{Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "node",
    keys: &["name", "data_dir", "drain_seconds", "country", "self_call"],
    refused: &[],
};

/// `[node]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Its name in records and events.
    pub(crate) name: String,
    /// Where the store, recordings and replaced prompts are.
    pub(crate) data_dir: PathBuf,
    /// How long running calls may go on once the node is told to stop.
    pub(crate) drain: Duration,
    /// How often we call ourselves to see whether calls can be taken, if at all.
    pub(crate) self_call: Option<Duration>,
    /// How national forms become E.164.
    pub(crate) plan: Plan,
    /// The country of the plan, as written.
    pub(crate) country: String,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Node {
    let section = walk.section(root, &SCHEMA);
    let drain = Duration::ZERO..=Duration::from_secs(86_400);
    let country = |value: &_| {
        let country = value::text(value)?;
        let plan = Plan::of(&country).map_err(|why| why.to_string())?;
        Ok((plan, country))
    };
    let russia = || (Plan::of("RU").expect("Russia is in the table"), "RU".to_owned());
    let pauses = Duration::from_secs(5)..=Duration::from_secs(3600);
    let self_call = walk.get(&section, "self_call", |value| value::duration(value, pauses)).ok();
    let (plan, country) = walk.get(&section, "country", country).ok().unwrap_or_else(russia);
    Node {
        name: walk.get(&section, "name", value::name).or("bauta".to_owned()),
        data_dir: walk.get(&section, "data_dir", value::folder).or(PathBuf::from("data")),
        drain: walk
            .get(&section, "drain_seconds", |value| value::duration(value, drain))
            .or(Duration::from_secs(300)),
        self_call,
        plan,
        country,
    }
}
