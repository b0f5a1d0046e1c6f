//! Any session description is read or refused; what we answer to it can be read, and agreed to by whoever offered.

#![no_main]

use sdp::{Capabilities, Codec, Description, Local, Offer, Security, answer, read_answer, write_answer};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Ok(description) = Description::parse(octets) else { return };
    let codecs = Codec::ALL.to_vec();
    let capabilities =
        Capabilities { codecs, events: true, noise: true, ptime: 20, security: Security::Off, xr: true };
    if let Ok(agreed) = answer(&description, &capabilities) {
        let local = Local { address: [198, 51, 100, 1].into(), port: 20000, session: 4611, version: 7 };
        let written = Description::parse(&write_answer(&local, &description, &agreed))
            .expect("our own description can be read");
        read_answer(&written, &Offer::again(&capabilities, &agreed))
            .expect("our own answer can be agreed to");
    }
    // Whether it would do as an answer to us: only that the question is answered.
    let _ = read_answer(&description, &Offer::first(&capabilities));
});
