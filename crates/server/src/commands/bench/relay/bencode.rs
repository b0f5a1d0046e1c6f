//! Bencode (BEP 3), in which rtpengine is spoken to: text, numbers, lists and dictionaries.

use std::collections::BTreeMap;

/// How deep values may lie in one another.
const DEEPEST: u8 = 16;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Vec<u8>),
    Number(i64),
    List(Vec<Value>),
    Dictionary(BTreeMap<Vec<u8>, Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(pairs: [(&str, Value); N]) -> Self {
        Self::Dictionary(pairs.into_iter().map(|(key, value)| (key.as_bytes().to_vec(), value)).collect())
    }
}

impl Value {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, octets: &[u8]| {
            out.extend_from_slice(format!("{}:", octets.len()).as_bytes());
            out.extend_from_slice(octets);
        };
        match self {
            Self::Text(octets) => text(out, octets),
            Self::Number(number) => out.extend_from_slice(format!("i{number}e").as_bytes()),
            Self::List(values) => {
                out.push(b'l');
                values.iter().for_each(|value| value.write(out));
                out.push(b'e');
            }
            Self::Dictionary(pairs) => {
                out.push(b'd');
                for (key, value) in pairs {
                    text(out, key);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }

    /// Reads one value that is all there is; `None` if it is none.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let mut rest = octets;
        let value = value(&mut rest, DEEPEST)?;
        rest.is_empty().then_some(value)
    }

    /// What a dictionary has under a key, if that is text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self {
            Self::Dictionary(pairs) => match pairs.get(key.as_bytes())? {
                Self::Text(octets) => std::str::from_utf8(octets).ok(),
                Self::Number(_) | Self::List(_) | Self::Dictionary(_) => None,
            },
            Self::Text(_) | Self::Number(_) | Self::List(_) => None,
        }
    }
}

fn value(rest: &mut &[u8], depth: u8) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    match rest.first()? {
        b'i' => {
            *rest = &rest[1..];
            number(rest, b'e').map(Value::Number)
        }
        b'l' => {
            *rest = &rest[1..];
            let mut values = Vec::new();
            while !over(rest)? {
                values.push(value(rest, depth)?);
            }
            Some(Value::List(values))
        }
        b'd' => {
            *rest = &rest[1..];
            let mut pairs = BTreeMap::new();
            while !over(rest)? {
                pairs.insert(text(rest)?, value(rest, depth)?);
            }
            Some(Value::Dictionary(pairs))
        }
        _ => text(rest).map(Value::Text),
    }
}

/// Whether a list or dictionary ends here; steps over its end.
fn over(rest: &mut &[u8]) -> Option<bool> {
    let ends = *rest.first()? == b'e';
    if ends {
        *rest = &rest[1..];
    }
    Some(ends)
}

fn text(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(number(rest, b':')?).ok()?;
    let (octets, further) = rest.split_at_checked(length)?;
    *rest = further;
    Some(octets.to_vec())
}

fn number(rest: &mut &[u8], end: u8) -> Option<i64> {
    let length = rest.iter().position(|octet| *octet == end)?;
    let digits = std::str::from_utf8(&rest[..length]).ok()?;
    *rest = &rest[length + 1..];
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &Value) -> String {
        let mut octets = Vec::new();
        value.write(&mut octets);
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn values_are_written_as_they_are_defined_and_read_back() {
        let list = Value::List(vec!["spam".into(), Value::List(Vec::new()), Value::Number(-3)]);
        let both = Value::from([("eggs", list.clone()), ("b", [("c", "".into())].into())]);
        for (value, text) in [
            ("spam".into(), "4:spam"),
            (Value::Number(0), "i0e"),
            (list, "l4:spamlei-3ee"),
            // Keys in their order, whatever order they were given in.
            (both, "d1:bd1:c0:e4:eggsl4:spamlei-3eee"),
        ] {
            assert_eq!(written(&value), text);
            assert_eq!(Value::read(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_value_is_refused_whole() {
        let deep = "l".repeat(100_000);
        for text in [
            "",
            "i5",
            "ie",
            "5:spam",
            "-1:a",
            "99999999999999999999:a",
            "l",
            "d1:a",
            "di1ei2ee",
            "i1ei2e",
            "e",
            &deep,
        ] {
            assert_eq!(Value::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn texts_are_found_by_their_key() {
        let value = Value::from([("result", "ok".into()), ("number", Value::Number(1))]);
        assert_eq!(value.text("result"), Some("ok"));
        assert_eq!((value.text("number"), value.text("other")), (None, None));
    }
}
