//! `[[webhook]]`: whom events are sent to.

use std::fmt;
use std::time::Duration;

use api::Filter;
use api::webhooks::Schedule;
use reqwest::Url;
use toml::de::DeValue;

use super::notices;
use super::secret::{self, Keys};
use super::value;
use super::walk::{Given, Schema, Section, Walk};

pub(super) const SCHEMA: Schema = Schema {
    name: "webhook",
    keys: &["name", "url", "secret", "secret_env", "secret_file", "events", "timeout", "retry", "give_up"],
    refused: &[],
};

const SECRET: Keys = Keys { plain: "secret", environment: "secret_env", file: "secret_file" };

/// Events there are: what none of them is would never be sent.
const EVENTS: [&str; 25] = [
    "call.arrived",
    "call.known",
    "call.asked",
    "call.code",
    "call.matched",
    "call.dialling",
    "call.ringing",
    "call.bridged",
    "call.operator",
    "call.restored",
    "call.ended",
    "record.written",
    "recording.paused",
    "recording.resumed",
    "recording.ready",
    "hook.failed",
    "hook.recovered",
    "order.put",
    "order.expired",
    "pair.created",
    "pair.changed",
    "pair.closed",
    "pair.expired",
    "notice.sent",
    "notice.failed",
];

/// `[[webhook]]`.
#[derive(Clone, PartialEq)]
pub(crate) struct Webhook {
    /// Under this name its events wait in the store.
    pub(crate) name: String,
    /// Where events are posted.
    pub(crate) url: Url,
    /// What they are signed with.
    pub(crate) secret: String,
    /// Which are wanted.
    pub(crate) events: Filter,
    /// Patience with one post.
    pub(crate) timeout: Duration,
    /// When to try again.
    pub(crate) retry: Schedule,
}

/// Without the secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("name", &self.name)
            .field("url", &self.url.as_str())
            .field("events", &self.events)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>) -> Option<Vec<Webhook>> {
    let mut webhooks: Vec<Option<Webhook>> = Vec::new();
    for section in walk.sections(root, &SCHEMA) {
        let webhook = one(walk, &section);
        let name = webhook.as_ref().map(|webhook| &webhook.name);
        if name.is_some_and(|name| name.starts_with(notices::QUEUE)) {
            walk.fault(section.place("name"), "names that begin so are those of [notices]");
        }
        if webhooks.iter().flatten().any(|other| Some(&other.name) == name) {
            let text = "another webhook has this name (without one, the host of its url); give each its own";
            walk.fault(section.place("name"), text);
        }
        webhooks.push(webhook);
    }
    webhooks.into_iter().collect()
}

fn one<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Webhook> {
    let url =
        walk.needed(section, "url", "where events are posted, such as \"https://shop.example/bauta\"", url);
    let name = walk.get(section, "name", value::name);
    let secret = secret::needed(walk, section, &SECRET);
    let seconds = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    let timeout = walk
        .get(section, "timeout", |value| value::duration(value, seconds(1, 60)))
        .or(Duration::from_secs(10));
    let retry = retry(walk, section);
    let events = events(walk, section);
    let url = url?;
    if url.scheme() == "http" && !is_local(&url) {
        walk.warn(section.place("url"), "telephone numbers cross the network unencrypted; use https");
    }
    let name = match name {
        Given::Is(name) => name,
        Given::Absent => url.host_str()?.to_owned(),
        Given::Faulty => return None,
    };
    Some(Webhook { name, url, secret: secret?.0, events: events?, timeout, retry: retry? })
}

pub(super) fn url(value: &DeValue<'_>) -> Result<Url, String> {
    let text = value::text(value)?;
    let url = Url::parse(&text).map_err(|why| format!("{:?} is no URL: {why}", value::shortened(&text)))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{}: cannot be posted to; use https:// or http://", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password; receivers know us by the signature instead".to_owned());
    }
    if url.fragment().is_some() {
        return Err("has a fragment (#…), which is never sent".to_owned());
    }
    Ok(url)
}

pub(super) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn events<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Filter> {
    let one = |word: &str| Filter::parse([word]);
    let pattern = |value: &DeValue<'_>| {
        let text = value::text(value)?;
        one(&text).map(|_| text).map_err(|why| why.to_string())
    };
    let words = match walk.list(section, "events", pattern) {
        Given::Absent => return Some(Filter::default()),
        Given::Faulty => return None,
        Given::Is(words) => words,
    };
    for (index, word) in words.iter().enumerate() {
        if one(word).is_ok_and(|filter| !EVENTS.iter().any(|event| filter.wants(event))) {
            let text = format!("no event is called so; there are {}", EVENTS.join(", "));
            walk.warn(section.element("events", index), text);
        }
    }
    let filter = Filter::parse(words.iter().map(String::as_str)).ok();
    if filter.is_none() {
        walk.fault(section.place("events"), format!("has more than {} entries", Filter::LONGEST));
    }
    filter
}

pub(super) fn retry<'d>(walk: &mut Walk<'d>, section: &Section<'d>) -> Option<Schedule> {
    let day = Duration::from_secs(86_400);
    let pause = Duration::from_millis(100)..=day;
    let give_up = walk
        .get(section, "give_up", |value| value::duration(value, Duration::from_secs(60)..=day * 30))
        .or(Schedule::default().give_up());
    let waits = match walk.list(section, "retry", |value| value::duration(value, pause.clone())) {
        Given::Is(waits) => waits,
        Given::Faulty => return None,
        Given::Absent => [1, 5, 30, 120, 600, 3600].map(Duration::from_secs).to_vec(),
    };
    let schedule = Schedule::new(waits, give_up);
    if schedule.is_none() {
        walk.fault(
            section.place("retry"),
            "is empty: write the pauses between attempts, such as [\"1s\", \"1m\"]",
        );
    }
    schedule
}
