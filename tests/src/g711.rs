//! G.711 (ITU-T, 11/88) from its tables' formulas, for peers.

/// The two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// PCMU, payload type 0 (RFC 3551 §6).
    Mu,
    /// PCMA, payload type 8.
    A,
}

impl Law {
    /// Static payload type.
    #[must_use]
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Mu => 0,
            Self::A => 8,
        }
    }

    /// Name in `a=rtpmap`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mu => "PCMU",
            Self::A => "PCMA",
        }
    }

    /// One octet to a sample.
    #[must_use]
    pub fn decode(self, octet: u8) -> i16 {
        match self {
            Self::Mu => {
                let bits = !octet;
                let magnitude = (((i16::from(bits & 0x0F) << 3) + 0x84) << (bits >> 4 & 7)) - 0x84;
                if bits & 0x80 == 0 { magnitude } else { -magnitude }
            }
            Self::A => {
                let bits = octet ^ 0x55;
                let step = i16::from(bits & 0x0F) << 4;
                let magnitude = match bits >> 4 & 7 {
                    0 => step + 8,
                    segment => (step + 0x108) << (segment - 1),
                };
                if bits & 0x80 == 0 { -magnitude } else { magnitude }
            }
        }
    }

    /// A sample to the octet that lies nearest.
    #[must_use]
    pub fn encode(self, sample: i16) -> u8 {
        (0..=255_u8)
            .min_by_key(|octet| (i32::from(self.decode(*octet)) - i32::from(sample)).abs())
            .expect("256 octets")
    }

    /// Many at once, by a table.
    #[must_use]
    pub fn encode_all(self, samples: &[i16]) -> Vec<u8> {
        let mut levels: Vec<(i16, u8)> = (0..=255).map(|octet| (self.decode(octet), octet)).collect();
        levels.sort_unstable();
        samples
            .iter()
            .map(|sample| {
                let above = levels.partition_point(|(level, _)| level < sample);
                let near = levels[above.saturating_sub(1)..(above + 1).min(levels.len())].iter();
                near.min_by_key(|(level, _)| (i32::from(*level) - i32::from(*sample)).abs())
                    .expect("one or two levels lie near")
                    .1
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_octets_decode_to_the_levels_of_the_recommendation() {
        assert_eq!([Law::A.decode(0xD5), Law::A.decode(0x55), Law::A.decode(0xAA)], [8, -8, 32_256]);
        assert_eq!([Law::Mu.decode(0xFF), Law::Mu.decode(0x80), Law::Mu.decode(0x00)], [0, 32_124, -32_124]);
    }

    #[test]
    fn coding_all_agrees_with_coding_each() {
        let samples: Vec<i16> =
            (-32_768..=32_767).step_by(97).map(|s: i32| i16::try_from(s).unwrap()).collect();
        for law in [Law::Mu, Law::A] {
            let each: Vec<i16> = samples.iter().map(|s| law.decode(law.encode(*s))).collect();
            let all: Vec<i16> = law.encode_all(&samples).iter().map(|o| law.decode(*o)).collect();
            for ((a, b), s) in each.iter().zip(&all).zip(&samples) {
                let off = |level: i16| (i32::from(level) - i32::from(*s)).abs();
                assert_eq!(off(*a), off(*b), "{s}");
            }
        }
    }
}
