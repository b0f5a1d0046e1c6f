//! Header field values, each read from the octets of its line (RFC 3261 §20).

mod address;
mod auth;
mod cseq;
mod dialog_ids;
mod list;
mod media_type;
mod numbers;
mod reason;
mod via;

pub use address::{Address, Addresses};
pub(crate) use address::{KeptAddress, is_address_list, is_star};
pub use auth::Auth;
pub use cseq::CSeq;
pub use dialog_ids::Replaces;
pub use list::Items;
pub use media_type::MediaType;
pub use numbers::{RAck, Refresher, SessionExpires};
pub use reason::Reason;
pub use via::{MAGIC_COOKIE, Via};

pub(crate) use numbers::delta_seconds;
pub(crate) use via::KeptVia;
