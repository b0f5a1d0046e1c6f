//! What one side says, as linear samples: decoded in order, with what was lost made up.
//!
//! There is no buffer against jitter here, so that nothing is delayed: whoever hears us at the end of the way has one. What
//! is missing is known when the next packet is there, and is made up then; a packet that comes after that has no place
//! any more. Where packets are passed on as they are nothing is made up: that is left to whoever hears them.

use crate::Codec;
use crate::codec::half_band::Down;
use crate::codec::{Band, g711, g722, opus};
use crate::packet::{self, Header};
use crate::plc::{self, Plc};
use crate::receiver::Place;

/// Room for the longest packet of G.722, which is longer than any of Opus, and for what is made up before it.
const LONGEST: usize = 2 * packet::MAX_LENGTH + MADE_UP;
/// Timestamps of Opus in a sample at 16 kHz.
const OPUS_TIMESTAMPS: u32 = 3;
/// What is made up at most, in samples at 16 kHz.
const MADE_UP: usize = 16 * plc::SILENT;
/// A timestamp that moves by more than this is a jump of the sender's clock: two seconds, in milliseconds.
const JUMP: u32 = 2000;

/// Listens to one side.
#[derive(Debug)]
pub(crate) struct Ear {
    g722: Option<g722::Decoder>,
    opus: Option<opus::Decoder>,
    plc: Plc,
    down: Down,
    follows: Option<Follows>,
    heard: Heard,
    wide: [i16; LONGEST],
    narrow: [i16; LONGEST / 2],
}

/// What the next packet should look like.
#[derive(Debug, Clone, Copy)]
struct Follows {
    codec: Codec,
    ssrc: u32,
    timestamp: u32,
    /// The same in timestamps of 8000 a second, which run on where others wrap.
    narrow: u32,
}

/// What the last packet came to.
#[derive(Debug, Clone, Copy)]
struct Heard {
    band: Band,
    /// Samples made up, and those there were.
    made_up: usize,
    said: usize,
    /// Nothing was said between the two, or before.
    is_apart: bool,
    /// Nothing is said from now on.
    pauses: bool,
    /// Where the two begin, in timestamps of 8000 a second.
    begins: [u32; 2],
}

/// Consecutive samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) samples: &'a [i16],
    /// When the first was taken, in timestamps of 8000 a second.
    pub(crate) timestamp: u32,
    /// It does not follow what was before it.
    pub(crate) is_apart: bool,
}

impl Ear {
    /// One that understands these codecs. `None`: there is no memory.
    pub(crate) fn new(codecs: impl IntoIterator<Item = Codec>) -> Option<Box<Self>> {
        let (mut g722, mut opus) = (None, None);
        for codec in codecs {
            match codec {
                Codec::Pcmu | Codec::Pcma => {}
                Codec::G722 => g722 = Some(g722::Decoder::default()),
                Codec::Opus => opus = Some(opus::Decoder::new()?),
            }
        }
        Some(Box::new(Self {
            g722,
            opus,
            plc: Plc::default(),
            down: Down::default(),
            follows: None,
            heard: Heard {
                band: Band::Narrow,
                made_up: 0,
                said: 0,
                is_apart: true,
                pauses: false,
                begins: [0; 2],
            },
            wide: [0; LONGEST],
            narrow: [0; LONGEST / 2],
        }))
    }

    /// Whether it understands a codec.
    pub(crate) fn understands(&self, codec: Codec) -> bool {
        match codec {
            Codec::Pcmu | Codec::Pcma => true,
            Codec::G722 => self.g722.is_some(),
            Codec::Opus => self.opus.is_some(),
        }
    }

    /// Takes a packet. `false`: there is nothing to be heard, as it came too late, or cannot be understood.
    #[inline(never)]
    pub(crate) fn hear(&mut self, header: &Header, place: Place, codec: Codec, payload: &[u8]) -> bool {
        if let Place::Late | Place::Double | Place::Stray = place {
            return false;
        }
        if !self.understands(codec) {
            return false;
        }
        let band = codec.band();
        let factor = codec.clock_rate().factor();
        let before = self.follows.filter(|before| before.codec == codec && before.ssrc == header.ssrc);
        let missing = before
            .filter(|_| place != Place::First)
            .map(|before| header.timestamp.wrapping_sub(before.timestamp))
            .filter(|missing| *missing <= JUMP * 8 * factor);
        if before.is_none() {
            self.begin(codec);
        }
        // Timestamps of 8000 a second are two of the samples in the wide band, and one in the narrow.
        let per_timestamp = band.per_millisecond() / 8;
        let lost = match (place, missing) {
            (Place::Ahead(2..), Some(missing)) => (missing / factor) as usize * per_timestamp,
            (_, _) => 0,
        };
        let made_up = lost.min(band.per_millisecond() * plc::SILENT);
        self.make_up(codec, payload, made_up);
        let said = self.decode(codec, payload, made_up);
        let at = match (before, missing) {
            (Some(before), Some(missing)) => before.narrow.wrapping_add(missing / factor),
            (Some(_), None) | (None, _) => header.timestamp / factor,
        };
        let pauses = said == 0 && codec == Codec::Opus && opus::pauses(payload);
        let length = if pauses { codec.length(payload) / factor } else { (said / per_timestamp) as u32 };
        self.heard = Heard {
            band,
            made_up,
            said,
            is_apart: missing.is_none_or(|missing| missing / factor * per_timestamp as u32 != made_up as u32),
            pauses,
            begins: [before.map_or(at, |before| before.narrow), at],
        };
        self.follows = Some(Follows {
            codec,
            ssrc: header.ssrc,
            timestamp: header.timestamp.wrapping_add(length * factor),
            narrow: at.wrapping_add(length),
        });
        if band == Band::Wide {
            let all = made_up + said;
            self.down.process(&self.wide[..all], &mut self.narrow[..all / 2]);
        }
        made_up + said > 0 || pauses
    }

    /// A stream begins.
    fn begin(&mut self, codec: Codec) {
        self.plc.reset(codec.band());
        self.down = Down::default();
        if let Some(decoder) = &mut self.g722 {
            *decoder = g722::Decoder::default();
        }
        if let Some(decoder) = &mut self.opus {
            decoder.reset();
        }
    }

    fn make_up(&mut self, codec: Codec, after: &[u8], count: usize) {
        if count == 0 {
            return;
        }
        match (codec.band(), &mut self.opus) {
            (Band::Narrow, _) => self.plc.conceal(&mut self.narrow[..count]),
            (Band::Wide, Some(decoder)) if codec == Codec::Opus => {
                // The last packet lost may be told by the one after it.
                let told = (codec.length(after) / OPUS_TIMESTAMPS) as usize;
                let (untold, last) = self.wide[..count].split_at_mut(count.saturating_sub(told));
                self.plc.conceal(untold);
                if last.len() == told && decoder.correct(after, last) == told {
                    self.plc.hear(last);
                } else {
                    self.plc.conceal(last);
                }
            }
            (Band::Wide, _) => self.plc.conceal(&mut self.wide[..count]),
        }
    }

    fn decode(&mut self, codec: Codec, payload: &[u8], from: usize) -> usize {
        let count = payload.len();
        match (codec, codec.law(), &mut self.g722, &mut self.opus) {
            (_, Some(law), _, _) => {
                let samples = &mut self.narrow[from..from + count];
                for (sample, octet) in samples.iter_mut().zip(payload) {
                    *sample = g711::decode(law, *octet);
                }
                self.plc.hear(samples);
                count
            }
            (Codec::G722, _, Some(decoder), _) => {
                let samples = &mut self.wide[from..from + 2 * count];
                decoder.decode(payload, samples);
                self.plc.hear(samples);
                2 * count
            }
            (Codec::Opus, _, _, Some(decoder)) => {
                let count = decoder.decode(payload, &mut self.wide[from..from + opus::LONGEST]);
                self.plc.hear(&mut self.wide[from..from + count]);
                count
            }
            (_, None, _, _) => 0,
        }
    }

    /// What the last packet came to at 8 kHz: what was made up, and what there was.
    pub(crate) fn narrow(&self) -> [Piece<'_>; 2] {
        let divisor = self.heard.band.per_millisecond() / 8;
        self.pieces(&self.narrow, divisor)
    }

    /// The same as it was, and whether it is wide.
    pub(crate) fn as_it_was(&self) -> (Band, [Piece<'_>; 2]) {
        match self.heard.band {
            Band::Narrow => (Band::Narrow, self.narrow()),
            Band::Wide => (Band::Wide, self.pieces(&self.wide, 1)),
        }
    }

    fn pieces<'a>(&self, samples: &'a [i16], divisor: usize) -> [Piece<'a>; 2] {
        let Heard { made_up, said, begins, is_apart, .. } = self.heard;
        let (made_up, said) = (made_up / divisor, said / divisor);
        [
            Piece { samples: &samples[..made_up], timestamp: begins[0], is_apart: false },
            Piece { samples: &samples[made_up..made_up + said], timestamp: begins[1], is_apart },
        ]
    }

    /// Whether the last packet said that nothing is said from now on.
    pub(crate) fn pauses(&self) -> bool {
        self.heard.pauses
    }

    /// What was heard last, up to 40 ms of it.
    pub(crate) fn newest(&self) -> &[i16] {
        self.plc.newest()
    }
}
