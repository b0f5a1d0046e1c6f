//! `[trace]`: which SIP messages are kept in memory, to be looked at.

use std::time::Duration;

use toml::de::DeValue;

use super::secret::{self, Keys};
use super::value;
use super::walk::{Schema, Section, Walk};
use crate::trace::{Homer, Limits};

/// What Homer knows us by.
static KEY: Keys = Keys { plain: "homer_key", environment: "homer_key_env", file: "homer_key_file" };
/// The number Homer's own agents begin with.
const USUAL_ID: u64 = 2001;
/// The port Homer's servers listen on.
const PORT: u16 = 9060;

pub(super) const SCHEMA: Schema = Schema {
    name: "trace",
    keys: &["calls", "messages", "keep", "homer", "homer_id", "homer_key", "homer_key_env", "homer_key_file"],
    refused: &[],
};

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, node: &str) -> (Limits, Option<Homer>) {
    let section = walk.section(root, &SCHEMA);
    let mut number = |key, most, default: u64| {
        let read = walk.get(&section, key, |value| value::integer(value, 0..=most));
        usize::try_from(read.or(default)).expect("the ranges are far below the limits of any machine")
    };
    let (calls, messages) = (number("calls", 10_000, 200), number("messages", 1000, 100));
    let range = Duration::ZERO..=Duration::from_secs(7 * 86_400);
    let keep =
        walk.get(&section, "keep", |value| value::duration(value, range)).or(Duration::from_secs(3600));
    let homer = homer(walk, &section, node);
    if homer.is_some() && (calls == 0 || messages == 0) {
        let key = if calls == 0 { "calls" } else { "messages" };
        walk.fault(section.place(key), "Homer is told of the messages that are kept: write 1 at least");
    }
    (Limits { calls, messages, keep }, homer)
}

/// Whom messages are told, and as whom.
fn homer<'d>(walk: &mut Walk<'d>, section: &Section<'d>, node: &str) -> Option<Homer> {
    let server = walk.get(section, "homer", server).ok();
    let id = walk.get(section, "homer_id", |value| value::integer(value, 0..=u64::from(u32::MAX)));
    let keys = [KEY.plain, KEY.environment, KEY.file];
    if !section.has("homer") {
        for key in keys.into_iter().chain(["homer_id"]).filter(|key| section.has(key)) {
            walk.fault(section.place(key), "means nothing without homer");
        }
        return None;
    }
    let has_key = keys.iter().any(|key| section.has(key));
    let key = has_key.then(|| secret::given(walk, section, &KEY)).flatten();
    let id = u32::try_from(id.or(USUAL_ID)).expect("the range ends there");
    Some(Homer { server: server?, id, key, node: node.to_owned() })
}

/// `udp://host` or `udp://host:port`, as `host:port`.
fn server(value: &DeValue<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let wrong = || {
        format!(
            "{:?} is no server; write it such as \"udp://192.0.2.60:9060\" or \"udp://homer.example\"",
            value::shortened(&text)
        )
    };
    let place = text.strip_prefix("udp://").filter(|place| !place.is_empty()).ok_or_else(wrong)?;
    let uri = ::sip::Uri::parse(&format!("sip:{place}")).map_err(|_| wrong())?;
    let parts = uri.parts();
    let host = parts.host().filter(|_| parts.user().is_none()).ok_or_else(wrong)?;
    if parts.has_headers() || parts.params().iter().next().is_some() {
        return Err(wrong());
    }
    Ok(format!("{}:{}", host.as_str(), parts.port().unwrap_or(PORT)))
}
