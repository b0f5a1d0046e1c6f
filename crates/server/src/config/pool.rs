//! `[pool]`: what holds for all numbers that pairs are given.

use std::time::Duration;

use number::Plan;
use toml::de::DeValue;

use super::value;
use super::walk::{Schema, Section, Walk};

pub(super) const SCHEMA: Schema =
    Schema { name: "pool", keys: &["cool_off", "keep", "validate", "countries"], refused: &[] };

/// `[pool]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// How long a number rests for a phone after a pair, where the pair does not say.
    pub(crate) cool_off: Duration,
    /// How long pairs are known after their end.
    pub(crate) keep: Duration,
    /// Whether parties' numbers must be such as their countries give out.
    pub(crate) validate: bool,
    /// Countries whose numbers may be parties, by ISO 3166; any where there is none.
    pub(crate) countries: Vec<String>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Pool {
    let day = Duration::from_secs(86_400);
    let section = walk.section(root, &SCHEMA);
    let mut time = |key, longest, default| {
        walk.get(&section, key, |value| value::duration(value, Duration::ZERO..=longest)).or(default)
    };
    let cool_off = time("cool_off", 365 * day, Duration::ZERO);
    let keep = time("keep", 366 * day, 30 * day);
    let validate = walk.get(&section, "validate", value::flag).or(true);
    let countries = walk.list(&section, "countries", country).or(Vec::new());
    Pool { cool_off, keep, validate, countries }
}

fn country(value: &DeValue<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    Plan::of(&text).map_err(|why| why.to_string())?;
    Ok(text)
}
