//! One recording that is written.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rand_chacha::rand_core::{OsRng, TryRngCore};

use crate::ogg::Stream;
use crate::repair::repair_file;
use crate::sealed::{Header, Sealer};
use crate::{Format, Keyring, Settings, wav};

/// Where the sound goes.
enum Medium {
    Clear(BufWriter<File>),
    Sealed(Sealer<BufWriter<File>>),
}

impl Write for Medium {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(medium) => medium.write(octets),
            Self::Sealed(medium) => medium.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(medium) => medium.flush(),
            Self::Sealed(medium) => medium.flush(),
        }
    }
}

/// What the sound is written as.
enum Sound {
    Wav { medium: Medium, octets: u64 },
    Opus(Box<Stream<Medium>>),
}

/// A recording that grows.
pub struct Recording {
    path: PathBuf,
    keys: Keyring,
    /// A second handle on the same file, for what the medium does not do.
    file: File,
    sound: Sound,
}

/// A recording that grows no more.
#[derive(Debug)]
pub struct Finished {
    file: File,
}

impl Recording {
    /// Makes a new file, readable by its owner alone, that is a valid recording from the first moment.
    ///
    /// # Errors
    /// The name is no plain file name or is taken, or the file cannot be made.
    pub fn create(settings: &Settings, name: &str) -> io::Result<Self> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"));
        }
        let path = settings.folder.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let medium = BufWriter::new(file.try_clone()?);
        let mut medium = match settings.keys.first() {
            Some(key) => {
                let header = Header::new(key, settings.format, name);
                Medium::Sealed(Sealer::begin(medium, key, &header)?)
            }
            None => Medium::Clear(medium),
        };
        let sound = match settings.format {
            Format::Wav => {
                // The sound of a sealed one gets its header when it is read.
                if let Medium::Clear(medium) = &mut medium {
                    medium.write_all(&wav::header(0)?)?;
                }
                Sound::Wav { medium, octets: 0 }
            }
            Format::Opus => {
                let serial = OsRng.try_next_u32().expect("the system has chance to give once it runs");
                Sound::Opus(Box::new(Stream::begin(medium, serial)?))
            }
        };
        let mut recording = Self { path, keys: settings.keys.clone(), file, sound };
        recording.keep()?;
        Ok(recording)
    }

    /// Adds frames, left and right.
    ///
    /// # Errors
    /// The disk takes no more, or the format cannot hold more.
    pub fn add(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        match &mut self.sound {
            Sound::Wav { medium, octets } => {
                *octets += frames.len() as u64 * wav::FRAME;
                if *octets > wav::LONGEST {
                    return Err(wav::too_long());
                }
                frames.as_flattened().iter().try_for_each(|sample| medium.write_all(&sample.to_le_bytes()))
            }
            Sound::Opus(stream) => stream.add(frames),
        }
    }

    /// Hands everything so far to the system: what a process that is killed now leaves behind can be played. Less
    /// than a chunk of a sealed recording, and less than a second of Opus, may still be held back.
    ///
    /// # Errors
    /// The disk takes no more.
    pub fn keep(&mut self) -> io::Result<()> {
        match &mut self.sound {
            Sound::Wav { medium, octets } => {
                medium.flush()?;
                match medium {
                    Medium::Clear(_) => self.file.write_all_at(&wav::header(*octets)?, 0),
                    Medium::Sealed(_) => Ok(()),
                }
            }
            Sound::Opus(stream) => stream.medium().flush(),
        }
    }

    /// The last frame is written.
    ///
    /// # Errors
    /// The disk takes no more; the recording then ends where it had come to.
    pub fn finish(mut self) -> io::Result<Finished> {
        if let Err(error) = self.end() {
            self.break_off()?;
            return Err(error);
        }
        Ok(Finished { file: self.file })
    }

    fn end(&mut self) -> io::Result<()> {
        if let Sound::Opus(stream) = &mut self.sound {
            stream.finish()?;
        }
        self.keep()?;
        let medium = match &mut self.sound {
            Sound::Wav { medium, .. } => medium,
            Sound::Opus(stream) => stream.medium(),
        };
        match medium {
            Medium::Clear(_) => Ok(()),
            Medium::Sealed(sealer) => sealer.finish(),
        }
    }

    /// Ends a recording that cannot be continued: what reached the disk can be played.
    ///
    /// # Errors
    /// The disk does not even take that; [`crate::repair`] can do it later.
    pub fn break_off(self) -> io::Result<()> {
        let Self { path, keys, sound, .. } = self;
        let medium = match sound {
            Sound::Wav { medium, .. } => medium,
            Sound::Opus(stream) => stream.into_medium(),
        };
        // What is held back goes out as far as it still can.
        drop(medium);
        repair_file(&path, &keys).map(|_| ()).map_err(io::Error::other)
    }

    /// Where it is written.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Finished {
    /// Waits until the file is on the disk.
    ///
    /// # Errors
    /// It may not be.
    pub fn sync(self) -> io::Result<()> {
        self.file.sync_all()
    }
}
