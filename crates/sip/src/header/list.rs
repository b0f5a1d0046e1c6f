//! Comma lists of plain values: Supported, Require, Allow, Accept, Warning and their like (RFC 3261 §7.3.1).

use crate::grammar::{take_quoted, trim};

/// The values of header fields that are comma lists, in the order of the message, over lists and repeated lines
/// alike; without the LWS around them. Empty ones are passed over: `Supported:` is a list of none.
#[derive(Debug, Clone)]
pub struct Items<'a, L> {
    lines: L,
    rest: &'a [u8],
}

impl<'a, L: Iterator<Item = &'a [u8]>> Items<'a, L> {
    pub(crate) fn new(lines: L) -> Self {
        Self { lines, rest: &[] }
    }
}

impl<'a, L: Iterator<Item = &'a [u8]>> Iterator for Items<'a, L> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if self.rest.is_empty() {
                self.rest = self.lines.next()?;
            }
            let (item, rest) = split(self.rest);
            self.rest = rest;
            let item = trim(item);
            if !item.is_empty() {
                return Some(item);
            }
        }
    }
}

/// Splits at the first comma outside of quotes and angle brackets. An open quote runs to the end.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    let mut enclosed = false;
    while let Some(octet) = text.get(at) {
        match octet {
            b'"' if !enclosed => {
                at = take_quoted(&text[at..]).map_or(text.len(), |(quoted, _)| at + quoted.len())
            }
            b',' if !enclosed => return (&text[..at], &text[at + 1..]),
            b'<' | b'>' => {
                enclosed = *octet == b'<';
                at += 1;
            }
            _ => at += 1,
        }
    }
    (text, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_lines_are_one_sequence() {
        let lines = [&b"100rel , timer,,"[..], b"", b"\"a, b\";x, <c,d>", b"\"open, "];
        let items: Vec<_> = Items::new(lines.into_iter()).collect();
        assert_eq!(items, [&b"100rel"[..], b"timer", b"\"a, b\";x", b"<c,d>", b"\"open,"]);
    }
}
