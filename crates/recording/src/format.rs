//! What sound is written as.

use std::path::Path;

use crate::SEALED;

/// What the sound of a recording is written as. Always two channels, caller left, callee right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Linear PCM of 16 bits, 8000 frames a second: 32 kB a second.
    Wav,
    /// Opus in Ogg (RFC 6716, RFC 7845): about a tenth of that.
    Opus,
}

impl Format {
    /// Its word in the configuration, and the end of file names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Opus => "opus",
        }
    }

    /// Its media type (RFC 5334 §10.3 for Ogg).
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Opus => "audio/ogg",
        }
    }

    pub(crate) fn octet(self) -> u8 {
        match self {
            Self::Wav => 1,
            Self::Opus => 2,
        }
    }

    pub(crate) fn of_octet(octet: u8) -> Option<Self> {
        [Self::Wav, Self::Opus].into_iter().find(|format| format.octet() == octet)
    }

    /// What a name says, and whether it says that the file is sealed. `None`: it is no name of a recording.
    #[must_use]
    pub fn of_name(path: &Path) -> Option<(Self, bool)> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let plain = name.strip_suffix(SEALED).and_then(|name| name.strip_suffix('.'));
        let (_, word) = plain.unwrap_or(&name).rsplit_once('.')?;
        let format = [Self::Wav, Self::Opus].into_iter().find(|format| format.word() == word)?;
        Some((format, plain.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_is_in_it() {
        for (name, said) in [
            ("a.wav", Some((Format::Wav, false))),
            ("A.OPUS", Some((Format::Opus, false))),
            ("a.wav.sealed", Some((Format::Wav, true))),
            ("a.opus.sealed", Some((Format::Opus, true))),
            ("a.sealed", None),
            ("wav", None),
            ("a.txt", None),
            ("", None),
        ] {
            assert_eq!(Format::of_name(Path::new(name)), said, "{name}");
        }
    }
}
