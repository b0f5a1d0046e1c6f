//! What comes in: where each packet stands in its stream, what is missing, how unevenly it comes (RFC 3550 §A.1,
//! §A.3, §A.8).

use clock::Instant;

use crate::bursts::{Bursts, Summary};
use crate::codec::ClockRate;
use crate::packet::Header;
use crate::shortcut::{MEMORY, Progress};

/// A sequence number this far ahead is a gap, further is a restart (§A.1, `MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3000;
/// So many packets in a row that we seem to have had already are a restart and no doubles.
const DOUBLES: u8 = 3;
/// Packets in a row that prove a restart far from where we were (§A.1).
const PROOF: u8 = 2;
/// A change of transit time beyond this is a jump of the sender's clock and says nothing about jitter: a second, in
/// timestamps of 8000 a second.
const JUMP: u32 = 8000;

/// Where a packet stands in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first of a stream, or of a stream that begins anew.
    First,
    /// Ahead of all before, by so many.
    Ahead(u16),
    /// Overtaken by others, and not seen before.
    Late,
    /// Seen before.
    Double,
    /// Far from all before: a stray, unless the next one follows it.
    Stray,
}

/// The statistics of what comes in, and the stream it comes in.
#[derive(Debug)]
pub(crate) struct Receiver {
    incoming: Option<Incoming>,
    lost_before: u64,
    /// How fast timestamps run.
    rate: ClockRate,
    /// Of the last stream that had any, in 1/16 of a timestamp.
    jitter: u32,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { incoming: None, lost_before: 0, rate: ClockRate::Hz8000, jitter: 0 }
    }
}

#[derive(Debug)]
struct Incoming {
    ssrc: u32,
    /// Sequence numbers with their wraps counted above.
    base: u32,
    highest: u32,
    received: u32,
    /// Bit n: the packet n before the highest was seen.
    seen: u64,
    suspect: Option<Suspect>,
    transit: Option<u32>,
    /// What became of packets that are no more among `seen`.
    bursts: Bursts,
    /// When the first and the newest packet of audio came.
    came: Option<(Instant, Instant)>,
    at_last_report: Counted,
}

#[derive(Debug, Clone, Copy)]
struct Suspect {
    next: u16,
    run: u8,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    expected: u32,
    received: u32,
}

/// What a report block says of what we receive (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reception {
    pub(crate) ssrc: u32,
    /// Since the report before, in 1/256.
    pub(crate) fraction_lost: u8,
    /// Since the stream began; negative after doubles.
    pub(crate) lost: i32,
    pub(crate) highest: u32,
    /// In timestamps.
    pub(crate) jitter: u32,
}

/// What an extended report says of what we receive (RFC 3611 §4.7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quality {
    pub(crate) ssrc: u32,
    /// Since the stream began, 0 to 1.
    pub(crate) loss: f32,
    pub(crate) bursts: Summary,
    /// From packet to packet, in the mean.
    pub(crate) packet_ms: f64,
}

impl Receiver {
    /// Takes note of a packet of audio. One of another stream than before begins that stream.
    pub(crate) fn place(&mut self, header: &Header) -> Place {
        if let Some(incoming) = self.incoming.as_mut().filter(|incoming| incoming.ssrc == header.ssrc) {
            let place = incoming.place(header.sequence);
            if place != Place::First {
                return place;
            }
        }
        self.lost_before = self.lost();
        self.incoming = Some(Incoming::new(header.ssrc, header.sequence));
        Place::First
    }

    /// Takes note of a packet beside the audio. It may be of a stream of its own, or count its packets apart, as the
    /// key presses of some senders do: then it has no place, and the stream of the audio goes on.
    pub(crate) fn place_beside(&mut self, header: &Header) -> Option<Place> {
        let beside = self
            .incoming
            .as_ref()
            .is_some_and(|incoming| incoming.ssrc != header.ssrc || incoming.is_far(header.sequence));
        (!beside).then(|| self.place(header))
    }

    /// Takes the time a packet of audio came (§A.8).
    #[inline(always)]
    pub(crate) fn arrived(&mut self, now: Instant, timestamp: u32, rate: ClockRate) {
        let Some(incoming) = &mut self.incoming else { return };
        if rate != self.rate {
            (self.rate, self.jitter, incoming.transit) = (rate, 0, None);
        }
        incoming.came = Some((incoming.came.map_or(now, |(first, _)| first), now));
        let transit = rate.timestamps(now.0).wrapping_sub(timestamp);
        if let Some(before) = incoming.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            if change <= JUMP * rate.factor() {
                self.jitter = self.jitter + change - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// Where the stream of an SSRC stands, for a shortcut to go on from: `None` if it may be about to begin anew. Times are
    /// not in it.
    pub(crate) fn progress(
        &self,
        ssrc: u32,
        timestamp: u32,
        at: Instant,
        paid_until: Instant,
    ) -> Option<Progress> {
        let incoming = self.incoming.as_ref()?;
        let is_steady = incoming.ssrc == ssrc && incoming.suspect.is_none();
        is_steady.then_some(Progress {
            packets: 0,
            octets: 0,
            highest: incoming.highest,
            received: incoming.received,
            seen: incoming.seen,
            timestamp,
            length: 0,
            begins: [0; 2],
            at,
            transit: incoming.transit?,
            jitter: self.jitter,
            paid_until,
        })
    }

    /// Its packets went on by a shortcut.
    pub(crate) fn passed(&mut self, progress: &Progress) {
        let Some(incoming) = &mut self.incoming else { return };
        incoming.highest = progress.highest;
        incoming.received = progress.received;
        incoming.seen = progress.seen;
        incoming.transit = Some(progress.transit);
        incoming.came = incoming.came.map(|(first, _)| (first, progress.at));
        self.jitter = progress.jitter;
    }

    /// The newest packet: its sequence number with its wraps counted above.
    pub(crate) fn highest(&self) -> Option<u32> {
        self.incoming.as_ref().map(|incoming| incoming.highest)
    }

    /// Packets expected and not received, of all streams so far (§A.3).
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before
            + self.incoming.as_ref().map_or(0, |incoming| incoming.lost().max(0).unsigned_abs().into())
    }

    /// Milliseconds.
    pub(crate) fn jitter_ms(&self) -> f32 {
        self.jitter as f32 * 1000.0 / (16.0 * self.rate.hertz() as f32)
    }

    /// How the stream came in since it began; `None` if there is none.
    pub(crate) fn quality(&self) -> Option<Quality> {
        let incoming = self.incoming.as_ref()?;
        let (expected, lost) = (incoming.expected(), incoming.lost().max(0).unsigned_abs());
        let (first, last) = incoming.came?;
        Some(Quality {
            ssrc: incoming.ssrc,
            loss: lost as f32 / expected.max(1) as f32,
            bursts: incoming.bursts_so_far().summary(),
            packet_ms: last.since(first).as_secs_f64() * 1000.0
                / f64::from(expected.saturating_sub(1).max(1)),
        })
    }

    /// The report block on what came since the one before; `None` if nothing did (§6.4).
    pub(crate) fn report(&mut self) -> Option<Reception> {
        let jitter = self.jitter >> 4;
        let incoming = self.incoming.as_mut()?;
        let now = Counted { expected: incoming.expected(), received: incoming.received };
        let before = std::mem::replace(&mut incoming.at_last_report, now);
        if now.received == before.received {
            return None;
        }
        let expected = now.expected.wrapping_sub(before.expected);
        let lost = expected.saturating_sub(now.received.wrapping_sub(before.received));
        let fraction = (u64::from(lost) << 8).checked_div(u64::from(expected)).unwrap_or(0);
        Some(Reception {
            ssrc: incoming.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: incoming.lost(),
            highest: incoming.highest,
            jitter,
        })
    }
}

impl Incoming {
    fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            base: sequence.into(),
            highest: sequence.into(),
            received: 1,
            seen: 1,
            suspect: None,
            transit: None,
            bursts: Bursts::default(),
            came: None,
            at_last_report: Counted::default(),
        }
    }

    fn place(&mut self, sequence: u16) -> Place {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        let behind = ahead.wrapping_neg();
        if ahead != 0 && ahead <= MAX_DROPOUT {
            self.forget(ahead);
            self.seen = self.seen.checked_shl(ahead.into()).unwrap_or(0) | 1;
            self.highest = self.highest.wrapping_add(ahead.into());
            self.received = self.received.wrapping_add(1);
            self.suspect = None;
            return Place::Ahead(ahead);
        }
        let of_this_stream = u32::from(behind) <= self.highest.wrapping_sub(self.base);
        if behind < MEMORY && of_this_stream {
            let bit = 1 << behind;
            self.received = self.received.wrapping_add(1);
            if self.seen & bit == 0 {
                self.seen |= bit;
                return Place::Late;
            }
            return self.suspect(sequence, DOUBLES, Place::Double);
        }
        self.suspect(sequence, PROOF, Place::Stray)
    }

    /// What is about to leave `seen`, as packets come so far ahead, is as it is for good.
    #[inline(always)]
    fn forget(&mut self, ahead: u16) {
        let ahead = u32::from(ahead);
        let kept = u64::BITS.saturating_sub(ahead);
        for place in (kept..self.expected().min(u64::BITS)).rev() {
            self.bursts.take(self.seen & (1 << place) != 0);
        }
        for _ in u64::BITS..ahead {
            self.bursts.take(false);
        }
    }

    fn bursts_so_far(&self) -> Bursts {
        let mut bursts = self.bursts;
        for place in (0..self.expected().min(u64::BITS)).rev() {
            bursts.take(self.seen & (1 << place) != 0);
        }
        bursts
    }

    /// Whether a packet is neither ahead by a gap nor late.
    fn is_far(&self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        ahead > MAX_DROPOUT && ahead.wrapping_neg() >= MEMORY
    }

    /// A stream that begins anew shows by several packets in a row which follow each other and not what was before.
    fn suspect(&mut self, sequence: u16, proof: u8, otherwise: Place) -> Place {
        let run = match self.suspect {
            Some(suspect) if suspect.next == sequence => suspect.run + 1,
            Some(_) | None => 1,
        };
        if run >= proof {
            return Place::First;
        }
        self.suspect = Some(Suspect { next: sequence.wrapping_add(1), run });
        otherwise
    }

    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    /// As a report block carries it: 24 bits with sign.
    fn lost(&self) -> i32 {
        let lost = i64::from(self.expected()) - i64::from(self.received);
        i32::try_from(lost.clamp(-0x80_0000, 0x7F_FFFF)).expect("clamped to 24 bits")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn header(ssrc: u32, sequence: u16) -> Header {
        Header { marker: false, payload_type: 8, sequence, timestamp: 0, ssrc }
    }

    fn places(sequences: &[u16]) -> (Receiver, Vec<Place>) {
        let mut receiver = Receiver::default();
        let places = sequences.iter().map(|sequence| receiver.place(&header(1, *sequence))).collect();
        (receiver, places)
    }

    #[test]
    fn packets_in_order_are_ahead_by_one_across_the_wrap() {
        let (receiver, places) = places(&[65534, 65535, 0, 1]);
        assert_eq!(places, [Place::First, Place::Ahead(1), Place::Ahead(1), Place::Ahead(1)]);
        assert_eq!(receiver.lost(), 0);
    }

    #[test]
    fn a_late_packet_is_taken_once_and_no_longer_lost() {
        let (receiver, places) = places(&[10, 12, 13, 11, 11, 13]);
        let expected =
            [Place::First, Place::Ahead(2), Place::Ahead(1), Place::Late, Place::Double, Place::Double];
        assert_eq!(places, expected);
        assert_eq!(receiver.lost(), 0);
    }

    #[test]
    fn a_gap_is_lost() {
        let (receiver, _) = places(&[10, 11, 15]);
        assert_eq!(receiver.lost(), 3);
    }

    #[test]
    fn a_stray_is_dropped_and_the_stream_goes_on() {
        let (receiver, places) = places(&[10, 40_000, 11, 41_000, 12]);
        assert_eq!(places, [Place::First, Place::Stray, Place::Ahead(1), Place::Stray, Place::Ahead(1)]);
        assert_eq!(receiver.lost(), 0);
    }

    #[test]
    fn a_restart_far_away_is_believed_at_its_second_packet() {
        let (receiver, places) = places(&[10, 40_000, 40_001, 40_002]);
        assert_eq!(places, [Place::First, Place::Stray, Place::First, Place::Ahead(1)]);
        assert_eq!(receiver.lost(), 0);
    }

    #[test]
    fn a_restart_a_little_behind_is_believed_at_its_third_packet() {
        let (_, places) = places(&[10, 11, 12, 13, 14, 10, 11, 12, 13]);
        assert_eq!(places[5..], [Place::Double, Place::Double, Place::First, Place::Ahead(1)]);
    }

    #[test]
    fn a_sender_that_sends_all_twice_is_no_restart() {
        let sequences: Vec<u16> = (0..50).flat_map(|sequence| [sequence, sequence]).collect();
        let (_, places) = places(&sequences);
        assert_eq!(places.iter().filter(|place| **place == Place::First).count(), 1);
        assert_eq!(places.iter().filter(|place| **place == Place::Double).count(), 50);
    }

    #[test]
    fn bursts_are_those_of_what_never_came_however_late_the_rest_did() {
        let mut receiver = Receiver::default();
        // Of 1000 packets 500 to 509 are lost, and 700; every tenth comes after the two that follow it.
        let lost = |sequence: &u16| (500..510).contains(sequence) || *sequence == 700;
        let mut sequences: Vec<u16> = (0..1000).collect();
        sequences.chunks_exact_mut(10).for_each(|ten| ten[..3].rotate_left(1));
        for sequence in sequences.into_iter().filter(|sequence| !lost(sequence)) {
            receiver.place(&header(1, sequence.wrapping_add(65_000)));
            receiver.arrived(Instant(Duration::from_millis(20 * u64::from(sequence))), 0, ClockRate::Hz8000);
        }
        let quality = receiver.quality().unwrap();
        assert_eq!(quality.bursts.burst_packets, 10.0);
        assert_eq!((quality.bursts.burst_density, quality.bursts.gap_packets), (1.0, 989.0));
        assert!((quality.packet_ms - 20.0).abs() < 0.1, "{}", quality.packet_ms);
        assert!((quality.loss - 0.011).abs() < 0.001, "{}", quality.loss);
    }

    #[test]
    fn a_gap_longer_than_memory_is_one_burst() {
        let (mut receiver, _) = places(&[0, 1, 2, 500, 501]);
        receiver.arrived(Instant(Duration::ZERO), 0, ClockRate::Hz8000);
        let bursts = receiver.quality().unwrap().bursts;
        assert_eq!((bursts.burst_packets, bursts.burst_density), (497.0, 1.0));
        assert_eq!(receiver.quality().unwrap().bursts.gap_packets, 5.0);
    }

    #[test]
    fn another_stream_keeps_what_the_one_before_lost() {
        let (mut receiver, _) = places(&[10, 15]);
        assert_eq!(receiver.place(&header(2, 500)), Place::First);
        assert_eq!(receiver.place(&header(2, 502)), Place::Ahead(2));
        assert_eq!(receiver.lost(), 5);
    }

    #[test]
    fn key_presses_of_a_stream_of_their_own_leave_the_audio_alone() {
        let (mut receiver, _) = places(&[10, 11]);
        assert_eq!(receiver.place_beside(&header(2, 500)), None);
        assert_eq!(receiver.place_beside(&header(1, 11)), Some(Place::Double));
        for sequence in 40_000..40_010 {
            assert_eq!(receiver.place_beside(&header(1, sequence)), None, "counted apart");
        }
        assert_eq!(receiver.place(&header(1, 12)), Place::Ahead(1));
    }

    #[test]
    fn jitter_follows_the_formula_and_a_clock_jump_does_not_count() {
        let (mut receiver, _) = places(&[0]);
        let at = |milliseconds| Instant(Duration::from_millis(milliseconds));
        for rate in [ClockRate::Hz8000, ClockRate::Hz48000] {
            let mut arrived = |milliseconds, timestamp| {
                receiver.arrived(at(milliseconds), timestamp * rate.factor(), rate);
                receiver.jitter_ms()
            };
            arrived(0, 0);
            assert_eq!(arrived(20, 160), 0.0);
            // 10 ms late: J += (80 - 0) / 16 samples.
            assert_eq!(arrived(50, 320), 5.0 / 8.0);
            assert_eq!(arrived(70, 900_000), 5.0 / 8.0);
        }
    }

    #[test]
    fn a_report_covers_what_came_since_the_one_before() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.report(), None);
        for sequence in [0, 1, 2, 5] {
            receiver.place(&header(9, sequence));
        }
        let report = receiver.report().unwrap();
        assert_eq!((report.ssrc, report.lost, report.highest), (9, 2, 5));
        assert_eq!(report.fraction_lost, (256 * 2 / 6) as u8);
        assert_eq!(receiver.report(), None);
        receiver.place(&header(9, 6));
        assert_eq!(receiver.report().unwrap().fraction_lost, 0);
    }
}
