//! The parameters of a query, each known by name: a misspelt filter must not silently find everything.

use std::collections::BTreeMap;

use number::{Number, Plan};
use store::Timestamp;

use crate::problem::{Fault, Problem};

/// Rows on a page unless the query says otherwise.
const PAGE: usize = 100;
/// Most rows on a page.
const LONGEST_PAGE: usize = 500;

/// Parameters that were given.
#[derive(Debug)]
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads a query. Refuses what is not in `known` and what is there twice.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut all = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let detail = if known.is_empty() {
                    "this path takes no parameters".to_owned()
                } else {
                    format!("known here: {}", known.join(", "))
                };
                return Err(Problem::new(Fault::UnknownParameter, detail).at(shortened(&name)));
            }
            if all.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Problem::new(Fault::ParameterInvalid, "given twice").at(name));
            }
        }
        Ok(Self(all))
    }

    /// As given; empty counts as not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Rows per page: 1 to 500, default 100.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.text("limit") else { return Ok(PAGE) };
        match text.parse() {
            Ok(limit) if (1..=LONGEST_PAGE).contains(&limit) => Ok(limit),
            Ok(_) | Err(_) => {
                Err(Problem::new(Fault::ParameterInvalid, format!("from 1 to {LONGEST_PAGE}")).at("limit"))
            }
        }
    }

    /// A telephone number, national forms allowed. A plus sign that was not percent-encoded arrives as a blank.
    pub(crate) fn number(&self, name: &str, plan: &Plan) -> Result<Option<Number>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let plus = text.strip_prefix(' ').map(|rest| format!("+{rest}"));
        let read = plan.parse(plus.as_deref().unwrap_or(text));
        read.map(Some).map_err(|why| Problem::new(Fault::NumberInvalid, why.to_string()).at(name))
    }

    /// A time as RFC 3339.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // An unencoded plus of the offset arrives as a blank.
        text.replace(' ', "+").parse().map(Some).map_err(|_| {
            let detail = "a time is written 2026-01-31T12:00:00Z";
            Problem::new(Fault::ParameterInvalid, detail).at(name)
        })
    }
}

/// A name from outside, short enough to be echoed.
pub(crate) fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault<T: std::fmt::Debug>(read: Result<T, Problem>) -> (Fault, Option<String>) {
        let problem = read.unwrap_err();
        (problem.fault, problem.field)
    }

    #[test]
    fn a_parameter_nobody_knows_is_named() {
        let read = Parameters::read(Some("limit=1&lien=2"), &["limit", "line"]);
        assert_eq!(fault(read), (Fault::UnknownParameter, Some("lien".into())));
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let read = Parameters::read(Some("limit=1&limit=2"), &["limit"]);
        assert_eq!(fault(read), (Fault::ParameterInvalid, Some("limit".into())));
    }

    #[test]
    fn a_page_has_one_to_five_hundred_rows() {
        let limit = |query: &str| Parameters::read(Some(query), &["limit"]).unwrap().limit();
        assert_eq!(limit("").unwrap(), 100);
        assert_eq!(limit("limit=500").unwrap(), 500);
        for wrong in ["limit=0", "limit=501", "limit=-1", "limit=ten", "limit=99999999999999999999"] {
            assert_eq!(fault(limit(wrong)), (Fault::ParameterInvalid, Some("limit".into())), "{wrong}");
        }
    }

    #[test]
    fn a_plus_sign_survives_whether_encoded_or_not() {
        let plan = Plan::of("RU").unwrap();
        for query in ["number=%2B79991112233", "number=+79991112233", "number=89991112233"] {
            let number = Parameters::read(Some(query), &["number"]).unwrap().number("number", &plan).unwrap();
            assert_eq!(number.unwrap().to_string(), "+79991112233", "{query}");
        }
    }

    #[test]
    fn times_are_rfc_3339() {
        let time = |query: &str| Parameters::read(Some(query), &["from"]).unwrap().time("from");
        let utc = time("from=2026-01-31T12:00:00Z").unwrap().unwrap();
        assert_eq!(time("from=2026-01-31T15:00:00+03:00").unwrap(), Some(utc));
        assert_eq!(time("from=2026-01-31T15:00:00%2B03:00").unwrap(), Some(utc));
        assert_eq!(fault(time("from=yesterday")), (Fault::ParameterInvalid, Some("from".into())));
    }
}
