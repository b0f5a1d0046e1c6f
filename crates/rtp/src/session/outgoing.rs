//! What a session says: what plays to it, key presses, the session it is bridged with.

use std::net::SocketAddr;
use std::sync::Arc;

use clock::Instant;

use super::{Audio, Press, Session};
use crate::ear::Ear;
use crate::packet::{HEADER_LENGTH, Header};
use crate::player::{Player, Step};
use crate::receiver::Place;
use crate::recorder::Side;
use crate::telephone_event::keys::{Due, Manner};
use crate::telephone_event::presses::Sighting;
use crate::telephone_event::twins::Way;
use crate::tones::generator::{self, Part};
use crate::{Law, Library, PlayId, Prompt, Report, Sink, Sound, g711};

/// The longest packet we make: 60 ms.
pub(super) const LONGEST: usize = HEADER_LENGTH + 480;
/// Its samples at 8 kHz.
const SAMPLES: usize = 480;

impl Session {
    /// Begins a play, in place of one that runs.
    pub(crate) fn play(
        &mut self,
        now: Instant,
        library: Arc<Library>,
        play: PlayId,
        prompts: Vec<Sound>,
        repeat: bool,
        sink: &mut impl Sink,
    ) {
        self.keys.cut();
        self.press_on(now, sink);
        self.interrupt();
        self.player = Some(Player::new(now, library, play, prompts, repeat, self.rhythm()));
    }

    /// Ends what plays.
    pub(crate) fn stop(&mut self) {
        if self.player.take().is_some() {
            self.interrupt();
        }
    }

    /// Whether something plays to it.
    pub(crate) fn is_played_to(&self) -> bool {
        self.player.is_some()
    }

    /// Sends the packets of the play that are due. Nobody hears them while the other side takes none; the play goes on
    /// all the same, so that it comes to its end.
    pub(super) fn play_on(&mut self, now: Instant, sink: &mut impl Sink) {
        match self.media.format.send.0.law() {
            Some(law) => self.play_as(now, law, sink),
            None => self.play_otherwise(now, sink),
        }
    }

    /// In one of the laws, a packet is copied.
    fn play_as(&mut self, now: Instant, law: Law, sink: &mut impl Sink) {
        let payload_type = self.media.format.send.1;
        let rhythm = self.rhythm();
        let length = usize::from(self.media.format.ptime) * 8;
        let mut packet = [0; LONGEST];
        let packet = &mut packet[..HEADER_LENGTH + length];
        while let Some(player) = &mut self.player {
            let octets = &mut packet[HEADER_LENGTH..];
            let step = player.step(now, rhythm, octets, g711::silence(law), |prompt| prompt.octets(law));
            if let Some(Step::Send { at, talkspurt }) = step
                && let Some(to) = self.destination()
            {
                let header = self.stream.prompt(at, payload_type, talkspurt, length as u32);
                packet[..HEADER_LENGTH].copy_from_slice(&header.write());
                self.stream.octets += length as u64;
                self.send(to, packet, sink);
            }
            if !self.goes_on(step, sink) {
                return;
            }
        }
    }

    /// In other codecs it is encoded as it goes.
    fn play_otherwise(&mut self, now: Instant, sink: &mut impl Sink) {
        let rhythm = self.rhythm();
        let mut samples = [0; SAMPLES];
        let samples = &mut samples[..usize::from(self.media.format.ptime) * 8];
        while let Some(player) = &mut self.player {
            let step = player.step(now, rhythm, samples, 0, Prompt::samples);
            if let Some(Step::Send { at, talkspurt }) = step
                && let Some(to) = self.destination()
            {
                self.say_own(at, to, talkspurt, samples, sink);
            }
            if !self.goes_on(step, sink) {
                return;
            }
        }
    }

    /// Whether more of a play may be due.
    fn goes_on(&mut self, step: Option<Step>, sink: &mut impl Sink) -> bool {
        if let Some(Step::Finished(play)) = step {
            self.player = None;
            self.interrupt();
            sink.report(Report::Finished { session: self.id, play });
        }
        step.is_some()
    }

    /// Sends the packets of key presses that are due.
    pub(super) fn press_on(&mut self, now: Instant, sink: &mut impl Sink) {
        let format = self.media.format;
        let manner = match format.event_send {
            Some(_) => Manner::Events(self.stream.rate()),
            None => Manner::Tones,
        };
        while let Some(due) = self.keys.due(now, format.ptime, manner) {
            match (self.destination(), format.event_send) {
                (Some(to), Some(payload_type)) => self.send_event(now, to, payload_type, &due, sink),
                (Some(to), None) => self.send_tones(now, to, &due, sink),
                (None, _) => {}
            }
        }
    }

    fn send_event(
        &mut self,
        now: Instant,
        to: SocketAddr,
        payload_type: u8,
        due: &Due,
        sink: &mut impl Sink,
    ) {
        let header = self.stream.event(now, payload_type, due.timestamp);
        if !due.last {
            self.keys.began(header.timestamp);
        }
        // Durations are counted as fast as the timestamps of the stream (RFC 4733 §2.1).
        let duration = due.event.duration * self.stream.rate().factor() as u16;
        self.stream.event_ended(header.timestamp, duration);
        let mut packet = [0; HEADER_LENGTH + crate::Event::LENGTH];
        packet[..HEADER_LENGTH].copy_from_slice(&header.write());
        packet[HEADER_LENGTH..].copy_from_slice(&crate::Event { duration, ..due.event }.write());
        self.stream.octets += crate::Event::LENGTH as u64;
        self.send(to, &packet, sink);
    }

    fn send_tones(&mut self, now: Instant, to: SocketAddr, due: &Due, sink: &mut impl Sink) {
        let (codec, payload_type) = self.media.format.send;
        let length = u16::from(self.media.format.ptime) * 8;
        let duration = due.event.duration;
        let part = match (due.event.end, due.ends) {
            (false, _) => Part::Sounding(duration.saturating_sub(length).into()),
            (true, true) => Part::Fading(duration.into()),
            (true, false) => Part::Silence,
        };
        let mut samples = [0; SAMPLES];
        let samples = &mut samples[..length.into()];
        generator::fill(due.event.code, part, samples);
        let begins = due.timestamp.is_none();
        let header = match codec.law() {
            Some(law) => {
                let header = self.stream.prompt(now, payload_type, begins, length.into());
                let mut packet = [0; LONGEST];
                let packet = &mut packet[..HEADER_LENGTH + samples.len()];
                packet[..HEADER_LENGTH].copy_from_slice(&header.write());
                for (octet, sample) in packet[HEADER_LENGTH..].iter_mut().zip(&*samples) {
                    *octet = g711::encode(law, *sample);
                }
                self.stream.octets += u64::from(length);
                self.send(to, packet, sink);
                Some(header)
            }
            None => self.say_own(now, to, begins, samples, sink),
        };
        if let Some(header) = header.filter(|_| !due.last) {
            self.keys.began(header.timestamp);
        }
    }

    /// Sends a packet, protected as was agreed.
    #[inline(always)]
    pub(super) fn send(&mut self, to: SocketAddr, packet: &[u8], sink: &mut impl Sink) {
        match &mut self.secure {
            None => sink.send(self.port, to, packet),
            Some(secure) => {
                if let Some(packet) = secure.protect(packet) {
                    sink.send(self.port, to, packet);
                }
            }
        }
    }

    /// Sends a compound RTCP packet, protected as was agreed.
    pub(super) fn send_control(&mut self, to: SocketAddr, packet: &[u8], sink: &mut impl Sink) {
        let shared = self.shares_port();
        let packet = match &mut self.secure {
            None => Some(packet),
            Some(secure) => secure.protect_control(packet),
        };
        match packet {
            Some(packet) if shared => sink.send(self.port, to, packet),
            Some(packet) => sink.send_control(self.port, to, packet),
            None => {}
        }
    }

    /// Puts what its peer said on the right of its recording.
    #[inline(always)]
    pub(crate) fn record_peer(
        &mut self,
        now: Instant,
        audio: &Audio,
        bytes: &[u8],
        ear: Option<&Ear>,
        sink: &mut impl Sink,
    ) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hear(now, Side::Right, audio, bytes, ear, sink);
        }
    }

    /// Sends on what its peer said, rewriting the packet where it lies if it can go as it is. Nothing of the peer's header is
    /// left: neither its contributing sources nor extensions nor padding.
    #[inline(always)]
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        audio: &Audio,
        bytes: &mut [u8],
        ear: Option<&Ear>,
        sink: &mut impl Sink,
    ) {
        if audio.payload.is_empty() {
            return self.skip(&audio.header, Some(audio.place));
        }
        let Some(to) = self.open_to_peer() else { return self.interrupt() };
        let (codec, payload_type) = self.media.format.send;
        if codec != audio.codec || self.media.format.longest.is_some() {
            return self.forward_otherwise(now, to, audio, bytes, ear, sink);
        }
        self.pass(now, to, payload_type, audio, bytes, sink);
    }

    /// Sends a packet on as it is, but for its header.
    #[inline(always)]
    pub(super) fn pass(
        &mut self,
        now: Instant,
        to: SocketAddr,
        payload_type: u8,
        audio: &Audio,
        bytes: &mut [u8],
        sink: &mut impl Sink,
    ) {
        let Audio { header: incoming, place, codec, payload, .. } = audio;
        let length = codec.length(&bytes[payload.clone()]);
        let Some(header) = self.stream.forward(now, incoming, *place, length) else { return };
        if self.voice.is_some() {
            self.hush();
        }
        let packet = &mut bytes[payload.start - HEADER_LENGTH..payload.end];
        packet[..HEADER_LENGTH].copy_from_slice(&Header { payload_type, ..header }.write());
        self.stream.octets += payload.len() as u64;
        self.send(to, packet, sink);
    }

    /// Whether its peer has gone on without a break for a while.
    #[inline(always)]
    pub(crate) fn is_settled(&self) -> bool {
        self.stream.is_settled()
    }

    /// Where what its peer says goes, while nothing else is heard there.
    #[inline(always)]
    pub(super) fn open_to_peer(&self) -> Option<SocketAddr> {
        self.destination().filter(|_| self.player.is_none() && !self.keys.is_sounding())
    }

    /// What its peer says is not passed on for a while.
    pub(super) fn interrupt(&mut self) {
        self.stream.interrupt();
        if let Some(voice) = &mut self.voice {
            voice.interrupt();
        }
    }

    /// A packet of its peer is not passed on.
    pub(crate) fn skip(&mut self, incoming: &Header, place: Option<Place>) {
        if let Some(place) = place {
            self.stream.skip(incoming, place);
        }
    }

    /// Presses for its peer the key its peer pressed, as the other side takes key presses: as an event, or else as tones.
    pub(crate) fn press(&mut self, now: Instant, press: Press, sink: &mut impl Sink) {
        let Press { code, sighting, way, is_new } = press;
        if self.destination().is_none() || self.player.is_some() {
            return;
        }
        // Tones reach whoever takes no events as the audio they are.
        let passes = way == Way::Tones && self.media.format.event_send.is_none();
        match sighting {
            Sighting::Down if !is_new => self.keys.again(now, code),
            Sighting::Down if !passes => self.keys.down(now, code),
            Sighting::Tap if is_new => {
                self.keys.down(now, code);
                self.keys.up();
            }
            Sighting::Held => self.keys.held(now),
            Sighting::Up => self.keys.up(),
            Sighting::Down | Sighting::Tap | Sighting::Past => {}
        }
        self.press_on(now, sink);
    }
}
