//! The far end of a call: a phone that follows a script, and a carrier that places calls by the thousand.
//!
//! [`Phone`] speaks SIP by [`ua`] and voice by [`rtp`], keeps every octet that went either way, and measures what it
//! heard. [`load`] is built for numbers instead and has a SIP of its own, so that it costs less than what it measures.

mod capture;
mod clothes;
pub mod load;
mod media;
mod phone;
mod report;
mod setup;
mod signalling;
mod sound;
pub mod tone;
mod traffic;
pub mod wav;

pub use capture::Heard;
pub use clothes::Clothes;
pub use phone::{Outcome, Phone};
pub use report::{Report, What};
pub use setup::{Account, Does, Setup};
pub use sound::{Sound, SoundError};
pub use traffic::{Datagram, Kind, Traffic};
pub use ua::{Credentials, Ending};
