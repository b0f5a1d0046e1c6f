//! `[notices]`: how the parties of a new order are told which number to dial.

use std::fmt;
use std::time::Duration;

use api::webhooks::{FIELDS, Kind, Schedule};
use number::{Number, Plan};
use toml::de::DeValue;

use super::secret::{self, Keys};
use super::walk::{Schema, Section, Walk};
use super::{value, webhook};

pub(super) const SCHEMA: Schema = Schema {
    name: "notices",
    keys: &[
        "url",
        "method",
        "headers",
        "content",
        "body",
        "secret",
        "secret_env",
        "secret_file",
        "line",
        "text_ru",
        "text_en",
        "timeout",
        "retry",
        "give_up",
    ],
    refused: &[("smpp", "messages go by HTTP; put a gateway that speaks SMPP in between")],
};

const SECRET: Keys = Keys { plain: "secret", environment: "secret_env", file: "secret_file" };

/// Under this and a party's name the store keeps who is still to be told.
pub(super) const QUEUE: &str = "notices.";

/// `[notices]`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Notices {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) kind: Kind,
    pub(crate) body: String,
    /// Given by whoever runs the gateway; empty where it asks for none.
    pub(crate) secret: String,
    /// Which line to dial for orders of no line.
    pub(crate) line: Option<Number>,
    /// By language, the first for those that have none of their own.
    pub(crate) texts: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) retry: Schedule,
}

/// Without the secret, which may stand anywhere in it.
impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("method", &self.method)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

const KINDS: &[(&str, Result<Kind, &str>)] =
    &[("json", Ok(Kind::Json)), ("form", Ok(Kind::Form)), ("plain", Ok(Kind::Plain))];

const METHODS: &[(&str, Result<&str, &str>)] =
    &[("POST", Ok("POST")), ("PUT", Ok("PUT")), ("GET", Ok("GET"))];

/// None where there is no such section, or it is at fault.
pub(super) fn read<'d>(walk: &mut Walk<'d>, root: &Section<'d>, plan: Plan) -> Option<Notices> {
    if !root.has("notices") {
        return None;
    }
    let section = walk.section(root, &SCHEMA);
    let why = "where messages are handed in, such as \"https://sms.example/send\"";
    let url = walk.needed(&section, "url", why, |value| {
        let text = template(value)?;
        let head = text.split(['?', '{']).next().unwrap_or_default();
        webhook::url(&DeValue::String(head.to_owned().into())).map(|_| text)
    });
    let method = walk.get(&section, "method", |value| value::word(value, METHODS)).or("POST");
    let headers = walk.get(&section, "headers", headers).or(Vec::new());
    let kind = walk.get(&section, "content", |value| value::word(value, KINDS)).or(Kind::Json);
    let body = walk.get(&section, "body", template).or(String::new());
    let mut texts = Vec::new();
    for (language, key) in [("ru", "text_ru"), ("en", "text_en")] {
        let text = walk.get(&section, key, template).ok();
        texts.extend(text.map(|text| (language.to_owned(), text)));
    }
    let url = url?;
    let all =
        || std::iter::once(&url).chain(std::iter::once(&body)).chain(headers.iter().map(|(_, value)| value));
    let names = |field: &str| all().any(|text| text.contains(field));
    if names("{text}") && texts.is_empty() {
        walk.fault(section.here(), "{text} stands in it: write text_ru or text_en");
    }
    let has_secret = [SECRET.plain, SECRET.environment, SECRET.file].iter().any(|key| section.has(key));
    if names("{secret}") && !has_secret {
        walk.fault(section.here(), "{secret} stands in it: write secret, or secret_env or secret_file");
    }
    let secret = if has_secret { secret::given(walk, &section, &SECRET)? } else { String::new() };
    let line = walk.get(&section, "line", |value| value::number(value, plan)).ok();
    let seconds = |least, most| Duration::from_secs(least)..=Duration::from_secs(most);
    let timeout = walk.get(&section, "timeout", |value| value::duration(value, seconds(1, 60)));
    let timeout = timeout.or(Duration::from_secs(10));
    let retry = webhook::retry(walk, &section)?;
    let method = method.to_owned();
    Some(Notices { url, method, headers, kind, body, secret, line, texts, timeout, retry })
}

/// A text whose fields are known.
fn template(value: &DeValue<'_>) -> Result<String, String> {
    let text = value::text(value)?;
    let named = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match named.filter(is_name).find(|name| !FIELDS.contains(name)) {
        Some(name) => Err(format!("there is no field {{{name}}}; there are {}", FIELDS.join(", "))),
        None => Ok(text),
    }
}

/// `{ Authorization = "Bearer {secret}" }`.
fn headers(value: &DeValue<'_>) -> Result<Vec<(String, String)>, String> {
    let Some(table) = value.as_table() else {
        return Err(format!("is {}; write {{ Name = \"value\" }}", value::kind(value)));
    };
    let one = |(name, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
        let name = name.get_ref().to_string();
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        if name.is_empty() || !name.bytes().all(plain) {
            return Err(format!("{name:?} is no name of a header"));
        }
        if name.eq_ignore_ascii_case("content-type") {
            return Err("the type of the body is notices.content".to_owned());
        }
        let value = template(value.get_ref()).map_err(|why| format!("{name}: {why}"))?;
        Ok((name, value))
    };
    table.iter().map(one).collect()
}

/// The line that is told must be one, and be told where there are several.
pub(super) fn check<'d>(
    walk: &mut Walk<'d>,
    root: &Section<'d>,
    notices: Option<&Notices>,
    lines: &[Number],
) {
    let Some(notices) = notices else { return };
    match notices.line {
        Some(line) if !lines.contains(&line) => {
            walk.fault(root.place("notices"), format!("line: {line} is no [[line]]"));
        }
        None if lines.len() > 1 => {
            let text = "line is missing: which are parties to dial, where an order names none?";
            walk.fault(root.place("notices"), text);
        }
        Some(_) | None => {}
    }
}
