//! Whole calls in virtual time.

mod mask;
mod order_call;
mod recording;
mod shed;
mod sweep;
mod worlds;
