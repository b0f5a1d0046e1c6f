//! What was spoken before: files named by what they say, who says it and how, the longest unused of which go first.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// Spoken texts on disk.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    /// Octets that all files may have together.
    most: u64,
}

impl Cache {
    /// The folder is made.
    ///
    /// # Errors
    /// It cannot be.
    pub(super) fn open(folder: PathBuf, most: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, most })
    }

    /// The file of a text: all of `parts` count, and where one ends and the next begins.
    pub(super) fn path(&self, parts: &[&str]) -> PathBuf {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let name = hash.finalize().iter().fold(String::new(), |name, octet| name + &format!("{octet:02x}"));
        self.folder.join(name + ".wav")
    }

    /// What is kept, if it is and can be read; it counts as used now.
    pub(super) fn get(path: &Path) -> Option<Vec<i16>> {
        let samples = relay::read_prompt(&fs::read(path).ok()?).ok()?;
        if let Ok(file) = File::options().write(true).open(path) {
            // A file that stays as old as it was only goes sooner.
            let _ = file.set_modified(SystemTime::now());
        }
        Some(samples)
    }

    /// Keeps it, in place of what was not used for longest. A crash leaves no half of it.
    ///
    /// # Errors
    /// The disk.
    pub(super) fn put(&self, path: &Path, wav: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, wav)?;
        fs::rename(&beside, path)?;
        self.shrink()
    }

    fn shrink(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let about = entry.metadata()?;
            if entry.path().extension().is_some_and(|extension| extension == "wav") {
                files.push((about.modified()?, about.len(), entry.path()));
            }
        }
        files.sort_unstable();
        let mut all: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if all <= self.most {
                break;
            }
            fs::remove_file(path)?;
            all -= length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let wav = relay::write_wav(&[7; 100]).unwrap();
        let cache = Cache::open(dir.path().join("speech"), wav.len() as u64 * 2).unwrap();
        let paths = ["a", "b", "c"].map(|text| cache.path(&["ru", text]));
        let age = |path: &Path, seconds| {
            let file = File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
        };
        for (path, seconds) in paths.iter().zip([20, 10]) {
            cache.put(path, &wav).unwrap();
            age(path, seconds);
        }
        assert_eq!(Cache::get(&paths[0]), Some(vec![7; 100]), "it is used now");
        cache.put(&paths[2], &wav).unwrap();
        let there = paths.each_ref().map(|path| Cache::get(path).is_some());
        assert_eq!(there, [true, false, true]);
    }

    #[test]
    fn each_part_counts_and_a_broken_file_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path().to_owned(), 1000).unwrap();
        assert_ne!(cache.path(&["ru", "ab", "c"]), cache.path(&["ru", "a", "bc"]));
        assert_ne!(cache.path(&["ru", "a"]), cache.path(&["en", "a"]));
        let path = cache.path(&["ru", "a"]);
        assert_eq!(Cache::get(&path), None);
        fs::write(&path, b"RIFF").unwrap();
        assert_eq!(Cache::get(&path), None);
    }
}
