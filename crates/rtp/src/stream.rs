//! The one continuous stream a session sends, whatever its sources: prompts, key presses, the bridged peer.
//!
//! One SSRC; the sequence goes up by one with each packet; timestamps follow one media clock. Between prompt and peer
//! a receiver sees no other change than a marker (RFC 3551 §4.1). What the peer's stream lost on its way stays
//! lost, as a gap, so that the receiver conceals it (RFC 3550 §7.1), and what was overtaken keeps its place.

use clock::Instant;

use crate::chance::Identity;
use crate::codec::ClockRate;
use crate::packet::Header;
use crate::receiver::Place;
use crate::shortcut::{MAX_GAP, Progress};

/// After so many packets passed on without a break a shortcut is offered.
const SETTLED: u32 = 50;
/// It is offered again after as many as there were so far, and after no more than so many.
const OFFERED_AGAIN: u32 = 3000;

/// What the next packet is numbered with, and how the peer's numbers become ours.
#[derive(Debug)]
pub(crate) struct Stream {
    ssrc: u32,
    /// Of the next packet.
    sequence: u16,
    /// How fast timestamps run.
    rate: ClockRate,
    /// The timestamp of node time zero.
    epoch: u32,
    /// Where the audio sent so far ends, once there is any.
    end: Option<u32>,
    /// The last packet sent: when, and its timestamp.
    last: Option<(Instant, u32)>,
    /// Packets sent.
    pub(crate) packets: u64,
    /// Their payload octets.
    pub(crate) octets: u64,
    splice: Option<Splice>,
}

/// How the numbers of a peer's stream become ours, from its first packet here on.
#[derive(Debug, Clone, Copy)]
struct Splice {
    ssrc: u32,
    /// Their first sequence number; what was sent before it has no place here.
    base: u16,
    base_timestamp: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
    /// The newest packet: its numbers, and when it came.
    sequence: u16,
    timestamp: u32,
    at: Instant,
    /// Packets passed on since, and how many there are when a shortcut is offered.
    run: u32,
    offer_at: u32,
}

/// How a peer's numbers become those of a stream, for as long as nothing else is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) ssrc: u32,
    pub(crate) base: (u16, u32),
    pub(crate) sequence_offset: u16,
    pub(crate) timestamp_offset: u32,
    pub(crate) timestamp: u32,
    pub(crate) at: Instant,
}

impl Stream {
    pub(crate) fn new(now: Instant, identity: &Identity, rate: ClockRate) -> Self {
        Self {
            ssrc: identity.ssrc,
            sequence: identity.sequence,
            rate,
            epoch: identity.timestamp.wrapping_sub(rate.timestamps(now.0)),
            end: None,
            last: None,
            packets: 0,
            octets: 0,
            splice: None,
        }
    }

    pub(crate) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// How fast its timestamps run.
    pub(crate) fn rate(&self) -> ClockRate {
        self.rate
    }

    /// Another codec was agreed. Where timestamps run at another pace from now on, they go on from where they stand.
    pub(crate) fn run_at(&mut self, now: Instant, rate: ClockRate) {
        if rate == self.rate {
            return;
        }
        let timestamp = self.timestamp_now(now);
        self.rate = rate;
        self.epoch = timestamp.wrapping_sub(rate.timestamps(now.0));
        self.end = self.end.map(|_| timestamp);
        self.last = self.last.map(|_| (now, timestamp));
        self.splice = None;
    }

    /// The header of a packet of our own audio. `talkspurt`: it does not follow what was sent before it.
    pub(crate) fn prompt(&mut self, at: Instant, payload_type: u8, talkspurt: bool, length: u32) -> Header {
        let timestamp = match self.end {
            Some(end) if !talkspurt => end,
            Some(_) | None => self.timestamp_now(at),
        };
        self.splice = None;
        self.end = Some(timestamp.wrapping_add(length));
        self.own(at, payload_type, talkspurt, timestamp)
    }

    /// Whether more was said by now than there was time for, by more than so much.
    pub(crate) fn is_ahead(&self, now: Instant, length: u32) -> bool {
        let ahead = |end: u32| end.wrapping_sub(self.clock(now)).cast_signed();
        self.end.is_some_and(|end| ahead(end) > length.cast_signed())
    }

    /// So much time passes in which nothing is to be sent, as nothing is said.
    pub(crate) fn pause(&mut self, length: u32) {
        self.end = self.end.map(|end| end.wrapping_add(length));
    }

    /// The header of a packet of a key press. It begins at `timestamp`, or with this packet.
    pub(crate) fn event(&mut self, now: Instant, payload_type: u8, timestamp: Option<u32>) -> Header {
        self.splice = None;
        let begins_at = timestamp.unwrap_or_else(|| self.timestamp_now(now));
        self.own(now, payload_type, timestamp.is_none(), begins_at)
    }

    /// A key press is over: what comes next comes after it.
    pub(crate) fn event_ended(&mut self, timestamp: u32, duration: u16) {
        self.end = Some(timestamp.wrapping_add(duration.into()));
    }

    /// The header under which a packet of the peer goes out, but for its payload type. `None`: it has no place.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        incoming: &Header,
        place: Place,
        length: u32,
    ) -> Option<Header> {
        let known = self.splice.filter(|splice| splice.ssrc == incoming.ssrc);
        match (place, known) {
            (Place::Double | Place::Stray, _) | (Place::Late, None) => None,
            (Place::Late, Some(splice)) => splice.late(incoming).map(|(sequence, timestamp)| {
                self.packets += 1;
                Header { marker: false, payload_type: 0, sequence, timestamp, ssrc: self.ssrc }
            }),
            (Place::Ahead(_), Some(splice)) if splice.continues(now, incoming, self.rate) => {
                Some(self.pass(now, splice, incoming, incoming.marker, length))
            }
            (Place::First | Place::Ahead(_), _) => {
                let splice = self.splice_to(now, incoming);
                Some(self.pass(now, splice, incoming, true, length))
            }
        }
    }

    /// A packet of the peer's stream is not passed on: what follows it closes up.
    pub(crate) fn skip(&mut self, incoming: &Header, place: Place) {
        let (Some(splice), Place::Ahead(_)) = (&mut self.splice, place) else { return };
        let gap = incoming.sequence.wrapping_sub(splice.sequence);
        if splice.ssrc == incoming.ssrc && (1..=MAX_GAP).contains(&gap) {
            splice.sequence_offset = splice.sequence_offset.wrapping_sub(1);
            splice.sequence = incoming.sequence;
            splice.base = incoming.sequence;
            splice.base_timestamp = splice.timestamp;
            (splice.run, splice.offer_at) = (0, SETTLED);
        } else {
            self.splice = None;
        }
    }

    /// What the peer says is not passed on for a while: what it says next follows nothing.
    pub(crate) fn interrupt(&mut self) {
        self.splice = None;
    }

    /// Whether the peer's packets have gone on without a break for a while, so that a shortcut may be offered now.
    #[inline(always)]
    pub(crate) fn is_settled(&self) -> bool {
        self.splice.is_some_and(|splice| splice.run == splice.offer_at)
    }

    /// The course of the peer's stream, if `highest` is the newest that was passed on. It is not settled before as many have
    /// passed again.
    pub(crate) fn course(&mut self, highest: u32) -> Option<Course> {
        let splice = self.splice.as_mut()?;
        splice.offer_at = splice.run.saturating_add(splice.run.min(OFFERED_AGAIN));
        (splice.sequence == highest as u16).then_some(Course {
            ssrc: splice.ssrc,
            base: (splice.base, splice.base_timestamp),
            sequence_offset: splice.sequence_offset,
            timestamp_offset: splice.timestamp_offset,
            timestamp: splice.timestamp,
            at: splice.at,
        })
    }

    /// The peer's packets went on by a shortcut. `length` is that of the newest, in timestamps.
    pub(crate) fn passed(&mut self, progress: &Progress, length: u32) {
        let Some(splice) = &mut self.splice else { return };
        let sequence = (progress.highest as u16).wrapping_add(splice.sequence_offset);
        let timestamp = progress.timestamp.wrapping_add(splice.timestamp_offset);
        splice.sequence = progress.highest as u16;
        splice.timestamp = progress.timestamp;
        splice.at = progress.at;
        let end = timestamp.wrapping_add(length);
        self.end = self.end.map(|before| later(before, end));
        self.sequence = sequence.wrapping_add(1);
        self.last = Some((progress.at, timestamp));
        self.packets += progress.packets;
        self.octets += progress.octets;
    }

    /// The timestamp of this moment, for a sender report (RFC 3550 §6.4.1).
    pub(crate) fn timestamp_at(&self, now: Instant) -> u32 {
        match self.last {
            Some((at, timestamp)) => timestamp.wrapping_add(self.rate.timestamps(now.since(at))),
            None => self.clock(now),
        }
    }

    fn own(&mut self, at: Instant, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        let sequence = self.sequence;
        self.sent(at, sequence, timestamp);
        Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    fn pass(&mut self, now: Instant, splice: Splice, incoming: &Header, marker: bool, length: u32) -> Header {
        let sequence = incoming.sequence.wrapping_add(splice.sequence_offset);
        let timestamp = incoming.timestamp.wrapping_add(splice.timestamp_offset);
        let Header { sequence: theirs, timestamp: theirs_at, .. } = *incoming;
        let run = splice.run.saturating_add(1);
        self.splice = Some(Splice { at: now, sequence: theirs, timestamp: theirs_at, run, ..splice });
        let end = timestamp.wrapping_add(length);
        self.end = Some(self.end.map_or(end, |before| later(before, end)));
        self.sent(now, sequence, timestamp);
        Header { marker, payload_type: 0, sequence, timestamp, ssrc: self.ssrc }
    }

    fn sent(&mut self, at: Instant, sequence: u16, timestamp: u32) {
        self.sequence = sequence.wrapping_add(1);
        self.last = Some((at, timestamp));
        self.packets += 1;
    }

    fn splice_to(&self, now: Instant, incoming: &Header) -> Splice {
        Splice {
            ssrc: incoming.ssrc,
            base: incoming.sequence,
            base_timestamp: incoming.timestamp,
            sequence_offset: self.sequence.wrapping_sub(incoming.sequence),
            timestamp_offset: self.timestamp_now(now).wrapping_sub(incoming.timestamp),
            sequence: incoming.sequence,
            timestamp: incoming.timestamp,
            at: now,
            run: 0,
            offer_at: SETTLED,
        }
    }

    /// Where the media clock stands, but never before the end of what was sent.
    fn timestamp_now(&self, now: Instant) -> u32 {
        let clock = self.clock(now);
        self.end.map_or(clock, |end| later(end, clock))
    }

    fn clock(&self, now: Instant) -> u32 {
        self.epoch.wrapping_add(self.rate.timestamps(now.0))
    }
}

impl Splice {
    /// Whether a packet ahead of all others goes on where they were: after a loss at most, with a timestamp later than
    /// theirs and not later than it can be: one that runs ahead of time by more than a second has jumped.
    fn continues(&self, now: Instant, incoming: &Header, rate: ClockRate) -> bool {
        let gap = incoming.sequence.wrapping_sub(self.sequence);
        let step = incoming.timestamp.wrapping_sub(self.timestamp);
        let possible = rate.timestamps(now.since(self.at)).saturating_add(rate.hertz());
        (1..=MAX_GAP).contains(&gap) && step.cast_signed() > 0 && step <= possible
    }

    /// The place that was kept for a packet which was overtaken.
    fn late(&self, incoming: &Header) -> Option<(u16, u32)> {
        let after = |base: u16| incoming.sequence.wrapping_sub(base);
        let kept = self.sequence.wrapping_sub(self.base);
        let in_time = incoming.timestamp.wrapping_sub(self.base_timestamp);
        let within = self.timestamp.wrapping_sub(self.base_timestamp);
        (after(self.base) < kept && in_time <= within).then(|| {
            (
                incoming.sequence.wrapping_add(self.sequence_offset),
                incoming.timestamp.wrapping_add(self.timestamp_offset),
            )
        })
    }
}

/// The later of two timestamps less than 2^31 samples apart.
fn later(one: u32, other: u32) -> u32 {
    if other.wrapping_sub(one).cast_signed() > 0 { other } else { one }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
