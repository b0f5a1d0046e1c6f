//! What is heard in place of what was lost, of codecs that know nothing of it themselves: in the manner of G.711
//! Appendix I, without its delay.
//!
//! The last pitch period is repeated. It goes on where the last sample was, joins its own beginning without a step, fades
//! from 10 ms on and is silent from 60 ms on; what comes then is faded in over what is still made up. A tone
//! goes on as a tone.

use crate::codec::Band;

/// What is remembered at most: 40 ms, more than twice the longest period and what it is compared with.
const MEMORY: usize = 640;
/// The longest period: 15 ms, a voice of 66 Hz.
const LONGEST: usize = 240;
/// Milliseconds after which it fades, and after which it is silent.
const FADES: usize = 10;
pub(crate) const SILENT: usize = 60;
/// Milliseconds in which what comes next takes its place.
const JOINS: usize = 4;

/// Makes up what was lost.
#[derive(Debug)]
pub(crate) struct Plc {
    band: Band,
    /// The newest is the last.
    memory: [i16; MEMORY],
    /// How much of it is there.
    known: usize,
    made_up: Option<MadeUp>,
}

/// A loss that lasts.
#[derive(Debug)]
struct MadeUp {
    /// One period, which joins its own beginning.
    cycle: [i16; LONGEST],
    period: usize,
    /// How far the last sample was from where the cycle begins.
    step: i32,
    /// Samples made up so far.
    count: usize,
}

impl Default for Plc {
    fn default() -> Self {
        Self { band: Band::Narrow, memory: [0; MEMORY], known: 0, made_up: None }
    }
}

impl Plc {
    /// Another stream begins.
    pub(crate) fn reset(&mut self, band: Band) {
        self.band = band;
        self.known = 0;
        self.made_up = None;
    }

    /// Takes what came. Its beginning is faded in over what was made up before it.
    pub(crate) fn hear(&mut self, samples: &mut [i16]) {
        if samples.is_empty() {
            return;
        }
        if let Some(mut made_up) = self.made_up.take() {
            let count = samples.len().min(JOINS * self.band.per_millisecond());
            for (place, sample) in samples[..count].iter_mut().enumerate() {
                let before = i32::from(made_up.next(self.band));
                let (place, count) = (place as i32, count as i32);
                *sample = ((i32::from(*sample) * place + before * (count - place)) / count) as i16;
            }
        }
        self.remember(samples);
    }

    /// Fills in what was lost.
    pub(crate) fn conceal(&mut self, samples: &mut [i16]) {
        let mut made_up = self.made_up.take().or_else(|| self.begin());
        for sample in samples.iter_mut() {
            *sample = made_up.as_mut().map_or(0, |made_up| made_up.next(self.band));
        }
        self.made_up = made_up;
    }

    /// What was heard last.
    pub(crate) fn newest(&self) -> &[i16] {
        &self.memory[MEMORY - self.known..]
    }

    fn remember(&mut self, samples: &[i16]) {
        let newest = &samples[samples.len().saturating_sub(MEMORY)..];
        self.memory.copy_within(newest.len().., 0);
        self.memory[MEMORY - newest.len()..].copy_from_slice(newest);
        self.known = (self.known + newest.len()).min(MEMORY);
    }

    /// The period in which what was heard last is most like what was heard before it.
    fn begin(&self) -> Option<MadeUp> {
        let per_millisecond = self.band.per_millisecond();
        let longest = 15 * per_millisecond;
        let window = 10 * per_millisecond;
        if self.known < 2 * longest + per_millisecond {
            return None;
        }
        let newest = &self.memory[MEMORY - window..];
        let likeness = |period: usize| {
            let before = &self.memory[MEMORY - window - period..MEMORY - period];
            let (mut product, mut energy) = (0_i64, 1_i64);
            for (one, other) in newest.iter().zip(before) {
                product += i64::from(*one) * i64::from(*other);
                energy += i64::from(*other) * i64::from(*other);
            }
            product as f32 / (energy as f32).sqrt()
        };
        let shortest = 5 * per_millisecond;
        let (mut period, mut most) = (longest, f32::MIN);
        for candidate in shortest..=longest {
            let likeness = likeness(candidate);
            if likeness > most {
                (period, most) = (candidate, likeness);
            }
        }
        let mut cycle = [0; LONGEST];
        cycle[..period].copy_from_slice(&self.memory[MEMORY - period..]);
        // Its last quarter becomes what came before its beginning.
        let quarter = period / 4;
        for place in 0..quarter {
            let at = period - quarter + place;
            let before = i32::from(self.memory[MEMORY - 2 * period + at]);
            let (place, quarter) = (place as i32 + 1, quarter as i32);
            cycle[at] = ((i32::from(cycle[at]) * (quarter - place) + before * place) / quarter) as i16;
        }
        let step = i32::from(self.memory[MEMORY - 1]) - i32::from(self.memory[MEMORY - period - 1]);
        Some(MadeUp { cycle, period, step, count: 0 })
    }
}

impl MadeUp {
    fn next(&mut self, band: Band) -> i16 {
        let per_millisecond = band.per_millisecond();
        let (joins, count) = (JOINS * per_millisecond, self.count);
        let (fades, silent) = (FADES * per_millisecond, SILENT * per_millisecond);
        self.count += 1;
        if count >= silent {
            return 0;
        }
        let step = self.step * joins.saturating_sub(count) as i32 / joins as i32;
        let sample =
            (i32::from(self.cycle[count % self.period]) + step).clamp(i16::MIN.into(), i16::MAX.into());
        let left = (silent - count).min(silent - fades) as i32;
        (sample * left / (silent - fades) as i32) as i16
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(band: Band, hertz: f64, count: usize) -> Vec<i16> {
        let rate = 1000.0 * band.per_millisecond() as f64;
        (0..count).map(|n| (10_000.0 * (TAU * hertz * n as f64 / rate).sin()) as i16).collect()
    }

    /// What is heard of it when 20 ms are lost, one time in eight.
    fn lossy(band: Band, tone: &[i16]) -> Vec<i16> {
        let mut plc = Plc::default();
        plc.reset(band);
        let mut heard = tone.to_vec();
        for (place, packet) in heard.chunks_mut(20 * band.per_millisecond()).enumerate() {
            if place % 8 == 5 { plc.conceal(packet) } else { plc.hear(packet) }
        }
        heard
    }

    #[test]
    fn a_tone_goes_on_as_a_tone_without_a_click() {
        for band in [Band::Narrow, Band::Wide] {
            for hertz in [150.0, 440.0, 1000.0, 1004.0, 2100.0] {
                let tone = tone(band, hertz, 4000 * band.per_millisecond() / 8);
                let steps = |samples: &[i16]| {
                    samples
                        .windows(3)
                        .map(|s| (i32::from(s[2]) - 2 * i32::from(s[1]) + i32::from(s[0])).abs())
                        .max()
                };
                let heard = lossy(band, &tone);
                let (most, was) = (steps(&heard).unwrap(), steps(&tone).unwrap());
                assert!(most <= was * 5 / 4 + 500, "{band:?} {hertz}: {most}, where it was {was}");
                let lost = 5 * 20 * band.per_millisecond()..6 * 20 * band.per_millisecond();
                let power = |samples: &[i16]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
                let louder = 10.0 * (power(&heard[lost.clone()]) / power(&tone[lost])).log10();
                assert!((-2.0..0.5).contains(&louder), "{band:?} {hertz}: {louder}");
            }
        }
    }

    #[test]
    fn a_long_loss_fades_and_is_silent_from_60_ms_on() {
        let mut plc = Plc::default();
        let mut heard = tone(Band::Narrow, 400.0, 1600);
        plc.hear(&mut heard);
        let mut lost = [0; 800];
        for packet in lost.chunks_mut(160) {
            plc.conceal(packet);
        }
        let loudest = |from: usize| lost[from..from + 80].iter().map(|sample| sample.abs()).max().unwrap();
        assert!(loudest(0) > 9000 && loudest(160) < loudest(0) && loudest(320) < loudest(160));
        assert_eq!(lost[480..], [0; 320]);
    }

    #[test]
    fn where_nothing_was_heard_nothing_is_made_up() {
        let mut plc = Plc::default();
        let mut lost = [7; 160];
        plc.conceal(&mut lost);
        assert_eq!(lost, [0; 160]);
    }
}
