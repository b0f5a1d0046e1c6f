//! What one side is told, from linear samples: cut into packets of its length and coded as it agreed.

use crate::codec::half_band::Up;
use crate::codec::{Band, g711, g722, opus};
use crate::noise::Noise;
use crate::{Codec, OpusWishes};

/// Samples of 60 ms at 16 kHz.
const LONGEST: usize = 960;

/// Speaks to one side.
#[derive(Debug)]
pub(crate) struct Voice {
    codec: Codec,
    encoder: Encoder,
    up: Up,
    frame: [i16; LONGEST],
    filled: usize,
    /// What is said next does not follow what was said before.
    is_apart: bool,
    /// How many packets the stream had when the last of its own was said.
    said_at: u64,
    /// What is heard while nothing is said.
    pub(crate) noise: Option<Noise>,
}

#[derive(Debug)]
enum Encoder {
    G711(g711::Law),
    G722(Box<g722::Encoder>),
    Opus(opus::Encoder),
}

impl Voice {
    /// One that speaks a codec. `None`: there is no memory.
    pub(crate) fn new(codec: Codec, wishes: OpusWishes) -> Option<Box<Self>> {
        let encoder = match codec {
            Codec::Pcmu => Encoder::G711(g711::Law::Mu),
            Codec::Pcma => Encoder::G711(g711::Law::A),
            Codec::G722 => Encoder::G722(Box::default()),
            Codec::Opus => Encoder::Opus(opus::Encoder::new(wishes)?),
        };
        Some(Box::new(Self {
            codec,
            encoder,
            up: Up::default(),
            frame: [0; LONGEST],
            filled: 0,
            is_apart: true,
            said_at: 0,
            noise: None,
        }))
    }

    /// Whether it speaks a codec as is wished.
    pub(crate) fn speaks(&self, codec: Codec, wishes: OpusWishes) -> bool {
        self.codec == codec
            && match &self.encoder {
                Encoder::G711(_) | Encoder::G722(_) => true,
                Encoder::Opus(encoder) => encoder.wishes() == wishes,
            }
    }

    /// What it is made of.
    pub(crate) fn band(&self) -> Band {
        self.codec.band()
    }

    /// Something else is heard for a while: what was begun is dropped, and what comes next follows nothing.
    pub(crate) fn interrupt(&mut self) {
        self.filled = 0;
        self.is_apart = true;
        self.noise = None;
    }

    /// A prompt or a key is said next; whether it follows what was said before.
    pub(crate) fn follow(&mut self, is_apart: bool) {
        self.filled = 0;
        self.is_apart = is_apart;
    }

    /// It goes on speaking in a stream of so many packets. Where others than its own are the last of them, what was begun is
    /// dropped, and what comes next follows nothing.
    pub(crate) fn go_on(&mut self, packets: u64) {
        if self.said_at != packets {
            self.filled = 0;
            self.is_apart = true;
        }
    }

    /// A packet of its own was the last of so many.
    pub(crate) fn said(&mut self, packets: u64) {
        self.said_at = packets;
    }

    /// What comes next does not follow what was said: that is filled up with silence, if there is any. `true`: a packet is
    /// ready.
    pub(crate) fn part(&mut self, ptime: u8) -> bool {
        let length = self.length(ptime);
        if self.filled == 0 || self.filled >= length {
            return false;
        }
        self.frame[self.filled..length].fill(0);
        self.filled = length;
        true
    }

    /// What comes next follows nothing.
    pub(crate) fn begins(&mut self) {
        self.is_apart = true;
    }

    /// Takes what there is room for of samples; the rest is given back. Wide ones only where it is wide.
    pub(crate) fn take<'s>(&mut self, band: Band, ptime: u8, samples: &'s [i16]) -> &'s [i16] {
        let length = self.length(ptime);
        let room = &mut self.frame[self.filled.min(length)..length];
        let grows = self.codec.band().per_millisecond() / band.per_millisecond();
        let (now, later) = samples.split_at((room.len() / grows).min(samples.len()));
        match (band, self.codec.band()) {
            (Band::Narrow, Band::Wide) => self.up.process(now, &mut room[..2 * now.len()]),
            (Band::Narrow, Band::Narrow) | (Band::Wide, _) => room[..now.len()].copy_from_slice(now),
        }
        self.filled += grows * now.len();
        later
    }

    /// Noise as far as there is room.
    pub(crate) fn take_noise(&mut self, ptime: u8) {
        let length = self.length(ptime);
        if let Some(noise) = &mut self.noise {
            noise.fill(&mut self.frame[self.filled.min(length)..length]);
            self.filled = length;
        }
    }

    /// Whether a packet is ready.
    pub(crate) fn is_full(&self, ptime: u8) -> bool {
        self.filled >= self.length(ptime)
    }

    /// Codes the packet that is ready; says how long it is, and whether it follows nothing. `None`: nothing is to be sent, as
    /// nothing is said.
    pub(crate) fn encode(&mut self, ptime: u8, octets: &mut [u8]) -> Option<(usize, bool)> {
        let frame = &self.frame[..self.length(ptime)];
        self.filled = 0;
        let length = match &mut self.encoder {
            Encoder::G711(law) => {
                for (octet, sample) in octets.iter_mut().zip(frame) {
                    *octet = g711::encode(*law, *sample);
                }
                Some(frame.len())
            }
            Encoder::G722(encoder) => {
                encoder.encode(frame, octets);
                Some(frame.len() / 2)
            }
            Encoder::Opus(encoder) => encoder.encode(frame, octets),
        };
        let is_apart = std::mem::replace(&mut self.is_apart, length.is_none());
        length.map(|length| (length, is_apart))
    }

    fn length(&self, ptime: u8) -> usize {
        usize::from(ptime) * self.codec.band().per_millisecond()
    }
}
