//! The four transactions of RFC 3261 §17, as amended by RFC 6026, 4320 and 4321.
//!
//! Each is a value that takes one input, appends what must be done and becomes its next state. A message is opaque
//! octets to it; who the messages are for is the table's affair.

mod invite_client;
mod invite_server;
mod key;
mod machine;
mod request_client;
mod request_server;
mod table;

use std::time::Duration;

use bytes::Bytes;

use crate::interface::{Letter, Timing};

pub(crate) use key::{Key, Sent};
pub(crate) use table::{Part, Received, Report, Start, TransactionId, Transactions, User};

use invite_client::InviteClient;
use invite_server::InviteServer;
use request_client::RequestClient;
use request_server::RequestServer;

/// What a transaction wants done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Send these octets where this transaction sends.
    Send(Bytes),
    /// Set or move a timer.
    Arm(Letter, Duration),
    /// Forget a timer.
    Disarm(Letter),
    /// The message at hand is new: give it to the user of the transaction.
    Pass,
    /// The message at hand was seen before and ends here.
    Absorb,
    /// Timer B, F or H: the other side said nothing.
    TimedOut,
    /// What was to be sent cannot be sent.
    Failed,
    /// Timer M: no further 2xx will come.
    Expired,
}

/// How fast a transaction works: the timers of RFC 3261 Table 4, and whether its transport retransmits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) timing: Timing,
    pub(crate) reliable: bool,
}

impl Pace {
    /// 64*T1: Timers B, F, H, J, L and M.
    fn patience(self) -> Duration {
        self.timing.patience()
    }

    /// A first retransmission after T1, where the transport does not see to that.
    fn retransmit(self, letter: Letter, out: &mut Vec<Effect>) {
        if !self.reliable {
            out.push(Effect::Arm(letter, self.timing.t1));
        }
    }

    /// Forgets a retransmission timer, where there can be one.
    fn settle(self, letter: Letter, out: &mut Vec<Effect>) {
        if !self.reliable {
            out.push(Effect::Disarm(letter));
        }
    }

    /// Stays for `after` to absorb what is still under way; on a reliable transport nothing is, and the timer
    /// counts as zero (RFC 3261 Table 4: D, I, J, K).
    fn linger<S>(self, letter: Letter, after: Duration, stay: S, gone: S, out: &mut Vec<Effect>) -> S {
        if self.reliable {
            return gone;
        }
        out.push(Effect::Arm(letter, after));
        stay
    }
}

#[cfg(test)]
mod pace {
    //! Two paces at the values of RFC 3261, for tables.
    use super::{Pace, Timing};
    use std::time::Duration;

    pub(super) const TIMING: Timing =
        Timing { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };
    pub(super) const UDP: Pace = Pace { timing: TIMING, reliable: false };
    pub(super) const TCP: Pace = Pace { timing: TIMING, reliable: true };

    pub(super) fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }
}
