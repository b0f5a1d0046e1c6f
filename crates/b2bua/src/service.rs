//! What a line does with a call: how its route is found.

use std::time::Duration;

/// How the route of a call to a line is found. From there on all calls go one way.
#[derive(Debug, Clone, PartialEq)]
pub enum Service {
    /// The caller keys the code of an order.
    Orders(Orders),
    /// The caller's number and the one dialled name a pair.
    Pairs,
    /// Somebody else is asked what to do.
    Hook(HookLine),
    /// Everyone reaches the line's operator.
    Reserve,
}

/// What only calls on orders need.
#[derive(Debug, Clone, PartialEq)]
pub struct Orders {
    /// The conversation.
    pub script: ivr::Settings,
    /// How far back a call counts for redial; `None`: no redial. Default 2 h where it is on.
    pub redial: Option<Duration>,
    /// Connect a caller with exactly one live order without asking.
    pub ask_when_needed: bool,
    /// For how long wrong calls count together, and for how long a number is then locked out. Default 10 min.
    pub lockout: Duration,
}

/// What only calls need of which somebody else is asked what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookLine {
    /// Who is asked, by the name in the configuration.
    pub hook: Box<str>,
    /// Whether callers are answered before that; otherwise they hear it ring until the first action that needs an answer.
    pub answers_first: bool,
}

impl Service {
    /// What calls on orders need; `None`: this is another service.
    #[must_use]
    pub fn orders(&self) -> Option<&Orders> {
        match self {
            Self::Orders(orders) => Some(orders),
            Self::Pairs | Self::Hook(_) | Self::Reserve => None,
        }
    }
}
