//! Any datagram on the port of RTP is read in bounds or refused; a header and an event are written back to the same; and
//! what it carries is decoded by every codec, in bounds, whatever came before.

#![no_main]

use std::cell::RefCell;

use rtp::codec::{g722, opus};
use rtp::packet::{HEADER_LENGTH, MAX_LENGTH};
use rtp::{Event, Packet};

thread_local! {
    static G722: RefCell<g722::Decoder> = RefCell::default();
    static OPUS: RefCell<opus::Decoder> = RefCell::new(opus::Decoder::new().expect("there is memory"));
}

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Ok(packet) = Packet::parse(octets) else { return };
    assert!(packet.payload.start >= HEADER_LENGTH);
    let header = packet.header.write();
    assert_eq!(Packet::parse(&header).expect("what we write is a packet").header, packet.header);
    let payload = &octets[packet.payload];
    let mut samples = [0; 2 * MAX_LENGTH];
    G722.with_borrow_mut(|decoder| decoder.decode(payload, &mut samples));
    OPUS.with_borrow_mut(|decoder| {
        decoder.correct(payload, &mut samples);
        assert!(decoder.decode(payload, &mut samples) <= opus::LONGEST);
    });
    if let Some(event) = Event::parse(payload) {
        assert_eq!(Event::parse(&event.write()), Some(event));
    }
});
