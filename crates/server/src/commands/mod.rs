//! What each command does.

pub(crate) mod bench;
pub(crate) mod callback;
pub(crate) mod check;
mod client;
pub(crate) mod demo;
mod import;
mod loopback;
pub(crate) mod order;
pub(crate) mod pair;
pub(crate) mod password;
pub(crate) mod phone;
pub(crate) mod recording;
pub(crate) mod simulate;
