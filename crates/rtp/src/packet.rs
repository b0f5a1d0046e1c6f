//! RTP packets (RFC 3550 §5.1).

use std::ops::Range;

use rtp_rs::{RtpReader, RtpReaderError};

/// Octets of a header without contributing sources and extension: the only kind we write.
pub const HEADER_LENGTH: usize = 12;

/// Nothing longer is read: what an Ethernet frame carries over IPv4 and UDP.
pub const MAX_LENGTH: usize = 1472;

/// What `packet` keeps of a header (RFC 3550 §5.1). Contributing sources and extensions are stepped over: they could
/// carry an identity across (RFC 7941).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// In G.711 the first packet after a silence (RFC 3551 §4.1), in telephone-events the first of an event.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// One more for each packet.
    pub sequence: u16,
    /// When the first sample was taken, in samples.
    pub timestamp: u32,
    /// The stream this belongs to.
    pub ssrc: u32,
}

impl Header {
    /// The header on the wire, with neither padding, extension nor contributing sources.
    #[must_use]
    pub fn write(&self) -> [u8; HEADER_LENGTH] {
        let mut octets = [0; HEADER_LENGTH];
        octets[0] = 0x80;
        octets[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7F);
        octets[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        octets[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        octets[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        octets
    }
}

/// A packet that was read: its header, and where in the buffer its payload lies, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The fixed header.
    pub header: Header,
    /// The payload; it may be empty. It never begins before `HEADER_LENGTH`.
    pub payload: Range<usize>,
}

/// Why octets are no RTP packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than its header says.
    #[error("shorter than its header says")]
    Truncated,
    /// Longer than `MAX_LENGTH`.
    #[error("longer than {MAX_LENGTH} octets")]
    TooLong,
    /// Not version 2: STUN, DTLS, or nothing at all.
    #[error("not version 2")]
    Version,
    /// Padding of length zero, or longer than what follows the header.
    #[error("padding does not fit")]
    Padding,
    /// RTCP on the port of RTP, which was not agreed: payload types 64 to 95 (RFC 5761 §4).
    #[error("RTCP on the port of RTP")]
    Control,
}

impl Packet {
    /// Reads a packet.
    ///
    /// # Errors
    /// Where RFC 3550 §A.1 says that this is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, PacketError> {
        if bytes.len() > MAX_LENGTH {
            return Err(PacketError::TooLong);
        }
        let reader = RtpReader::new(bytes).map_err(|error| match error {
            RtpReaderError::BufferTooShort(_) | RtpReaderError::HeadersTruncated { .. } => {
                PacketError::Truncated
            }
            RtpReaderError::UnsupportedVersion(_) => PacketError::Version,
            RtpReaderError::PaddingLengthInvalid(_) => PacketError::Padding,
        })?;
        let payload_type = reader.payload_type();
        if (64..=95).contains(&payload_type) {
            return Err(PacketError::Control);
        }
        let header = Header {
            marker: reader.mark(),
            payload_type,
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
        };
        let start = reader.payload_offset();
        Ok(Self { header, payload: start..start + reader.payload().len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Header =
        Header { marker: true, payload_type: 8, sequence: 0xFFFE, timestamp: 0x1234_5678, ssrc: 0xDEAD_BEEF };

    fn with(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = PLAIN.write().to_vec();
        bytes[0] = first;
        bytes.extend_from_slice(rest);
        bytes
    }

    fn payload(bytes: &[u8]) -> Result<&[u8], PacketError> {
        Packet::parse(bytes).map(|packet| &bytes[packet.payload])
    }

    #[test]
    fn what_is_written_reads_back() {
        let packet = Packet::parse(&PLAIN.write()).unwrap();
        assert_eq!(packet, Packet { header: PLAIN, payload: 12..12 });
    }

    #[test]
    fn contributing_sources_extension_and_padding_are_stepped_over() {
        assert_eq!(payload(&with(0x80, b"abc")).unwrap(), b"abc");
        assert_eq!(payload(&with(0x82, b"srcAsrcBabc")).unwrap(), b"abc");
        assert_eq!(payload(&with(0x90, b"\xBE\xDE\0\x01extnabc")).unwrap(), b"abc");
        assert_eq!(payload(&with(0x90, b"\xBE\xDE\0\0abc")).unwrap(), b"abc");
        assert_eq!(payload(&with(0xA0, b"abc\0\0\x03")).unwrap(), b"abc");
        assert_eq!(payload(&with(0xB1, b"srcA\xBE\xDE\0\x01extnabc\x01")).unwrap(), b"abc");
        assert_eq!(payload(&with(0xA0, b"\x01")).unwrap(), b"");
        let mut sources = vec![7; 60];
        sources.extend_from_slice(b"abc");
        assert_eq!(payload(&with(0x8F, &sources)).unwrap(), b"abc");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let cases: [(Vec<u8>, PacketError); 15] = [
            (vec![], PacketError::Truncated),
            (PLAIN.write()[..11].to_vec(), PacketError::Truncated),
            (with(0x81, b"src"), PacketError::Truncated),
            (with(0x8F, &[0; 59]), PacketError::Truncated),
            (with(0x90, b"\xBE\xDE\0"), PacketError::Truncated),
            (with(0x90, b"\xBE\xDE\0\x02extn"), PacketError::Truncated),
            (with(0x90, b"\xBE\xDE\xFF\xFFextn"), PacketError::Truncated),
            (with(0xA0, b""), PacketError::Truncated),
            (with(0xA0, b"abc\0"), PacketError::Padding),
            (with(0xA0, b"abc\x05"), PacketError::Padding),
            (with(0xB0, b"\xBE\xDE\0\x01extn\x01\x03"), PacketError::Padding),
            (with(0x00, b"abc"), PacketError::Version),
            (with(0x40, b"abc"), PacketError::Version),
            (with(0xC0, b"abc"), PacketError::Version),
            (with(0x80, &[0; MAX_LENGTH]), PacketError::TooLong),
        ];
        for (bytes, error) in cases {
            assert_eq!(Packet::parse(&bytes), Err(error), "{bytes:x?}");
        }
    }

    #[test]
    fn reports_on_the_port_of_packets_are_not_taken_for_audio() {
        let mut report = with(0x81, &[0; 20]);
        report[1] = 200;
        assert_eq!(Packet::parse(&report), Err(PacketError::Control));
    }
}
