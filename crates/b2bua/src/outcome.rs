//! Why a call ended: from what a leg says to the record's words and back to what the other leg is told.

use ua::{Ending, Why};

use crate::record::{Cause, Outcome, Side};

/// We ended it.
pub(crate) fn ours(cause: Cause) -> Outcome {
    let (status, q850) = match cause {
        Cause::UnknownLine => (Some(404), 1),
        Cause::NotAcceptable => (Some(488), 88),
        Cause::Overloaded => (Some(503), 42),
        Cause::Loop => (Some(482), 25),
        // Non-selected user clearing.
        Cause::AnsweredElsewhere => (None, 26),
        Cause::MaxDuration | Cause::NoAnswer => (None, 102),
        Cause::MediaLost | Cause::SignallingLost | Cause::NodeLost => (None, 41),
        Cause::HookFailed => (Some(503), 41),
        Cause::Fault => (Some(500), 41),
        Cause::Busy => (None, 17),
        Cause::Declined
        | Cause::Unverified
        | Cause::Refused
        | Cause::NotConnected
        | Cause::NumberNotAllowed
        | Cause::TooManyCalls
        | Cause::Blocked
        | Cause::QuietHours
        | Cause::CallsUsedUp => (None, 21),
        Cause::Unreachable | Cause::OperatorUnavailable => (None, 38),
        Cause::NoSuchNumber => (None, 1),
        Cause::HungUp | Cause::Cancelled | Cause::NoInput | Cause::NothingChosen | Cause::Ended => (None, 16),
    };
    Outcome { side: Side::Us, cause, status, q850 }
}

/// The callee was not to be had.
pub(crate) fn callee(cause: Cause, status: Option<u16>, q850: u8) -> Outcome {
    Outcome { side: Side::Callee, cause, status, q850 }
}

/// One side sent nothing for too long.
pub(crate) fn silent(side: Side) -> Outcome {
    Outcome { side, ..ours(Cause::MediaLost) }
}

/// A leg ended by itself.
pub(crate) fn ending(side: Side, ending: Ending) -> Outcome {
    match ending {
        Ending::HungUp { q850 } => {
            Outcome { side, cause: Cause::HungUp, status: None, q850: q850.unwrap_or(16) }
        }
        Ending::Cancelled => Outcome { side, cause: Cause::Cancelled, status: Some(487), q850: 16 },
        Ending::Refused { status, q850, .. } => {
            let (cause, usual) = refused(status);
            Outcome { side, cause, status: Some(status), q850: q850.unwrap_or(usual) }
        }
        Ending::Unreachable => Outcome { side, cause: Cause::Unreachable, status: Some(408), q850: 38 },
        Ending::NeverAcknowledged | Ending::Gone => {
            Outcome { side, cause: Cause::SignallingLost, status: None, q850: 41 }
        }
        // Recovery on timer expiry.
        Ending::Unrefreshed => Outcome { side, cause: Cause::SignallingLost, status: None, q850: 102 },
        Ending::Ordered => Outcome { side: Side::Us, cause: Cause::Ended, status: None, q850: 16 },
    }
}

/// RFC 3398 §8.2.6.1, the other way round, where the response has no Reason.
fn refused(status: u16) -> (Cause, u8) {
    match status {
        486 | 600 => (Cause::Busy, 17),
        404 | 484 | 485 | 604 => (Cause::NoSuchNumber, 1),
        410 => (Cause::NoSuchNumber, 22),
        480 => (Cause::NoAnswer, 18),
        408 | 487 => (Cause::NoAnswer, 19),
        403 | 603 | 607 | 608 => (Cause::Declined, 21),
        406 | 415 | 488 | 606 => (Cause::NotAcceptable, 88),
        _ => (Cause::Unreachable, 38),
    }
}

/// What the other leg is told.
pub(crate) fn why(outcome: &Outcome) -> Why {
    Why { q850: outcome.q850, status: outcome.status.filter(|status| *status >= 400).unwrap_or(480) }
}
