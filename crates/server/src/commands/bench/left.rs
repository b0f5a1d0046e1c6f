//! What a server holds for calls, and what of it is left when they are over.

use serde_json::{Map, Value};

/// A name for people and results, and the metric that counts it.
const GAUGES: [(&str, &str); 6] = [
    ("calls", "bauta_calls"),
    ("legs", "bauta_legs"),
    ("media_ports", "bauta_media_ports"),
    ("timers", "bauta_timers"),
    ("transactions", "bauta_transactions"),
    ("shortcuts", "bauta_media_shortcuts"),
];

/// What a server holds, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Holdings([u64; 7]);

impl Holdings {
    /// As `/metrics` tells it, and the files it has open.
    pub(super) fn of(metrics: &str, files: u64) -> Result<Self, String> {
        let mut held = [files; 7];
        for (held, (_, metric)) in held.iter_mut().zip(GAUGES) {
            let value = metrics.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
            let value = value.and_then(|value| value.trim().parse::<f64>().ok());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of things")]
            let count = value.ok_or_else(|| format!("the server does not tell {metric}"))? as u64;
            *held = count;
        }
        Ok(Self(held))
    }

    /// What there is more of than there was.
    pub(super) fn beyond(&self, before: &Self) -> Self {
        let mut left = self.clone();
        for (left, before) in left.0.iter_mut().zip(before.0) {
            *left = left.saturating_sub(before);
        }
        left
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn json(&self) -> Value {
        let names = GAUGES.map(|(name, _)| name).into_iter().chain(["files"]);
        names.zip(self.0).map(|(name, held)| (name.to_owned(), held.into())).collect::<Map<_, _>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "# TYPE bauta_calls gauge\nbauta_calls 3\nbauta_calls_ended_total{cause=\"x\"} 9\nbauta_legs 6\n\
                           bauta_media_ports 7\nbauta_timers 12\nbauta_transactions 1.5e1\nbauta_media_shortcuts 0\n";

    #[test]
    fn what_is_left_is_what_there_is_more_of() {
        let now = Holdings::of(METRICS, 40).unwrap();
        assert_eq!(now, Holdings([3, 6, 7, 12, 15, 0, 40]));
        let left = now.beyond(&Holdings([0, 6, 7, 2, 0, 5, 39]));
        assert!(!left.is_nothing());
        assert_eq!(
            left.json(),
            serde_json::json!({
                "calls": 3, "legs": 0, "media_ports": 0, "timers": 10, "transactions": 15, "shortcuts": 0, "files": 1
            })
        );
        assert!(now.beyond(&now).is_nothing());
        assert!(Holdings::of("bauta_calls 1\n", 2).unwrap_err().contains("bauta_legs"));
    }
}
