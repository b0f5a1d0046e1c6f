//! What there is to say about a configuration file: where, about which key, and what to do.

use std::fmt;

use serde::Serialize;

/// One fault or warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remark {
    /// The file, as it was named.
    pub(crate) file: String,
    /// Where in it; `None` where the file could not be read at all.
    #[serde(flatten)]
    pub(crate) position: Option<Position>,
    /// The key: `line[0].number`; empty where no single key is meant.
    pub(crate) key: String,
    /// What is wrong and what to do, without secrets.
    pub(crate) text: String,
}

/// A place in a text, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Position {
    /// Of the octet at `offset`, or of the end of the text.
    pub(crate) fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// `config/bauta.toml:12:1 line[0].number: …`.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        match self.key.as_str() {
            "" => write!(f, ": {}", self.text),
            key => write!(f, " {key}: {}", self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_and_not_octets() {
        let text = "имя = 1\nx = \"é\" # y\n";
        let at = |needle: &str| Position::of(text, text.find(needle).unwrap());
        assert_eq!(at("имя"), Position { line: 1, column: 1 });
        assert_eq!(at("= 1"), Position { line: 1, column: 5 });
        assert_eq!(at("# y"), Position { line: 2, column: 9 });
        assert_eq!(Position::of(text, 10_000), Position { line: 3, column: 1 });
    }
}
