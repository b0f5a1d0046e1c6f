//! What time undoes: orders expire, recordings have been kept long enough.

use std::path::Path;
use std::time::{Duration, SystemTime};

use store::{Store, Timestamp};
use tokio::sync::watch;

use crate::config::Recording;
use crate::time::wall_ms;

/// Orders are looked through every second; each is gone from look-ups the moment it expires, whenever it is swept.
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
                    tracing::error!(%error, "expired orders could not be swept");
                }
            }
            _ = old.tick() => {
                if let Some(kept_for) = recordings.retention {
                    let dir = recordings.dir.clone();
                    let _ = tokio::task::spawn_blocking(move || remove_old(&dir, kept_for)).await;
                }
            }
        }
    }
}

fn expire(store: &Store) -> Result<(), store::StoreError> {
    while store.sweep(Timestamp(wall_ms()), PORTION)?.len() == PORTION {}
    Ok(())
}

fn remove_old(dir: &Path, kept_for: Duration) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    let now = SystemTime::now();
    for entry in entries.flatten() {
        let path = entry.path();
        let age = entry.metadata().and_then(|data| data.modified()).map(|at| now.duration_since(at));
        let old = matches!(age, Ok(Ok(age)) if age > kept_for);
        if old && path.extension().is_some_and(|kind| kind == "wav") {
            match std::fs::remove_file(&path) {
                Ok(()) => tracing::info!(recording = %path.display(), "kept long enough: removed"),
                Err(error) => tracing::warn!(recording = %path.display(), %error, "could not be removed"),
            }
        }
    }
}
