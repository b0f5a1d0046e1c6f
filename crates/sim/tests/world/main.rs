//! Whole calls in virtual time.

mod callbacks;
mod contested;
mod early_media;
mod guarded;
mod hooks;
mod identity;
mod late_answer;
mod mask;
mod order_call;
mod own;
mod pairs;
mod profiles;
mod recording;
mod security;
mod sessions;
mod shed;
mod survival;
mod sweep;
mod trunks;
mod worlds;
