//! What the tests of the whole program share: the program on a loopback network of its own, peers that write and
//! read SIP and RTP by themselves, real phones, and ears.
//!
//! Nothing here uses our SIP, SDP, RTP or user agent crates: a peer built on them would share their faults.

pub mod baresip;
pub mod browser;
pub mod canary;
pub mod config;
pub mod console;
pub mod dnsmasq;
pub mod frozen;
pub mod g711;
pub mod kamailio;
pub mod link;
pub mod linphone;
pub mod loopback;
pub mod openssl;
pub mod peer;
pub mod pki;
pub mod program;
pub mod prompts;
pub mod receiver;
pub mod scene;
pub mod shop;
pub mod sipp;
pub mod stir;
pub mod tone;
pub mod tool;
pub mod wait;
pub mod wav;
