//! Whole calls in virtual time.

mod mask;
mod order_call;
mod profiles;
mod recording;
mod security;
mod sessions;
mod shed;
mod survival;
mod sweep;
mod trunks;
mod worlds;
