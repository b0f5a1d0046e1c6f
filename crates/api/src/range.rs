//! Which bytes of a file are asked for (RFC 9110 §14).

/// What a `Range` header asks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it: no range, or one we need not understand (§14.2: a server may ignore it).
    Whole,
    /// From the first byte to the last, both counted.
    Part { first: u64, last: u64 },
    /// Nothing the file has.
    Nothing,
}

/// Reads a `Range` header for a file of `length` bytes. Several ranges are answered with the whole file.
pub(crate) fn asked(header: Option<&str>, length: u64) -> Asked {
    let Some(set) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Asked::Whole;
    };
    let Some((first, last)) = set.split_once('-') else { return Asked::Whole };
    match (position(first), position(last)) {
        (Some(Position::At(first)), Some(Position::Open)) => part(first, u64::MAX, length),
        (Some(Position::At(first)), Some(Position::At(last))) if first <= last => part(first, last, length),
        (Some(Position::Open), Some(Position::At(suffix))) => suffixed(suffix, length),
        (Some(Position::At(_) | Position::Open) | None, _) => Asked::Whole,
    }
}

enum Position {
    At(u64),
    Open,
}

/// `None` for what is no position: also the comma of a second range.
fn position(text: &str) -> Option<Position> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Position::Open);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    // A position beyond what can be counted is beyond every file.
    digits.then(|| Position::At(text.parse().unwrap_or(u64::MAX)))
}

fn part(first: u64, last: u64, length: u64) -> Asked {
    match length.checked_sub(1) {
        Some(end) if first <= end => Asked::Part { first, last: last.min(end) },
        Some(_) | None => Asked::Nothing,
    }
}

fn suffixed(suffix: u64, length: u64) -> Asked {
    if suffix == 0 { Asked::Nothing } else { part(length.saturating_sub(suffix), u64::MAX, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_ranges_are_cut_to_the_file() {
        let rows = [
            ("bytes=0-0", Asked::Part { first: 0, last: 0 }),
            ("bytes=0-", Asked::Part { first: 0, last: 99 }),
            ("bytes=10-19", Asked::Part { first: 10, last: 19 }),
            ("bytes=90-200", Asked::Part { first: 90, last: 99 }),
            ("bytes=-10", Asked::Part { first: 90, last: 99 }),
            ("bytes=-1000", Asked::Part { first: 0, last: 99 }),
            ("bytes=0-99999999999999999999999", Asked::Part { first: 0, last: 99 }),
        ];
        for (header, expected) in rows {
            assert_eq!(asked(Some(header), 100), expected, "{header}");
        }
    }

    #[test]
    fn what_lies_beyond_the_file_is_nothing() {
        for header in ["bytes=100-", "bytes=100-101", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(asked(Some(header), 100), Asked::Nothing, "{header}");
        }
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Nothing);
        assert_eq!(asked(Some("bytes=-5"), 0), Asked::Nothing);
    }

    #[test]
    fn what_is_no_single_range_asks_for_all() {
        for header in
            ["bytes=0-1,3-4", "bytes=5-1", "lines=1-2", "bytes=a-b", "bytes=--1", "bytes=-", "bytes="]
        {
            assert_eq!(asked(Some(header), 100), Asked::Whole, "{header}");
        }
        assert_eq!(asked(None, 100), Asked::Whole);
    }
}
