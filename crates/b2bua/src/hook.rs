//! What a hook is asked, and what it may say. A hook is somebody else's program that decides what becomes of a call; how it is
//! reached is not known here.

use std::sync::Arc;
use std::time::Duration;

use ivr::Prompt;
use number::Number;

use crate::interface::{CallId, Language, Role};
use crate::record::Record;

/// A line's dealings with hooks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// What becomes of a caller whose hook says nothing that can be done.
    pub failure: HookFailure,
    /// Which hook callers are handed to who are no party of anything; `None`: none.
    pub strangers: Option<Box<str>>,
    /// Which hook is asked before a caller is connected to the other party; `None`: none.
    pub approval: Option<Approval>,
}

/// Who is asked before a caller is connected to the other party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The hook.
    pub hook: Box<str>,
    /// Whether they are connected where it says nothing.
    pub is_open: bool,
}

/// What becomes of a caller whose hook says nothing that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookFailure {
    /// The operator is called. Without one as `Refuse`.
    #[default]
    Reserve,
    /// What the hook said last to this caller, or to anyone on this line, is done once more; without that as `Reserve`.
    LastGood,
    /// The call is refused.
    Refuse,
}

/// A question to a hook.
#[derive(Debug, Clone, PartialEq)]
pub struct Consultation {
    /// Which call.
    pub call: CallId,
    /// Which hook, by its name in the configuration.
    pub hook: Box<str>,
    /// What is to be decided.
    pub matter: Matter,
    /// What is known of the call.
    pub record: Box<Record>,
    /// What the caller hears unless something else is said.
    pub language: Language,
}

/// What a hook is to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// What to do with the call.
    Directions {
        /// Which question of this call it is, from 1.
        question: u8,
        /// What the caller keyed since the last one; `None`: nothing was asked for.
        digits: Option<Box<str>>,
        /// What came of the last action.
        last: Option<Done>,
        /// Whether what it said before may stand in for an answer.
        may_repeat: bool,
    },
    /// Whether the caller may be connected to the other party.
    Approval {
        /// Which party the caller is.
        caller: Role,
        /// Who would be called.
        callee: Number,
    },
}

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Its word in an answer.
    pub action: &'static str,
    /// `done`, `digits`, `timeout`, or why the callee was not reached: the words of [`crate::Cause`].
    pub result: &'static str,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// What is to be done.
    pub verdict: Advised,
    /// What was wrong, in a sentence without numbers and secrets, though something may be done all the same.
    pub fault: Option<Box<str>>,
}

impl Advice {
    /// Nothing that can be done.
    #[must_use]
    pub fn failed(fault: impl Into<Box<str>>) -> Self {
        Self { verdict: Advised::Nothing, fault: Some(fault.into()) }
    }
}

/// What a hook decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Advised {
    /// Do this, in order. After the last the call is over.
    Do(Vec<Action>),
    /// They may be connected.
    Approved,
    /// They may not, for this reason, where one is given.
    Vetoed(Option<Box<str>>),
    /// Nothing that can be done: it is not there, late, or said something else.
    Nothing,
}

/// One thing to be done with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Refuse the caller with this status, or hang up if they are answered. The last.
    Reject {
        /// 400 to 699.
        status: u16,
    },
    /// Say something to the caller.
    Play(Vec<Speech>),
    /// Say something and take keys; then the hook is asked again. The last.
    Gather(Gather),
    /// Call somebody and join them. If they are not reached, what follows is done.
    Connect(Box<Connect>),
    /// Record the caller and whoever they talk to from now on, or leave out what is said from now on.
    Record(bool),
    /// Ask another hook. The last.
    Redirect(Box<str>),
    /// Call the line's operator. The last.
    Operator,
    /// End the call. The last.
    HangUp,
}

impl Action {
    /// Its word in an answer.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reject { .. } => "reject",
            Self::Play(_) => "play",
            Self::Gather(_) => "gather",
            Self::Connect(_) => "connect",
            Self::Record(_) => "record",
            Self::Redirect(_) => "redirect",
            Self::Operator => "operator",
            Self::HangUp => "hangup",
        }
    }

    /// Whether nothing can follow it.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self {
            Self::Reject { .. } | Self::Gather(_) | Self::Redirect(_) | Self::Operator | Self::HangUp => true,
            Self::Play(_) | Self::Connect(_) | Self::Record(_) => false,
        }
    }

    /// Whether the caller must be answered before.
    pub(crate) fn needs_answer(&self) -> bool {
        match self {
            Self::Play(_) | Self::Gather(_) | Self::Connect(_) | Self::Operator => true,
            Self::Reject { .. } | Self::Record(_) | Self::Redirect(_) | Self::HangUp => false,
        }
    }
}

/// Something to be said.
#[derive(Debug, Clone, PartialEq)]
pub enum Speech {
    /// A prompt of the library, in this language; `None`: the one the call is in.
    Prompt(Prompt, Option<Language>),
    /// Made from a text.
    Made(Arc<rtp::Prompt>),
}

/// Keys to be taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Gather {
    /// What is said before; nothing is silence.
    pub say: Vec<Speech>,
    /// How many keys at most, 1 to 32.
    pub count: u8,
    /// The key that says that there are no more, and is none of them.
    pub finish: Option<char>,
    /// Patience with each key.
    pub timeout: Duration,
    /// Whether a key ends what is said; otherwise keys count only after it.
    pub barge_in: bool,
}

/// Somebody to be called.
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// Whom.
    pub number: Number,
    /// As which of our lines; `None`: the one that was called.
    pub shown: Option<Number>,
    /// Our patience; `None`: the line's.
    pub ring_timeout: Option<Duration>,
    /// How long they may talk; `None`: the line's.
    pub max_call: Option<Duration>,
    /// What they hear before they are joined; nothing is nothing.
    pub whisper: Vec<Speech>,
    /// Whether they press 1 to accept; the patience is the line's, or 8 s.
    pub confirm: bool,
}
