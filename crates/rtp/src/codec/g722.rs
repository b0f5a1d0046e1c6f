//! G.722 (ITU-T, 09/2012) at 64 kbit/s: two sub-bands, each coded as the difference from what was foreseen.
//!
//! The names of the blocks are those of the Recommendation's clause 6. All arithmetic is the 16-bit one it prescribes, so
//! that encoder and decoder agree to the bit with every other.

/// What came before, of the filters that part and join the sub-bands.
const TAPS: usize = 24;

/// Half the coefficients of those filters, which are alike on both sides (Table 4), each with its mirrored neighbour's place.
const FILTER: [i32; TAPS / 2] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Where the steps of the lower sub-band's quantizer begin (Table 7), for scale factor 1 in units of 2^-12.
const STEPS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// What six bits of the lower sub-band say, in units of 2^-15 of the scale factor (Table 14).
const SIX_BITS: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];

/// What the upper four of those say: all that either side goes by (Table 15).
const FOUR_BITS: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// What the two bits of the higher sub-band say (Table 16).
const TWO_BITS: [i32; 4] = [-7408, -1616, 7408, 1616];

/// How the logarithm of the scale factor moves with those four bits (Tables 9 and 10).
const LOWER_MOVES: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
/// … and with those two bits (Tables 11 and 12).
const HIGHER_MOVES: [i32; 4] = [798, -214, 798, -214];

/// 2^(n/32), in units of 2^-11 (Table 13).
const POWERS: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// What both sides foresee of one sub-band, from what was decoded of it.
#[derive(Debug, Default)]
struct Subband {
    /// The logarithm of the scale factor (NBL, NBH), and the scale factor (DETL, DETH).
    logarithm: i32,
    scale: i32,
    /// The sample foreseen (SL, SH), and the part of it that comes of the differences (SZL, SZH).
    foreseen: i32,
    of_differences: i32,
    /// The last two samples (RLT), the newest first, and the last two partly rebuilt ones (PLT).
    rebuilt: [i32; 2],
    partial: [i32; 2],
    /// What those are multiplied by (AL).
    poles: [i32; 2],
    /// The last six differences (DLT), the newest first, and what they are multiplied by (BL).
    differences: [i32; 6],
    zeros: [i32; 6],
}

impl Subband {
    /// The scale factor follows what was just coded (LOGSCL and SCALEL, LOGSCH and SCALEH).
    fn rescale(&mut self, moves: i32, limit: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + moves).clamp(0, limit);
        let power = POWERS[((self.logarithm >> 6) & 31) as usize];
        let down = shift - (self.logarithm >> 11);
        self.scale = (if down < 0 { power << -down } else { power >> down }) << 2;
    }

    /// Takes a difference, and foresees the next sample (block 4).
    fn adapt(&mut self, difference: i32) {
        // RECONS, PARREC
        let rebuilt = saturate(self.foreseen + difference);
        let partial = saturate(self.of_differences + difference);
        let is_alike = |other: i32| (partial ^ other) >= 0;
        let [one, two] = self.partial.map(is_alike);
        // UPPOL2, UPPOL1
        let first = saturate(self.poles[0] << 2);
        let turned = (if one { -first } else { first }).min(i32::from(i16::MAX));
        let second = (turned >> 7) + (if two { 128 } else { -128 }) + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        let first = saturate((if one { 192 } else { -192 }) + ((self.poles[0] * 32_640) >> 15));
        let limit = saturate(15_360 - second);
        self.poles = [first.clamp(-limit, limit), second];
        // UPZERO
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(self.differences) {
            let by = if (before ^ difference) >= 0 { step } else { -step };
            *zero = saturate(by + ((*zero * 32_640) >> 15));
        }
        // DELAYA
        self.rebuilt = [rebuilt, self.rebuilt[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.rotate_right(1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC
        let product = |(by, sample): (&i32, &i32)| (by * saturate(sample << 1)) >> 15;
        let of_samples = saturate(self.poles.iter().zip(&self.rebuilt).map(product).sum());
        self.of_differences = saturate(self.zeros.iter().zip(&self.differences).map(product).sum());
        self.foreseen = saturate(of_samples + self.of_differences);
    }
}

/// The two sub-bands as they begin (§6.2, reset).
#[derive(Debug)]
struct Subbands {
    lower: Subband,
    higher: Subband,
}

impl Default for Subbands {
    fn default() -> Self {
        Self {
            lower: Subband { scale: 32, ..Subband::default() },
            higher: Subband { scale: 8, ..Subband::default() },
        }
    }
}

impl Subbands {
    /// Both sides go on by the octet that is sent.
    fn adapt(&mut self, octet: u8) {
        let four = usize::from(octet >> 2 & 15);
        let two = usize::from(octet >> 6);
        let difference = (self.lower.scale * FOUR_BITS[four]) >> 15;
        self.lower.rescale(LOWER_MOVES[four], 18_432, 8);
        self.lower.adapt(difference);
        let difference = (self.higher.scale * TWO_BITS[two]) >> 15;
        self.higher.rescale(HIGHER_MOVES[two], 22_528, 10);
        self.higher.adapt(difference);
    }
}

/// From linear samples at 16 kHz.
#[derive(Debug, Default)]
pub struct Encoder {
    subbands: Subbands,
    before: [i32; TAPS],
}

impl Encoder {
    /// An octet for each two samples; `octets` has room for them.
    pub fn encode(&mut self, samples: &[i16], octets: &mut [u8]) {
        for (pair, octet) in samples.chunks_exact(2).zip(octets) {
            self.before.copy_within(2.., 0);
            self.before[TAPS - 2] = pair[0].into();
            self.before[TAPS - 1] = pair[1].into();
            let (first, second) = filtered(&self.before);
            *octet = self.octet((second + first) >> 14, (second - first) >> 14);
        }
    }

    fn octet(&mut self, low: i32, high: i32) -> u8 {
        let Subbands { lower, higher } = &self.subbands;
        // QUANTL
        let difference = saturate(low - lower.foreseen);
        let magnitude = if difference < 0 { !difference } else { difference };
        let step = STEPS.partition_point(|step| (step * lower.scale) >> 12 <= magnitude) as u8;
        // Negative ones run from 63, 62, 31 down to 4; the others from 61 down to 32.
        let six = match (difference < 0, step) {
            (false, step) => 61 - step,
            (true, 0 | 1) => 63 - step,
            (true, step) => 33 - step,
        };
        // QUANTH
        let difference = saturate(high - higher.foreseen);
        let magnitude = if difference < 0 { !difference } else { difference };
        let is_large = magnitude >= (564 * higher.scale) >> 12;
        let two = if difference < 0 { 1 } else { 3 } - u8::from(is_large);
        let octet = two << 6 | six;
        self.subbands.adapt(octet);
        octet
    }
}

/// To linear samples at 16 kHz.
#[derive(Debug, Default)]
pub struct Decoder {
    subbands: Subbands,
    before: [i32; TAPS],
}

impl Decoder {
    /// Two samples for each octet; `samples` has room for them.
    pub fn decode(&mut self, octets: &[u8], samples: &mut [i16]) {
        for (octet, pair) in octets.iter().zip(samples.chunks_exact_mut(2)) {
            let Subbands { lower, higher } = &self.subbands;
            let rebuilt = |subband: &Subband, by: i32| {
                (subband.foreseen + ((subband.scale * by) >> 15)).clamp(-16_384, 16_383)
            };
            let low = rebuilt(lower, SIX_BITS[usize::from(octet & 63)]);
            let high = rebuilt(higher, TWO_BITS[usize::from(octet >> 6)]);
            self.subbands.adapt(*octet);
            self.before.copy_within(2.., 0);
            self.before[TAPS - 2] = low + high;
            self.before[TAPS - 1] = low - high;
            let (first, second) = filtered(&self.before);
            pair[0] = saturate(second >> 11) as i16;
            pair[1] = saturate(first >> 11) as i16;
        }
    }
}

/// The two halves of the filter that parts and joins the sub-bands.
fn filtered(before: &[i32; TAPS]) -> (i32, i32) {
    let pairs = before.chunks_exact(2);
    let first = pairs.clone().zip(&FILTER).map(|(pair, tap)| pair[0] * tap).sum();
    let second = pairs.zip(FILTER.iter().rev()).map(|(pair, tap)| pair[1] * tap).sum();
    (first, second)
}

#[cfg(test)]
#[path = "g722_tests.rs"]
mod tests;
