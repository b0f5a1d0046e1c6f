//! Lengths of time as people write them: `1.5s`, `45s`, `2h`, `250ms`, or a number of seconds.

use std::time::Duration;

/// What each unit is in seconds.
const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];

/// Reads one number with one unit; without a unit it is seconds.
///
/// # Errors
/// How it is to be written.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let seconds = match unit {
        "" => Some(1.0),
        unit => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds),
    };
    let plain = digits.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    let number = plain.then(|| digits.parse::<f64>().ok()).flatten();
    seconds
        .zip(number)
        .and_then(|(unit, number)| Duration::try_from_secs_f64(unit * number).ok())
        .ok_or_else(|| format!("{text:?} is no length of time; write 250ms, 1.5s, 45s, 10m, 2h or 10d"))
}

/// As it would be written: `1.5s`, `45s`, `2h`.
pub(crate) fn shown(duration: Duration) -> String {
    let whole = |(name, seconds): &(&str, u64)| {
        let fits = duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(*seconds);
        (fits && !duration.is_zero()).then(|| format!("{}{name}", duration.as_secs() / seconds))
    };
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    units.iter().find_map(whole).unwrap_or_else(|| match duration.as_millis() {
        ms @ 1..1000 => format!("{ms}ms"),
        _ => format!("{}s", duration.as_secs_f64()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("1.5s", 1500),
            ("0.1s", 100),
            ("45s", 45_000),
            ("45", 45_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("10d", 864_000_000),
            (" 0s ", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_told_how_to_write_it() {
        for text in [
            "",
            "s",
            "-1s",
            "1.5.1s",
            "inf",
            "nan",
            "1e9s",
            "2 weeks",
            "2w",
            "5S",
            "1h30m",
            "9".repeat(60).as_str(),
        ] {
            assert!(parse(text).is_err_and(|why| why.contains("write 250ms")), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_shown_as_it_would_be_written() {
        for text in ["250ms", "1.5s", "45s", "10m", "2h", "10d", "90s", "0s"] {
            let read = parse(text).unwrap();
            assert_eq!(parse(&shown(read)), Ok(read), "{text}");
        }
        assert_eq!(shown(Duration::from_secs(7200)), "2h");
        assert_eq!(shown(Duration::from_secs(90)), "90s");
    }
}
