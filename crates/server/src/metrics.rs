//! What is counted, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use api::{Family, Kind, Sample, Value};
use b2bua::{Cause, Counted, Gauges, Heard, Record, TrunkStatus};
use relay::Meter;

/// One number that threads share.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: usize) {
        self.0.store(value as u64, Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number by its format")]
    pub(crate) fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64
    }
}

/// Everything counted on this node.
#[derive(Debug)]
pub(crate) struct Metrics {
    pub(crate) messages_received: Count,
    pub(crate) messages_sent: Count,
    pub(crate) faults: Count,
    calls: Count,
    legs: Count,
    transactions: Count,
    ports: Count,
    timers: Count,
    relay: Meter,
    ended: [Count; Cause::ALL.len()],
    heard: [Count; Heard::ALL.len()],
    talk_seconds: Count,
    foreign: Count,
    unproven: Count,
    garbage: Count,
    strangers: Count,
    strays: Count,
    retransmissions: Count,
    refused: Count,
}

impl Metrics {
    /// With what the relay counts.
    pub(crate) fn new(relay: Meter) -> Self {
        Self {
            messages_received: Count::default(),
            messages_sent: Count::default(),
            faults: Count::default(),
            calls: Count::default(),
            legs: Count::default(),
            transactions: Count::default(),
            ports: Count::default(),
            timers: Count::default(),
            relay,
            ended: std::array::from_fn(|_| Count::default()),
            heard: std::array::from_fn(|_| Count::default()),
            talk_seconds: Count::default(),
            foreign: Count::default(),
            unproven: Count::default(),
            garbage: Count::default(),
            strangers: Count::default(),
            strays: Count::default(),
            retransmissions: Count::default(),
            refused: Count::default(),
        }
    }

    pub(crate) fn counted(&self, counted: Counted) {
        match counted {
            Counted::Garbage => self.garbage.add(1),
            Counted::Stranger => self.strangers.add(1),
            Counted::Stray => self.strays.add(1),
            Counted::Retransmission => self.retransmissions.add(1),
            Counted::Answered(status) if status >= 300 => self.refused.add(1),
            Counted::Answered(_) => {}
        }
    }

    pub(crate) fn ended(&self, record: &Record) {
        let Some(outcome) = record.outcome else { return };
        if let Some(place) = Cause::ALL.iter().position(|cause| *cause == outcome.cause) {
            self.ended[place].add(1);
        }
        self.talk_seconds.add(record.talked_for().as_secs());
        for media in record.caller_media.iter().chain(&record.callee_media) {
            self.foreign.add(media.foreign);
            self.unproven.add(media.unproven);
        }
        let heard = record.heard().and_then(|heard| Heard::ALL.iter().position(|one| *one == heard));
        if let Some(place) = heard {
            self.heard[place].add(1);
        }
    }

    pub(crate) fn gauges(&self, gauges: &Gauges) {
        self.calls.set(gauges.calls);
        self.legs.set(gauges.legs);
        self.transactions.set(gauges.transactions);
        self.ports.set(gauges.ports);
        self.timers.set(gauges.timers);
    }

    /// Calls now.
    #[expect(clippy::cast_possible_truncation, reason = "as many calls as fit a table fit a usize")]
    pub(crate) fn calls_now(&self) -> usize {
        self.calls.0.load(Ordering::Relaxed) as usize
    }

    /// Everything, as `/metrics` shows it.
    pub(crate) fn families(&self) -> Vec<Family> {
        let one = |name, help, kind, count: &Count| Family {
            name,
            help,
            kind,
            samples: vec![Sample { labels: Vec::new(), value: Value::Number(count.get()) }],
        };
        let (gauge, counter) = (Kind::Gauge, Kind::Counter);
        let by_cause = Cause::ALL.iter().zip(&self.ended).map(|(cause, count)| Sample {
            labels: vec![("cause", cause.word().to_owned())],
            value: Value::Number(count.get()),
        });
        let by_heard = Heard::ALL.iter().zip(&self.heard).map(|(heard, count)| Sample {
            labels: vec![("voice", heard.word().to_owned())],
            value: Value::Number(count.get()),
        });
        let mut families = vec![
            one("bauta_calls", "Calls now.", gauge, &self.calls),
            one("bauta_legs", "Legs, those that only answer for themselves included.", gauge, &self.legs),
            one("bauta_transactions", "SIP transactions.", gauge, &self.transactions),
            one("bauta_media_ports", "Media port pairs in use.", gauge, &self.ports),
            one("bauta_timers", "Timers set.", gauge, &self.timers),
            Family {
                name: "bauta_calls_ended",
                help: "Calls ended, by cause.",
                kind: counter,
                samples: by_cause.collect(),
            },
            Family {
                name: "bauta_calls_heard",
                help: "Joined calls, by whose voice came: other than both is one-way or dead audio.",
                kind: counter,
                samples: by_heard.collect(),
            },
            one("bauta_talk_seconds", "Seconds that two parties were joined.", counter, &self.talk_seconds),
            one(
                "bauta_rtp_foreign",
                "Packets of ended calls that came from elsewhere than was agreed.",
                counter,
                &self.foreign,
            ),
            one(
                "bauta_rtp_unproven",
                "Packets of ended calls that SRTP did not prove theirs and new.",
                counter,
                &self.unproven,
            ),
            one("bauta_sip_messages_received", "SIP messages received.", counter, &self.messages_received),
            one("bauta_sip_messages_sent", "SIP messages sent.", counter, &self.messages_sent),
            one("bauta_sip_garbage", "Messages that were no SIP.", counter, &self.garbage),
            one("bauta_sip_strangers", "Requests from addresses no trunk allows.", counter, &self.strangers),
            one("bauta_sip_strays", "Responses that matched nothing.", counter, &self.strays),
            one("bauta_sip_retransmissions", "Retransmissions absorbed.", counter, &self.retransmissions),
            one("bauta_sip_refused", "Requests refused without a call.", counter, &self.refused),
            one("bauta_faults", "Faults of our own that ended a call.", counter, &self.faults),
        ];
        families.extend(self.media());
        families
    }

    /// What the relay counts, as it stands now.
    fn media(&self) -> [Family; 3] {
        let lost = self.relay.lost();
        [
            Family {
                name: "bauta_media_shortcuts",
                help: "Legs whose packets the kernel sends on by itself.",
                kind: Kind::Gauge,
                samples: vec![number(Vec::new(), self.relay.shortcuts())],
            },
            Family {
                name: "bauta_media_lanes",
                help: "Legs whose packets workers take and send as frames of a network card.",
                kind: Kind::Gauge,
                samples: vec![number(Vec::new(), self.relay.lanes())],
            },
            Family {
                name: "bauta_media_lost_packets",
                help: "Packets that the system did not take at once or at all, or that were too long to be voice.",
                kind: Kind::Counter,
                samples: vec![
                    number(vec![("why", "full".to_owned())], lost.full),
                    number(vec![("why", "refused".to_owned())], lost.refused),
                    number(vec![("why", "oversized".to_owned())], lost.oversized),
                ],
            },
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number by its format")]
fn number(labels: Vec<(&'static str, String)>, value: u64) -> Sample {
    Sample { labels, value: Value::Number(value as f64) }
}

/// How the trunks are, as `/metrics` shows it.
pub(crate) fn of_trunks(trunks: &[TrunkStatus]) -> [Family; 4] {
    let family = |name, help, value: &dyn Fn(&TrunkStatus) -> Option<f64>| {
        let sample = |trunk: &TrunkStatus| {
            let labels = vec![("trunk", trunk.name.to_string())];
            Some(Sample { labels, value: Value::Number(value(trunk)?) })
        };
        Family { name, help, kind: Kind::Gauge, samples: trunks.iter().filter_map(sample).collect() }
    };
    let flag = |flag: Option<bool>| flag.map(|is| f64::from(u8::from(is)));
    #[expect(clippy::cast_precision_loss, reason = "a metric is a floating-point number by its format")]
    let count = |count: usize| Some(count as f64);
    [
        family("bauta_trunk_up", "Whether a trunk that is asked answers.", &|trunk| flag(trunk.up)),
        family("bauta_trunk_registered", "Whether we are registered.", &|trunk| flag(trunk.registered)),
        family("bauta_trunk_calls", "Legs of calls by a trunk.", &|trunk| count(trunk.calls)),
        family("bauta_trunk_addresses", "Addresses a trunk is reached at.", &|trunk| count(trunk.addresses)),
    ]
}
