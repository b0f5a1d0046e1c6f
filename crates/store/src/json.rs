//! JSON text that is carried, not understood.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::{RawValue, to_raw_value};

/// JSON text, checked once. Written into JSON as it is; into other formats as text.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

/// The text is not one JSON value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {0}")]
pub struct NotJson(String);

impl Json {
    /// Checks a text.
    ///
    /// # Errors
    /// The text is not exactly one JSON value.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        let raw: &RawValue = serde_json::from_str(text).map_err(|e| NotJson(e.to_string()))?;
        Ok(Self(raw.to_owned()))
    }

    /// What a value looks like as JSON.
    ///
    /// # Errors
    /// The value has no JSON form (a map whose keys are not text, say).
    pub fn of(value: &impl Serialize) -> Result<Self, NotJson> {
        to_raw_value(value).map(Self).map_err(|e| NotJson(e.to_string()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            serializer.serialize_str(self.as_str())
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Box::<RawValue>::deserialize(deserializer).map(Self)
        } else {
            let text = Box::<str>::deserialize(deserializer)?;
            Self::parse(&text).map_err(de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_carried_letter_by_letter() {
        let text = r#"{"b":1.50,"a":[null,"ё"]}"#;
        let json = Json::parse(&format!(" {text}\n")).unwrap();
        assert_eq!(json.as_str(), text);
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), json);
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", "{", "{} {}", "nul", "\"\u{1}\""] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
