//! A relay on loopback, with phones that send tones and measure what they hear.

mod bridge;
mod loopback;
mod phone;
mod prompts;
mod recordings;
mod sources;
mod stage;
mod ties;
