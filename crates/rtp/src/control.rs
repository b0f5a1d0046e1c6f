//! The reports of one session: ours, made by us alone, and what theirs say of our stream (RFC 3550 §6).

use std::time::Duration;

use clock::Instant;

use crate::VoipMetrics;
use crate::chance::Identity;
use crate::receiver::Reception;
use crate::rtcp::{Compound, ReportBlock, SenderInfo, Writer};
use crate::stream::Stream;

/// A round trip longer than this, in 1/65536 s, is a wrong one: a minute.
const LONGEST: i32 = 60 << 16;
/// Their delay is rounded, so that a very short way may come out a little below zero.
const SHORTEST: i32 = -66;

/// RTCP of one session.
#[derive(Debug)]
pub(crate) struct Control {
    cname: [u8; 16],
    epoch: u64,
    next_at: Instant,
    /// Packets of ours in the last report: who sent nothing since says so by a receiver report (§6.4).
    reported: u64,
    /// The last sender report of theirs: the middle of its time, and when it came.
    theirs: Option<(u32, Instant)>,
    /// Whether we ever sent a report; who never sent anything does not take leave (§6.3.7).
    spoke: bool,
    first_sequence: u16,
    remote_loss: Option<f32>,
    round_trip: Option<Duration>,
    metrics: Option<VoipMetrics>,
}

impl Control {
    pub(crate) fn new(identity: &Identity, next_at: Instant) -> Self {
        Self {
            cname: identity.cname,
            epoch: identity.epoch,
            next_at,
            reported: 0,
            theirs: None,
            spoke: false,
            first_sequence: identity.sequence,
            remote_loss: None,
            round_trip: None,
            metrics: None,
        }
    }

    /// When the next report is due.
    pub(crate) fn due_at(&self) -> Instant {
        self.next_at
    }

    /// The report that is due now; the one after it is due at `next_at`.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        stream: &Stream,
        reception: Option<Reception>,
        metrics: Option<&VoipMetrics>,
        next_at: Instant,
    ) -> Writer {
        self.next_at = next_at;
        self.spoke = true;
        self.compound(now, stream, reception, metrics)
    }

    /// The last report; `None` if we never sent anything.
    pub(crate) fn farewell(
        &mut self,
        now: Instant,
        stream: &Stream,
        reception: Option<Reception>,
        metrics: Option<&VoipMetrics>,
    ) -> Option<Writer> {
        let spoke = self.spoke || stream.packets > 0;
        spoke.then(|| self.compound(now, stream, reception, metrics).bye(stream.ssrc()))
    }

    /// No report is wanted now; the next is due at `next_at`.
    pub(crate) fn skip(&mut self, next_at: Instant) {
        self.next_at = next_at;
    }

    fn compound(
        &mut self,
        now: Instant,
        stream: &Stream,
        reception: Option<Reception>,
        metrics: Option<&VoipMetrics>,
    ) -> Writer {
        let sent_since = std::mem::replace(&mut self.reported, stream.packets) != stream.packets;
        let sender = sent_since.then(|| SenderInfo {
            ntp: self.ntp(now),
            timestamp: stream.timestamp_at(now),
            packets: stream.packets as u32,
            octets: stream.octets as u32,
        });
        let (last_report, delay) = match self.theirs {
            Some((middle, at)) => (middle, (fixed(now.since(at)) >> 16) as u32),
            None => (0, 0),
        };
        let block = reception.map(|reception| ReportBlock {
            ssrc: reception.ssrc,
            fraction_lost: reception.fraction_lost,
            lost: reception.lost,
            highest: reception.highest,
            jitter: reception.jitter,
            last_report,
            delay,
        });
        let compound = Writer::new(stream.ssrc(), sender, block).cname(stream.ssrc(), &self.cname);
        match metrics {
            Some(metrics) => compound.voip_metrics(stream.ssrc(), metrics),
            None => compound,
        }
    }

    /// Takes what they say of our stream.
    pub(crate) fn hear(&mut self, now: Instant, ssrc: u32, compound: &Compound<'_>) {
        if let Some((_, info)) = compound.sender() {
            self.theirs = Some((middle(info.ntp), now));
        }
        if let Some(metrics) = compound.voip_metrics().filter(|metrics| metrics.ssrc == ssrc).last() {
            self.metrics = Some(metrics);
        }
        for block in compound.blocks().filter(|block| block.ssrc == ssrc) {
            let expected = block.highest.wrapping_sub(self.first_sequence.into()).wrapping_add(1);
            if expected != 0 {
                let lost = block.lost.max(0).unsigned_abs();
                self.remote_loss = Some((lost as f32 / expected as f32).min(1.0));
            }
            let way = middle(self.ntp(now)).wrapping_sub(block.last_report).wrapping_sub(block.delay);
            let way = way.cast_signed();
            if block.last_report != 0 && (SHORTEST..LONGEST).contains(&way) {
                self.round_trip = Some(Duration::from_secs_f64(f64::from(way.max(0)) / 65536.0));
            }
        }
    }

    /// How our voice came in, as they last said.
    pub(crate) fn remote_metrics(&self) -> Option<VoipMetrics> {
        self.metrics
    }

    /// Fraction of our packets they lost so far.
    pub(crate) fn remote_loss(&self) -> Option<f32> {
        self.remote_loss
    }

    /// From us to them and back.
    pub(crate) fn round_trip_ms(&self) -> Option<f32> {
        self.round_trip.map(|way| way.as_secs_f32() * 1000.0)
    }

    fn ntp(&self, now: Instant) -> u64 {
        self.epoch.wrapping_add(fixed(now.0))
    }
}

/// Seconds in 32.32 bits.
fn fixed(time: Duration) -> u64 {
    let fraction = (u64::from(time.subsec_nanos()) << 32) / 1_000_000_000;
    (time.as_secs() << 32).wrapping_add(fraction)
}

/// Of 32.32 bits the middle 32.
fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
