//! Telephone numbers in serde: `+` and digits where people read, a number elsewhere.

use number::Number;
use serde::{Deserialize, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.collect_str(number)
    } else {
        serializer.serialize_u64(number.as_u64())
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Number, D::Error> {
    if deserializer.is_human_readable() {
        Number::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    } else {
        Number::parse(&u64::deserialize(deserializer)?.to_string()).map_err(de::Error::custom)
    }
}

pub(crate) mod optional {
    use number::Number;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Digits(#[serde(with = "super")] Number);

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(crate) fn serialize<S: Serializer>(
        number: &Option<Number>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        number.map(Digits).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Number>, D::Error> {
        Ok(Option::<Digits>::deserialize(deserializer)?.map(|digits| digits.0))
    }
}
