//! What voice is worth to whoever hears it, as the E-model estimates it (ITU-T G.107).

use crate::Codec;

/// The best a telephone call is given (G.107 §7.7: the default values, an advantage of none).
const BEST: f32 = 93.2;
/// How G.711 without concealment bears loss: Ie 0, Bpl 4.3 (G.113 Appendix I).
const BEARS: f32 = 4.3;

/// Whether a codec is rated: the E-model of G.107 is for narrow voices, whose scale wide ones leave at its upper end.
#[must_use]
pub fn is_rated(codec: Codec) -> bool {
    codec.law().is_some()
}

/// The rating R, 0 to 100, of G.711 of which this share was lost (0 to 1), with so many milliseconds from mouth to ear.
#[must_use]
pub fn rating(lost: f32, delay_ms: f32) -> f32 {
    let percent = 100.0 * lost.clamp(0.0, 1.0);
    let beyond = (delay_ms - 177.3).max(0.0);
    let impairment = 95.0 * percent / (percent + BEARS);
    (BEST - (0.024 * delay_ms + 0.11 * beyond) - impairment).clamp(0.0, 100.0)
}

/// The mean opinion score, 1 to 4.5, that a rating stands for (G.107 Annex B).
#[must_use]
pub fn score(rating: f32) -> f32 {
    let rating = rating.clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6;
    score.clamp(1.0, 4.5)
}

/// Milliseconds from mouth to ear as far as they are known: half the round trip, a jitter buffer of twice the jitter, and 20 ms
/// in a packet.
#[must_use]
pub fn delay_ms(round_trip_ms: Option<f32>, jitter_ms: f32) -> f32 {
    round_trip_ms.unwrap_or(0.0) / 2.0 + 2.0 * jitter_ms + 20.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_that_of_the_recommendation() {
        // G.107 Annex B, Table B.1.
        for (rating, expected) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            assert!((score(rating) - expected).abs() < 0.01, "{rating}: {}", score(rating));
        }
        assert_eq!((score(0.0), score(-5.0)), (1.0, 1.0));
    }

    #[test]
    fn loss_and_delay_take_from_it() {
        assert!((rating(0.0, 0.0) - BEST).abs() < 1e-3);
        assert!(rating(0.01, 0.0) < rating(0.0, 0.0) - 15.0);
        assert!(rating(0.0, 400.0) < rating(0.0, 150.0) - 20.0);
        assert_eq!(rating(1.0, 1000.0), 0.0);
    }
}
