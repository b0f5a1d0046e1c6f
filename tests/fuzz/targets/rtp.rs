//! Any datagram on the port of RTP is read in bounds or refused; a header and an event are written back to the same.

#![no_main]

use rtp::packet::HEADER_LENGTH;
use rtp::{Event, Packet};

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Ok(packet) = Packet::parse(octets) else { return };
    assert!(packet.payload.start >= HEADER_LENGTH);
    let header = packet.header.write();
    assert_eq!(Packet::parse(&header).expect("what we write is a packet").header, packet.header);
    if let Some(event) = Event::parse(&octets[packet.payload]) {
        assert_eq!(Event::parse(&event.write()), Some(event));
    }
});
