//! Whether a number is one that its country gives out, and which country that is.

use number::Number;

use crate::interface::PoolSettings;
use crate::problem::{Fault, Problem};

/// Checks a party's number; `field` is where it stands.
pub(crate) fn check(number: Number, pool: &PoolSettings, field: &str) -> Result<(), Problem> {
    if pool.ours.contains(&number) {
        let detail = "it is a line of this server: a call to it would come back; give the party's own number";
        return Err(Problem::new(Fault::NumberOurs, detail).at(field));
    }
    let read = phonenumber::parse(None, number.to_string());
    let country = read.as_ref().ok().and_then(|read| read.country().id());
    if pool.validate && !read.as_ref().is_ok_and(phonenumber::is_valid) {
        let detail = match country {
            Some(country) => format!(
                "no such number is given out in {}: check its length and its first digits",
                country.as_ref()
            ),
            None => "it begins with the code of no country: write it as +, country code, number".to_owned(),
        };
        return Err(Problem::new(Fault::NumberInvalid, detail).at(field));
    }
    let is_taken = |country: &str| pool.countries.iter().any(|taken| taken.eq_ignore_ascii_case(country));
    match country {
        _ if pool.countries.is_empty() => Ok(()),
        Some(country) if is_taken(country.as_ref()) => Ok(()),
        Some(_) | None => {
            let country = country.as_ref().map_or("no country that is known", AsRef::as_ref);
            let detail = format!(
                "it is of {country}; taken are numbers of {} (pool.countries)",
                pool.countries.join(", ")
            );
            Err(Problem::new(Fault::CountryNotAllowed, detail).at(field))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str, pool: &PoolSettings) -> Option<Fault> {
        check(Number::parse(text).unwrap(), pool, "a.number").err().map(|problem| {
            assert_eq!(problem.field.as_deref(), Some("a.number"));
            assert!(!problem.detail.contains(&text[3..]), "{}", problem.detail);
            problem.fault
        })
    }

    #[test]
    fn numbers_that_no_country_gives_out_are_refused_where_that_is_wanted() {
        let strict = PoolSettings { validate: true, ..PoolSettings::default() };
        for good in ["+79991112233", "+4930123456", "+12025550123", "+77012345678", "+442079460000"] {
            assert_eq!(fault(good, &strict), None, "{good}");
        }
        for bad in ["+7999111223", "+799911122334", "+71111111111", "+999123456789", "+12220000000"] {
            assert_eq!(fault(bad, &strict), Some(Fault::NumberInvalid), "{bad}");
            assert_eq!(fault(bad, &PoolSettings::default()), None, "{bad}");
        }
    }

    #[test]
    fn countries_that_share_a_code_are_told_apart() {
        let countries = vec!["RU".to_owned(), "de".to_owned()];
        let pool = PoolSettings { validate: true, countries, ..PoolSettings::default() };
        for good in ["+79991112233", "+4930123456"] {
            assert_eq!(fault(good, &pool), None, "{good}");
        }
        for bad in ["+77012345678", "+12025550123"] {
            assert_eq!(fault(bad, &pool), Some(Fault::CountryNotAllowed), "{bad}");
        }
    }

    #[test]
    fn our_own_numbers_are_no_parties() {
        let ours = [Number::parse("+74951234567").unwrap()].into();
        let pool = PoolSettings { ours, ..PoolSettings::default() };
        assert_eq!(fault("+74951234567", &pool), Some(Fault::NumberOurs));
    }
}
