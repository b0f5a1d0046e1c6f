//! Which types of events someone wants.

/// A list of event types: `call.ended`, or `call.*` for all that begin so, or `*` for every one. An empty list
/// means every one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    patterns: Vec<String>,
}

/// This is no event type and no prefix of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no event type; write call.ended, call.* or *")]
pub struct NotAPattern(pub String);

impl Filter {
    /// Most patterns in one list.
    pub const LONGEST: usize = 64;

    /// From the words of a configuration or a query.
    ///
    /// # Errors
    /// The first word that is no pattern, or the 65th.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAPattern> {
        let mut patterns = Vec::new();
        for word in words {
            let word = word.trim();
            if patterns.len() == Self::LONGEST || !is_pattern(word) {
                return Err(NotAPattern(word.chars().take(64).collect()));
            }
            patterns.push(word.to_owned());
        }
        Ok(Self { patterns })
    }

    /// Whether events of this type are wanted.
    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| matches(pattern, kind))
    }
}

fn is_pattern(word: &str) -> bool {
    let stem = word.strip_suffix(".*").unwrap_or(word);
    let named = !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'-');
    (named || word == "*") && word.len() <= 64
}

fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => kind.starts_with(prefix),
        None => kind == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(words: &[&str]) -> Filter {
        Filter::parse(words.iter().copied()).unwrap()
    }

    #[test]
    fn a_star_stands_for_the_rest_after_a_dot() {
        let calls = filter(&["call.*", "record.written"]);
        assert!(calls.wants("call.ended") && calls.wants("record.written"));
        assert!(!calls.wants("callback.started") && !calls.wants("record.lost") && !calls.wants("call"));
        assert!(filter(&["*"]).wants("node.draining"));
        assert!(filter(&[]).wants("anything"));
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for word in ["", ".*x", "call*", "*.ended", "CALL", "call.ended;drop", "a".repeat(65).as_str()] {
            assert!(Filter::parse([word]).is_err(), "{word}");
        }
        assert!(Filter::parse(vec!["a"; 65]).is_err());
    }
}
