//! Notices: each party of a new order is told which number to dial, by a message gateway that is asked over HTTP as its template says.

use std::collections::BTreeMap;
use std::fmt;

use b2bua::Role;
use number::Number;
use reqwest::{Client, Method, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Event, Json, NewEvent, Order, Party, Store, StoreError, Timestamp};

/// What a template may name, in braces.
pub const FIELDS: [&str; 9] =
    ["number", "digits", "line", "code", "party", "language", "expires_at", "text", "secret"];

/// What is asked of the gateway for one party of an order.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    /// Whom it tells.
    pub role: Role,
    /// `POST`, `PUT` or `GET`.
    pub method: Method,
    /// Where; fields in it are percent-encoded.
    pub url: String,
    /// Header fields besides the type of the body; fields in them stand as they are.
    pub headers: Vec<(String, String)>,
    /// What the body is; fields in it are written as that wants.
    pub kind: Kind,
    /// The body; none where it is empty.
    pub body: String,
    /// What `{text}` is, by language; the first is for those whose language has none.
    pub texts: Vec<(String, String)>,
    /// What `{secret}` is.
    pub secret: String,
    /// The line to dial for orders of no line in particular.
    pub line: Number,
    /// Languages of lines, for parties that have none.
    pub languages: BTreeMap<Number, String>,
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `application/json`: fields are escaped as parts of a text in quotes.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/plain; charset=utf-8`.
    Plain,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Form => "application/x-www-form-urlencoded",
            Self::Plain => "text/plain; charset=utf-8",
        }
    }

    fn escaped(self, value: &str) -> String {
        match self {
            Self::Json => {
                let quoted = Value::from(value).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Form => encoded(value),
            Self::Plain => value.to_owned(),
        }
    }
}

/// Without secret and texts.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("role", &self.role).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// RFC 3986 §2.1; in a path a plus sign would be one.
fn encoded(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Fills a template in. A brace that begins no field stands for itself.
fn filled(template: &str, values: &BTreeMap<&str, String>, escape: impl Fn(&str) -> String) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text += before;
        let field = after.split_once('}').and_then(|(name, after)| Some((values.get(name)?, after)));
        rest = match field {
            Some((value, after)) => {
                text += &escape(value);
                after
            }
            None => {
                text.push('{');
                after
            }
        };
    }
    text + rest
}

/// What an event `order.put` says.
#[derive(Debug, Deserialize, Serialize)]
struct Put {
    code: String,
    line: Option<String>,
}

impl Template {
    /// The order that was put, if this is when it was put first and it is still there.
    pub(super) fn order(store: &Store, event: &Event, now: Timestamp) -> Result<Option<Order>, StoreError> {
        let Ok(put) = serde_json::from_str::<Put>(event.data.as_str()) else { return Ok(None) };
        let line = put.line.as_deref().and_then(|line| Number::parse(line).ok());
        let order = store.order(line, &put.code, now)?;
        Ok(order.filter(|order| order.created_at == event.at))
    }

    fn party<'o>(&self, order: &'o Order) -> &'o Party {
        match self.role {
            Role::Courier | Role::A => &order.courier,
            Role::Client | Role::B => &order.client,
        }
    }

    fn values(&self, order: &Order) -> BTreeMap<&'static str, String> {
        let party = self.party(order);
        let line = order.line.unwrap_or(self.line);
        let own = party.language.as_deref().or(self.languages.get(&line).map(String::as_str));
        let text = self.texts.iter().find(|(language, _)| Some(language.as_str()) == own);
        let text = text.or(self.texts.first()).map_or("", |(_, text)| text);
        let mut values: BTreeMap<&'static str, String> = [
            ("number", party.number.to_string()),
            ("digits", party.number.as_u64().to_string()),
            ("line", line.to_string()),
            ("code", order.code.to_string()),
            ("party", self.role.word().to_owned()),
            ("language", own.unwrap_or_default().to_owned()),
            ("expires_at", order.expires_at.to_string()),
        ]
        .into();
        let text = filled(text, &values, str::to_owned);
        values.insert("text", text);
        values.insert("secret", self.secret.clone());
        values
    }

    /// The request for this order's party.
    pub(super) fn request(&self, client: &Client, order: &Order) -> RequestBuilder {
        let values = self.values(order);
        let mut request = client.request(self.method.clone(), filled(&self.url, &values, encoded));
        for (name, value) in &self.headers {
            request = request.header(name, filled(value, &values, str::to_owned));
        }
        if self.body.is_empty() {
            return request;
        }
        let body = filled(&self.body, &values, |value| self.kind.escaped(value));
        request.header(reqwest::header::CONTENT_TYPE, self.kind.media_type()).body(body)
    }

    /// What became of it: `notice.sent` or `notice.failed`. No party's number is in it.
    pub(super) fn event(&self, put: &Event, kind: &str, at: Timestamp) -> Option<NewEvent> {
        let Put { code, line } = serde_json::from_str(put.data.as_str()).ok()?;
        let data = serde_json::json!({ "code": code, "line": line, "party": self.role.word() });
        Some(NewEvent { kind: kind.to_owned(), at, call: None, data: Json::of(&data).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let party = |text: &str, language: Option<&str>| Party {
            number: Number::parse(text).unwrap(),
            language: language.map(Into::into),
            name: None,
        };
        Order {
            code: "12345".into(),
            line: None,
            courier: party("+79991111111", None),
            client: party("+79992222222", Some("en")),
            expires_at: Timestamp(1_800_000_000_000),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            data: None,
            limits: store::OrderLimits::default(),
        }
    }

    fn template(role: Role, kind: Kind, body: &str) -> Template {
        let line = Number::parse("+78005550101").unwrap();
        Template {
            role,
            method: Method::POST,
            url: "https://sms.example/send?to={digits}&text={text}".to_owned(),
            headers: vec![("authorization".to_owned(), "Bearer {secret}".to_owned())],
            kind,
            body: body.to_owned(),
            texts: vec![
                ("ru".to_owned(), "Звоните \"{line}\", код {code}".to_owned()),
                ("en".to_owned(), "Dial {line} & key {code}".to_owned()),
            ],
            secret: "s3cret".to_owned(),
            line,
            languages: [(line, "ru".to_owned())].into(),
        }
    }

    fn sent(template: &Template) -> (String, String, String) {
        let request = template.request(&Client::new(), &order()).build().unwrap();
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let header = request.headers()["authorization"].to_str().unwrap().to_owned();
        (request.url().to_string(), String::from_utf8(body.to_vec()).unwrap(), header)
    }

    #[test]
    fn fields_are_written_as_their_place_wants() {
        let body = r#"{"to":"{number}","text":"{text}","{unknown}":{}}"#;
        let (url, body, header) = sent(&template(Role::Client, Kind::Json, body));
        assert_eq!(
            url,
            "https://sms.example/send?to=79992222222&text=Dial%20%2B78005550101%20%26%20key%2012345"
        );
        assert_eq!(body, r#"{"to":"+79992222222","text":"Dial +78005550101 & key 12345","{unknown}":{}}"#);
        assert_eq!(header, "Bearer s3cret");
        let (_, body, _) = sent(&template(Role::Courier, Kind::Json, r#"{"text":"{text}"}"#));
        assert_eq!(body, r#"{"text":"Звоните \"+78005550101\", код 12345"}"#);
        let (_, body, _) = sent(&template(Role::Client, Kind::Form, "to={number}&text={text}"));
        assert_eq!(body, "to=%2B79992222222&text=Dial%20%2B78005550101%20%26%20key%2012345");
        let (_, body, _) = sent(&template(Role::Client, Kind::Plain, "{party} {expires_at}"));
        assert_eq!(body, "client 2027-01-15T08:00:00.000Z");
    }

    #[test]
    fn what_a_field_says_is_not_filled_in_again() {
        let mut braces = template(Role::Courier, Kind::Plain, "{text}");
        braces.texts = vec![("ru".to_owned(), "{secret}".to_owned())];
        assert_eq!(sent(&braces).1, "{secret}");
    }

    #[test]
    fn nothing_printed_has_the_secret() {
        assert!(!format!("{:?}", template(Role::Courier, Kind::Json, "")).contains("s3cret"));
    }
}
