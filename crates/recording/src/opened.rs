//! Recordings that are read: any part of them, in the clear, whatever form they have on disk.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::sealed::{CHUNK, Cipher, HEADER, Header, MAGIC, Place, SEALED_CHUNK, TAG};
use crate::{Format, Keyring, key, wav};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// It is sealed with a key we were not given.
    #[error("it is sealed with the key {0}, which is not among the keys given")]
    NoKey(String),
    /// It is not what was written.
    #[error("it was damaged or tampered with: {0}")]
    Damaged(&'static str),
}

/// How a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing speaks against it being whole. Of one in the clear, nothing would.
    Whole,
    /// It broke off, and was ended afterwards.
    BrokenOff,
    /// It has no end: it still grows, a crash cut it off, or somebody did.
    Missing,
}

/// A recording that is read.
pub struct Opened {
    file: File,
    format: Format,
    ending: Ending,
    length: u64,
    sealed: Option<Sealed>,
}

/// What is needed to read a sealed one.
struct Sealed {
    cipher: Cipher,
    header: Header,
    /// What stands before the sealed sound when it is read.
    front: Vec<u8>,
    /// Whole chunks; behind them may be the last one.
    chunks: u64,
    last: Option<Vec<u8>>,
}

impl Opened {
    /// Opens a recording.
    ///
    /// # Errors
    /// The file cannot be read, is no recording, or is sealed with a key that is not among these.
    pub fn open(path: &Path, keys: &Keyring) -> Result<Self, OpenError> {
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(OpenError::Damaged("it is no file"));
        }
        let mut start = [0; MAGIC.len()];
        let is_sealed = facts.len() >= MAGIC.len() as u64 && {
            file.read_exact_at(&mut start, 0)?;
            start == *MAGIC
        };
        let named = Format::of_name(path);
        if is_sealed {
            return Self::sealed(file, facts.len(), keys);
        }
        let Some((format, false)) = named else {
            return Err(OpenError::Damaged("it is not sealed, or its header is cut"));
        };
        Ok(Self { file, format, ending: Ending::Whole, length: facts.len(), sealed: None })
    }

    fn sealed(file: File, length: u64, keys: &Keyring) -> Result<Self, OpenError> {
        const CUT: OpenError = OpenError::Damaged("its header is cut or changed");
        let body = length.checked_sub(HEADER as u64).ok_or(CUT)?;
        let mut octets = [0; HEADER];
        file.read_exact_at(&mut octets, 0)?;
        let header = Header::read(octets).ok_or(CUT)?;
        let format = header.format().ok_or(CUT)?;
        let name = header.key_name();
        let key = keys.named(name).ok_or_else(|| OpenError::NoKey(key::shown(name)))?;
        let cipher = Cipher::new(key, &header);
        let chunks = body / SEALED_CHUNK as u64;
        let mut tail = vec![0; (body % SEALED_CHUNK as u64) as usize];
        file.read_exact_at(&mut tail, HEADER as u64 + chunks * SEALED_CHUNK as u64)?;
        let ended = |place, ending| cipher.open(chunks, place, &tail).map(|last| (last, ending));
        let end = ended(Place::Last, Ending::Whole).or_else(|| ended(Place::BrokenOff, Ending::BrokenOff));
        let (last, ending) = end.map_or((None, Ending::Missing), |(last, ending)| (Some(last), ending));
        let mut sound = chunks * CHUNK as u64 + last.as_ref().map_or(0, |last| last.len() as u64);
        let front = match format {
            Format::Wav => {
                sound -= sound % wav::FRAME;
                wav::header(sound)?.to_vec()
            }
            Format::Opus => Vec::new(),
        };
        let length = front.len() as u64 + sound;
        let sealed = Some(Sealed { cipher, header, front, chunks, last });
        Ok(Self { file, format, ending, length, sealed })
    }

    /// Its format.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Octets of it, in the clear.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// When the file was last written, since 1970; zero where the system does not tell.
    #[must_use]
    pub fn changed(&self) -> Duration {
        let at = self.file.metadata().and_then(|facts| facts.modified()).ok();
        at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default()
    }

    /// How it ends.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether it was written under this name. One in the clear cannot tell.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.sealed.as_ref().is_none_or(|sealed| sealed.header.is_of(name))
    }

    /// At least one octet and at most `count` of them from `offset` on; none at the end.
    ///
    /// # Errors
    /// The file cannot be read, or a chunk is not the one that was written.
    pub fn read_at(&self, offset: u64, count: usize) -> Result<Vec<u8>, OpenError> {
        let count = self.length.saturating_sub(offset).min(count as u64) as usize;
        let Some(sealed) = &self.sealed else {
            let mut octets = vec![0; count];
            self.file.read_exact_at(&mut octets, offset)?;
            return Ok(octets);
        };
        let front = sealed.front.get(offset as usize..).unwrap_or_default();
        let mut octets = front[..front.len().min(count)].to_vec();
        while octets.len() < count {
            let place = offset + octets.len() as u64 - sealed.front.len() as u64;
            let chunk = self.chunk(sealed, place / CHUNK as u64)?;
            let part = &chunk[(place % CHUNK as u64) as usize..];
            octets.extend_from_slice(&part[..part.len().min(count - octets.len())]);
        }
        Ok(octets)
    }

    fn chunk(&self, sealed: &Sealed, number: u64) -> Result<Vec<u8>, OpenError> {
        if let Some(last) = sealed.last.as_ref().filter(|_| number == sealed.chunks) {
            return Ok(last.clone());
        }
        let mut octets = vec![0; SEALED_CHUNK];
        self.file.read_exact_at(&mut octets, HEADER as u64 + number * SEALED_CHUNK as u64)?;
        let chunk = sealed.cipher.open(number, Place::Inside, &octets);
        chunk.ok_or(OpenError::Damaged("a chunk of it is not the one that was written"))
    }

    /// Where a sealed one that has no end is to be ended, and with which octets.
    pub(crate) fn wanted_end(&self) -> Option<(u64, [u8; TAG])> {
        let sealed = self.sealed.as_ref().filter(|_| self.ending == Ending::Missing)?;
        let end = HEADER as u64 + sealed.chunks * SEALED_CHUNK as u64;
        Some((end, sealed.cipher.seal(sealed.chunks, Place::BrokenOff, &mut [])))
    }
}
