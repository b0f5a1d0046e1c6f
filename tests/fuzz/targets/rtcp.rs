//! Any datagram on the port of RTCP is read in bounds or refused; what it counts fits into it.

#![no_main]

use rtp::Compound;

/// Octets of a report block (RFC 3550 §6.4.1), and of a sender report without one.
const BLOCK: usize = 24;
/// Of VoIP metrics with their header (RFC 3611 §4.7).
const METRICS: usize = 36;
const SENDER_REPORT: usize = 28;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| {
    let Ok(compound) = Compound::parse(octets) else { return };
    assert!(compound.blocks().count() * BLOCK <= octets.len());
    assert!(compound.voip_metrics().count() * METRICS <= octets.len());
    assert!(compound.sender().is_none() || octets.len() >= SENDER_REPORT);
});
