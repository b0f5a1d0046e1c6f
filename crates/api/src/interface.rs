//! What the API asks of the server that holds it, and what it is told when it starts.
//!
//! The seam is one bounded channel of [`Ask`]: each carries a `oneshot` for its answer. An ask that is not
//! answered within [`crate::ASK_TIMEOUT`] becomes a 503, so the server may drop what it cannot do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use b2bua::{CallId, Network, Recording, Stage, TrunkStatus, When};
use number::{Number, Plan};
use serde::Serialize;
use store::{Callback, NewEvent, StoreError};
use tokio::sync::oneshot;

use crate::metrics::Family;
use crate::privacy::Privacy;
use crate::token::Token;
use crate::user::User;

/// What only the server can do or tell.
#[derive(Debug)]
pub enum Ask {
    /// End a call.
    HangUp {
        /// Which.
        call: CallId,
        /// Whether there is such a call.
        reply: oneshot::Sender<bool>,
    },
    /// Pause or resume the recording of a call.
    PauseRecording {
        /// Which.
        call: CallId,
        /// Whether what is said is left out.
        paused: bool,
        /// What it came to; `None`: there is no such call.
        reply: oneshot::Sender<Option<Recording>>,
    },
    /// Keep a callback and begin it when it is time.
    Callback {
        /// It.
        callback: Box<Callback>,
        /// What is told with it.
        event: NewEvent,
        /// Once its texts are spoken and it is safe on the disk, or why it is not.
        reply: oneshot::Sender<Result<(), CallbackRefusal>>,
    },
    /// End a callback, if it has not come too far.
    CancelCallback {
        /// Which.
        call: CallId,
        /// Until when.
        when: When,
        /// How far it had come; `None`: it neither waits nor goes on.
        reply: oneshot::Sender<Option<Stage>>,
    },
    /// Forget the SIP messages of calls in which a number stands.
    EraseTraces {
        /// Which.
        number: Number,
        /// How many calls' were forgotten, and which calls go on, whose are kept.
        reply: oneshot::Sender<(u64, Vec<CallId>)>,
    },
    /// Say which SIP messages of a call are kept.
    Trace {
        /// Which.
        call: CallId,
        /// Whether for those who may not see telephone numbers.
        plain: bool,
        /// They, cut and masked; `None`: nothing is kept of such a call.
        reply: oneshot::Sender<Option<Trace>>,
    },
    /// Say what would happen to a call, without placing it.
    Simulate {
        /// The call.
        trial: Trial,
        /// What would happen.
        reply: oneshot::Sender<Simulation>,
    },
    /// Whether calls can be taken.
    Health(oneshot::Sender<Health>),
    /// Everything counted. Rendered here; the server only supplies the numbers.
    Metrics(oneshot::Sender<Vec<Family>>),
    /// How the trunks are.
    Trunks(oneshot::Sender<Vec<TrunkStatus>>),
    /// The configuration in force.
    Settings(oneshot::Sender<Vec<SettingsSection>>),
    /// The prompt library.
    Prompts(oneshot::Sender<Vec<PromptInfo>>),
    /// One prompt as a WAV file.
    Prompt {
        /// Language, as configured.
        language: String,
        /// Its key in the manifest.
        key: String,
        /// The file; `None` if there is no such prompt.
        reply: oneshot::Sender<Option<Vec<u8>>>,
    },
    /// Replace a prompt by this recording, for calls that begin from now on.
    ReplacePrompt {
        /// Language, as configured.
        language: String,
        /// Its key in the manifest.
        key: String,
        /// What will be heard.
        sound: Sound,
        /// The prompt as it now is.
        reply: oneshot::Sender<Result<PromptInfo, PromptRefusal>>,
    },
    /// Speak a text, and keep nothing of it.
    PreviewPrompt {
        /// Language, as configured.
        language: String,
        /// The text.
        text: String,
        /// A WAV file.
        reply: oneshot::Sender<Result<Vec<u8>, PromptRefusal>>,
    },
    /// Bring the shipped recording back.
    RestorePrompt {
        /// Language, as configured.
        language: String,
        /// Its key in the manifest.
        key: String,
        /// The prompt as it now is.
        reply: oneshot::Sender<Result<PromptInfo, PromptRefusal>>,
    },
}

/// What a prompt is replaced by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sound {
    /// A WAV file of any rate and channel count, at most [`crate::MAX_PROMPT`] bytes.
    Wav(bytes::Bytes),
    /// What is spoken of this text, of at most [`crate::MAX_TEXT`] characters.
    Text(String),
}

/// The SIP messages of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// In the order they came and went.
    pub messages: Vec<TracedMessage>,
    /// Older ones that were not kept.
    pub lost: u64,
    /// What became of verifying who calls, where that is done and known already.
    pub identity: Option<b2bua::Verification>,
}

/// A SIP message, as it may be shown: without credentials and keys, its telephone numbers as `privacy.numbers` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedMessage {
    /// Microseconds since 1970 by the wall clock.
    pub at_us: u64,
    /// Whose it is.
    pub leg: TraceLeg,
    /// Whether it came; it went otherwise.
    pub incoming: bool,
    /// `UDP`, `TCP`, `TLS`.
    pub transport: &'static str,
    /// Our listener, as peers see it.
    pub ours: SocketAddr,
    /// The other end.
    pub theirs: SocketAddr,
    /// The method; of a response that of its request.
    pub method: String,
    /// The status of a response.
    pub status: Option<u16>,
    /// The whole message.
    pub text: String,
}

/// A leg of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TraceLeg {
    /// Of whoever calls.
    Caller,
    /// Of the other party; the first attempt to reach them is 1.
    Callee(u8),
    /// Of the operator.
    Operator,
}

impl fmt::Display for TraceLeg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => f.write_str("caller"),
            Self::Callee(attempt) => write!(f, "callee {attempt}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// Why a callback was not accepted.
#[derive(Debug)]
pub enum CallbackRefusal {
    /// What a side is to hear cannot be spoken.
    Unspoken {
        /// Which: `first` or `second`.
        side: &'static str,
        /// Why, for a person.
        why: String,
    },
    /// The store could not keep it.
    Store(StoreError),
}

/// Why a prompt was not replaced or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptRefusal {
    /// No such language or key.
    Unknown,
    /// The text cannot be spoken; why, for a person.
    Unspoken(String),
    /// The recording cannot be used; the text says why, for a person.
    Unusable(String),
    /// The prompt directory cannot be written; the text says why, for a person.
    Failed(String),
}

/// A call to be thought through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Who calls; `None` for a caller who withholds the number.
    pub from: Option<Number>,
    /// The number dialled.
    pub to: Number,
    /// What is keyed: `0`-`9`, `*`, `#`; may be empty. At most 64.
    pub digits: String,
}

/// What would happen to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Simulation {
    /// In one word: `connected`, `operator`, `hook`, or the cause the record would carry (`unknown-line`, `no-input` …).
    pub outcome: String,
    /// Whom we would dial, if anyone.
    pub dialled: Option<Dialled>,
    /// One after the other.
    pub steps: Vec<Step>,
}

/// Whom a simulated call would dial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dialled {
    /// `courier`, `client` or `operator`.
    pub callee: String,
    /// Their number, `+` E.164, where they have one.
    pub number: Option<String>,
    /// The number they would see: always one of ours.
    pub shown: String,
    /// Name of the trunk.
    pub trunk: String,
}

/// One step of a simulated call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Milliseconds since the INVITE.
    pub at_ms: u64,
    /// The state of the call: `arriving`, `asking`, `finding`, `matching`, `dialling` …
    pub state: String,
    /// What happens, and why, in a sentence without telephone numbers.
    pub what: String,
    /// The prompt played, if one is.
    pub prompt: Option<String>,
}

/// Whether the node can take calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the node drains: running calls go on, new ones are refused.
    pub draining: bool,
    /// Calls now.
    pub calls: usize,
    /// Whatever else keeps the node from taking calls, one sentence each, without numbers or secrets.
    pub faults: Vec<String>,
}

/// A section of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingsSection {
    /// Its name; of one that may stand several times with its place: `trunk[0]`.
    pub section: String,
    /// All it may have.
    pub keys: Vec<Setting>,
}

/// A key of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// What it is; `set` for a secret, `null` where there is nothing.
    pub value: serde_json::Value,
    /// Whether nobody wrote that.
    pub default: bool,
}

/// One prompt of the library.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptInfo {
    /// Language, as configured: `ru`, `en`.
    pub language: String,
    /// Its key in the manifest.
    pub key: String,
    /// What is said; empty for tones and music.
    pub text: String,
    /// How long it is.
    pub seconds: f64,
    /// Whether an operator's own recording is played in place of the shipped one.
    pub replaced: bool,
}

/// What the API must know; may be replaced while it runs (`Gate::configure`).
#[derive(Debug, Clone)]
pub struct Settings {
    /// How national forms become E.164.
    pub plan: Plan,
    /// Who may do what.
    pub tokens: Vec<Token>,
    /// Who signs in with a password.
    pub users: Vec<User>,
    /// What holds for the console.
    pub console: ConsoleSettings,
    /// Who is believed to say for whom they ask and by what.
    pub proxies: Vec<Network>,
    /// Digits of a code by line: every line with service `orders`.
    pub lines: BTreeMap<Number, u8>,
    /// What holds for pairs.
    pub pool: PoolSettings,
    /// Every line, whatever its service.
    pub every_line: BTreeSet<Number>,
    /// Languages in the order `b2bua::Language` counts them: `["ru", "en"]`.
    pub languages: Vec<String>,
    /// Names of the webhooks, so that their dead letters can be found.
    pub webhooks: Vec<String>,
    /// Where recordings are, and the keys that open them.
    pub recordings: recording::Settings,
    /// How numbers stand in records, so that they can be searched by number.
    pub privacy: Privacy,
}

/// What holds for the console.
#[derive(Debug, Clone)]
pub struct ConsoleSettings {
    /// Whether there is one; without it nobody signs in.
    pub enabled: bool,
    /// What it is called.
    pub title: String,
    /// How long somebody who signed in is known at most.
    pub session: Duration,
    /// How long without a request.
    pub idle: Duration,
    /// Whether there is somewhere a card of whoever calls.
    pub card: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            title: "Bauta".to_owned(),
            session: Duration::from_secs(12 * 3_600),
            idle: Duration::from_secs(3_600),
            card: false,
        }
    }
}

/// What holds for pairs.
#[derive(Debug, Clone, Default)]
pub struct PoolSettings {
    /// Every number of ours: none of them can be a party.
    pub ours: BTreeSet<Number>,
    /// How long numbers rest for their phones after a pair that does not say.
    pub cool_off: Duration,
    /// Whether parties' numbers must be such as their countries give out.
    pub validate: bool,
    /// Countries whose numbers may be parties, by ISO 3166; any where there is none.
    pub countries: Vec<String>,
}
