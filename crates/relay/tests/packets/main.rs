//! A relay on loopback, with phones that send tones and measure what they hear.

mod bridge;
mod phone;
mod prompts;
mod recordings;
mod sources;
mod stage;

use rtp::Library;

/// A relay on 127.0.0.1 whose calls are not recorded.
fn on_loopback(library: Library) -> stage::Stage {
    stage::Stage::new(&["127.0.0.1"], library, "/nowhere".into())
}
