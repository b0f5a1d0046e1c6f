//! RTP and RTCP packets by hand (RFC 3550, RFC 4733).

/// One RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Marker.
    pub marker: bool,
    /// Payload type.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// SSRC.
    pub ssrc: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Packet {
    /// Writes it.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = vec![0x80, self.payload_type | u8::from(self.marker) << 7];
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// Reads one. Strict: the program sends no CSRC, extension or padding, and a packet with any is `None`.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, payload) = bytes.split_first_chunk::<12>()?;
        (head[0] == 0x80).then(|| Self {
            marker: head[1] & 0x80 != 0,
            payload_type: head[1] & 0x7F,
            sequence: u16::from_be_bytes([head[2], head[3]]),
            timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
            ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
            payload: payload.to_vec(),
        })
    }
}

/// Payload of a telephone event (RFC 4733 §2.3).
#[must_use]
pub fn event(digit: char, end: bool, duration: u16) -> Option<Vec<u8>> {
    let code = u8::try_from("0123456789*#ABCD".find(digit)?).ok()?;
    let [high, low] = duration.to_be_bytes();
    Some(vec![code, u8::from(end) << 7 | 10, high, low])
}

/// The digit a payload names.
#[must_use]
pub fn digit(payload: &[u8]) -> Option<char> {
    "0123456789*#ABCD".chars().nth(usize::from(*payload.first()?))
}

/// A compound packet: a sender report without blocks and a CNAME (RFC 3550 §6.1).
#[must_use]
pub fn report(ssrc: u32, packets: u32, octets: u32, cname: &str) -> Vec<u8> {
    let mut bytes = vec![0x80, 200, 0, 6];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0; 12]);
    bytes.extend(packets.to_be_bytes());
    bytes.extend(octets.to_be_bytes());
    let mut chunk = ssrc.to_be_bytes().to_vec();
    chunk.extend([1, u8::try_from(cname.len()).expect("a CNAME is short")]);
    chunk.extend(cname.as_bytes());
    // At least one zero octet ends the chunk; more fill the word (§6.5).
    chunk.resize((chunk.len() / 4 + 1) * 4, 0);
    bytes.extend([0x81, 202]);
    bytes.extend(u16::try_from(chunk.len() / 4).expect("a chunk is short").to_be_bytes());
    bytes.extend(chunk);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_as_written() {
        let packet = Packet {
            marker: true,
            payload_type: 101,
            sequence: 65_535,
            timestamp: 0x8000_0001,
            ssrc: 7,
            payload: event('#', true, 1280).unwrap(),
        };
        assert_eq!(Packet::parse(&packet.write()), Some(packet.clone()));
        assert_eq!(digit(&packet.payload), Some('#'));
    }

    #[test]
    fn a_report_fills_whole_words() {
        for cname in ["a", "ab", "abc", "abcd", "abcde"] {
            let bytes = report(1, 2, 3, cname);
            let words = usize::from(u16::from_be_bytes([bytes[30], bytes[31]]));
            assert_eq!(bytes.len(), 28 + 4 + words * 4);
        }
    }
}
