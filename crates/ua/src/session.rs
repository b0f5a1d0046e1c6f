//! How long a session is believed in without a sign of the other side: RFC 4028. What is asked for, granted and agreed on;
//! who keeps to it is `leg::upkeep`.

use std::time::Duration;

use sip::{Compose, Headers, Name, Refresher, Status, Value, ValueWriter};

use crate::interface::Sessions;

/// The option tag (§4).
pub(crate) const TIMER: &str = "timer";
/// Nobody may ask for less (§4), in seconds.
const LEAST: u32 = 90;

/// What both sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Seconds.
    interval: u32,
    /// Whether we refresh.
    pub(crate) ours: bool,
}

impl Terms {
    /// As they were agreed on before.
    pub(crate) fn agreed(interval: u32, ours: bool) -> Self {
        Self { interval: interval.max(LEAST), ours }
    }

    /// The interval, in seconds.
    pub(crate) fn interval(self) -> u32 {
        self.interval
    }

    /// From one refresh of ours to the next: half the interval (§7.2).
    pub(crate) fn pause(self) -> Duration {
        Duration::from_secs(self.interval.into()) / 2
    }

    /// When a session that was not refreshed is over: a little before the interval is (§10).
    pub(crate) fn patience(self) -> Duration {
        Duration::from_secs((self.interval - (self.interval / 3).min(32)).into())
    }

    /// What a request that refreshes says.
    pub(crate) fn asked(self, least: u32) -> Asked {
        Asked { interval: self.interval, least, refresher: Some(Refresher::Uac) }
    }

    /// The same again, with this interval at least.
    pub(crate) fn raised(self, least: u32) -> Self {
        Self { interval: self.interval.max(least), ..self }
    }
}

/// What a request of ours asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    interval: u32,
    least: u32,
    /// Left to whoever answers the first INVITE (§7.1).
    refresher: Option<Refresher>,
}

impl Asked {
    pub(crate) fn first(sessions: Sessions) -> Self {
        Self { interval: sessions.interval, least: sessions.least, refresher: None }
    }

    /// What is asked for after a 422: more, with its Min-SE (§7.3). `None` where that says nothing that would help.
    pub(crate) fn after(refusal: &Headers, before: Self) -> Option<Self> {
        let least = refusal.min_se().filter(|least| *least > before.interval)?;
        Some(Self { interval: least, least, ..before })
    }

    /// Writes what is asked for, but not that session timers are known here.
    pub(crate) fn write(self, compose: Compose) -> Compose {
        compose
            .header(Name::SessionExpires, Interval { seconds: self.interval, refresher: self.refresher })
            .maybe(Name::MinSe, (self.least > LEAST).then_some(self.least))
    }
}

/// What a 2xx of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    seconds: u32,
    refresher: Refresher,
    /// Whether the other side knows of session timers, and must keep to it.
    is_known: bool,
}

impl Granted {
    /// Answers what a request says (§9, Table 2), in a session that runs on these terms. Without session timers of our own
    /// or a word of them from the other side there is nothing to say.
    pub(crate) fn to(request: &Headers, sessions: Option<Sessions>, running: Option<Terms>) -> Option<Self> {
        let sessions = sessions?;
        let is_known = is_known_to(request);
        let is_ours = running.is_none_or(|terms| terms.ours);
        let (seconds, refresher) = match request.session_expires() {
            Some(asked) => {
                // A proxy asked for it: whoever sent the request does not refresh.
                let refresher =
                    if is_known { asked.refresher.unwrap_or(Refresher::Uac) } else { Refresher::Uas };
                (asked.seconds.min(sessions.interval), refresher)
            }
            None if is_known => (sessions.interval, if is_ours { Refresher::Uas } else { Refresher::Uac }),
            // What runs goes on, as long as nobody else is needed for it.
            None => (running.filter(|terms| terms.ours)?.interval, Refresher::Uas),
        };
        let seconds = seconds.max(request.min_se().unwrap_or_default()).max(LEAST);
        Some(Self { seconds, refresher, is_known })
    }

    pub(crate) fn terms(self) -> Terms {
        Terms { interval: self.seconds, ours: self.refresher == Refresher::Uas }
    }

    /// Writes what is granted.
    pub(crate) fn write(self, compose: Compose) -> Compose {
        let interval = Interval { seconds: self.seconds, refresher: Some(self.refresher) };
        compose.header(Name::SessionExpires, interval).maybe(Name::Require, self.is_known.then_some(TIMER))
    }
}

/// What a 2xx to a request of ours says (§7.2). Without Session-Expires the session does not run out.
pub(crate) fn agreed(response: &Headers, sessions: Option<Sessions>) -> Option<Terms> {
    let expires = response.session_expires().filter(|_| sessions.is_some())?;
    Some(Terms { interval: expires.seconds.max(LEAST), ours: expires.refresher != Some(Refresher::Uas) })
}

/// Whether a request asks for less than we take. Only those who know of session timers can be told so (§9).
pub(crate) fn is_too_small(request: &Headers, sessions: Sessions) -> bool {
    is_known_to(request) && request.session_expires().is_some_and(|asked| asked.seconds < sessions.least)
}

/// Whether a refresh was refused with the number it must be at least.
pub(crate) fn least(status: Status, refusal: &Headers) -> Option<u32> {
    refusal.min_se().filter(|_| status == Status::SESSION_INTERVAL_TOO_SMALL)
}

fn is_known_to(request: &Headers) -> bool {
    request.has_token(Name::Supported, TIMER) || request.has_token(Name::Require, TIMER)
}

struct Interval {
    seconds: u32,
    refresher: Option<Refresher>,
}

impl Value for Interval {
    fn write(&self, to: &mut ValueWriter<'_>) {
        to.put(self.seconds);
        match self.refresher {
            Some(Refresher::Uac) => {
                to.put(";refresher=uac");
            }
            Some(Refresher::Uas) => {
                to.put(";refresher=uas");
            }
            None => {}
        }
    }
}
