//! Measuring tones (the Goertzel algorithm).

/// Samples in a second.
const RATE: f64 = 8_000.0;
/// A sine of this amplitude is 0 dB.
const FULL_SCALE: f64 = 32_768.0;
/// What is said of silence, in dB.
const FLOOR: f32 = -120.0;

/// How loud a tone is in samples taken 8000 a second, in dB below a sine of full scale: 0 to -120.
#[must_use]
pub fn level(samples: &[i16], hertz: f32) -> f32 {
    decibels(amplitude(samples, f64::from(hertz)))
}

/// The loudest tone between 200 and 3400 Hz, to the nearest hertz, and how loud it is. `None` without a tenth of a
/// second of sound.
#[must_use]
pub fn loudest(samples: &[i16]) -> Option<(f32, f32)> {
    if samples.len() < 800 {
        return None;
    }
    let peak = |from: u16, to: u16, step: usize| {
        let all = (from..=to).step_by(step).map(|hertz| (amplitude(samples, f64::from(hertz)), hertz));
        all.max_by(|one, other| one.0.total_cmp(&other.0))
    };
    let (_, near) = peak(200, 3400, 5)?;
    let (amplitude, hertz) = peak(near - 5, near + 5, 1)?;
    let level = decibels(amplitude);
    (level > FLOOR).then_some((f32::from(hertz), level))
}

/// Whether a tone is most of what is heard: within 3 dB of all there is, and above -40 dB.
pub(crate) fn is_heard(samples: &[i16], hertz: f32) -> bool {
    let tone = level(samples, hertz);
    tone > -40.0 && tone > power(samples) - 3.0
}

/// Loudness of everything, on the same scale as that of a tone.
fn power(samples: &[i16]) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    let count = samples.len().max(1) as f64;
    let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    decibels((2.0 * sum / count).sqrt())
}

fn amplitude(samples: &[i16], hertz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hertz / RATE;
    let factor = 2.0 * turn.cos();
    let (mut last, mut before) = (0.0, 0.0);
    for sample in samples {
        let now = f64::from(*sample) + factor * last - before;
        before = last;
        last = now;
    }
    let power = last * last + before * before - factor * last * before;
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    let count = samples.len().max(1) as f64;
    2.0 * power.max(0.0).sqrt() / count
}

#[expect(clippy::cast_possible_truncation, reason = "decibels")]
fn decibels(amplitude: f64) -> f32 {
    let level = 20.0 * (amplitude / FULL_SCALE).log10();
    (level as f32).clamp(FLOOR, 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sound;

    fn tone(hertz: f32) -> Vec<i16> {
        let sound = Sound::Tone(hertz);
        (0..4000).map(|place| sound.sample(place)).collect()
    }

    #[test]
    fn a_tone_is_found_where_it_is_and_as_loud_as_it_is() {
        for hertz in [300.0, 697.0, 1100.0, 3200.0] {
            let (found, level) = loudest(&tone(hertz)).unwrap();
            assert!((found - hertz).abs() <= 1.0, "{found} for {hertz}");
            assert!((level + 10.0).abs() < 0.5, "{level}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_heard() {
        let samples = tone(1100.0);
        assert!(is_heard(&samples, 1100.0));
        assert!(!is_heard(&samples, 700.0));
        assert!(level(&samples, 700.0) < -45.0);
        assert_eq!(loudest(&[0; 4000]), None);
        assert_eq!(loudest(&tone(700.0)[..100]), None);
    }
}
