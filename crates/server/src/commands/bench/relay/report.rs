//! What was measured, in words and numbers.

use std::fmt::Write as _;

use serde::Serialize;

use super::steps::{self, Load, PLANNED};

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// "loopback" or "veth".
    pub(super) wire: &'static str,
    pub(super) kernel: String,
    /// Cores of this machine, and whether relay and generator had cores of their own.
    pub(super) cores: usize,
    pub(super) pinned: bool,
    pub(super) realtime: bool,
    pub(super) workers: u16,
    pub(super) generators: u32,
    /// The kernel plays the parties.
    pub(super) by_kernel: bool,
    /// Packets of a leg in a second.
    pub(super) rate: u32,
    pub(super) seconds: u32,
    pub(super) relays: Vec<Relay>,
}

/// One relay, step by step.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Relay {
    pub(super) name: &'static str,
    pub(super) version: String,
    /// By interpolation between steps; none if they do not have it between them.
    pub(super) calls_per_core_at_70_percent: Option<f64>,
    pub(super) steps: Vec<Step>,
}

/// What one step showed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) calls: u32,
    pub(super) packets_per_second: f64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) loss_percent: f64,
    pub(super) disordered: u64,
    pub(super) spoilt: u64,
    pub(super) misled: u64,
    pub(super) cpu_us_per_packet: f64,
    pub(super) cpu_us_per_packet_user: f64,
    pub(super) cpu_us_per_packet_system: f64,
    /// Of the system's threads that carry packets from the card up to the relay's sockets.
    pub(super) cpu_us_per_packet_receiving: f64,
    /// Of one core, however many workers there are.
    pub(super) cpu_percent_of_a_core: f64,
    /// From sending to arrival, less the median of the same packets sent past the relay; where that is measured.
    pub(super) added_latency_ms: Option<Latency>,
    /// From sending to arrival past the relay.
    pub(super) bare_latency_ms: Option<Latency>,
    /// Resident, before the first call; and what each call adds.
    pub(super) memory_kb_idle: f64,
    pub(super) memory_kb_per_call: f64,
    /// What the relay says itself of packets it could not use or send.
    pub(super) relay_lost: Option<u64>,
    pub(super) relay_foreign: Option<u64>,
    /// Of the time of all cores, what whoever lends them to this machine kept meanwhile.
    pub(super) stolen_percent: f64,
    pub(super) generator_late: u64,
    pub(super) generator_unsent: u64,
    pub(super) generator_dropped: u64,
    /// The generator was the limit.
    pub(super) generator_bound: bool,
    /// Something else than the relay decided: other work on this machine, or the generator.
    pub(super) disturbed: bool,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Step {
    pub(super) fn load(&self, workers: u16) -> Load {
        Load {
            calls: self.calls,
            busy: self.cpu_percent_of_a_core / 100.0 / f64::from(workers),
            loss: self.loss_percent / 100.0,
            generator_bound: self.generator_bound,
        }
    }

    /// Whether every packet that arrived was what it should be.
    pub(super) fn is_sound(&self) -> bool {
        self.spoilt == 0 && self.misled == 0
    }
}

impl Relay {
    /// Concludes.
    pub(super) fn new(name: &'static str, version: String, workers: u16, steps: Vec<Step>) -> Self {
        let loads: Vec<Load> = steps.iter().map(|step| step.load(workers)).collect();
        let calls = steps::calls_at(PLANNED, &loads);
        let calls_per_core_at_70_percent =
            calls.map(|calls| (calls / f64::from(workers) * 10.0).round() / 10.0);
        Self { name, version, calls_per_core_at_70_percent, steps }
    }
}

impl Report {
    /// Tables in Markdown.
    pub(super) fn markdown(&self) -> String {
        let mut out = self.heading();
        out.push_str(
            "\n| relay | calls | packets/s | loss | CPU per packet (user + system + receiving) | of a core \
             | added latency p50 / p99 / max | without relay p50 / p99 | memory per call |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for relay in &self.relays {
            for step in &relay.steps {
                let _ = writeln!(out, "| {} {}", relay.name, row(step));
            }
        }
        out.push_str("\n| relay | calls per core at 70 % CPU | against rtpengine |\n|---|---:|---:|\n");
        let calls = |relay: &Relay| relay.calls_per_core_at_70_percent;
        let other = self.relays.iter().find(|relay| relay.name == "rtpengine").and_then(calls);
        for relay in &self.relays {
            let own = calls(relay)
                .map_or_else(|| "not between the steps".to_owned(), |calls| format!("{calls:.0}"));
            let ratio = calls(relay)
                .zip(other)
                .map_or_else(|| "-".to_owned(), |(own, other)| format!("{:.2}", own / other));
            let _ = writeln!(out, "| {} ({}) | {own} | {ratio} |", relay.name, relay.version);
        }
        if self.relays.iter().flat_map(|relay| &relay.steps).any(|step| step.disturbed) {
            out.push_str(
                "\n* Disturbed, however often it was done: other work kept the generator from sending in time, or it \
                 could not take what came, or cores were taken away from this machine. Loss and latency of such a line \
                 say nothing about the relay.\n",
            );
        }
        out
    }

    fn heading(&self) -> String {
        let wire = match self.wire {
            "veth" => {
                "a pair of virtual cards, where the relay's figures hold all that the system does for it"
            }
            _ => "loopback, where who sends pays for the receipt: the relay for the generator's, not its own",
        };
        let pinned = if self.pinned { "cores of their own" } else { "no cores of their own" };
        let turns = if self.realtime { ", before all other work" } else { "" };
        format!(
            "G.711, {} packets a second each way, {} s a step, by {wire}.\n\
             Linux {}, {} cores; relay ({}) and generator ({}) have {pinned}{turns}.\n",
            self.rate,
            self.seconds,
            self.kernel,
            self.cores,
            counted(self.workers.into(), "worker"),
            if self.by_kernel { "in the kernel".to_owned() } else { counted(self.generators, "thread") },
        )
    }
}

/// A number of things, in words.
pub(super) fn counted(number: u32, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn row(step: &Step) -> String {
    let star = if step.disturbed { "*" } else { "" };
    let faults = if step.is_sound() {
        String::new()
    } else {
        format!(", {} spoilt, {} misled", step.spoilt, step.misled)
    };
    let added = step.added_latency_ms.map_or_else(
        || "-".to_owned(),
        |Latency { p50, p99, max }| format!("{p50:.2} / {p99:.2} / {max:.1} ms"),
    );
    let bare = step
        .bare_latency_ms
        .map_or_else(|| "-".to_owned(), |Latency { p50, p99, .. }| format!("{p50:.2} / {p99:.2} ms"));
    format!(
        "| {}{star} | {:.0} | {:.2} %{faults} | {:.2} µs ({:.2} + {:.2} + {:.2}) | {:.0} % | {added} | {bare} | {:.1} KB |",
        step.calls,
        step.packets_per_second,
        step.loss_percent,
        step.cpu_us_per_packet,
        step.cpu_us_per_packet_user,
        step.cpu_us_per_packet_system,
        step.cpu_us_per_packet_receiving,
        step.cpu_percent_of_a_core,
        step.memory_kb_per_call,
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn step(calls: u32, micros: f64, loss_percent: f64) -> Step {
        let sent = u64::from(calls) * 100;
        Step {
            calls,
            packets_per_second: f64::from(calls) * 100.0,
            sent,
            received: sent,
            loss_percent,
            disordered: 0,
            spoilt: 0,
            misled: 0,
            cpu_us_per_packet: micros,
            cpu_us_per_packet_user: micros / 4.0,
            cpu_us_per_packet_system: micros * 0.5,
            cpu_us_per_packet_receiving: micros / 4.0,
            cpu_percent_of_a_core: f64::from(calls) * micros / 100.0,
            added_latency_ms: Some(Latency { p50: 0.1, p99: 0.5, max: 2.0 }),
            bare_latency_ms: Some(Latency { p50: 0.01, p99: 0.05, max: 0.2 }),
            memory_kb_idle: 9_000.0,
            memory_kb_per_call: 4.0,
            relay_lost: Some(0),
            relay_foreign: Some(0),
            stolen_percent: 0.0,
            generator_late: 0,
            generator_unsent: 0,
            generator_dropped: 0,
            generator_bound: false,
            disturbed: false,
        }
    }

    pub(in super::super) fn report() -> Report {
        let relay = |name, micros| {
            let steps = [100, 500, 1000, 2000].map(|calls| step(calls, micros, f64::from(calls) / 1000.0));
            Relay::new(name, format!("{name} <1> & \"2\""), 1, steps.to_vec())
        };
        Report {
            wire: "loopback",
            kernel: "6.1".to_owned(),
            cores: 2,
            pinned: true,
            realtime: false,
            workers: 1,
            generators: 1,
            by_kernel: false,
            rate: 50,
            seconds: 2,
            relays: vec![relay("epoll", 5.0), relay("rtpengine", 10.0)],
        }
    }

    #[test]
    fn the_table_compares() {
        let text = report().markdown();
        assert!(
            text.contains("| epoll | 500 | 50000 | 0.50 % | 5.00 µs (1.25 + 2.50 + 1.25) | 25 % |"),
            "{text}"
        );
        assert!(text.contains("| 1400 | 2.00 |"), "{text}");
        assert!(text.contains("| 700 | 1.00 |"), "{text}");
        let widths: Vec<usize> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(widths, [[10; 10].as_slice(), &[4; 4]].concat(), "every row has every column");
    }

    #[test]
    fn two_workers_have_two_cores() {
        let steps = vec![step(1000, 10.0, 0.0), step(2000, 10.0, 0.0)];
        let relay = Relay::new("epoll", String::new(), 2, steps);
        assert_eq!(relay.calls_per_core_at_70_percent, Some(700.0));
    }

    #[test]
    fn faults_and_a_weak_generator_are_told() {
        let mut report = report();
        report.relays[0].steps[0].misled = 3;
        report.relays[1].steps[3].disturbed = true;
        report.relays[1].calls_per_core_at_70_percent = None;
        let text = report.markdown();
        assert!(text.contains("0 spoilt, 3 misled") && text.contains("| 2000* |"), "{text}");
        assert!(text.contains("| not between the steps | - |") && text.contains("Disturbed"), "{text}");
    }
}
