//! What a script hears and what it says.

use std::time::Duration;

/// What is said. The place of each in a language's part of the library is `Prompt::index`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Prompt {
    /// "Hello; enter the order number."
    Start,
    /// "For a specialist press hash."
    OperatorHint,
    /// "Enter the number, or press hash."
    Repeat,
    /// "You chose nothing; the number is in the SMS; goodbye."
    GoodbyeNoInput,
    /// "You chose nothing; goodbye."
    GoodbyeNothingChosen,
    /// "Connecting you to a specialist."
    OperatorConnecting,
    /// "All operators are busy; goodbye."
    OperatorUnavailable,
    /// "No such order."
    OrderUnknown,
    /// "Your number was not found."
    NumberUnknown,
    /// "Connecting you with the courier."
    WaitCourier,
    /// "Connecting you with the client."
    WaitClient,
    /// "The courier is calling about your delivery, order …"
    CourierCalling,
    /// "The client is calling about your delivery, order …"
    ClientCalling,
    /// "The courier seems unavailable; goodbye."
    CourierUnavailable,
    /// "The client seems unavailable; goodbye."
    ClientUnavailable,
    /// "Press 1 to accept the call."
    Confirm,
    /// "Press 1 to call back, or enter the order number."
    Redial,
    /// "This call is recorded."
    RecordingNotice,
    /// "If you do not want that, press …"
    RecordingChoice,
    /// "At this hour we do not disturb the other party."
    QuietHours,
    /// "This call cannot be put through; goodbye."
    NotPermitted,
    /// "There are too many calls; call again later; goodbye."
    TryLater,
    /// A warning tone.
    Beep,
    /// Hold music, a loop.
    Music,
    /// A spoken digit, 0 to 9.
    Digit(u8),
}

impl Prompt {
    /// How many prompts a language has.
    pub const COUNT: u16 = 34;

    /// Each prompt, in the order of `index`.
    pub const ALL: [Self; 34] = [
        Self::Start,
        Self::OperatorHint,
        Self::Repeat,
        Self::GoodbyeNoInput,
        Self::GoodbyeNothingChosen,
        Self::OperatorConnecting,
        Self::OperatorUnavailable,
        Self::OrderUnknown,
        Self::NumberUnknown,
        Self::WaitCourier,
        Self::WaitClient,
        Self::CourierCalling,
        Self::ClientCalling,
        Self::CourierUnavailable,
        Self::ClientUnavailable,
        Self::Confirm,
        Self::Redial,
        Self::Beep,
        Self::Music,
        Self::Digit(0),
        Self::Digit(1),
        Self::Digit(2),
        Self::Digit(3),
        Self::Digit(4),
        Self::Digit(5),
        Self::Digit(6),
        Self::Digit(7),
        Self::Digit(8),
        Self::Digit(9),
        Self::RecordingNotice,
        Self::RecordingChoice,
        Self::QuietHours,
        Self::NotPermitted,
        Self::TryLater,
    ];

    /// Its place in a language's part of the library, below `COUNT`.
    #[must_use]
    pub fn index(self) -> u16 {
        let at = Self::ALL.iter().position(|prompt| *prompt == self).expect("every prompt is in ALL");
        u16::try_from(at).expect("fewer than 65 536 prompts")
    }

    /// Its key in the manifest, the API and the documentation.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::OperatorHint => "operator-hint",
            Self::Repeat => "repeat",
            Self::GoodbyeNoInput => "goodbye-no-input",
            Self::GoodbyeNothingChosen => "goodbye-nothing-chosen",
            Self::OperatorConnecting => "operator-connecting",
            Self::OperatorUnavailable => "operator-unavailable",
            Self::OrderUnknown => "order-unknown",
            Self::NumberUnknown => "number-unknown",
            Self::WaitCourier => "wait-courier",
            Self::WaitClient => "wait-client",
            Self::CourierCalling => "courier-calling",
            Self::ClientCalling => "client-calling",
            Self::CourierUnavailable => "courier-unavailable",
            Self::ClientUnavailable => "client-unavailable",
            Self::Confirm => "confirm",
            Self::Redial => "redial",
            Self::RecordingNotice => "recording-notice",
            Self::RecordingChoice => "recording-choice",
            Self::QuietHours => "quiet-hours",
            Self::NotPermitted => "not-permitted",
            Self::TryLater => "try-later",
            Self::Beep => "beep",
            Self::Music => "music",
            Self::Digit(digit) => {
                ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"][usize::from(digit.min(9))]
            }
        }
    }
}

/// How a line's conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Digits of a code, 1 to 12. Default 5.
    pub code_length: u8,
    /// From the end of the first prompt to the hint. Default 1.5 s.
    pub hint_after: Duration,
    /// Patience with the caller. Default 8 s.
    pub input_timeout: Duration,
    /// Wrong codes in one call. Default 3.
    pub code_attempts: u8,
    /// Whether `#` reaches anyone.
    pub operator: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            code_length: 5,
            hint_after: Duration::from_millis(1500),
            input_timeout: Duration::from_secs(8),
            code_attempts: 3,
            operator: true,
        }
    }
}

/// The timers of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Say the hint.
    Hint,
    /// The caller keyed nothing (more).
    Input,
}

/// Everything a script can hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A key: `0`-`9`, `*`, `#`; others mean nothing.
    Digit(char),
    /// What was to be played has been played.
    Finished,
    /// The code was looked up.
    Found(Verdict),
    /// A timer is due.
    Fired(Timer),
}

/// What a look-up gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is no such order.
    Unknown,
    /// There is, and the caller is no party of it.
    Stranger,
    /// There is, and the caller is a party.
    Party,
}

/// Everything a script can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Play this instead of whatever plays; say `Finished` when it has been heard.
    Play(Prompt),
    /// Stop what plays.
    Stop,
    /// Look this code up; say `Found`.
    Find(crate::Code),
    /// Set or move a timer.
    Arm(Timer, Duration),
    /// Forget a timer.
    Disarm(Timer),
    /// The conversation is over. Nothing plays, no timer is set.
    Decided(Decision),
}

/// What a conversation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Connect the caller to the other party of the order found last.
    Connect,
    /// Connect the caller to whoever called them last.
    Redial,
    /// Connect the caller to the operator.
    Operator,
    /// Hang up: nothing was keyed.
    NoInput,
    /// Hang up: nothing was chosen after a wrong code or from a strange number.
    NothingChosen,
}
