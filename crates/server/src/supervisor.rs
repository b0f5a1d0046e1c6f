//! Whoever started us, if it wants to be told how we are: systemd with `Type=notify` (sd_notify(3)).

use std::time::Duration;

use sd_notify::NotifyState;

/// Where nobody wants to know nothing is said; where somebody does and cannot be told, that is no reason to stop.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the supervisor could not be told");
    }
}

/// Calls are taken.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("taking calls")]);
}

/// The configuration is read again; `ready` follows.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the supervisor could not be told"),
    }
}

/// We leave once the last call is over.
pub(crate) fn draining() {
    tell(&[NotifyState::Stopping, NotifyState::Status("no new calls; leaving with the last one")]);
}

/// Calls can be taken, as a call has just shown.
pub(crate) fn feed() {
    if patience().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// Within what time it wants to be told so, again and again, or else ends us.
pub(crate) fn patience() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}
