//! Whole dialogs with peers that write SIP as text, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod accounts;
mod callee;
mod caller;
mod cancel;
mod digest;
mod ending;
mod forks;
mod outside;
mod peer;
mod ping;
mod prack;
mod prack_of_ours;
mod random;
mod registration;
mod reoffer;
mod restoring;
mod routing;
mod sessions;
mod sips;
mod strangers;
mod torture;
mod transport;
mod world;
