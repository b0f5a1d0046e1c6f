//! What is kept of a call. Exactly one per call, whatever happened.

use std::time::Duration;

use clock::Instant;
use number::Number;
use rtp::Statistics;
use stir::Verification;

use crate::callback::Stage;
use crate::interface::{CallId, Code, PairId, Role};

/// One call, as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The call.
    pub call: CallId,
    /// Whether we began it ourselves: then the caller is who was called first.
    pub callback: bool,
    /// The line called, or whose manner a callback has; `None` where what was dialled is no line of ours.
    pub line: Option<Number>,
    /// What was dialled, as the Request-URI has it: at most 32 of `0-9 + * #`, the rest left out; empty
    /// where we began the call.
    pub dialled: Box<str>,
    /// Name of the trunk it came by; of a callback, by which its first side was called, empty before that.
    pub trunk: Box<str>,
    /// Who called, if that could be told and trusted; of a callback, who was called first.
    pub caller: Option<Number>,
    /// Who was said to call, where that is not believed.
    pub claimed: Option<Number>,
    /// What became of verifying who calls; `None` where the trunk's callers are not verified.
    pub verification: Option<Verification>,
    /// Whom we dialled last, if anyone; an operator reached by SIP address has no number.
    pub callee: Option<Number>,
    /// Name of the trunk we dialled them by; `None`: nobody was dialled, or straight at a SIP address.
    pub callee_trunk: Option<Box<str>>,
    /// Each number that was called, in the order they were.
    pub tried: Vec<Tried>,
    /// When the INVITE came, or a callback began.
    pub started: Instant,
    /// When we answered; of a callback, when somebody of the first side did.
    pub answered: Option<Instant>,
    /// When the two were joined.
    pub bridged: Option<Instant>,
    /// When it was over; `None` in a checkpoint.
    pub ended: Option<Instant>,
    /// Who ended it and why; `None` in a checkpoint.
    pub outcome: Option<Outcome>,
    /// The code keyed last.
    pub code: Option<Code>,
    /// Codes keyed and looked up.
    pub attempts: u8,
    /// Whether an order was found.
    pub order_found: bool,
    /// Whether the caller's number was found on it.
    pub number_found: bool,
    /// The pair the caller is of.
    pub pair: Option<PairId>,
    /// Which party the caller is.
    pub caller_role: Option<Role>,
    /// Whether the other party was joined.
    pub callee_reached: bool,
    /// Whether an operator was asked for.
    pub operator_asked: bool,
    /// Whether an operator was joined.
    pub operator_reached: bool,
    /// Whether the caller was locked out.
    pub locked_out: bool,
    /// File name of the recording.
    pub recording: Option<Box<str>>,
    /// How long the recording was paused.
    pub recording_paused: Duration,
    /// Who refused to be recorded.
    pub recording_refused: Option<Side>,
    /// Why the recording is not whole.
    pub recording_fault: Option<String>,
    /// What was wrong last with what a hook said, why it said nothing, or why it vetoed the call.
    pub hook_fault: Option<Box<str>>,
    /// How often the call was carried over a death of the node.
    pub restored: u8,
    /// What the shop attached to the order or the pair, as JSON text.
    pub data: Option<Box<str>>,
    /// Media of the caller's leg.
    pub caller_media: Option<Statistics>,
    /// Media of the callee's leg (the last one dialled).
    pub callee_media: Option<Statistics>,
}

/// One number that was called, by however many ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Whose place it was to take.
    pub side: Side,
    /// The number; an operator reached by SIP address has none.
    pub number: Option<Number>,
    /// When it was called.
    pub dialled: Instant,
    /// When it rang.
    pub rang: Option<Instant>,
    /// When it answered.
    pub answered: Option<Instant>,
    /// When it was over; `None` in a checkpoint.
    pub ended: Option<Instant>,
    /// Who ended it and why; `None` in a checkpoint.
    pub outcome: Option<Outcome>,
}

impl Tried {
    /// From the call to the answer, or to the end if there was none; zero while it is being called.
    #[must_use]
    pub fn waited_for(&self) -> Duration {
        self.answered.or(self.ended).map_or(Duration::ZERO, |until| until.since(self.dialled))
    }

    /// From the answer to the end; zero if there was none, and while it goes on.
    #[must_use]
    pub fn answered_for(&self) -> Duration {
        self.ended.zip(self.answered).map_or(Duration::ZERO, |(end, start)| end.since(start))
    }
}

impl Record {
    /// As it begins.
    pub(crate) fn begin(call: CallId, started: Instant) -> Self {
        Self {
            call,
            callback: false,
            line: None,
            dialled: "".into(),
            trunk: "".into(),
            caller: None,
            claimed: None,
            verification: None,
            callee: None,
            callee_trunk: None,
            tried: Vec::new(),
            started,
            answered: None,
            bridged: None,
            ended: None,
            outcome: None,
            code: None,
            attempts: 0,
            order_found: false,
            number_found: false,
            pair: None,
            caller_role: None,
            callee_reached: false,
            operator_asked: false,
            operator_reached: false,
            locked_out: false,
            recording: None,
            recording_paused: Duration::ZERO,
            recording_refused: None,
            recording_fault: None,
            hook_fault: None,
            restored: 0,
            data: None,
            caller_media: None,
            callee_media: None,
        }
    }

    /// How far a callback has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        let is_there = |tried: &Tried| tried.answered.is_some() && tried.ended.is_none();
        if self.outcome.is_some() {
            Stage::Ended
        } else if self.bridged.is_some() {
            Stage::Talking
        } else if self.tried.iter().any(is_there) {
            Stage::FirstAnswered
        } else if self.tried.iter().any(|tried| tried.rang.is_some()) {
            Stage::Ringing
        } else if self.tried.is_empty() {
            Stage::Waiting
        } else {
            Stage::Dialling
        }
    }

    /// From our answer to the end; zero if never answered.
    #[must_use]
    pub fn answered_for(&self) -> Duration {
        self.ended.zip(self.answered).map_or(Duration::ZERO, |(end, start)| end.since(start))
    }

    /// Whose voice came while they were joined; `None` if they never were, or one of them was not said to have closed.
    #[must_use]
    pub fn heard(&self) -> Option<Heard> {
        self.bridged?;
        let spoke = |media: &Statistics| media.packets_while_joined > 0;
        let legs = self.caller_media.as_ref().zip(self.callee_media.as_ref())?;
        Some(match (spoke(legs.0), spoke(legs.1)) {
            (true, true) => Heard::Both,
            (true, false) => Heard::Caller,
            (false, true) => Heard::Callee,
            (false, false) => Heard::Neither,
        })
    }

    /// From the bridge to the end; zero if never joined.
    #[must_use]
    pub fn talked_for(&self) -> Duration {
        self.ended.zip(self.bridged).map_or(Duration::ZERO, |(end, start)| end.since(start))
    }
}

/// Whose voice came. Other than `Both` is what people call one-way or dead audio, mostly a firewall's or a NAT's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heard {
    /// As it should be.
    Both,
    /// Only the caller's: of the callee nothing came.
    Caller,
    /// Only the callee's: of the caller nothing came.
    Callee,
    /// Nobody's.
    Neither,
}

impl Heard {
    /// Each of them, for metrics that name each.
    pub const ALL: [Self; 4] = [Self::Both, Self::Caller, Self::Callee, Self::Neither];

    /// The word in records, metrics and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Neither => "neither",
        }
    }
}

/// Who ended a call, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Who.
    pub side: Side,
    /// Why.
    pub cause: Cause,
    /// SIP status, where one was involved.
    pub status: Option<u16>,
    /// Q.850 cause.
    pub q850: u8,
}

/// Who.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Whoever dialled.
    Caller,
    /// Whoever we dialled.
    Callee,
    /// Ourselves.
    Us,
}

/// Why a call ended. One word each, the same in record, metric, event and API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Someone hung up.
    HungUp,
    /// The caller gave up before we answered.
    Cancelled,
    /// The number is no line of ours.
    UnknownLine,
    /// Nothing both sides can speak, or a description that cannot be read.
    NotAcceptable,
    /// The caller is not verified, and the line takes none who is not.
    Unverified,
    /// A limit was reached, ports are used up, the store is too far behind, or we drain.
    Overloaded,
    /// The number dialled connects this caller with nobody.
    NotConnected,
    /// The call came back to us.
    Loop,
    /// The caller keyed nothing.
    NoInput,
    /// The caller chose nothing after a wrong code or from a strange number.
    NothingChosen,
    /// The callee is busy (486, 600).
    Busy,
    /// The callee did not answer in time, or did not confirm.
    NoAnswer,
    /// The callee declined (603, 403 and the like).
    Declined,
    /// There is no such callee (404, 410, 484).
    NoSuchNumber,
    /// The trunk is down, cannot be found, or says it cannot (5xx, Timer B).
    Unreachable,
    /// The operator could not be reached.
    OperatorUnavailable,
    /// Of a number that was called: another took the call.
    AnsweredElsewhere,
    /// They talked as long as they may.
    MaxDuration,
    /// No media came.
    MediaLost,
    /// An acknowledgement or a dialog was lost.
    SignallingLost,
    /// The number must not be dialled.
    NumberNotAllowed,
    /// There are as many calls as there may be of its cost class, to the callee or of the caller.
    TooManyCalls,
    /// The caller is blocked, or from the callee.
    Blocked,
    /// The callee is not to be disturbed at this hour.
    QuietHours,
    /// The order has had all its calls.
    CallsUsedUp,
    /// An operator or the node ended it.
    Ended,
    /// Whoever was asked refused the call.
    Refused,
    /// Whoever was to be asked did not say anything that can be done.
    HookFailed,
    /// A fault of ours.
    Fault,
    /// The node died during the call; written when it came back.
    NodeLost,
}

impl Side {
    /// The word in records, metrics, events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Us => "us",
        }
    }
}

impl Cause {
    /// Every cause, for metrics that name each.
    pub const ALL: [Self; 30] = [
        Self::HungUp,
        Self::Cancelled,
        Self::UnknownLine,
        Self::NotAcceptable,
        Self::Unverified,
        Self::Overloaded,
        Self::NotConnected,
        Self::Loop,
        Self::NoInput,
        Self::NothingChosen,
        Self::Busy,
        Self::NoAnswer,
        Self::Declined,
        Self::NoSuchNumber,
        Self::Unreachable,
        Self::OperatorUnavailable,
        Self::AnsweredElsewhere,
        Self::MaxDuration,
        Self::MediaLost,
        Self::SignallingLost,
        Self::NumberNotAllowed,
        Self::TooManyCalls,
        Self::Blocked,
        Self::QuietHours,
        Self::CallsUsedUp,
        Self::Ended,
        Self::Refused,
        Self::HookFailed,
        Self::Fault,
        Self::NodeLost,
    ];

    /// The word in records, metrics, events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::Cancelled => "cancelled",
            Self::UnknownLine => "unknown-line",
            Self::NotAcceptable => "not-acceptable",
            Self::Unverified => "unverified",
            Self::Overloaded => "overloaded",
            Self::NotConnected => "not-connected",
            Self::Loop => "loop",
            Self::NoInput => "no-input",
            Self::NothingChosen => "nothing-chosen",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Declined => "declined",
            Self::NoSuchNumber => "no-such-number",
            Self::Unreachable => "unreachable",
            Self::OperatorUnavailable => "operator-unavailable",
            Self::AnsweredElsewhere => "answered-elsewhere",
            Self::MaxDuration => "max-duration",
            Self::MediaLost => "media-lost",
            Self::SignallingLost => "signalling-lost",
            Self::NumberNotAllowed => "number-not-allowed",
            Self::TooManyCalls => "too-many-calls",
            Self::Blocked => "blocked",
            Self::QuietHours => "quiet-hours",
            Self::CallsUsedUp => "calls-used-up",
            Self::Ended => "ended",
            Self::Refused => "refused",
            Self::HookFailed => "hook-failed",
            Self::Fault => "fault",
            Self::NodeLost => "node-lost",
        }
    }
}
