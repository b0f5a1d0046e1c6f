//! Links to the card of whoever calls, in the shop's own system (`console.card_url`).

use std::fmt::Write as _;

use number::Number;
use serde_json::Value;
use store::Ulid;

/// What may stand in braces, beside `data.KEY`.
const WORDS: [(&str, Word); 5] = [
    ("code", Word::Code),
    ("role", Word::Role),
    ("line", Word::Line),
    ("call", Word::Call),
    ("contact", Word::Contact),
];

/// What links are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Word(Word),
    /// A member of what the shop attached.
    Data(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Code,
    Role,
    Line,
    Call,
    Contact,
}

/// What a link is filled with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values<'v> {
    pub(crate) code: Option<&'v str>,
    pub(crate) role: Option<&'v str>,
    pub(crate) line: Option<Number>,
    pub(crate) call: Ulid,
    pub(crate) contact: Option<Ulid>,
    /// JSON of what the shop attached; the first that has a member decides.
    pub(crate) data: Vec<&'v str>,
}

impl Template {
    /// Reads one; else what to write.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = address.map(|address| address.split(['/', '?', '#']).next().unwrap_or_default());
        match host {
            None | Some("") => return Err("write an address that begins with https:// or http://".to_owned()),
            Some(host) if host.contains(['{', '}', '@']) => {
                return Err(
                    "the server of the address is written out, without braces and passwords".to_owned()
                );
            }
            Some(_) => {}
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err("an address has no blanks; write %20".to_owned());
        }
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (word, after) = after.split_once('}').ok_or("a brace is not closed")?;
            pieces.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
            pieces.push(piece(word)?);
            rest = after;
        }
        if rest.contains('}') {
            return Err("a brace is not opened".to_owned());
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        Ok(Self(pieces))
    }

    /// The link; `None` where nothing of what it needs is known, or it would tell a telephone number: operators do not see those.
    pub(crate) fn fill(&self, values: &Values<'_>) -> Option<String> {
        let data: Vec<Value> =
            values.data.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        let (mut url, mut wanted, mut found) = (String::new(), 0, 0);
        for piece in &self.0 {
            let value = match piece {
                Piece::Text(text) => {
                    url += text;
                    continue;
                }
                Piece::Word(Word::Role) => {
                    encode(&mut url, values.role.unwrap_or_default());
                    continue;
                }
                Piece::Word(Word::Line) => {
                    encode(&mut url, &values.line.map(|line| line.to_string()).unwrap_or_default());
                    continue;
                }
                Piece::Word(Word::Call) => {
                    encode(&mut url, &values.call.to_string());
                    continue;
                }
                Piece::Word(Word::Code) => values.code.map(str::to_owned),
                Piece::Word(Word::Contact) => values.contact.map(|contact| contact.to_string()),
                Piece::Data(key) => {
                    let value = data.iter().find_map(|data| member(data, key));
                    if value.as_deref().is_some_and(api::tells_number) {
                        return None;
                    }
                    value
                }
            };
            wanted += 1;
            if let Some(value) = value {
                found += 1;
                encode(&mut url, &value);
            }
        }
        (wanted == 0 || found > 0).then_some(url)
    }
}

fn piece(word: &str) -> Result<Piece, String> {
    if let Some((_, word)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Ok(Piece::Word(*word));
    }
    match word.strip_prefix("data.") {
        Some(key) if !key.is_empty() => Ok(Piece::Data(key.to_owned())),
        _ if ["number", "caller", "callee"].contains(&word) => Err(format!(
            "{{{word}}} would show operators a number they may not see; attach your system's own id to orders and contacts as \
             data, and write {{data.id}}"
        )),
        _ => {
            let words = WORDS.map(|(known, _)| format!("{{{known}}}")).join(", ");
            Err(format!("there is no {{{word}}}; known here: {words} and {{data.KEY}}"))
        }
    }
}

/// What a member says that is a text or a number.
fn member(data: &Value, key: &str) -> Option<String> {
    match data.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Everything but the unreserved characters (RFC 3986 §2.3) is percent-encoded.
fn encode(url: &mut String, value: &str) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            url.push(char::from(octet));
        } else {
            let _ = write!(url, "%{octet:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, values: &Values<'_>) -> Option<String> {
        Template::parse(template).unwrap().fill(values)
    }

    #[test]
    fn a_link_has_its_values_encoded() {
        let values = Values {
            code: Some("12345"),
            role: Some("client"),
            line: Number::parse("+74950000001").ok(),
            call: Ulid(7),
            contact: Some(Ulid(8)),
            data: vec![r#"{"id":"a b/&?#é","n":17,"no":null}"#, r#"{"id":"other","more":"x"}"#],
        };
        let link = |template: &str| fill(template, &values).unwrap();
        assert_eq!(link("https://crm.example/o/{code}?as={role}"), "https://crm.example/o/12345?as=client");
        assert_eq!(link("http://crm/{data.id}"), "http://crm/a%20b%2F%26%3F%23%C3%A9");
        assert_eq!(link("https://crm/{data.n}/{data.more}/{data.no}"), "https://crm/17/x/");
        assert_eq!(link("https://crm/?l={line}"), "https://crm/?l=%2B74950000001");
        assert!(link("https://crm/{call}-{contact}").ends_with("7-00000000000000000000000008"));
    }

    #[test]
    fn there_is_no_link_where_nothing_it_needs_is_known() {
        let nothing = Values::default();
        assert_eq!(fill("https://crm/{code}", &nothing), None);
        assert_eq!(fill("https://crm/{data.id}?r={role}", &nothing), None);
        assert_eq!(fill("https://crm/", &nothing).as_deref(), Some("https://crm/"));
        let contact = Values { contact: Some(Ulid(1)), ..nothing };
        assert!(fill("https://crm/{code}?c={contact}", &contact).is_some());
    }

    #[test]
    fn a_link_never_tells_a_number() {
        for phone in [r#""+79991112233""#, "79991112233", r#""8 (999) 111-22-33""#, r#""of +79991112233""#] {
            let data = format!(r#"{{"id":{phone}}}"#);
            let values = Values { code: Some("1"), data: vec![&data], ..Values::default() };
            assert_eq!(fill("https://crm/{code}/{data.id}", &values), None, "{phone}");
        }
        for (template, why) in [
            ("https://crm/{number}", "{number} would show"),
            ("https://crm/{caller}", "{caller} would show"),
            ("https://crm/{name}", "there is no {name}"),
            ("https://crm/{data.}", "there is no {data.}"),
            ("https://crm/{code", "a brace is not closed"),
            ("https://crm/code}", "a brace is not opened"),
            ("https://{data.host}/", "the server"),
            ("https://u:p@crm/", "the server"),
            ("https:///x", "write an address"),
            ("javascript:alert(1)", "write an address"),
            ("//crm/{code}", "write an address"),
            ("https://crm/ {code}", "an address has no blanks"),
        ] {
            let fault = Template::parse(template).unwrap_err();
            assert!(fault.starts_with(why), "{template}: {fault}");
        }
    }
}
