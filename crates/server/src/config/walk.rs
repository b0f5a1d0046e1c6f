//! A walk over a TOML document that goes on after a fault, so that one look tells all of them.

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::remark::{Position, Remark};
use super::value;

/// Where secrets may come from besides the file.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// What may stand in a section.
#[derive(Debug)]
pub(super) struct Schema {
    /// Its name: `sip`, `http.token`.
    pub(super) name: &'static str,
    /// Every key that is read.
    pub(super) keys: &'static [&'static str],
    /// Keys that mean something elsewhere or some day, and what to do instead: refused, never ignored.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

/// Elements of one list: more is a mistake, and the cross checks compare each with each.
const LONGEST: usize = 10_000;

/// What a remark is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Octets from the beginning of the text.
    offset: usize,
    key: String,
}

/// One table of the document, or an empty one where it is absent.
#[derive(Debug, Clone)]
pub(super) struct Section<'d> {
    path: String,
    offset: usize,
    table: Option<&'d DeTable<'d>>,
}

impl<'d> Section<'d> {
    fn entry(&self, key: &str) -> Option<(&'d Spanned<std::borrow::Cow<'d, str>>, &'d Spanned<DeValue<'d>>)> {
        self.table.and_then(|table| table.get_key_value(key))
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// The section itself.
    pub(super) fn here(&self) -> Place {
        Place { offset: self.offset, key: self.path.clone() }
    }

    /// A key of it; where it is absent, the section's head.
    pub(super) fn place(&self, key: &str) -> Place {
        let offset = self.entry(key).map_or(self.offset, |(key, _)| key.span().start);
        Place { offset, key: joined(&self.path, key) }
    }

    /// An element of a list; of a value that stands for a list of one, the key.
    pub(super) fn element(&self, key: &str, index: usize) -> Place {
        let list = self.entry(key).and_then(|(_, value)| value.get_ref().as_array());
        match list.and_then(|list| list.get(index)) {
            Some(element) => {
                Place { offset: element.span().start, key: format!("{}[{index}]", joined(&self.path, key)) }
            }
            None => self.place(key),
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given<T> {
    /// The key is not there.
    Absent,
    /// It is, and the fault has been noted.
    Faulty,
    /// Its value.
    Is(T),
}

impl<T> Given<T> {
    /// The value, or the default where there is none or a faulty one.
    pub(super) fn or(self, default: T) -> T {
        self.ok().unwrap_or(default)
    }

    /// The value, if there is a faultless one.
    pub(super) fn ok(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Faulty => None,
        }
    }
}

/// Everything noted on the way.
pub(super) struct Walk<'d> {
    pub(super) environment: Environment<'d>,
    faults: Vec<(Place, String)>,
    warnings: Vec<(Place, String)>,
}

impl<'d> Walk<'d> {
    pub(super) fn new(environment: Environment<'d>) -> Self {
        Self { environment, faults: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn fault(&mut self, place: Place, text: impl Into<String>) {
        self.faults.push((place, text.into()));
    }

    pub(super) fn warn(&mut self, place: Place, text: impl Into<String>) {
        self.warnings.push((place, text.into()));
    }

    /// The whole document, its sections named by `schemas`.
    pub(super) fn root(&mut self, table: &'d DeTable<'d>, schemas: &[&'static Schema]) -> Section<'d> {
        let root = Section { path: String::new(), offset: 0, table: Some(table) };
        let known: Vec<&str> = schemas.iter().map(|schema| schema.name).collect();
        for (key, _) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let place = Place { offset: key.span().start, key: name.to_owned() };
                self.fault(place, unknown(name, &known, "section"));
            }
        }
        root
    }

    /// A section that stands once; an empty one where it is absent or no table.
    pub(super) fn section(&mut self, parent: &Section<'d>, schema: &'static Schema) -> Section<'d> {
        let empty = Section { path: schema.name.to_owned(), offset: 0, table: None };
        let Some((key, value)) = parent.entry(schema.name) else {
            return empty;
        };
        if let Some(table) = value.get_ref().as_table() {
            return self.entered(schema, schema.name.to_owned(), key.span().start, table);
        }
        let name = schema.name;
        let text = format!("write it once as a section, [{name}]; it is {}", value::kind(value.get_ref()));
        self.fault(parent.place(name), text);
        empty
    }

    /// A section that may stand several times, in double brackets.
    pub(super) fn sections(&mut self, parent: &Section<'d>, schema: &'static Schema) -> Vec<Section<'d>> {
        let last = schema.name.rsplit('.').next().unwrap_or_default();
        let Some((_, value)) = parent.entry(last) else {
            return Vec::new();
        };
        let tables = value.get_ref().as_array().map(|list| list.iter().collect::<Vec<_>>());
        let Some(tables) = tables.filter(|list| list.iter().all(|one| one.get_ref().is_table())) else {
            let name = schema.name;
            self.fault(
                parent.place(last),
                format!("write [[{name}]], in double brackets: there may be several"),
            );
            return Vec::new();
        };
        if tables.len() > LONGEST {
            self.fault(
                parent.place(last),
                format!("stands {} times; at most {LONGEST} are taken", tables.len()),
            );
        }
        let path = joined(&parent.path, last);
        let numbered = tables.into_iter().enumerate();
        numbered
            .filter_map(|(index, one)| one.get_ref().as_table().map(|table| (index, one.span().start, table)))
            .map(|(index, offset, table)| self.entered(schema, format!("{path}[{index}]"), offset, table))
            .collect()
    }

    fn entered(
        &mut self,
        schema: &'static Schema,
        path: String,
        offset: usize,
        table: &'d DeTable<'d>,
    ) -> Section<'d> {
        for (key, _) in table {
            let name: &str = key.get_ref();
            let place = Place { offset: key.span().start, key: joined(&path, name) };
            if let Some((_, instead)) = schema.refused.iter().find(|(refused, _)| *refused == name) {
                self.fault(place, *instead);
            } else if !schema.keys.contains(&name) {
                self.fault(place, unknown(name, schema.keys, "key"));
            }
        }
        Section { path, offset, table: Some(table) }
    }

    /// What a key holds, read by `read`.
    pub(super) fn get<T>(
        &mut self,
        section: &Section<'d>,
        key: &str,
        read: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Given<T> {
        let Some((_, value)) = section.entry(key) else {
            return Given::Absent;
        };
        match read(value.get_ref()) {
            Ok(value) => Given::Is(value),
            Err(text) => {
                self.fault(section.place(key), text);
                Given::Faulty
            }
        }
    }

    /// What a key holds that must be there; `why` says what to write.
    pub(super) fn needed<T>(
        &mut self,
        section: &Section<'d>,
        key: &str,
        why: &str,
        read: impl FnOnce(&DeValue<'d>) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.get(section, key, read);
        if matches!(given, Given::Absent) {
            self.fault(section.place(key), format!("is missing: {why}"));
        }
        given.ok()
    }

    /// A list, each element read by `read`; one value may stand without brackets. `Faulty` if any element is.
    pub(super) fn list<T>(
        &mut self,
        section: &Section<'d>,
        key: &str,
        read: impl Fn(&DeValue<'d>) -> Result<T, String>,
    ) -> Given<Vec<T>> {
        let Some((_, value)) = section.entry(key) else {
            return Given::Absent;
        };
        let Some(list) = value.get_ref().as_array() else {
            return match self.get(section, key, read) {
                Given::Is(one) => Given::Is(vec![one]),
                Given::Absent => Given::Absent,
                Given::Faulty => Given::Faulty,
            };
        };
        if list.len() > LONGEST {
            self.fault(
                section.place(key),
                format!("has {} entries; at most {LONGEST} are taken", list.len()),
            );
            return Given::Faulty;
        }
        let mut values = Vec::new();
        for (index, element) in list.iter().enumerate() {
            match read(element.get_ref()) {
                Ok(value) => values.push(value),
                Err(text) => self.fault(section.element(key, index), text),
            }
        }
        if values.len() == list.len() { Given::Is(values) } else { Given::Faulty }
    }

    /// Everything noted, faults and warnings, each in the order of the file.
    pub(super) fn remarks(self, text: &str, file: &Path) -> (Vec<Remark>, Vec<Remark>) {
        let placed = |notes: Vec<(Place, String)>| {
            let mut by_place: BTreeMap<(usize, usize), Remark> = BTreeMap::new();
            for (order, (place, what)) in notes.into_iter().enumerate() {
                let remark = Remark {
                    file: file.display().to_string(),
                    position: Some(Position::of(text, place.offset)),
                    key: place.key,
                    text: what,
                };
                by_place.insert((place.offset, order), remark);
            }
            by_place.into_values().collect()
        };
        (placed(self.faults), placed(self.warnings))
    }
}

/// What to say of a name nobody knows.
fn unknown(name: &str, known: &[&str], what: &str) -> String {
    let near = |other: &&&str| {
        let distance = strsim::damerau_levenshtein(name, other);
        distance <= 2 && distance < other.len() || other.starts_with(name) || name.starts_with(**other)
    };
    let nearest = known.iter().filter(near).min_by_key(|other| strsim::damerau_levenshtein(name, other));
    let name: String = name.chars().take(64).collect();
    match nearest {
        Some(meant) => format!("there is no {what} {name:?}; did you mean {meant:?}?"),
        None => format!("there is no {what} {name:?}; known here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_told_what_was_meant() {
        let known = ["listen", "public_address", "t1", "t2"];
        assert!(unknown("lisen", &known, "key").ends_with("did you mean \"listen\"?"));
        assert!(unknown("public_adress", &known, "key").ends_with("did you mean \"public_address\"?"));
        assert!(unknown("public", &known, "key").ends_with("did you mean \"public_address\"?"));
        assert!(unknown("volume", &known, "key").ends_with("known here: listen, public_address, t1, t2"));
    }
}
