//! Session descriptions (RFC 8866, which obsoletes RFC 4566) and offer/answer (RFC 3264) for calls with one
//! audio stream of G.711, G.722 or Opus, telephone-events and comfort noise.
//!
//! Nothing of a peer's description is ever copied into one of ours. What we write is composed from values on a
//! closed list: codec, payload type number, ptime, direction, the tag of a key, and the kind and transport of each media line
//! (an answer must repeat those, RFC 3264 §6), the latter two only where this crate knows the word.

mod address;
mod agree;
mod codec;
mod crypto;
mod description;
mod kept;
mod offer;
mod parse;
mod write;

pub use agree::{Agreed, Refused, Remote, answer, read_answer};
pub use codec::{ClockRate, Codec, OpusWishes};
pub use crypto::{KEY_LENGTH, Key, Keys, Secured, Security, Suite};
pub use description::{Description, Direction, ParseError};
pub use kept::Lines;
pub use offer::{Capabilities, Layout, Offer};
pub use write::{Local, renew, write_answer, write_offer};
