//! An order as someone asks for it, checked. The same for one order by `PUT` and for each row of an import.

use std::time::Duration;

use b2bua::Code;
use number::Number;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use store::{Json, NotQuiet, Order, OrderLimits, Party, Quiet, Timestamp};

use crate::interface::Settings;
use crate::json;
use crate::problem::{Fault, Problem};

/// Lifetime of an order that names none: ten days.
const DEFAULT_TTL: Duration = Duration::from_secs(10 * 86_400);
/// Longest lifetime: a year.
const LONGEST_TTL: Duration = Duration::from_secs(365 * 86_400);
/// Deepest nesting of attached data: readers of the events it is echoed in may not follow deeper.
const DEEPEST_DATA: usize = 32;
/// Length of a code where no line says otherwise.
const CODE_LENGTH: u8 = 5;

/// The body of `PUT /v1/orders/{code}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    pub(crate) courier: PartyBody,
    pub(crate) client: PartyBody,
    pub(crate) ttl_seconds: Option<i64>,
    pub(crate) expires_at: Option<String>,
    pub(crate) line: Option<NumberText>,
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) max_calls: Option<u32>,
}

/// A row of an import: an order with its code.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowBody {
    pub(crate) code: String,
    pub(crate) courier: PartyBody,
    pub(crate) client: PartyBody,
    pub(crate) ttl_seconds: Option<i64>,
    pub(crate) expires_at: Option<String>,
    pub(crate) line: Option<NumberText>,
    pub(crate) data: Option<Box<RawValue>>,
    pub(crate) max_calls: Option<u32>,
}

impl RowBody {
    /// The code, and the order it is for.
    pub(crate) fn split(self) -> (String, OrderBody) {
        let Self { code, courier, client, ttl_seconds, expires_at, line, data, max_calls } = self;
        (code, OrderBody { courier, client, ttl_seconds, expires_at, line, data, max_calls })
    }
}

/// One party.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartyBody {
    pub(crate) number: NumberText,
    pub(crate) name: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) quiet: Option<String>,
    pub(crate) time_zone: Option<String>,
}

/// A telephone number as written, also where a program wrote it as a JSON number.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct NumberText(pub(crate) String);

impl<'de> Deserialize<'de> for NumberText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = NumberText;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a telephone number as a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<NumberText, E> {
                Ok(NumberText(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, digits: u64) -> Result<NumberText, E> {
                Ok(NumberText(digits.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Checks everything that can be wrong with an order.
pub(crate) fn check(
    code: &str,
    body: OrderBody,
    settings: &Settings,
    now: Timestamp,
) -> Result<Order, Problem> {
    let line = body.line.map(|line| check_line(&line.0, settings)).transpose()?;
    let code = check_code(code, line, settings)?;
    let (courier, courier_quiet) = check_party(body.courier, "courier", settings)?;
    let (client, client_quiet) = check_party(body.client, "client", settings)?;
    other_than(courier.number, client.number)?;
    let expires_at = check_expiry(body.ttl_seconds, body.expires_at.as_deref(), now)?;
    let data = body.data.map(|data| check_data(&data, Order::LONGEST_DATA)).transpose()?.flatten();
    let code = code.as_str().into();
    let limits = OrderLimits { max_calls: body.max_calls, courier_quiet, client_quiet };
    Ok(Order { code, line, courier, client, expires_at, created_at: now, updated_at: now, data, limits })
}

/// Two parties with one number could not be told from each other.
pub(crate) fn other_than(courier: Number, client: Number) -> Result<(), Problem> {
    if courier != client {
        return Ok(());
    }
    let detail = "courier and client need numbers of their own, or neither could be told from the other";
    Err(Problem::new(Fault::SameNumber, detail).at("client.number"))
}

/// A line of ours.
pub(crate) fn check_line(text: &str, settings: &Settings) -> Result<Number, Problem> {
    let line = settings
        .plan
        .parse(text)
        .map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at("line"))?;
    if settings.lines.contains_key(&line) {
        return Ok(line);
    }
    Err(Problem::new(Fault::UnknownLine, "no line with service \"orders\" has this number").at("line"))
}

/// A code as long as its line's codes; without a line, as long as any line's.
fn check_code(text: &str, line: Option<Number>, settings: &Settings) -> Result<Code, Problem> {
    let mut lengths: Vec<u8> = match line {
        Some(line) => settings.lines.get(&line).copied().into_iter().collect(),
        None => settings.lines.values().copied().collect(),
    };
    if lengths.is_empty() {
        lengths.push(CODE_LENGTH);
    }
    lengths.sort_unstable();
    lengths.dedup();
    let fits = lengths.iter().any(|length| usize::from(*length) == text.len());
    match Code::parse(text) {
        Some(code) if fits => Ok(code),
        Some(_) | None => {
            let lengths: Vec<String> = lengths.iter().map(u8::to_string).collect();
            let detail = format!("a code is {} decimal digits", lengths.join(" or "));
            Err(Problem::new(Fault::CodeInvalid, detail).at("code"))
        }
    }
}

fn check_party(body: PartyBody, which: &str, settings: &Settings) -> Result<(Party, Option<Quiet>), Problem> {
    let quiet = check_quiet(body.quiet.as_deref(), body.time_zone.as_deref(), which)?;
    check_person(&body.number, body.language, body.name, which, settings).map(|party| (party, quiet))
}

/// Somebody who may call and be called: their number, and what they hear.
pub(crate) fn check_person(
    number: &NumberText,
    language: Option<String>,
    name: Option<String>,
    which: &str,
    settings: &Settings,
) -> Result<Party, Problem> {
    let number = settings
        .plan
        .parse(&number.0)
        .map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(format!("{which}.number")))?;
    if let Some(language) = &language
        && !settings.languages.contains(language)
    {
        let detail = format!("spoken here: {}", settings.languages.join(", "));
        return Err(Problem::new(Fault::UnknownLanguage, detail).at(format!("{which}.language")));
    }
    let name = name.map(|name| check_name(&name, &format!("{which}.name"))).transpose()?;
    Ok(Party { number, language: language.map(Into::into), name })
}

/// What people call somebody, without blanks around it.
pub(crate) fn check_name(name: &str, field: &str) -> Result<Box<str>, Problem> {
    let name = name.trim();
    let fits = (1..=Party::LONGEST_NAME).contains(&name.chars().count());
    if fits && !name.chars().any(char::is_control) {
        return Ok(name.into());
    }
    let detail = format!("1 to {} characters, none of them a control character", Party::LONGEST_NAME);
    Err(Problem::new(Fault::NameInvalid, detail).at(field))
}

pub(crate) fn check_quiet(
    hours: Option<&str>,
    zone: Option<&str>,
    which: &str,
) -> Result<Option<Quiet>, Problem> {
    let Some(hours) = hours else {
        let nothing = "means nothing without quiet beside it";
        let fault = |_| Problem::new(Fault::QuietInvalid, nothing).at(format!("{which}.time_zone"));
        return zone.map_or(Ok(None), |zone| Err(fault(zone)));
    };
    Quiet::parse(hours, zone).map(Some).map_err(|why| {
        let field = match why {
            NotQuiet::Hours => "quiet",
            NotQuiet::Zone => "time_zone",
        };
        Problem::new(Fault::QuietInvalid, why.to_string()).at(format!("{which}.{field}"))
    })
}

pub(crate) fn check_expiry(ttl: Option<i64>, at: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    let longest = now.after(LONGEST_TTL);
    let out_of_range = |field: &str| {
        let detail = format!("from 1 second to a year ({} seconds)", LONGEST_TTL.as_secs());
        Problem::new(Fault::ExpiryOutOfRange, detail).at(field)
    };
    match (ttl.map(u64::try_from), at) {
        (Some(_), Some(_)) => {
            Err(Problem::new(Fault::ExpiryTwice, "give ttl_seconds or expires_at, not both").at("expires_at"))
        }
        (Some(Ok(ttl)), None) if (1..=LONGEST_TTL.as_secs()).contains(&ttl) => {
            Ok(now.after(Duration::from_secs(ttl)))
        }
        (Some(_), None) => Err(out_of_range("ttl_seconds")),
        (None, Some(text)) => {
            let at = text.parse::<Timestamp>().map_err(|_| {
                Problem::new(Fault::WrongType, "a time is written 2026-01-31T12:00:00Z").at("expires_at")
            })?;
            if at <= now {
                Err(Problem::new(Fault::ExpiryPast, "it ends in the future").at("expires_at"))
            } else if at > longest {
                Err(out_of_range("expires_at"))
            } else {
                Ok(at)
            }
        }
        (None, None) => Ok(now.after(DEFAULT_TTL)),
    }
}

/// Attached data without blanks, at most `longest` bytes of it. `null` is no data.
pub(crate) fn check_data(data: &RawValue, longest: usize) -> Result<Option<Json>, Problem> {
    let (compact, depth) = json::compact(data.get());
    if compact.len() > longest || depth > DEEPEST_DATA {
        let detail = format!("at most {longest} bytes, nested at most {DEEPEST_DATA} deep");
        return Err(Problem::new(Fault::DataTooLarge, detail).at("data"));
    }
    if compact == "null" {
        return Ok(None);
    }
    Json::parse(&compact).map(Some).map_err(|why| Problem::new(Fault::NotJson, why.to_string()).at("data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use number::Plan;

    fn now() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn settings() -> Settings {
        let line = |text| Number::parse(text).unwrap();
        Settings {
            plan: Plan::of("RU").unwrap(),
            tokens: vec![],
            users: vec![],
            console: crate::ConsoleSettings::default(),
            proxies: vec![],
            lines: [(line("+74950000001"), 5), (line("+74950000002"), 4)].into(),
            pool: crate::PoolSettings::default(),
            every_line: [line("+74950000001"), line("+74950000002")].into(),
            languages: vec!["ru".into(), "en".into()],
            webhooks: vec![],
            recordings: recording::Settings::wav("nowhere".into()),
            privacy: crate::Privacy::Full,
        }
    }

    fn draft(code: &str, body: &str) -> Result<Order, Problem> {
        crate::body::parse::<OrderBody>(body.as_bytes())
            .and_then(|body| check(code, body, &settings(), now()))
    }

    fn with(extra: &str) -> String {
        format!(r#"{{"courier":{{"number":"79991111111"}},"client":{{"number":"89992222222"}}{extra}}}"#)
    }

    #[test]
    fn the_least_order_lives_ten_days_and_has_international_numbers() {
        let draft = draft("12345", &with("")).unwrap();
        assert_eq!(draft.courier.number.to_string(), "+79991111111");
        assert_eq!(draft.client.number.to_string(), "+79992222222");
        assert_eq!(draft.expires_at, "2026-02-10T12:00:00Z".parse().unwrap());
        assert_eq!((draft.line, draft.data), (None, None));
    }

    #[test]
    fn numbers_may_come_as_json_numbers() {
        let body = r#"{"courier":{"number":79991111111},"client":{"number":"+7 (999) 222-22-22"},"line":74950000001}"#;
        let draft = draft("12345", body).unwrap();
        assert_eq!(draft.courier.number.to_string(), "+79991111111");
        assert_eq!(draft.line, Some(Number::parse("74950000001").unwrap()));
    }

    #[test]
    fn each_fault_has_its_code_and_names_its_field() {
        let deep = format!(r#","data":{}1{}"#, "[".repeat(33), "]".repeat(33));
        let long = format!(r#","data":"{}""#, "x".repeat(Order::LONGEST_DATA));
        let rows: &[(&str, String, Fault, &str)] = &[
            ("1234x", with(""), Fault::CodeInvalid, "code"),
            ("123456", with(""), Fault::CodeInvalid, "code"),
            ("", with(""), Fault::CodeInvalid, "code"),
            ("1234", with(r#","line":"+74950000001""#), Fault::CodeInvalid, "code"),
            ("12345", with(r#","line":"+74950000009""#), Fault::UnknownLine, "line"),
            ("12345", with(r#","line":"abc""#), Fault::NumberInvalid, "line"),
            ("12345", with(r#","line":true"#), Fault::WrongType, "line"),
            ("12345", with(r#","ttl_seconds":0"#), Fault::ExpiryOutOfRange, "ttl_seconds"),
            ("12345", with(r#","ttl_seconds":-5"#), Fault::ExpiryOutOfRange, "ttl_seconds"),
            ("12345", with(r#","ttl_seconds":31536001"#), Fault::ExpiryOutOfRange, "ttl_seconds"),
            ("12345", with(r#","ttl_seconds":1.5"#), Fault::WrongType, "ttl_seconds"),
            ("12345", with(r#","expires_at":"2026-01-31T12:00:00Z""#), Fault::ExpiryPast, "expires_at"),
            ("12345", with(r#","expires_at":"2027-02-01T12:00:00Z""#), Fault::ExpiryOutOfRange, "expires_at"),
            ("12345", with(r#","expires_at":"tomorrow""#), Fault::WrongType, "expires_at"),
            (
                "12345",
                with(r#","ttl_seconds":5,"expires_at":"2026-02-01T12:00:00Z""#),
                Fault::ExpiryTwice,
                "expires_at",
            ),
            ("12345", with(r#","colour":1"#), Fault::UnknownField, "colour"),
            ("12345", with(&deep), Fault::DataTooLarge, "data"),
            ("12345", with(&long), Fault::DataTooLarge, "data"),
            ("12345", r#"{"client":{"number":"79992222222"}}"#.into(), Fault::MissingField, "courier"),
            (
                "12345",
                r#"{"courier":{},"client":{"number":"1"}}"#.into(),
                Fault::MissingField,
                "courier.number",
            ),
            ("12345", r#"{"courier":{"nummer":"1"}}"#.into(), Fault::UnknownField, "courier.nummer"),
            (
                "12345",
                r#"{"courier":{"number":"12"},"client":{"number":"79992222222"}}"#.into(),
                Fault::NumberInvalid,
                "courier.number",
            ),
            (
                "12345",
                r#"{"courier":{"number":"79992222222"},"client":{"number":"8 999 222 22 22"}}"#.into(),
                Fault::SameNumber,
                "client.number",
            ),
            (
                "12345",
                r#"{"courier":{"number":"79991111111","language":"tlh"},"client":{"number":"79992222222"}}"#
                    .into(),
                Fault::UnknownLanguage,
                "courier.language",
            ),
        ];
        for (code, body, fault, field) in rows {
            let problem = draft(code, body).unwrap_err();
            assert_eq!((problem.fault, problem.field.as_deref()), (*fault, Some(*field)), "{body}");
        }
    }

    #[test]
    fn details_quote_no_values() {
        let problem = draft("12345", &with(r#","ttl_seconds":"79993333333""#)).unwrap_err();
        assert!(!problem.detail.contains("7999333"), "{}", problem.detail);
    }

    #[test]
    fn broken_json_is_told_by_line_and_column() {
        let problem = draft("12345", "{\n \"courier\": ]").unwrap_err();
        assert_eq!(problem.fault, Fault::NotJson);
        assert!(problem.detail.contains("line 2 column"), "{}", problem.detail);
        assert_eq!(draft("12345", &(with("") + "x")).unwrap_err().fault, Fault::NotJson);
    }

    #[test]
    fn attached_data_is_kept_as_written_without_blanks() {
        let data = |text: &str| {
            draft("12345", &with(&format!(r#","data":{text}"#)))
                .unwrap()
                .data
                .map(|data| data.as_str().to_owned())
        };
        assert_eq!(
            data("{ \"b\" : 1.10,\n \"a\" : \" x \\\" y \" }").as_deref(),
            Some(r#"{"b":1.10,"a":" x \" y "}"#)
        );
        assert_eq!(data("null"), None);
    }

    #[test]
    fn an_expiry_with_an_offset_becomes_utc() {
        let draft = draft("12345", &with(r#","expires_at":"2026-02-01T15:00:00+03:00""#)).unwrap();
        assert_eq!(draft.expires_at.to_string(), "2026-02-01T12:00:00.000Z");
    }
}
