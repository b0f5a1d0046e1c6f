//! G.711 (ITU-T): both laws from and to linear samples, and one from the other.

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// mu-law.
    Mu,
    /// A-law.
    A,
}

/// What an octet of either law sounds like, as 16-bit samples.
static LINEAR: [[i16; 256]; 2] = [table_of_linear(Law::Mu), table_of_linear(Law::A)];

/// Each octet of one law in the other: mu-law to A-law, then back.
static OTHER: [[u8; 256]; 2] = [table_of_other(Law::Mu), table_of_other(Law::A)];

/// The linear sample of an octet.
#[must_use]
pub fn decode(law: Law, octet: u8) -> i16 {
    LINEAR[index(law)][usize::from(octet)]
}

/// The octet nearest to a linear sample.
#[must_use]
pub const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::Mu => encode_mu(sample),
        Law::A => encode_a(sample),
    }
}

/// Rewrites octets of `law` in the other law.
pub fn transcode(law: Law, octets: &mut [u8]) {
    let table = &OTHER[index(law)];
    for octet in octets {
        *octet = table[usize::from(*octet)];
    }
}

/// The octet of silence.
#[must_use]
pub const fn silence(law: Law) -> u8 {
    match law {
        Law::Mu => 0xFF,
        Law::A => 0xD5,
    }
}

const fn index(law: Law) -> usize {
    match law {
        Law::Mu => 0,
        Law::A => 1,
    }
}

const fn table_of_linear(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::Mu => decode_mu(octet as u8),
            Law::A => decode_a(octet as u8),
        };
        octet += 1;
    }
    table
}

const fn table_of_other(law: Law) -> [u8; 256] {
    let linear = table_of_linear(law);
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = match law {
            Law::Mu => encode_a(linear[octet]),
            Law::A => encode_mu(linear[octet]),
        };
        octet += 1;
    }
    table
}

/// The 14-bit law works on magnitudes shifted by 33 of its steps, so that each segment begins at a power of two.
const MU_BIAS: i32 = 33 << 2;
/// The largest magnitude mu-law can tell from the next, in 16-bit steps.
const MU_CLIP: i32 = 0x7FFF - MU_BIAS;

const fn encode_mu(sample: i16) -> u8 {
    let sample = sample as i32;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = if sample < 0 { -sample } else { sample };
    let biased = (if magnitude > MU_CLIP { MU_CLIP } else { magnitude }) + MU_BIAS;
    let segment = 24 - biased.leading_zeros();
    let step = (biased >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4) as u8 | step as u8)
}

const fn decode_mu(octet: u8) -> i16 {
    let octet = !octet;
    let segment = (octet >> 4) & 7;
    let step = (octet & 0x0F) as i32;
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    (if octet & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

/// Every second bit of A-law is sent inverted (G.711 §3.2).
const A_INVERTED: u8 = 0x55;

const fn encode_a(sample: i16) -> u8 {
    // One's complement: A-law has no zero, its steps lie mirrored about the line between 0 and -1.
    let (sign, magnitude) = if sample < 0 { (0, !sample as u16) } else { (0x80, sample as u16) };
    let segment = 24u32.saturating_sub((magnitude as u32).leading_zeros());
    let step = if segment == 0 { magnitude >> 4 } else { magnitude >> (segment + 3) } & 0x0F;
    (sign | (segment << 4) as u8 | step as u8) ^ A_INVERTED
}

const fn decode_a(octet: u8) -> i16 {
    let octet = octet ^ A_INVERTED;
    let segment = (octet >> 4) & 7;
    let middle = ((octet & 0x0F) as i32) * 16 + 8;
    let magnitude = if segment == 0 { middle } else { (middle + 0x100) << (segment - 1) };
    (if octet & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAWS: [Law; 2] = [Law::Mu, Law::A];

    #[test]
    fn known_points_of_the_tables_of_g711() {
        let mu =
            [(0x80, 32124), (0x00, -32124), (0x8F, 16764), (0xFF, 0), (0xFE, 8), (0x7E, -8), (0xF0, 120)];
        for (octet, sample) in mu {
            assert_eq!(decode(Law::Mu, octet), sample, "{octet:#x}");
        }
        let a = [(0xD5, 8), (0x55, -8), (0xAA, 32256), (0x2A, -32256)];
        for (octet, sample) in a {
            assert_eq!(decode(Law::A, octet), sample, "{octet:#x}");
        }
    }

    #[test]
    fn encoding_is_monotone_and_errs_by_half_a_step_at_most() {
        for law in LAWS {
            let mut before = i32::MIN;
            for sample in i16::MIN..=i16::MAX {
                let heard = i32::from(decode(law, encode(law, sample)));
                let sample = i32::from(sample);
                // A step is a sixteenth of its segment, and a segment begins at half its end.
                let half_a_step = (sample.abs() + MU_BIAS) / 32 + 8;
                assert!((heard - sample).abs() <= half_a_step, "{law:?} {sample}: {heard}");
                assert!(heard >= before, "{law:?} {sample}: {heard} after {before}");
                before = heard;
            }
        }
    }

    #[test]
    fn every_octet_comes_back_from_linear() {
        for law in LAWS {
            for octet in 0..=255 {
                let back = encode(law, decode(law, octet));
                // mu-law has two zeros.
                assert!(back == octet || (law == Law::Mu && octet == 0x7F), "{law:?} {octet:#x} {back:#x}");
            }
        }
    }

    #[test]
    fn the_other_law_sounds_alike_and_silence_stays_silence() {
        for law in LAWS {
            let other = if law == Law::Mu { Law::A } else { Law::Mu };
            for octet in 0..=255 {
                let mut octets = [octet];
                transcode(law, &mut octets);
                let before = i32::from(decode(law, octet));
                let after = i32::from(decode(other, octets[0]));
                assert!(
                    (before - after).abs() <= 8 + before.abs() / 16,
                    "{law:?} {octet:#x}: {before} {after}"
                );
            }
            let mut quiet = [silence(law)];
            transcode(law, &mut quiet);
            assert!(decode(other, quiet[0]).abs() <= 8, "{law:?}: {quiet:?}");
        }
    }
}
