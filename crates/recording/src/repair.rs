//! Making recordings whole that a crash or a full disk cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::{Format, OpenError, Opened, Settings, ogg, wav};
use crate::{Keyring, sealed};

/// What [`repair`] came to.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Recordings that needed it, and have it.
    pub repaired: Vec<PathBuf>,
    /// Those that cannot be read, and why.
    pub unreadable: Vec<(PathBuf, OpenError)>,
}

/// Ends every recording in the folder that has no end: a WAV header counts all of its sound, an Ogg stream ends with its
/// last whole page, a sealed one with its last whole chunk and a mark that it broke off. To be called before anything
/// is recorded, for what a crash of an earlier run left. Files that are not recordings of ours are not touched; a
/// missing folder has none.
///
/// # Errors
/// When the folder cannot be read, or a recording in it not be written.
pub fn repair(settings: &Settings) -> io::Result<Repaired> {
    let entries = match std::fs::read_dir(&settings.folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Repaired::default()),
        Err(error) => return Err(error),
    };
    let mut found = Repaired::default();
    for entry in entries {
        let entry = entry?;
        if !entry.file_type()?.is_file() || Format::of_name(&entry.path()).is_none() {
            continue;
        }
        match repair_file(&entry.path(), &settings.keys) {
            Ok(true) => found.repaired.push(entry.path()),
            Ok(false) => {}
            Err(OpenError::File(error)) => return Err(error),
            Err(error) => found.unreadable.push((entry.path(), error)),
        }
    }
    found.repaired.sort();
    Ok(found)
}

/// Says whether there was something to repair.
pub(crate) fn repair_file(path: &Path, keys: &Keyring) -> Result<bool, OpenError> {
    let Some((format, is_sealed)) = Format::of_name(path) else { return Ok(false) };
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW).open(path)?;
    if is_sealed {
        return end_sealed(&file, path, keys);
    }
    Ok(match format {
        Format::Wav => count_sound(&file)?,
        Format::Opus => end_stream(&file)?,
    })
}

fn end_sealed(file: &File, path: &Path, keys: &Keyring) -> Result<bool, OpenError> {
    let Some((end, octets)) = Opened::open(path, keys)?.wanted_end() else { return Ok(false) };
    rewrite(file, end + sealed::TAG as u64, &octets, end)?;
    Ok(true)
}

fn count_sound(file: &File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let mut found = Vec::new();
    file.take(wav::HEADER as u64).read_to_end(&mut found)?;
    if !wav::is_ours(&found) {
        return Ok(false);
    }
    // What is shorter than a header had no sound yet; a frame cut in half is dropped.
    let sound = length.saturating_sub(wav::HEADER as u64) / wav::FRAME * wav::FRAME;
    let (wanted, whole) = (wav::header(sound)?, wav::HEADER as u64 + sound);
    if wanted[..] == found && length == whole {
        return Ok(false);
    }
    rewrite(file, whole, &wanted, 0)?;
    Ok(true)
}

fn end_stream(mut file: &File) -> io::Result<bool> {
    // Most are whole, and of a whole one no more than its end is read.
    let length = file.metadata()?.len();
    let count = length.min(ogg::LONGEST_PAGE);
    let mut tail = vec![0; count as usize];
    file.read_exact_at(&mut tail, length - count)?;
    if ogg::ends(&tail) {
        return Ok(false);
    }
    let mut octets = Vec::new();
    file.read_to_end(&mut octets)?;
    let Some(pages) = ogg::pages(&octets) else { return Ok(false) };
    let last = &mut octets[pages.last..pages.length];
    ogg::set_end(last);
    rewrite(file, pages.length as u64, last, pages.last as u64)?;
    Ok(true)
}

/// Cuts a file to this length and puts these octets in it. What is cut off goes first: a full disk has room then.
fn rewrite(file: &File, length: u64, octets: &[u8], at: u64) -> io::Result<()> {
    if file.metadata()?.len() > length {
        file.set_len(length)?;
    }
    file.write_all_at(octets, at)?;
    file.sync_all()
}
