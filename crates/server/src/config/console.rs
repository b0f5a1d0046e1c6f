//! `[console]`: what people use in a browser.

use std::time::Duration;

use super::value;
use super::walk::{Schema, Section, Walk};
use crate::known::Template;

pub(super) const SCHEMA: Schema =
    Schema { name: "console", keys: &["enabled", "title", "session", "idle", "card_url"], refused: &[] };

/// Characters of the longest title: it stands at the head of every page.
const LONGEST_TITLE: usize = 60;

/// `[console]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Console {
    /// Whether there is one.
    pub(crate) enabled: bool,
    /// What it is called.
    pub(crate) title: String,
    /// How long somebody who signed in is known at most.
    pub(crate) session: Duration,
    /// How long without a sign of them.
    pub(crate) idle: Duration,
    /// What links to the cards of those who call are made of.
    pub(crate) card: Option<Template>,
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Console {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);
    let section = walk.section(root, &SCHEMA);
    let enabled = walk.get(&section, "enabled", value::flag).or(true);
    let title = walk.get(&section, "title", |value| {
        let text = value::text(value)?;
        let length = text.chars().count();
        if length > LONGEST_TITLE {
            Err(format!("is longer than {LONGEST_TITLE} characters"))
        } else {
            Ok(text)
        }
    });
    let mut time = |key, default| {
        let range = 5 * MINUTE..=30 * 24 * HOUR;
        walk.get(&section, key, |value| value::duration(value, range)).or(default)
    };
    let session = time("session", 12 * HOUR);
    let idle = time("idle", HOUR.min(session));
    if idle > session {
        walk.fault(section.place("idle"), "nobody is idle for longer than session lasts");
    }
    let card = walk.get(&section, "card_url", |value| Template::parse(&value::text(value)?)).ok();
    Console { enabled, title: title.or("Bauta".to_owned()), session, idle, card }
}
