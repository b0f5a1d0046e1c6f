//! What a packet of theirs is and whether it counts.
//!
//! What every packet goes through is inlined into its one caller, here and in `outgoing`: the compiler leaves it out of line
//! since SRTP has made it longer, which costs plain packets a fifteenth more.

use std::net::SocketAddr;
use std::ops::Range;

use clock::Instant;

use super::conversion::NoiseHeard;
use super::{Press, Session};
use crate::codec::Samples;
use crate::packet::{Header, Packet};
use crate::receiver::Place;
use crate::recorder::Side;
use crate::srtp::Unproven;
use crate::telephone_event::presses::Sighting;
use crate::telephone_event::twins::Way;
use crate::telephone_event::{self, Event, key};
use crate::{Codec, Report, Settings, Sink, noise};

/// What is left to be done with a packet by the session it is bridged with.
#[derive(Debug)]
pub(crate) enum Heard {
    /// Audio, to be passed on.
    Audio(Audio),
    /// News of a key, to be passed on in our own words.
    Key { header: Header, place: Option<Place>, press: Press },
    /// Nothing is said from now on but noise.
    Noise(NoiseHeard),
    /// Nothing to be passed on.
    Other { header: Header, place: Option<Place> },
}

/// Audio in a buffer.
#[derive(Debug)]
pub(crate) struct Audio {
    pub(crate) header: Header,
    pub(crate) place: Place,
    pub(crate) codec: Codec,
    /// Where in the buffer it lies.
    pub(crate) payload: Range<usize>,
    /// The ear of the session has it.
    pub(crate) is_decoded: bool,
}

/// What the payload type says a packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Audio(Codec),
    Event,
    Noise,
    /// Not agreed: ignored, though it may keep a way through a NAT open (RFC 6263 §4.3).
    Unknown,
}

impl Session {
    /// Takes what came to the RTP socket. `None`: it does not count.
    #[inline(always)]
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        settings: &Settings,
        sink: &mut impl Sink,
    ) -> Option<Heard> {
        if !self.sources.rtp.admits(from, settings) {
            self.foreign += u64::from(self.sources.rtp.is_known());
            return None;
        }
        let bytes = match &mut self.secure {
            None => bytes,
            Some(secure) => match secure.unprotect(bytes) {
                Ok(bytes) => bytes,
                Err(Unproven) => {
                    self.unproven += 1;
                    return None;
                }
            },
        };
        let Packet { header, payload } = Packet::parse(bytes).ok()?;
        if !self.pace.admits(now) {
            return None;
        }
        let kind = self.kind(header.payload_type);
        let heard = match kind {
            Kind::Audio(codec) => self.hear_audio(now, header, codec, payload.clone(), bytes, sink)?,
            Kind::Event => self.hear_event(now, header, Event::parse(&bytes[payload.clone()])?, sink),
            Kind::Noise | Kind::Unknown => self.hear_other(kind, header, payload.clone(), bytes),
        };
        if kind != Kind::Unknown {
            self.sources.rtp.learn(from);
        }
        self.silence.broken(now);
        self.packets += 1;
        self.octets += payload.len() as u64;
        Some(heard)
    }

    fn kind(&self, payload_type: u8) -> Kind {
        let format = &self.media.format;
        if format.event_receive == Some(payload_type) {
            return Kind::Event;
        }
        let agreed = format.receive.iter().flatten().find(|(_, agreed)| *agreed == payload_type);
        match agreed {
            Some((codec, _)) => Kind::Audio(*codec),
            // It has its payload type whether or not it was agreed (RFC 3389 §4).
            None if payload_type == noise::PAYLOAD_TYPE => Kind::Noise,
            None => Kind::Unknown,
        }
    }

    #[inline(always)]
    fn hear_audio(
        &mut self,
        now: Instant,
        header: Header,
        codec: Codec,
        payload: Range<usize>,
        bytes: &[u8],
        sink: &mut impl Sink,
    ) -> Option<Heard> {
        let place = self.receiver.place(&header);
        match place {
            Place::Stray => return None,
            Place::Double => return Some(Heard::Other { header, place: Some(place) }),
            Place::First | Place::Ahead(_) | Place::Late => {}
        }
        self.receiver.arrived(now, header.timestamp, codec.clock_rate());
        self.codec = Some(codec);
        if self.media.format.noise {
            self.silence.pauses(false);
        }
        let is_decoded = match &mut self.ear {
            Some(ear) => ear.hear(&header, place, codec, &bytes[payload.clone()]),
            None => false,
        };
        let receives = self.receives();
        if let Some(recorder) = self.recorder.as_mut().filter(|_| receives) {
            // One of its own: what is handed on is then never in memory twice.
            let audio = Audio { header, place, codec, payload: payload.clone(), is_decoded };
            recorder.hear(now, Side::Left, &audio, bytes, self.ear.as_deref(), sink);
        }
        Some(Heard::Audio(Audio { header, place, codec, payload, is_decoded }))
    }

    /// Comfort noise where it was agreed, or what nobody agreed to.
    fn hear_other(&mut self, kind: Kind, header: Header, payload: Range<usize>, bytes: &[u8]) -> Heard {
        let place = self.receiver.place_beside(&header).filter(|place| *place != Place::Stray);
        let level = bytes[payload.clone()].first().map(|level| level & 0x7F);
        let agreed = kind == Kind::Noise && self.media.format.noise;
        match (place, level.filter(|_| agreed)) {
            (Some(place @ (Place::First | Place::Ahead(_))), Some(level)) => {
                self.silence.pauses(true);
                Heard::Noise(NoiseHeard { header, place, payload, level })
            }
            (place, _) => Heard::Other { header, place },
        }
    }

    fn hear_event(&mut self, now: Instant, header: Header, event: Event, sink: &mut impl Sink) -> Heard {
        let place = self.receiver.place_beside(&header);
        // Whatever its place: the numbers of key presses jump, and are doubled, with some senders.
        if key(event.code).is_none() {
            return Heard::Other { header, place };
        }
        let sighting = self.presses.see(now, &header, &event, self.stream.rate());
        Heard::Key { header, place, press: self.take(now, event.code, sighting, Way::Event, sink) }
    }

    /// Listens for keys in audio of theirs, where no events were agreed. `pass_on` has each while nothing plays to them.
    pub(crate) fn hear_tones<S: Sink>(
        &mut self,
        now: Instant,
        audio: &Audio,
        bytes: &[u8],
        sink: &mut S,
        mut pass_on: impl FnMut(Press, &mut S),
    ) {
        let Some(mut detector) = self.tones.take() else { return };
        let ear = self.ear.take();
        let Audio { header, place, codec, payload, is_decoded } = audio;
        let tell = |code, sighting| {
            let press = self.take(now, code, sighting, Way::Tones, sink);
            if !self.is_played_to() {
                pass_on(press, sink);
            }
        };
        match (codec.law(), ear.as_ref().filter(|_| *is_decoded)) {
            (Some(law), _) => {
                let samples = Samples::Coded(law, &bytes[payload.clone()]);
                detector.hear(now, header, *place, samples, tell);
            }
            (None, Some(ear)) => {
                let [_, said] = ear.narrow();
                let header = Header { timestamp: said.timestamp, ..*header };
                detector.hear(now, &header, *place, Samples::Linear(said.samples), tell);
            }
            (None, None) => {}
        }
        self.ear = ear;
        self.tones = Some(detector);
    }

    /// Whether keys are listened for in their audio.
    pub(crate) fn hears_tones(&self) -> bool {
        self.tones.is_some()
    }

    /// They say beside their media that they pressed a key. `None`: there is no such key.
    pub(crate) fn hear_message(&mut self, now: Instant, digit: char, sink: &mut impl Sink) -> Option<Press> {
        let code = telephone_event::code(digit)?;
        Some(self.take(now, code, Sighting::Tap, Way::Message, sink))
    }

    /// A key of theirs went down, or is said more of: told the first time.
    fn take(&mut self, now: Instant, code: u8, sighting: Sighting, way: Way, sink: &mut impl Sink) -> Press {
        let is_new = match sighting {
            Sighting::Down | Sighting::Tap => self.twins.is_new(now, way, code),
            Sighting::Held | Sighting::Up | Sighting::Past => false,
        };
        if let Some(digit) = key(code).filter(|_| is_new) {
            sink.report(Report::Digit { session: self.id, digit });
        }
        Press { code, sighting, way, is_new }
    }
}
