//! What is counted of HTTP itself. Paths are counted as patterns: a code or a number never becomes a label.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::metrics::{Family, Kind, Sample, Value};

/// Upper bounds of the answering times counted, seconds.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];

/// Requests by method, path pattern and status; bounded because all three are from closed lists.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    requests: Mutex<BTreeMap<(&'static str, String, u16), u64>>,
    times: Mutex<Times>,
}

#[derive(Debug, Default)]
struct Times {
    buckets: [u64; BOUNDS.len()],
    sum: f64,
    count: u64,
}

impl Traffic {
    /// One request, answered.
    pub(crate) fn count(&self, method: &'static str, pattern: &str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((method, pattern.to_owned(), status)).or_default() += 1;
        drop(requests);
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = took.as_secs_f64();
        for (below, bound) in times.buckets.iter_mut().zip(BOUNDS) {
            *below += u64::from(seconds <= bound);
        }
        times.sum += seconds;
        times.count += 1;
    }

    /// As metrics.
    pub(crate) fn families(&self) -> Vec<Family> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = requests.iter().map(|((method, pattern, status), count)| Sample {
            labels: vec![
                ("method", (*method).to_owned()),
                ("path", pattern.clone()),
                ("status", status.to_string()),
            ],
            value: Value::Number(*count as f64),
        });
        let counted = Family {
            name: "bauta_http_requests",
            help: "HTTP requests answered, by path pattern.",
            kind: Kind::Counter,
            samples: samples.collect(),
        };
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = BOUNDS.into_iter().zip(times.buckets).collect();
        let value = Value::Histogram { buckets, sum: times.sum, count: times.count };
        let timed = Family {
            name: "bauta_http_answer_seconds",
            help: "Time from a request's head to its answer's head.",
            kind: Kind::Histogram,
            samples: vec![Sample { labels: vec![], value }],
        };
        vec![counted, timed]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Format, render};

    #[test]
    fn requests_are_counted_by_pattern_and_status_and_timed() {
        let traffic = Traffic::default();
        traffic.count("GET", "/v1/orders/{code}", 200, Duration::from_millis(3));
        traffic.count("GET", "/v1/orders/{code}", 200, Duration::from_secs(2));
        traffic.count("GET", "/v1/orders/{code}", 404, Duration::from_secs(20));
        let text = render(&traffic.families(), Format::Prometheus);
        assert!(text.contains(
            "bauta_http_requests_total{method=\"GET\",path=\"/v1/orders/{code}\",status=\"200\"} 2\n"
        ));
        assert!(text.contains("bauta_http_answer_seconds_bucket{le=\"0.005\"} 1\n"));
        assert!(text.contains("bauta_http_answer_seconds_bucket{le=\"2.5\"} 2\n"));
        assert!(text.contains("bauta_http_answer_seconds_bucket{le=\"+Inf\"} 3\n"));
    }
}
