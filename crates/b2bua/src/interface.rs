//! Everything that can happen to the switchboard, and everything it can do.

use std::time::Duration;

use bytes::Bytes;
use clock::Instant;
use number::Number;
use rtp::{Command, Report};
use sip::Flow;
use stir::{Question, Verification};
use ua::LegId;

pub use ivr::Code;

use crate::callback::{Callback, When};
use crate::config::{Config, Target};
use crate::hook::{Advice, Consultation};
use crate::record::Record;
use crate::snapshot::Snapshot;

/// One call: two legs, maybe one, and what joins them. Sorts by time of arrival; written as 26 letters of
/// Crockford's base 32 (a ULID: 48 bits of milliseconds, 80 of chance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u128);

/// A pair of people who reach each other through numbers of the pool; as whoever keeps it names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PairId(pub u128);

/// A language, by its place in the prompt library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(pub u8);

/// Everything that can happen.
#[derive(Debug, Clone)]
pub enum Input {
    /// A SIP message came in.
    Message {
        /// Where from.
        flow: Flow,
        /// The whole message.
        bytes: Bytes,
    },
    /// Whoever is at the other end of this connection has proved these names, by a certificate.
    Proved {
        /// The connection.
        flow: Flow,
        /// DNS names, in small letters.
        names: Vec<Box<str>>,
    },
    /// A connection is gone, or a peer cannot be sent to.
    FlowLost(Flow),
    /// The relay says something.
    Report(Report),
    /// The store answers a query.
    Found {
        /// Who asked.
        call: CallId,
        /// The answer.
        finding: Finding,
    },
    /// The first checkpoint of a call is durable: it may be answered.
    Begun {
        /// Which call.
        call: CallId,
        /// Whether the store could keep it. If not, the call is refused with 503.
        kept: bool,
    },
    /// Whoever verifies callers answers a question.
    Verified {
        /// Who asked.
        call: CallId,
        /// The answer.
        verification: Verification,
    },
    /// A hook answers, or whoever asks it says why there is no answer.
    Advised {
        /// Whose call.
        call: CallId,
        /// The answer.
        advice: Box<Advice>,
    },
    /// An operator or the node says something.
    Control(Control),
    /// How far behind whoever hands on our inputs, and the store, are: told when it changes. New calls are refused while
    /// that is too far ([`crate::Limits`]).
    Behind(Behind),
    /// `next_wake` has come.
    Wake,
}

/// How long things wait that should be done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Behind {
    /// The message that asked for the newest call handled: from when it was there to when it was handled.
    pub messages: Duration,
    /// The oldest first checkpoint that is not durable yet: since it was asked for.
    pub store: Duration,
    /// The oldest command that the relay has not taken yet: since it was handed on. Voice is as late, and keys that come
    /// before their session is opened are heard by nobody.
    pub relay: Duration,
}

/// What an operator or the node can say.
#[derive(Debug, Clone)]
pub enum Control {
    /// End this call.
    HangUp(CallId),
    /// Begin a call ourselves: call one side, then the other. Nothing, where there is a call of that name already.
    Originate(Box<Callback>),
    /// End this callback, if it has not come too far; [`crate::Switchboard::stage`] says how far it has come.
    Cancel {
        /// Which.
        call: CallId,
        /// Until when.
        when: When,
    },
    /// Leave out of the recording of this call what is said from now on, or take it in again. Nothing where it is so
    /// already, or the call is not recorded; [`crate::Switchboard::recording`] says what it came to.
    PauseRecording {
        /// Which call.
        call: CallId,
        /// Whether what is said is left out.
        paused: bool,
    },
    /// Take no new calls; running ones go on.
    Drain,
    /// End every call.
    EndAll,
    /// New lines, trunks and settings. Running calls keep theirs.
    Configure(Box<Config>),
    /// A trunk's address became known, changed or was lost.
    Resolved {
        /// Which trunk, by its place in the configuration.
        trunk: ua::TrunkId,
        /// Where it is reached; nowhere, if no listener of ours can reach it.
        targets: Vec<Target>,
    },
    /// Panic while handling this call: only for proving that nothing else falls with it.
    #[cfg(feature = "faults")]
    Panic(CallId),
}

/// Whether what is said in a call is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// It is not: the line does not record, the call is not answered yet or over, or the recording broke off.
    No,
    /// It is.
    Running,
    /// It is not now, and can be again.
    Paused,
}

/// Everything the switchboard can do.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a SIP message.
    Send {
        /// Whose it is; `None`: of no leg.
        leg: Option<LegId>,
        /// Where to.
        flow: Flow,
        /// The whole message.
        bytes: Bytes,
    },
    /// The SIP message that is being handled is this leg's. Said once of a message, before what follows from it.
    Heard(LegId),
    /// This leg is one of this call's. The caller's has been heard before.
    Leg {
        /// Which call.
        call: CallId,
        /// Which leg.
        leg: LegId,
        /// Whom it reaches; `None`: it is the caller's.
        callee: Option<Callee>,
    },
    /// Tell a relay worker something.
    Media {
        /// Which worker.
        worker: u16,
        /// What.
        command: Command,
    },
    /// Ask the store; it answers with `Input::Found`.
    Find {
        /// Who asks.
        call: CallId,
        /// What.
        query: Query,
    },
    /// Verify who calls, by the headers that prove it (RFC 8224); answered with `Input::Verified`.
    Verify {
        /// Who asks.
        call: CallId,
        /// What.
        question: Box<Question>,
    },
    /// Ask a hook; answered with `Input::Advised`.
    Consult(Box<Consultation>),
    /// Keep the call as it stands, so that a crash leaves its record, and what can go on goes on. The first of a call is
    /// answered with `Input::Begun`.
    Checkpoint(Box<Snapshot>),
    /// The call is over: keep this record for good, then tell whoever wants to know.
    Record(Box<Record>),
    /// This number was called through this line on this order, now (for redial).
    Called {
        /// The line called through.
        line: Number,
        /// Who was called.
        callee: Number,
        /// On which order.
        code: Code,
    },
    /// The store has permitted a call to a party on this order, and it is not made: a rule forbids it. It counts for none of the
    /// order's calls.
    Uncalled {
        /// The line called through.
        line: Number,
        /// On which order.
        code: Code,
    },
    /// This pair connects two now: its end may move, and whom a party alone calls back is known.
    PairCalled {
        /// Which.
        pair: PairId,
        /// Who calls, if that can be told.
        caller: Option<Number>,
    },
    /// Keep how often something was dialled, for the switchboard that comes after ([`crate::Switchboard::remember`]).
    Tallied(Tallied),
    /// Something happened that others may want to see.
    Notice(Notice),
    /// Something happened to a trunk that others may want to see.
    Trunk(TrunkNotice),
    /// From now on new calls are refused because we are too far behind (`true`), or no more.
    Shedding(bool),
    /// Something was dropped or answered below the level of calls.
    Counted(ua::Counted),
    /// A fault of ours was caught; the call it struck is being ended.
    Fault(Fault),
}

/// How often something was dialled that may only be so often within an hour or a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tallied {
    /// What.
    pub of: TalliedOf,
    /// When that is forgotten.
    pub until: Instant,
    /// How often.
    pub count: u32,
}

/// What may be dialled only so often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TalliedOf {
    /// Numbers of this cost class, in a day.
    Class(Box<str>),
    /// This number, in an hour.
    Callee(Number),
    /// Anybody for this caller, in an hour.
    Caller(Number),
}

/// A panic caught while a call handled something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which call.
    pub call: CallId,
    /// What it was handling.
    pub input: &'static str,
}

/// What is asked of the store. `now` is the store's own wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// The live order of this line (or of no line in particular) with this code.
    Code {
        /// The line.
        line: Number,
        /// As keyed.
        code: Code,
    },
    /// The one live order of this line to which this number is party; `Several` if there are more.
    Party {
        /// The line.
        line: Number,
        /// The caller.
        number: Number,
    },
    /// The live order on which this number was last called through this line.
    Redial {
        /// The line.
        line: Number,
        /// The caller.
        number: Number,
        /// How far back to look.
        within: Duration,
    },
    /// Whom this caller reaches who dialled this number of the pool.
    Pair {
        /// The number dialled.
        line: Number,
        /// The caller, if that can be told.
        number: Option<Number>,
    },
    /// Whether calls of this number are blocked, whomever they are for.
    Caller {
        /// The line called.
        line: Number,
        /// Who calls.
        caller: Number,
    },
    /// Whether this party may be called now: nobody is blocked from whom, they are not to be left in peace, and the order
    /// has calls left, of which one is taken.
    Permit {
        /// The line called.
        line: Number,
        /// Who calls, where that is known.
        caller: Option<Number>,
        /// Who is to be called.
        callee: Number,
        /// On which order, where it is about one.
        code: Option<Code>,
    },
    /// Nothing: answered `Nothing` by the same way, so that a locked-out caller cannot tell by the clock.
    Nothing,
}

/// What the store answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// No such live order.
    Nothing,
    /// More than one.
    Several,
    /// The order.
    Order(Box<Order>),
    /// The pair.
    Pair(Box<Pair>),
    /// Nothing forbids it.
    Permitted,
    /// This does.
    Forbidden(Forbidden),
    /// The store failed; the caller is treated as if the order were unknown, the record says otherwise.
    Failed,
}

impl Finding {
    /// The order that was found.
    pub(crate) fn order(self) -> Option<Box<Order>> {
        match self {
            Self::Order(order) => Some(order),
            Self::Nothing
            | Self::Several
            | Self::Pair(_)
            | Self::Permitted
            | Self::Forbidden(_)
            | Self::Failed => None,
        }
    }
}

/// Why somebody is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// The caller is blocked.
    Blocked,
    /// The callee is to be left in peace at this hour.
    Quiet,
    /// The order has had all its calls.
    UsedUp,
}

/// A live order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its code.
    pub code: Code,
    /// Who delivers.
    pub courier: Party,
    /// Who receives.
    pub client: Party,
    /// Whatever the shop attached, as JSON text; echoed in records and events.
    pub data: Option<Box<str>>,
}

/// A pair, as it is for a caller who dialled one of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Its name.
    pub id: PairId,
    /// Which party the caller is.
    pub caller: Role,
    /// The language they hear; the line's if `None`.
    pub language: Option<Language>,
    /// Whom they reach.
    pub across: Across,
    /// What is another for this pair than for others.
    pub manner: Manner,
    /// Whatever the shop attached, as JSON text; echoed in records and events.
    pub data: Option<Box<str>>,
}

/// Whom a caller of the pool reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// The other party.
    Party {
        /// Who.
        party: Party,
        /// Which of our numbers they see: the one they would dial themselves.
        shown: Number,
    },
    /// Whoever is there for those who call after the end.
    Fallback(Number),
    /// Nobody: calls do not go this way, or nobody has called who could be called back.
    Nobody,
}

/// What may be another for one call than for others of its line; the line's where it is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// How long two may talk.
    pub max_call: Option<Duration>,
    /// Our patience with the callee.
    pub ring_timeout: Option<Duration>,
    /// Whether the call is recorded.
    pub record: Option<bool>,
}

/// One party of an order or a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// Their number.
    pub number: Number,
    /// The language they hear; the line's if `None`.
    pub language: Option<Language>,
}

/// Something happened to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Which call.
    pub call: CallId,
    /// When.
    pub at: Instant,
    /// What.
    pub what: Happening,
}

/// Something happened to a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkNotice {
    /// Its name.
    pub trunk: Box<str>,
    /// When.
    pub at: Instant,
    /// What.
    pub what: TrunkHappening,
}

/// What happened to a trunk; becomes an event `trunk.…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkHappening {
    /// `trunk.registered`: it knows where to send calls.
    Registered {
        /// For how long; it is renewed before.
        expires: Duration,
    },
    /// `trunk.unregistered`: it does not, or no more.
    Unregistered {
        /// The status that refused it; `None`: nobody answered, it expired, or we ended it.
        status: Option<u16>,
    },
    /// `trunk.up`: it answers.
    Up,
    /// `trunk.down`: it does not.
    Down,
}

/// What happened; becomes an event `call.…` (see the interface documentation).
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// `call.arrived`.
    Arrived {
        /// The line.
        line: Number,
        /// The trunk it came by.
        trunk: ua::TrunkId,
        /// The caller, if one can be told and trusted.
        caller: Option<Number>,
        /// What became of verifying them, where that is done.
        verification: Option<Verification>,
        /// Who was said to call, where that is not believed.
        claimed: Option<Number>,
    },
    /// `call.originated`: we begin a call ourselves.
    Originated {
        /// Whose manner it has.
        line: Number,
        /// What the shop attached to the callback.
        data: Option<Box<str>>,
    },
    /// `callback.first-answered`: the first side has taken the call.
    FirstAnswered {
        /// Who of it.
        number: Option<Number>,
    },
    /// `callback.second-answered`: the second side has taken the call.
    SecondAnswered {
        /// Who of it.
        number: Option<Number>,
    },
    /// `call.asked`: the caller is answered and asked for a code.
    Asked,
    /// `call.code`: a code was keyed and looked up.
    Code {
        /// As keyed.
        code: Code,
        /// Whether there is such an order.
        found: bool,
    },
    /// `call.matched`: the caller is a party.
    Matched {
        /// The order's code.
        code: Code,
        /// Which party the caller is.
        caller: Role,
        /// What the shop attached to the order.
        data: Option<Box<str>>,
    },
    /// `call.matched`: the caller is one of a pair.
    Paired {
        /// Which pair.
        pair: PairId,
        /// Which party the caller is.
        caller: Role,
        /// What the shop attached to the pair.
        data: Option<Box<str>>,
    },
    /// `call.dialling`: the other side is being called.
    Dialling {
        /// Whom.
        callee: Callee,
        /// Their number, where they have one.
        number: Option<Number>,
        /// Which of our numbers they see.
        shown: Number,
    },
    /// `call.ringing`: the other side rings.
    Ringing,
    /// `call.bridged`: both talk.
    Bridged,
    /// `call.operator`: the caller asked for an operator.
    Operator,
    /// `hook.failed`: a hook said nothing that can be done, or not all of it.
    HookFailed {
        /// Which, by its name in the configuration.
        hook: Box<str>,
        /// What was wrong, without numbers and secrets.
        fault: Box<str>,
    },
    /// `call.restored`: the node died, is back, and both talk on. This is what is known of the call.
    Restored(Box<Record>),
    /// `recording.paused`: what is said is not recorded.
    RecordingPaused,
    /// `recording.resumed`: what is said is recorded again.
    RecordingResumed,
    /// `call.ended`. The record follows.
    Ended {
        /// Who ended it and why.
        outcome: crate::record::Outcome,
    },
}

impl Happening {
    /// The last word of the event's type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Arrived { .. } => "arrived",
            Self::Originated { .. } => "originated",
            Self::FirstAnswered { .. } => "first-answered",
            Self::SecondAnswered { .. } => "second-answered",
            Self::Asked => "asked",
            Self::Code { .. } => "code",
            Self::Matched { .. } | Self::Paired { .. } => "matched",
            Self::Dialling { .. } => "dialling",
            Self::Ringing => "ringing",
            Self::Bridged => "bridged",
            Self::Operator => "operator",
            Self::HookFailed { .. } => "hook failed",
            Self::Restored(_) => "restored",
            Self::RecordingPaused => "paused",
            Self::RecordingResumed => "resumed",
            Self::Ended { .. } => "ended",
        }
    }
}

/// Which party of an order or a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Who delivers.
    Courier,
    /// Who receives.
    Client,
    /// The first of a pair.
    A,
    /// The second of a pair, or whoever calls a party that has none.
    B,
}

impl Role {
    /// The word in records, events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Courier => "courier",
            Self::Client => "client",
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The one across.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Courier => Self::Client,
            Self::Client => Self::Courier,
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Callee {
    /// The word in events and the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Party(role) => role.word(),
            Self::Operator => "operator",
            Self::Fallback => "fallback",
            Self::First => "first",
            Self::Second => "second",
            Self::Named => "named",
        }
    }
}

/// Whom we dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Callee {
    /// The other party of the order or the pair.
    Party(Role),
    /// The line's operator.
    Operator,
    /// Whoever is there for those who call a pair after its end.
    Fallback,
    /// The first side of a callback, in the place of a caller.
    First,
    /// The second side of a callback.
    Second,
    /// Whom a hook named.
    Named,
}
