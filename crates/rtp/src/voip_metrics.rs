//! The VoIP metrics block of RTCP's extended reports (RFC 3611 §4.7).

use crate::bursts::GMIN;

/// Octets behind the block's header.
pub(crate) const LENGTH: usize = 32;
/// Of the block.
pub(crate) const BLOCK_TYPE: u8 = 7;
/// What is written where a value is not known.
const UNKNOWN: u8 = 127;

/// How well a stream came in, as who receives it says. Of the block, what can be known of a stream that is passed on; the rest is
/// written as unknown and not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// Of which stream.
    pub ssrc: u32,
    /// Lost since the beginning, in 1/256.
    pub loss: u8,
    /// Came too late or too early to be played, in 1/256.
    pub discard: u8,
    /// Lost or discarded within bursts, in 1/256.
    pub burst_density: u8,
    /// And between them.
    pub gap_density: u8,
    /// How long bursts last in the mean, milliseconds.
    pub burst_ms: u16,
    /// And what is between them.
    pub gap_ms: u16,
    /// Milliseconds; 0 where it is not known.
    pub round_trip_ms: u16,
    /// Milliseconds that the receiver itself adds.
    pub end_system_ms: u16,
    /// R, 0 to 100 (ITU-T G.107).
    pub rating: Option<u8>,
    /// Mean opinion score of listening, in tenths, 10 to 50.
    pub listening: Option<u8>,
    /// And of conversing, for which delay counts.
    pub conversing: Option<u8>,
}

impl VoipMetrics {
    /// Reads what is behind the block's header. `None`: it is too short. What has no value that there is, is not known.
    pub(crate) fn read(octets: &[u8]) -> Option<Self> {
        let octets = octets.first_chunk::<LENGTH>()?;
        let pair = |place: usize| u16::from_be_bytes([octets[place], octets[place + 1]]);
        let score = |place: usize| Some(octets[place]).filter(|score| (10..=50).contains(score));
        Some(Self {
            ssrc: u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]),
            loss: octets[4],
            discard: octets[5],
            burst_density: octets[6],
            gap_density: octets[7],
            burst_ms: pair(8),
            gap_ms: pair(10),
            round_trip_ms: pair(12),
            end_system_ms: pair(14),
            rating: Some(octets[20]).filter(|rating| *rating <= 100),
            listening: score(22),
            conversing: score(23),
        })
    }

    /// What is behind the block's header. There is no jitter buffer here, nor a loudness that was measured.
    pub(crate) fn write(&self) -> [u8; LENGTH] {
        let mut octets = [0; LENGTH];
        octets[..4].copy_from_slice(&self.ssrc.to_be_bytes());
        octets[4..8].copy_from_slice(&[self.loss, self.discard, self.burst_density, self.gap_density]);
        let times = [self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms];
        for (place, time) in octets[8..16].as_chunks_mut::<2>().0.iter_mut().zip(times) {
            *place = time.to_be_bytes();
        }
        // Signal, noise and echo (§4.7.4).
        octets[16..20].copy_from_slice(&[UNKNOWN, UNKNOWN, UNKNOWN, GMIN]);
        let known = |value: Option<u8>| value.unwrap_or(UNKNOWN);
        octets[20..24].copy_from_slice(&[
            known(self.rating),
            UNKNOWN,
            known(self.listening),
            known(self.conversing),
        ]);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: VoipMetrics = VoipMetrics {
        ssrc: 0xDEAD_BEEF,
        loss: 1,
        discard: 2,
        burst_density: 3,
        gap_density: 4,
        burst_ms: 500,
        gap_ms: 60_000,
        round_trip_ms: 70,
        end_system_ms: 8,
        rating: Some(90),
        listening: Some(43),
        conversing: None,
    };

    #[test]
    fn what_is_written_is_laid_out_as_the_rfc_has_it_and_read_back() {
        let expected = [
            0xDE, 0xAD, 0xBE, 0xEF, 1, 2, 3, 4, 1, 0xF4, 0xEA, 0x60, 0, 70, 0, 8, 127, 127, 127, 16, 90, 127,
            43, 127, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(SOME.write(), expected);
        assert_eq!(VoipMetrics::read(&expected), Some(SOME));
    }

    #[test]
    fn values_that_there_are_not_are_unknown() {
        let mut octets = SOME.write();
        octets[20..24].copy_from_slice(&[101, 0, 9, 51]);
        let read = VoipMetrics::read(&octets).expect("it is long enough");
        assert_eq!((read.rating, read.listening, read.conversing), (None, None, None));
        assert_eq!(VoipMetrics::read(&octets[1..]), None);
    }
}
