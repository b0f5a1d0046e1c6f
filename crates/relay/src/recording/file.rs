//! One recording on disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hound::WavWriter;

use super::SPEC;
use super::repair::repair_file;

/// Frames a file can hold: sizes in its header have 32 bits. 37 hours.
const MAX_FRAMES: u32 = 1_073_000_000;

/// A recording that grows.
pub(super) struct Recording {
    path: PathBuf,
    /// A second handle on the same file, for what the writer does not do.
    file: File,
    writer: WavWriter<BufWriter<File>>,
}

/// A recording that grows no more.
#[derive(Debug)]
pub(super) struct Finished {
    file: File,
}

impl Recording {
    /// Makes a new file, readable by its owner alone, that is a valid recording from the first moment.
    pub(super) fn create(folder: &Path, name: &str) -> io::Result<Self> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"));
        }
        let path = folder.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let writer = WavWriter::new(BufWriter::new(file.try_clone()?), SPEC).map_err(io_error)?;
        let mut recording = Self { path, file, writer };
        recording.keep()?;
        Ok(recording)
    }

    /// Adds frames, left and right.
    pub(super) fn add(&mut self, frames: &[[i16; 2]]) -> io::Result<()> {
        let samples = u32::try_from(frames.len() * 2).expect("a block is short");
        if self.writer.duration() > MAX_FRAMES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a recording cannot be longer"));
        }
        let mut writer = self.writer.get_i16_writer(samples);
        for sample in frames.as_flattened() {
            writer.write_sample(*sample);
        }
        writer.flush().map_err(io_error)
    }

    /// Hands everything so far to the system, with a header that counts it: what a process that is killed now
    /// leaves behind can be played.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(io_error)
    }

    /// The last frame is written.
    pub(super) fn finish(self) -> io::Result<Finished> {
        if let Err(error) = self.writer.finalize() {
            make_playable(&self.path);
            return Err(io_error(error));
        }
        Ok(Finished { file: self.file })
    }

    /// Ends a recording that cannot be continued.
    pub(super) fn break_off(self) {
        drop(self.writer);
        make_playable(&self.path);
    }
}

/// Lets what reached the disk be played, as far as the disk still takes that.
fn make_playable(path: &Path) {
    if let Err(error) = repair_file(path) {
        tracing::warn!(path = %path.display(), %error, "a broken recording cannot be repaired now");
    }
}

impl Finished {
    /// Waits until the file is on the disk.
    pub(super) fn sync(self) -> io::Result<()> {
        self.file.sync_all()
    }
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        hound::Error::FormatError(_)
        | hound::Error::TooWide
        | hound::Error::UnfinishedSample
        | hound::Error::Unsupported
        | hound::Error::InvalidSampleFormat => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn frames_of(path: &Path) -> Vec<i16> {
        hound::WavReader::open(path).unwrap().into_samples().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_recording_can_be_played_from_the_first_moment_and_after_each_keep() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut recording = Recording::create(folder.path(), "a.wav").unwrap();
        assert_eq!(frames_of(&path), [] as [i16; 0]);
        recording.add(&[[1, 2], [3, 4]]).unwrap();
        recording.keep().unwrap();
        assert_eq!(frames_of(&path), [1, 2, 3, 4]);
        recording.add(&[[5, 6]]).unwrap();
        recording.finish().unwrap().sync().unwrap();
        assert_eq!(frames_of(&path), [1, 2, 3, 4, 5, 6]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_broken_off_recording_can_be_played_as_far_as_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let mut recording = Recording::create(folder.path(), "a.wav").unwrap();
        recording.add(&[[1, 2]; 9_000]).unwrap();
        recording.break_off();
        assert_eq!(frames_of(&folder.path().join("a.wav")).len(), 18_000);
    }

    #[test]
    fn only_plain_new_names_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["", ".", "..", ".hidden", "a/b.wav", "../a.wav", "a\0.wav"] {
            assert!(Recording::create(folder.path(), name).is_err(), "{name:?}");
        }
        drop(Recording::create(folder.path(), "a.wav").unwrap());
        let again = Recording::create(folder.path(), "a.wav").err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }
}
