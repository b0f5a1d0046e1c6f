//! The media of one leg: all that is known of it, and what it does by itself when its time has come.

mod conversion;
mod incoming;
mod outgoing;
mod passing;
mod secure;

use std::net::SocketAddr;
use std::time::Duration;

use clock::Instant;

use crate::chance::{Chance, Identity};
use crate::control::Control;
use crate::ear::Ear;
use crate::pace::Pace;
use crate::player::{Player, Rhythm};
use crate::quality;
use crate::receiver::Receiver;
use crate::recorder::Recorder;
use crate::rtcp::Compound;
use crate::silence::Silence;
use crate::source::Sources;
use crate::srtp::Unproven;
use crate::stream::Stream;
use crate::telephone_event::keys::Keys;
use crate::telephone_event::presses::{Presses, Sighting};
use crate::telephone_event::twins::{Twins, Way};
use crate::tones::detector::Detector;
use crate::voice::Voice;
use crate::voip_metrics::VoipMetrics;
use crate::{
    Codec, Direction, Media, Port, Recording, Remote, Report, SessionId, Settings, Sink, Srtp, Statistics,
};

pub(crate) use incoming::{Audio, Heard};
use secure::Secure;

/// What became of a key of one side, for the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Press {
    pub(crate) code: u8,
    pub(crate) sighting: Sighting,
    pub(crate) way: Way,
    /// It did not come by another way before.
    pub(crate) is_new: bool,
}

/// Milliseconds of audio in the packets we make (RFC 3551 §4.2 wants 0 to 200 read; nobody sends more than this).
const PTIME: std::ops::RangeInclusive<u8> = 10..=60;

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) port: Port,
    /// The slot of the session it is bridged with.
    pub(crate) peer: Option<usize>,
    media: Media,
    /// Where SRTP was agreed.
    secure: Option<Box<Secure>>,
    /// Something went in the clear before it was.
    was_plain: bool,
    phase: Duration,
    sources: Sources,
    pace: Pace,
    receiver: Receiver,
    presses: Presses,
    /// Listens for keys in their audio, where no events were agreed.
    tones: Option<Box<Detector>>,
    /// Where what comes must be decoded.
    ear: Option<Box<Ear>>,
    /// Where what goes must be encoded.
    voice: Option<Box<Voice>>,
    twins: Twins,
    silence: Silence,
    stream: Stream,
    player: Option<Player>,
    keys: Keys,
    control: Control,
    recorder: Option<Recorder>,
    packets: u64,
    octets: u64,
    /// Of `packets`, those that came before it was first joined to another.
    alone: Option<u64>,
    foreign: u64,
    unproven: u64,
    codec: Option<Codec>,
}

impl Session {
    pub(crate) fn new(
        now: Instant,
        id: SessionId,
        port: Port,
        media: Media,
        settings: &Settings,
        chance: &mut Chance,
    ) -> Self {
        let identity: Identity = chance.identity();
        let media = within_limits(media, settings);
        let mut session = Self {
            id,
            port,
            peer: None,
            media,
            secure: media.srtp.map(|srtp| Box::new(Secure::new(srtp))),
            was_plain: false,
            phase: identity.phase,
            sources: Sources::new(media.remote),
            pace: Pace::default(),
            receiver: Receiver::default(),
            presses: Presses::default(),
            tones: None,
            ear: None,
            voice: None,
            twins: Twins::default(),
            silence: Silence::new(settings.silence),
            stream: Stream::new(now, &identity, media.format.send.0.clock_rate()),
            player: None,
            keys: Keys::default(),
            control: Control::new(&identity, now + chance.spread(settings.rtcp_interval)),
            recorder: None,
            packets: 0,
            octets: 0,
            alone: None,
            foreign: 0,
            unproven: 0,
            codec: None,
        };
        session.watch(now);
        session.listen(settings.inband);
        session
    }

    /// A new description was agreed.
    pub(crate) fn update(&mut self, now: Instant, media: Media, settings: &Settings) {
        let media = within_limits(media, settings);
        if media.remote != self.media.remote {
            self.silence.expect();
        }
        self.secure(media.srtp);
        self.stream.run_at(now, media.format.send.0.clock_rate());
        self.media = media;
        self.sources.update(media.remote);
        self.watch(now);
        self.listen(settings.inband);
    }

    /// Protects what comes and goes from now on as was agreed.
    fn secure(&mut self, agreed: Option<Srtp>) {
        let spoke = self.packets > 0 || self.stream.packets > 0;
        self.was_plain |= spoke && (self.secure.is_none() || agreed.is_none());
        match (&mut self.secure, agreed) {
            (Some(secure), Some(agreed)) => secure.update(agreed),
            (None, Some(agreed)) => self.secure = Some(Box::new(Secure::new(agreed))),
            (_, None) => self.secure = None,
        }
    }

    /// Begins to listen for keys in their audio, or stops, as was agreed.
    fn listen(&mut self, inband: bool) {
        let format = &self.media.format;
        let wanted = inband && format.event_receive.is_none() && format.receive.iter().any(Option::is_some);
        self.tones = wanted.then(|| self.tones.take().unwrap_or_default());
    }

    /// Begins to wait for their packets, or stops, as was agreed.
    fn watch(&mut self, now: Instant) {
        if self.receives() && self.sources.rtp.can_speak() {
            self.silence.wait(now);
        } else {
            self.silence.expect();
        }
    }

    /// Begins a recording; one that runs is complete.
    pub(crate) fn record(&mut self, now: Instant, name: Box<str>, sink: &mut impl Sink) {
        if let Some(before) = self.recorder.replace(Recorder::new(now, self.id)) {
            before.finish(now, sink);
        }
        sink.record(self.id, Recording::Begin { name });
    }

    /// Leaves out of the recording what is said from now on, or takes it in again.
    pub(crate) fn pause_recording(&mut self, now: Instant, paused: bool) {
        if let Some(recorder) = &mut self.recorder {
            recorder.pause(now, paused);
        }
    }

    /// Hears this one from now on.
    pub(crate) fn join(&mut self, peer: usize) {
        self.peer = Some(peer);
        self.alone.get_or_insert(self.packets);
        self.interrupt();
    }

    /// Nobody is heard any more, and nobody was.
    pub(crate) fn parted(&mut self) {
        self.alone = None;
        self.interrupt();
    }

    /// When it wants to be called next.
    pub(crate) fn due_at(&self) -> Instant {
        let others = [
            self.player.as_ref().map(Player::due_at),
            self.keys.due_at(),
            self.silence.due_at(),
            self.recorder.as_ref().map(Recorder::due_at),
            self.noise_due_at(),
        ];
        others.into_iter().flatten().fold(self.control.due_at(), Instant::min)
    }

    /// Does all that is due.
    pub(crate) fn tick(
        &mut self,
        now: Instant,
        settings: &Settings,
        chance: &mut Chance,
        sink: &mut impl Sink,
    ) {
        self.play_on(now, sink);
        self.press_on(now, sink);
        self.noise_on(now, sink);
        if self.control.due_at() <= now {
            let next_at = now + chance.spread(settings.rtcp_interval);
            match self.reports_to() {
                Some(to) => {
                    let reception = self.receiver.report();
                    let metrics = self.metrics();
                    let report = self.control.report(now, &self.stream, reception, metrics.as_ref(), next_at);
                    self.send_control(to, report.octets(), sink);
                }
                None => self.control.skip(next_at),
            }
        }
        if self.silence.is_due(now) {
            sink.report(Report::Silent { session: self.id });
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.tick(now, sink);
        }
    }

    /// Whether a packet that came to the RTP socket is a report, as it may be where they share a port: then the types
    /// 64 to 95 are RTCP's (RFC 5761 §4).
    pub(crate) fn is_report(&self, bytes: &[u8]) -> bool {
        self.shares_port() && bytes.get(1).is_some_and(|kind| (192..=223).contains(kind))
    }

    /// Takes a report.
    pub(crate) fn control(&mut self, now: Instant, from: SocketAddr, bytes: &[u8], settings: &Settings) {
        let shared = self.shares_port();
        let source = self.sources.of_reports(shared);
        if !source.admits(from, settings) {
            self.foreign += u64::from(source.is_known());
            return;
        }
        let bytes = match &mut self.secure {
            None => bytes,
            Some(secure) => match secure.unprotect_control(bytes) {
                Ok(bytes) => bytes,
                Err(Unproven) => {
                    self.unproven += 1;
                    return;
                }
            },
        };
        let Ok(compound) = Compound::parse(bytes) else { return };
        source.learn(from);
        self.silence.broken(now);
        self.control.hear(now, self.stream.ssrc(), &compound);
    }

    /// Takes leave of the other side, completes the recording and says what passed.
    pub(crate) fn close(mut self, now: Instant, sink: &mut impl Sink) {
        if let Some(to) = self.reports_to() {
            let reception = self.receiver.report();
            let metrics = self.metrics();
            if let Some(farewell) = self.control.farewell(now, &self.stream, reception, metrics.as_ref()) {
                self.send_control(to, farewell.octets(), sink);
            }
        }
        let statistics = self.statistics();
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(now, sink);
        }
        sink.report(Report::Closed { session: self.id, statistics });
    }

    /// Whether RTP and RTCP share one port (RFC 5761).
    fn shares_port(&self) -> bool {
        self.media.remote.is_some_and(|remote| remote.rtp == remote.rtcp)
    }

    fn reports_to(&mut self) -> Option<SocketAddr> {
        let shared = self.shares_port();
        self.sources.of_reports(shared).destination()
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            packets_received: self.packets,
            bytes_received: self.octets,
            packets_while_joined: self.alone.map_or(0, |alone| self.packets - alone),
            packets_sent: self.stream.packets,
            bytes_sent: self.stream.octets,
            lost: self.receiver.lost(),
            jitter_ms: self.receiver.jitter_ms(),
            remote_loss: self.control.remote_loss(),
            remote_metrics: self.control.remote_metrics(),
            round_trip_ms: self.control.round_trip_ms(),
            foreign: self.foreign,
            unproven: self.unproven,
            codec: self.codec,
            srtp: self.secure.as_ref().map(|secure| secure.agreed.suite).filter(|_| !self.was_plain),
        }
    }

    /// How their voice comes in, where they asked to be told. Nothing is discarded, nor delayed, by who passes it on.
    fn metrics(&self) -> Option<VoipMetrics> {
        let quality = self.receiver.quality().filter(|_| self.media.xr)?;
        let part = |share: f64| (share * 256.0).min(255.0) as u8;
        let time = |packets: f64| (packets * quality.packet_ms).min(65_535.0) as u16;
        let round_trip = self.control.round_trip_ms();
        let heard = quality::rating(quality.loss, 0.0);
        let rating = quality::rating(quality.loss, quality::delay_ms(round_trip, self.receiver.jitter_ms()));
        let is_rated = self.codec.is_none_or(quality::is_rated);
        let tenths = |rating: f32| is_rated.then_some((quality::score(rating) * 10.0).round() as u8);
        Some(VoipMetrics {
            ssrc: quality.ssrc,
            loss: part(quality.loss.into()),
            discard: 0,
            burst_density: part(quality.bursts.burst_density),
            gap_density: part(quality.bursts.gap_density),
            burst_ms: time(quality.bursts.burst_packets),
            gap_ms: time(quality.bursts.gap_packets),
            round_trip_ms: round_trip.unwrap_or(0.0).min(65_535.0) as u16,
            end_system_ms: 0,
            rating: is_rated.then_some(rating.round() as u8),
            listening: tenths(heard),
            conversing: tenths(rating),
        })
    }

    /// Whether their audio is to be heard (RFC 3264 §5.1).
    pub(crate) fn receives(&self) -> bool {
        match self.media.direction {
            Direction::SendReceive | Direction::ReceiveOnly => true,
            Direction::SendOnly | Direction::Inactive => false,
        }
    }

    /// Where ours goes, if it may go anywhere.
    fn destination(&self) -> Option<SocketAddr> {
        match self.media.direction {
            Direction::SendReceive | Direction::SendOnly => self.sources.rtp.destination(),
            Direction::ReceiveOnly | Direction::Inactive => None,
        }
    }

    fn rhythm(&self) -> Rhythm {
        Rhythm { interval: Duration::from_millis(self.media.format.ptime.into()), phase: self.phase }
    }
}

/// What was agreed, as far as we go along: packets of a bearable size, and nobody who names a port of ours as theirs:
/// that is as if they had named none.
fn within_limits(mut media: Media, settings: &Settings) -> Media {
    let format = &mut media.format;
    // Whoever asks for less than the shortest packet we make gets that.
    format.longest =
        format.longest.map(|longest| longest.max(*PTIME.start())).filter(|most| most < PTIME.end());
    format.ptime =
        format.ptime.min(format.longest.unwrap_or(*PTIME.end())).clamp(*PTIME.start(), *PTIME.end());
    format.ptime = format.ptime / 10 * 10;
    if format.send.0 == Codec::Opus {
        // Frames of Opus last 10, 20, 40 or 60 ms (RFC 6716 §2.1.4).
        format.ptime = match format.ptime {
            ..20 => 10,
            20..40 => 20,
            40..60 => 40,
            60.. => 60,
        };
    }
    let is_ours = |remote: &Remote| settings.is_ours(remote.rtp) || settings.is_ours(remote.rtcp);
    media.remote = media.remote.filter(|remote| !is_ours(remote));
    media
}
