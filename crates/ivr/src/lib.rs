//! One conversation: digits in, prompts out. It knows no SIP and no RTP; it could run on a keyboard.

mod code;
mod interface;
mod script;

pub use code::Code;
pub use interface::*;
pub use script::Script;
