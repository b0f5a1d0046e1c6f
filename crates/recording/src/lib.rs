//! Recordings on disk: two channels, caller left, callee right, as WAV or Ogg/Opus, in the clear or sealed with a key.
//!
//! A file can be played at any moment while it grows, as far as it has come; what a crash leaves is made whole by
//! [`repair`]. A sealed file is made of chunks that each stand for themselves, so that any part of it can be read
//! without the rest.

mod file;
mod format;
mod key;
mod ogg;
mod opened;
mod opus;
mod peaks;
mod repair;
mod sealed;
mod wav;

pub use file::{Finished, Recording};
pub use format::Format;
pub use key::{Key, KeyFault, Keyring};
pub use opened::{Ending, OpenError, Opened};
pub use peaks::Peaks;
pub use repair::{Repaired, repair};

use std::path::PathBuf;

/// How recordings are written, and with what they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where they are. Made, for its owner alone, when it is first needed.
    pub folder: PathBuf,
    /// What they are written as.
    pub format: Format,
    /// The first key seals new recordings; all of them open old ones. Without one, recordings lie in the clear.
    pub keys: Keyring,
}

impl Settings {
    /// WAV in the clear.
    #[must_use]
    pub fn wav(folder: PathBuf) -> Self {
        Self { folder, format: Format::Wav, keys: Keyring::default() }
    }

    /// What names of new recordings end with, after a dot.
    #[must_use]
    pub fn suffix(&self) -> String {
        let word = self.format.word();
        if self.keys.first().is_some() { format!("{word}.{SEALED}") } else { word.to_owned() }
    }
}

/// What the name of a sealed recording ends with.
const SEALED: &str = "sealed";
/// Frames in a second.
const RATE: u32 = 8_000;
