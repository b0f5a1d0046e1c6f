//! What is counted, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::{Family, Kind, Sample, Value};
use b2bua::{Behind, Cause, Counted, Gauges, Heard, Record, TrunkStatus, Verdict};
use relay::Meter;

use crate::self_call::Proof;

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
    pub(crate) restored: Count,
    calls: Count,
    legs: Count,
    transactions: Count,
    ports: Count,
    timers: Count,
    relay: Meter,
    ended: [Count; Cause::ALL.len()],
    heard: [Count; Heard::ALL.len()],
    verified: [Count; Verdict::ALL.len()],
    talk_seconds: Count,
    foreign: Count,
    unproven: Count,
    garbage: Count,
    strangers: Count,
    unproved: Count,
    strays: Count,
    retransmissions: Count,
    refused: Count,
    shed: Count,
    self_calls: [Count; 3],
    self_call_failed: Count,
    /// In milliseconds.
    self_call: Count,
    pub(crate) shedding: Count,
    /// In milliseconds, as all that are not whole numbers.
    messages_behind: Count,
    store_behind: Count,
    relay_behind: Count,
}

impl Metrics {
    /// With what the relay counts.
    pub(crate) fn new(relay: Meter) -> Self {
        Self {
            messages_received: Count::default(),
            messages_sent: Count::default(),
            faults: Count::default(),
            restored: Count::default(),
            calls: Count::default(),
            legs: Count::default(),
            transactions: Count::default(),
            ports: Count::default(),
            timers: Count::default(),
            relay,
            ended: std::array::from_fn(|_| Count::default()),
            heard: std::array::from_fn(|_| Count::default()),
            verified: std::array::from_fn(|_| Count::default()),
            talk_seconds: Count::default(),
            foreign: Count::default(),
            unproven: Count::default(),
            garbage: Count::default(),
            strangers: Count::default(),
            unproved: Count::default(),
            strays: Count::default(),
            retransmissions: Count::default(),
            refused: Count::default(),
            shed: Count::default(),
            self_calls: std::array::from_fn(|_| Count::default()),
            self_call_failed: Count::default(),
            self_call: Count::default(),
            shedding: Count::default(),
            messages_behind: Count::default(),
            store_behind: Count::default(),
            relay_behind: Count::default(),
        }
    }

    pub(crate) fn counted(&self, counted: Counted) {
        match counted {
            Counted::Garbage => self.garbage.add(1),
            Counted::Stranger => self.strangers.add(1),
            Counted::Unproved => self.unproved.add(1),
            Counted::Stray => self.strays.add(1),
            Counted::Retransmission => self.retransmissions.add(1),
            Counted::Shed => self.shed.add(1),
            Counted::Answered(status) if status >= 300 => self.refused.add(1),
            Counted::Answered(_) => {}
        }
    }

    pub(crate) fn behind(&self, behind: Behind) {
        let whole = |time: Duration| usize::try_from(time.as_millis()).unwrap_or(usize::MAX);
        self.messages_behind.set(whole(behind.messages));
        self.store_behind.set(whole(behind.store));
        self.relay_behind.set(whole(behind.relay));
    }

    /// How far the relay was behind when the newest call came.
    pub(crate) fn relay_behind(&self) -> Duration {
        Duration::from_secs_f64(self.relay_behind.get() / 1000.0)
    }

    /// A call to ourselves took so long and came to this; to nothing, if it failed.
    pub(crate) fn self_called(&self, took: Duration, proof: Option<Proof>) {
        let place = match proof {
            Some(Proof::Heard) => 0,
            Some(Proof::Refused) => 1,
            None => 2,
        };
        self.self_calls[place].add(1);
        self.self_call_failed.set(usize::from(proof.is_none()));
        self.self_call.set(usize::try_from(took.as_millis()).unwrap_or(usize::MAX));
    }

    /// Whether the last call to ourselves failed.
    pub(crate) fn self_call_failed(&self) -> bool {
        self.self_call_failed.0.load(Ordering::Relaxed) > 0
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
        let verdict = record.verification.map(b2bua::Verification::verdict);
        if let Some(place) = Verdict::ALL.iter().position(|one| Some(*one) == verdict) {
            self.verified[place].add(1);
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
        let mut families = vec![
            one("bauta_calls", "Calls now.", gauge, &self.calls),
            one("bauta_legs", "Legs, those that only answer for themselves included.", gauge, &self.legs),
            one("bauta_transactions", "SIP transactions.", gauge, &self.transactions),
            one("bauta_media_ports", "Media port pairs in use.", gauge, &self.ports),
            one("bauta_timers", "Timers set.", gauge, &self.timers),
            one(
                "bauta_calls_restored",
                "Calls that went on after the node had died.",
                counter,
                &self.restored,
            ),
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
            one(
                "bauta_sip_unproved",
                "Calls whose sender named a wrong account or password.",
                counter,
                &self.unproved,
            ),
            one("bauta_sip_strays", "Responses that matched nothing.", counter, &self.strays),
            one("bauta_sip_retransmissions", "Retransmissions absorbed.", counter, &self.retransmissions),
            one("bauta_sip_refused", "Requests refused without a call.", counter, &self.refused),
            one("bauta_faults", "Faults of our own that ended a call.", counter, &self.faults),
        ];
        families.extend(self.ends());
        families.extend(self.own());
        families.extend(self.load());
        families.extend(self.media());
        families
    }

    /// How calls ended, and what was found of them.
    fn ends(&self) -> [Family; 3] {
        let by = |label, word: &str, count: &Count| Sample {
            labels: vec![(label, word.to_owned())],
            value: Value::Number(count.get()),
        };
        let causes = Cause::ALL.iter().zip(&self.ended);
        let voices = Heard::ALL.iter().zip(&self.heard);
        let verdicts = Verdict::ALL.iter().zip(&self.verified);
        [
            Family {
                name: "bauta_calls_ended",
                help: "Calls ended, by cause.",
                kind: Kind::Counter,
                samples: causes.map(|(cause, count)| by("cause", cause.word(), count)).collect(),
            },
            Family {
                name: "bauta_calls_heard",
                help: "Joined calls, by whose voice came: other than both is one-way or dead audio.",
                kind: Kind::Counter,
                samples: voices.map(|(heard, count)| by("voice", heard.word(), count)).collect(),
            },
            Family {
                name: "bauta_calls_verified",
                help: "Calls ended by trunks whose callers are verified, by what became of it.",
                kind: Kind::Counter,
                samples: verdicts.map(|(verdict, count)| by("verdict", verdict.word(), count)).collect(),
            },
        ]
    }

    /// How far behind we are, and what that costs callers.
    fn load(&self) -> [Family; 3] {
        let sample = |labels, value| Sample { labels, value: Value::Number(value) };
        let waited = |by: &str, count: &Count| sample(vec![("for", by.to_owned())], count.get() / 1000.0);
        [
            Family {
                name: "bauta_calls_shed",
                help: "Calls refused without a record because too much was to do.",
                kind: Kind::Counter,
                samples: vec![sample(Vec::new(), self.shed.get())],
            },
            Family {
                name: "bauta_shedding",
                help: "Whether new calls are refused because too much is to do.",
                kind: Kind::Gauge,
                samples: vec![sample(Vec::new(), self.shedding.get())],
            },
            Family {
                name: "bauta_behind_seconds",
                help: "How long the newest call waited for us, and the oldest for the store and the relay.",
                kind: Kind::Gauge,
                samples: vec![
                    waited("messages", &self.messages_behind),
                    waited("store", &self.store_behind),
                    waited("relay", &self.relay_behind),
                ],
            },
        ]
    }

    /// What calls to ourselves came to.
    fn own(&self) -> [Family; 2] {
        let by_outcome = ["heard", "refused", "failed"].into_iter().zip(&self.self_calls);
        let sample = |(outcome, count): (&str, &Count)| Sample {
            labels: vec![("outcome", outcome.to_owned())],
            value: Value::Number(count.get()),
        };
        [
            Family {
                name: "bauta_self_calls",
                help: "Calls to ourselves, by what they came to; one that is refused shows that there is no room.",
                kind: Kind::Counter,
                samples: by_outcome.map(sample).collect(),
            },
            Family {
                name: "bauta_self_call_seconds",
                help: "How long the last call to ourselves took.",
                kind: Kind::Gauge,
                samples: vec![Sample {
                    labels: Vec::new(),
                    value: Value::Number(self.self_call.get() / 1000.0),
                }],
            },
        ]
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
