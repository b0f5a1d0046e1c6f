//! What one value can be, and what to say when it is something else.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use b2bua::Network;
use number::{Number, Plan};
use toml::de::DeValue;

use super::duration;

/// Octets of any one text: names, paths and addresses are shorter.
const LONGEST: usize = 1024;

/// What a value is, for telling someone.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// A text that is not empty.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, String> {
    let Some(text) = value.as_str() else {
        return Err(format!("is {}; write a text in quotes", kind(value)));
    };
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.len() > LONGEST {
        return Err(format!("is longer than {LONGEST} octets"));
    }
    if text.chars().any(char::is_control) {
        return Err("has control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A text of letters, digits, dot, hyphen and underscore, at most 64: a name that can stand in paths and metrics.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, String> {
    let text = text(value)?;
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._-".contains(&octet);
    if text.len() <= 64 && text.bytes().all(plain) {
        Ok(text)
    } else {
        Err(format!(
            "{text:?} is no name; use up to 64 of the letters a to z, digits, dot, hyphen, underscore"
        ))
    }
}

/// A folder that is there, or can be made some day. A relative path begins where the program was started.
pub(super) fn folder(value: &DeValue<'_>) -> Result<PathBuf, String> {
    let path = text(value).map(PathBuf::from)?;
    let taken = path.ancestors().find(|part| part.exists()).is_some_and(|part| !part.is_dir());
    if taken { Err(format!("{} is no folder, and none can be made there", path.display())) } else { Ok(path) }
}

pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("is {}; write true or false", kind(value)))
}

/// A whole number inside `range`.
pub(super) fn integer(value: &DeValue<'_>, range: RangeInclusive<u64>) -> Result<u64, String> {
    let wanted = format!("write a whole number from {} to {}", range.start(), range.end());
    let Some(integer) = value.as_integer() else {
        return Err(format!("is {}; {wanted}", kind(value)));
    };
    match u64::from_str_radix(integer.as_str(), integer.radix()) {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("{} is out of range; {wanted}", integer.as_str())),
    }
}

/// A length of time inside `range`.
pub(super) fn duration(value: &DeValue<'_>, range: RangeInclusive<Duration>) -> Result<Duration, String> {
    let read = match value {
        DeValue::String(text) => duration::parse(text)?,
        DeValue::Integer(number) => duration::parse(number.as_str())?,
        DeValue::Float(number) => duration::parse(number.as_str())?,
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            return Err(format!(
                "is {}; write a length of time such as \"1.5s\", \"45s\" or \"2h\"",
                kind(value)
            ));
        }
    };
    if range.contains(&read) {
        return Ok(read);
    }
    let (least, most) = (duration::shown(*range.start()), duration::shown(*range.end()));
    Err(format!("{} is out of range; from {least} to {most}", duration::shown(read)))
}

/// One of these words. A word that leads to a text is refused with it.
pub(super) fn word<T: Clone>(
    value: &DeValue<'_>,
    words: &[(&str, Result<T, &'static str>)],
) -> Result<T, String> {
    let allowed: Vec<&str> =
        words.iter().filter(|(_, meaning)| meaning.is_ok()).map(|(word, _)| *word).collect();
    let allowed = match allowed.as_slice() {
        [only] => format!("write {only:?}"),
        several => format!("write one of {}", quoted(several)),
    };
    let Some(text) = value.as_str() else {
        return Err(format!("is {}; {allowed}", kind(value)));
    };
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, Ok(meaning))) => Ok(meaning.clone()),
        Some((_, Err(why))) => Err(format!("{text:?} {why}; {allowed}")),
        None => Err(format!("{:?} means nothing here; {allowed}", shortened(text))),
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")
}

/// What someone wrote, short enough to be repeated.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

pub(super) fn ip(value: &DeValue<'_>) -> Result<IpAddr, String> {
    let text = text(value)?;
    text.trim_matches(['[', ']']).parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| {
        format!(
            "{:?} is no IP address; write it in digits, such as \"192.0.2.1\" or \"2001:db8::1\"",
            shortened(&text)
        )
    })
}

/// `192.0.2.1:8080`, `[::1]:8080`.
pub(super) fn socket_address(value: &DeValue<'_>) -> Result<SocketAddr, String> {
    let text = text(value)?;
    text.parse().map_err(|_| {
        let text = shortened(&text);
        format!("{text:?} is no address with a port; write it such as \"127.0.0.1:8080\" or \"[::1]:8080\"")
    })
}

/// A range of addresses: `192.0.2.0/24`, or one address.
pub(super) fn network(value: &DeValue<'_>) -> Result<Network, String> {
    let text = text(value)?;
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text.as_str(), None),
    };
    let wrong = || {
        let text = shortened(&text);
        format!(
            "{text:?} is no range of addresses; write it such as \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\""
        )
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse::<u8>().ok().filter(|prefix| *prefix <= bits).ok_or_else(wrong)?,
        None => bits,
    };
    let first = first_of(address, prefix);
    if first != address {
        return Err(format!("{text} has bits beyond its prefix; write {first}/{prefix}, or {address} alone"));
    }
    Ok(Network { address, prefix })
}

fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            IpAddr::from((v4.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).to_be_bytes())
        }
        IpAddr::V6(v6) => {
            IpAddr::from((v6.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).to_be_bytes())
        }
    }
}

/// A telephone number, national forms allowed.
pub(super) fn number(value: &DeValue<'_>, plan: Plan) -> Result<Number, String> {
    let text = match value {
        DeValue::Integer(integer) => {
            let digits = integer.as_str();
            return Err(format!("is a number without quotes; write it as a text, \"+{digits}\""));
        }
        DeValue::String(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_)
        | DeValue::Table(_) => text(value)?,
    };
    plan.parse(&text).map_err(|why| {
        format!(
            "{:?} is no telephone number: {why}; write it as \"+\", country code and number",
            shortened(&text)
        )
    })
}

/// Most numbers of one range.
const RANGE: u64 = 10_000;

/// A number, or a range of them from the first to the last: `+74950000000..+74950000999`.
pub(super) fn numbers(value: &DeValue<'_>, plan: Plan) -> Result<Vec<Number>, String> {
    let Some((first, last)) = value.as_str().and_then(|text| text.split_once("..")) else {
        return number(value, plan).map(|number| vec![number]);
    };
    let end = |text: &str| {
        plan.parse(text.trim()).map_err(|why| format!("{:?} is no telephone number: {why}", shortened(text)))
    };
    let (first, last) = (end(first)?, end(last)?);
    let (from, to) = (first.as_u64(), last.as_u64());
    if from.checked_ilog10() != to.checked_ilog10() || from > to {
        return Err(format!("{first}..{last} is no range: both have as many digits, the lower one first"));
    }
    if to - from >= RANGE {
        return Err(format!("has {} numbers; a range has at most {RANGE}", to - from + 1));
    }
    let each = (from..=to).map(|digits| Number::parse(&format!("+{digits}")));
    each.collect::<Result<_, _>>().map_err(|why| format!("one of them is no telephone number: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T>(text: &str, read: impl Fn(&DeValue<'_>) -> Result<T, String>) -> Result<T, String> {
        read(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn a_range_of_addresses_is_an_address_and_a_prefix() {
        let shown =
            |text: &str| read(text, network).map(|range| format!("{}/{}", range.address, range.prefix));
        assert_eq!(shown("\"192.0.2.7\"").unwrap(), "192.0.2.7/32");
        assert_eq!(shown("\"192.0.2.0/24\"").unwrap(), "192.0.2.0/24");
        assert_eq!(shown("\"0.0.0.0/0\"").unwrap(), "0.0.0.0/0");
        assert_eq!(shown("\"2001:db8::/32\"").unwrap(), "2001:db8::/32");
        assert_eq!(shown("\"::/0\"").unwrap(), "::/0");
        for wrong in [
            "\"192.0.2.0/33\"",
            "\"2001:db8::/129\"",
            "\"192.0.2\"",
            "\"sip.example.com\"",
            "\"192.0.2.0/\"",
            "7",
        ] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            shown("\"192.0.2.7/24\"").unwrap_err(),
            "192.0.2.7/24 has bits beyond its prefix; write 192.0.2.0/24, or 192.0.2.7 alone"
        );
    }

    #[test]
    fn a_word_that_is_refused_says_why_and_which_are_not() {
        let words = [("wav", Ok(1)), ("flac", Ok(2)), ("mp3", Err("is not made here"))];
        assert_eq!(read("\"flac\"", |value| word(value, &words)), Ok(2));
        assert_eq!(
            read("\"mp3\"", |value| word(value, &words)).unwrap_err(),
            "\"mp3\" is not made here; write one of \"wav\", \"flac\""
        );
        assert!(
            read("\"WAV\"", |value| word(value, &words))
                .unwrap_err()
                .starts_with("\"WAV\" means nothing here")
        );
        assert!(read("true", |value| word(value, &words)).unwrap_err().starts_with("is true or false;"));
    }

    #[test]
    fn whole_numbers_are_held_to_their_range_in_any_base() {
        let small = |text: &str| read(text, |value| integer(value, 1..=16));
        assert_eq!(small("0x10"), Ok(16));
        assert_eq!(small("1_6"), Ok(16));
        for wrong in ["0", "17", "-1", "1.0", "\"1\"", "9223372036854775807"] {
            assert!(small(wrong).is_err_and(|why| why.contains("from 1 to 16")), "{wrong}");
        }
    }

    #[test]
    fn a_length_of_time_may_be_a_text_or_a_number_of_seconds() {
        let second = Duration::from_secs(1);
        let time = |text: &str| read(text, |value| duration(value, second..=second * 60));
        assert_eq!(time("\"1.5s\""), Ok(Duration::from_millis(1500)));
        assert_eq!(time("2"), Ok(second * 2));
        assert_eq!(time("2.5"), Ok(Duration::from_millis(2500)));
        assert_eq!(time("\"2h\"").unwrap_err(), "2h is out of range; from 1s to 1m");
        assert!(time("-1").is_err() && time("nan").is_err() && time("true").is_err());
    }

    #[test]
    fn a_telephone_number_needs_quotes() {
        let plan = Plan::of("RU").unwrap();
        let number = |text: &str| read(text, |value| number(value, plan));
        assert_eq!(number("\"8 (999) 111-22-33\"").unwrap().to_string(), "+79991112233");
        assert!(number("79991112233").unwrap_err().contains("\"+79991112233\""));
        assert!(number("\"abc\"").unwrap_err().contains("is no telephone number"));
    }
}
