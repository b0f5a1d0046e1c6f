//! What is heard while nothing is said: comfort noise (RFC 3389), for whoever did not agree to make it itself.

use std::time::Duration;

use clock::Instant;

/// The payload type of comfort noise beside codecs of 8000 timestamps a second (RFC 3551 Table 4).
pub(crate) const PAYLOAD_TYPE: u8 = 13;
/// Louder than this is no room: decibels below overload (RFC 3389 §3.1). What a room of people says is some 40 below.
const LOUDEST: u8 = 36;
/// Who is called later than this does not catch up.
const BEHIND: Duration = Duration::from_millis(200);

/// Noise that goes on.
#[derive(Debug)]
pub(crate) struct Noise {
    /// The largest sample.
    peak: i32,
    chance: u32,
    pub(crate) next_at: Instant,
    /// Some of it was.
    pub(crate) was_heard: bool,
}

impl Noise {
    /// So many decibels below overload, from a moment on.
    pub(crate) fn new(level: u8, next_at: Instant) -> Self {
        Self { peak: peak(level), chance: 0x9E37_79B9, next_at, was_heard: false }
    }

    /// As loud as so many samples.
    pub(crate) fn like(samples: &[i16], next_at: Instant) -> Self {
        let power: f32 = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum();
        let effective = (power / samples.len().max(1) as f32).sqrt();
        let level = 20.0 * (32_768.0 / effective.max(1.0)).log10();
        Self::new(level.round() as u8, next_at)
    }

    /// It is to be so loud from now on.
    pub(crate) fn set(&mut self, level: u8) {
        self.peak = peak(level);
    }

    /// The next samples of it.
    pub(crate) fn fill(&mut self, samples: &mut [i16]) {
        self.was_heard = true;
        for sample in samples {
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 17;
            self.chance ^= self.chance << 5;
            let part = (self.chance >> 16) as i32 - 32_768;
            *sample = ((part * self.peak) >> 15) as i16;
        }
    }

    /// Whether a packet of so much time is due.
    pub(crate) fn is_due(&mut self, now: Instant, interval: Duration) -> bool {
        if self.next_at > now {
            return false;
        }
        if now.since(self.next_at) > BEHIND {
            self.next_at = now;
        }
        self.next_at = self.next_at + interval;
        true
    }
}

/// Of evenly spread noise with that effective value.
fn peak(level: u8) -> i32 {
    let effective = 32_768.0 * 10_f32.powf(-f32::from(level.max(LOUDEST)) / 20.0);
    (effective * 3_f32.sqrt()) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effective(level: u8) -> f64 {
        let mut samples = [0; 8000];
        Noise::new(level, Instant::ZERO).fill(&mut samples);
        let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 8000.0;
        20.0 * (power.sqrt() / 32_768.0).log10()
    }

    #[test]
    fn it_is_as_loud_as_was_said_and_never_loud() {
        for level in [40, 50, 60, 70] {
            assert!((effective(level) + f64::from(level)).abs() < 1.0, "{level}: {}", effective(level));
        }
        assert!((effective(0) + f64::from(LOUDEST)).abs() < 1.0);
        assert!(effective(127) < -80.0);
    }

    #[test]
    fn it_is_as_loud_as_what_was_heard() {
        let mut heard = [0; 800];
        Noise::new(45, Instant::ZERO).fill(&mut heard);
        let mut after = [0; 800];
        Noise::like(&heard, Instant::ZERO).fill(&mut after);
        let power = |samples: &[i16]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        assert!((10.0 * (power(&after) / power(&heard)).log10()).abs() < 1.0);
    }

    #[test]
    fn who_is_called_late_does_not_catch_up_for_ever() {
        let interval = Duration::from_millis(20);
        let mut noise = Noise::new(50, Instant::ZERO);
        let at = |milliseconds| Instant(Duration::from_millis(milliseconds));
        let mut due = |now| std::iter::from_fn(|| noise.is_due(at(now), interval).then_some(())).count();
        assert_eq!([due(0), due(10), due(60), due(5000)], [1, 0, 3, 1]);
    }
}
