//! Between two codecs, two lengths of packets, or noise and none: what a bridged session says in other words than it was said.
//!
//! What is needed for it is made when something is agreed, joined or recorded, and lies out of line: a session whose packets
//! pass as they are has none of it, and pays nothing.

use std::net::SocketAddr;
use std::time::Duration;

use clock::Instant;

use super::outgoing::LONGEST;
use super::{Audio, Session};
use crate::codec::Band;
use crate::ear::Ear;
use crate::noise::{self, Noise};
use crate::packet::{HEADER_LENGTH, Header};
use crate::receiver::Place;
use crate::recorder::{Recorder, Side};
use crate::voice::Voice;
use crate::{Codec, Format, Sink, g711};

/// How much later than it should the packet after a pause may come, before noise takes its place.
const PATIENCE: Duration = Duration::from_millis(40);

/// What a session must know of the one it is bridged with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    format: Format,
    records: bool,
}

impl Format {
    /// Whether whatever comes in a codec can go to them but for its header, and its law.
    fn takes(&self, codec: Codec) -> bool {
        let laws = codec.law().is_some() && self.send.0.law().is_some();
        self.longest.is_none() && (laws || self.payload_type(codec).is_some())
    }

    /// Whether all that comes from who agreed to this goes on to who agreed to `other` as it is, but for its header (and its law,
    /// which is changed where it lies): nothing is decoded, cut, joined or made up. What plays, is recorded, pressed or
    /// encrypted is another matter.
    pub(crate) fn passes_to(&self, other: &Self) -> bool {
        let mut received = self.receive.iter().flatten();
        received.all(|(codec, _)| other.takes(*codec)) && (other.noise || !self.noise)
    }

    /// Under which payload type packets of a codec go to them without a look at what they carry.
    pub(super) fn unchanged(&self, codec: Codec) -> Option<u8> {
        let same_law = codec.law().is_none() || codec == self.send.0;
        self.payload_type(codec).filter(|_| same_law && self.longest.is_none())
    }

    /// Under which payload type a codec can go to them. Timestamps of one stream run at one pace (RFC 7160 §3.2).
    fn payload_type(&self, codec: Codec) -> Option<u8> {
        let all = [Some(self.send)].into_iter().chain(self.also).flatten();
        let mut alike = all.filter(|(other, _)| other.clock_rate() == self.send.0.clock_rate());
        alike.find(|(other, _)| *other == codec).map(|(_, payload_type)| payload_type)
    }
}

impl Session {
    /// What the session it is bridged with must know of it.
    pub(crate) fn as_peer(&self) -> Peer {
        Peer { format: self.media.format, records: self.recorder.is_some() }
    }

    /// Takes what it needs to hear and to be told, and gives back what it does not need any more.
    pub(crate) fn equip(&mut self, peer: Option<Peer>) {
        let format = self.media.format;
        let codecs = format.receive.into_iter().flatten().map(|(codec, _)| codec);
        let listens =
            self.recorder.is_some() || self.tones.is_some() || peer.is_some_and(|peer| peer.records);
        let hears = codecs.clone().any(|codec| {
            (listens && codec.law().is_none()) || peer.is_some_and(|peer| !peer.format.takes(codec))
        });
        let understands = |ear: &Ear| codecs.clone().all(|codec| ear.understands(codec));
        if !hears {
            self.ear = None;
        } else if !self.ear.as_deref().is_some_and(understands) {
            self.ear = Ear::new(codecs.clone());
        }
        let is_told = peer.is_some_and(|peer| !peer.format.passes_to(&format));
        let speaks = |voice: &Voice| voice.speaks(format.send.0, format.opus);
        if format.send.0.law().is_some() && !is_told {
            self.voice = None;
        } else if !self.voice.as_deref().is_some_and(speaks) {
            self.voice = Voice::new(format.send.0, format.opus);
        }
        self.hush();
    }

    /// No noise is made any more.
    pub(super) fn hush(&mut self) {
        if let Some(voice) = &mut self.voice {
            voice.noise = None;
        }
    }

    /// Sends on what cannot go as it is in the codec we send.
    #[inline(never)]
    pub(super) fn forward_otherwise(
        &mut self,
        now: Instant,
        to: SocketAddr,
        audio: &Audio,
        bytes: &mut [u8],
        ear: Option<&Ear>,
        sink: &mut impl Sink,
    ) {
        let Audio { codec, payload, is_decoded, .. } = audio;
        let format = &self.media.format;
        if self.fits(*codec, &bytes[payload.clone()]) {
            let payload_type = match (codec.law(), format.send.0.law()) {
                (Some(law), Some(_)) => {
                    if codec != &format.send.0 {
                        g711::transcode(law, &mut bytes[payload.clone()]);
                    }
                    Some(format.send.1)
                }
                (_, _) => format.payload_type(*codec),
            };
            if let Some(payload_type) = payload_type {
                return self.pass(now, to, payload_type, audio, bytes, sink);
            }
        }
        if let Some(ear) = ear.filter(|_| *is_decoded) {
            self.convert(now, to, ear, sink);
        }
    }

    /// Whether a packet is no longer than they take.
    fn fits(&self, codec: Codec, payload: &[u8]) -> bool {
        let most = |longest: u8| u32::from(longest) * 8 * codec.clock_rate().factor();
        self.media.format.longest.is_none_or(|longest| codec.length(payload) <= most(longest))
    }

    /// Says again what was heard.
    fn convert(&mut self, now: Instant, to: SocketAddr, ear: &Ear, sink: &mut impl Sink) {
        let Some(mut voice) = self.voice.take() else { return };
        voice.go_on(self.stream.packets);
        let (band, pieces) = match voice.band() {
            Band::Narrow => (Band::Narrow, ear.narrow()),
            Band::Wide => ear.as_it_was(),
        };
        // Where noise filled the time, what comes follows it.
        let filled = voice.noise.take().is_some_and(|noise| noise.was_heard);
        for piece in pieces {
            if piece.is_apart && !filled {
                if voice.part(self.media.format.ptime) {
                    self.say(now, to, &mut voice, sink);
                }
                voice.begins();
            }
            let mut rest = piece.samples;
            while !rest.is_empty() {
                rest = voice.take(band, self.media.format.ptime, rest);
                if voice.is_full(self.media.format.ptime) {
                    self.say(now, to, &mut voice, sink);
                }
            }
        }
        if ear.pauses() {
            voice.noise = Some(Noise::like(ear.newest(), now));
        } else if filled {
            // Within a pause, a packet now and then says what is heard in it: none may follow, and none says so.
            let [_, last] = pieces;
            let lasts = (last.samples.len() / band.per_millisecond()) as u64;
            voice.noise = Some(Noise::like(ear.newest(), now + Duration::from_millis(lasts) + PATIENCE));
        }
        self.voice = Some(voice);
    }

    /// Says a packet of our own at 8 kHz. `None`: there is no voice for it, or it need not be sent.
    pub(super) fn say_own(
        &mut self,
        at: Instant,
        to: SocketAddr,
        is_apart: bool,
        samples: &[i16],
        sink: &mut impl Sink,
    ) -> Option<Header> {
        let mut voice = self.voice.take()?;
        voice.follow(is_apart);
        voice.take(Band::Narrow, self.media.format.ptime, samples);
        let said = self.say(at, to, &mut voice, sink);
        self.voice = Some(voice);
        said
    }

    /// Sends the packet that is ready.
    fn say(
        &mut self,
        at: Instant,
        to: SocketAddr,
        voice: &mut Voice,
        sink: &mut impl Sink,
    ) -> Option<Header> {
        let Format { send: (codec, payload_type), ptime, .. } = self.media.format;
        let length = u32::from(ptime) * 8 * codec.clock_rate().factor();
        let mut packet = [0; LONGEST];
        let Some((octets, is_apart)) = voice.encode(ptime, &mut packet[HEADER_LENGTH..]) else {
            self.stream.pause(length);
            return None;
        };
        let header = self.stream.prompt(at, payload_type, is_apart, length);
        packet[..HEADER_LENGTH].copy_from_slice(&header.write());
        self.stream.octets += octets as u64;
        voice.said(self.stream.packets);
        self.send(to, &packet[..HEADER_LENGTH + octets], sink);
        Some(header)
    }

    /// Its peer says that nothing is said from now on but noise: whoever takes that is told, everyone else hears noise.
    pub(crate) fn pass_on_noise(
        &mut self,
        now: Instant,
        noise: &NoiseHeard,
        bytes: &mut [u8],
        sink: &mut impl Sink,
    ) {
        let NoiseHeard { header, place, payload, level } = noise;
        let Some(to) = self.open_to_peer() else { return self.interrupt() };
        match &mut self.voice {
            Some(voice) => match &mut voice.noise {
                Some(noise) => noise.set(*level),
                None => voice.noise = Some(Noise::new(*level, now)),
            },
            None if self.media.format.noise && self.media.format.send.0.law().is_some() => {
                let Some(header) = self.stream.forward(now, header, *place, 0) else { return };
                let packet = &mut bytes[payload.start - HEADER_LENGTH..payload.end];
                let payload_type = noise::PAYLOAD_TYPE;
                packet[..HEADER_LENGTH].copy_from_slice(&Header { payload_type, ..header }.write());
                self.stream.octets += payload.len() as u64;
                self.send(to, packet, sink);
            }
            None => self.skip(header, Some(*place)),
        }
    }

    /// Sends the packets of noise that are due.
    pub(super) fn noise_on(&mut self, now: Instant, sink: &mut impl Sink) {
        let Format { send: (codec, _), ptime, .. } = self.media.format;
        let interval = Duration::from_millis(ptime.into());
        let length = u32::from(ptime) * 8 * codec.clock_rate().factor();
        let Some(mut voice) = self.voice.take() else { return };
        while voice.noise.as_mut().is_some_and(|noise| noise.is_due(now, interval)) {
            match self.open_to_peer() {
                // What one pause had too much, the next has less.
                Some(_) if self.stream.is_ahead(now, length) => {}
                Some(to) => {
                    voice.go_on(self.stream.packets);
                    voice.take_noise(ptime);
                    self.say(now, to, &mut voice, sink);
                }
                None => voice.interrupt(),
            }
        }
        self.voice = Some(voice);
    }

    /// Whether noise is heard there.
    pub(crate) fn makes_noise(&self) -> bool {
        self.noise_due_at().is_some()
    }

    /// What it has decoded.
    pub(crate) fn ear(&self) -> Option<&Ear> {
        self.ear.as_deref()
    }

    /// When the next packet of noise is due.
    pub(super) fn noise_due_at(&self) -> Option<Instant> {
        self.voice.as_ref()?.noise.as_ref().map(|noise| noise.next_at)
    }
}

/// Comfort noise of theirs.
#[derive(Debug)]
pub(crate) struct NoiseHeard {
    pub(crate) header: Header,
    pub(crate) place: Place,
    pub(crate) payload: std::ops::Range<usize>,
    /// Decibels below overload.
    pub(crate) level: u8,
}

impl Recorder {
    /// Puts what one side said in a packet into the mix.
    #[inline(never)]
    pub(super) fn hear(
        &mut self,
        now: Instant,
        side: Side,
        audio: &Audio,
        bytes: &[u8],
        ear: Option<&Ear>,
        sink: &mut impl Sink,
    ) {
        let Audio { header, codec, payload, is_decoded, .. } = audio;
        match (codec.law(), ear.filter(|_| *is_decoded)) {
            (Some(law), _) => {
                let samples = bytes[payload.clone()].iter().map(|octet| g711::decode(law, *octet));
                self.put(now, side, (header.ssrc, header.timestamp), samples, sink);
            }
            (None, Some(ear)) => {
                for piece in ear.narrow() {
                    let samples = piece.samples.iter().copied();
                    self.put(now, side, (header.ssrc, piece.timestamp), samples, sink);
                }
            }
            (None, None) => {}
        }
    }
}
