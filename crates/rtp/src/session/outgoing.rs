//! What a session says: what plays to it, key presses, the session it is bridged with.

use std::net::SocketAddr;
use std::sync::Arc;

use clock::Instant;

use super::{Audio, Press, Session};
use crate::packet::{HEADER_LENGTH, Header};
use crate::player::{Player, Step};
use crate::receiver::Place;
use crate::recorder::Side;
use crate::telephone_event::keys::{Due, Manner};
use crate::telephone_event::presses::Sighting;
use crate::telephone_event::twins::Way;
use crate::tones::generator::{self, Part};
use crate::{Library, PlayId, PromptId, Report, Sink, g711};

/// The longest packet we make: 60 ms.
const LONGEST: usize = HEADER_LENGTH + 480;

impl Session {
    /// Begins a play, in place of one that runs.
    pub(crate) fn play(
        &mut self,
        now: Instant,
        library: Arc<Library>,
        play: PlayId,
        prompts: Vec<PromptId>,
        repeat: bool,
        sink: &mut impl Sink,
    ) {
        self.keys.cut();
        self.press_on(now, sink);
        self.player = Some(Player::new(now, library, play, prompts, repeat, self.rhythm()));
    }

    /// Ends what plays.
    pub(crate) fn stop(&mut self) {
        self.player = None;
    }

    /// Whether something plays to it.
    pub(crate) fn is_played_to(&self) -> bool {
        self.player.is_some()
    }

    /// Sends the packets of the play that are due. Nobody hears them while the other side takes none; the play goes on
    /// all the same, so that it comes to its end.
    pub(super) fn play_on(&mut self, now: Instant, sink: &mut impl Sink) {
        let (law, payload_type) = self.media.format.send;
        let rhythm = self.rhythm();
        let length = usize::from(self.media.format.ptime) * 8;
        let mut packet = [0; LONGEST];
        let packet = &mut packet[..HEADER_LENGTH + length];
        while let Some(player) = &mut self.player {
            match player.step(now, law, rhythm, &mut packet[HEADER_LENGTH..]) {
                Some(Step::Send { at, talkspurt }) => {
                    if let Some(to) = self.destination() {
                        let header = self.stream.prompt(at, payload_type, talkspurt, length as u32);
                        packet[..HEADER_LENGTH].copy_from_slice(&header.write());
                        self.stream.octets += length as u64;
                        self.send(to, packet, sink);
                    }
                }
                Some(Step::Rest) => {}
                Some(Step::Finished(play)) => {
                    self.player = None;
                    sink.report(Report::Finished { session: self.id, play });
                }
                None => return,
            }
        }
    }

    /// Sends the packets of key presses that are due.
    pub(super) fn press_on(&mut self, now: Instant, sink: &mut impl Sink) {
        let format = self.media.format;
        let manner = if format.event_send.is_some() { Manner::Events } else { Manner::Tones };
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
        self.stream.event_ended(header.timestamp, due.event.duration);
        let mut packet = [0; HEADER_LENGTH + crate::Event::LENGTH];
        packet[..HEADER_LENGTH].copy_from_slice(&header.write());
        packet[HEADER_LENGTH..].copy_from_slice(&due.event.write());
        self.stream.octets += crate::Event::LENGTH as u64;
        self.send(to, &packet, sink);
    }

    fn send_tones(&mut self, now: Instant, to: SocketAddr, due: &Due, sink: &mut impl Sink) {
        let (law, payload_type) = self.media.format.send;
        let length = u16::from(self.media.format.ptime) * 8;
        let header = self.stream.prompt(now, payload_type, due.timestamp.is_none(), length.into());
        if !due.last {
            self.keys.began(header.timestamp);
        }
        let duration = due.event.duration;
        let part = match (due.event.end, due.ends) {
            (false, _) => Part::Sounding(duration.saturating_sub(length).into()),
            (true, true) => Part::Fading(duration.into()),
            (true, false) => Part::Silence,
        };
        let mut packet = [0; LONGEST];
        let packet = &mut packet[..HEADER_LENGTH + usize::from(length)];
        packet[..HEADER_LENGTH].copy_from_slice(&header.write());
        generator::fill(law, due.event.code, part, &mut packet[HEADER_LENGTH..]);
        self.stream.octets += u64::from(length);
        self.send(to, packet, sink);
    }

    /// Sends a packet, protected as was agreed.
    #[inline(always)]
    fn send(&mut self, to: SocketAddr, packet: &[u8], sink: &mut impl Sink) {
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
    pub(crate) fn record_peer(&mut self, now: Instant, audio: &Audio, bytes: &[u8], sink: &mut impl Sink) {
        if let Some(recorder) = &mut self.recorder {
            recorder.put(now, Side::Right, &audio.header, audio.law, &bytes[audio.payload.clone()], sink);
        }
    }

    /// Sends on what its peer said, rewriting the packet where it lies. Nothing of the peer's header is left: neither
    /// its contributing sources nor extensions nor padding.
    #[inline(always)]
    pub(crate) fn forward(&mut self, now: Instant, audio: &Audio, bytes: &mut [u8], sink: &mut impl Sink) {
        let Audio { header: incoming, place, law, payload } = audio;
        if payload.is_empty() {
            return self.skip(incoming, Some(*place));
        }
        let to = self.destination().filter(|_| self.player.is_none() && !self.keys.is_sounding());
        let Some(to) = to else { return self.stream.interrupt() };
        let Some(header) = self.stream.forward(now, incoming, *place, payload.len() as u32) else { return };
        let (send, payload_type) = self.media.format.send;
        if send != *law {
            g711::transcode(*law, &mut bytes[payload.clone()]);
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
