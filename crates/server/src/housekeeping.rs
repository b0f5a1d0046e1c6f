//! What time undoes: orders and pairs expire, recordings have been kept long enough.

use std::path::Path;
use std::time::{Duration, SystemTime};

use recording::Format;
use store::{Store, Timestamp};
use tokio::sync::watch;

use crate::config::Recording;
use crate::time::wall_ms;

/// Orders and pairs are looked through every second; each is gone from look-ups the moment it expires, whenever it is swept.
const SWEEP: Duration = Duration::from_secs(1);
/// Orders swept in one go, so that others get to write in between.
const PORTION: usize = 1_000;
/// Recordings are looked through this often.
const RECORDINGS: Duration = Duration::from_secs(3_600);

/// Keeps house until told to stop.
pub(crate) async fn run(store: Store, recordings: Recording, mut stop: watch::Receiver<bool>) {
    let mut sweep = tokio::time::interval(SWEEP);
    let mut old = tokio::time::interval(RECORDINGS);
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            _ = sweep.tick() => {
                let store = store.clone();
                let swept = tokio::task::spawn_blocking(move || expire(&store)).await;
                if let Ok(Err(error)) = swept {
                    tracing::error!(%error, "expired orders and pairs could not be swept");
                }
            }
            _ = old.tick() => {
                if let Some(kept_for) = recordings.retention {
                    let dir = recordings.files.folder.clone();
                    let now = SystemTime::now();
                    let _ = tokio::task::spawn_blocking(move || remove_old(&dir, kept_for, now)).await;
                }
            }
        }
    }
}

fn expire(store: &Store) -> Result<(), store::StoreError> {
    while store.sweep(Timestamp(wall_ms()), PORTION)?.len() == PORTION {}
    while store.sweep_pairs(Timestamp(wall_ms()), PORTION)? == PORTION {}
    Ok(())
}

/// Removes recordings that were last written longer ago than they are kept.
fn remove_old(dir: &Path, kept_for: Duration, now: SystemTime) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let age = entry.metadata().and_then(|data| data.modified()).map(|at| now.duration_since(at));
        let old = matches!(age, Ok(Ok(age)) if age > kept_for);
        if old && Format::of_name(&path).is_some() {
            match std::fs::remove_file(&path) {
                Ok(()) => tracing::info!(recording = %path.display(), "kept long enough: removed"),
                Err(error) => tracing::warn!(recording = %path.display(), %error, "could not be removed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn recordings_are_removed_when_they_were_kept_long_enough_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let (day, written) =
            (Duration::from_secs(86_400), SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30));
        let names = ["a.wav", "b.opus", "c.wav.sealed", "d.opus.sealed", "notes.txt"];
        for name in names {
            File::create(folder.path().join(name)).unwrap().set_modified(written).unwrap();
        }
        let left = || {
            let mut left: Vec<String> = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            left.sort();
            left
        };
        remove_old(folder.path(), 30 * day, written + 30 * day);
        assert_eq!(left(), names, "to the day is not longer");
        // A clock that was set back makes nothing old.
        remove_old(folder.path(), 30 * day, written - 60 * day);
        assert_eq!(left(), names);
        remove_old(folder.path(), 30 * day, written + 30 * day + Duration::from_secs(1));
        assert_eq!(left(), ["notes.txt"]);
    }
}
