//! The media lines of a dialog as plain values, so that they outlive us.

use crate::description::{Kind, Protocol};
use crate::offer::Layout;

/// Media lines, each by the two words that stand in it (RFC 8866 §5.14), which of them is our audio, and the payload types
/// that have a meaning of the peer's, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// Kind and transport.
    pub words: Vec<(Box<str>, Box<str>)>,
    /// The place of our audio.
    pub audio: u8,
    /// Payload types.
    pub taken: u128,
}

impl From<&Layout> for Lines {
    fn from(layout: &Layout) -> Self {
        let words = |(kind, protocol): &(Kind, Protocol)| (kind.word().into(), protocol.word().into());
        Self {
            words: layout.lines.iter().map(words).collect(),
            // A description has far fewer lines.
            audio: u8::try_from(layout.audio).unwrap_or(u8::MAX),
            taken: layout.taken,
        }
    }
}

impl Lines {
    /// The layout they are of; `None`: a word is not known here, or our audio is not among them.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        let line = |(kind, protocol): &(Box<str>, Box<str>)| {
            let kind = Kind::ALL.into_iter().find(|known| known.word() == &**kind)?;
            let protocol = Protocol::ALL.into_iter().find(|known| known.word() == &**protocol)?;
            Some((kind, protocol))
        };
        let lines: Vec<_> = self.words.iter().map(line).collect::<Option<_>>()?;
        let audio = usize::from(self.audio);
        (audio < lines.len()).then_some(Layout { lines, audio, taken: self.taken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_back_and_unknown_ones_do_not() {
        let layout = Layout {
            lines: vec![(Kind::Video, Protocol::RtpSavpf), (Kind::Audio, Protocol::RtpAvp)],
            audio: 1,
            taken: 1 << 101 | 1,
        };
        let lines = Lines::from(&layout);
        assert_eq!(lines.layout(), Some(layout));
        assert_eq!(Lines { audio: 2, ..lines.clone() }.layout(), None);
        let words = vec![("audio".into(), "RTP/NEW".into())];
        assert_eq!(Lines { words, audio: 0, taken: 0 }.layout(), None);
    }
}
