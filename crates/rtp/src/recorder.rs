//! What two sides say, put on one clock.
//!
//! The clock begins with the recording. What was said in a packet is put where the clock stood while it was said, and
//! what follows it where its timestamp says, so that jitter leaves no seams; only when the two differ too much
//! is it put anew. The mix is handed out a while behind, so that what comes late is still in it.

use std::time::Duration;

use clock::Instant;

use crate::codec::ClockRate;
use crate::{Recording, SessionId, Sink};

/// Pairs that are held: half a second.
const RING: usize = 4096;
/// How far behind the mix is handed out: 200 ms.
const DELAY: u64 = 1600;
/// How much is handed out at a time: 100 ms.
const CHUNK: u64 = 800;
const CHUNK_TIME: Duration = Duration::from_millis(100);
/// How far timestamps and arrival may differ before a side is put anew: 160 ms.
const TOLERANCE: u64 = 1280;

/// Which of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The session that is recorded.
    Left,
    /// Its bridged peer.
    Right,
}

/// A recording that runs.
#[derive(Debug)]
pub(crate) struct Recorder {
    session: SessionId,
    began: Instant,
    /// Pairs handed out; the ring holds those after them.
    written: u64,
    ring: Box<[[i16; 2]]>,
    /// Which timestamp of which stream lies where.
    anchors: [Option<Anchor>; 2],
    next_at: Instant,
    paused: bool,
    /// Nothing is put before this position: it was said in a pause.
    resumed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Anchor {
    ssrc: u32,
    timestamp: u32,
    position: u64,
}

impl Recorder {
    pub(crate) fn new(now: Instant, session: SessionId) -> Self {
        Self {
            session,
            began: now,
            written: 0,
            ring: vec![[0; 2]; RING].into_boxed_slice(),
            anchors: [None; 2],
            next_at: now + CHUNK_TIME,
            paused: false,
            resumed: 0,
        }
    }

    /// Takes in nothing from now on, or everything again. What lies before stays; what was said in the pause and comes
    /// later has no place any more.
    pub(crate) fn pause(&mut self, now: Instant, paused: bool) {
        if self.paused && !paused {
            self.resumed = self.position(now);
        }
        self.paused = paused;
    }

    /// When the next chunk is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.next_at
    }

    /// Hands out what is due.
    pub(crate) fn tick(&mut self, now: Instant, sink: &mut impl Sink) {
        if self.next_at <= now {
            self.next_at = now + CHUNK_TIME;
            let until = self.position(now).saturating_sub(DELAY);
            let whole = until.saturating_sub(self.written) / CHUNK * CHUNK;
            self.hand_out(self.written + whole, sink);
        }
    }

    /// Hands out all there is up to now, and ends.
    pub(crate) fn finish(mut self, now: Instant, sink: &mut impl Sink) {
        self.hand_out(self.position(now), sink);
        sink.record(self.session, Recording::End);
    }

    /// Puts what one side said into the mix: samples at 8 kHz, and where in which stream the first was taken.
    pub(crate) fn put(
        &mut self,
        now: Instant,
        side: Side,
        (ssrc, timestamp): (u32, u32),
        samples: impl ExactSizeIterator<Item = i16>,
        sink: &mut impl Sink,
    ) {
        let clock = self.position(now);
        let length = samples.len() as u64;
        // What the ring has no room for any more is due, whether or not somebody asked for it.
        self.hand_out((clock + TOLERANCE + length).saturating_sub(RING as u64), sink);
        if self.paused {
            return;
        }
        let said_at = clock.saturating_sub(length);
        let position = self.place(side, ssrc, timestamp, said_at);
        let channel = match side {
            Side::Left => 0,
            Side::Right => 1,
        };
        let end = self.written + RING as u64;
        for (position, sample) in (position..end).zip(samples) {
            if position >= self.written.max(self.resumed) {
                self.ring[index(position)][channel] = sample;
            }
        }
    }

    fn place(&mut self, side: Side, ssrc: u32, timestamp: u32, said_at: u64) -> u64 {
        let anchor = match side {
            Side::Left => &mut self.anchors[0],
            Side::Right => &mut self.anchors[1],
        };
        let follows = anchor.filter(|anchor| anchor.ssrc == ssrc).and_then(|anchor| {
            let step = timestamp.wrapping_sub(anchor.timestamp).cast_signed();
            anchor.position.checked_add_signed(step.into())
        });
        match follows.filter(|position| position.abs_diff(said_at) <= TOLERANCE) {
            Some(position) => position,
            None => {
                *anchor = Some(Anchor { ssrc, timestamp, position: said_at });
                said_at
            }
        }
    }

    fn hand_out(&mut self, until: u64, sink: &mut impl Sink) {
        while self.written < until {
            let start = index(self.written);
            let count = (until - self.written).min((RING - start) as u64);
            let chunk = &mut self.ring[start..start + count as usize];
            sink.record(self.session, Recording::Samples(chunk));
            chunk.fill([0; 2]);
            self.written += count;
        }
    }

    /// Where the clock of the recording stands.
    fn position(&self, now: Instant) -> u64 {
        let time = now.since(self.began);
        let rest = Duration::from_nanos(time.subsec_nanos().into());
        time.as_secs() * 8000 + u64::from(ClockRate::Hz8000.timestamps(rest))
    }
}

fn index(position: u64) -> usize {
    (position % RING as u64) as usize
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
