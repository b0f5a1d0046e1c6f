//! What a phone says while it goes on.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rtp::Law;
use ua::Ending;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Report {
    /// When.
    pub at: Instant,
    /// What.
    pub what: What,
}

/// What happens to a phone.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The carrier knows where it is.
    Registered {
        /// For how long.
        expires: Duration,
    },
    /// The carrier does not, or no more.
    Unregistered {
        /// The status that refused it; `None`: nobody answered, or it took it back.
        status: Option<u16>,
    },
    /// It sent its INVITE.
    Invited {
        /// The Request-URI.
        to: String,
    },
    /// The other side rings.
    Ringing,
    /// The other side answered.
    Answered,
    /// It is called.
    Called {
        /// User part of From: all a person sees of who calls.
        from: String,
        /// User part of the Request-URI.
        to: String,
    },
    /// It rings.
    Rang,
    /// It answered.
    Accepted,
    /// It refused with this status.
    Refused(u16),
    /// It presses a key.
    Key(char),
    /// A packet of voice came: its payload as it was.
    Voice {
        /// In which law.
        law: Law,
        /// One octet a sample.
        octets: Bytes,
    },
    /// The tone it waits for is there.
    Tone {
        /// Hertz.
        hertz: f32,
    },
    /// It hangs up.
    HangsUp,
    /// The call is over.
    Ended(Ending),
}
