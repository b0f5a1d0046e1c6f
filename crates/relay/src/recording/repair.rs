//! Making recordings whole that a crash left with a header older than their sound.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hound::WavWriter;

use super::{FRAME, SPEC};

/// Bytes before the first sample of a recording of ours.
const HEADER: u64 = 44;
/// Where the header counts the bytes after itself, and where the sound's.
const RIFF_SIZE: usize = 4;
const DATA_SIZE: usize = 40;

/// Gives every recording in `folder` a header that counts all of its sound. To be called before the relay starts,
/// for what a crash of an earlier run left. Returns the files that needed it. Files that are not recordings of
/// ours are not touched; a missing folder has none.
///
/// # Errors
/// When the folder or a recording in it cannot be read or written.
pub fn repair(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut repaired = Vec::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let is_wave = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav"));
        if is_wave && entry.file_type()?.is_file() && repair_file(&path)? {
            repaired.push(path);
        }
    }
    repaired.sort();
    Ok(repaired)
}

/// Says whether there was something to repair.
pub(super) fn repair_file(path: &Path) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let length = file.metadata()?.len();
    let mut found = Vec::new();
    (&file).take(HEADER).read_to_end(&mut found)?;
    let empty = empty_header()?;
    let ours = found.iter().zip(&empty).enumerate().all(|(place, (theirs, ours))| {
        let counts =
            (RIFF_SIZE..RIFF_SIZE + 4).contains(&place) || (DATA_SIZE..DATA_SIZE + 4).contains(&place);
        counts || theirs == ours
    });
    if !ours {
        return Ok(false);
    }
    // What is shorter than a header had no sound yet; a frame cut in half is dropped.
    let sound = length.saturating_sub(HEADER) / FRAME * FRAME;
    let mut wanted = empty;
    wanted[RIFF_SIZE..RIFF_SIZE + 4].copy_from_slice(&size(HEADER - 8 + sound)?);
    wanted[DATA_SIZE..DATA_SIZE + 4].copy_from_slice(&size(sound)?);
    if wanted == found && length == HEADER + sound {
        return Ok(false);
    }
    rewrite(&mut file, &wanted, HEADER + sound)?;
    Ok(true)
}

fn rewrite(file: &mut File, header: &[u8], length: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.write_all(header)?;
    file.set_len(length)?;
    file.sync_all()
}

fn size(bytes: u64) -> io::Result<[u8; 4]> {
    u32::try_from(bytes).map(u32::to_le_bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
}

/// What the writer puts before the first sample.
fn empty_header() -> io::Result<Vec<u8>> {
    let mut header = io::Cursor::new(Vec::new());
    WavWriter::new(&mut header, SPEC).and_then(WavWriter::finalize).map_err(io::Error::other)?;
    Ok(header.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording(frames: usize) -> Vec<u8> {
        let mut bytes = io::Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, SPEC).unwrap();
        for sample in 0..frames * 2 {
            writer.write_sample(i16::try_from(sample).unwrap()).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn samples(path: &Path) -> usize {
        hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).count()
    }

    #[test]
    fn sound_beyond_the_header_is_counted_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        let mut bytes = recording(100);
        let whole = recording(200);
        bytes.extend_from_slice(&whole[bytes.len()..]);
        bytes.push(7);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(samples(&path), 200);
        assert_eq!(repair(folder.path()).unwrap(), [path.as_path()]);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(repair(folder.path()).unwrap(), [] as [&Path; 0]);
    }

    #[test]
    fn a_header_that_counts_more_than_there_is_is_set_right() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        let whole = recording(200);
        std::fs::write(&path, &whole[..44 + 4 * 50]).unwrap();
        assert_eq!(repair(folder.path()).unwrap(), [path.as_path()]);
        assert_eq!(std::fs::read(&path).unwrap(), recording(50));
    }

    #[test]
    fn a_file_without_a_whole_header_becomes_an_empty_recording() {
        let folder = tempfile::tempdir().unwrap();
        for (name, length) in [("a.wav", 0), ("b.wav", 20)] {
            let path = folder.path().join(name);
            std::fs::write(&path, &recording(1)[..length]).unwrap();
            repair(folder.path()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), recording(0), "{name}");
        }
    }

    #[test]
    fn what_is_whole_or_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut other = recording(10);
        other[22] = 1; // one channel
        other.extend_from_slice(b"LIST");
        for (name, bytes) in
            [("whole.wav", recording(10)), ("other.wav", other), ("notes.txt", vec![1, 2, 3])]
        {
            std::fs::write(folder.path().join(name), &bytes).unwrap();
            assert_eq!(repair(folder.path()).unwrap(), [] as [&Path; 0]);
            assert_eq!(std::fs::read(folder.path().join(name)).unwrap(), bytes);
        }
        assert!(repair(&folder.path().join("missing")).unwrap().is_empty());
    }
}
