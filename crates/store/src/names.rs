//! Names of parties. They are kept behind everything else an order or a pair has: what earlier versions kept ends before them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Party, StoreError};

/// The names of two parties.
pub(crate) type Names = [Option<Box<str>>; 2];

/// What has parties with names.
pub(crate) trait Named: Sized {
    fn names(&self) -> [Option<&str>; 2];

    fn set_names(&mut self, names: Names);

    fn serialize_rest<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    fn deserialize_rest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Whether any party has one.
    fn is_named(&self) -> bool {
        self.names().iter().any(Option::is_some)
    }
}

/// Everything but the names.
struct Rest<T>(T);

impl<T: Named> Serialize for Rest<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_rest(serializer)
    }
}

impl<'de, T: Named> Deserialize<'de> for Rest<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize_rest(deserializer).map(Self)
    }
}

/// Names, if there are any more octets.
struct Behind(Names);

impl<'de> Deserialize<'de> for Behind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Names::deserialize(deserializer).unwrap_or_default()))
    }
}

pub(crate) fn serialize<T: Named, S: Serializer>(whole: &T, serializer: S) -> Result<S::Ok, S::Error> {
    (Rest(whole), whole.names()).serialize(serializer)
}

pub(crate) fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let (Rest(mut whole), Behind(names)) = <(Rest<T>, Behind)>::deserialize(deserializer)?;
    whole.set_names(names);
    Ok(whole)
}

/// Whether the names of these can be kept.
pub(crate) fn check<'a>(parties: impl IntoIterator<Item = &'a Party>) -> Result<(), StoreError> {
    let names = parties.into_iter().filter_map(|party| party.name.as_deref());
    if names.into_iter().all(fits) {
        Ok(())
    } else {
        Err(StoreError::Refused("a name is not 1 to 100 characters, or has control characters"))
    }
}

/// Whether somebody can be called this.
pub(crate) fn fits(name: &str) -> bool {
    (1..=Party::LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// As names are compared and searched: without difference between small and capital letters.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}
