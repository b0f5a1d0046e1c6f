//! What is counted of deliveries.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::metrics::{Family, Kind, Sample, Value};

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attempt {
    Delivered,
    Failed,
    GivenUp,
}

impl Attempt {
    fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given-up",
        }
    }
}

/// Attempts by webhook and how they ended.
#[derive(Debug, Default)]
pub struct Deliveries(Mutex<BTreeMap<(String, Attempt), u64>>);

impl Deliveries {
    pub(crate) fn count(&self, webhook: &str, attempt: Attempt) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry((webhook.to_owned(), attempt)).or_default() += 1;
    }

    /// As metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = counts.iter().map(|((webhook, attempt), count)| Sample {
            labels: vec![("webhook", webhook.clone()), ("result", attempt.word().to_owned())],
            value: Value::Number(*count as f64),
        });
        vec![Family {
            name: "bauta_webhook_attempts",
            help: "Attempts to deliver an event, by webhook and how they ended.",
            kind: Kind::Counter,
            samples: samples.collect(),
        }]
    }
}
