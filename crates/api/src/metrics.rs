//! The text form of metrics (OpenMetrics 1.0, and the Prometheus text format 0.0.4 for those who ask for it).

use std::fmt::Write as _;

/// One metric with all its samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// `[a-z_:][a-z0-9_:]*`, with the unit last, without `_total`: `bauta_calls`, `bauta_rtp_packets`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// The numbers.
    pub samples: Vec<Sample>,
}

/// What kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; `_total` is added when written.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound.
    Histogram,
}

/// One number, with what tells it from its siblings. Labels never carry telephone numbers or order codes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The number.
    pub value: Value,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram {
        /// Upper bound and how many fell at or below it, ascending; the infinite bound is added when written.
        buckets: Vec<(f64, u64)>,
        /// Sum of all values seen.
        sum: f64,
        /// How many values were seen.
        count: u64,
    },
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// What a collector's `Accept` asks for. Prometheus names OpenMetrics when it can read it.
    pub(crate) fn accepted(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            Some(_) | None => Self::Prometheus,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Writes all families.
pub(crate) fn render(families: &[Family], format: Format) -> String {
    let mut text = String::new();
    for family in families {
        head(&mut text, family, format);
        for sample in &family.samples {
            write_sample(&mut text, family, sample);
        }
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn head(text: &mut String, family: &Family, format: Format) {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    // The older format names a counter in its head as it is in its samples, OpenMetrics without the suffix.
    let suffix = match (format, family.kind) {
        (Format::Prometheus, Kind::Counter) => "_total",
        (Format::Prometheus, Kind::Gauge | Kind::Histogram) | (Format::OpenMetrics, _) => "",
    };
    let name = family.name;
    let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
    let _ = writeln!(text, "# HELP {name}{suffix} {help}");
    let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
}

fn write_sample(text: &mut String, family: &Family, sample: &Sample) {
    let name = family.name;
    match &sample.value {
        Value::Number(number) => {
            let suffix = if family.kind == Kind::Counter { "_total" } else { "" };
            let _ = writeln!(text, "{name}{suffix}{} {number}", labels(sample, None));
        }
        Value::Histogram { buckets, sum, count } => {
            for (bound, below) in buckets {
                let _ =
                    writeln!(text, "{name}_bucket{} {below}", labels(sample, Some(&format!("{bound:?}"))));
            }
            let _ = writeln!(text, "{name}_bucket{} {count}", labels(sample, Some("+Inf")));
            let plain = labels(sample, None);
            let _ = writeln!(text, "{name}_sum{plain} {sum}");
            let _ = writeln!(text, "{name}_count{plain} {count}");
        }
    }
}

fn labels(sample: &Sample, bound: Option<&str>) -> String {
    let bound = bound.map(|bound| ("le", bound));
    let all = sample.labels.iter().map(|(name, value)| (*name, value.as_str())).chain(bound);
    let written: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    if written.is_empty() { String::new() } else { format!("{{{}}}", written.join(",")) }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family> {
        vec![
            Family {
                name: "bauta_calls",
                help: "Calls by\ncause.",
                kind: Kind::Counter,
                samples: vec![Sample {
                    labels: vec![("cause", "a\"b\\c\nd".into())],
                    value: Value::Number(3.0),
                }],
            },
            Family {
                name: "bauta_setup_seconds",
                help: "Set-up.",
                kind: Kind::Histogram,
                samples: vec![Sample {
                    labels: vec![],
                    value: Value::Histogram { buckets: vec![(0.5, 1), (1.0, 2)], sum: 3.5, count: 3 },
                }],
            },
        ]
    }

    #[test]
    fn open_metrics_ends_with_eof_and_escapes_labels() {
        let expected = "# HELP bauta_calls Calls by\\ncause.\n# TYPE bauta_calls counter\n\
            bauta_calls_total{cause=\"a\\\"b\\\\c\\nd\"} 3\n\
            # HELP bauta_setup_seconds Set-up.\n# TYPE bauta_setup_seconds histogram\n\
            bauta_setup_seconds_bucket{le=\"0.5\"} 1\nbauta_setup_seconds_bucket{le=\"1.0\"} 2\n\
            bauta_setup_seconds_bucket{le=\"+Inf\"} 3\nbauta_setup_seconds_sum 3.5\n\
            bauta_setup_seconds_count 3\n# EOF\n";
        assert_eq!(render(&families(), Format::OpenMetrics), expected);
    }

    #[test]
    fn the_older_format_names_counters_whole_and_has_no_eof() {
        let text = render(&families(), Format::Prometheus);
        assert!(text.contains("# TYPE bauta_calls_total counter\n"));
        assert!(!text.contains("# EOF"));
    }

    #[test]
    fn open_metrics_is_written_for_whoever_accepts_it() {
        let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        assert_eq!(Format::accepted(Some(accept)), Format::OpenMetrics);
        assert_eq!(Format::accepted(Some("*/*")), Format::Prometheus);
        assert_eq!(Format::accepted(None), Format::Prometheus);
    }
}
