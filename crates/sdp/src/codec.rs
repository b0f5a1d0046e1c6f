//! The codecs a description can name, and what it says of them (RFC 3551, RFC 7587).

/// How voice is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// G.711, mu-law: static payload type 0 (RFC 3551 Table 4).
    Pcmu,
    /// G.711, A-law: static payload type 8.
    Pcma,
    /// G.722: static payload type 9. Its clock rate is written as 8000 (RFC 3551 §4.5.2).
    G722,
    /// Opus: a dynamic payload type (RFC 7587).
    Opus,
}

/// How fast timestamps run: what is written behind the name of an encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockRate {
    /// 8000 a second.
    Hz8000,
    /// 48,000 a second.
    Hz48000,
}

impl Codec {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The static payload type (RFC 3551 Table 4), if it has one.
    #[must_use]
    pub fn payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    /// How fast its timestamps run.
    #[must_use]
    pub fn clock_rate(self) -> ClockRate {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => ClockRate::Hz8000,
            Self::Opus => ClockRate::Hz48000,
        }
    }

    /// What an `a=rtpmap` says of it.
    pub(crate) fn map(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::G722 => "G722/8000",
            // Two channels, however many there are (RFC 7587 §7).
            Self::Opus => "opus/48000/2",
        }
    }

    /// Whether it is one of the two laws.
    pub(crate) fn is_law(self) -> bool {
        matches!(self, Self::Pcmu | Self::Pcma)
    }
}

impl ClockRate {
    pub(crate) const ALL: [Self; 2] = [Self::Hz8000, Self::Hz48000];

    pub(crate) fn hertz(self) -> u32 {
        match self {
            Self::Hz8000 => 8000,
            Self::Hz48000 => 48_000,
        }
    }
}

/// What the `a=fmtp` of Opus says that matters to whoever sends one voice (RFC 7587 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusWishes {
    /// `maxaveragebitrate`: bits in a second at most; 0: as the sender likes.
    pub bit_rate: u32,
    /// `maxplaybackrate`: hertz.
    pub playback_rate: u32,
    /// `cbr`.
    pub constant: bool,
    /// `useinbandfec`.
    pub correction: bool,
    /// `usedtx`.
    pub pauses: bool,
    /// `minptime`: milliseconds of audio in a packet at least, as far as it can be helped.
    pub least: u32,
}

/// What is meant where nothing is said.
impl Default for OpusWishes {
    fn default() -> Self {
        Self {
            bit_rate: 0,
            playback_rate: 48_000,
            constant: false,
            correction: false,
            pauses: false,
            least: 0,
        }
    }
}

impl OpusWishes {
    /// Reads parameters; those that cannot be read, or mean nothing to a sender, are passed over.
    pub(crate) fn parse(text: &str) -> Self {
        let mut wishes = Self::default();
        for parameter in text.split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let Ok(value) = value.trim_ascii().parse::<u32>() else { continue };
            let place = match name.trim_ascii().to_ascii_lowercase().as_str() {
                "maxaveragebitrate" => &mut wishes.bit_rate,
                "maxplaybackrate" => &mut wishes.playback_rate,
                "minptime" => &mut wishes.least,
                "cbr" => {
                    wishes.constant = value == 1;
                    continue;
                }
                "useinbandfec" => {
                    wishes.correction = value == 1;
                    continue;
                }
                "usedtx" => {
                    wishes.pauses = value == 1;
                    continue;
                }
                _ => continue,
            };
            *place = value;
        }
        wishes
    }
}

/// What we say of the Opus we want: one voice, and what it says twice is made use of where a packet is lost. All else is as it
/// is where nothing is said: what comes may go on to another phone as it is, and that is not for us to narrow.
pub(crate) const OUR_OPUS: &str = "useinbandfec=1;stereo=0;sprop-stereo=0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read_whatever_stands_beside_them() {
        let wishes = OpusWishes::parse(
            " maxplaybackrate=16000; sprop-maxcapturerate=16000;MaxAverageBitrate=20000;stereo=1; useinbandfec=1;usedtx=0;cbr=1;minptime=10;x;y=z",
        );
        let expected = OpusWishes {
            bit_rate: 20_000,
            playback_rate: 16_000,
            constant: true,
            correction: true,
            pauses: false,
            least: 10,
        };
        assert_eq!(wishes, expected);
        assert_eq!(OpusWishes::parse(""), OpusWishes::default());
        assert_eq!(OpusWishes::parse("usedtx=2;cbr=-1;maxaveragebitrate=99999999999"), OpusWishes::default());
    }
}
