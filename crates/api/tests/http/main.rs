//! The API from outside: the real application on a loopback socket, over a real store.

#![expect(clippy::unwrap_used, reason = "what is unwrapped here is what is tested")]

mod callbacks;
mod calls;
mod canaries;
mod contacts;
mod contract;
mod desk;
mod events;
mod guarding;
mod idempotency;
mod imports;
mod node;
mod orders;
mod pairs;
mod policy;
mod prompts;
mod receiver;
mod recordings;
mod records;
mod reveals;
mod sign_in;
mod sockets;
mod tour;
mod webhooks;
mod world;
