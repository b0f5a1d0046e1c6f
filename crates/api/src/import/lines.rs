//! A file cut into rows of bounded length, whatever it claims to be.

use std::io::{self, BufRead};

/// Longest row, bytes: attached data of 16 KiB, doubled by quoting, and the rest.
pub(crate) const LONGEST_ROW: usize = 64 * 1024;

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Row {
    /// Its bytes without the line end, and the line of the file it begins on, from 1.
    Whole { line: u64, bytes: Vec<u8> },
    /// Longer than allowed. What follows can be read only where rows are lines.
    TooLong { line: u64 },
}

/// How rows are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quoting {
    /// A row is a line (NDJSON).
    None,
    /// A line end inside quotes is part of a field (RFC 4180 §2.6). Quotes count only where a field begins.
    Csv { separator: Option<u8> },
}

/// Rows of a file, one after the other.
#[derive(Debug)]
pub(crate) struct Rows<R> {
    from: R,
    quoting: Quoting,
    line: u64,
}

impl<R: BufRead> Rows<R> {
    pub(crate) fn new(from: R, quoting: Quoting) -> Self {
        Self { from, quoting, line: 0 }
    }

    /// What separates fields, once the first row has told.
    pub(crate) fn separated_by(&mut self, separator: u8) {
        self.quoting = Quoting::Csv { separator: Some(separator) };
    }

    /// The next row that is not blank; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            match self.row()? {
                Some(Row::Whole { bytes, .. }) if bytes.iter().all(u8::is_ascii_whitespace) => {}
                other => return Ok(other),
            }
        }
    }

    fn row(&mut self) -> io::Result<Option<Row>> {
        let mut bytes = Vec::new();
        let mut quotes = Quotes::FieldBegins;
        let mut first = None;
        loop {
            let began = bytes.len();
            let whole = self.line(&mut bytes)?;
            if bytes.len() == began && whole != Line::TooLong {
                return Ok(first.map(|line| Row::Whole { line, bytes }));
            }
            self.line += 1;
            let line = *first.get_or_insert(self.line);
            if whole == Line::TooLong {
                return Ok(Some(Row::TooLong { line }));
            }
            if self.line == 1 && bytes.starts_with("\u{feff}".as_bytes()) {
                bytes.drain(..3);
            }
            quotes = self.quotes_after(quotes, &bytes[began..]);
            if quotes != Quotes::Inside || whole == Line::Last {
                trim_line_end(&mut bytes);
                return Ok(Some(Row::Whole { line, bytes }));
            }
        }
    }

    /// Adds one line with its end. What is longer than a row may be is read to its end and left out.
    fn line(&mut self, bytes: &mut Vec<u8>) -> io::Result<Line> {
        let mut too_long = false;
        loop {
            let available = match self.from.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                return Ok(if too_long { Line::TooLong } else { Line::Last });
            }
            let end = available.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(available.len());
            too_long |= bytes.len() + taken > LONGEST_ROW;
            if !too_long {
                bytes.extend_from_slice(&available[..taken]);
            }
            self.from.consume(taken);
            if end.is_some() {
                return Ok(if too_long { Line::TooLong } else { Line::Ended });
            }
        }
    }

    fn quotes_after(&self, quotes: Quotes, line: &[u8]) -> Quotes {
        match self.quoting {
            Quoting::None => quotes,
            Quoting::Csv { separator } => {
                line.iter().fold(quotes, |quotes, byte| quotes.after(*byte, separator))
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Ended,
    Last,
    TooLong,
}

/// Where we are in the quoting of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    FieldBegins,
    Plain,
    Inside,
    /// Closed, or the first of two that stand for one.
    Closed,
}

impl Quotes {
    fn after(self, byte: u8, separator: Option<u8>) -> Self {
        let separates = separator.map_or(matches!(byte, b',' | b';' | b'\t'), |separator| byte == separator);
        match (self, byte) {
            (Self::FieldBegins | Self::Closed, b'"') => Self::Inside,
            (Self::Inside, b'"') => Self::Closed,
            (Self::Inside, _) => Self::Inside,
            (Self::FieldBegins | Self::Plain | Self::Closed, _) if separates => Self::FieldBegins,
            (Self::FieldBegins | Self::Plain | Self::Closed, _) => Self::Plain,
        }
    }
}

fn trim_line_end(bytes: &mut Vec<u8>) {
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, quoting: Quoting) -> Vec<(u64, String)> {
        // A reader of three bytes at a time, so that every border falls somewhere awkward.
        let mut rows = Rows::new(io::BufReader::with_capacity(3, text.as_bytes()), quoting);
        let mut all = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            all.push(match row {
                Row::Whole { line, bytes } => (line, String::from_utf8(bytes).unwrap()),
                Row::TooLong { line } => (line, "too long".into()),
            });
        }
        all
    }

    const CSV: Quoting = Quoting::Csv { separator: Some(b',') };

    #[test]
    fn lines_end_in_any_way_and_blank_ones_are_skipped() {
        let expected = vec![(1, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned())];
        assert_eq!(rows("\u{feff}a\r\n\nb\nc\n", CSV), expected);
        assert_eq!(rows("a\n\r\nb\nc", Quoting::None), expected);
        assert_eq!(rows("", CSV), vec![]);
    }

    #[test]
    fn a_line_end_inside_quotes_belongs_to_the_field() {
        assert_eq!(rows("1,\"a\nb\",2\n3\n", CSV), vec![(1, "1,\"a\nb\",2".to_owned()), (3, "3".to_owned())]);
        assert_eq!(rows("\"a\"\"\nb\"\n3", CSV), vec![(1, "\"a\"\"\nb\"".to_owned()), (3, "3".to_owned())]);
    }

    #[test]
    fn a_quote_in_the_middle_of_a_plain_field_opens_nothing() {
        assert_eq!(rows("5\" pipe,x\n2\n", CSV), vec![(1, "5\" pipe,x".to_owned()), (2, "2".to_owned())]);
        assert_eq!(rows("a;\"b\nc", CSV), vec![(1, "a;\"b".to_owned()), (2, "c".to_owned())]);
    }

    #[test]
    fn a_row_too_long_is_left_out_and_the_next_is_read() {
        let text = format!("{}\nb\n", "x".repeat(LONGEST_ROW + 1));
        assert_eq!(rows(&text, Quoting::None), vec![(1, "too long".to_owned()), (2, "b".to_owned())]);
    }

    #[test]
    fn a_quote_never_closed_ends_with_the_longest_row() {
        let text = format!("a,\"\n{}", "x\n".repeat(LONGEST_ROW));
        assert_eq!(rows(&text, CSV)[0], (1, "too long".to_owned()));
    }
}
