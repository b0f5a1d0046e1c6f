//! Waiting for something to become true, with an end to patience.

use std::thread;
use std::time::{Duration, Instant};

/// For what should happen at once on an idle machine; long, because test machines are busy.
pub const SOON: Duration = Duration::from_secs(10);

/// For what takes the length of a prompt, a timer or a phone's start.
pub const LATER: Duration = Duration::from_secs(40);

/// Tries until something comes of it. What it waits for lies in another program and cannot wake us.
///
/// # Panics
/// If nothing comes within `patience`.
pub fn until<T>(what: &str, patience: Duration, attempt: impl FnMut() -> Option<T>) -> T {
    within(patience, attempt).unwrap_or_else(|| panic!("waited {patience:?} in vain for {what}"))
}

/// As [`until`], for whoever can say more about what is missing.
pub fn within<T>(patience: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        let found = attempt();
        if found.is_some() || Instant::now() >= end {
            return found;
        }
        pause(Duration::from_millis(20));
    }
}

/// Gives way between two looks at something that cannot wake us.
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// As [`until`], for a condition.
///
/// # Panics
/// If it does not hold within `patience`.
pub fn until_true(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    until(what, patience, || condition().then_some(()));
}
