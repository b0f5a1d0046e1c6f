//! The one place that knows sled: a map from bytes to bytes whose batches are atomic and whose synchronised batches
//! survive a power cut.
//!
//! `sled` 0.34.7 keeps everything in one file, `db`, and two small ones: `conf`, written when the store is made, and
//! `snap.…`, written (and synchronised) when it is opened. Its `flush` hands the data to the disk with
//! `sync_file_range`, which leaves out the file's size and whatever cache the disk has: after a power cut nothing of
//! what was flushed need be there. Three rules make it whole:
//!
//! - After every batch, before the next one and before anyone is answered: `flush`, then synchronise `db`. Before the
//!   next one, because sled writes over a segment once it believes that what replaced it is stable.
//! - Before sled reads the file: synchronise it. After a crash that was no power cut the file shows writes that are
//!   not on the disk yet, and the snapshot sled makes of them would be.
//! - Before that: remove a snapshot that was only half written when the node died. Sled would take it for the newest
//!   one and find it damaged; what it was to replace is still there.
//!
//! Values above a quarter of a segment would go to files of their own which are never synchronised. A leaf of the
//! tree is such a value and holds up to about twenty entries, hence [`LONGEST`].

use std::fs::{File, TryLockError};
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::StoreError;
use crate::keys::{self, Key};

/// Most bytes of one key and value together: 20 of them stay below a quarter of a segment of 512 KiB.
pub(crate) const LONGEST: usize = 6_000;

/// Most bytes of one value, so that no key makes it too long: the longest (a webhook, an event) have under 100, a chosen
/// key 512, and that one's values are short.
pub(crate) const LONGEST_VALUE: usize = LONGEST - 600;

/// What the tree is laid out as. A store of a later format is not opened.
pub(crate) const FORMAT: u32 = 1;

/// A value as it lies in the cache.
pub(crate) type Bytes = sled::IVec;

/// The tree on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    tree: sled::Tree,
    db: sled::Db,
    file: File,
    /// Ours, released when the rest is gone: it says whether another process has the directory. Sled locks `db`, but
    /// in its own time: its threads may hold it for a moment after it was closed.
    _lock: File,
}

impl Disk {
    /// Opens or makes it.
    pub(crate) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let directory = |e: io::Error| StoreError::Directory { dir: dir.to_owned(), why: e.to_string() };
        std::fs::create_dir_all(dir).map_err(directory)?;
        let lock = File::create(dir.join("lock")).map_err(directory)?;
        lock.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => StoreError::Locked { dir: dir.to_owned() },
            TryLockError::Error(e) => directory(e),
        })?;
        remove_half_snapshots(dir).map_err(directory)?;
        let path = dir.join("db");
        let made = !path.exists();
        if !made {
            File::open(&path).and_then(|file| file.sync_all()).map_err(directory)?;
        }
        let (tree, db) = open_sled(dir, cache_bytes)?;
        let file = File::open(&path).map_err(directory)?;
        sync_files(dir).map_err(directory)?;
        let disk = Self { tree, db, file, _lock: lock };
        disk.check_format(dir, made)?;
        Ok(disk)
    }

    fn check_format(&self, dir: &Path, made: bool) -> Result<(), StoreError> {
        match self.get(keys::FORMAT)? {
            Some(stamp) => match <[u8; 4]>::try_from(&*stamp).map(u32::from_be_bytes) {
                Ok(FORMAT) => Ok(()),
                Ok(found) => Err(StoreError::Format { dir: dir.to_owned(), found, known: FORMAT }),
                Err(_) => Err(unreadable_in(dir, "the format is not readable".to_owned())),
            },
            // A power cut between making the file and stamping it leaves an empty tree.
            None if made || self.is_empty()? => {
                self.apply([(keys::FORMAT.to_vec(), Some(FORMAT.to_be_bytes().to_vec()))])?;
                sync_files(dir).map_err(|e| StoreError::Directory { dir: dir.to_owned(), why: e.to_string() })
            }
            None => Err(unreadable_in(dir, "there is data without a format".to_owned())),
        }
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        guarded(|| self.tree.iter().next().transpose().map(|first| first.is_none()))
    }

    /// What lies at this key.
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        guarded(|| self.tree.get(key))
    }

    /// Keys and values from one key to before another, in order, from either end.
    pub(crate) fn range(&self, from: Bound<Key>, to: Bound<Key>) -> Range {
        Range { iter: Some(self.tree.range((from, to))) }
    }

    /// Keys and values that begin with a prefix.
    pub(crate) fn prefixed(&self, prefix: &[u8]) -> Range {
        self.range(Bound::Included(prefix.to_vec()), Bound::Excluded(keys::after_prefix(prefix)))
    }

    /// Writes (`None` removes), all or nothing, and waits until they survive a power cut.
    pub(crate) fn apply(
        &self,
        writes: impl IntoIterator<Item = (Key, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let written = guarded(|| {
            self.tree.apply_batch(batch)?;
            self.db.flush()?;
            // The size of the file is what `flush` leaves out; fdatasync(2) includes it, unlike its times.
            self.file.sync_data().map_err(sled::Error::from)
        });
        written.map_err(|e| StoreError::Failed(e.to_string()))
    }

    /// Bytes of the file.
    pub(crate) fn size(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }
}

/// Keys and values in order.
pub(crate) struct Range {
    iter: Option<sled::Iter>,
}

impl Range {
    fn step(
        &mut self,
        step: impl FnOnce(&mut sled::Iter) -> Option<sled::Result<(Bytes, Bytes)>>,
    ) -> Option<Result<(Bytes, Bytes), StoreError>> {
        let iter = self.iter.as_mut()?;
        let item = guarded(|| step(iter).transpose()).transpose();
        if !matches!(item, Some(Ok(_))) {
            self.iter = None;
        }
        item
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step(Iterator::next)
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.step(DoubleEndedIterator::next_back)
    }
}

fn open_sled(dir: &Path, cache_bytes: u64) -> Result<(sled::Tree, sled::Db), StoreError> {
    /// How long sled's threads may take to let go of a store closed just now.
    const PATIENCE: Duration = Duration::from_secs(10);
    let begun = Instant::now();
    loop {
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
            let db = config.open()?;
            Ok((db.open_tree("store")?, db))
        }));
        let opened = opened.unwrap_or_else(|panic| Err(sled::Error::ReportableBug(panic_text(&*panic))));
        match opened.map_err(|e| at(dir, e)) {
            Err(StoreError::Locked { .. }) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return other,
        }
    }
}

/// A panic inside sled is a fault of the disk to us, not of the call that happened to read.
fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|e| StoreError::Read(e.to_string())),
        Err(panic) => Err(StoreError::Read(panic_text(&*panic))),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a word".to_owned())
}

fn unreadable_in(dir: &Path, why: String) -> StoreError {
    StoreError::Unreadable { dir: dir.to_owned(), why }
}

fn at(dir: &Path, error: sled::Error) -> StoreError {
    let dir = dir.to_owned();
    match error {
        // How sled says that flock(2) failed.
        sled::Error::Io(e) if e.to_string().contains("could not acquire lock") => StoreError::Locked { dir },
        sled::Error::Io(e) if is_of_the_system(&e) => StoreError::Directory { dir, why: e.to_string() },
        sled::Error::Io(e) => StoreError::Unreadable { dir, why: e.to_string() },
        sled::Error::ReportableBug(why) | sled::Error::Unsupported(why) => {
            StoreError::Unreadable { dir, why }
        }
        sled::Error::Corruption { .. } => {
            StoreError::Unreadable { dir, why: "a checksum does not fit its data".to_owned() }
        }
        sled::Error::CollectionNotFound(_) => {
            StoreError::Unreadable { dir, why: "the tree is not there".to_owned() }
        }
    }
}

/// Whether it is about the directory and its rights, rather than about what is in it.
fn is_of_the_system(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
}

fn remove_half_snapshots(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Synchronises what sled made beside its data (`conf`, the snapshot) and the names of all its files.
fn sync_files(dir: &Path) -> io::Result<()> {
    let mut directories: Vec<PathBuf> = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            directories.push(entry.path())
        } else {
            File::open(entry.path())?.sync_all()?
        }
    }
    if let Some(parent) = dir.canonicalize()?.parent() {
        directories.push(parent.to_owned());
    }
    directories.iter().try_for_each(|directory| File::open(directory)?.sync_all())
}
