//! What a phone is told before it begins.

use std::net::SocketAddr;
use std::time::Duration;

use ua::Credentials;

use crate::{Clothes, Sound};

/// One phone and its one call.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where it takes SIP; port 0 lets the system choose. Its voice comes and goes at the same address.
    pub bind: SocketAddr,
    /// Its own number, as it stands in From.
    pub number: String,
    /// What else it says about itself; nothing if `None`.
    pub clothes: Option<Clothes>,
    /// What it says for as long as it sends voice.
    pub says: Sound,
    /// A tone it waits to hear, in hertz.
    pub listen_for: Option<f32>,
    /// It hangs up so long after it first heard that tone; without one, after its last key, or after the answer where
    /// there are no keys. `None`: it waits for the other side.
    pub talk: Option<Duration>,
    /// It hangs up after so long whatever happened, or stops waiting for a call.
    pub patience: Duration,
    /// Who it is at a carrier that asks for proof.
    pub account: Option<Account>,
    /// What it does.
    pub does: Does,
}

/// Who a phone is at a carrier. Its password shows itself in no `Debug`.
#[derive(Debug, Clone)]
pub struct Account {
    /// Where the carrier's registrar is.
    pub server: SocketAddr,
    /// The Request-URI of a REGISTER: `sip:carrier.example`.
    pub registrar: String,
    /// What is registered, and who it is in From of its calls: `sip:74951234567@carrier.example`.
    pub aor: String,
    /// Seconds a binding is asked for, at least 1.
    pub expires: u32,
    /// What challenges are answered with.
    pub credentials: Credentials,
}

/// Which end of a call, or none.
#[derive(Debug, Clone)]
pub enum Does {
    /// It registers, takes that back, and is done: only whether it can.
    Register,
    /// It calls.
    Dial {
        /// The Request-URI, also of To.
        to: String,
        /// Where the INVITE is sent.
        server: SocketAddr,
        /// Keys it presses: `0`-`9`, `*`, `#`, `A`-`D`.
        keys: String,
        /// From the answer to the first key.
        after: Duration,
    },
    /// It waits for a call; with an account it registers first, and takes that back in the end.
    Answer {
        /// How long it rings.
        after: Duration,
        /// The status it refuses with instead of answering, 400 to 699.
        refuse: Option<u16>,
        /// Keys it presses.
        keys: String,
    },
}
