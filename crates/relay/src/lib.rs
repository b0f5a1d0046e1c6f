//! Sockets and threads that move packets, around the machine of `rtp`; recordings and prompt files.
//!
//! [`Relay::start`] binds every media socket and starts a thread for each worker. Commands go in by
//! [`Relay::send`], reports come out of the closure given at the start. Nothing of this waits for a worker, and no
//! worker waits for anything but packets, commands and time.

mod backend;
mod bell;
mod descriptors;
mod error;
mod here;
mod kernel;
mod lanes;
mod lost;
mod outbox;
mod ports;
mod prompt;
mod recorder;
mod relay;
mod sockets;
mod ties;
mod worker;

pub use backend::Io;
pub use error::StartError;
pub use kernel::{AtCards, Cards, Hook, KernelError};
pub use lost::{Lost, Meter};
pub use ports::Usable;
pub use prompt::{PromptError, read_prompt, write_wav};
pub use relay::{Relay, Settings};
