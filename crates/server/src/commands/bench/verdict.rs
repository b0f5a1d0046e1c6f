//! What is wrong with a run of calls, as far as the loss does not explain it.

use phone::load::Outcome;

use super::Seen;

/// Within the ten seconds that a step of a call may take something is said five times: at once and after 0.5, 1.5, 3.5
/// and 7.5 s (T1 doubling to T2, RFC 3261 §17.1).
const TRIES: i32 = 5;
/// What a call says that must be answered: two INVITEs and their 200s, two BYEs.
const EXCHANGES: f64 = 6.0;
/// The keys of a code, each of them as many packets.
const KEYS: f64 = 5.0;
const KEY_PACKETS: i32 = 4;

/// Calls of so many that such a loss may bring down: three deviations more than are to be expected.
fn explained(placed: usize, loss: u8) -> usize {
    if loss == 0 {
        return 0;
    }
    let lost = f64::from(loss) / 100.0;
    let unanswered = (1.0 - (1.0 - lost).powi(2)).powi(TRIES);
    let each = (EXCHANGES * unanswered + KEYS * lost.powi(KEY_PACKETS)).min(1.0);
    #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
    let expected = placed as f64 * each;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no more than were placed")]
    let most = (expected + 3.0 * expected.sqrt()).ceil() as usize;
    most.min(placed)
}

/// One sentence for each thing that is wrong; empty of a run that is as it should be.
pub(super) fn wrong(outcome: &Outcome, loss: u8, seen: &Seen) -> Vec<String> {
    let mut wrong = Vec::new();
    let refused = |why: &str| why.starts_with("refused") || why == "unreadable";
    for (why, count) in outcome.failed.iter().filter(|(why, _)| refused(why)) {
        wrong.push(format!("{count} calls: {why}, which no loss explains"));
    }
    let lost: usize = outcome.failed.iter().filter(|(why, _)| !refused(why)).map(|(_, count)| count).sum();
    let explained = explained(outcome.placed, loss);
    if lost > explained {
        let failed = &outcome.failed;
        wrong.push(format!("{lost} calls failed, of which the loss explains {explained}: {failed:?}"));
    }
    if !seen.left.is_nothing() {
        wrong.push(format!("left over: {}", seen.left.json()));
    }
    if seen.growth.grows() {
        wrong.push(format!("memory grows: {:?} KB at each fifth of the run", seen.growth.fifths()));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_loss_explains_hardly_any_failure_and_much_explains_many() {
        assert_eq!(explained(1_000_000, 0), 0);
        assert!((1..=3).contains(&explained(300_000, 2)), "{}", explained(300_000, 2));
        assert!((1..=5).contains(&explained(20, 20)), "{}", explained(20, 20));
        assert_eq!(explained(20, 50), 20);
    }
}
