//! Whole calls in virtual time.

mod mask;
mod order_call;
mod sweep;
mod worlds;
