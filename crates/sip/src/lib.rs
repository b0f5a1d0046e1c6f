//! The language: SIP messages, headers, addresses, framing (RFC 3261 §7, §19, §20, §25).
//!
//! [`parse`] reads a datagram, [`Framer`] cuts a stream into messages, [`Compose`] writes. A message that was read
//! keeps its octets and an index into them; typed values are read from their line when they are asked for. What
//! every message must have was checked by then, so that asking for it cannot fail.

mod compose;
mod flow;
mod framer;
mod grammar;
mod header;
mod headers;
pub mod limits;
mod malformed;
mod message;
mod method;
mod name;
mod params;
mod parse;
mod refusal;
mod span;
mod status;
mod uri;

pub use compose::{Compose, NameAddr, Value, ValueWriter, ViaHop};
pub use flow::{Flow, Transport};
pub use framer::{Frame, Framer, FramingError};
pub use header::{
    Address, Addresses, Auth, CSeq, Items, MAGIC_COOKIE, MediaType, RAck, Reason, Refresher, Replaces,
    SessionExpires, Via,
};
pub use headers::Headers;
pub use malformed::{Fault, Malformed};
pub use message::{Message, Request, Response};
pub use method::{Extension, Method};
pub use name::Name;
pub use params::{Param, Params};
pub use parse::parse;
pub use status::Status;
pub use uri::{Host, Scheme, Uri, UriFault, UriParams, UriRef};
