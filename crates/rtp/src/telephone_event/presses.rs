//! Which packets belong to one key press.
//!
//! RFC 4733 says: one timestamp, one press; the marker on the first packet, the end flag on the last three. What comes
//! in breaks each of these: packets are lost, also all first or all last ones; some senders move the timestamp with
//! every packet; some send the next press under the same timestamp or an earlier one; some count durations in units of
//! their own. So a press is told by several signs together: the stream, the key, the timestamp, whether its end was
//! seen, whether the duration starts again, and how much time has passed.

use std::time::Duration;

use clock::Instant;

use super::Event;
use crate::codec::ClockRate;
use crate::packet::Header;

/// So many presses are remembered, so that what comes late is known again.
const MEMORY: usize = 4;
/// Within this of the last packet of a press, one with an older timestamp is late and no press of its own, and one with
/// a later timestamp and the same duration may go on with it.
const NEAR: Duration = Duration::from_millis(100);
/// Nobody lets a key go and presses it again faster; only a press played again from a file does, and it starts with
/// the duration its first packet had.
const RELEASED: Duration = Duration::from_millis(40);
/// A packet with a shorter duration than before that comes after this is of a press played again, whose first
/// packets were lost.
const REPLAYED: Duration = Duration::from_millis(200);
/// Timestamps that move with every packet move by one packet at a time: at most 60 ms, where 8000 are a second.
const STEP: u32 = 480;

/// What a packet of an event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sighting {
    /// A key goes down.
    Down,
    /// The key that went down last is held.
    Held,
    /// The key that went down last was let go.
    Up,
    /// A key went down and was let go: only the end of the press was seen.
    Tap,
    /// Late news of a press before the last one.
    Past,
}

/// The last presses seen, newest first.
#[derive(Debug, Default)]
pub(crate) struct Presses([Option<Press>; MEMORY]);

#[derive(Debug, Clone, Copy)]
struct Press {
    ssrc: u32,
    code: u8,
    /// Of the packet that went furthest.
    timestamp: u32,
    sequence: u16,
    duration: u16,
    /// The shortest duration seen: that of the first packet, if it was not lost.
    shortest: u16,
    ended: bool,
    /// Its timestamp moves with every packet.
    moving: bool,
    /// When it last went further.
    at: Instant,
}

/// A packet beside the press it may belong to.
struct Comparison<'a> {
    press: &'a Press,
    header: &'a Header,
    event: &'a Event,
    /// No other key went down since.
    latest: bool,
    /// Since the press last went further.
    elapsed: Duration,
    /// From the timestamp of the press to that of the packet.
    moved: i32,
    /// How fast timestamps run.
    rate: ClockRate,
}

impl Presses {
    /// Takes note of a packet; `event.code` is that of a key.
    pub(crate) fn see(&mut self, now: Instant, header: &Header, event: &Event, rate: ClockRate) -> Sighting {
        let belongs_to = self.candidate(header, event).filter(|place| {
            let press = self.0[*place].as_ref();
            press.is_some_and(|press| {
                Comparison::new(press, now, header, event, *place == 0, rate).belong_together()
            })
        });
        match belongs_to {
            Some(place) => {
                let press = self.0[place].as_mut();
                let ended_now = press.is_some_and(|press| press.go_on(now, header, event));
                match (place, ended_now) {
                    (0, true) => Sighting::Up,
                    (0, false) => Sighting::Held,
                    (_, true | false) => Sighting::Past,
                }
            }
            None => {
                self.0.rotate_right(1);
                self.0[0] = Some(Press::new(now, header, event));
                if event.end { Sighting::Tap } else { Sighting::Down }
            }
        }
    }

    /// The press a packet belongs to, if to any: the one with its timestamp, else the last one of its key.
    fn candidate(&self, header: &Header, event: &Event) -> Option<usize> {
        let of_this_key = |press: &Option<Press>| {
            press.is_some_and(|press| press.ssrc == header.ssrc && press.code == event.code)
        };
        let exact = |press: &Option<Press>| {
            of_this_key(press) && press.is_some_and(|press| press.timestamp == header.timestamp)
        };
        self.0.iter().position(exact).or_else(|| self.0.iter().position(of_this_key))
    }
}

impl Press {
    fn new(now: Instant, header: &Header, event: &Event) -> Self {
        Self {
            ssrc: header.ssrc,
            code: event.code,
            timestamp: header.timestamp,
            sequence: header.sequence,
            duration: event.duration,
            shortest: event.duration,
            ended: event.end,
            moving: false,
            at: now,
        }
    }

    /// Takes note of one more packet of this press; says whether its end is known.
    fn go_on(&mut self, now: Instant, header: &Header, event: &Event) -> bool {
        let moved = header.timestamp.wrapping_sub(self.timestamp).cast_signed();
        let wrapped = has_wrapped(self.duration, event.duration);
        let longer = event.duration > self.duration || (event.duration == self.duration && !self.ended);
        if moved > 0 || (moved == 0 && (wrapped || longer)) {
            let segment = moved > 0 && is_segment(moved.unsigned_abs());
            self.moving |= moved > 0 && !segment;
            self.timestamp = header.timestamp;
            self.sequence = header.sequence;
            self.duration = event.duration;
            self.at = now;
        }
        self.shortest = self.shortest.min(event.duration);
        self.ended |= event.end;
        self.ended
    }
}

impl<'a> Comparison<'a> {
    fn new(
        press: &'a Press,
        now: Instant,
        header: &'a Header,
        event: &'a Event,
        latest: bool,
        rate: ClockRate,
    ) -> Self {
        let elapsed = now.since(press.at);
        let moved = header.timestamp.wrapping_sub(press.timestamp).cast_signed();
        Self { press, header, event, latest, elapsed, moved, rate }
    }

    fn belong_together(&self) -> bool {
        if self.moved == 0 {
            !self.is_played_again()
        } else if self.press.ended || !self.latest {
            self.is_late_after_the_end()
        } else if self.moved < 0 {
            self.is_overtaken()
        } else {
            self.is_next_segment() || self.is_moving_timestamp()
        }
    }

    /// The same timestamp once more: the same press, unless its duration starts again after a pause.
    fn is_played_again(&self) -> bool {
        let Press { duration, shortest, ended, .. } = *self.press;
        let over = ended || !self.latest;
        let starts_again = over && self.event.duration <= shortest && self.elapsed >= RELEASED;
        let has_started_again = self.event.duration < duration
            && !has_wrapped(duration, self.event.duration)
            && self.elapsed >= REPLAYED;
        !self.event.end && (starts_again || has_started_again)
    }

    /// Another timestamp after the end: a new press, but for the repeated ends of a sender that moves the timestamp
    /// with every packet, and for packets that were overtaken by the end.
    fn is_late_after_the_end(&self) -> bool {
        let repeated = self.event.end && self.moved.unsigned_abs() <= self.step() && self.elapsed < NEAR;
        repeated || (!self.event.end && self.moved < 0 && self.is_overtaken())
    }

    fn step(&self) -> u32 {
        STEP * self.rate.factor()
    }

    fn is_overtaken(&self) -> bool {
        let behind = self.press.sequence.wrapping_sub(self.header.sequence).cast_signed();
        behind > 0 && self.elapsed < NEAR
    }

    /// A press longer than durations can say goes on under the timestamp at which they ended (RFC 4733 §2.5.1.3).
    fn is_next_segment(&self) -> bool {
        !self.header.marker && self.press.duration >= 0x8000 && is_segment(self.moved.unsigned_abs())
    }

    /// The timestamp moves with every packet of the press: then the duration grows as fast, or stays.
    fn is_moving_timestamp(&self) -> bool {
        let moved = self.moved.unsigned_abs();
        if self.event.duration > self.press.duration {
            let grown = u32::from(self.event.duration - self.press.duration);
            if grown * 4 >= moved.saturating_mul(3) && grown <= moved.saturating_mul(3) {
                return true;
            }
        }
        let steady = self.event.duration == self.press.duration && self.elapsed < NEAR;
        let passed = self.rate.timestamps(self.elapsed);
        let possible = moved <= passed.saturating_mul(2).saturating_add(self.step());
        !self.header.marker && possible && (steady || self.press.moving)
    }
}

/// How far one segment of a long press is from the next: the longest duration, rounded down to whole packets.
fn is_segment(moved: u32) -> bool {
    (0xF000..=0x1_0000).contains(&moved)
}

/// A duration that grew beyond 16 bits under one timestamp, where a new segment should have begun.
fn has_wrapped(before: u16, after: u16) -> bool {
    before >= 0xC000 && after < 0x4000
}

#[cfg(test)]
#[path = "presses_tests.rs"]
mod tests;
