//! The two clocks: one that only runs forward, for timers; the wall's, for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clock::Instant;

/// What the clock shows when the node begins: calls that are taken up again have begun before, and none lasts so long.
const HEAD: Duration = Duration::from_secs(30 * 86_400);

/// The node's clock. `Instant::ZERO` is a good while before it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: std::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { began: std::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant(HEAD + self.began.elapsed())
    }

    /// As the runtime's timers want it.
    pub(crate) fn deadline(&self, at: Instant) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.began + at.since(Instant(HEAD)))
    }

    /// What the wall clock showed at `at`, by what it shows now: a step of the wall clock moves all of them.
    pub(crate) fn wall_ms(&self, at: Instant) -> u64 {
        self.wall_us(at) / 1_000
    }

    /// What it will show at a moment to come.
    pub(crate) fn wall_ms_until(&self, now: Instant, until: Instant) -> u64 {
        let rest = u64::try_from(until.since(now).as_millis()).unwrap_or(u64::MAX);
        self.wall_ms(now).saturating_add(rest)
    }

    /// As `wall_ms`, in microseconds.
    pub(crate) fn wall_us(&self, at: Instant) -> u64 {
        let ago = u64::try_from(self.now().since(at).as_micros()).unwrap_or(u64::MAX);
        wall_us().saturating_sub(ago)
    }
}

/// Milliseconds since 1970 by the wall clock.
pub(crate) fn wall_ms() -> u64 {
    wall_us() / 1_000
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
